"""Exact numbers from what people write: 0.25 is 1/4, "1/3" is 1/3, and NaN is an error.

A decimal is read as the decimal that was written, not as the binary float nearest to it, so
that a law file's 0.1 is one tenth in every closed form.
"""

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from numbers import Integral, Rational, Real
from typing import TypeAlias

import sympy

from theory.exact.arguments import check_list, plain
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
    if isinstance(number, sympy.Rational):
        # What sympy would work out about it costs more than all else here.
        return number
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


def within(value: Number, name: str, low: int, high: int) -> sympy.Expr:
    """Return `value` exactly, unless it is provably outside [low, high].

    Examples
    --------
    >>> within(0.25, "onehot_probability", 0, 1)
    1/4
    """
    number = exact_number(value, name)
    if (number - low).is_negative or (number - high).is_positive:
        raise InputError(name, f"a number from {low} to {high}", value)
    return number


def number_rows(value: object, name: str, shapes: Sequence[tuple[int, int]]) -> sympy.Matrix:
    """Return rows of numbers as a matrix of one of the shapes, in which -1 is any width.

    Raises
    ------
    InputError
        For another shape, or an entry that is no finite number.

    Examples
    --------
    >>> number_rows([[1, "1/2"]], "embedding", [(1, -1)])
    Matrix([[1, 1/2]])
    """
    expected = " or ".join(str(shape) for shape in shapes).replace("-1", "d")
    given = check_list(name, value, f"a list of rows of shape {expected}")
    entries = [
        check_list(f"{name}[{r}]", row, "a row, a list of numbers") for r, row in enumerate(given)
    ]
    lengths = [len(row) for row in entries]
    width = lengths[0] if lengths else 0
    fits = any(len(entries) == rows and columns in (width, -1) for rows, columns in shapes)
    if width == 0 or lengths.count(width) < len(lengths) or not fits:
        hint = f"it has {len(entries)} rows of lengths {lengths}"
        raise InputError(name, f"shape {expected}", hint=hint)
    return sympy.Matrix(
        [
            [exact_number(entry, f"{name}[{r}][{c}]") for c, entry in enumerate(row)]
            for r, row in enumerate(entries)
        ]
    )


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
