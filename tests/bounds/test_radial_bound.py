"""The numeric radial bound against closed forms, a grid, and SAEs that try to beat it."""

from fractions import Fraction

import numpy as np
import pytest
import sympy

from solvers import Objective, Sae, Search, expected_loss, minimize_loss
from solvers.autoencoders.frames import frame_sae
from solvers.bounds.radial_bound import (
    RelativeProfile,
    SquaredProfile,
    expectation_of_profile,
    lower_bound,
)
from solvers.laws.arrays import law_arrays
from tests.oracles.expected_losses import midpoint_grid_expectation
from tests.oracles.laws import components_from_specification
from tests.random_cases import random_specification
from theory import Component, Law, law_from_dict, load_law
from theory.exact.symbols import L1
from theory.losses.radial_bound import radial_bound


@pytest.mark.parametrize("value", ["1/10", "1", "5/2", "3"])
def test_equals_the_closed_form_on_rays(value: str) -> None:
    l1 = sympy.Rational(value)
    law = load_law("shared:onehot_probability=1/3")
    closed = radial_bound(law, {L1: l1}).value.subs(L1, l1)
    bound = lower_bound(law, Objective(l1=float(l1)), 4)
    assert bound.value == pytest.approx(float(closed), rel=1e-13)
    assert bound.error < 1e-13


def test_mean_norm_of_a_point_in_the_square() -> None:
    """For λ → 0 the bound over λ is E‖x‖ = (√2 + asinh 1)/3 on the second data set."""
    bound = lower_bound(load_law("independent"), Objective(l1=1e-7), 4)
    assert bound.value / 1e-7 == pytest.approx((np.sqrt(2) + np.arcsinh(1)) / 3, rel=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_expectation_at_any_b_dec_against_a_grid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    specification = random_specification(rng)
    law = law_from_dict(specification)
    b, l1 = rng.normal(size=law.dimension), float(rng.uniform(0.1, 3))

    def h(x: np.ndarray) -> np.ndarray:
        r = np.linalg.norm(x - b, axis=1)
        return np.where(r >= l1 / 2, l1 * r - l1**2 / 4, r**2)

    grid = midpoint_grid_expectation(components_from_specification(specification), h, 400)
    assert expectation_of_profile(law_arrays(law), b, SquaredProfile(l1)).value == pytest.approx(
        grid, rel=2e-5
    )


@pytest.mark.parametrize("l1", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("name", ["shared", "independent:onehot_probability=0.3"])
def test_relative_bound_against_a_grid(name: str, l1: float) -> None:
    law = load_law(name)
    specification = {"sets": [2, 2], "magnitude_correlation": float(name == "shared")}
    if name != "shared":
        specification["onehot_probability"] = 0.3
    t = np.linspace(0, 1.5, 3001)

    def h(x: np.ndarray) -> np.ndarray:
        r = np.linalg.norm(x, axis=1)
        coarse = [((1 - t / s) ** 2 + l1 * t)[t <= s].min() for s in r]
        return np.array(coarse)

    grid = midpoint_grid_expectation(components_from_specification(specification), h, 50)
    bound = lower_bound(law, Objective(l1=l1, reconstruction="relative"), 4)
    assert bound.value == pytest.approx(grid, rel=2e-3)
    integral = RelativeProfile(l1).integral(1.3)
    r = (np.arange(20000) + 0.5) * 1.3 / 20000
    total = sum(RelativeProfile(l1).value(float(s)) * float(s) for s in r) * 1.3 / 20000
    assert integral == pytest.approx(total, rel=1e-6)


def test_a_flat_parallelogram_is_averaged_as_the_segment_that_it_is() -> None:
    """x = u1 + u2 on a line: E|x| = 1, whatever way the component is written."""
    matrix = sympy.ImmutableMatrix([[1, 1], [0, 0]])
    law = Law((Component(sympy.Integer(1), matrix, sympy.zeros(2, 1)),))
    value = expectation_of_profile(law_arrays(law), np.zeros(2), SquaredProfile(1e-6)).value
    assert value / 1e-6 == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize(
    "objective",
    [
        Objective(l1=0.3),
        Objective(l1=0.3, weight_decay=0.01),
        Objective(l1=0.3, sparsity="decoder-norm", decoder="free"),
        pytest.param(Objective(l1=0.3, decoder="free", weight_decay=0.02), marks=pytest.mark.slow),
        pytest.param(
            Objective(l1=0.3, reconstruction="relative", weight_decay=0.01),
            marks=pytest.mark.slow,
        ),
    ],
)
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_no_optimised_sae_beats_it(objective: Objective, seed: int) -> None:
    specification = random_specification(np.random.default_rng(seed))
    if objective.reconstruction == "relative":
        # Symmetric, or its bound is 0; and features in general position.
        specification = {"sets": [2, 2], "onehot_probability": seed / 4}
    law = law_from_dict(specification)
    search = Search(starts=3, seed=seed, limit=3)
    best = minimize_loss(law, 5, objective, search, max_iterations=300)
    assert best.total >= best.lower_bound - best.lower_bound_error - 1e-12


@pytest.mark.parametrize("power", range(1, 14))
def test_it_is_no_larger_than_a_code_that_all_but_attains_it(power: int) -> None:
    """As f → 1 the diagonal code attains the bound: there is no room for an error in it."""
    law = load_law(f"independent:magnitude_correlation={1 - Fraction(1, 10**power)}")
    bound = lower_bound(law, Objective(l1=0.1), 4)
    near = expected_loss(law, frame_sae(np.pi / 4, 0.05), Objective(l1=0.1)).total
    assert bound.value <= near + 1e-14
    assert bound.value == pytest.approx(near, rel=0.2 * 10.0**-power + 1e-11)
    assert bound.error < 1e-10


def test_b_dec_off_zero_is_allowed_for_in_a_lopsided_law() -> None:
    """A point mass at 5 costs nothing: b_dec = 5 does it, so the bound must be 0."""
    point = Component(sympy.Integer(1), sympy.zeros(1, 0), sympy.ImmutableMatrix([[5]]))
    law = Law((point,))
    assert expected_loss(law, Sae([[0.0]], [0.0], [[1.0]], [5.0]), Objective(l1=1.0)).total == 0
    assert lower_bound(law, Objective(l1=1.0), 1).value == pytest.approx(0, abs=1e-6)
    assert lower_bound(law, Objective(l1=1.0), 1).value <= 1e-15
