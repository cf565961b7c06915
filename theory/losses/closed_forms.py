"""Closed-form optimal losses: L = E ‖x - x̂‖² + λ E Σ f_i with unit atoms.

Along one atom the best activation is soft-thresholding; over the atoms ±u_1, ..., ±u_d of an
orthonormal frame the problem falls apart into d such problems, which one ReLU layer solves:
W_enc = W_decᵀ, b_enc = -λ/2, b_dec = 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise

import sympy

from theory.codes.code import Atom, Code, dot
from theory.exact.annotations import checked
from theory.exact.errors import InputError
from theory.exact.signs import Signs, Witness, value_at
from theory.exact.symbols import L1, ONEHOT_PROBABILITY, RADIUS
from theory.laws.integration import Expectation, Point, expectation
from theory.laws.law import Law
from theory.laws.one_hot_sets import one_hot_sets
from theory.laws.thresholds import corner_values, expectation_beyond


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


@cache
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


@checked
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
    >>> from theory.codes.code import diagonal
    >>> from theory.laws.presets import preset
    >>> orthogonal_frame_loss(diagonal(), preset("shared"), {L1: sympy.Rational(1, 10)}).value
    lambda*(sqrt(2)*lambda**2 - 12*lambda + 24*sqrt(2))/48
    """
    h = soft_threshold()
    return over_frame(frame_axes(code), law, witness, h.loss_below, h.loss_above, h.threshold)


def over_frame(
    axes: Sequence[Atom],
    law: Law,
    witness: Witness | None,
    below: sympy.Expr,
    above: sympy.Expr,
    threshold: sympy.Expr,
) -> Expectation:
    """Return Σ_k E φ(|u_k·x|), φ(r) = below up to the threshold, even in r, and above beyond.

    Examples
    --------
    E min(x1², 1/4) + E min(x2², 1/4) on the second data set, each 1/24 + 1/8:

    >>> from theory.codes.code import axis_aligned
    >>> from theory.laws.presets import preset
    >>> half = sympy.Rational(1, 2)
    >>> axes = frame_axes(axis_aligned())
    >>> over_frame(axes, preset("independent"), None, RADIUS**2, half**2, half).value
    1/3
    """
    total, conditions = sympy.Integer(0), frozenset[sympy.Expr]()
    for axis in axes:
        total += expectation(law, partial(_along, below, axis))
        for u in (axis, tuple(-entry for entry in axis)):
            more = expectation_beyond(law, u, above - below, threshold, witness)
            total += more.value
            conditions |= more.conditions
    return Expectation(sympy.factor(sympy.simplify(sympy.expand(total))), conditions)


def _along(polynomial: sympy.Expr, axis: Atom, x: Point) -> sympy.Expr:
    return polynomial.subs(RADIUS, dot(axis, x))


class NoFrameError(InputError):
    """The atoms are no orthogonal frame of antipodal pairs."""


def frame_axes(code: Code) -> tuple[Atom, ...]:
    """Return one atom of each antipodal pair of an orthonormal frame and its negatives.

    Raises
    ------
    NoFrameError
        If the atoms are not 2d unit atoms in orthogonal antipodal pairs.

    Examples
    --------
    >>> from theory.codes.code import axis_aligned
    >>> frame_axes(axis_aligned())
    ((1, 0), (0, 1))
    """
    axes: list[Atom] = []
    paired = 0
    for atom in code.atoms:
        products = [sympy.simplify(dot(atom, axis)) for axis in axes]
        if products.count(-1) == 1 and products.count(0) == len(products) - 1:
            paired += 1
        elif all(product == 0 for product in products) and sympy.simplify(dot(atom, atom)) == 1:
            axes.append(atom)
        else:
            axes.clear()
            break
    if len(axes) != code.dimension or paired != code.dimension:
        raise NoFrameError(
            code.name, f"{2 * code.dimension} unit atoms in orthogonal antipodal pairs"
        )
    return tuple(axes)


@dataclass(frozen=True)
class Chamber:
    """An interval of λ and the formula that holds on it; under an l0 penalty, of τ = √λ₀.

    Parameters
    ----------
    low, high : sympy.Expr
        low ≤ λ ≤ high; high may be oo.
    value : sympy.Expr
        In λ and the law's own symbols.
    """

    low: sympy.Expr
    high: sympy.Expr
    value: sympy.Expr


@checked
def frame_loss_for_every_l1(
    code: Code, law: Law, witness: Witness | None = None
) -> tuple[Chamber, ...]:
    """Return `orthogonal_frame_loss` for every λ > 0: one polynomial on each interval.

    The last interval is unbounded: there the zero code wins and the loss is E ‖x‖².

    Parameters
    ----------
    code : Code
    law : Law
    witness : mapping from symbol to number, optional
        Values of the symbols, other than λ, in the code and the law. If the intervals' ends
        depend on them, both ends and formulas hold as long as the order of the ends does.

    Examples
    --------
    >>> from theory.codes.code import diagonal
    >>> from theory.laws.presets import preset
    >>> [(c.low, c.high) for c in frame_loss_for_every_l1(diagonal(), preset("independent"))]
    [(0, sqrt(2)), (sqrt(2), 2*sqrt(2)), (2*sqrt(2), oo)]
    """
    return frame_chambers(code, law, witness, L1, 2 * RADIUS, orthogonal_frame_loss)


def frame_chambers(
    code: Code,
    law: Law,
    witness: Witness | None,
    penalty: sympy.Symbol,
    silent_from: sympy.Expr,
    loss: Callable[[Code, Law, Witness], Expectation],
) -> tuple[Chamber, ...]:
    """Return the least loss of a frame for every value of a penalty, interval by interval.

    Parameters
    ----------
    code : Code
    law : Law
    witness : mapping from symbol to number, optional
        Values of the symbols other than the penalty.
    penalty : symbol
        λ, or τ = √λ₀.
    silent_from : sympy.Expr
        The penalty at which an activation at distance r is no longer worth its price.
    loss : callable
        The loss around a witness, such as `orthogonal_frame_loss`.
    """
    others = {} if witness is None else dict(witness)
    crossings = _corner_distances(frame_axes(code), law, Signs(others))
    ends = [sympy.S.Zero, *(sympy.simplify(silent_from.subs(RADIUS, r)) for r in crossings),
            sympy.oo]  # fmt: skip
    chambers = []
    for low, high in pairwise(ends):
        # In the law's own units, whatever they are.
        inside = (low + high) / 2 if high is not sympy.oo else 2 * low or sympy.S.One
        at = {**others, penalty: sympy.Rational(value_at(inside, others))}
        chambers.append(Chamber(low, high, loss(code, law, at).value))
    return tuple(chambers)


def _corner_distances(axes: Sequence[Atom], law: Law, signs: Signs) -> list[sympy.Expr]:
    """Return every |u_k·x| > 0 at a corner of a component, in ascending order.

    Only where a threshold passes one does the sum over the corners in `theory.laws.thresholds`
    change.
    """
    found: list[sympy.Expr] = []
    for axis in axes:
        for value in {v for part in law.every_component for v in corner_values(part, axis)}:
            side = signs.of(value)
            distance = sympy.simplify(side * value)
            if side != 0 and all(signs.of(distance - known) != 0 for known in found):
                found.append(distance)
    return sorted(found, key=lambda distance: value_at(distance, signs.witness))


@checked
def tie_probability_for_every_l1(
    code: Code, other: Code, magnitude_correlation: int
) -> tuple[Chamber, ...]:
    """Return q*(λ), at which two codes' optimal losses on a data set tie, on each interval.

    Parameters
    ----------
    code, other : Code
    magnitude_correlation : {0, 1}
        1 for the first data set, 0 for the second; A = 1.

    Returns
    -------
    tuple of Chamber
        Up to the λ at which both codes are the zero code; values are rational in λ.

    Examples
    --------
    >>> from theory.codes.code import axis_aligned, diagonal
    >>> first = tie_probability_for_every_l1(axis_aligned(), diagonal(), 1)[0]
    >>> sympy.radsimp(first.value.subs(L1, 0))
    2 - sqrt(2)
    """
    law = one_hot_sets(
        magnitude_correlation=magnitude_correlation, onehot_probability=ONEHOT_PROBABILITY
    )
    witness = {ONEHOT_PROBABILITY: sympy.Rational(1, 3)}
    both = [frame_loss_for_every_l1(each, law, witness) for each in (code, other)]
    ends = sorted({chamber.high for chambers in both for chamber in chambers}, key=float)
    ties = []
    low: sympy.Expr = sympy.S.Zero
    for high in ends:
        one, two = (
            next(chamber.value for chamber in chambers if chamber.high >= high)
            for chambers in both
        )
        # Probabilities are linear in q, and so are the losses; both are the zero code's at last.
        difference = sympy.Poly(sympy.expand(one - two), ONEHOT_PROBABILITY)
        if not difference.is_ground:
            slope, constant = difference.all_coeffs()
            ties.append(Chamber(low, high, sympy.cancel(-constant / slope)))
        low = high
    return tuple(ties)


def tie_probability_series(
    code: Code, other: Code, magnitude_correlation: int, order: int = 3
) -> sympy.Expr:
    """Return q*(λ) at small λ as a polynomial, up to λ^(order - 1).

    Examples
    --------
    >>> from theory.codes.code import axis_aligned, diagonal
    >>> series = tie_probability_series(axis_aligned(), diagonal(), 1, 2)
    >>> series.subs(L1, 0)
    2 - sqrt(2)
    """
    first = tie_probability_for_every_l1(code, other, magnitude_correlation)[0].value
    terms = [
        sympy.radsimp(sympy.simplify(sympy.diff(first, L1, n).subs(L1, 0) / sympy.factorial(n)))
        for n in range(order)
    ]
    return sum(term * L1**n for n, term in enumerate(terms))


def shrinkage(code: Code, law: Law, witness: Witness) -> Expectation:
    """Return E ‖x̂‖² of a soft-thresholding frame: its share of E ‖x‖² is what shrinkage leaves.

    Along each axis of the frame x̂ = (|u·x| - λ/2)₊, so every reconstruction is too short.

    Parameters
    ----------
    code : Code
        Of 2d unit atoms in orthogonal antipodal pairs.
    law : Law
    witness : mapping from symbol to number
        A value of λ and of every other symbol in code and law.

    Examples
    --------
    On the first data set, diagonal code, E ‖x̂‖² = (√2 - λ/2)³/(3√2) out of 2/3:

    >>> from theory.codes.code import diagonal
    >>> from theory.laws.presets import preset
    >>> left = shrinkage(diagonal(), preset("shared"), {L1: sympy.Rational(1, 10)}).value
    >>> sympy.simplify(left - (sympy.sqrt(2) - L1 / 2) ** 3 / (3 * sympy.sqrt(2)))
    0
    """
    h = soft_threshold()
    return over_frame(frame_axes(code), law, witness, sympy.S.Zero, h.activation**2, h.threshold)
