"""Codes: named dictionaries, the gauge, and what exact reconstruction by their atoms costs.

Imports `theory.exact` and `theory.laws`. Public names: `activation_cost`, `Atom`, `axis_aligned`,
`Code`, `codes_of`, `composed_in_blocks`, `cost_against_angle`, `CostAgainstAngle`, `diagonal`,
`dot`, `gauge`, `hadamard_frame`, `Linear`, `load_code`, `mean_absolute_sum`, `OutOfReachError`,
`readings_of_s`, `rhombic`, `rotated`, `tie_probability`, `total_coefficient`.
"""
