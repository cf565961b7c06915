"""Results for people: text, JSON, figures, pages. It computes nothing new.

Imports `solvers.studies` and the rooms that it imports. Only `figures` imports matplotlib.
"""
