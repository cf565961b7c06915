"""Two features, two latents: the phases, and the steps of their proofs."""

import math
from collections import Counter

import numpy as np
import pytest
import sympy

from solvers import Objective
from solvers.losses.best_activations import best_activation_loss
from solvers.optima.two_features import best_pair, pair_of_atoms
from tests.oracles.two_features import Numbers, searched_loss
from theory.codes.code import codes_of
from theory.exact.errors import InputError
from theory.exact.symbols import L1, RADIUS, THETA
from theory.laws.two_features import two_features
from theory.two_features.boundaries import (
    absorption_quartic,
)
from theory.two_features.gains import (
    BOTH,
    BOTH_LENGTH,
    FEATURE_TANGENT,
    FIRST_ALONE,
    FIRST_TANGENT,
    SECOND_ALONE,
    SECOND_TANGENT,
    activations,
    direction,
    drawn_inwards_gain,
    exact_reconstruction_cost,
    gain,
    switches_on,
)
from theory.two_features.phases import optimal_pair

PARTLY, DRAWN = "first feature partly absorbed", "drawn inwards"


def random_numbers(rng: np.random.Generator, kind: str) -> Numbers:
    """Laws of every kind; "edge" has v2 seldom alone, "onset" has b where absorption ends."""
    a, b, c, _ = rng.dirichlet([1, 0.3 if kind == "edge" else 1, 1, 0.5]).tolist()
    degrees = rng.uniform(3, 177)
    l1 = rng.uniform(0.01, 1.5) if kind == "plain" else 10 ** rng.uniform(-3, 0.4)
    if kind == "onset":
        a, c, l1 = 0.9 * a, 0.9 * c, 10 ** rng.uniform(-4, -0.5)
        share = l1 / (1 + math.cos(math.radians(degrees) / 2))
        b = min(c * share * 10 ** rng.uniform(-1, 1), 1 - a - c)
    return (*(math.floor(1e6 * p) / 1e6 for p in (a, b, c)), round(degrees, 4), round(l1, 6))


def disagreements(
    kind: str, count: int, uniform: bool, seed: int
) -> tuple[list[Numbers], Counter]:
    rng, wrong, phases = np.random.default_rng(seed), [], Counter()
    for _ in range(count):
        numbers = random_numbers(rng, kind)
        pair = optimal_pair(*numbers, uniform=uniform)
        phases[pair.phase] += 1
        if abs(pair.loss - searched_loss(numbers, uniform)) > 1e-8:
            wrong.append(numbers)
    return wrong, phases


# --- the optimum ------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1, pytest.param(5, marks=pytest.mark.slow)])
def test_the_optimiser_agrees_at_random_points(scale: int) -> None:
    phases: Counter[str] = Counter()
    for kind, count in (("plain", 16 * scale), ("edge", 12 * scale), ("onset", 12 * scale)):
        wrong, seen = disagreements(kind, count, uniform=False, seed=0)
        assert wrong == []
        phases += seen
    assert {"truth", DRAWN, PARTLY, "second feature partly absorbed"} <= set(phases)
    assert scale == 1 or "first feature absorbed" in phases


@pytest.mark.slow
def test_the_optimiser_agrees_on_rays() -> None:
    for kind in ("plain", "edge", "onset"):
        assert disagreements(kind, 2, uniform=True, seed=1)[0] == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plain", "edge", "onset"])
@pytest.mark.parametrize(("uniform", "count"), [(False, 700), (True, 100)])
def test_the_optimiser_agrees_everywhere(kind: str, uniform: bool, count: int) -> None:
    assert disagreements(kind, count, uniform, seed=2)[0] == []


@pytest.mark.parametrize("uniform", [False, True])
def test_the_exact_loss_of_the_optimal_atoms(uniform: bool) -> None:
    """The package's own loss of any dictionary, by polygons and cells, is the closed form's."""
    rng = np.random.default_rng(3)
    for _ in range(15):
        *law, l1 = random_numbers(rng, "plain")
        pair = optimal_pair(*law, l1, uniform=uniform)
        atoms = pair_of_atoms(np.radians([pair.first, pair.second]))
        exact = best_activation_loss(two_features(*law, uniform=uniform), atoms, Objective(l1=l1))
        assert pair.loss == pytest.approx(exact, abs=1e-14)


def test_exchanging_the_features_mirrors_the_pair() -> None:
    for numbers in ((0.5, 0.01, 0.4, 70, 0.2), (0.5, 0.2, 0.2, 120, 0.4), (0.5, 0, 0.5, 60, 1)):
        a, b, *rest = numbers
        pair, mirrored = optimal_pair(a, b, *rest), optimal_pair(b, a, *rest).mirrored()
        assert pair.phase == mirrored.phase
        assert (pair.first, pair.second) == pytest.approx((mirrored.first, mirrored.second))
        assert pair.loss == pytest.approx(mirrored.loss, abs=1e-15)


def test_features_alike_draw_both_atoms_alike() -> None:
    """a = b: one balance, 4a sin δ (cos δ - λ/2) cos²α = c λ (R sin α - (λ/2) tan α)."""
    pair = optimal_pair(0.3, 0.3, 0.3, 80, 0.3)
    assert pair.phase == DRAWN
    assert pair.first == pytest.approx(-pair.second)
    alpha, half = math.radians(pair.first), math.radians(40)
    out = 4 * 0.3 * math.sin(half - alpha) * (math.cos(half - alpha) - 0.15) * math.cos(alpha) ** 2
    length = 2 * math.cos(half)
    inwards = 0.3 * 0.3 * (length * math.sin(alpha) - 0.15 * math.tan(alpha))
    assert out == pytest.approx(inwards, abs=1e-12)


def thresholded(r: float, l1: float, uniform: bool) -> float:
    """h_λ(r), or its mean over lengths uniform up to r."""
    if not uniform:
        return l1 * r - l1**2 / 4 if r >= l1 / 2 else r * r
    lengths, weights = np.polynomial.legendre.leggauss(3)
    total, start = 0.0, min(l1 / 2, r)
    for low, high in ((0.0, start), (start, r)):
        nodes = (low + high) / 2 + (high - low) / 2 * lengths
        middle = (low + high) / 2
        values = l1 * nodes - l1**2 / 4 if middle > l1 / 2 else nodes**2
        total += (high - low) / 2 * float(weights @ values)
    return total / r


@pytest.mark.parametrize("uniform", [False, True])
@pytest.mark.parametrize("l1", [0.01, 0.5, 1.9, 2.5, 5.0])
def test_without_the_second_alone_the_radial_bound_is_attained(uniform: bool, l1: float) -> None:
    for degrees in (20, 90, 150):
        pair = optimal_pair(0.5, 0, 0.3, degrees, l1, uniform=uniform)
        length = 2 * math.cos(math.radians(degrees) / 2)
        bound = 0.5 * thresholded(1, l1, uniform) + 0.3 * thresholded(length, l1, uniform)
        assert pair.loss == pytest.approx(bound, abs=1e-14)


@pytest.mark.parametrize("uniform", [False, True])
def test_what_no_atom_reaches_is_silent(uniform: bool) -> None:
    def phase(*numbers: float) -> str:
        return optimal_pair(*numbers, uniform=uniform).phase

    assert phase(0.3, 0.3, 0.3, 60, 4) == "silent"
    assert phase(0.3, 0.3, 0.3, 60, 2.5) == "bisector"
    assert phase(0.3, 0.3, 0, 60, 1) == "truth"
    assert phase(0, 0.3, 0.3, 60, 1) == "second feature absorbed"
    # R = 2 cos 80° = 0.347: the sum of two nearly opposite features is the short one.
    assert phase(0.3, 0.3, 0.3, 160, 0.7) == "truth"


def test_truth_only_where_both_are_silent() -> None:
    """1 + cos θ ≤ λ/2: at 140° from λ = 0.468 on."""
    edge = 2 * (1 + math.cos(math.radians(140)))
    assert optimal_pair(0.4, 0.4, 0.1, 140, edge * 0.999).phase == DRAWN
    assert optimal_pair(0.4, 0.4, 0.1, 140, edge * 1.001).phase == "truth"


def test_truth_or_bisector_where_one_of_them_must_be_silent() -> None:
    """b (1 - λ/2)² = c (R - λ/2)² where cos(θ/2), 1 + cos θ ≤ λ/2; here 0.16 b = 0.09 c."""
    degrees, c = 2 * math.degrees(math.acos(0.45)), 0.2
    for b, phase in ((0.999, "first feature absorbed"), (1.001, "truth")):
        assert optimal_pair(0.3, b * c * 0.09 / 0.16, c, degrees, 1.2).phase == phase


def test_the_rarer_feature_is_absorbed_by_the_other_latent() -> None:
    """The two absorbed phases meet at a = b."""
    for a, phase in ((0.0501, PARTLY), (0.0499, "second feature partly absorbed")):
        assert optimal_pair(a, 0.05, 0.8, 60, 0.5).phase == phase


def test_the_absorbing_atom_is_a_root_of_the_quartic() -> None:
    pair = optimal_pair(0.6, 0.02, 0.3, 75, 0.3)
    assert pair.phase == PARTLY
    half = math.radians(37.5)
    values = {FEATURE_TANGENT: math.tan(half / 2), SECOND_ALONE: 0.02, BOTH: 0.3, L1: 0.3}
    quartic = absorption_quartic().subs(values | {BOTH_LENGTH: 2 * math.cos(half)})
    roots = sympy.Poly(quartic, SECOND_TANGENT).nroots(n=30)
    w = math.tan(math.radians(-pair.second) / 2)
    assert min(abs(root - w) for root in roots) < 1e-14


def test_points_that_fire_both_draw_both_atoms_inwards() -> None:
    """∂gain/∂α = -λ f1 tan h and ∂gain/∂β = -λ f2 tan h, anywhere in the cone."""
    x = sympy.Dummy("x", real=True)
    u, w = FIRST_TANGENT, SECOND_TANGENT
    f1, f2 = activations((1, 2), x)
    h = (u + w) / (1 - u * w)
    for tangent, f in ((u, f1), (w, f2)):
        # α = 2 atan u, so d/dα = (1 + u²)/2 d/du.
        slope = sympy.diff(gain((1, 2), x), tangent) * (1 + tangent**2) / 2
        assert sympy.factor(slope + L1 * f * h) == 0


def test_the_second_balance_is_a_cubic_in_the_first_angle() -> None:
    balance = sympy.factor(sympy.diff(drawn_inwards_gain(False), SECOND_TANGENT))
    assert sympy.degree(sympy.numer(balance), FIRST_TANGENT) == 3


def test_a_latent_joins_with_a_square() -> None:
    """What the second latent adds to the gain is κ (r - r0)²."""
    start = switches_on(1, (1, 2), sympy.Integer(0))
    added = gain((1, 2), sympy.Integer(0)) - gain((2,), sympy.Integer(0))
    curvature = sympy.diff(added, RADIUS, 2) / 2
    assert sympy.factor(added - curvature * (RADIUS - start) ** 2) == 0


@pytest.mark.parametrize("uniform", [False, True])
def test_the_absorbed_optimum_of_exact_reconstruction(uniform: bool) -> None:
    """a = 1 - ρ, b = 0, c = ρ: {v1, bisector} at (1 - ρ) + 2 ρ cos(θ/2)."""
    rho = sympy.Dummy("rho")
    law = {FIRST_ALONE: 1 - rho, SECOND_ALONE: 0, BOTH: rho}
    pair = {FIRST_TANGENT: FEATURE_TANGENT, SECOND_TANGENT: 0}
    cost = exact_reconstruction_cost(uniform).subs(law | pair)
    claimed = 1 - rho + 2 * rho * direction(FEATURE_TANGENT)[0]
    assert sympy.simplify(cost - claimed / (2 if uniform else 1)) == 0
    for degrees, weight in ((40, 0.3), (90, 0.6), (150, 0.8)):
        found = optimal_pair(1 - weight, 0, weight, degrees, 1e-7, uniform=uniform)
        assert (found.phase, found.second) == ("first feature absorbed", 0)
        expected = 1 - weight + 2 * weight * math.cos(math.radians(degrees) / 2)
        assert found.loss / 1e-7 == pytest.approx(expected / (2 if uniform else 1), rel=1e-6)


@pytest.mark.parametrize("uniform", [False, True])
def test_truth_is_optimal_as_l1_vanishes(uniform: bool) -> None:
    for a, b, c, degrees in ((0.3, 0.1, 0.6, 50), (0.2, 0.2, 0.4, 130)):
        pair = optimal_pair(a, b, c, degrees, 1e-7, uniform=uniform)
        assert (pair.first, pair.second) == pytest.approx((degrees / 2, -degrees / 2), abs=1e-3)
        expected = (a + b + 2 * c) / (2 if uniform else 1)
        assert pair.loss / 1e-7 == pytest.approx(expected, rel=1e-5)


def test_widening_the_cone_costs() -> None:
    """The slope of the exact cost in α is E f1 tan h ≥ 0 for data inside the cone."""
    p = sympy.Matrix([1 + FIRST_TANGENT * SECOND_TANGENT, FIRST_TANGENT - SECOND_TANGENT])
    p /= 1 - FIRST_TANGENT * SECOND_TANGENT
    x = sympy.Dummy("x", real=True)
    f1, f2 = (f.subs({L1: 0, RADIUS: 1}) for f in activations((1, 2), x))
    assert sympy.factor((p.T * direction(x))[0] - f1 - f2) == 0
    slope = sympy.diff(f1 + f2, FIRST_TANGENT) * (1 + FIRST_TANGENT**2) / 2
    h = (FIRST_TANGENT + SECOND_TANGENT) / (1 - FIRST_TANGENT * SECOND_TANGENT)
    assert sympy.factor(slope - f1 * h) == 0


@pytest.mark.slow
def test_independent_amplitudes_keep_the_features() -> None:
    """Every direction occurs, so {v1, v2} is the limit even if v2 is never alone."""
    law = two_features("1/2", 0, "2/5", 60, uniform=True, magnitude_correlation=0)
    shares = []
    for l1 in (1e-2, 1e-3):
        pair = best_pair(law, l1, spread=60)
        shares.append(30 + pair.second)
        assert pair.first == pytest.approx(30, abs=0.3)
    assert pair.loss / l1 == pytest.approx(0.5 / 2 + 2 * 0.4 / 2, abs=3e-3)
    # The wedge left out costs the cube of its angle, the penalty a share λ of it: √λ.
    assert shares[0] / shares[1] == pytest.approx(math.sqrt(10), rel=0.1)


# --- the law ----------------------------------------------------------------------------------


def test_the_law_and_its_codes() -> None:
    law = two_features("1/4", "1/8", "1/2", 60, uniform=True, magnitude_correlation=0)
    assert [part.cube_dimension for part in law.components] == [2, 1, 1, 0]
    assert sum(part.probability for part in law.components) == 1
    axes, diagonal, first_absorbed, second_absorbed = codes_of(law)
    assert [first_absorbed.atoms, second_absorbed.atoms] == [
        (axes.atoms[k], diagonal.atoms[0]) for k in (0, 1)
    ]
    assert axes.atoms[0] == (sympy.sqrt(3) / 2, sympy.Rational(1, 2))
    assert diagonal.atoms == ((1, 0),)
    points = two_features(FIRST_ALONE, 0, 1 - FIRST_ALONE, 180 * THETA / sympy.pi)
    both, first = points.components
    assert (both.probability, first.probability) == (1 - FIRST_ALONE, FIRST_ALONE)
    assert first.point == (sympy.cos(THETA / 2), sympy.sin(THETA / 2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-0.1, 0.5, 0.5, 60), "first_alone: expected a probability ≥ 0, got -0.1"),
        (
            (0.1, 0.5, 0.5, 60),
            r"second_alone \+ both: expected at most 1, got 11/10",
        ),
        ((0.1, 0.5, "x", 60), "both: expected a number"),
        ((0.1, 0.5, 0.1, 0), "angle: expected degrees between 0 and 180, got 0"),
        ((0.1, 0.5, 0.1, 180), "angle: expected degrees between 0 and 180, got 180"),
        ((0.1, 0.5, 0.1, math.nan), "angle: expected a finite number"),
    ],
)
def test_what_is_no_law(arguments: tuple[float, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        two_features(*arguments)
    with pytest.raises(InputError, match=message):
        optimal_pair(*arguments, 0.1)


def test_what_is_no_penalty() -> None:
    with pytest.raises(InputError, match="l1: expected a number > 0, got 0"):
        optimal_pair(0.3, 0.3, 0.3, 60, 0)
