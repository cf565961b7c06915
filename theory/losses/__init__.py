"""Closed-form optimal losses, and bounds that no SAE is below.

Imports `theory.codes` and the rooms that it imports. Public names: `bias_slope_on_second`,
`bound_attained_from`, `Chamber`, `decayed_diagonal`, `frame_loss_for_every_l1`,
`hard_threshold_loss`, `hard_threshold_tie`, `is_radial`, `is_symmetric`, `NoFrameError`,
`norm_imbalance`, `orthogonal_frame_loss`, `radial_bound`, `radial_law`, `relative_optimum`,
`shrinkage`, `soft_threshold`, `tie_probability_for_every_l1`, `tie_probability_series`,
`weight_at_origin`.
"""
