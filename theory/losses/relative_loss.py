"""The post's own loss, ‖x - x̂‖²/‖x‖² + λ Σ f_i: its optimum without biases, and what they add.

On a law that reaches 0 by a segment or a parallelogram it is finite if and only if x̂(0) = 0: if
x̂(0) = e ≠ 0, then near 0 the integrand is at least ‖e‖²/(2‖x‖²), whose integral diverges
(`weight_at_origin`); if x̂(0) = 0 the integrand is bounded, for x̂ is Lipschitz. On a law that
keeps ‖x‖ ≥ ε > 0 outside x = 0 it is finite for every SAE.

Its gradient has infinite variance on such laws even at the optimum for λ > 0: with shrinkage
the residual is a fixed share of x, so the derivative of one sample's loss by b_dec is
2 (x̂ - x)/‖x‖² ~ 1/‖x‖, whose square has the same integral.
"""

from dataclasses import dataclass

import sympy

from theory.exact.symbols import L1, MEAN_COST, RADIUS, SAMPLES
from theory.losses.closed_forms import SoftThreshold


@dataclass(frozen=True)
class RelativeOptimum:
    """The best common gain of an orthonormal frame without biases, and the loss there.

    Parameters
    ----------
    gain : sympy.Expr
        a in f_i = a (u_i·x)₊, so that x̂ = a x.
    loss : sympy.Expr
        For λ C ≤ 2; beyond, the zero code has the loss 1.
    """

    gain: sympy.Expr
    loss: sympy.Expr


def relative_soft_threshold() -> SoftThreshold:
    """Return the minimiser of (r - f)²/r² + λ f over f ≥ 0, and the minimum.

    Here it is the large r that are given up: the activation is r - λ r²/2 while r is below
    the threshold 2/λ, and 0 beyond, where the loss is 1. "Above" names the active side.

    Examples
    --------
    >>> h = relative_soft_threshold()
    >>> h.threshold, h.loss_above, h.loss_below
    (2/lambda, -lambda**2*r**2/4 + lambda*r, 1)
    """
    f = sympy.Dummy("f", real=True)
    loss = (RADIUS - f) ** 2 / RADIUS**2 + L1 * f
    (activation,) = sympy.solve(sympy.diff(loss, f), f)
    (threshold,) = sympy.solve(activation / RADIUS, RADIUS)
    return SoftThreshold(
        threshold,
        sympy.expand(activation),
        sympy.expand(loss.subs(f, 0)),
        sympy.expand(loss.subs(f, activation)),
    )


def relative_optimum(cost: sympy.Expr = MEAN_COST) -> RelativeOptimum:
    """Return the minimum over a of (1 - a)² + λ a C, the relative loss of f_i = a (u_i·x)₊.

    Parameters
    ----------
    cost : sympy.Expr
        C, the activation cost of the frame on the law.

    Examples
    --------
    >>> relative_optimum().loss
    -C*lambda*(C*lambda - 4)/4
    """
    gain = sympy.Dummy("a", real=True)
    loss = (1 - gain) ** 2 + L1 * gain * cost
    (best,) = sympy.solve(sympy.diff(loss, gain), gain)
    return RelativeOptimum(best, sympy.factor(loss.subs(gain, best)))


def bias_slope_on_second(cost: sympy.Expr = MEAN_COST) -> sympy.Expr:
    """Return the derivative of the loss in a common bias at 0⁺, diagonal code, second data set.

    With f_i = (a u_i·x + b)₊ and b_dec = 0 (the biases cancel at 0), the pair ±u reconstructs
    a s + min(a s, b) where s = |u·x|, and Σ f_i grows by 2b. At b = 0⁺ the loss therefore has
    the slope 2λ - 2(1 - a) E[(|u·x| + |v·x|)/‖x‖²]. With |u·x| + |v·x| = √2 ‖x‖_∞ and y = t x
    below the diagonal of a quadrant, the mean is 2√2 ∫∫ dx dt/(1 + t²).

    Examples
    --------
    >>> bias_slope_on_second()
    -lambda*(sqrt(2)*pi*C - 4)/2
    """
    t = sympy.Dummy("t", positive=True)
    mean = 2 * sympy.sqrt(2) * sympy.integrate(1 / (1 + t**2), (t, 0, 1))
    optimum = relative_optimum(cost)
    return sympy.factor(sympy.simplify(2 * L1 - 2 * (1 - optimum.gain) * mean))


def bias_on_first() -> sympy.Expr:
    """Return the leading-order best common bias on the first data set, diagonal code.

    On a ray r in [0, √2], the pair along it reconstructs a r + min(a r, b), the other pair
    adds 2b activations, so to first order in b the loss changes by

        E[min(a r, b)²/r²] - 2(1 - a) E[min(a r, b)/r] + 3λ b.

    The first term is linear in b without a factor λ, so the b that gains anything is of order
    exp(-2√2 a/λ): imperceptible for small λ.

    Examples
    --------
    >>> float(bias_on_first().subs(L1, sympy.Rational(1, 10))) < 1e-13
    True
    """
    optimum = relative_optimum(1 / sympy.sqrt(2))
    a, reach = optimum.gain, sympy.sqrt(2)
    b = sympy.Dummy("b", positive=True)
    r, kink = RADIUS, b / a
    squared = sympy.integrate(a**2, (r, 0, kink)) + sympy.integrate(b**2 / r**2, (r, kink, reach))
    crossed = sympy.integrate(a, (r, 0, kink)) + b * (sympy.log(reach) - sympy.log(kink))
    change = squared / reach - 2 * (1 - a) * crossed / reach + 3 * L1 * b
    linear = sympy.expand(sympy.diff(change, b)).subs(b**1, b)
    logarithm = sympy.Dummy("log b", real=True)
    at_zero = sympy.limit(
        sympy.expand(sympy.expand_log(linear, force=True)).subs(sympy.log(b), logarithm), b, 0
    )
    (best,) = sympy.solve(at_zero, logarithm)
    return sympy.simplify(sympy.exp(best))


def weight_at_origin(cube_dimension: int) -> sympy.Expr:
    """Return E 1/‖x‖² near the origin in the units of its size, ∫_0^1 r^(k-1)/r² dr, or oo.

    Parameters
    ----------
    cube_dimension : int ≥ 1
        k: a k-dimensional part of a law has the density k r^(k-1) in r = ‖x‖, up to the shape
        of its boundary. A flat parallelogram counts as a segment, or, if 0 is its corner, as
        k = 2: the density of u₁ + u₂ at 0 is linear.

    Examples
    --------
    Infinite for segments and parallelograms; from three amplitudes on the mean is finite:

    >>> [weight_at_origin(k) for k in (1, 2, 3, 4)]
    [oo, oo, 1, 1/2]
    """
    r = sympy.Dummy("r", positive=True)
    return sympy.integrate(r ** (sympy.Integer(cube_dimension) - 3), (r, 0, 1))


def sample_mean_growth(cube_dimension: int) -> sympy.Expr:
    """Return how the typical mean of N sampled losses grows if x̂(0) ≠ 0, up to a constant.

    Near 0 the loss is ‖x̂(0)‖²/r², so P(loss > t) ~ t^(-k/2): the largest of N samples is of
    order t_N = N^(2/k), and the mean is that of a loss cut off there, ∫_1^{t_N} P(loss > t) dt.

    Parameters
    ----------
    cube_dimension : {1, 2}
        k = 1 for segments (the first data set), k = 2 for parallelograms (the second).

    Examples
    --------
    Linearly on the first data set, like log N on the second:

    >>> sample_mean_growth(1), sample_mean_growth(2)
    (2*N - 2, log(N))
    """
    t = sympy.Dummy("t", positive=True)
    cut = SAMPLES ** sympy.Rational(2, cube_dimension)
    tail = t ** -sympy.Rational(cube_dimension, 2)
    return sympy.simplify(sympy.integrate(tail, (t, 1, cut)))
