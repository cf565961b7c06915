"""Signs of symbolic expressions, read off at a witness: a point of the symbols' domain."""

from collections.abc import Mapping
from typing import TypeAlias

import sympy

from theory.exact.errors import InputError

Witness: TypeAlias = Mapping[sympy.Symbol, sympy.Expr]

# Digits of the evaluation that decides a sign, and what then counts as zero.
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

    def of(self, expression: sympy.Expr) -> int:
        """Return -1, 0 or 1.

        Raises
        ------
        InputError
            If the expression vanishes at the witness but not everywhere: the witness then
            lies on the boundary between two different answers.
        """
        expression = sympy.sympify(expression)
        number = value_at(expression, self.witness)
        if abs(number) < _ZERO:
            # Zero, or exact and merely small: sympy evaluates to as many digits as it needs.
            exact = expression.subs(self.witness)
            # Of a sum of radicals that is 0, sympy would look for a non-zero digit forever.
            zero = sympy.expand(sympy.radsimp(exact)) == 0
            if zero or not (exact.is_positive or exact.is_negative):
                if sympy.simplify(expression) != 0:
                    hint = f"{expression} vanishes there"
                    raise InputError("witness", "a point off every boundary", hint=hint)
                return 0
            number = sympy.Integer(1 if exact.is_positive else -1)
        side = 1 if number > 0 else -1
        if expression.free_symbols:
            self.conditions.add(sympy.factor(side * expression))
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
    return all(value_at(condition, values) > -_ZERO for condition in conditions)
