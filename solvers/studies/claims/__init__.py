"""Evidence for the ledger and the derivations: their numbers by routes that share no formula.

Imports `solvers.optima` and the rooms that it imports. Public names: `Compared`, `exact_cost`,
`LOSS_ROUTES`, `ROUTES`, `Routes`, `run_checks`, `SEED`.
"""
