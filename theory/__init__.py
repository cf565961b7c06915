"""States and proves: laws, codes, activation costs and losses in exact numbers (sympy only)."""

from theory.errors import InputError
from theory.law_files import law_from_dict, load_law
from theory.laws import Component, Law, one_hot_sets, preset

__all__ = ["Component", "InputError", "Law", "law_from_dict", "load_law", "one_hot_sets", "preset"]
