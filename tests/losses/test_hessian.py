"""Second derivatives against differences of the loss and of its gradient, away from kinks."""

import itertools

import numpy as np
import pytest

from solvers import InputError, Objective, Sae, expected_loss, expected_loss_and_gradient
from solvers.laws.arrays import law_arrays
from solvers.losses.hessian import curvature, kinks, loss_hessian
from solvers.losses.parameters import LossOfVector, pack
from tests.random_cases import random_specification
from theory import Law, law_from_dict, load_law

LAWS = [
    load_law("shared"),
    load_law("independent"),
    load_law("independent:onehot_probability=0.3,magnitude_correlation=0.4,amplitude=2"),
    *(law_from_dict(random_specification(np.random.default_rng(seed))) for seed in range(8)),
]
OBJECTIVES = [
    Objective(0.1),
    Objective(0.3, sparsity="decoder-norm", decoder="free"),
    Objective(0.2, decoder="free", weight_decay=0.05),
]


def random_sae(law: Law, seed: int, unit: bool) -> Sae:
    rng = np.random.default_rng(seed)
    n, d = 5, law.dimension
    W_dec = rng.normal(size=(n, d))
    if unit:
        W_dec /= np.linalg.norm(W_dec, axis=1, keepdims=True)
    return Sae(rng.normal(size=(d, n)), 0.3 * rng.normal(size=n), W_dec, 0.3 * rng.normal(size=d))


def gradient_at(law: Law, objective: Objective, vector: np.ndarray, d: int, n: int) -> np.ndarray:
    W_enc, b_enc, W_dec, b_dec = np.split(vector, np.cumsum([d * n, n, n * d]))
    sae = Sae(W_enc.reshape(d, n), b_enc, W_dec.reshape(n, d), b_dec)
    return pack(expected_loss_and_gradient(law, sae, objective).gradient)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
@pytest.mark.parametrize("number", range(len(LAWS)))
def test_is_the_derivative_of_the_exact_gradient(number: int, objective: Objective) -> None:
    law = LAWS[number]
    sae = random_sae(law, number, objective.decoder == "unit")
    arrays = sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec
    exact = loss_hessian(law_arrays(law), *arrays, objective)
    vector, step = pack(sae), 1e-6
    d, n = sae.W_enc.shape
    differences = np.array([
        gradient_at(law, objective, vector + step * e, d, n)
        - gradient_at(law, objective, vector - step * e, d, n)
        for e in np.eye(len(vector))
    ]) / (2 * step)  # fmt: skip
    np.testing.assert_allclose(exact, exact.T, atol=1e-12)
    assert np.abs(exact - differences).max() <= 1e-5 * np.abs(exact).max()


@pytest.mark.parametrize("objective", [Objective(0.1), Objective(0.2, weight_decay=0.1)], ids=str)
def test_on_the_spheres_it_is_the_second_derivative_of_the_loss(objective: Objective) -> None:
    law = load_law("independent")
    sae = random_sae(law, 3, unit=True)
    loss = LossOfVector(law_arrays(law), objective, sae.d_sae)
    start = loss.vector(sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec)
    bend = curvature(loss, start)
    rng = np.random.default_rng(0)
    for _ in range(5):
        along = rng.normal(size=len(bend.gradient))
        along /= np.linalg.norm(along)
        step = 1e-3

        def total(t: float, direction: np.ndarray = bend.basis @ along) -> float:
            # Normalised atoms leave the tangent along a geodesic, to second order.
            moved = loss.sae(start + t * direction)
            assert np.allclose(moved.decoder_norms, 1)
            return expected_loss(law, moved, objective).total

        first = (total(step) - total(-step)) / (2 * step)
        second = (total(step) - 2 * total(0) + total(-step)) / step**2
        assert first == pytest.approx(along @ bend.gradient, abs=1e-6)
        assert second == pytest.approx(along @ bend.hessian @ along, abs=2e-5)


def test_relative_loss_has_a_difference_in_its_place() -> None:
    law, objective = load_law("shared"), Objective(0.1, "relative")
    sae = random_sae(law, 1, unit=True)
    loss = LossOfVector(law_arrays(law), objective, sae.d_sae)
    start = loss.vector(sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec)
    bend = curvature(loss, start)
    assert len(bend.gradient) == len(start) - sae.d_sae
    step = 1e-4
    for column in bend.basis.T[:4]:
        totals = [loss(start + k * step * column)[0] for k in (-1, 0, 1)]
        second = (totals[0] - 2 * totals[1] + totals[2]) / step**2
        index = int(np.argmax(np.abs(bend.basis.T @ column)))
        assert second == pytest.approx(bend.hessian[index, index], abs=1e-4)
    with pytest.raises(InputError, match="reconstruction: expected 'squared'"):
        loss_hessian(loss.law, sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec, objective)


def test_along_a_kink_the_loss_is_smooth_and_across_it_is_not() -> None:
    law = load_law("shared")
    rays = np.array([[1, 1], [1, -1]]) / np.sqrt(2)
    W_dec = np.array([rays[0], [1.0, 0.0]])
    # Latent 0 reads one diagonal without a bias: on the other its pre-activation is 0.
    sae = Sae(np.column_stack([rays[0], [1.0, 0.3]]), [0.0, -0.2], W_dec, [0.2, 0.1])
    loss = LossOfVector(law_arrays(law), Objective(0.1), 2)
    start = loss.vector(sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec)
    (equations,) = kinks(loss, start, 1e-9)
    assert np.linalg.matrix_rank(equations) == 2
    bend = curvature(loss, start, equations)
    step = 1e-5
    for k, column in enumerate(bend.basis.T):
        totals = [loss(start + t * step * column)[0] for t in (-1, 0, 1)]
        assert (totals[2] - totals[0]) / (2 * step) == pytest.approx(bend.gradient[k], abs=1e-7)
        second = (totals[0] - 2 * totals[1] + totals[2]) / step**2
        assert second == pytest.approx(bend.hessian[k, k], abs=1e-3)
    across = equations[np.abs(equations).sum(axis=1) > 0][0]
    slopes = [(loss(start + t * across)[0] - loss(start)[0]) / t for t in (1e-6, -1e-6)]
    assert abs(slopes[0] - slopes[1]) > 1e-2


def test_law_of_points() -> None:
    law = law_from_dict({"sets": [1, 1], "probabilities": [[0, 0], [0, 1]]})
    sae = random_sae(law, 0, unit=True)
    exact = loss_hessian(
        law_arrays(law), sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec, OBJECTIVES[0]
    )
    # All mass at x = 0: only b_enc, W_dec and b_dec matter.
    assert not exact[: sae.W_enc.size].any()
    on = sae.b_enc > 0
    sums = 2 * np.outer(on, on) * (sae.W_dec @ sae.W_dec.T)
    biases = slice(sae.W_enc.size, sae.W_enc.size + len(on))
    np.testing.assert_allclose(exact[biases, biases], sums, atol=1e-14)
    assert [int(i) for i, _ in itertools.groupby(on.astype(int))]
