"""How fast is the exact expected loss? Ratios to named alternatives, in one run.

    python tests/benchmarks/benchmark_expected_loss.py

Each alternative computes the loss alone; the exact route computes loss and gradient. Times
are the least of several repeats, as timeit has them; "deviation" is from the exact loss.
"""

import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import integrate

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from solvers import Objective, Sae, expected_loss_and_gradient
from solvers.laws.arrays import law_arrays
from theory import Law, load_law, one_hot_sets

L1 = 0.1


def timed(function: Callable[[], float], repeats: int, calls: int = 1) -> tuple[float, float]:
    """Return the least seconds a call of several repeats, and the value."""
    value = function()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(calls):
            value = function()
        seconds.append((time.perf_counter() - start) / calls)
    return min(seconds), value


def pointwise(sae: Sae, x: np.ndarray) -> np.ndarray:
    activations = np.maximum(x @ sae.W_enc + sae.b_enc, 0.0)
    residual = activations @ sae.W_dec + sae.b_dec - x
    loss: np.ndarray = np.einsum("nd,nd->n", residual, residual) + L1 * activations.sum(axis=1)
    return loss


def by_cubature(law: Law, sae: Sae) -> float:
    (cubes,) = law_arrays(law).groups
    return sum(
        p * float(
            integrate.cubature(
                lambda u, X=affine: pointwise(sae, X[:, 0] + u @ X[:, 1:].T),
                [0.0, 0.0], [1.0, 1.0], rtol=1e-8, atol=1e-8,
            ).estimate
        )
        for p, affine in zip(cubes.probability, cubes.affine, strict=True)
    )  # fmt: skip


def by_dblquad(law: Law, sae: Sae) -> float:
    """With the integrand as one writes it, in NumPy."""
    (cubes,) = law_arrays(law).groups
    total = 0.0
    for p, affine in zip(cubes.probability, cubes.affine, strict=True):

        def loss(v: float, u: float, X: np.ndarray = affine) -> float:
            return float(pointwise(sae, (X @ [1.0, u, v])[None])[0])

        total += p * integrate.dblquad(loss, 0, 1, 0, 1, epsabs=1e-8, epsrel=1e-8)[0]
    return total


def by_dblquad_unrolled(law: Law, sae: Sae) -> float:
    """With the integrand unrolled by hand into plain Python numbers, for d = 2 only."""
    latents = list(zip(sae.W_enc.T.tolist(), sae.b_enc.tolist(), sae.W_dec.tolist(), strict=True))
    b1, b2 = sae.b_dec.tolist()
    (cubes,) = law_arrays(law).groups
    total = 0.0
    for p, affine in zip(cubes.probability, cubes.affine.tolist(), strict=True):

        def loss(v: float, u: float, X: list[list[float]] = affine) -> float:
            (o1, m11, m12), (o2, m21, m22) = X
            x1, x2 = o1 + m11 * u + m12 * v, o2 + m21 * u + m22 * v
            r1, r2, l1 = b1 - x1, b2 - x2, 0.0
            for (w1, w2), b, (d1, d2) in latents:
                f: float = w1 * x1 + w2 * x2 + b
                if f > 0:
                    r1 += f * d1
                    r2 += f * d2
                    l1 += f
            return r1 * r1 + r2 * r2 + L1 * l1

        total += p * integrate.dblquad(loss, 0, 1, 0, 1, epsabs=1e-8, epsrel=1e-8)[0]
    return total


def by_monte_carlo(law: Law, sae: Sae, samples: int, rng: np.random.Generator) -> float:
    return float(pointwise(sae, draw(law, samples, rng)).mean())


def draw(law: Law, samples: int, rng: np.random.Generator) -> np.ndarray:
    """Return samples of a law of one group of components, sorted by component."""
    (cubes,) = law_arrays(law).groups
    counts = rng.multinomial(samples, cubes.probability)
    u = rng.random((samples, cubes.cube_dimension))
    x = np.empty((samples, cubes.affine.shape[1]))
    start = 0
    for count, affine in zip(counts, cubes.affine, strict=True):
        end = start + count
        x[start:end] = affine[:, 0] + u[start:end] @ affine[:, 1:].T
        start = end
    return x


def monte_carlo_gradient(law: Law, sae: Sae, samples: int, rng: np.random.Generator) -> float:
    """Return the sampled loss, having computed its gradient too: forward and backward pass."""
    x = draw(law, samples, rng)
    activations = np.maximum(x @ sae.W_enc + sae.b_enc, 0.0)
    residual = activations @ sae.W_dec + sae.b_dec - x
    loss = float((np.vdot(residual, residual) + L1 * activations.sum()) / samples)
    to_residual = residual * (2 / samples)
    _to_W_dec, _to_b_dec = activations.T @ to_residual, to_residual.sum(axis=0)
    to_activations = to_residual @ sae.W_dec.T
    to_activations += L1 / samples
    to_activations *= activations > 0
    _to_W_enc, _to_b_enc = x.T @ to_activations, to_activations.sum(axis=0)
    return loss


def report(rows: list[tuple[str, float, float, str]], exact: tuple[float, float]) -> None:
    print(f"{'':<44}{'time':>12}{'ratio':>11}{'deviation':>12}  goal")
    for name, seconds, value, goal in rows:
        ratio = "" if seconds == exact[0] else f"{seconds / exact[0]:,.1f}×"
        print(
            f"{name:<44}{seconds * 1e3:>9.3f} ms{ratio:>11}{abs(value - exact[1]):>12.1e}  {goal}"
        )
    print()


def five_features() -> None:
    """Five independent uniform features: cubes of up to five dimensions, 32 active sets."""
    law = load_law({"features": 5, "firing": 0.3, "magnitude": {"uniform": [0, 1]}})
    rng = np.random.default_rng(1)
    W_enc = np.eye(5) + 0.05 * rng.normal(size=(5, 5))
    sae = Sae(W_enc, np.full(5, -0.05), W_enc.T, np.full(5, 0.02))

    def monte_carlo() -> float:
        x = rng.random((10**6, 5)) * (rng.random((10**6, 5)) < 0.3)
        return float(pointwise(sae, x).mean())

    exact = timed(lambda: expected_loss_and_gradient(law, sae, Objective(L1)).loss.total, 15)
    print("five independent uniform features, five latents")
    report(
        [
            ("exact loss and gradient", *exact, ""),
            ("NumPy Monte Carlo, 10⁶ samples", *timed(monte_carlo, 5), "20×"),
        ],
        exact,
    )


def ten_normal_features() -> None:
    """Ten independent features with normal magnitudes: 1,024 active sets."""
    law = load_law({"features": 10, "firing": 0.3, "magnitude": {"normal": [1, 0.15]}})
    rng = np.random.default_rng(1)
    W_enc = np.eye(10) + 0.05 * rng.normal(size=(10, 10))
    sae = Sae(W_enc, np.full(10, -0.05), W_enc.T, np.full(10, 0.02))

    def monte_carlo() -> float:
        x = rng.normal(1, 0.15, (10**6, 10)) * (rng.random((10**6, 10)) < 0.3)
        return float(pointwise(sae, x).mean())

    exact = timed(lambda: expected_loss_and_gradient(law, sae, Objective(L1)).loss.total, 15)
    print("ten independent normal features, ten latents")
    report(
        [
            ("exact loss and gradient", *exact, ""),
            ("NumPy Monte Carlo, 10⁶ samples", *timed(monte_carlo, 5), "5×"),
        ],
        exact,
    )


def main() -> None:
    rng = np.random.default_rng(0)
    law, objective = load_law("independent"), Objective(l1=L1)
    # A frame away from any optimum, each latent its own line through the squares.
    angles = 0.3 + np.array([0.0, 1.7, 3.0, 4.6])
    atoms = np.column_stack([np.cos(angles), np.sin(angles)])
    sae = Sae(atoms.T * 1.1, [-0.04, -0.06, -0.05, 0.02], atoms, [0.01, -0.02])
    exact = timed(lambda: expected_loss_and_gradient(law, sae, objective).loss.total, 41, 50)
    print("independent, 4 latents")
    report(
        [
            ("exact loss and gradient", *exact, ""),
            ("scipy.integrate.cubature, 1e-8", *timed(lambda: by_cubature(law, sae), 5), "400×"),
            ("scipy.integrate.dblquad, 1e-8", *timed(lambda: by_dblquad(law, sae), 1), "10,000×"),
            (
                "  the same, integrand unrolled by hand",
                *timed(lambda: by_dblquad_unrolled(law, sae), 3),
                "",
            ),
            (
                "NumPy Monte Carlo, 10⁶ samples",
                *timed(lambda: by_monte_carlo(law, sae, 10**6, rng), 7),
                "300×",
            ),
        ],
        exact,
    )
    embedding = rng.integers(-3, 4, size=(16, 8)).tolist()
    law = one_hot_sets((8, 8), embedding=embedding)
    sae = Sae(
        rng.normal(size=(8, 64)), rng.normal(size=64), rng.normal(size=(64, 8)), np.zeros(8)
    )  # fmt: skip
    exact = timed(lambda: expected_loss_and_gradient(law, sae, objective).loss.total, 15)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print("64 two-dimensional components, d = 8, 64 latents")
    report(
        [
            ("exact loss and gradient", *exact, ""),
            (
                "NumPy Monte Carlo with gradient, 10⁵ samples",
                *timed(lambda: monte_carlo_gradient(law, sae, 10**5, rng), 15),
                "2×",
            ),
        ],
        exact,
    )
    print(f"peak memory of the process up to then: {peak:.0f} MB (goal: under 500 MB)")
    five_features()
    ten_normal_features()


if __name__ == "__main__":
    main()
