"""Checks of what a caller gives; each returns it as a plain value, or raises `InputError`.

To those of `theory.exact.arguments` come numbers in floats, arrays, and functions.
"""

import math
from decimal import Decimal
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.exact.annotations import check_fields, checked
from theory.exact.arguments import check_choice, check_list, check_type, check_whole, plain
from theory.exact.errors import InputError

__all__ = [
    "check_choice",
    "check_fields",
    "check_list",
    "check_number",
    "check_type",
    "check_whole",
    "checked",
    "finite_array",
]


def check_number(
    name: str,
    value: object,
    *,
    least: float = -math.inf,
    above: float = -math.inf,
    most: float = math.inf,
    below: float = math.inf,
) -> float:
    """Return a finite number within limits as a float.

    Parameters
    ----------
    name : str
    value : object
        A number of Python, NumPy, `decimal` or sympy.
    least, most : float
        Limits that the number may attain.
    above, below : float
        Limits that it may not.

    Raises
    ------
    InputError
        For anything else.

    Examples
    --------
    >>> check_number("beta1", 1, least=0, below=1)
    Traceback (most recent call last):
    ...
    theory.exact.errors.InputError: beta1: expected a number from 0 to below 1, got 1
    """
    given = plain(value)
    number = math.nan
    if isinstance(given, Real | Decimal) and not isinstance(given, bool):
        try:
            number = float(given)
        except (OverflowError, ValueError):
            # Larger than every double, or a signalling NaN.
            number = math.nan
    # Written so that NaN fails.
    if least <= number <= most and above < number < below:
        return number
    raise InputError(name, _interval(least, above, most, below), value)


def _interval(least: float, above: float, most: float, below: float) -> str:
    low, high = max(least, above), min(most, below)
    if high < math.inf:
        start = f"above {low:g}" if above > -math.inf else f"from {low:g}"
        joined = "and up to" if above > -math.inf else "to"
        end = f"{joined} {high:g}" if most < math.inf else f"{joined} below {high:g}"
        both = above > -math.inf and below < math.inf
        return f"a number between {low:g} and {high:g}" if both else f"a number {start} {end}"
    if low > -math.inf:
        return f"a finite number {'>' if above > -math.inf else '≥'} {low:g}"
    return "a finite number"


def finite_array(name: str, value: ArrayLike) -> NDArray[np.float64]:
    """Return an array of doubles; `InputError` names it if it holds anything but finite reals.

    Examples
    --------
    >>> finite_array("b_dec", [0, np.inf])
    Traceback (most recent call last):
    ...
    theory.exact.errors.InputError: b_dec: expected finite numbers, got inf; it is entry [1]
    """
    try:
        raw = np.asarray(value)
    except ValueError:
        raise InputError(name, "an array of real numbers", hint="its rows are uneven") from None
    except (TypeError, RuntimeError) as error:
        # An array of another library, as one of torch that requires a gradient.
        raise InputError(name, "an array of real numbers", hint=str(error)) from None
    if raw.dtype.kind not in "fiu":
        raise InputError(name, "an array of real numbers", raw.dtype)
    with np.errstate(over="ignore"):
        array = np.array(raw, dtype=np.float64)
    bad = ~np.isfinite(array)
    if bad.any():
        entry = [int(i) for i in np.argwhere(bad)[0]]
        hint = f"it is entry {entry}" if entry else ""
        raise InputError(name, "finite numbers", array[bad][0], hint=hint)
    return array
