"""The radial bound by the midpoint rule, against the radial bound and against Sobol points."""

import numpy as np
import pytest
from scipy.stats import qmc

from solvers import Objective, Search, lower_bound, minimize_loss
from solvers.bounds.midpoint_bound import midpoint_bound
from solvers.laws.arrays import law_arrays
from theory import load_law


@pytest.mark.parametrize("name", ["independent", "shared:onehot_probability=0.5"])
@pytest.mark.parametrize("l1", [0.1, 0.7])
def test_is_a_little_below_the_radial_bound(name: str, l1: float) -> None:
    law = load_law(name)
    exact = lower_bound(law, Objective(l1), 4).value
    found, slack = midpoint_bound(law_arrays(law), l1, True)
    assert slack == 0
    assert 0.999 * exact <= found <= exact + 1e-15


def test_is_below_what_sobol_points_say_of_three_features() -> None:
    law = load_law({"features": 3, "firing": 1, "magnitude": {"uniform": [0, 1]}})
    bound = lower_bound(law, Objective(0.5), 3)
    x = qmc.Sobol(3, seed=0).random_base2(16)
    r = np.linalg.norm(x - 0.5, axis=1)
    # By symmetry and convexity the best b_dec is the middle.
    mean = np.where(r >= 0.25, 0.5 * r - 0.0625, r**2).mean()
    assert bound.by == "radial bound, from below by the midpoint rule"
    assert 0.999 * mean <= bound.value <= mean + 1e-5


def test_the_search_for_b_dec_is_allowed_for() -> None:
    law = law_arrays(load_law({"features": 3, "firing": [0.2, 0.5, 0.9]}))
    bound, slack = midpoint_bound(law, 0.3, False)
    rng = np.random.default_rng(0)
    points = law.groups[0].affine[:, :, 0]
    for b in law.mean + rng.normal(size=(200, 3)) * rng.uniform(0, 0.3, size=(200, 1)):
        r = np.linalg.norm(points - b, axis=1)
        h = np.where(r >= 0.15, 0.3 * r - 0.0225, r**2)
        assert bound <= law.groups[0].probability @ h
    assert slack < 1e-5


def test_of_the_relative_loss_nothing_is_claimed() -> None:
    law = load_law({"features": 3, "firing": 1, "magnitude": {"uniform": [0, 1]}})
    bound = lower_bound(law, Objective(0.1, "relative"), 3)
    assert (bound.value, bound.by) == (0, "trivial")


def test_of_points_it_is_the_radial_bound_itself() -> None:
    """A thousand active sets, and one: h(‖x - b‖) = 0 at b = x."""
    many = load_law({"features": 10, "firing": 0.5})
    bound = lower_bound(many, Objective(0.1), 3)
    # By symmetry the best b is (1/2, …): every point is √10/2 away.
    r = 10**0.5 / 2
    assert bound.value == pytest.approx(0.1 * r - 0.0025, rel=1e-9)
    assert bound.by == "radial bound"
    assert lower_bound(load_law({"features": 2, "firing": 1}), Objective(0.1), 3).value == 0


def test_many_segments_are_averaged_by_midpoints() -> None:
    law = load_law({"sets": [65]})
    bound = lower_bound(law, Objective(0.1), 65)
    assert bound.by == "radial bound, from below by the midpoint rule"
    best = minimize_loss(law, 2, Objective(0.1), Search(1, limit=1))
    assert 0 < bound.value < best.total
