"""Evidence for the ledger and the derivations: their numbers by routes that share no formula.

Imports `solvers.optima` and the rooms that it imports. Public names: `Compared`,
`COMPOSING_ROUTES`, `exact_cost`, `hard_threshold_frame`, `LOSS_ROUTES`, `ROUTES`, `Routes`,
`run_checks`, `SEED`, `top_k_frame`.
"""
