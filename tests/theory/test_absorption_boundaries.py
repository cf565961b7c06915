"""Two features, two latents: where absorption ends, and the steps of the proof."""

import math

import numpy as np
import pytest
import sympy

from theory.exact.symbols import L1
from theory.two_features.boundaries import (
    SECOND_ALONE_SHARE,
    absorption_onset,
    absorption_onset_series,
    critical_cosine,
    limit_jump,
    limit_loss,
    limit_share,
    onset_hessian,
)
from theory.two_features.gains import (
    BOTH,
    BOTH_LENGTH,
    FEATURE_TANGENT,
    FIRST_ALONE,
    SECOND_TANGENT,
)
from theory.two_features.phases import optimal_pair

PARTLY, DRAWN = "first feature partly absorbed", "drawn inwards"


def at_onset(w_share: float, degrees: float, uniform: bool) -> tuple[float, float]:
    """λ and b/c where latent 1 begins to fire on both, at w = w_share · t."""
    t = math.tan(math.radians(degrees) / 4)
    values = {SECOND_TANGENT: w_share * t, FEATURE_TANGENT: t}
    values[BOTH_LENGTH] = 2 * math.cos(math.radians(degrees) / 2)
    l1, share = (float(e.subs(values)) for e in absorption_onset(uniform))
    return l1, share


@pytest.mark.parametrize("uniform", [False, True])
@pytest.mark.parametrize(
    ("w_share", "degrees"),
    [(0.02, 60), pytest.param(0.02, 90, marks=pytest.mark.slow), (0.05, 30)],
)
def test_absorption_ends_at_the_onset(w_share: float, degrees: float, uniform: bool) -> None:
    l1, share = at_onset(w_share, degrees, uniform)
    c = 0.3
    for step, phase in ((-1e-5, PARTLY), (1e-5, DRAWN)):
        pair = optimal_pair(0.5, c * share * (1 + step), c, degrees, l1, uniform=uniform)
        assert pair.phase == phase
        # No jump: d2 stays where the curve has it.
        w = math.tan(math.radians(-pair.second) / 2)
        assert w == pytest.approx(w_share * math.tan(math.radians(degrees) / 4), rel=1e-2)


def test_a_stable_onset_has_a_positive_hessian() -> None:
    """Else absorption ends before its onset, by a jump: as λ → 0 beyond the critical angle."""
    cases = [(60, 1e-3, True), (100, 1e-3, True), (110, 1e-3, False), (150, 1e-3, False)]
    for degrees, w_share, stable in [*cases, (90, 0.1, False)]:
        t = math.tan(math.radians(degrees) / 4)
        l1, share = at_onset(w_share, degrees, uniform=False)
        values = {SECOND_TANGENT: w_share * t, FEATURE_TANGENT: t, FIRST_ALONE: 0.5, BOTH: 0.3}
        values[BOTH_LENGTH] = 2 * math.cos(math.radians(degrees) / 2)
        hessian = np.array(onset_hessian().subs(values), dtype=float)
        assert bool(np.linalg.eigvalsh(hessian)[0] > 0) == stable
        before = optimal_pair(0.5, 0.3 * share * (1 - 1e-5), 0.3, degrees, l1)
        assert (before.phase == PARTLY) == stable


def test_the_jump_at_small_l1() -> None:
    """At 150° d2 jumps to the root of `limit_jump`, at the B for which it is stationary."""
    degrees, c, l1 = 150, 0.3, 1e-5
    t = math.tan(math.radians(degrees) / 4)
    roots = sympy.Poly(limit_jump().subs(FEATURE_TANGENT, t), SECOND_TANGENT).nroots()
    (w,) = (float(root) for root in roots if root.is_real and 0 < root < t)
    share = float(limit_share().subs({FEATURE_TANGENT: t, SECOND_TANGENT: w, BOTH: c}))
    before, after = (optimal_pair(0.5, share * l1 * f, c, degrees, l1) for f in (0.999, 1.001))
    assert (before.phase, after.phase) == (PARTLY, DRAWN)
    assert -before.second < 0.01
    assert math.tan(math.radians(-after.second) / 2) == pytest.approx(w, rel=1e-2)


def test_the_critical_angle_is_golden() -> None:
    """Where the slope of log ψ, tan h + 2 cot(θ - 2β), vanishes at the bisector."""
    half = sympy.acos(critical_cosine())
    assert sympy.N(sympy.tan(half / 2) + 2 * sympy.cot(2 * half), 30) < 1e-25
    square = (1 - critical_cosine()) / (1 + critical_cosine())
    at_bisector = limit_jump().subs({SECOND_TANGENT: 0, FEATURE_TANGENT: sympy.sqrt(square)})
    assert sympy.expand(sympy.radsimp(at_bisector)) == 0


def test_the_limit_in_angles() -> None:
    """K and ψ as the text states them, from the loss itself."""
    beta, half = 2 * sympy.atan(SECOND_TANGENT), 2 * sympy.atan(FEATURE_TANGENT)
    h, m = (half + beta) / 2, (half - beta) / 2
    for uniform, divided, third in ((False, 1, 1), (True, 2, 3)):
        K = (FIRST_ALONE + BOTH * 2 * sympy.cos(half) * sympy.cos(m) / sympy.cos(h)) / divided
        K += SECOND_ALONE_SHARE * sympy.sin(half - beta) ** 2 / third
        psi = sympy.sin(2 * half) / ((1 + sympy.cos(half + beta)) * sympy.sin(2 * (half - beta)))
        values = {SECOND_TANGENT: 0.123, FEATURE_TANGENT: 0.345, FIRST_ALONE: 0.3, BOTH: 0.4}
        values[SECOND_ALONE_SHARE] = 0.77
        assert float((K - limit_loss(uniform)).subs(values)) == pytest.approx(0, abs=1e-14)
        share = limit_share(uniform) - BOTH * psi * sympy.Rational(third, divided)
        assert float(share.subs(values)) == pytest.approx(0, abs=1e-14)


@pytest.mark.parametrize(
    "uniform", [pytest.param(value, marks=pytest.mark.slow) for value in (False, True)]
)
def test_the_series_of_the_onset(uniform: bool) -> None:
    series = absorption_onset_series(2, uniform=uniform)
    for w_share in (1e-2, 1e-3):
        l1, share = at_onset(w_share, 70, uniform)
        value = float(series.subs({FEATURE_TANGENT: math.tan(math.radians(70) / 4), L1: l1}))
        assert abs(value - share) < l1**3
