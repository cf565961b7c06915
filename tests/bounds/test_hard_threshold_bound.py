"""What no SAE beats under an l0 penalty: E min(‖x‖², λ₀), where symmetry and shape allow it."""

import numpy as np
import pytest

from solvers import Objective, Sae, expected_loss, sample
from solvers.autoencoders.architectures import JumpReluSae, TopKSae
from solvers.bounds.hard_threshold_bound import HardThresholdProfile, hard_threshold_bound
from solvers.bounds.radial_bound import lower_bound
from theory import independent_features, load_law


@pytest.mark.parametrize("l0", [0.01, 0.3, 0.8, 1.9, 3.0])
def test_the_first_data_set_in_closed_form(l0: float) -> None:
    """r = √2 a, a uniform: ∫ min(2a², λ₀) da; beyond λ₀ = 2 nothing is ever worth a latent."""
    bound = hard_threshold_bound(load_law("shared"), Objective(0, l0=l0))
    closed = l0 - np.sqrt(2) / 3 * l0**1.5 if l0 < 2 else 2 / 3
    assert bound.by == "l0 bound"
    assert bound.value == pytest.approx(closed, rel=1e-12)


@pytest.mark.parametrize("name", ["shared", "independent", "independent:onehot_probability=1/3"])
@pytest.mark.parametrize("l0", [0.05, 0.7])
def test_it_is_the_least_over_all_biases(name: str, l0: float) -> None:
    """Sampled at random b, E min(‖x - b‖², λ₀) is never below the bound at b = 0."""
    law = load_law(name)
    x, rng = sample(law, 40_000, 1), np.random.default_rng(0)
    bound = hard_threshold_bound(law, Objective(0, l0=l0))
    for b in [np.zeros(2), *rng.normal(scale=0.4, size=(40, 2))]:
        values = np.minimum(((x - b) ** 2).sum(axis=1), l0)
        error = values.std() / 200
        assert values.mean() > bound.value - 4 * error
        if not b.any():
            assert values.mean() == pytest.approx(bound.value, abs=4 * error)


@pytest.mark.parametrize("seed", range(12))
def test_no_sae_is_below_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    W_dec = rng.normal(size=(n, 2))
    base = Sae(W_dec.T * rng.normal(1, 0.3, n), 0.2 * rng.normal(size=n), W_dec,
               0.3 * rng.normal(size=2))  # fmt: skip
    objective = Objective(l1=0, l0=float(rng.uniform(0.01, 1)))
    for law in (load_law("shared"), load_law("independent:magnitude_correlation=1/2")):
        bound = hard_threshold_bound(law, objective)
        for sae in (base, JumpReluSae(base, np.abs(rng.normal(size=n))), TopKSae(base, 1)):
            assert expected_loss(law, sae, objective).total >= bound.value - bound.error


def test_where_it_is_not_known() -> None:
    """Laws that lie to one side, on points, or with signs of unequal chances."""
    penalty = Objective(0, l0=0.1)
    for law in (
        independent_features(2, "1/2", magnitude={"uniform": [0, 1]}),
        load_law("two-features:both=1/2,first_alone=1/2"),
        load_law({"sets": [2, 2], "probabilities": [["1/2", 0], [0, "1/2"]]}),
        independent_features(2, "1/2", noise="1/10"),
    ):
        assert hard_threshold_bound(law, penalty).by == "trivial"


def test_beside_an_l1_penalty_the_better_of_the_two_counts() -> None:
    law = load_law("shared")
    both = hard_threshold_bound(law, Objective(0.5, l0=0.001))
    assert both.value == lower_bound(law, Objective(0.5), 1).value
    assert hard_threshold_bound(law, Objective(1e-4, l0=0.5)).by == "l0 bound"


def test_the_profile_is_its_own_integral() -> None:
    profile = HardThresholdProfile(0.49)
    assert profile.kink == pytest.approx(0.7)
    for r in (0.3, 0.7, 2.0):
        t = np.linspace(0, r, 200_001)
        values = np.minimum(t * t, 0.49) * t
        assert profile.integral(r) == pytest.approx(np.trapezoid(values, t), rel=1e-8)
