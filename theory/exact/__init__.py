"""Exact numbers, symbols and signs, strict JSON, checks of arguments, and the one exception.

Imports nothing of this package; every room may import it. Public names: `AMPLITUDE`,
`check_choice`, `check_fields`, `check_list`, `check_type`, `check_whole`, `checked`,
`COEFFICIENT`, `CUBE`, `exact_number`, `GAIN`, `HEIGHT`, `hold_at`, `InputError`, `L0`, `L1`,
`label`, `LARGEST_FILE`, `late_names`, `looks_like_path`, `MAGNITUDE_CORRELATION`,
`MEAN_AMPLITUDE`, `MEAN_COST`, `MissingFileError`, `MissingPackageError`, `NORM`, `Number`,
`number_rows`, `one_of`, `ONEHOT_PROBABILITY`, `PAIRS`, `parse_json`, `PHI`, `plain`,
`POINT_AMPLITUDE`, `positive_between`, `RADIUS`, `read_json`, `read_text`, `SAMPLES`, `SHIFT`,
`SIGN_CORRELATION`, `sign_of`, `Signs`, `standard_normals`, `THETA`, `UnreadableFileError`,
`UnwritableFileError`, `value_at`, `WEIGHT_DECAY`, `within`, `Witness`.
"""
