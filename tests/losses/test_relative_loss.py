"""The relative loss against adaptive quadrature, and where it is infinite."""

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import sympy
from scipy import integrate

from solvers import Objective, Sae, Search, expected_loss, minimize_loss
from solvers.laws.arrays import law_arrays
from solvers.losses.parameters import LossOfVector
from solvers.losses.relative_loss import tied_b_dec
from tests.oracles.laws import components_from_specification
from tests.random_cases import random_specification
from theory import Component, InputError, Law, law_from_dict, load_law

RELATIVE = Objective(l1=0.1, reconstruction="relative")


def by_quadrature(components: list[Any], weights: tuple[np.ndarray, ...]) -> float:
    """Return E ‖x - x̂‖²/‖x‖² by nested adaptive quadrature, split where a latent turns on.

    In two dimensions in polar form about the corner u = 0, where the integrand is only bounded:
    along each ray it is smooth between the latents' lines.
    """
    W_enc, b_enc, W_dec, b_dec = weights

    def integrand(x: np.ndarray) -> float:
        squared = float(x @ x)
        residual = x - b_dec - np.maximum(x @ W_enc + b_enc, 0.0) @ W_dec
        return float(residual @ residual) / squared if squared else 0.0

    def along(start: np.ndarray, end: np.ndarray, weight: int) -> float:
        """Return ∫ integrand(start + t (end - start)) t^weight dt."""
        slope = (end - start) @ W_enc
        with np.errstate(divide="ignore", invalid="ignore"):
            roots = -(start @ W_enc + b_enc) / slope
        cuts = sorted({0.0, 1.0, *(float(r) for r in roots if 0 < r < 1)})
        total = 0.0
        for low, high in pairwise(cuts):
            total += integrate.quad(
                lambda t: integrand(start + t * (end - start)) * t**weight,
                low, high, epsabs=1e-13, epsrel=1e-13, limit=200, full_output=1,
            )[0]  # fmt: skip
        return total

    def over_ray(corner: np.ndarray, far: np.ndarray, side: np.ndarray, v: float) -> float:
        return along(corner, corner + far + v * side, 1)

    total = 0.0
    for part in components:
        offset = np.array([float(o) for o in part.offset])
        matrix = np.array([[float(m) for m in row] for row in part.matrix])
        matrix = matrix.reshape(len(offset), part.cube_dimension)
        if part.cube_dimension == 0:
            value = integrand(offset)
        elif part.cube_dimension == 1:
            value = along(offset, offset + matrix[:, 0], 0)
        else:
            value = 0.0
            # Two triangles: u = t (1, v) and u = t (v, 1), du = t dt dv.
            for far, side in ((matrix[:, 0], matrix[:, 1]), (matrix[:, 1], matrix[:, 0])):
                edge = partial(over_ray, offset, far, side)
                # Where a line meets the far edge or the other corner's ray, `edge` has a kink.
                cuts = {0.0, 1.0}
                for w_far, w_side, b in zip(
                    far @ W_enc, side @ W_enc, offset @ W_enc + b_enc, strict=True
                ):
                    for c in (b, 0.0):
                        root = -(w_far + c) / w_side if w_side else -1.0
                        if 0 < root < 1:
                            cuts.add(float(root))
                ends = sorted(cuts)
                for low, high in pairwise(ends):
                    value += integrate.quad(
                        edge, low, high, epsabs=1e-12, epsrel=1e-12, limit=200, full_output=1
                    )[0]
        total += float(part.probability) * value
    return total


@pytest.mark.parametrize(
    "seed", [*range(12), *(pytest.param(s, marks=pytest.mark.slow) for s in range(12, 100))]
)
def test_agrees_with_adaptive_quadrature(seed: int) -> None:
    rng = np.random.default_rng(seed)
    specification = random_specification(rng)
    # Parallel features would make a parallelogram flat.
    specification["embedding"] = rng.normal(size=np.shape(specification["embedding"])).tolist()
    d, n = len(specification["embedding"][0]), int(rng.integers(1, 4))
    W_enc, b_enc = (
        rng.normal(size=(d, n)),
        rng.normal(size=n) * rng.choice([0.0, 0.3, 1.0], size=n),
    )
    W_dec = rng.normal(size=(n, d))
    b_dec = tied_b_dec(b_enc, W_dec)
    weights = W_enc, b_enc, W_dec, b_dec
    truth = by_quadrature(components_from_specification(specification), weights)
    loss = expected_loss(law_from_dict(specification), Sae(*weights), RELATIVE)
    assert loss.reconstruction == pytest.approx(truth, rel=1e-10, abs=1e-11)
    squared = expected_loss(law_from_dict(specification), Sae(*weights), Objective(l1=0.1))
    assert (loss.l1, loss.firing) == (squared.l1, squared.firing)


def off_origin() -> Law:
    """Two sets with amplitudes in [1, 2]: x = (1 + u1) e1 + (1 + u2) (0, 1, 1)."""
    matrix = sympy.ImmutableMatrix([[1, 0], [0, 1], [0, 1]])
    segment = sympy.ImmutableMatrix([[0], [1], [0]])
    return Law(
        (
            Component(sympy.Rational(1, 2), matrix, sympy.ImmutableMatrix([1, 1, 1])),
            Component(sympy.Rational(1, 4), segment, sympy.ImmutableMatrix([2, 0, 0])),
            Component(sympy.Rational(1, 4), sympy.zeros(3, 0), sympy.ImmutableMatrix([0, 0, 3])),
        )
    )


@pytest.mark.parametrize("seed", range(10))
def test_a_law_away_from_zero_takes_any_b_dec(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = (
        rng.normal(size=(3, 2)),
        rng.normal(size=2),
        rng.normal(size=(2, 3)),
        rng.normal(size=3),
    )

    class Part:
        def __init__(self, part: Component) -> None:
            self.probability, self.offset = part.probability, part.offset
            self.matrix, self.cube_dimension = part.matrix.tolist(), part.cube_dimension

    truth = by_quadrature([Part(part) for part in off_origin().components], weights)
    loss = expected_loss(off_origin(), Sae(*weights), RELATIVE)
    assert loss.reconstruction == pytest.approx(truth, rel=1e-9)
    assert loss.reason == ""


@pytest.mark.parametrize("name", ["shared", "independent", "independent:onehot_probability=0.5"])
def test_infinite_exactly_where_it_must_be(name: str) -> None:
    rng = np.random.default_rng(1)
    W_enc, b_enc, W_dec = rng.normal(size=(2, 3)), rng.normal(size=3), rng.normal(size=(3, 2))
    b_dec = tied_b_dec(b_enc, W_dec)
    assert np.isfinite(
        expected_loss(load_law(name), Sae(W_enc, b_enc, W_dec, b_dec), RELATIVE).total
    )
    for change in (1e-3, 1e-9):
        loss = expected_loss(load_law(name), Sae(W_enc, b_enc, W_dec, b_dec + change), RELATIVE)
        assert loss.total == loss.reconstruction == np.inf
        assert "the law reaches x = 0" in loss.reason
        assert np.isfinite(loss.sparsity)
    assert np.isfinite(
        expected_loss(
            off_origin(),
            Sae(rng.normal(size=(3, 1)), [1.0], rng.normal(size=(1, 3)), [5.0, 5.0, 5.0]),
            RELATIVE,
        ).total
    )


def test_a_point_at_zero_counts_zero() -> None:
    point = Component(sympy.Integer(1), sympy.zeros(2, 0), sympy.zeros(2, 1))
    loss = expected_loss(Law((point,)), Sae(np.ones((2, 1)), [1.0], [[1.0, 0]], [3, 4]), RELATIVE)
    assert loss.reconstruction == 0


@pytest.mark.parametrize("name", ["shared:onehot_probability=0.4", "independent"])
def test_gradient_along_the_finite_set(name: str) -> None:
    rng = np.random.default_rng(3)
    loss = LossOfVector(law_arrays(load_law(name)), RELATIVE, 3)
    vector = loss.vector(
        rng.normal(size=(2, 3)), np.array([0.3, -0.2, 0.1]), rng.normal(size=(3, 2)), np.zeros(2)
    )
    assert len(vector) == 15
    _, gradient = loss(vector)
    steps = 1e-6 * np.eye(15)
    differences = [(loss(vector + h)[0] - loss(vector - h)[0]) / 2e-6 for h in steps]
    np.testing.assert_allclose(gradient, differences, rtol=1e-6, atol=1e-7)


def test_optimum_on_the_first_data_set() -> None:
    """λC - λ²C²/4 with C = 1/√2, at 45°."""
    cost = 0.5**0.5
    best = minimize_loss(load_law("shared"), 4, RELATIVE, Search(starts=2, limit=2))
    assert best.total == pytest.approx(0.1 * cost - 0.01 * cost**2 / 4, abs=1e-9)
    np.testing.assert_allclose(np.abs(best.sae.W_dec), cost, atol=1e-5)


@pytest.mark.slow
def test_optimum_on_the_second_data_set_is_below_zero_biases() -> None:
    best = minimize_loss(load_law("independent"), 4, RELATIVE, Search(starts=1, limit=1))
    cost = 2 * 2**0.5 / 3
    assert best.total < 0.1 * cost - 0.01 * cost**2 / 4 - 5e-7
    components = components_from_specification({"sets": [2, 2]})
    sae = best.sae
    truth = by_quadrature(components, (sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec))
    assert best.reconstruction == pytest.approx(truth, rel=1e-10)


def test_a_flat_or_off_plane_parallelogram_is_refused() -> None:
    flat = Law(
        (Component(sympy.Integer(1), sympy.ImmutableMatrix([[1, 1], [1, 1]]), sympy.zeros(2, 1)),)
    )
    sae = Sae(np.ones((2, 1)), [0], np.ones((1, 2)), np.zeros(2))
    with pytest.raises(InputError, match="no flat parallelogram"):
        expected_loss(flat, sae, RELATIVE)
    matrix = sympy.ImmutableMatrix([[1, 0], [0, 1], [0, 0]])
    off = Law((Component(sympy.Integer(1), matrix, sympy.ImmutableMatrix([0, 0, 1])),))
    with pytest.raises(InputError, match="whose plane misses it"):
        expected_loss(off, Sae(np.ones((3, 1)), [0], np.ones((1, 3)), np.zeros(3)), RELATIVE)
