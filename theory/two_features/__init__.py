"""Two features, two latents: which pair of atoms is optimal where, and where absorption ends.

Imports `theory.exact` and `theory.laws`. Public names: `absorption_onset`, `both_active_length`,
`BOTH_LENGTH`, `FEATURE_TANGENT`, `optimal_pair`, `OptimalPair`, `SECOND_TANGENT`.
"""
