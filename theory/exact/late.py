"""Names of a package that are imported when they are first asked for (PEP 562).

Importing sympy and scipy takes a second. A command that only prints its help, or a worker that
needs one function, should not wait for what it does not use.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import NamedTuple


class Late(NamedTuple):
    """What a package's `__init__` needs to import its names late.

    Parameters
    ----------
    names : list of str
        All names, for `__all__`.
    get : callable
        For `__getattr__`: imports the module that holds a name, and returns what has that name.
    list_names : callable
        For `__dir__`.
    """

    names: list[str]
    get: Callable[[str], object]
    list_names: Callable[[], list[str]]


def late_names(package: str, homes: Mapping[str, str]) -> Late:
    """Return `__all__`, `__getattr__` and `__dir__` of a package whose names live in its rooms.

    Parameters
    ----------
    package : str
        Its dotted name, as in errors.
    homes : mapping of str to str
        Dotted names of modules, each with the names it is asked for, separated by spaces.

    Examples
    --------
    >>> names, get, _ = late_names("numbers", {"fractions": "Fraction", "math": "inf pi"})
    >>> names, get("pi")
    (['Fraction', 'inf', 'pi'], 3.141592653589793)
    >>> get("tau")
    Traceback (most recent call last):
    ...
    AttributeError: module 'numbers' has no attribute 'tau'
    """
    home = {name: module for module, names in homes.items() for name in names.split()}

    def get(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(home[name]), name)

    names = sorted(home)
    return Late(names, get, lambda: names)
