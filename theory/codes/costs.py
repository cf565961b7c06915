"""Activation costs: what exact reconstruction costs in Σ f_i, at a point and over a law.

The cost of a code on a law is E γ(x), its gauge averaged. All of it is derived here from the
law and the code: the readings of s, the cost against the angle, and the one-hot threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sympy

from theory.codes.code import (
    Code,
    axis_aligned,
    diagonal,
    dot,
    gauge,
    is_reached,
    polar_vertices,
    rotated,
)
from theory.exact.annotations import checked
from theory.exact.errors import InputError
from theory.exact.numbers import Number, exact_number
from theory.exact.signs import Signs, Witness, positive_between
from theory.exact.symbols import (
    AMPLITUDE,
    COEFFICIENT,
    CUBE,
    MAGNITUDE_CORRELATION,
    NORM,
    ONEHOT_PROBABILITY,
    THETA,
)
from theory.laws.integration import Expectation, Piece, Point, piecewise_expectation
from theory.laws.law import Component, Law
from theory.laws.one_hot_sets import one_hot_sets

#: Angles that tell different orthogonal frames apart: a quarter turn permutes the atoms, and
#: both presets are symmetric about the diagonals.
ANGLES = sympy.Interval(0, sympy.pi / 4)


class OutOfReachError(InputError):
    """Some x of the law is no nonnegative combination of the atoms."""


@dataclass(frozen=True)
class Reading:
    """One meaning of "weights of size s" and the totals that it gives.

    Parameters
    ----------
    name, assumption : str
    gain : sympy.Expr
        Length that one unit of a latent's coefficient has in the reconstruction.
    axis_aligned, diagonal : sympy.Expr
        Σ of the coefficients that reconstruct (A, A), both features at full amplitude.
    """

    name: str
    assumption: str
    gain: sympy.Expr
    axis_aligned: sympy.Expr
    diagonal: sympy.Expr

    @property
    def ratio(self) -> sympy.Expr:
        """Axis-aligned total over diagonal total."""
        return sympy.simplify(self.axis_aligned / self.diagonal)


def total_coefficient(code: Code, gain: sympy.Expr) -> sympy.Expr:
    """Return the least total coefficient for (A, A) if a unit has length `gain`.

    Each active atom needs c with gain · c = its share of the unit-norm activation, so the
    total is γ(A, A)/gain.

    Examples
    --------
    >>> total_coefficient(axis_aligned(), NORM)
    2*A/s
    """
    for_unit_norm = gauge(code, (AMPLITUDE, AMPLITUDE), {AMPLITUDE: sympy.Integer(1)})
    (coefficient,) = sympy.solve(gain * COEFFICIENT - for_unit_norm, COEFFICIENT)
    return sympy.simplify(coefficient)


def readings_of_s() -> tuple[Reading, ...]:
    """Return both readings of s in the discussion's totals.

    Examples
    --------
    >>> [(r.axis_aligned, r.diagonal, r.ratio) for r in readings_of_s()]
    [(2*A/s, sqrt(2)*A/s, sqrt(2)), (2*A/s**2, sqrt(2)*A/s**2, sqrt(2))]
    """
    named = (
        ("decoder", "an activation f_i adds f_i d_i with ‖d_i‖ = s", NORM),
        (
            "both layers",
            "a coefficient c passes an encoder and a decoder of norm s each, so s²c = A",
            NORM * NORM,
        ),
    )
    return tuple(
        Reading(
            name,
            assumption,
            gain,
            total_coefficient(axis_aligned(), gain),
            total_coefficient(diagonal(), gain),
        )
        for name, assumption, gain in named
    )


@checked
def activation_cost(code: Code, law: Law, witness: Witness | None = None) -> Expectation:
    """Return E γ(x): the mean Σ f_i with which `code` reconstructs `law` exactly.

    Parameters
    ----------
    code : Code
    law : Law
        Of cube dimensions k ≤ 2.
    witness : mapping from symbol to number, optional
        Needed if law or code hold symbols; the result names the conditions it rests on.

    Raises
    ------
    OutOfReachError
        If the atoms cannot reconstruct some point of the law's support.
    InputError
        If the dimensions differ, or for a cube dimension above 2.

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> activation_cost(diagonal(), preset("shared")).value
    sqrt(2)/2
    """
    if code.dimension != law.dimension:
        expected = f"atoms in R^{law.dimension}, where the law is"
        raise InputError(code.name, expected, hint=f"they are in R^{code.dimension}")
    code, law = _within_span(code, law)
    signs = Signs(witness)
    for part in law.every_component:
        for corner in _corners(part):
            if not is_reached(code, corner, signs):
                raise OutOfReachError(
                    code.name, f"atoms whose cone holds the law, but {corner} is outside"
                )
    vertices, conditions = polar_vertices(code, witness)
    cost = piecewise_expectation(law, _largest_of(vertices), witness)
    return Expectation(cost.value, cost.conditions | conditions | frozenset(signs.conditions))


def _largest_of(vertices: Sequence[Sequence[sympy.Expr]]) -> list[Piece]:
    """Return the pieces of x ↦ max y·x over the vertices y."""

    def linear(y: Sequence[sympy.Expr]) -> "Linear":
        return Linear(tuple(y))

    return [
        Piece(
            linear(y),
            [
                linear([a - b for a, b in zip(y, other, strict=True)])
                for other in vertices
                if other is not y
            ],
        )
        for y in vertices
    ]


@dataclass(frozen=True)
class Linear:
    """The function x ↦ y·x."""

    y: tuple[sympy.Expr, ...]

    def __call__(self, x: Point) -> sympy.Expr:
        """Return y·x."""
        return dot(self.y, x)


def _corners(part: Component) -> list[Point]:
    corners: list[Point] = [part.point]
    for u in CUBE[: part.cube_dimension]:
        corners = [
            tuple(entry.subs(u, value) for entry in corner)
            for corner in corners
            for value in (0, 1)
        ]
    return corners


def _within_span(code: Code, law: Law) -> tuple[Code, Law]:
    """Return code and law in coordinates of the atoms' span, where the polar has vertices."""
    atoms = sympy.Matrix(code.atoms)
    if atoms.rank(simplify=True) == code.dimension:
        return code, law
    if atoms.is_zero_matrix:
        raise OutOfReachError(code.name, "atoms that are not all zero")
    basis = sympy.Matrix.hstack(*atoms.T.columnspace())
    coordinates = (basis.T * basis).inv() * basis.T
    parts = []
    for part in law.every_component:
        for column in (*part.matrix.columnspace(), part.offset):
            if not (basis * coordinates * column - column).is_zero_matrix:
                raise OutOfReachError(
                    code.name, "atoms whose cone holds the law; even their span does not"
                )
        parts.append(
            replace(
                part,
                matrix=sympy.ImmutableMatrix(coordinates * part.matrix),
                offset=sympy.ImmutableMatrix(coordinates * part.offset),
            )
        )
    return Code(code.name, (atoms * coordinates.T).tolist()), Law(tuple(parts), law.name)


@dataclass(frozen=True)
class CostAgainstAngle:
    """The cost of the four atoms ±u_θ, ±v_θ as a function of θ in [0, π/4].

    Parameters
    ----------
    value, derivative : sympy.Expr
        In the symbol θ.
    stationary : tuple of sympy.Expr
        Zeros of the derivative in [0, π/4].
    cheapest, dearest : sympy.Expr
        The angles of least and greatest cost.
    """

    value: sympy.Expr
    derivative: sympy.Expr
    stationary: tuple[sympy.Expr, ...]
    cheapest: sympy.Expr
    dearest: sympy.Expr

    def at(self, angle: Number) -> sympy.Expr:
        """Return the cost at an angle."""
        return sympy.simplify(self.value.subs(THETA, exact_number(angle, "theta")))


@checked
def cost_against_angle(law: Law) -> CostAgainstAngle:
    """Return cost, derivative and extrema of the orthogonal frame at θ on a numeric law.

    Raises
    ------
    InputError
        If no single formula holds for all θ in [0, π/4]: the law is then not made of the
        axes, the diagonals and cones between them.

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> shared = cost_against_angle(preset("shared"))
    >>> shared.value, shared.cheapest
    (cos(theta), pi/4)
    """
    cost = activation_cost(rotated(THETA), law, {THETA: sympy.Rational(2, 5)})
    for condition in cost.conditions:
        # tan θ runs from 0 to 1; cos θ > 0 there, so the signs are those in tan θ.
        if not positive_between(_in_tangent(condition), COEFFICIENT, ANGLES.start, sympy.S.One):
            raise InputError(law.name, "one formula for all angles from 0 to π/4")
    value = _in_cosines(cost.value)
    derivative = sympy.factor(_in_cosines(sympy.diff(value, THETA)))
    stationary = _zeros(derivative)
    candidates = sorted(
        {*stationary, ANGLES.start, ANGLES.end}, key=lambda angle: float(value.subs(THETA, angle))
    )
    return CostAgainstAngle(value, derivative, stationary, candidates[0], candidates[-1])


def _in_cosines(expression: sympy.Expr) -> sympy.Expr:
    """Return the expression as a simplified quotient of polynomials in cos θ and sin θ."""
    return sympy.simplify(sympy.expand_trig(expression))


def _zeros(derivative: sympy.Expr) -> tuple[sympy.Expr, ...]:
    """Return the zeros in [0, π/4]."""
    tangents = sympy.solveset(_in_tangent(derivative), COEFFICIENT, sympy.Interval(0, 1))
    if not isinstance(tangents, sympy.FiniteSet):
        # Constant in θ: nothing is gained anywhere.
        return ()
    return tuple(sorted((sympy.atan(tangent) for tangent in tangents), key=float))


def _in_tangent(expression: sympy.Expr) -> sympy.Expr:
    """Return an expression in θ as one in t = tan θ, for θ in [0, π/2)."""
    t = COEFFICIENT
    root = sympy.sqrt(1 + t**2)
    return sympy.simplify(
        sympy.expand_trig(expression).subs(
            {sympy.tan(THETA): t, sympy.cos(THETA): 1 / root, sympy.sin(THETA): t / root}
        )
    )


@checked
def tie_probability(magnitude_correlation: Number = MAGNITUDE_CORRELATION) -> sympy.Expr:
    """Return q*(f), the one-hot probability at which axis-aligned and diagonal cost the same.

    For λ → 0, A = 1 and signs equally likely; below q* the diagonal code is the cheaper.

    Parameters
    ----------
    magnitude_correlation : number in [0, 1] or the symbol f
        With the symbol, the formula for f in [0, 1).

    Examples
    --------
    >>> tie_probability(1)
    2 - sqrt(2)
    """
    f = exact_number(magnitude_correlation, "magnitude_correlation")
    law = one_hot_sets(magnitude_correlation=f, onehot_probability=ONEHOT_PROBABILITY)
    witness = {
        ONEHOT_PROBABILITY: sympy.Rational(1, 3),
        MAGNITUDE_CORRELATION: sympy.Rational(1, 2),
    }
    costs = [activation_cost(code, law, witness) for code in (axis_aligned(), diagonal())]
    for condition in costs[0].conditions | costs[1].conditions:
        if not positive_between(condition, MAGNITUDE_CORRELATION, sympy.S.Zero, sympy.S.One):
            raise InputError("magnitude_correlation", "one formula for all f in (0, 1)")
    difference = costs[0].value - costs[1].value
    (tie,) = sympy.solve(difference, ONEHOT_PROBABILITY)
    return sympy.radsimp(sympy.simplify(tie))
