"""Checks of numbers that a caller gives, with one message for all."""

from numbers import Integral

from theory.exact.errors import InputError


def check_whole(name: str, value: object, least: int, most: int) -> None:
    """Raise `InputError` unless a value is a whole number within limits.

    Examples
    --------
    >>> check_whole("starts", 0, 1, 100)
    Traceback (most recent call last):
    ...
    theory.exact.errors.InputError: starts: expected a whole number from 1 to 100, got 0
    """
    # A truth value is an Integral too.
    if isinstance(value, Integral) and not isinstance(value, bool) and least <= int(value) <= most:
        return
    raise InputError(name, f"a whole number from {least} to {most}", value)
