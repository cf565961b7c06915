"""What no SAE can beat: the radial bound, and certificates for every dictionary of a width.

Imports `solvers.losses` and the rooms that it imports. Public names: `Certificate`, `certify`,
`check_certifiable`, `hard_threshold_bound`, `lower_bound`, `LowerBound`.
"""
