"""What no SAE can beat: the radial bound, and certificates for every dictionary of a width.

Imports `solvers.losses` and the rooms that it imports. Public names: `best_bound`, `Certificate`,
`certify`, `check_certifiable`, `lower_bound`, `LowerBound`.
"""
