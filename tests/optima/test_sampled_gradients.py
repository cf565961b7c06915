"""The gradients that training follows: differences, definitions in loops, and autograd."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from solvers import Objective
from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.initialisation import Weights
from solvers.optima.sampled_gradients import kept, sampled_gradient

Array = NDArray[np.float64]

INSTANCES, SAMPLES, D, N = 2, 40, 3, 4
BANDWIDTH = 0.3
ARCHITECTURES = {
    "relu": Architecture(),
    "topk": Architecture("topk", 2),
    "batchtopk": Architecture("batchtopk", 1.3),
    "jumprelu": Architecture("jumprelu"),
}
OBJECTIVES = {
    "squared": Objective(l1=0.2),
    "free": Objective(l1=0.2, sparsity="decoder-norm", decoder="free", weight_decay=0.1),
    "summed prefixes": Objective(l1=0.2, prefixes=(1, 2, 4)),
    "weighted prefixes": Objective(l1=0.0, prefixes=(2, 3, 4), prefix_weights=(2.0, 0.5, 1.0)),
    "averaged prefixes": Objective(l1=0.1, prefixes=(1, 4), prefix_weights="mean"),
}


def drawn(seed: int) -> tuple[Weights, Array, Array]:
    rng = np.random.default_rng(seed)
    weights = Weights(
        rng.normal(size=(INSTANCES, D, N)), 0.3 * rng.normal(size=(INSTANCES, N)),
        rng.normal(size=(INSTANCES, N, D)), 0.3 * rng.normal(size=(INSTANCES, D)),
    )  # fmt: skip
    return weights, rng.normal(size=(SAMPLES, D)), 0.6 * rng.random((INSTANCES, N))


def kept_by_definition(p: Array, architecture: Architecture, theta: Array) -> set[tuple[int, int]]:
    """Return the places of one instance's pre-activations (B, n) that are kept, by sorting."""
    places = {(s, i) for s in range(len(p)) for i in range(p.shape[1])}
    if architecture.name == "jumprelu":
        return {(s, i) for s, i in places if p[s, i] > theta[i]}
    groups: list[set[tuple[int, int]]] = [places]
    count = len(places)
    if architecture.name == "topk":
        groups = [{(s, i) for i in range(p.shape[1])} for s in range(len(p))]
        count = int(architecture.k or 0)
    if architecture.name == "batchtopk":
        count = int((architecture.k or 0) * len(p))
    chosen = [one for group in groups for one in sorted(group, key=lambda o: -p[o])[:count]]
    return {one for one in chosen if p[one] > 0}


def mean_loss(
    arrays: list[Array], x: Array, objective: Objective, on: set[tuple[int, int]]
) -> float:
    """Return the loss of one instance that keeps what is told, from its definition in loops."""
    W_enc, b_enc, W_dec, b_dec = arrays
    total = 0.0
    for s, sample in enumerate(x):
        f = [sample @ W_enc[:, i] + b_enc[i] if (s, i) in on else 0.0 for i in range(N)]
        ends = objective.prefixes or (N,)
        shares = objective.prefix_weights
        for j, end in enumerate(ends):
            x_hat = b_dec + sum((f[i] * W_dec[i] for i in range(end)), np.zeros(D))
            if isinstance(shares, tuple):
                share = shares[j]
            else:
                share = 1.0 if shares == "sum" else 1.0 / len(ends)
            total += share * float(np.sum((sample - x_hat) ** 2)) / len(x)
        norms = [np.linalg.norm(W_dec[i]) if objective.sparsity != "l1" else 1.0 for i in range(N)]
        total += objective.l1 * sum(a * b for a, b in zip(f, norms, strict=True)) / len(x)
    squares = float(np.sum(W_enc**2) + np.sum(W_dec**2))
    return total + objective.weight_decay * squares


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES.keys())
@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES.keys())
def test_gradients_against_differences(architecture: Architecture, objective: Objective) -> None:
    """What is kept stays the same where the step is this small, but at no seed used here."""
    weights, x, theta = drawn(0)
    threshold = theta if architecture.name == "jumprelu" else None
    gradient = sampled_gradient(weights, x, objective, architecture, threshold).weights
    rng = np.random.default_rng(1)
    for instance in range(INSTANCES):
        arrays = [array[instance].copy() for array in weights]
        for place, array in enumerate(arrays):
            index = tuple(int(rng.integers(size)) for size in array.shape)
            totals = []
            for step in (1e-6, -2e-6):
                array[index] += step
                on = kept_by_definition(x @ arrays[0] + arrays[1], architecture, theta[instance])
                totals.append(mean_loss(arrays, x, objective, on))
            array[index] += 1e-6
            slope = (totals[0] - totals[1]) / 2e-6
            assert gradient[place][instance][index] == pytest.approx(slope, abs=1e-7)


@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES.keys())
def test_what_is_kept_against_sorting(architecture: Architecture) -> None:
    p = np.random.default_rng(2).normal(size=(INSTANCES, SAMPLES, N))
    theta = np.full((INSTANCES, N), 0.4)
    on = kept(p, architecture, theta if architecture.name == "jumprelu" else None)
    for instance in range(INSTANCES):
        expected = kept_by_definition(p[instance], architecture, theta[instance])
        assert {(int(s), int(i)) for s, i in np.argwhere(on[instance])} == expected


@pytest.mark.parametrize(("k", "count"), [(1.0, 40), (1.37, 54), (0.02, 0), (3.99, 159)])
def test_batchtopk_keeps_so_many_of_a_batch(k: float, count: int) -> None:
    p = np.random.default_rng(3).random((INSTANCES, SAMPLES, N)) + 0.1
    # Also where many are alike, as on a law of points.
    for values in (p, np.ones_like(p)):
        on = kept(values, Architecture("batchtopk", k))
        assert on.sum(axis=(1, 2)).tolist() == [count] * INSTANCES


def test_the_least_kept_activation() -> None:
    weights, x, _ = drawn(4)
    found = sampled_gradient(weights, x, Objective(0), Architecture("batchtopk", 1.2)).least_kept
    assert found is not None
    for instance in range(INSTANCES):
        p = (x @ weights.W_enc[instance] + weights.b_enc[instance]).ravel()
        assert found[instance] == sorted(p)[-int(1.2 * SAMPLES)]
    dead = weights._replace(b_enc=np.full_like(weights.b_enc, -100.0))
    none = sampled_gradient(dead, x, Objective(0), Architecture("batchtopk", 1.2)).least_kept
    assert none is not None
    assert np.isinf(none).all()


def test_the_pseudo_derivative_against_its_formula() -> None:
    """[Rajamanoharan2024b]: Σ over latents and samples near their thresholds, in loops."""
    weights, x, theta = drawn(5)
    objective = Objective(l1=0.2, l0=0.7)
    found = sampled_gradient(weights, x, objective, ARCHITECTURES["jumprelu"], theta, BANDWIDTH)
    assert found.threshold is not None
    for instance in range(INSTANCES):
        W_enc, b_enc, W_dec, b_dec = (array[instance] for array in weights)
        expected = np.zeros(N)
        for sample in x:
            p = [float(sample @ W_enc[:, i] + b_enc[i]) for i in range(N)]
            f = [p[i] if p[i] > theta[instance, i] else 0.0 for i in range(N)]
            x_hat = b_dec + sum((f[i] * W_dec[i] for i in range(N)), np.zeros(D))
            for i in range(N):
                t = theta[instance, i]
                inside = -0.5 < (p[i] - t) / BANDWIDTH < 0.5
                to_f = 2 * float((x_hat - sample) @ W_dec[i]) + objective.l1
                expected[i] += to_f * -(t / BANDWIDTH) * inside
                expected[i] += objective.l0 * -(1 / BANDWIDTH) * inside
        np.testing.assert_allclose(found.threshold[instance], expected / SAMPLES, atol=1e-12)
        assert np.abs(expected).max() > 1


def test_against_autograd() -> None:
    """An implementation of its own in PyTorch, of JumpReLU with prefixes and of TopK."""
    torch = pytest.importorskip("torch")
    weights, x, theta = drawn(6)
    objective = Objective(l1=0.3, l0=0.7, prefixes=(1, 3, 4), prefix_weights=(1.0, 2.0, 0.5))

    class Jump(torch.autograd.Function):  # type: ignore[misc, name-defined]
        """z · 1[z > t], or 1[z > t], with a rectangle of width BANDWIDTH for the jump."""

        @staticmethod
        def forward(context: Any, z: Any, t: Any, scaled: bool) -> Any:
            context.save_for_backward(z, t)
            context.scaled = scaled
            return z * (z > t) if scaled else (z > t).double()

        @staticmethod
        def backward(context: Any, *slopes: Any) -> Any:
            z, t = context.saved_tensors
            near = ((z - t).abs() < BANDWIDTH / 2).double() / BANDWIDTH
            height = t if context.scaled else torch.ones_like(t)
            to_z = slopes[0] * (z > t) if context.scaled else torch.zeros_like(z)
            return to_z, -(slopes[0] * near * height).sum(dim=1, keepdim=True), None

    for name in ("jumprelu", "topk"):
        jumps = name == "jumprelu"
        W_enc, b_enc, W_dec, b_dec, t = (
            torch.tensor(array, requires_grad=True) for array in (*weights, theta)
        )
        given = torch.tensor(x)
        p = given @ W_enc + b_enc[:, None]
        if jumps:
            f, fires = Jump.apply(p, t[:, None], True), Jump.apply(p, t[:, None], False)
        else:
            top = torch.topk(p, 2, dim=-1)
            f, fires = torch.zeros_like(p).scatter(-1, top.indices, top.values.relu()), 0 * p
        loss = 0.3 * f.sum() + 0.7 * fires.sum()
        x_hat = b_dec[:, None]
        for (start, end), share in zip(pairwise((0, 1, 3, 4)), (1.0, 2.0, 0.5), strict=True):
            x_hat = x_hat + f[..., start:end] @ W_dec[:, start:end]
            loss = loss + share * (given - x_hat).square().sum()
        (loss / SAMPLES).backward()
        found = sampled_gradient(
            weights, x, objective, ARCHITECTURES[name], theta if jumps else None, BANDWIDTH
        )
        for slope, tensor in zip(found.weights, (W_enc, b_enc, W_dec, b_dec), strict=True):
            np.testing.assert_allclose(slope, tensor.grad.numpy(), rtol=1e-10, atol=1e-12)
        assert (found.threshold is None) is not jumps
        if found.threshold is not None:
            np.testing.assert_allclose(found.threshold, t.grad.numpy(), rtol=1e-10, atol=1e-12)
