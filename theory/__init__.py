"""States and proves: laws, codes, activation costs and losses in exact numbers (sympy only)."""

from theory.exact.errors import InputError
from theory.laws.law import Component, Law, one_hot_sets
from theory.laws.law_files import law_from_dict, load_law
from theory.laws.presets import preset

__all__ = ["Component", "InputError", "Law", "law_from_dict", "load_law", "one_hot_sets", "preset"]
