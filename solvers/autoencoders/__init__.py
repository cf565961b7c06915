"""What an SAE is and what it is charged: architectures, objective, conventions, first weights.

Imports `solvers.runtime`.
"""
