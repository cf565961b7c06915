"""Codes: named dictionaries, the gauge, and what exact reconstruction by their atoms costs.

Imports `theory.exact` and `theory.laws`.
"""
