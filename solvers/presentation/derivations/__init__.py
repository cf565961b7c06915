"""Derivations as documents: Markdown, HTML or LaTeX, with their figures.

Imports `solvers.presentation` and the rooms that it imports.
"""
