"""Results for people: text, JSON, figures, pages. It computes nothing new.

Imports `solvers.studies` and the rooms that it imports. Only `figures` imports matplotlib. Public
names: `Axes`, `certificate_document`, `certificate_text`, `check_document`, `check_figure_path`,
`check_page`, `check_text`, `claim_text`, `claims_document`, `claims_head`, `claims_summary`,
`Comparison`, `comparison_csv`, `comparison_page`, `comparison_text`, `document`, `draw_optimum`,
`draw_record`, `draw_support`, `Figure`, `figure`, `grid`, `landscape_document`,
`landscape_figure`, `landscape_text`, `law_document`, `law_figure`, `law_text`, `loss_document`,
`loss_text`, `optimum_document`, `optimum_text`, `panels`, `phase_csv`, `phase_document`,
`phase_figure`, `phase_json`, `phase_text`, `share_document`, `share_text`, `svg_text`, `to_json`,
`training_document`, `training_text`, `write_figure`.
"""
