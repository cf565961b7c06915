"""The ledger: what the field claims, where, and the proof that judges each claim.

Imports every room of theory but the derivations.
"""
