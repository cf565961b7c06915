"""What minimising the exact loss finds: optima, stationary points and their shares, training.

Imports `solvers.bounds` and the rooms that it imports. Public names: `Absorbed`, `absorbed`,
`ArchitectureDescent`, `atom_reports`, `AtomReport`, `ATTAINED`, `best_known`, `Certified`,
`certified_optimum`, `check_objective`, `CLOSE`, `closest_code`, `CodeMatch`, `DYNAMICS`,
`follow_code`, `held_code`, `Known`, `Landscape`, `landscape`, `minimize_from`, `minimize_loss`,
`OFTEN`, `Optimum`, `polish`, `Polished`, `Progress`, `Schedule`, `Search`, `Start`, `STARTS`,
`starts_at_points`, `StationaryPoint`, `train`, `TRAINED`, `TRAINED_FROM`, `Training`, `unit`,
`with_finite_loss`.
"""
