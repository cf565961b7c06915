"""Closed-form optimal losses, and bounds that no SAE is below.

Imports `theory.codes` and the rooms that it imports. Public names: `best_shifted_frame`,
`bias_slope_on_second`, `bound_attained_from`, `Chamber`, `decayed_diagonal`,
`frame_loss_for_every_l1`, `hard_threshold_bound`, `hard_threshold_loss`,
`hard_threshold_loss_for_every_height`, `hard_threshold_tie`, `hard_threshold_tie_series`, `in_l0`,
`is_attained`, `is_radial`, `is_symmetric`, `NoFrameError`, `norm_imbalance`, `one_term_loss`,
`one_term_tie`, `orthogonal_frame_loss`, `prefix_counts`, `prefix_frame_loss`, `prefix_losses`,
`PREFIXES`, `radial_bound`, `radial_law`, `relative_optimum`, `rotated_hard_threshold_loss`,
`rotated_one_term_loss`, `shifted_prefix_loss`, `shrinkage`, `soft_threshold`,
`tie_probability_for_every_l1`, `tie_probability_series`, `two_term_encoder`, `weight_at_origin`.
"""
