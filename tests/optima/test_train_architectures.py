"""Training TopK, BatchTopK, JumpReLU and Matryoshka SAEs."""

from typing import Any

import numpy as np
import pytest

from solvers import InputError, Objective, Schedule, expected_loss, train
from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.architectures import JumpReluSae, TopKSae
from solvers.autoencoders.initialisation import initial_weights
from solvers.laws.samples import Sampler
from solvers.losses.solution import zero_code
from theory import independent_features, load_law

SHARED = load_law("shared")
FREE = Objective(l1=0.0)
MATRYOSHKA = Objective(l1=0.0, prefixes=(1, 2, 4))
SHORT = Schedule(samples=60_000, batch=200, rate=0.02)
CASES: dict[str, tuple[Architecture, Objective, str]] = {
    "jumprelu": (Architecture("jumprelu"), Objective(l1=0.0, l0=0.1), "JumpReLU"),
    "topk": (Architecture("topk", 1), FREE, "TopK"),
    "batchtopk": (Architecture("batchtopk", 1.5), FREE, "JumpReLU"),
    "matryoshka": (Architecture("batchtopk", 2), MATRYOSHKA, "JumpReLU"),
    "relu with prefixes": (Architecture(), Objective(l1=0.1, prefixes=(1, 2, 4)), "ReLU"),
    "topk with prefixes": (Architecture("topk", 2), MATRYOSHKA, "TopK"),
}


@pytest.mark.parametrize(("architecture", "objective", "kind"), CASES.values(), ids=CASES.keys())
def test_training_lowers_the_exact_loss(
    architecture: Architecture, objective: Objective, kind: str
) -> None:
    result = train(SHARED, 4, objective, SHORT, architecture=architecture, instances=6)
    totals = np.array([loss.total for loss in result.losses])
    # Of nothing learnt; instances whose latents all died stay there.
    nothing = zero_code(SHARED, 4, objective).loss.total
    assert totals.min() < 0.7 * nothing
    assert totals.max() < 1.001 * nothing
    for sae, loss in zip(result.saes, result.losses, strict=True):
        assert sae.architecture == kind
        np.testing.assert_allclose(sae.decoder_norms, 1, atol=1e-12)
        assert loss == expected_loss(SHARED, sae, objective)
    again = train(SHARED, 4, objective, SHORT, architecture=architecture, instances=6)
    assert again.losses == result.losses
    other = train(SHARED, 4, objective, SHORT, architecture=architecture, instances=6, seed=1)
    assert other.losses != result.losses


@pytest.mark.parametrize("name", ["topk", "jumprelu"])
@pytest.mark.parametrize("prefixes", [(), (1, 3, 4)])
def test_the_exact_loss_against_samples(name: str, prefixes: tuple[int, ...]) -> None:
    """The exact loss of what was trained, its prefixes in loops, within 4.5 standard errors."""
    architecture, objective, _ = CASES[name]
    objective = Objective(0.05, l0=objective.l0, prefixes=prefixes)
    sae = train(SHARED, 4, objective, SHORT, architecture=architecture).saes[0]
    x = Sampler(SHARED)(np.random.default_rng(7), 200_000)
    f = sae.activations(x)
    each = 0.05 * f.sum(axis=1) + objective.l0 * (f > 0).sum(axis=1)
    for end in prefixes or (4,):
        each += np.square(x - sae.b_dec - f[:, :end] @ sae.W_dec[:end]).sum(axis=1)
    error = each.std() / np.sqrt(len(x))
    assert abs(each.mean() - expected_loss(SHARED, sae, objective).total) < 4.5 * error


def test_thresholds_of_jumprelu_rise_and_are_not_negative() -> None:
    architecture, objective, _ = CASES["jumprelu"]
    schedule = Schedule(samples=40_000, batch=200, rate=0.02, initial_threshold=0.0)
    for sae in train(SHARED, 3, objective, schedule, architecture=architecture, instances=4).saes:
        assert isinstance(sae, JumpReluSae)
        assert sae.threshold.min() >= 0
        assert sae.threshold.max() > 0.05


def test_the_threshold_of_batchtopk_is_the_average_of_the_least_kept() -> None:
    """One step: the share times the (k·B)-th largest pre-activation of the first batch."""
    schedule = Schedule(samples=50, batch=50, threshold_rate=0.25)
    architecture = Architecture("batchtopk", 0.6)
    result = train(SHARED, 4, FREE, schedule, architecture=architecture, seed=9)
    rng = np.random.default_rng(9)
    weights = initial_weights("kaiming", rng, 1, 2, 4)
    p = np.sort((Sampler(SHARED)(rng, 50) @ weights.W_enc[0]).ravel())
    (sae,) = result.saes
    assert isinstance(sae, JumpReluSae)
    np.testing.assert_allclose(sae.threshold, 0.25 * p[-30], rtol=1e-14)


def test_batchtopk_fires_k_latents_on_average() -> None:
    schedule = Schedule(samples=400_000, batch=500, rate=0.01)
    independent = load_law("independent")
    architecture = Architecture("batchtopk", 1.5)
    (loss,) = train(independent, 4, FREE, schedule, architecture=architecture).losses
    assert loss.l0 == pytest.approx(1.5, abs=0.1)


def test_topk_finds_an_exact_code_where_there_is_one() -> None:
    """With k = 2 every frame reconstructs the second data set."""
    schedule = Schedule(samples=300_000, batch=500, rate=0.02)
    result = train(
        load_law("independent"), 4, FREE, schedule, architecture=Architecture("topk", 2),
        instances=4,
    )  # fmt: skip
    assert min(loss.total for loss in result.losses) < 1e-3
    assert all(isinstance(sae, TopKSae) and sae.k == 2 for sae in result.saes)


@pytest.mark.parametrize("name", ["jumprelu", "topk", "batchtopk"])
def test_an_interrupted_run_keeps_what_it_has(name: str) -> None:
    def stop(done: int, total: int) -> None:
        if done == 100:
            raise KeyboardInterrupt

    architecture, objective, kind = CASES[name]
    cut = train(SHARED, 4, objective, SHORT, architecture=architecture, progress=stop)
    assert (cut.steps, cut.interrupted) == (100, True)
    assert cut.saes[0].architecture == kind
    assert np.isfinite(cut.losses[0].total)


CUBES = independent_features(3, "1/2", magnitude={"uniform": [0, 1]})
TOPK = Architecture("topk", 1)
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"architecture": Architecture("gated")}, "architecture: expected one of relu, jumprelu"),
    ({"architecture": Architecture("topk", 5)}, "k: expected at most 4, the number of latents"),
    ({"architecture": TOPK, "objective": Objective(0, prefixes=(1, 2))},
     "prefixes: expected the width 4 as the last prefix"),
    ({"objective": Objective(0.1, prefixes=(1, 2))}, "prefixes: expected the width 4"),
    ({"architecture": TOPK, "objective": Objective(0, l0=0.1)},
     "l0: expected 0 for training without thresholds, got 0.1"),
    ({"architecture": TOPK, "objective": Objective(0, "relative")}, "reconstruction: expected"),
    ({"architecture": TOPK, "objective": Objective(0, weight_decay=1)}, "weight_decay: expected"),
    ({"architecture": TOPK, "schedule": Schedule(tie_b_dec=True)}, "tie_b_dec: expected False"),
    ({"architecture": TOPK, "law": CUBES}, "law: expected at most two uniform"),
    ({"architecture": Architecture("batchtopk", 0.1), "schedule": Schedule(batch=4)},
     "batch: expected samples enough that one latent of a batch fires, got 4"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=lambda one: str(one)[:40])
def test_what_cannot_be_trained_is_refused_at_once(given: dict[str, Any], message: str) -> None:
    def trained(done: int, total: int) -> None:
        raise AssertionError("a step was taken")

    settings = {"law": SHARED, "n_latents": 4, "objective": FREE, "progress": trained} | given
    with pytest.raises(InputError, match=message):
        train(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bandwidth": 0}, "bandwidth: expected a finite number > 0, got 0"),
        ({"bandwidth": float("nan")}, "bandwidth: expected a finite number > 0, got nan"),
        ({"initial_threshold": -1}, "initial_threshold: expected a finite number ≥ 0"),
        ({"threshold_rate": 0}, "threshold_rate: expected a number above 0 and up to 1"),
        ({"threshold_rate": 2}, "threshold_rate: expected a number above 0 and up to 1"),
    ],
)
def test_schedule_refuses(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Schedule(**settings)
