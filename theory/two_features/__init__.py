"""Two features, two latents: which pair of atoms is optimal where, and where absorption ends.

Imports `theory.exact` and `theory.laws`.
"""
