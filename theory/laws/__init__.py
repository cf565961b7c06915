"""What the data are: laws, presets, law files, and exact expectations over them.

Imports `theory.exact`.
"""
