"""What the data are: laws, presets, law files, and exact expectations over them.

Imports `theory.exact`. Public names: `checked_numbers`, `Component`, `corner_values`,
`covariance`, `Expectation`, `expectation`, `expectation_beyond`, `fourth_cumulant`, `Law`,
`law_from_dict`, `LawSpec`, `load_law`, `mean`, `one_hot_sets`, `Piece`, `piecewise_expectation`,
`Point`, `preset`, `principal_components`, `shared_amplitudes`, `TWO_FEATURES`, `TwoFeatures`.
"""
