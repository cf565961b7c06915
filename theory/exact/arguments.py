"""Checks of what a caller gives; each returns it as a plain Python value, or raises `InputError`.

The standard library's numeric tower says what a number is, so that numbers and arrays of NumPy
(and of torch) are taken without importing it. A truth value is no number.
"""

from collections.abc import Iterable, Sequence
from numbers import Integral, Number
from typing import TypeVar

from theory.exact.errors import InputError, one_of

Kind = TypeVar("Kind")


def plain(value: object) -> object:
    """Return the number in an array without axes, and anything else as it is."""
    if isinstance(value, Number) or not hasattr(value, "item"):
        return value
    return value.item() if tuple(getattr(value, "shape", (0,))) == () else value


def check_whole(name: str, value: object, least: int, most: int | None = None) -> int:
    """Return a whole number within limits, the upper one if there is one, as an int.

    Raises
    ------
    InputError
        For anything else.

    Examples
    --------
    >>> check_whole("starts", 0, 1, 100)
    Traceback (most recent call last):
    ...
    theory.exact.errors.InputError: starts: expected a whole number from 1 to 100, got 0
    """
    number = plain(value)
    # A truth value is an Integral too.
    if isinstance(number, Integral) and not isinstance(number, bool):
        whole = int(number)
        if least <= whole and (most is None or whole <= most):
            return whole
    limits = f"≥ {least}" if most is None else f"from {least} to {most}"
    raise InputError(name, f"a whole number {limits}", value)


def check_choice(
    name: str, value: object, options: Iterable[str], *, where: str = "", hint: str = ""
) -> str:
    """Return a text that is one of the options.

    Raises
    ------
    InputError
        For anything else; it says which option is meant, if one is near.

    Examples
    --------
    >>> check_choice("decoder", "fre", ("unit", "free"))
    Traceback (most recent call last):
    ...
    theory.exact.errors.InputError: decoder: expected one of unit, free (did you mean 'free'?),
    got 'fre'
    """
    known = tuple(options)
    if isinstance(value, str) and value in known:
        return str(value)
    raise InputError(name, one_of(known, value), value, where, hint)


def check_type(name: str, value: Kind, kind: type) -> Kind:
    """Return a value that is of a class, as its annotation says.

    Raises
    ------
    InputError
        For anything else.

    Examples
    --------
    >>> check_type("path", 3, str)
    Traceback (most recent call last):
    ...
    theory.exact.errors.InputError: path: expected a str, got 3
    """
    if isinstance(value, kind):
        return value
    raise InputError(name, with_article(kind.__name__), value)


def with_article(noun: str) -> str:
    """Return a noun with "a" or "an" before it.

    Examples
    --------
    >>> with_article("Objective"), with_article("Law")
    ('an Objective', 'a Law')
    """
    return f"an {noun}" if noun[:1] in "AEIOUaeiou" else f"a {noun}"


def check_list(name: str, value: object, expected: str) -> list[object]:
    """Return a list, tuple, array or matrix as a list: of a matrix or a table, its rows.

    Text is no sequence here. Of an array of NumPy the numbers stay what they are, so that a
    single-precision 0.1 can still be read as one tenth.

    Raises
    ------
    InputError
        For anything else.

    Examples
    --------
    >>> check_list("sets", (2, 2), "two whole numbers")
    [2, 2]
    """
    if hasattr(value, "rows") and hasattr(value, "tolist"):
        # A matrix of sympy: it would be walked through entry by entry.
        return list(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return list(value)
    # An array; one without axes is a number.
    if isinstance(value, Iterable) and tuple(getattr(value, "shape", ())) != ():
        return list(value)
    raise InputError(name, expected, value)
