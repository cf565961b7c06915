"""The phase diagram of two features and two latents: which pair of atoms is optimal where.

Law, atoms and symbols as in `theory.two_features.gains`; θ in (0, π), R = 2 cos(θ/2), λ > 0.

**Which choices of latents can be optimal.** A point no longer than λ/2 gains nothing from any
atom. If no more than two of v1, v2, v1 + v2 remain, atoms along them attain the radial bound:
phases "silent", "bisector", "truth", and "first feature absorbed", which is {v1, bisector}, and
its mirror image. Else λ/2 < min(1, R), and the optimum's activations say which latents each
point fires; with these held the loss is stationary there.

*Points that fire both latents draw both atoms inwards*: their residual is the vertex (λ/2) p of
{y : d1·y, d2·y ≤ λ/2}, and turning d_i outwards by dα costs λ f_i tan h dα > 0, h half the
aperture. So something must hold each atom back: a point beyond it that it serves alone. Three
points leave one such choice: v1 fires d1, v2 fires d2, both fire both, and the atoms are strictly
between the features. This is "drawn inwards". Its two balances, with δ = θ/2 - α, ε = θ/2 - β,

    2a sin δ (cos δ - λ/2) = c λ f1 tan h,      2b sin ε (cos ε - λ/2) = c λ f2 tan h,

are rational in u and w. For a given w the second is a cubic in u, so they are one implicit
equation in w.

*If no point fires both*, each atom serves its own points alone. An atom that serves none, or lies
on the other, does better at v1 or v2. Serving v1 and v2 while the other has the bisector is not
optimal: the other is nearer to one of the two. What is left is {v1, d2}, d2 the best single atom
for v2 and v1 + v2, and its mirror image: "first feature partly absorbed" if d2 is strictly
between the two, at a root of a quartic in w. Latent 1 is then silent where both features are
active: latent 2 has absorbed its feature [Chanin2024]. d2 = v2 is "truth" where v1 + v2 then fires
nothing, 1 + cos θ ≤ λ/2, and d2 = bisector "first feature absorbed" where v2 fires nothing,
cos(θ/2) ≤ λ/2. With points the two are equally good at b (1 - λ/2)² = c (R - λ/2)².

With uniform amplitudes the points are rays from 0. A stretch of one that fires both latents draws
both atoms inwards, one that fires a single latent draws its atom towards the ray, and the same
argument leaves the same phases. On the bisector's ray the nearer latent fires first.

Each phase's equations are solved in floating point, the balances by Newton's method from many
starts; the best solution is the optimum. `theory.two_features.boundaries` has the boundaries.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise, product

import sympy

from theory.exact.annotations import checked
from theory.exact.errors import InputError
from theory.exact.numbers import Number, exact_number
from theory.exact.symbols import L1, RADIUS
from theory.laws.two_features import checked_numbers
from theory.two_features.gains import (
    BOTH,
    BOTH_LENGTH,
    FEATURE_TANGENT,
    FIRST_ALONE,
    FIRST_TANGENT,
    SECOND_ALONE,
    SECOND_TANGENT,
    absorbed_gains,
    activations,
    drawn_inwards_gain,
    expected_square,
    ray_gain,
)

Function = Callable[..., float]

# Newton's starts in shares of the features' angle, its steps, and the cells in which the
# derivative of an absorbed pair's gain is searched for sign changes.
_STARTS = (1.0, 0.97, 0.85, 0.7, 0.5, 0.3, 0.15, 0.05)
_STEPS = 40
_CELLS = 100
# Newton's iterates outside this share of the features' angle are given up.
_OUTSIDE = 1.2
# Its last step, as a share of the angle; convergence is quadratic.
_SAME = 1e-9
# Activations this small are rounding errors.
_SILENT = 1e-12


@dataclass(frozen=True)
class OptimalPair:
    """The optimal pair of unit atoms with best activations.

    Parameters
    ----------
    phase : str
        "truth", "drawn inwards", "first feature partly absorbed", "first feature absorbed", the
        same for the second, "bisector" (the only atom that fires), or "silent".
    first, second : float
        Angles of d1 and d2 from the bisector towards v1, in degrees; {v1, v2} is θ/2, -θ/2.
    loss : float
        E ‖x - x̂‖² + λ E Σ f_i.
    """

    phase: str
    first: float
    second: float
    loss: float

    def mirrored(self) -> "OptimalPair":
        """Return the optimal pair of the law with v1 and v2 exchanged."""
        names = {"first": "second", "second": "first"}
        phase = " ".join(names.get(word, word) for word in self.phase.split(" "))
        return OptimalPair(phase, 0.0 - self.second, 0.0 - self.first, self.loss)


@dataclass(frozen=True)
class _Case:
    """Numbers of one law: probabilities, t, R and λ."""

    a: float
    b: float
    c: float
    t: float
    length: float
    l1: float
    uniform: bool

    @property
    def numbers(self) -> tuple[float, ...]:
        """The arguments, after u and w, of every compiled formula."""
        return self.t, self.length, self.l1, self.a, self.b, self.c

    def exchanged(self) -> "_Case":
        """Return the case with v1 and v2 exchanged."""
        return replace(self, a=self.b, b=self.a)

    def pair(self, phase: str, first: float, second: float, gain: float) -> OptimalPair:
        """Return the record of the atoms with tan(α/2) = `first`, tan(β/2) = `second`."""
        alpha, beta = (math.degrees(2 * math.atan(tangent)) for tangent in (first, second))
        square = _compiled(expected_square(self.uniform))(first, second, *self.numbers)
        return OptimalPair(phase, alpha, 0.0 - beta, square - gain)


@checked
def optimal_pair(
    first_alone: Number,
    second_alone: Number,
    both: Number,
    angle: Number,
    l1: Number,
    *,
    uniform: bool = False,
) -> OptimalPair:
    """Return the optimal pair of atoms, the best of the phases' solutions, to rounding error.

    Parameters
    ----------
    first_alone, second_alone, both, angle, uniform
        As for `theory.two_features.gains.two_features`; amplitudes are shared.
    l1 : number > 0
        λ.

    Raises
    ------
    InputError
        Naming the argument, its value and what was expected.
    ArithmeticError
        If rounding hides the solutions of every phase.

    Examples
    --------
    Where v2 never is alone the bisector takes its place, and the loss is the radial bound,
    here a (λ - λ²/4) + c (√3 λ - λ²/4):

    >>> pair = optimal_pair(0.75, 0, 0.25, 60, 0.1)
    >>> pair.phase, round(pair.first, 9), round(pair.second, 9), round(pair.loss, 9)
    ('first feature absorbed', 30.0, 0.0, 0.11580127)
    >>> optimal_pair(0.4, 0.4, 0.2, 90, 0.1).phase, optimal_pair(0.6, 0.01, 0.2, 90, 0.2).phase
    ('drawn inwards', 'first feature partly absorbed')
    """
    a, b, c, theta = checked_numbers(first_alone, second_alone, both, angle)
    penalty = exact_number(l1, "l1")
    if not penalty.is_positive:
        raise InputError("l1", "a number > 0", l1)
    t = float(sympy.tan(theta / 4))
    length = float(2 * sympy.cos(theta / 2))
    case = _Case(float(a), float(b), float(c), t, length, float(penalty), uniform)
    candidates = list(_candidates(case))
    if not candidates:
        raise ArithmeticError(f"no stationary pair of atoms found for {case}")
    return min(candidates, key=lambda pair: pair.loss)


def _candidates(case: _Case) -> Iterator[OptimalPair]:
    """Yield the solutions of every phase that the law can have."""
    fires = case.l1 / 2 < 1
    first, second = case.a > 0 and fires, case.b > 0 and fires
    both = case.c > 0 and case.l1 / 2 < case.length
    if first and second and both:
        yield from _absorbed(case)
        yield from (pair.mirrored() for pair in _absorbed(case.exchanged()))
        yield from _drawn_inwards(case)
        if case.uniform:
            # The formula has d2 nearer to the bisector.
            yield from (pair.mirrored() for pair in _drawn_inwards(case.exchanged()))
        return
    # No more than two directions are left, and the atoms lie along them.
    own, composed = _aligned_gains(case)
    gain = (first * case.a + second * case.b) * own + (case.c * composed if both else 0.0)
    if both and first:
        yield case.pair("first feature absorbed", case.t, 0.0, gain)
    elif both and second:
        yield case.pair("second feature absorbed", 0.0, case.t, gain)
    elif both:
        yield case.pair("bisector", 0.0, 0.0, gain)
    else:
        yield case.pair("truth" if first or second else "silent", case.t, case.t, gain)


def _aligned_gains(case: _Case) -> tuple[float, float]:
    """Return the gains of an atom along a feature and of one along the bisector."""
    own, composed = (
        _compiled(ray_gain((1,), FIRST_TANGENT, length, case.uniform))(0.0, 0.0, *case.numbers)
        for length in (sympy.Integer(1), BOTH_LENGTH)
    )
    return own, composed


def _absorbed(case: _Case) -> Iterator[OptimalPair]:
    """Yield the pairs {v1, d2} whose latent 1 is silent where both features are active.

    The end w = 0 counts if v2 then fires nothing, and the end w = t if v1 + v2 does.
    """
    own = case.a * _aligned_gains(case)[0]
    at_second, at_both = (functions[0] for functions in _served_functions(case.uniform))
    absorbed_latent = _drawn_functions(case.uniform).signs[0]

    def pair(phase: str, w: float) -> OptimalPair:
        return case.pair(phase, case.t, w, own + _served(case, w)[0])

    if at_second(case.t, 0.0, *case.numbers) <= _SILENT:
        yield pair("first feature absorbed", 0.0)
    if at_both(case.t, case.t, *case.numbers) <= _SILENT:
        yield pair("truth", case.t)
    for w in _absorbing_tangents(case):
        if absorbed_latent(case.t, w, *case.numbers) <= _SILENT:
            yield pair("first feature partly absorbed", w)


def _absorbing_tangents(case: _Case) -> Iterator[float]:
    """Yield w at the inner maxima of the gain of d2 if latent 1 serves v1 only."""

    def slope(w: float) -> float:
        return _served(case, w)[1]

    grid = [case.t * cell / _CELLS for cell in range(_CELLS + 1)]
    slopes = [slope(w) for w in grid]
    for cell, (before, after) in enumerate(pairwise(slopes)):
        if before > 0 > after:
            yield _falls_through_zero(slope, grid[cell], grid[cell + 1])


def _served(case: _Case, w: float) -> tuple[float, float]:
    """Return the gain of d2 from v2 and v1 + v2, where it fires on them, and its slope in w."""
    total = slope = 0.0
    for activation, gain, derivative in _served_functions(case.uniform):
        if activation(case.t, w, *case.numbers) > 0:
            total += gain(case.t, w, *case.numbers)
            slope += derivative(case.t, w, *case.numbers)
    return total, slope


def _falls_through_zero(slope: Callable[[float], float], low: float, high: float) -> float:
    """Return where a continuous function falls through 0, by bisection down to floats."""
    while low < (middle := (low + high) / 2) < high:
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return low


def _drawn_inwards(case: _Case) -> Iterator[OptimalPair]:
    """Yield the solutions of the two balances whose activations are ≥ 0."""
    drawn = _drawn_functions(case.uniform)
    found: list[tuple[float, float]] = []
    for start in _starts(case):
        solution = _newton(drawn, case, *start)
        if solution is None or any(math.dist(solution, known) < _SAME for known in found):
            continue
        found.append(solution)
        if all(sign(*solution, *case.numbers) >= -_SILENT for sign in drawn.signs):
            yield case.pair("drawn inwards", *solution, drawn.gain(*solution, *case.numbers))


def _starts(case: _Case) -> Iterator[tuple[float, float]]:
    """Yield a grid of atoms, and those between where absorption would leave d2 and v2."""
    for first, second in product(_STARTS, _STARTS):
        yield case.t * first, case.t * second
    for w in _absorbing_tangents(case):
        doubled = w
        while doubled < case.t:
            yield case.t, doubled
            doubled *= 2


def _newton(drawn: "_Drawn", case: _Case, u: float, w: float) -> tuple[float, float] | None:
    """Return a stationary point of the gain near 0 < u, w < t, or None."""
    for _ in range(_STEPS):
        slope_u, slope_w, uu, uw, ww = drawn.derivatives(u, w, *case.numbers)
        determinant = uu * ww - uw * uw
        if determinant == 0:
            return None
        step_u = (uw * slope_w - ww * slope_u) / determinant
        step_w = (uw * slope_u - uu * slope_w) / determinant
        u, w = u + step_u, w + step_w
        if not (0 < u < _OUTSIDE * case.t and 0 < w < _OUTSIDE * case.t):
            return None
        if abs(step_u) + abs(step_w) < _SAME * case.t:
            return u, w
    return None


_ARGUMENTS = (
    FIRST_TANGENT,
    SECOND_TANGENT,
    FEATURE_TANGENT,
    BOTH_LENGTH,
    L1,
    FIRST_ALONE,
    SECOND_ALONE,
    BOTH,
)


@cache
def _compiled(expression: sympy.Expr) -> Function:
    function: Function = sympy.lambdify(_ARGUMENTS, expression, "math", cse=True)
    return function


@cache
def _served_functions(uniform: bool) -> tuple[tuple[Function, Function, Function], ...]:
    """Return activation, gain and slope of the gain of d2 at v2 and at v1 + v2."""
    alone, both = absorbed_gains(uniform)
    return tuple(
        (_compiled(activation), _compiled(gain), _compiled(sympy.diff(gain, SECOND_TANGENT)))
        for activation, gain in (
            (activations((2,), -FEATURE_TANGENT)[0].subs(RADIUS, 1), SECOND_ALONE * alone),
            (activations((2,), sympy.Integer(0))[0].subs(RADIUS, BOTH_LENGTH), BOTH * both),
        )
    )


@dataclass(frozen=True)
class _Drawn:
    """The gain of the pair drawn inwards, its five derivatives, and what must be ≥ 0."""

    gain: Function
    derivatives: Callable[..., tuple[float, float, float, float, float]]
    signs: tuple[Function, ...]


@cache
def _drawn_functions(uniform: bool) -> _Drawn:
    gain = drawn_inwards_gain(uniform)
    u, w = FIRST_TANGENT, SECOND_TANGENT
    derivatives = [sympy.diff(gain, *by) for by in ((u,), (w,), (u, u), (u, w), (w, w))]
    signs = [f.subs(RADIUS, BOTH_LENGTH) for f in activations((1, 2), sympy.Integer(0))]
    signs += [activations((1,), FEATURE_TANGENT)[0].subs(RADIUS, 1)]
    signs += [activations((2,), -FEATURE_TANGENT)[0].subs(RADIUS, 1)]
    if uniform:
        signs.append(u - w)
    return _Drawn(
        _compiled(gain),
        sympy.lambdify(_ARGUMENTS, derivatives, "math", cse=True),
        tuple(_compiled(sign) for sign in signs),
    )
