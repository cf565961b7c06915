"""The exact expected loss, its gradient and Hessian, and the loss with the best activations.

Imports `solvers.laws` and `solvers.autoencoders`, and of theory the law and the exception only, so
that its agreement with theory is evidence.
"""
