"""Computes: the exact expected loss of an SAE on a known law, and its minima."""
