"""Derivations as data: what is assumed, what follows by which rule, and each step's check.

Imports every room of theory. Public names: `Check`, `Decided`, `Derivation`, `FORMATS`, `Numeric`,
`own_derivation`, `OWN_FIGURE`, `readable`, `Symbolic`, `TOPICS`.
"""
