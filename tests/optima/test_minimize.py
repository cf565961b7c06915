"""The optimiser against closed forms, and on purpose where it cannot succeed."""

import math
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from solvers import InputError, Objective, Sae, Search, expected_loss, minimize_loss
from solvers.laws.arrays import law_arrays
from solvers.losses.parameters import LossOfVector
from solvers.optima import minimize as module
from theory import load_law

L = 0.1
SHARED = math.sqrt(2) * L / 2 - L**2 / 4 + math.sqrt(2) * L**3 / 48
INDEPENDENT = 2 * math.sqrt(2) * L / 3 - L**2 / 2 + math.sqrt(2) * L**3 / 12 - L**4 / 96


def angles(decoder: list[list[float]]) -> np.ndarray:
    """Return the angles of the atoms from the nearest axis, in degrees."""
    atoms = np.abs(np.array(decoder))
    result: np.ndarray = np.degrees(np.arctan2(atoms.min(axis=1), atoms.max(axis=1)))
    return result


@pytest.mark.parametrize(("name", "total"), [("shared", SHARED), ("independent", INDEPENDENT)])
def test_reaches_the_diagonal_optimum(name: str, total: float) -> None:
    best = minimize_loss(load_law(name), 4, Objective(l1=L))
    assert best.total == pytest.approx(total, abs=1e-9)
    assert best.converged
    np.testing.assert_allclose(angles(best.decoder), 45, atol=0.001)
    np.testing.assert_allclose(best.sae.decoder_norms, 1, rtol=0, atol=4e-16)
    assert min(best.firing) > 0
    assert len({tuple(np.sign(atom)) for atom in best.decoder}) == 4


@pytest.mark.slow
def test_ends_on_the_axes_when_one_set_is_active_most_of_the_time() -> None:
    best = minimize_loss(load_law("independent:onehot_probability=0.75"), 4, Objective(l1=L))
    np.testing.assert_allclose(angles(best.decoder), 0, atol=0.001)
    # Every set alone or both: E h_λ is a sum over the two axes, so only P(active) enters.
    alone = L / 2 - L**2 / 4 + L**3 / 24
    assert best.total == pytest.approx((0.25 * 2 + 0.75) * alone, abs=1e-9)


def test_the_radial_bound_is_attained_on_the_first_data_set() -> None:
    best = minimize_loss(load_law("shared"), 4, Objective(l1=L), Search(starts=8))
    assert abs(best.gap) < 1e-12
    assert best.lower_bound == pytest.approx(SHARED, rel=1e-13)


@pytest.mark.parametrize("amplitude", ["1e-5", "1000", "1e80"])
def test_the_scale_of_the_data_changes_nothing(amplitude: str) -> None:
    law = load_law(f"shared:amplitude={amplitude}")
    size = float(amplitude)
    best = minimize_loss(law, 4, Objective(l1=L * size), Search(starts=8))
    unit = minimize_loss(load_law("shared"), 4, Objective(l1=L), Search(starts=8))
    assert best.total == pytest.approx(SHARED * size**2, rel=1e-9)
    assert best.lower_bound == pytest.approx(SHARED * size**2, rel=1e-9)
    assert [start.converged for start in best.starts] == [s.converged for s in unit.starts]
    np.testing.assert_allclose(best.sae.b_enc, size * unit.sae.b_enc, rtol=1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_gradient_of_the_constrained_vector(seed: int) -> None:
    rng = np.random.default_rng(seed)
    objective = Objective(l1=0.2, weight_decay=0.1, decoder=("unit", "free")[seed % 2])
    loss = LossOfVector(law_arrays(load_law("independent:onehot_probability=0.3")), objective, 3)
    vector = rng.normal(size=3 * 5 + 2)
    value, gradient = loss(vector)
    steps = 1e-6 * np.eye(len(vector))
    differences = [(loss(vector + h)[0] - loss(vector - h)[0]) / 2e-6 for h in steps]
    np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-7)
    sae = loss.sae(vector)
    exact = expected_loss(load_law("independent:onehot_probability=0.3"), sae, objective).total
    assert value == pytest.approx(exact, rel=1e-14)


@pytest.mark.slow
def test_more_latents_never_cost_more() -> None:
    law, objective = load_law("independent"), Objective(l1=L)
    totals = [minimize_loss(law, n, objective, Search(starts=16)).total for n in (3, 4, 6)]
    assert totals[0] > totals[1] > totals[2]


@pytest.mark.slow
def test_decoder_norm_penalty_with_free_atoms_has_the_same_optimum() -> None:
    objective = Objective(l1=L, sparsity="decoder-norm", decoder="free")
    best = minimize_loss(load_law("shared"), 4, objective)
    assert best.total == pytest.approx(SHARED, abs=1e-9)


def test_weight_decay_is_balanced_at_the_optimum() -> None:
    """Rescaling a latent is stationary: ‖d_i‖² - ‖w_i‖² = λ E f_i / (2μ)."""
    law, objective = load_law("shared"), Objective(l1=L, decoder="free", weight_decay=0.003)
    best = minimize_loss(law, 4, objective, Search(starts=8))
    sae = best.sae
    imbalance = sae.decoder_norms**2 - (sae.W_enc**2).sum(axis=0)
    mean_activation = [
        expected_loss(
            law,
            Sae(sae.W_enc[:, [i]], sae.b_enc[[i]], sae.W_dec[[i]], sae.b_dec),
            objective,
        ).l1
        for i in range(4)
    ]
    np.testing.assert_allclose(imbalance, L * np.array(mean_activation) / 0.006, atol=1e-5)


@pytest.mark.slow
def test_same_seed_same_result_whoever_runs_the_starts() -> None:
    law, objective = load_law("independent"), Objective(l1=L)
    here = minimize_loss(law, 3, objective, Search(starts=4, seed=7))
    with ThreadPoolExecutor(2) as threads:
        threaded = minimize_loss(law, 3, objective, Search(starts=4, seed=7, executor=threads))
    with ProcessPoolExecutor(2) as processes:
        elsewhere = minimize_loss(law, 3, objective, Search(starts=4, seed=7, executor=processes))
    other = minimize_loss(law, 3, objective, Search(starts=4, seed=8))
    for result in (threaded, elsewhere):
        assert result.starts == here.starts
        np.testing.assert_array_equal(result.sae.W_dec, here.sae.W_dec)
    assert other.starts != here.starts


def test_a_start_that_does_not_converge_says_so() -> None:
    best = minimize_loss(
        load_law("shared"), 4, Objective(l1=L), Search(starts=3), max_iterations=2
    )
    assert not best.converged
    assert not any(start.converged for start in best.starts)
    assert all(start.gradient > 1e-7 and start.iterations <= 2 for start in best.starts)
    assert "iterations" in best.starts[0].status


def test_long_vectors_use_the_limited_memory_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_DENSE", 0)
    best = minimize_loss(load_law("shared"), 4, Objective(l1=L), Search(starts=8))
    assert best.total == pytest.approx(SHARED, abs=1e-9)


def test_progress_counts_every_start() -> None:
    seen: list[tuple[int, int]] = []
    search = Search(starts=3, progress=lambda *at: seen.append(at), limit=3)
    minimize_loss(load_law("shared"), 1, Objective(l1=L), search)
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_an_interrupted_run_keeps_what_it_has() -> None:
    def stop_after_two(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    law, objective = load_law("shared"), Objective(l1=L)
    cut = minimize_loss(law, 2, objective, Search(starts=6, progress=stop_after_two))
    whole = minimize_loss(law, 2, objective, Search(starts=6))
    assert cut.interrupted
    assert not whole.interrupted
    assert cut.starts == whole.starts[:2]


def test_an_interrupt_before_the_first_start_is_passed_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: Any) -> Iterator[Any]:
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(module, "each_result", interrupted)
    with pytest.raises(KeyboardInterrupt):
        minimize_loss(load_law("shared"), 2, Objective(l1=L))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_latents": 0}, r"n_latents: expected a whole number from 1 to \d+, got 0"),
        ({"n_latents": 10**6}, "n_latents: expected a whole number from 1 to 5000, got 1000000"),
        ({"n_latents": 2.0}, "n_latents: expected a whole number"),
        ({"tolerance": float("nan")}, "tolerance: expected a finite number > 0, got nan"),
        ({"tolerance": "x"}, "tolerance: expected a .*number.*, got 'x'"),
        ({"max_iterations": 0}, "max_iterations: expected"),
        ({"objective": Objective(l1=L, decoder="free")}, "the loss has no minimum"),
    ],
)
def test_refuses(arguments: dict[str, Any], message: str) -> None:
    complete = {"n_latents": 2, "objective": Objective(l1=L), **arguments}
    with pytest.raises(InputError, match=message):
        minimize_loss(load_law("shared"), **complete)
