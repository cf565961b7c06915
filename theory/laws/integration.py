"""Exact expectations over a law: of polynomials, and of piecewise polynomials cell by cell.

Sympy's own integration of Max, Abs and Piecewise is unreliable. Here the cube is cut by hand
into the cells on which the integrand is one polynomial, and each cell is integrated exactly.
With symbols in the law or the pieces, which side of a cut a vertex lies on is read off at a
*witness*, a point of the symbols' domain; every such decision is returned as a condition, and
the result holds wherever all conditions do.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import factorial

import sympy

from theory.exact.annotations import checked
from theory.exact.errors import InputError
from theory.exact.signs import Signs, Witness, hold_at, value_at
from theory.exact.symbols import CUBE
from theory.laws.features import NORMAL
from theory.laws.law import Component, Law

Point = tuple[sympy.Expr, ...]

# How far the cells' total volume may be from the cube's at the witness.
COVERAGE = sympy.Float(10) ** -25


@dataclass(frozen=True)
class Piece:
    """A polynomial in x and the half-spaces on whose intersection the integrand equals it.

    Parameters
    ----------
    value : callable
        From x, a tuple of expressions, to a polynomial in them.
    constraints : sequence of callables
        From x to affine expressions that are ≥ 0 on the piece.
    """

    value: Callable[[Point], sympy.Expr]
    constraints: Sequence[Callable[[Point], sympy.Expr]] = ()


@dataclass(frozen=True)
class Expectation:
    """An exact expectation and where it holds.

    Parameters
    ----------
    value : sympy.Expr
    conditions : frozenset of sympy.Expr
        Expressions that must be > 0; they are at the witness.
    """

    value: sympy.Expr
    conditions: frozenset[sympy.Expr]

    def holds_at(self, values: Witness) -> bool:
        """Tell whether the value is the expectation at these values of the symbols."""
        finite = sympy.sympify(self.value).subs(values).is_finite is not False
        return finite and hold_at(self.conditions, values)


@checked
def expectation(law: Law, polynomial: Callable[[Point], sympy.Expr]) -> sympy.Expr:
    """Return E g(x) for a polynomial g, exactly, whatever the bases and their dimensions.

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> expectation(preset("independent"), lambda x: x[0]**2)
    1/3
    >>> from theory.laws.active_sets import independent_features
    >>> expectation(independent_features(1, 1, magnitude={"normal": [1, 2]}), lambda x: x[0]**2)
    5
    """
    total = sympy.Integer(0)
    for part in law.every_component:
        total += part.probability * _over_base(polynomial(part.point), part)
    return sympy.simplify(total)


def _over_base(value: sympy.Expr, part: Component) -> sympy.Expr:
    if not part.coordinates:
        return value
    moment = _normal_moment if part.base == NORMAL else _uniform_moment
    terms = sympy.Poly(value, *part.coordinates).terms()
    return sum(
        coefficient * sympy.prod([moment(power) for power in powers])
        for powers, coefficient in terms
    )


def _uniform_moment(power: int) -> sympy.Expr:
    return sympy.Rational(1, power + 1)


def _normal_moment(power: int) -> sympy.Expr:
    return sympy.S.Zero if power % 2 else sympy.factorial2(power - 1)


def piecewise_expectation(
    law: Law, pieces: Sequence[Piece], witness: Witness | None = None
) -> Expectation:
    """Return E g(x) for a g that is polynomial on each of several convex pieces.

    Parameters
    ----------
    law : Law
        Of cube dimensions k ≤ 2.
    pieces : sequence of Piece
        They cover the law's support and overlap only where they agree or have measure zero.
    witness : mapping from symbol to number, optional
        Needed if the law or the pieces hold symbols.

    Raises
    ------
    InputError
        For a cube dimension above 2, a symbol without a witness, or pieces that leave a part
        of the support uncovered or cover it twice.

    Examples
    --------
    E|x1| on the second data set, A = 1:

    >>> from theory.laws.presets import preset
    >>> halves = [Piece(lambda x: x[0], [lambda x: x[0]]),
    ...           Piece(lambda x: -x[0], [lambda x: -x[0]])]
    >>> piecewise_expectation(preset("independent"), halves).value
    1/2
    """
    signs = Signs(witness)
    total = sympy.Integer(0)
    for part in law.every_component:
        total += part.probability * _over_component(part, pieces, signs)
    return Expectation(sympy.simplify(total), frozenset(signs.conditions))


def _over_component(part: Component, pieces: Sequence[Piece], signs: Signs) -> sympy.Expr:
    if part.cube_dimension > 2:
        raise InputError("law", "cubes of dimension ≤ 2 here", part.cube_dimension)
    # Pieces that are one and the same function on this component share one cell.
    cells: dict[tuple[frozenset[Point], sympy.Expr], list[Point]] = {}
    for piece in pieces:
        cell = _within(piece, part, _cube(part.cube_dimension), signs)
        if cell:
            value = sympy.expand(piece.value(part.point))
            # Pieces meet in points, where they agree.
            key = frozenset(cell), value if part.cube_dimension else sympy.S.Zero
            if key not in cells and part.cube_dimension:
                _no_overlap(piece, part, cells.values(), signs.witness)
            cells.setdefault(key, cell)
    if part.cube_dimension == 0 and cells:
        return next(
            piece.value(part.point) for piece in pieces if _within(piece, part, _cube(0), signs)
        )
    volume = sum(_over_cell(sympy.Integer(1), cell) for cell in cells.values())
    if abs(value_at(volume - 1, signs.witness)) > COVERAGE:
        hint = f"their share of it is {volume}"
        raise InputError("pieces", f"to cover {part.point} once", hint=hint)
    return sum(_over_cell(value, cell) for (_, value), cell in cells.items())


def _within(piece: Piece, part: Component, cell: list[Point], signs: Signs) -> list[Point]:
    """Return the part of a cell on which a piece applies; empty if it has no inside."""
    for constraint in piece.constraints:
        cell = _clip(cell, sympy.expand(constraint(part.point)), signs) if cell else cell
    return cell


def _no_overlap(
    piece: Piece, part: Component, cells: Iterable[list[Point]], witness: Witness
) -> None:
    for cell in cells:
        common = _within(piece, part, cell, Signs(witness))
        if common and abs(value_at(_over_cell(sympy.S.One, common), witness)) > COVERAGE:
            raise InputError("pieces", f"to cover {part.point} once", hint="two overlap")


def _over_cell(value: sympy.Expr, cell: Sequence[Point]) -> sympy.Expr:
    """Return the integral of a polynomial over a point, a segment or a convex polygon."""
    k = len(cell[0])
    if k == 0:
        return value
    if k == 1:
        (start,), (end,) = cell
        antiderivative = sympy.integrate(value, CUBE[0])
        return antiderivative.subs(CUBE[0], end) - antiderivative.subs(CUBE[0], start)
    return sum(
        _over_triangle(value, (cell[0], cell[i], cell[i + 1])) for i in range(1, len(cell) - 1)
    )


def _cube(k: int) -> list[Point]:
    zero, one = sympy.Integer(0), sympy.Integer(1)
    corners: list[list[Point]] = [
        [()],
        [(zero,), (one,)],
        [(zero, zero), (one, zero), (one, one), (zero, one)],
    ]
    return corners[k]


def _clip(cell: list[Point], affine: sympy.Expr, signs: Signs) -> list[Point]:
    """Return the vertices of the convex cell where `affine` ≥ 0; empty if it has no inside."""
    coordinates = CUBE[: len(cell[0])]
    values = [affine.subs(dict(zip(coordinates, vertex, strict=True))) for vertex in cell]
    sides = [signs.of(value) for value in values]
    if not any(side < 0 for side in sides):
        return cell
    if not any(side > 0 for side in sides):
        return []
    kept: list[Point] = []
    # A segment has one edge; a polygon closes.
    edges = len(cell) if len(coordinates) > 1 else len(cell) - 1
    for i, vertex in enumerate(cell):
        if sides[i] >= 0:
            kept.append(vertex)
        j = (i + 1) % len(cell)
        if i < edges and sides[i] * sides[j] < 0:
            share = values[i] / (values[i] - values[j])
            kept.append(
                tuple(
                    sympy.radsimp(sympy.cancel(a + share * (b - a)))
                    for a, b in zip(vertex, cell[j], strict=True)
                )
            )
    return kept


def _over_triangle(value: sympy.Expr, corners: Sequence[Point]) -> sympy.Expr:
    """Return ∫ value over a counter-clockwise triangle: u = a + s (b - a) + t (c - a)."""
    (a1, a2), (b1, b2), (c1, c2) = corners
    jacobian = (b1 - a1) * (c2 - a2) - (c1 - a1) * (b2 - a2)
    s, t = CUBE[2:4]
    moved = value.subs(
        {
            CUBE[0]: a1 + s * (b1 - a1) + t * (c1 - a1),
            CUBE[1]: a2 + s * (b2 - a2) + t * (c2 - a2),
        },
        simultaneous=True,
    )
    return jacobian * sum(
        coefficient * sympy.Rational(factorial(m) * factorial(n), factorial(m + n + 2))
        for (m, n), coefficient in sympy.Poly(moved, s, t).terms()
    )
