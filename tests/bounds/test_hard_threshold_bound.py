"""What no SAE beats under an l0 penalty: E min(‖x‖², λ₀), where symmetry and shape allow it."""

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
import sympy

from solvers import Objective, Sae, Search, expected_loss, minimize_loss, sample
from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.architectures import JumpReluSae, TopKSae
from solvers.autoencoders.frames import frame_sae
from solvers.bounds import hard_threshold_bound as module
from solvers.bounds.hard_threshold_bound import hard_threshold_bound
from solvers.bounds.profile_means import HardThresholdProfile
from solvers.bounds.radial_bound import lower_bound
from solvers.laws.arrays import law_arrays
from tests.law_maps import moved_law
from tests.oracles.expected_losses import OracleComponent
from tests.oracles.laws import components_from_specification
from tests.random_cases import random_specification
from theory import Component, Law, independent_features, law_from_dict, load_law

Array = np.ndarray


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


MOVED = moved_law(load_law("independent:onehot_probability=1/4"), shift=(3, -1))
LOPSIDED = load_law({"sets": [2, 2], "probabilities": [["1/2", 0], [0, "1/2"]]})
FIVE = independent_features(5, "2/5", magnitude={"constant": 1})
TWO = load_law("two-features:both=1/2,first_alone=1/4")


@pytest.mark.parametrize("l0", [0.03, 0.4, 1.5])
@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_least_over_a_grid_of_biases(seed: int, l0: float) -> None:
    """Of random laws in the plane, lopsided, on points, segments and parallelograms."""
    rng = np.random.default_rng(seed)
    specification = random_specification(rng)
    rows = sum(specification["sets"])
    specification["embedding"] = (rng.integers(-16, 17, size=(rows, 2)) / 16).tolist()
    law = law_from_dict(specification)
    x, weight = _midpoint_grid(components_from_specification(specification), 24)
    reach = np.abs(x).max(axis=0)
    least = min(
        weight @ np.minimum(((x - b) ** 2).sum(axis=1), l0)
        for b in np.stack(np.meshgrid(*(np.linspace(-r, r, 41) for r in reach)), -1).reshape(-1, 2)
    )
    bound = hard_threshold_bound(law, Objective(0, l0=l0))
    # The grid of x is good to its own cells, that of b to the square of its own.
    assert bound.value - bound.error <= least + 2e-3 * l0
    slack = ((reach / 40) ** 2).sum()
    assert bound.value >= (1 - 2e-5) * least - slack - 2e-3 * l0


def _midpoint_grid(components: Sequence[OracleComponent], n: int) -> tuple[Array, Array]:
    points, weights = [], []
    for part in components:
        matrix, offset = np.array(part.matrix, dtype=float), np.array(part.offset, dtype=float)
        k = matrix.shape[1] if matrix.size else 0
        u = np.array(list(product((np.arange(n) + 0.5) / n, repeat=k))).reshape(n**k, k)
        points.append(offset + (u @ matrix.T if k else 0 * offset))
        weights.append(np.full(n**k, float(part.probability) / n**k))
    return np.vstack(points), np.concatenate(weights)


def test_boxes_agree_with_the_theorem_where_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("shared", "independent:onehot_probability=1/3"):
        for l0 in (0.05, 0.7):
            exact = hard_threshold_bound(load_law(name), Objective(0, l0=l0))
            moved = moved_law(load_law(name), shift=(3, -1))
            with monkeypatch.context() as patched:
                patched.setattr(module, "_is_unimodal", lambda *_: False)
                searched = hard_threshold_bound(moved, Objective(0, l0=l0))
            assert searched.value - searched.error <= exact.value + exact.error
            assert searched.value == pytest.approx(exact.value, rel=2e-5)


@pytest.mark.parametrize(
    "law", [MOVED, LOPSIDED, FIVE, TWO], ids=["moved", "signs", "five", "two"]
)
def test_no_jump_relu_sae_is_below_it(law: Law) -> None:
    rng, spread = np.random.default_rng(0), law_arrays(law).spread
    for l0 in (0.02, 0.2):
        for l1 in (0.0, 0.1):
            objective = Objective(l1, l0=l0 * spread)
            bound = hard_threshold_bound(law, objective, budget=10**7)
            assert bound.value > 0
            for _ in range(10):
                W_dec = rng.normal(size=(3, law.dimension))
                W_dec /= np.linalg.norm(W_dec, axis=1, keepdims=True)
                b_dec = law_arrays(law).mean + 0.5 * rng.normal(size=law.dimension)
                base = Sae(W_dec.T, -W_dec @ b_dec, W_dec, b_dec)
                sae = JumpReluSae(base, np.abs(rng.normal(scale=0.5, size=3)))
                assert expected_loss(law, sae, objective).total >= bound.value - bound.error


@pytest.mark.slow
@pytest.mark.parametrize(
    "law", [MOVED, LOPSIDED, FIVE, TWO], ids=["moved", "signs", "five", "two"]
)
@pytest.mark.parametrize("l1", [0.0, 0.05])
def test_nor_is_the_best_one_found(law: Law, l1: float) -> None:
    objective = Objective(l1, l0=0.1)
    best = minimize_loss(law, 3, objective, Search(starts=6, limit=6),
                         architecture=Architecture("jumprelu"))  # fmt: skip
    bound = hard_threshold_bound(law, objective)
    assert best.total >= bound.value - bound.error


def test_rays_about_a_bias_attain_it() -> None:
    """Points at 0, (√½, √½) and, half the time, (√2, 0) = b; each of the others has a latent."""
    b = np.array([np.sqrt(2), 0.0])
    atoms = np.array([[-np.sqrt(0.5), np.sqrt(0.5)], [-1.0, 0.0]])
    # The first reads the height alone: along its atom 0 is as far as its own point.
    reads = np.array([[0.0, np.sqrt(2)], [-1.0, 0.0]])
    base = Sae(reads.T, -reads @ b, atoms, b)
    sae = JumpReluSae(base, [0.9, 1.3])
    objective = Objective(0, l0=0.2)
    bound = hard_threshold_bound(TWO, objective)
    assert bound.value == pytest.approx(0.1, rel=1e-12)
    assert expected_loss(TWO, sae, objective).total == pytest.approx(0.1, rel=1e-12)


def test_by_hand_on_binary_features() -> None:
    """b at the likeliest of the 32 points, the origin; the others are 1 away at least."""
    bound = hard_threshold_bound(FIVE, Objective(0, l0=0.5))
    assert bound.value == pytest.approx(0.5 * (1 - 0.6**5), rel=1e-12)


@pytest.mark.parametrize(
    "law",
    [load_law({"sets": [2, 2, 2], "embedding": np.vstack([np.eye(3), -np.eye(3)])[
        [0, 3, 1, 4, 2, 5]].tolist()}),
     Law((Component(sympy.Integer(1), sympy.ImmutableMatrix([[1, 0], [0, 2]]) / 2,
                    sympy.zeros(2, 1), "normal"),))],
    ids=["cubes", "normal"],
)  # fmt: skip
def test_solid_laws_about_a_centre(law: Law) -> None:
    """From below, by cells, at the centre, to two per cent."""
    x = sample(law, 100_000, 1)
    for l0 in (0.05, 0.5):
        bound = hard_threshold_bound(law, Objective(0, l0=l0))
        values = np.minimum((x**2).sum(axis=1), l0)
        error = values.std() / np.sqrt(len(x))
        assert bound.value <= values.mean() + 4 * error
        assert bound.value >= 0.98 * values.mean() - 4 * error


def test_points_far_apart_in_many_dimensions() -> None:
    """Ten binary features, 1024 points; boxes alone would not do."""
    law = independent_features(10, "1/5", magnitude={"constant": 1})
    for l0 in (0.1, 0.25):
        bound = hard_threshold_bound(law, Objective(0, l0=l0))
        assert bound.value == pytest.approx(l0 * (1 - 0.8**10), rel=1e-12)
    # Further on balls hold several points, and at most those at distance 1 of the likeliest.
    bound = hard_threshold_bound(law, Objective(0, l0=0.3), budget=1)
    held = 0.8**10 + 10 * 0.8**9 * 0.2
    assert 0.3 * (1 - held) * (1 - 1e-9) <= bound.value < 0.3 * (1 - 0.8**10)


@pytest.mark.parametrize(
    "law",
    [
        independent_features(2, "1/2", noise="1/10"),
        load_law({"sets": [1, 1, 1]}),
        load_law({"sets": [2, 2, 1], "embedding": np.eye(5)[:, :4].tolist()}),
        load_law({"sets": [3, 3]}),
        # A parallelogram that is a segment, and a law flatter than its space.
        load_law({"sets": [1, 1], "embedding": [[1, 1], [2, 2]]}),
        load_law({"sets": [1, 1], "embedding": [[1, 1, 0], [0, 1, 1]]}),
    ],
    ids=["noise", "cubes", "cubes in R4", "R6", "thin", "flat"],
)
@pytest.mark.parametrize("l0", [0.05, 0.4])
def test_whatever_the_law_no_bias_is_below_it(law: Law, l0: float) -> None:
    x, rng = sample(law, 20_000, 1), np.random.default_rng(0)
    bound = hard_threshold_bound(law, Objective(0, l0=l0), budget=10**6)
    assert bound.value > 0.02 * l0
    for b in [law_arrays(law).mean, *x[:30], *rng.normal(scale=0.4, size=(20, law.dimension))]:
        values = np.minimum(((x - b) ** 2).sum(axis=1), l0)
        assert values.mean() > bound.value - 4 * values.std() / np.sqrt(len(x))


@pytest.mark.parametrize("l0", [0.5, 1.5])
def test_with_no_budget_a_radial_bound_below_it_holds(l0: float) -> None:
    """In R⁶, where boxes are of little use, it is a third of what a good b costs at least."""
    law = load_law({"sets": [3, 3]})
    x, mean = sample(law, 50_000, 0), law_arrays(law).mean
    at_mean = np.minimum(((x - mean) ** 2).sum(axis=1), l0).mean()
    for l1 in (0.0, 0.1):
        bound = hard_threshold_bound(law, Objective(l1, l0=l0), budget=1)
        assert bound.value > at_mean / 3
        if not l1:
            assert bound.value < at_mean * 1.01


def test_it_is_a_bound_whatever_the_budget() -> None:
    values = [
        hard_threshold_bound(MOVED, Objective(0, l0=0.3), budget=budget).value
        for budget in (1, 10**4, 10**5, 10**6, 10**7)
    ]
    assert values == sorted(values)
    assert values[-1] == pytest.approx(values[-2], rel=0.05)


def test_beside_an_l1_penalty_both_count() -> None:
    law = load_law("shared")
    both = hard_threshold_bound(law, Objective(0.5, l0=0.001))
    assert both.value > lower_bound(law, Objective(0.5), 1).value
    assert both.by == "l0 and l1 bound"
    # The diagonal code at thresholds λ/2 + √λ₀, its activations λ/2 short, attains it.
    l1, l0 = 0.2, 0.1
    sae = JumpReluSae(frame_sae(np.pi / 4, l1 / 2), np.full(4, np.sqrt(l0)))
    objective = Objective(l1, l0=l0)
    bound = hard_threshold_bound(law, objective)
    assert expected_loss(law, sae, objective).total == pytest.approx(bound.value, rel=1e-12)


def test_free_atoms_make_an_l1_penalty_vanish() -> None:
    law = load_law("shared")
    free = hard_threshold_bound(law, Objective(0.5, l0=0.1, decoder="free"))
    assert free.value == hard_threshold_bound(law, Objective(0, l0=0.1)).value


@pytest.mark.parametrize("l1", [0.0, 0.6])
def test_the_profile_is_its_own_integral(l1: float) -> None:
    profile = HardThresholdProfile(0.49, l1)
    assert profile.kink == pytest.approx(0.7 + l1 / 2)
    for r in (0.3, 0.7, 2.0):
        t = np.linspace(0, r, 200_001)
        soft = np.where(t < l1 / 2, t * t, l1 * t - l1 * l1 / 4)
        values = np.minimum(t * t, 0.49 + soft) * t
        assert profile.integral(r) == pytest.approx(np.trapezoid(values, t), rel=1e-8)
