"""Signs of symbolic expressions, read off at a witness: a point of the symbols' domain."""

from collections.abc import Mapping
from functools import lru_cache
from typing import TypeAlias

import sympy

from theory.exact.errors import InputError

Witness: TypeAlias = Mapping[sympy.Symbol, sympy.Expr]
_Point: TypeAlias = frozenset[tuple[sympy.Symbol, sympy.Expr]]

# Digits of the evaluation that decides a sign, and what then is so small that it may be zero.
_DIGITS = 40
_ZERO = sympy.Float(10, _DIGITS) ** -25


def value_at(expression: sympy.Expr, witness: Witness) -> sympy.Expr:
    """Return the expression's value at the witness, to forty digits.

    Raises
    ------
    InputError
        If the witness leaves a symbol open.

    Examples
    --------
    >>> from theory.exact.symbols import THETA
    >>> float(value_at(sympy.cos(THETA), {THETA: sympy.pi / 3}))
    0.5
    """
    number = sympy.N(sympy.sympify(expression).subs(witness), _DIGITS)
    if not number.is_number:
        raise InputError("witness", f"a value for each symbol of {expression}")
    return number


def sign_of(number: sympy.Expr) -> int:
    """Return -1, 0 or 1 for an expression without symbols.

    Examples
    --------
    Exact numbers are told from 0 however small they are:

    >>> tiny = sympy.Rational(1, 10**40)
    >>> sign_of(tiny), sign_of(sympy.sqrt(8) - 2 * sympy.sqrt(2)), sign_of(-tiny * sympy.sqrt(2))
    (1, 0, -1)
    """
    number = sympy.sympify(number)
    if number.is_Rational:
        return int(sympy.sign(number))
    value = value_at(number, {})
    if abs(value) > _ZERO:
        return 1 if value > 0 else -1
    # Of a sum of radicals that is 0, sympy would look for a non-zero digit forever.
    if number.has(sympy.Float) or sympy.expand(sympy.radsimp(number)) == 0:
        return 0
    return bool(number.is_positive) - bool(number.is_negative)


@lru_cache(maxsize=1 << 14)
def _decision(expression: sympy.Expr, witness: _Point) -> tuple[int, sympy.Expr | None]:
    """Return the sign at the witness and, if it could differ elsewhere, its condition."""
    side = sign_of(expression.subs(dict(witness)))
    if side == 0 and sympy.expand(expression) != 0 and sympy.simplify(expression) != 0:
        raise InputError(
            "witness", f"a point off every boundary; {expression} vanishes there", dict(witness)
        )
    if side == 0 or not expression.free_symbols:
        return side, None
    return side, sympy.factor(side * expression)


class Signs:
    """Decides signs at a witness and remembers the decisions that could differ elsewhere.

    Parameters
    ----------
    witness : mapping from symbol to number, optional

    Attributes
    ----------
    conditions : set of sympy.Expr
        Expressions, positive at the witness, on whose signs the decisions rest.

    Examples
    --------
    >>> from theory.exact.symbols import THETA
    >>> signs = Signs({THETA: sympy.Rational(1, 3)})
    >>> signs.of(-THETA), signs.conditions
    (-1, {theta})
    """

    def __init__(self, witness: Witness | None = None) -> None:
        self.witness: Witness = {} if witness is None else witness
        self.conditions: set[sympy.Expr] = set()
        self._point: _Point = frozenset(self.witness.items())

    def of(self, expression: sympy.Expr) -> int:
        """Return -1, 0 or 1.

        Raises
        ------
        InputError
            If the expression vanishes at the witness but not everywhere: the witness then
            lies on the boundary between two different answers. Or if the witness leaves a
            symbol open.
        """
        side, condition = _decision(sympy.sympify(expression), self._point)
        if condition is not None:
            self.conditions.add(condition)
        return side


def positive_between(
    expression: sympy.Expr, symbol: sympy.Symbol, low: sympy.Expr, high: sympy.Expr
) -> bool:
    """Tell whether an expression in one symbol is proved to be > 0 on the open (low, high).

    A continuous function without a zero there has one sign; its zeros are sympy's.

    Examples
    --------
    >>> from theory.exact.symbols import THETA
    >>> positive_between(1 - THETA**2, THETA, sympy.Integer(0), sympy.Integer(1))
    True
    >>> positive_between(1 - THETA**2, THETA, sympy.Integer(0), sympy.Integer(2))
    False
    """
    middle = expression.subs(symbol, (low + high) / 2)
    zeros = sympy.solveset(sympy.simplify(expression), symbol, sympy.Interval.open(low, high))
    return bool(middle.is_positive) and zeros is sympy.S.EmptySet


def hold_at(conditions: frozenset[sympy.Expr], values: Witness) -> bool:
    """Tell whether every condition is positive, or zero as on the boundary, at `values`."""
    return all(sign_of(condition.subs(values)) >= 0 for condition in conditions)
