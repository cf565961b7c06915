"""A law in floats: arrays, moments of cut cubes, symmetries, samples.

Imports `solvers.runtime`, and of theory the law and the exception only, so that its agreement with
theory is evidence. Public names: `batches`, `boundary_moments`, `Cell`, `cell_nodes`, `charts`,
`check_cost`, `Cubes`, `cut_facets`, `describe`, `drawn_remainder`, `exact_arrays`, `law_arrays`,
`LawArrays`, `LawDescription`, `normal_moments`, `Normals`, `pair_moments`, `Pieces`, `pieces_of`,
`reaches_origin`, `sample`, `sample_features`, `Sampler`, `symmetries`, `to_saelens`,
`triangle_index`, `unit_lines`, `weighted_pairs`.
"""
