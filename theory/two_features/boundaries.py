"""Where absorption ends: closed forms for the boundaries of two features and two latents.

Law, atoms and symbols as in `theory.two_features.gains`; the phases are proved in
`theory.two_features.phases`. Points of amplitude 1 unless said otherwise, a, b, c > 0.

**Between the two absorbed phases**: a = b. Raising b raises the loss of {v1, d2} by what v2 costs
with d2, and that of {d1, v2} by what it costs with v2 itself, which is less.

**Onset.** A partly absorbed pair {v1, d2} stays stationary until latent 1 begins to fire on
v1 + v2, (λ/2) tan h = R sin β with h = (θ/2 + β)/2. This is linear in λ, and d2's balance is
linear in b/c: `absorption_onset` gives both in w, whatever a. If `onset_hessian` is positive
definite the pair is still a local minimum there, and unless a distant pair is cheaper the atoms
begin to be drawn inwards without a jump. If it has a negative direction, they have jumped before,
where the two phases' losses are equal.

**Small λ.** Absorption ends at b of the order of λ. With b = Bλ the loss over λ tends to

    K(β) = a + c R cos m / cos h + B sin²(θ/2 - β),   m = (θ/2 - β)/2,

and K' = 0 reads B/c = ψ(β) = sin θ / ((1 + cos(θ/2 + β)) sin(θ - 2β)). The slope of log ψ,
tan h + 2 cot(θ - 2β), increases in β. So if it is ≥ 0 at β = 0, which is cos²(θ/2) + cos(θ/2) ≥ 1,
cos(θ/2) ≥ (√5 - 1)/2, θ ≤ 103.65°, then K has one minimum, and it leaves the bisector without a
jump at b = λ c/(1 + cos(θ/2)). For wider angles d2 jumps from the bisector, at the B for which
K(0) equals K at its inner minimum (`limit_jump`).

With uniform amplitudes the loss's curvature is continuous at the onset, so that a minimum passes
it without a jump. The onset comes as early, b = λ c/(1 + cos(θ/2)) to first order, but latent 1
fires on the end of the ray only, and d2 stays within O(λ) of the bisector until
b = 3/2 λ c/(1 + cos(θ/2)): in K, a and c are divided by 2 and B by 3.
"""

from functools import cache
from math import factorial
from typing import NamedTuple

import sympy

from theory.exact.symbols import L1, RADIUS, label
from theory.two_features.gains import (
    BOTH,
    BOTH_LENGTH,
    FEATURE_TANGENT,
    FIRST_TANGENT,
    SECOND_ALONE,
    SECOND_TANGENT,
    absorbed_gains,
    activations,
    both_active_length,
    drawn_inwards_gain,
    expected_square,
)

#: B = b/λ, which stays finite where absorption ends as λ → 0.
SECOND_ALONE_SHARE = label("B")


class Onset(NamedTuple):
    """The boundary at which latent 1 begins to fire on both, as a curve in w = tan(β/2).

    Parameters
    ----------
    l1 : sympy.Expr
        λ.
    share : sympy.Expr
        b/c.
    """

    l1: sympy.Expr
    share: sympy.Expr


def absorption_quartic() -> sympy.Expr:
    """Return the polynomial in w whose roots in (0, t) are where b gain(v2) + c gain(both) bends.

    Of a partly absorbed pair {v1, d2}, d2 is one of these roots, given by radicals.

    Examples
    --------
    If v2 is never alone d2 is the bisector, w = 0; at the other two roots it falls silent:

    >>> sympy.degree(absorption_quartic(), SECOND_TANGENT)
    4
    >>> absorption_quartic().subs({SECOND_ALONE: 0, SECOND_TANGENT: 0})
    0
    """
    alone, both = absorbed_gains(False)
    slope = sympy.diff(SECOND_ALONE * alone + BOTH * both, SECOND_TANGENT)
    return sympy.numer(sympy.factor(slope))


@cache
def absorption_onset(uniform: bool = False) -> Onset:
    """Return λ and b/c along the boundary at which latent 1 begins to fire on both.

    Examples
    --------
    >>> absorption_onset().l1
    -4*R*w*(t*w - 1)/((t + w)*(w**2 + 1))
    """
    firing = activations((1, 2), sympy.Integer(0))[0]
    at_end = firing.subs({FIRST_TANGENT: FEATURE_TANGENT, RADIUS: BOTH_LENGTH})
    l1 = _root(at_end, L1)
    alone, both = (sympy.diff(gain, SECOND_TANGENT) for gain in absorbed_gains(uniform))
    return Onset(l1, (-both / alone).subs(L1, l1))


def _root(expression: sympy.Expr, unknown: sympy.Symbol) -> sympy.Expr:
    """Return the root of a rational function whose numerator is linear in the unknown."""
    slope, constant = sympy.Poly(sympy.numer(sympy.factor(expression)), unknown).all_coeffs()
    return sympy.factor(-constant / slope)


def absorption_onset_series(order: int, *, uniform: bool = False) -> sympy.Expr:
    """Return b/c at the onset as a polynomial in λ of that degree.

    The expansion of λ in w is reverted: w = (λ - l2 w² - ...)/l1, again and again.

    Examples
    --------
    λ/(1 + cos(θ/2)) first, since 1 + cos(θ/2) = 2/(1 + t²), with points and with rays:

    >>> [absorption_onset_series(1, uniform=uniform) for uniform in (False, True)]
    [lambda*(t**2 + 1)/2, lambda*(t**2 + 1)/2]
    """
    onset = absorption_onset(uniform)
    penalties, shares = _coefficients(onset.l1, order), _coefficients(onset.share, order)
    w = sympy.Integer(0)
    for _ in range(order):
        rest = sum(penalty * w**n for n, penalty in enumerate(penalties[1:], start=2))
        w = _truncated((L1 - rest) / penalties[0], order)
    total = sympy.Poly(
        _truncated(sum(share * w**n for n, share in enumerate(shares, start=1)), order), L1
    )
    return sum(sympy.factor(term) * L1**n for (n,), term in total.terms())


def _coefficients(expression: sympy.Expr, order: int) -> list[sympy.Expr]:
    """Return the coefficients of w, ..., w^order in the expansion at w = 0."""
    w, found = SECOND_TANGENT, []
    derivative = expression.subs(BOTH_LENGTH, both_active_length())
    for n in range(1, order + 1):
        derivative = sympy.diff(derivative, w)
        found.append(sympy.factor(derivative.subs(w, 0) / factorial(n)))
    return found


def _truncated(expression: sympy.Expr, order: int) -> sympy.Expr:
    powers = sympy.Poly(expression, L1).terms()
    return sum(sympy.factor(term) * L1**n for (n,), term in powers if n <= order)


@cache
def onset_hessian() -> sympy.Matrix:
    """Return the Hessian, in u and w, of the loss of the pair drawn inwards, at its onset.

    It is in a, c, w, t and R. Positive definite: absorption ends there without a jump, unless a
    distant pair is cheaper. Points of amplitude 1.

    Examples
    --------
    As λ → 0, which is w → 0, holding d1 at v1 costs nothing in d2's direction:

    >>> mixed = onset_hessian()[0, 1].subs(BOTH_LENGTH, both_active_length())
    >>> sympy.factor(mixed.subs(SECOND_TANGENT, 0))
    0
    """
    onset = absorption_onset(False)
    angles = (FIRST_TANGENT, SECOND_TANGENT)
    hessian = -sympy.hessian(drawn_inwards_gain(False), angles)
    at_onset = hessian.subs(FIRST_TANGENT, FEATURE_TANGENT).subs(SECOND_ALONE, BOTH * onset.share)
    return at_onset.subs(L1, onset.l1)


@cache
def limit_loss(uniform: bool = False) -> sympy.Expr:
    """Return K, the limit of the loss over λ as λ → 0 with b = Bλ and d1 = v1, in w.

    Examples
    --------
    At the bisector, with cos(θ/2) = 3/5, it is a + 6c/5 + 16B/25:

    >>> at = {SECOND_TANGENT: 0, FEATURE_TANGENT: sympy.Rational(1, 2)}
    >>> sympy.expand(limit_loss().subs(at))
    16*B/25 + a + 6*c/5
    """
    loss = expected_square(uniform) - drawn_inwards_gain(uniform)
    near = loss.subs({FIRST_TANGENT: FEATURE_TANGENT, SECOND_ALONE: SECOND_ALONE_SHARE * L1})
    slope = sympy.diff(near, L1).subs(L1, 0)
    return sympy.factor(slope.subs(BOTH_LENGTH, both_active_length()))


@cache
def limit_share(uniform: bool = False) -> sympy.Expr:
    """Return B at which K is stationary at w: ψ c.

    Examples
    --------
    At the bisector it is c/(1 + cos(θ/2)), and half as much again with uniform amplitudes:

    >>> at_bisector = [limit_share(uniform).subs(SECOND_TANGENT, 0) for uniform in (False, True)]
    >>> [sympy.cancel(share) for share in at_bisector]
    [c*t**2/2 + c/2, 3*c*t**2/4 + 3*c/4]
    """
    slope = sympy.diff(limit_loss(uniform), SECOND_TANGENT)
    return _root(slope, SECOND_ALONE_SHARE)


@cache
def limit_jump() -> sympy.Expr:
    """Return the polynomial in w whose root in (0, t) is where d2 jumps to as λ → 0.

    It is K(w) = K(0) at the B for which K is stationary at w, without its double root at w = 0.
    There is such a root if and only if θ is wider than the critical angle.

    Examples
    --------
    It is a quartic; the root comes in at w = 0 where t² = √5 - 2, the critical angle:

    >>> sympy.degree(limit_jump(), SECOND_TANGENT)
    4
    >>> limit_jump().subs(SECOND_TANGENT, 0)
    -t**4 - 4*t**2 + 1
    """
    rise = limit_loss() - limit_loss().subs(SECOND_TANGENT, 0)
    numerator = sympy.numer(sympy.factor(rise.subs(SECOND_ALONE_SHARE, limit_share())))
    _, factors = sympy.factor_list(numerator)
    return max((factor for factor, _ in factors), key=lambda f: sympy.degree(f, SECOND_TANGENT))


@cache
def critical_cosine() -> sympy.Expr:
    """Return cos(θ/2) of the widest angle at which absorption ends without a jump as λ → 0.

    Examples
    --------
    The golden ratio less 1, an angle of 103.65°:

    >>> critical_cosine()
    (-1 + sqrt(5))/2
    >>> round(float(2 * sympy.deg(sympy.acos(critical_cosine()))), 2)
    103.65
    """
    curvature = sympy.diff(limit_loss(), SECOND_TANGENT, 2).subs(SECOND_TANGENT, 0)
    critical = curvature.subs(SECOND_ALONE_SHARE, limit_share().subs(SECOND_TANGENT, 0))
    roots = sympy.roots(sympy.numer(sympy.factor(critical)), FEATURE_TANGENT)
    (square,) = {sympy.expand(root**2) for root in roots if root.is_positive and root < 1}
    return sympy.radsimp((1 - square) / (1 + square))
