"""Files, processes, progress, checks of arguments: what running needs; knows no SAE.

Imports `theory.exact` alone. Public names: `check_choice`, `check_fields`, `check_number`,
`check_type`, `check_whole`, `check_writable`, `checked`, `draw_with`, `each_result`,
`finite_array`, `Journal`, `Picture`, `picture`, `pool`, `ProgressLine`, `written_beside`.
"""
