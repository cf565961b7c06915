"""What minimising the exact loss finds: optima, stationary points and their shares, training.

Imports `solvers.bounds` and the rooms that it imports.
"""
