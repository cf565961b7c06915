"""Exact numbers, symbols and signs, strict JSON, checks of arguments, and the one exception.

Imports nothing of this package; every room may import it.
"""
