"""Whole investigations: cross-checks, phase diagrams, the ledger verified, why SAEs missed.

Imports `solvers.optima` and the rooms that it imports, and `solvers.studies.claims`. Public names:
`Axis`, `CheckedClaim`, `CheckedQuantity`, `chosen_ids`, `COLUMNS`, `cross_check`,
`cross_check_all`, `CrossCheck`, `Family`, `Gaps`, `objective_for`, `OPTIMUM`, `phase_diagram`,
`PhaseDiagram`, `PhasePoint`, `REACHED`, `ThresholdBias`, `Tie`, `trained_share`, `TrainedShare`,
`verified`, `verify`.
"""
