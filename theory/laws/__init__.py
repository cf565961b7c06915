"""What the data are: laws, presets, law files, and exact expectations over them.

Imports `theory.exact`. Public names: `checked_numbers`, `Component`, `corner_values`,
`covariance`, `Expectation`, `expectation`, `expectation_beyond`, `firing_features`,
`fourth_cumulant`, `from_active_sets`, `independent_features`, `Law`, `law_from_dict`, `LawSpec`,
`load_law`, `mean`, `NORMAL`, `one_hot_sets`, `Piece`, `piecewise_expectation`, `Point`, `preset`,
`principal_components`, `Remainder`, `shared_amplitudes`, `tree`, `TWO_FEATURES`, `TwoFeatures`.
"""
