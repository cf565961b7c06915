"""Derivations as documents: Markdown, HTML or LaTeX, with their figures.

Imports `solvers.presentation` and the rooms that it imports. Public names: `law_and_code`,
`page_of`, `pages_of`, `write_pages`.
"""
