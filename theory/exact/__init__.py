"""Exact numbers, symbols and signs, strict JSON, and the one exception for bad input.

Imports nothing of this package; every room may import it.
"""
