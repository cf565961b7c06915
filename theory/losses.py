"""Closed-form optimal losses: L = E ‖x - x̂‖² + λ E Σ f_i with unit atoms.

Along one atom the best activation is soft-thresholding; over the atoms ±u_1, ..., ±u_d of an
orthonormal frame the problem falls apart into d such problems, which one ReLU layer solves:
W_enc = W_decᵀ, b_enc = -λ/2, b_dec = 0.
"""

from dataclasses import dataclass

import sympy

from theory.codes import Code, dot
from theory.costs import Linear
from theory.errors import InputError
from theory.integration import Expectation, Piece, Point, piecewise_expectation
from theory.laws import Law
from theory.symbols import L1, RADIUS
from theory.witness import Witness


@dataclass(frozen=True)
class SoftThreshold:
    """The best activation for a point at distance r along a unit atom, and its loss h_λ(r).

    Parameters
    ----------
    threshold : sympy.Expr
        The r up to which the activation is 0.
    activation : sympy.Expr
        The activation beyond it.
    loss_below, loss_above : sympy.Expr
        h_λ(r) below and above the threshold.
    """

    threshold: sympy.Expr
    activation: sympy.Expr
    loss_below: sympy.Expr
    loss_above: sympy.Expr


def soft_threshold() -> SoftThreshold:
    """Return the minimiser of (r - f)² + λ f over f ≥ 0, and the minimum.

    The objective is convex in f, so where its stationary point is negative f = 0 is best.

    Examples
    --------
    >>> h = soft_threshold()
    >>> h.activation, h.loss_above, h.loss_below
    (-lambda/2 + r, -lambda**2/4 + lambda*r, r**2)
    """
    f = sympy.Dummy("f", real=True)
    loss = (RADIUS - f) ** 2 + L1 * f
    (activation,) = sympy.solve(sympy.diff(loss, f), f)
    (threshold,) = sympy.solve(activation, RADIUS)
    return SoftThreshold(
        threshold,
        activation,
        sympy.expand(loss.subs(f, 0)),
        sympy.expand(loss.subs(f, activation)),
    )


def soft_threshold_pieces(coordinate: Linear) -> list[Piece]:
    """Return the pieces of x ↦ h_λ(|y·x|)."""
    h = soft_threshold()
    minus = Linear(tuple(-y for y in coordinate.y))

    def above(side: Linear) -> Piece:
        return Piece(
            lambda x: h.loss_above.subs(RADIUS, side(x)), [lambda x: side(x) - h.threshold]
        )

    def below(x: Point) -> sympy.Expr:
        return h.loss_below.subs(RADIUS, coordinate(x))

    within = [lambda x: h.threshold - coordinate(x), lambda x: h.threshold - minus(x)]
    return [above(coordinate), above(minus), Piece(below, within)]


def orthogonal_frame_loss(code: Code, law: Law, witness: Witness | None = None) -> Expectation:
    """Return the least loss of a code of atoms ±u_1, ..., ±u_d on a law, b_dec = 0.

    With an orthonormal frame, ‖x - Σ f_i d_i‖² is a sum over the frame's axes, so the best
    activations are soft-thresholds and the loss is Σ_k E h_λ(|u_k·x|), h_λ of
    `soft_threshold`. The polynomial in λ holds while the conditions do.

    Parameters
    ----------
    code : Code
        Of 2d unit atoms in orthogonal antipodal pairs.
    law : Law
    witness : mapping from symbol to number
        A value of λ and of every other symbol in code and law.

    Raises
    ------
    InputError
        If the atoms are not such a frame.

    Examples
    --------
    >>> from theory.codes import diagonal
    >>> from theory.laws import preset
    >>> orthogonal_frame_loss(diagonal(), preset("shared"), {L1: sympy.Rational(1, 10)}).value
    lambda*(sqrt(2)*lambda**2 - 12*lambda + 24*sqrt(2))/48
    """
    total, conditions = sympy.Integer(0), frozenset[sympy.Expr]()
    for axis in _frame(code):
        along = piecewise_expectation(law, soft_threshold_pieces(Linear(axis)), witness)
        total += along.value
        conditions |= along.conditions
    return Expectation(sympy.factor(sympy.simplify(total)), conditions)


def _frame(code: Code) -> list[tuple[sympy.Expr, ...]]:
    """Return one atom of each antipodal pair."""
    axes: list[tuple[sympy.Expr, ...]] = []
    paired = 0
    for atom in code.atoms:
        products = [sympy.simplify(dot(atom, axis)) for axis in axes]
        if products.count(-1) == 1 and products.count(0) == len(products) - 1:
            paired += 1
        elif all(product == 0 for product in products) and sympy.simplify(dot(atom, atom)) == 1:
            axes.append(atom)
        else:
            break
    if len(axes) != code.dimension or paired != code.dimension:
        raise InputError(
            f"{code.name}: expected {2 * code.dimension} unit atoms in orthogonal antipodal pairs"
        )
    return axes
