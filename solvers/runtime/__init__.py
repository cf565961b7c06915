"""Files, processes, progress, checks of arguments: what running needs; knows no SAE.

Imports `theory.exact` alone.
"""
