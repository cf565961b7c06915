"""Closed-form optimal losses, and bounds that no SAE is below.

Imports `theory.codes` and the rooms that it imports.
"""
