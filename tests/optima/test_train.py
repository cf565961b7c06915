"""The trainer: its gradient, its constraints, its seed, and what it finds."""

import json
from pathlib import Path

import numpy as np
import pytest

from solvers import InputError, Objective, Sae, expected_loss_and_gradient, load_checkpoint
from solvers.autoencoders.initialisation import Weights
from solvers.cli.main import main
from solvers.laws.arrays import law_arrays
from solvers.laws.samples import Sampler
from solvers.optima.sampled_gradients import sampled_gradient
from solvers.optima.train import Schedule, train
from theory import load_law, one_hot_sets

LAW = load_law("independent:onehot_probability=0.25")


@pytest.mark.parametrize(
    "objective",
    [
        Objective(l1=0.2),
        Objective(l1=0.2, sparsity="decoder-norm", decoder="free", weight_decay=0.1),
    ],
)
def test_the_sampled_gradient_is_the_exact_one_on_average(objective: Objective) -> None:
    rng = np.random.default_rng(0)
    arrays = (
        rng.normal(size=(2, 3)),
        rng.normal(size=3),
        rng.normal(size=(3, 2)),
        rng.normal(size=2),
    )
    weights = Weights(*(array[None] for array in arrays))
    sampler = Sampler(LAW)
    batches = [
        np.concatenate([part.ravel() for part in sampled_gradient(weights, x, objective).weights])
        for x in (sampler(rng, 2000) for _ in range(200))
    ]
    exact = expected_loss_and_gradient(LAW, Sae(*arrays), objective).gradient
    truth = np.concatenate([part.ravel() for part in exact])
    error = np.std(batches, axis=0) / np.sqrt(len(batches)) + 1e-12
    assert np.abs((np.mean(batches, axis=0) - truth) / error).max() < 4.5


def test_the_relative_gradient_by_differences_on_the_same_samples() -> None:
    rng = np.random.default_rng(1)
    weights = Weights(
        rng.normal(size=(1, 2, 3)), rng.normal(size=(1, 3)), rng.normal(size=(1, 3, 2)),
        rng.normal(size=(1, 2)),
    )  # fmt: skip
    objective = Objective(l1=0.2, reconstruction="relative")
    x = np.vstack([rng.normal(size=(50, 2)), np.zeros((1, 2))])

    def loss() -> float:
        sae = Sae(*(array[0] for array in weights))
        squared = np.square(x - sae.reconstruction(x)).sum(axis=1)
        norms = np.square(x).sum(axis=1)
        relative = np.divide(squared, norms, out=np.zeros(len(x)), where=norms > 0)
        return float((relative + 0.2 * sae.activations(x).sum(axis=1)).mean())

    gradient = sampled_gradient(weights, x, objective).weights
    for array, slope in zip(weights, gradient, strict=True):
        for index in np.ndindex(array.shape):
            totals = []
            for step in (1e-6, -2e-6):
                array[index] += step
                totals.append(loss())
            array[index] += 1e-6
            assert slope[index] == pytest.approx((totals[0] - totals[1]) / 2e-6, abs=1e-7)


def test_samples_have_the_laws_moments() -> None:
    law = one_hot_sets((2, 3), magnitude_correlation=0.3, onehot_probability=0.4)
    arrays = law_arrays(law)
    x = Sampler(law)(np.random.default_rng(0), 400_000)
    error = x.std(axis=0) / np.sqrt(len(x))
    assert np.all(np.abs(x.mean(axis=0) - arrays.mean) < 4.5 * error)
    np.testing.assert_allclose(x.T @ x / len(x), arrays.second_moment, atol=4e-3)


def test_same_seed_same_result() -> None:
    short = Schedule(samples=5000, batch=100)
    one, other, third = (
        train(LAW, 3, Objective(l1=0.1), short, instances=2, seed=seed) for seed in (5, 5, 6)
    )
    assert one.losses == other.losses
    np.testing.assert_array_equal(one.saes[1].W_enc, other.saes[1].W_enc)
    assert one.losses != third.losses
    assert one.losses[0] != one.losses[1]


def test_some_instances_find_the_diagonal_and_some_absorb_a_ray() -> None:
    optimum = 0.0682401409
    schedule = Schedule(samples=500_000, rate=0.02, batch=512)
    result = train(load_law("shared"), 4, Objective(l1=0.1), schedule, instances=16)
    totals = np.array([loss.total for loss in result.losses])
    assert (np.abs(totals - optimum) < 1e-4).any()
    assert totals.min() >= optimum - 1e-10
    absorbed = [
        np.linalg.norm(sae.b_dec) > 0.5
        for sae, total in zip(result.saes, totals, strict=True)
        if 0.12 < total < 0.13
    ]
    assert len(absorbed) >= 3
    assert all(absorbed)
    for sae in result.saes:
        np.testing.assert_allclose(sae.decoder_norms, 1, atol=1e-12)


def test_tied_b_dec_keeps_the_relative_loss_finite() -> None:
    objective = Objective(l1=0.1, reconstruction="relative")
    schedule = Schedule(samples=200_000, tie_b_dec=True, initialisation="tied")
    result = train(load_law("shared"), 4, objective, schedule, instances=3)
    assert all(np.isfinite(loss.total) for loss in result.losses)
    free = train(load_law("shared"), 4, objective, Schedule(samples=200_000))
    assert free.losses[0].total == np.inf


def test_an_interrupted_run_keeps_what_it_has() -> None:
    def stop(done: int, total: int) -> None:
        if done == 200:
            raise KeyboardInterrupt

    schedule = Schedule(samples=100_000, batch=100)
    cut = train(LAW, 2, Objective(l1=0.1), schedule, progress=stop)
    assert (cut.steps, cut.interrupted) == (200, True)
    assert np.isfinite(cut.losses[0].total)


def test_the_rate_rises_and_falls() -> None:
    schedule = Schedule(samples=1000, batch=10, rate=1.0, warmup=0.1, cooldown=0.2)
    rates = [schedule.rate_at(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert set(rates[9:80]) == {1.0}
    assert rates[-1] == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 0}, "samples: expected a whole number ≥ 1"),
        ({"batch": 1.5}, "batch: expected a whole number"),
        ({"rate": 0}, "rate: expected a finite number > 0, got 0"),
        ({"rate": float("nan")}, "rate: expected a finite number > 0, got nan"),
        ({"beta1": 1.0}, "beta1: expected a number from 0 to below 1"),
        ({"beta2": float("nan")}, "beta2: expected a number"),
        ({"warmup": -0.1}, "warmup: expected a number"),
        ({"initialisation": "zeros"}, "initialisation: expected one of kaiming, tied"),
    ],
)
def test_schedule_refuses(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Schedule(**settings)  # type: ignore[arg-type]


def test_a_rate_that_explodes_is_an_error() -> None:
    schedule = Schedule(samples=20_000, rate=1e200)
    with pytest.raises(InputError, match="rate: expected one at which training is stable"):
        train(LAW, 2, Objective(l1=0.1, decoder="free", sparsity="decoder-norm"), schedule)


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments = ["train", "shared", "--latents", "4", "--l1", "0.1", "--samples", "20000",
                 "--instances", "2", "--save", str(tmp_path)]  # fmt: skip
    assert main([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert len(document["instances"]) == 2
    sae = load_checkpoint(tmp_path / "sae_1.npz")
    assert sae.W_dec.tolist() == document["instances"][1]["decoder"]
    assert main(arguments) == 0
    assert f"{document['instances'][0]['total']:.9g}" in capsys.readouterr().out
    for bad, message in (
        (["--rate", "-1"], "--rate: expected a finite number > 0"),
        (["--instances", "0"], "--instances: expected a whole number"),
        (["--save", str(tmp_path / "sae_1.npz")], "cannot be written"),
    ):
        assert main([*arguments, *bad]) == 2
        err = capsys.readouterr().err
        assert message in err
        assert err.count("\n") == 1
