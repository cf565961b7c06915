"""Evidence for the ledger and the derivations: their numbers by routes that share no formula.

Imports `solvers.optima` and the rooms that it imports.
"""
