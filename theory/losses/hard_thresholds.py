"""Frames under an l0 penalty: L = E ‖x - x̂‖² + λ₀ E #{f_i > 0}, exactly.

Over the atoms ±u_1, ..., ±u_d of an orthonormal frame the problem falls apart into d such
problems: along u, with t = u·x, an activation |t| costs λ₀ and none costs t², so that

    Σ_k E min((u_k·x)², λ₀)

is the least loss with b_dec = 0, and a JumpReLU SAE with W_enc = W_decᵀ, b_enc = 0 and thresholds
τ = √λ₀ has it. Formulas are in τ, in which they are polynomials.
"""

import sympy

from theory.codes.code import Code
from theory.exact.annotations import checked
from theory.exact.arguments import check_whole
from theory.exact.numbers import Number, exact_number
from theory.exact.signs import Witness
from theory.exact.symbols import (
    HEIGHT,
    L0,
    MAGNITUDE_CORRELATION,
    ONEHOT_PROBABILITY,
    RADIUS,
)
from theory.laws.integration import Expectation
from theory.laws.law import Law
from theory.laws.one_hot_sets import one_hot_sets
from theory.losses.closed_forms import Chamber, frame_axes, frame_chambers, over_frame

_THIRD = sympy.Rational(1, 3)
_SMALL = sympy.Rational(1, 100)


@checked
def hard_threshold_loss(code: Code, law: Law, witness: Witness | None = None) -> Expectation:
    """Return Σ_k E min((u_k·x)², τ²) of an orthonormal frame and its negatives, τ = √λ₀.

    Parameters
    ----------
    code : Code
        Of 2d unit atoms in orthogonal antipodal pairs.
    law : Law
    witness : mapping from symbol to number
        A value of τ and of every other symbol in code and law.

    Raises
    ------
    InputError
        If the atoms are not such a frame.

    Examples
    --------
    The first data set: 2τ² - (4/3)τ³ for the axes, τ² - (√2/3)τ³ for the diagonal.

    >>> from theory.codes.code import axis_aligned, diagonal
    >>> from theory.laws.presets import preset
    >>> at = {HEIGHT: sympy.Rational(1, 10)}
    >>> [sympy.expand(hard_threshold_loss(code, preset("shared"), at).value)
    ...  for code in (axis_aligned(), diagonal())]
    [-4*tau**3/3 + 2*tau**2, -sqrt(2)*tau**3/3 + tau**2]
    """
    return over_frame(frame_axes(code), law, witness, RADIUS**2, HEIGHT**2, HEIGHT)


@checked
def hard_threshold_loss_for_every_height(
    code: Code, law: Law, witness: Witness | None = None
) -> tuple[Chamber, ...]:
    """Return `hard_threshold_loss` for every τ = √λ₀ > 0: one formula on each interval of τ.

    Beyond the last end no latent is worth its price and the loss is E ‖x‖².

    Parameters
    ----------
    code : Code
        Of an orthonormal frame and its negatives.
    law : Law
    witness : mapping from symbol to number, optional
        Values of the symbols other than τ in code and law; ends and formulas hold as long as
        the order of the ends does.

    Examples
    --------
    >>> from theory.codes.code import axis_aligned
    >>> from theory.laws.presets import preset
    >>> [(chamber.high, chamber.value)
    ...  for chamber in hard_threshold_loss_for_every_height(axis_aligned(), preset("shared"))]
    [(1, -2*tau**2*(2*tau - 3)/3), (oo, 2/3)]
    """
    return frame_chambers(code, law, witness, HEIGHT, RADIUS, hard_threshold_loss)


@checked
def hard_threshold_tie(
    code: Code,
    other: Code,
    magnitude_correlation: Number,
    height: Number = _SMALL,
) -> sympy.Expr:
    """Return q*(τ), the one-hot probability at which two frames tie under an l0 penalty.

    Parameters
    ----------
    code, other : Code
        Of orthonormal frames in the plane.
    magnitude_correlation : number in [0, 1] or the symbol f
        f, of two antipodal pairs with A = 1. With the symbol, the formula holds around f = 1/3.
    height : number > 0
        A τ at which the formula is wanted: it holds as long as the order of τ and the
        components' corners does.

    Examples
    --------
    On the first data set the tie is at 1/2 as λ₀ → 0, on the second at 0:

    >>> from theory.codes.code import axis_aligned, diagonal
    >>> ties = [hard_threshold_tie(axis_aligned(), diagonal(), f) for f in (1, 0)]
    >>> [sympy.limit(tie, HEIGHT, 0) for tie in ties]
    [1/2, 0]
    """
    law = one_hot_sets(
        magnitude_correlation=magnitude_correlation, onehot_probability=ONEHOT_PROBABILITY
    )
    at = {
        ONEHOT_PROBABILITY: _THIRD,
        MAGNITUDE_CORRELATION: _THIRD,
        HEIGHT: exact_number(height, "height"),
    }
    one, two = (hard_threshold_loss(each, law, at).value for each in (code, other))
    # Probabilities are linear in q, and so are the losses.
    slope, constant = sympy.Poly(sympy.expand(one - two), ONEHOT_PROBABILITY).all_coeffs()
    return sympy.cancel(-constant / slope)


@checked
def hard_threshold_tie_series(
    code: Code, other: Code, magnitude_correlation: Number, order: int = 3
) -> sympy.Expr:
    """Return q*(τ) at small τ = √λ₀ as a polynomial, up to τ^(order - 1).

    Examples
    --------
    On the second data set any share of one-hot samples turns the codes round as λ₀ → 0:

    >>> from theory.codes.code import axis_aligned, diagonal
    >>> sympy.factor(hard_threshold_tie_series(axis_aligned(), diagonal(), 0, 2))
    4*tau*(-1 + sqrt(2))/3
    """
    check_whole("order", order, 1)
    tie = hard_threshold_tie(code, other, magnitude_correlation)
    total = sympy.S.Zero
    for n in range(order):
        at_zero = sympy.diff(tie, HEIGHT, n).subs(HEIGHT, 0) / sympy.factorial(n)
        total += sympy.radsimp(sympy.simplify(at_zero)) * HEIGHT**n
    return total


def in_l0(formula: sympy.Expr) -> sympy.Expr:
    """Return a formula in τ as one in λ₀ = τ².

    Examples
    --------
    >>> in_l0(HEIGHT**2 - HEIGHT**3)
    -lambda_0**(3/2) + lambda_0
    """
    return sympy.expand(formula.subs(HEIGHT, sympy.sqrt(L0)))
