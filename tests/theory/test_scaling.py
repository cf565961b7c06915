"""Every closed form and bound in any unit: exactly that of A = 1, over twelve decades.

With x → A x and λ → λ/A the squared loss is A² times itself, costs and λ itself A times. What a
law's unit is must not matter to any formula, nor to the interval on which it holds.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import sympy

from theory import Law, preset
from theory.codes.code import Code, axis_aligned, diagonal, gauge, rotated
from theory.codes.costs import activation_cost, cost_against_angle
from theory.exact.signs import Signs, hold_at, sign_of
from theory.exact.symbols import (
    AMPLITUDE,
    L1,
    MEAN_AMPLITUDE,
    ONEHOT_PROBABILITY,
    RADIUS,
    THETA,
    WEIGHT_DECAY,
)
from theory.laws.moments import covariance, fourth_cumulant
from theory.laws.one_hot_sets import one_hot_sets
from theory.losses.attained_bound import bound_attained_from
from theory.losses.closed_forms import (
    frame_loss_for_every_l1,
    orthogonal_frame_loss,
    shrinkage,
    soft_threshold,
)
from theory.losses.radial_bound import radial_bound
from theory.losses.relative_loss import relative_optimum
from theory.losses.rotated_codes import rotated_loss_for_every_l1
from theory.losses.weight_decay import decayed_diagonal, norm_imbalance
from theory.two_features.gains import BOTH_LENGTH, gain, ray_gain
from theory.two_features.phases import optimal_pair

ROOT = 2**0.5
FAR = [sympy.Rational(1, 10**6), sympy.Integer(10) ** 6]
DECADES = [
    FAR[0],
    *(
        pytest.param(sympy.Rational(value), marks=pytest.mark.slow, id=str(value))
        for value in ("3/1000", "100", *FAR[1:])
    ),
]
CODES = {"axis-aligned": axis_aligned(), "diagonal": diagonal(), "turned": rotated(sympy.pi / 6)}
EACH_CODE = [*list(CODES)[:2], pytest.param("turned", marks=pytest.mark.slow)]
LAWS: dict[str, Callable[[sympy.Expr], Law]] = {
    "shared": lambda a: preset("shared", amplitude=a, onehot_probability="1/2"),
    "independent": lambda a: preset("independent", amplitude=a, onehot_probability="1/4"),
    "between": lambda a: one_hot_sets(
        magnitude_correlation="1/2", onehot_probability="1/2", amplitude=a
    ),
}


def same(one: sympy.Expr, two: sympy.Expr) -> bool:
    return sympy.expand(sympy.radsimp(sympy.expand(one - two))) == 0


@pytest.mark.parametrize("amplitude", DECADES, ids=str)
@pytest.mark.parametrize("code", EACH_CODE)
@pytest.mark.parametrize("name", list(LAWS))
def test_frame_losses_for_every_l1(name: str, code: str, amplitude: sympy.Expr) -> None:
    once, scaled = (
        frame_loss_for_every_l1(CODES[code], LAWS[name](a)) for a in (sympy.S.One, amplitude)
    )
    assert len(once) == len(scaled)
    for one, two in zip(once, scaled, strict=True):
        assert same(one.low * amplitude, two.low)
        assert one.high is two.high is sympy.oo or same(one.high * amplitude, two.high)
        assert same(amplitude**2 * one.value.subs(L1, L1 / amplitude), two.value)


def test_the_values_that_absolute_probes_had_wrong() -> None:
    """By 8-point Gauss-Legendre on each cell of h_λ(|u·x|), polynomial there: exact."""
    nodes, weights = np.polynomial.legendre.leggauss(8)
    # The diagonal's coordinates at A = 1: (a + b)/√2 and |a - b|/√2 for two active features, whose
    # densities are triangles; a/√2, twice, for one.
    for amplitude, l1 in ((1e-3, 1e-5), (1e-3, 5e-4), (1e-3, 2.2e-3), (1e-2, 1e-2)):
        half = l1 / amplitude / 2

        def mean(low: float, high: float, density: Callable[..., object], half: float) -> float:
            cuts = sorted({low, high, *(c for c in (half, 2**-0.5) if low < c < high)})
            total = 0.0
            for start, end in pairwise(cuts):
                t = (end - start) / 2 * nodes + (end + start) / 2
                h = np.where(t > half, 2 * half * t - half**2, t**2)
                total += float((end - start) / 2 * (weights * h * density(t)).sum())
            return total

        both = mean(0, ROOT, lambda t: np.where(t < 2**-0.5, 2 * t, 2 * (ROOT - t)), half)
        both += mean(0, 2**-0.5, lambda t: 2 * ROOT * (1 - ROOT * t), half)
        alone = 2 * mean(0, 2**-0.5, lambda t: ROOT + 0 * t, half)
        chambers = frame_loss_for_every_l1(
            diagonal(),
            preset("independent", amplitude=sympy.Rational(str(amplitude)),
                   onehot_probability="1/2"),
        )  # fmt: skip
        value = next(c.value for c in chambers if float(c.high) >= l1)
        found = float(sympy.sympify(value).subs(L1, sympy.Rational(str(l1))))
        assert found == pytest.approx(amplitude**2 * (both + alone) / 2, rel=1e-12)


@pytest.mark.parametrize("amplitude", DECADES, ids=str)
def test_losses_at_one_l1_costs_moments_and_bounds(amplitude: sympy.Expr) -> None:
    a, l1 = amplitude, sympy.Rational(1, 10)
    for name, law in LAWS.items():
        once, scaled = law(sympy.S.One), law(a)
        for code in (axis_aligned(), diagonal()):
            one = orthogonal_frame_loss(code, once, {L1: l1}).value
            two = orthogonal_frame_loss(code, scaled, {L1: a * l1}).value
            assert same(a**2 * one.subs(L1, L1 / a), two)
            kept, more = shrinkage(code, once, {L1: l1}), shrinkage(code, scaled, {L1: a * l1})
            assert same(a**2 * kept.value.subs(L1, L1 / a), more.value)
            cost, higher = activation_cost(code, once), activation_cost(code, scaled)
            assert same(a * cost.value, higher.value)
        assert covariance(scaled) == a**2 * covariance(once)
        w = (sympy.Integer(1), sympy.Integer(2))
        assert fourth_cumulant(scaled, w) == a**4 * fourth_cumulant(once, w)
        if name == "shared":
            assert same(a * bound_attained_from(once), bound_attained_from(scaled))
            for reconstruction, power in (("squared", 2), ("relative", 0)):
                unit = a if reconstruction == "squared" else 1 / a
                one = radial_bound(once, {L1: l1}, reconstruction).value
                two = radial_bound(scaled, {L1: l1 * unit}, reconstruction).value
                assert same(a**power * one.subs(L1, L1 / unit), two)


@pytest.mark.slow
@pytest.mark.parametrize("amplitude", FAR, ids=str)
def test_functions_of_the_angle(amplitude: sympy.Expr) -> None:
    once, scaled = (cost_against_angle(preset("shared", amplitude=a)) for a in (1, amplitude))
    assert sympy.simplify(amplitude * once.value - scaled.value) == 0
    assert (once.cheapest, once.dearest) == (scaled.cheapest, scaled.dearest)
    (one,), (two,) = (
        rotated_loss_for_every_l1(preset("shared", amplitude=a)) for a in (1, amplitude)
    )
    at = {THETA: sympy.pi / 6}
    for low, high in zip(one.chambers, two.chambers, strict=True):
        assert same((low.low * amplitude).subs(at), high.low.subs(at))
        scaled_value = amplitude**2 * low.value.subs(L1, L1 / amplitude)
        assert same(
            sympy.expand_trig(scaled_value).subs(at), sympy.expand_trig(high.value).subs(at)
        )


@pytest.mark.parametrize("amplitude", DECADES, ids=str)
def test_weight_decay_and_the_relative_loss(amplitude: sympy.Expr) -> None:
    """x → A x leaves the norms of encoder and decoder alone if λ → A λ and μ → A² μ."""
    a = amplitude
    scaled = {L1: a * L1, WEIGHT_DECAY: a**2 * WEIGHT_DECAY}
    optimum = decayed_diagonal()
    *_, t = optimum.unknowns
    moved = optimum.loss.subs({**scaled, AMPLITUDE: a * AMPLITUDE, t: a * t}, simultaneous=True)
    assert sympy.expand(moved - a**2 * optimum.loss) == 0
    imbalance = norm_imbalance()
    moved = imbalance.subs({**scaled, MEAN_AMPLITUDE: a * MEAN_AMPLITUDE}, simultaneous=True)
    assert sympy.expand(moved - imbalance) == 0
    cost = activation_cost(diagonal(), preset("independent")).value
    higher = activation_cost(diagonal(), preset("independent", amplitude=a)).value
    one, two = relative_optimum(cost), relative_optimum(higher)
    for field in ("gain", "loss"):
        moved = getattr(two, field).subs(L1, L1 / a)
        assert sympy.expand(moved - getattr(one, field)) == 0
    h = soft_threshold()
    moved = h.loss_above.subs({L1: a * L1, RADIUS: a * RADIUS}, simultaneous=True)
    assert sympy.expand(moved - a**2 * h.loss_above) == 0


@pytest.mark.slow
def test_gains_of_two_features_are_homogeneous() -> None:
    a = sympy.Symbol("A", positive=True)
    scaled = {L1: a * L1, RADIUS: a * RADIUS, BOTH_LENGTH: a * BOTH_LENGTH}
    tangent = sympy.Rational(1, 3)
    for latents in ((1,), (2,), (1, 2)):
        for function in (
            gain(latents, tangent),
            ray_gain(latents, tangent, BOTH_LENGTH, True),
            ray_gain(latents, tangent, BOTH_LENGTH, False),
        ):
            moved = function.subs(scaled, simultaneous=True)
            assert sympy.cancel(moved / function) == a**2


@pytest.mark.parametrize("share", ["1e-6", "1e-12"])
@pytest.mark.parametrize("uniform", [False, True])
def test_optimal_pairs_of_rare_features(share: str, uniform: bool) -> None:
    """The loss is linear in the probabilities, so making all of them rarer moves no atom."""
    rare = sympy.Rational(share)
    for given in (("0.4", "0.4", "0.2"), ("0.6", "0.01", "0.2"), ("0.7", "0.2", "0.1")):
        once = optimal_pair(*given, 80, "0.1", uniform=uniform)
        moved = [sympy.Rational(p) * rare for p in given]
        rarer = optimal_pair(*moved, 80, "0.1", uniform=uniform)
        assert rarer.phase == once.phase
        assert (rarer.first, rarer.second) == pytest.approx((once.first, once.second), abs=1e-6)
        assert rarer.loss / float(rare) == pytest.approx(once.loss, rel=1e-12)


@pytest.mark.parametrize("exponent", [-60, -30, -12, 12, 30])
def test_signs_and_gauges_at_any_size(exponent: int) -> None:
    unit = sympy.Integer(10) ** exponent
    root = sympy.sqrt(2)
    for number, sign in (
        (unit * (root - sympy.Rational(7, 5)), 1),
        (unit * (root - sympy.Rational(71, 50)), -1),
        (unit * (sympy.sqrt(3 + 2 * root) - 1 - root), 0),
        (unit * (sympy.cos(sympy.pi / 4) - 1 / root), 0),
    ):
        assert sign_of(number) == sign
    below = frozenset({L1 - unit})
    assert hold_at(below, {L1: unit})
    assert not hold_at(below, {L1: unit * sympy.Rational(99, 100)})
    assert Signs({L1: unit}).of(L1 - unit * sympy.Rational(99, 100)) == 1
    point = (3 * unit, -4 * unit)
    assert same(gauge(diagonal(), point), unit * gauge(diagonal(), (3, -4)))
    small = Code("small", [[unit * x for x in atom] for atom in axis_aligned().atoms])
    assert activation_cost(small, preset("shared")).value == 1 / unit


def test_one_formula_for_every_probability_at_a_small_amplitude() -> None:
    law = preset("shared", amplitude="1e-4", onehot_probability=ONEHOT_PROBABILITY)
    witness = {ONEHOT_PROBABILITY: sympy.Rational(1, 3)}
    first = frame_loss_for_every_l1(axis_aligned(), law, witness)[0]
    # Two axes at 1 of two features, or one: (2 (1 - q) + q)/2 of λ A - λ²/2 + λ³/(12 A).
    a, q = sympy.Rational(1, 10**4), ONEHOT_PROBABILITY
    expected = (1 - q / 2) * (L1 * a - L1**2 / 2 + L1**3 / (12 * a))
    assert sympy.expand(first.value - expected) == 0
    assert first.high == 2 * a
