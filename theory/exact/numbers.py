"""Exact numbers from what people write: 0.25 is 1/4, "1/3" is 1/3, and NaN is an error.

A decimal is read as the decimal that was written, not as the binary float nearest to it, so
that a law file's 0.1 is one tenth in every closed form.
"""

from decimal import Decimal, InvalidOperation
from fractions import Fraction
from numbers import Integral, Rational, Real
from typing import TypeAlias

import sympy

from theory.exact.arguments import plain
from theory.exact.errors import InputError

Number: TypeAlias = int | float | str | Decimal | Fraction | sympy.Expr

# Squares of larger numbers would soon leave a double's range, and an exact number has as
# many digits as its exponent says.
_LARGEST_EXPONENT = 100
_LONGEST_TEXT = 400


def exact_number(value: object, name: str) -> sympy.Expr:
    """Return `value` as an exact sympy number (or the sympy expression that it is).

    Parameters
    ----------
    value : int, float, str, Decimal, Fraction, sympy.Expr, or a number of NumPy
        A finite number; a string is a decimal ("0.25") or a quotient of two ("1/3").
    name : str
        What the number is, for the message of the error.

    Raises
    ------
    InputError
        If `value` is not a finite number of the kinds above.

    Examples
    --------
    >>> exact_number(0.1, "amplitude"), exact_number("1/3", "amplitude")
    (1/10, 1/3)
    """
    number = plain(value)
    if isinstance(number, sympy.Expr):
        if number.is_finite is False or number.is_real is False or number.has(sympy.nan):
            raise InputError(name, "a finite real number", value)
        return number
    if isinstance(number, bool) or not isinstance(number, Real | str | Decimal):
        raise InputError(name, "a number", value)
    if isinstance(number, Rational) and not isinstance(number, Integral):
        return sympy.Rational(int(number.numerator), int(number.denominator))
    text = _text(number, name, value)
    numerator, slash, denominator = text.partition("/")
    top = _decimal(numerator, name, value)
    if not slash:
        return _rational(top)
    bottom = _decimal(denominator, name, value)
    if bottom == 0:
        raise _not_finite(name, value)
    quotient = _rational(top) / _rational(bottom)
    if quotient != 0 and abs(sympy.log(abs(quotient), 10).evalf()) > _LARGEST_EXPONENT:
        raise _not_finite(name, value)
    return quotient


def _text(number: object, name: str, value: object) -> str:
    """Return the digits of a number; of a float the fewest that mean it, in its precision."""
    try:
        return (repr(float(number)) if isinstance(number, float) else str(number)).strip()
    except ValueError:
        # So many digits that Python does not write them.
        raise _not_finite(name, value) from None


def _not_finite(name: str, value: object) -> InputError:
    limit = f"0 or from 1e-{_LARGEST_EXPONENT} to 1e{_LARGEST_EXPONENT} in size"
    return InputError(name, f"a finite number, {limit}", value)


def _decimal(text: str, name: str, value: object) -> Decimal:
    try:
        # Decimal alone would also take 1_0 and digits of other scripts.
        plain = len(text) <= _LONGEST_TEXT and text.isascii() and "_" not in text
        number = Decimal(text if plain else "")
    except InvalidOperation:
        raise InputError(name, "a number", value) from None
    if not number.is_finite() or (number != 0 and abs(number.adjusted()) > _LARGEST_EXPONENT):
        raise _not_finite(name, value)
    return number


def _rational(number: Decimal) -> sympy.Expr:
    return sympy.Rational(*number.as_integer_ratio())
