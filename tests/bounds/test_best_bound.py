"""Bounds of the width, and the best of all bounds: below every SAE, as good as each."""

from typing import Any

import numpy as np
import pytest

from solvers import Objective, Sae, expected_loss
from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.architectures import GatedSae, JumpReluSae, TopKSae
from solvers.bounds.best_bound import best_bound
from solvers.bounds.hard_threshold_bound import hard_threshold_bound
from solvers.bounds.radial_bound import lower_bound
from solvers.bounds.width_bound import width_bound
from solvers.laws.arrays import law_arrays
from solvers.losses.batch_threshold import batch_threshold
from tests.random_cases import random_specification
from theory import Law, independent_features, law_from_dict, load_law

HEDGING = "two-features:first_alone=0.2,both=0.05"


@pytest.mark.parametrize("seed", range(6))
def test_principal_components_attain_the_width_bound(seed: int) -> None:
    """An SAE that is linear on the data, its biases large, reconstructs an affine subspace."""
    rng = np.random.default_rng(seed)
    law = law_from_dict(random_specification(rng))
    arrays = law_arrays(law)
    for n in range(1, law.dimension + 2):
        _, vectors = np.linalg.eigh(arrays.second_moment - np.outer(arrays.mean, arrays.mean))
        W_dec = np.zeros((n, law.dimension))
        rows = min(n, law.dimension)
        W_dec[:rows] = vectors.T[::-1][:rows]
        shift = 100.0
        b_dec = arrays.mean - (W_dec.sum(axis=0) * shift)
        b_enc = shift - W_dec @ arrays.mean
        loss = expected_loss(law, Sae(W_dec.T, b_enc, W_dec, b_dec), Objective(0.0)).total
        bound = width_bound(arrays, n)
        assert bound.value == pytest.approx(loss, abs=1e-9 * arrays.spread)
        assert (bound.by == "width bound") == (n < law.dimension)


def test_feature_hedging() -> None:
    """E x xᵀ - E x E xᵀ by hand."""
    law = load_law(HEDGING)
    first, second, both = 0.25, 0.05, 0.05
    covariance = [
        [first - first**2, both - first * second],
        [both - first * second, second - second**2],
    ]
    least = np.linalg.eigvalsh(covariance)[0]
    assert width_bound(law_arrays(law), 1).value == pytest.approx(least, rel=1e-12)
    assert least == pytest.approx(0.0380882, abs=2e-7)
    objective = Objective(0.001, sparsity="decoder-norm", decoder="free")
    bound = best_bound(law, 1, objective)
    assert bound.by == "width bound and radial bound"
    # The best known SAE.
    assert least + 1e-4 < bound.value - bound.error < 0.0383427


OBJECTIVES: list[dict[str, Any]] = [
    {"l1": 0.0},
    {"l1": 0.2},
    {"l1": 0.05, "sparsity": "decoder-norm", "decoder": "free"},
    {"l1": 0.05, "decoder": "free"},
    {"l1": 0.05, "decoder": "free", "weight_decay": 0.01},
    {"l1": 0.05, "weight_decay": 0.01},
    {"l1": 0.0, "l0": 0.1},
    {"l1": 0.1, "l0": 0.1},
    {"l1": 0.05, "l0": 0.02, "decoder": "free"},
    {"l1": 0.1, "l0": 0.05, "prefixes": (1, 2)},
    {"l1": 0.1, "prefixes": (1, 2), "prefix_weights": (0.3, 0.1)},
    {"l1": 0.1, "reconstruction": "relative"},
]
LAWS = [load_law("shared"), load_law("independent:onehot_probability=1/4"), load_law(HEDGING)]


@pytest.mark.parametrize("fields", OBJECTIVES, ids=str)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_no_sae_is_below_it(law: Law, fields: dict[str, Any]) -> None:
    rng, objective = np.random.default_rng(0), Objective(**fields)
    for n in (1, 2):
        if objective.prefixes and n != objective.prefixes[-1]:
            continue
        bounds = {
            architecture: best_bound(law, n, objective, architecture)
            for architecture in (Architecture(), Architecture("topk", 1),
                                 Architecture("batchtopk", 0.5))
        }  # fmt: skip
        for _ in range(3):
            base = _random(rng, law, n, objective)
            saes: list[tuple[Architecture, Any]] = [(Architecture(), base)]
            if objective.reconstruction == "squared" and not objective.weight_decay:
                W_gate, b_gate = base.W_enc + 0.1, base.b_enc - 0.1
                theta = batch_threshold(law_arrays(law), base.W_enc, base.b_enc, 0.5)
                saes += [
                    (Architecture(), JumpReluSae(base, np.abs(rng.normal(size=n)))),
                    (Architecture(), GatedSae(base, W_gate, b_gate)),
                    (Architecture("topk", 1), TopKSae(base, 1)),
                    (Architecture("batchtopk", 0.5), JumpReluSae(base, np.full(n, theta))),
                ]
            for architecture, sae in saes:
                bound = bounds[architecture]
                assert expected_loss(law, sae, objective).total >= bound.value - bound.error


def _random(rng: np.random.Generator, law: Law, n: int, objective: Objective) -> Sae:
    W_dec = rng.normal(size=(n, law.dimension))
    if objective.decoder == "unit":
        W_dec /= np.linalg.norm(W_dec, axis=1, keepdims=True)
    reads = W_dec.T * rng.normal(1, 0.3, n)
    b_enc, b_dec = 0.1 * rng.normal(size=n), 0.1 * rng.normal(size=law.dimension)
    return Sae(reads, b_enc, W_dec, b_dec)


@pytest.mark.parametrize("l1", [1e-3, 0.1, 1.0])
def test_as_good_as_each(l1: float) -> None:
    """And better than both where neither part of the loss can be had for nothing."""
    law, arrays = LAWS[1], law_arrays(LAWS[1])
    for l0 in (0.0, 0.05):
        objective = Objective(l1, l0=l0)
        others = [lower_bound(law, Objective(l1), 1), hard_threshold_bound(law, objective)]
        for n, better in ((1, True), (2, False)):
            bound = best_bound(law, n, objective)
            least = max(one.value for one in [*others, width_bound(arrays, n)])
            assert bound.value >= least - bound.error
            assert (bound.value > least * 1.0005) == better


def test_prefixes_that_are_narrow_add_their_width() -> None:
    """The first prefix is bounded by its width, the last by what sparsity costs."""
    law = load_law("independent")
    both = best_bound(law, 2, Objective(0.1, prefixes=(1, 2)))
    narrow = width_bound(law_arrays(law), 1).value
    wide = best_bound(law, 2, Objective(0.1)).value
    assert both.value >= narrow + wide - 1e-12
    # With weights v the penalty counts less: v bound(λ/v).
    weighted = best_bound(law, 2, Objective(0.1, prefixes=(2,), prefix_weights=(4.0,)))
    at_quarter = best_bound(law, 2, Objective(0.025)).value
    assert weighted.value == pytest.approx(4 * at_quarter, rel=1e-12)


def test_few_latents_on_average_bound_the_reconstruction() -> None:
    """One dimension, x uniform on [-1, 1], k = 1/2: the half with small |x| is given up.

    E min(x², κ) - κ/2 is largest at κ = 1/4, where it is 1/24 = E x² 1{|x| < 1/2}.
    """
    law = load_law({"sets": [2], "embedding": [[1], [-1]]})
    bound = best_bound(law, 2, Objective(0.0), Architecture("batchtopk", 0.5))
    assert bound.by == "l0 bound"
    assert bound.value == pytest.approx(1 / 24, rel=1e-3)
    assert bound.value <= 1 / 24 + 1e-15
    theta = JumpReluSae(Sae([[1, -1]], [0, 0], [[1], [-1]], [0]), [0.5, 0.5])
    assert expected_loss(law, theta, Objective(0.0)).total == pytest.approx(1 / 24, rel=1e-12)


@pytest.mark.parametrize(
    "law",
    [
        pytest.param(load_law({"sets": [1, 1, 1]}), marks=pytest.mark.slow),
        independent_features(2, "1/2", magnitude={"normal": [1, "1/5"]}),
        pytest.param(independent_features(2, "1/2", noise="1/10"), marks=pytest.mark.slow),
    ],
    ids=["cubes", "normals", "noise"],
)
def test_every_law_has_one(law: Law) -> None:
    assert best_bound(law, 1, Objective(0.1)).by.startswith("width bound and radial bound")


def test_of_one_point_nothing_is_left() -> None:
    point = load_law({"features": 1, "firing": 1, "magnitude": {"constant": 1}})
    assert best_bound(point, 1, Objective(0.1)).value == pytest.approx(0.0, abs=1e-12)


def test_a_prefix_or_k_beyond_the_width_is_refused() -> None:
    with pytest.raises(ValueError, match="prefixes: expected the width 3 as the last prefix"):
        best_bound(LAWS[0], 3, Objective(0.1, prefixes=(1, 2)))
    with pytest.raises(ValueError, match="k: expected at most 2"):
        best_bound(LAWS[0], 2, Objective(0.1), Architecture("topk", 3))
