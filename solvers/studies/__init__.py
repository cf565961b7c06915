"""Whole investigations: cross-checks, phase diagrams, the ledger verified, why SAEs missed.

Imports `solvers.optima` and the rooms that it imports, and `solvers.studies.claims`.
"""
