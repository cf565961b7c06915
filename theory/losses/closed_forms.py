"""Closed-form optimal losses: L = E ‖x - x̂‖² + λ E Σ f_i with unit atoms.

Along one atom the best activation is soft-thresholding; over the atoms ±u_1, ..., ±u_d of an
orthonormal frame the problem falls apart into d such problems, which one ReLU layer solves:
W_enc = W_decᵀ, b_enc = -λ/2, b_dec = 0.
"""

from collections.abc import Callable
from dataclasses import dataclass

import sympy

from theory.codes.code import Code, dot
from theory.codes.costs import Linear
from theory.exact.errors import InputError
from theory.exact.signs import Witness, value_at
from theory.exact.symbols import L1, ONEHOT_PROBABILITY, RADIUS
from theory.laws.integration import Expectation, Piece, Point, piecewise_expectation
from theory.laws.law import Law, one_hot_sets

# Ends of chambers closer than this, to forty digits, are one.
_APART = sympy.Rational(1, 10**20)


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


def soft_threshold_pieces(
    coordinate: Linear, above: sympy.Expr | None = None, below: sympy.Expr | None = None
) -> list[Piece]:
    """Return the pieces of x ↦ φ(|y·x|), φ changing its formula at the threshold λ/2.

    Parameters
    ----------
    coordinate : Linear
        y.
    above, below : sympy.Expr in r, optional
        φ on both sides; by default the loss h_λ.
    """
    h = soft_threshold()
    high = h.loss_above if above is None else above
    low = h.loss_below if below is None else below
    minus = Linear(tuple(-y for y in coordinate.y))

    def beyond(side: Linear) -> Piece:
        return Piece(lambda x: high.subs(RADIUS, side(x)), [lambda x: side(x) - h.threshold])

    def inside(x: Point) -> sympy.Expr:
        return low.subs(RADIUS, coordinate(x))

    within = [lambda x: h.threshold - coordinate(x), lambda x: h.threshold - minus(x)]
    return [beyond(coordinate), beyond(minus), Piece(inside, within)]


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
    return _over_frame(code, law, witness, soft_threshold_pieces)


def _over_frame(
    code: Code,
    law: Law,
    witness: Witness | None,
    pieces: Callable[[Linear], list[Piece]],
) -> Expectation:
    """Return the sum over a frame's axes of the expectation of a piecewise polynomial."""
    total, conditions = sympy.Integer(0), frozenset[sympy.Expr]()
    for axis in _frame(code):
        along = piecewise_expectation(law, pieces(Linear(axis)), witness)
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
            axes.clear()
            break
    if len(axes) != code.dimension or paired != code.dimension:
        raise InputError(
            code.name, f"{2 * code.dimension} unit atoms in orthogonal antipodal pairs"
        )
    return axes


@dataclass(frozen=True)
class Chamber:
    """An interval of λ and the formula that holds on it.

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
    others = {} if witness is None else dict(witness)
    chambers: list[Chamber] = []
    low: sympy.Expr = sympy.S.Zero
    # What `low` is at the witness; chambers are told apart there.
    reached: sympy.Expr = sympy.S.Zero
    probe: sympy.Expr = sympy.Rational(1, 128)
    while low is not sympy.oo:
        loss = orthogonal_frame_loss(code, law, {**others, L1: probe})
        ends = {
            end: value_at(end, others)
            for condition in loss.conditions
            for end in sympy.solve(condition, L1)
        }
        before = max((value for value in ends.values() if 0 < value < probe), default=reached)
        if before > reached + _APART:
            # The probe has jumped over an interval; look there first.
            probe = (reached + before) / 2
            continue
        later = {end: value for end, value in ends.items() if value > probe}
        after = min(later, key=later.__getitem__, default=sympy.oo)
        chambers.append(Chamber(low, after, loss.value))
        low = after
        if low is not sympy.oo:
            reached = later[after]
            probe = reached + sympy.Rational(1, 16)
    return tuple(chambers)


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
    >>> sympy.limit(first.value, L1, 0)
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
        solutions = sympy.solve(one - two, ONEHOT_PROBABILITY, check=False)
        ties += [Chamber(low, high, sympy.cancel(tie)) for tie in solutions]
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
    squared = soft_threshold().activation ** 2

    def squared_activation(axis: Linear) -> list[Piece]:
        return soft_threshold_pieces(axis, squared, sympy.S.Zero)

    return _over_frame(code, law, witness, squared_activation)
