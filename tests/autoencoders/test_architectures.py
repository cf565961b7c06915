"""JumpReLU, TopK and Gated SAEs: exact figures against rational arithmetic and a grid."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sympy

from solvers import InputError, Objective, Sae, expected_loss
from solvers.autoencoders.architectures import GatedSae, JumpReluSae, TopKSae
from solvers.autoencoders.autoencoder import PARAMETERS, Autoencoder
from solvers.autoencoders.frames import frame_sae
from solvers.laws.arrays import law_arrays
from solvers.laws.cell_quadrature import Cell, cell_nodes
from solvers.laws.samples import Sampler
from solvers.losses.expected_loss import co_firing
from solvers.losses.piecewise_loss import piecewise_parts
from tests.oracles.architectures import exact_figures, grid_figures
from tests.oracles.laws import components_from_specification
from tests.random_cases import dyadic, random_sae, random_specification
from theory import Component, Law, law_from_dict, load_law

ARCHITECTURES = ("relu", "jumprelu", "topk", "gated")


def case(architecture: str, number: int, widest: int) -> tuple[Any, ...]:
    """Return law file, SAE, arrays and parameters, half of the latents degenerate."""
    rng = np.random.default_rng([ARCHITECTURES.index(architecture), number])
    specification = random_specification(rng)
    d, n = len(specification["embedding"][0]), int(rng.integers(1, widest + 1))
    weights = random_sae(rng, d, n)
    base = Sae(*weights)
    arrays = dict(zip(PARAMETERS, weights, strict=True))
    if architecture == "relu":
        return specification, base, arrays, {}
    if architecture == "jumprelu":
        threshold = dyadic(rng, (n,))
        # Ties: a latent whose p_i is its threshold on a whole component, where it is constant.
        constant = ~weights[0].any(axis=0)
        threshold[constant] = weights[1][constant]
        return specification, JumpReluSae(base, threshold), arrays, {"threshold": threshold}
    if architecture == "topk":
        k = int(rng.integers(1, n + 1))
        return specification, TopKSae(base, k), arrays, {"k": k}
    W_gate, b_gate, _, _ = random_sae(rng, d, n)
    gate = {"W_gate": W_gate, "b_gate": b_gate}
    return specification, GatedSae(base, W_gate, b_gate), arrays, gate


def compare(architecture: str, number: int, widest: int) -> None:
    """Compare every figure with the exact rational one."""
    specification, sae, arrays, parameters = case(architecture, number, widest)
    components = components_from_specification(specification)
    truth = exact_figures(components, architecture, arrays, **parameters)
    law = law_from_dict(specification)
    parts = piecewise_parts(law_arrays(law), sae)
    assert parts.reconstruction == pytest.approx(float(truth.reconstruction), rel=1e-12, abs=1e-13)
    expected = [float(f) for f in truth.activation]
    np.testing.assert_allclose(parts.activation, expected, rtol=1e-12, atol=1e-13)
    expected_firing = [[float(p) for p in row] for row in truth.co_firing]
    np.testing.assert_allclose(parts.firing, expected_firing, rtol=0, atol=1e-12)
    loss = expected_loss(law, sae, Objective(l1=0.125, sparsity="decoder-norm"))
    penalty = float(np.linalg.norm(arrays["W_dec"], axis=1) @ expected) / 8
    total = float(truth.reconstruction) + penalty
    assert loss.total == pytest.approx(total, rel=1e-12, abs=1e-13)
    np.testing.assert_allclose(loss.firing, np.diagonal(expected_firing), rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "part",
    [0, 1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_agrees_with_exact_rational_arithmetic(architecture: str, part: int) -> None:
    for number in range(part, 48, 4):
        compare(architecture, number, 5)


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_wider_saes_agree_too(architecture: str) -> None:
    for number in range(48, 200):
        compare(architecture, number, 7)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_agrees_with_a_grid(architecture: str) -> None:
    """The grid's error is that of its cells on the lines where f jumps, O(1/points)."""
    for number in range(3):
        specification, sae, arrays, parameters = case(architecture, number, 4)
        components = components_from_specification(specification)
        law = law_arrays(law_from_dict(specification))
        errors = []
        for points in (64, 256):
            grid = grid_figures(components, architecture, arrays, points, **parameters)
            exact = piecewise_parts(law, sae)
            errors.append(np.abs(exact.firing - np.array(grid.co_firing)).max())
        assert errors[1] <= max(2.0 / 256, 0.6 * errors[0])


@pytest.mark.slow
def test_topk_of_a_segment_on_a_fine_grid() -> None:
    """On the first data set, k = 1, the grid with 2²⁰ points reaches 1e-6."""
    rng = np.random.default_rng(5)
    base = Sae(rng.normal(size=(2, 4)), rng.normal(size=4) / 8, rng.normal(size=(4, 2)), [0, 0])
    specification: dict[str, Any] = {"sets": [2, 2], "magnitude_correlation": 1}
    components = components_from_specification(specification)
    arrays = {name: getattr(base, name) for name in PARAMETERS}
    for architecture, sae, parameters in (
        ("topk", TopKSae(base, 2), {"k": 2}),
        ("jumprelu", JumpReluSae(base, np.full(4, 0.2)), {"threshold": np.full(4, 0.2)}),
        (
            "gated",
            GatedSae(base, -base.W_enc[:, ::-1], base.b_enc),
            {"W_gate": -base.W_enc[:, ::-1], "b_gate": base.b_enc},
        ),
    ):
        grid = grid_figures(components, architecture, arrays, 2**20, **parameters)
        exact = piecewise_parts(law_arrays(law_from_dict(specification)), sae)
        assert exact.reconstruction == pytest.approx(grid.reconstruction, abs=1e-6)
        np.testing.assert_allclose(exact.activation, grid.activation, atol=1e-6)


def test_relu_is_what_the_others_become() -> None:
    law = load_law("independent:onehot_probability=0.3")
    rng = np.random.default_rng(3)
    for n in (1, 4, 9):
        base = Sae(rng.normal(size=(2, n)), rng.normal(size=n) / 2, rng.normal(size=(n, 2)),
                   rng.normal(size=2) / 4)  # fmt: skip
        objective = Objective(l1=0.2)
        moments = expected_loss(law, base, objective)
        for twin in (
            JumpReluSae(base, np.full(n, -1.0)),
            TopKSae(base, n),
            GatedSae(base, base.W_enc, base.b_enc),
        ):
            loss = expected_loss(law, twin, objective)
            assert loss.total == pytest.approx(moments.total, rel=1e-13)
            assert loss.firing == pytest.approx(moments.firing, abs=1e-14)
        np.testing.assert_allclose(np.diagonal(co_firing(law, base)), moments.firing, atol=1e-14)


def test_ties_keep_the_first() -> None:
    base = Sae([[1.0, 1.0, 2.0]], [0.0, 0.0, -1.0], np.eye(3)[:, :1], [0.0])
    sae = TopKSae(base, 1)
    # At x = 1 all three tie; a law that is that point alone.
    point = Component(
        sympy.Integer(1), sympy.ImmutableMatrix(1, 0, []), sympy.ImmutableMatrix([[1]])
    )
    law = Law((point,), "point")
    assert expected_loss(law, sae, Objective(l1=0.0)).firing == (1.0, 0.0, 0.0)
    assert sae.activations([[1.0], [0.25], [3.0]]).tolist() == [
        [1.0, 0.0, 0.0],
        [0.25, 0.0, 0.0],
        [0.0, 0.0, 5.0],
    ]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda base: TopKSae(base, 0), "k: expected a whole number from 1 to 4, got 0"),
        (lambda base: TopKSae(base, 5), "k: expected a whole number from 1 to 4, got 5"),
        (lambda base: TopKSae(base, True), "k: expected a whole number"),
        (lambda base: JumpReluSae(base, [0.0]), r"threshold: expected shape \(4,\), got \(1,\)"),
        (lambda base: JumpReluSae(base, [0, 0, 0, np.inf]), "threshold: expected finite numbers"),
        (lambda base: GatedSae(base, np.eye(2), [0, 0]), r"b_enc|W_dec"),
    ],
)
def test_wrong_parameters(build: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(frame_sae(0.0))


def test_what_is_not_defined_for_them_is_refused() -> None:
    law, sae = load_law("shared"), TopKSae(frame_sae(0.0), 1)
    with pytest.raises(InputError, match="reconstruction: expected 'squared' for a TopK SAE"):
        expected_loss(law, sae, Objective(0.1, "relative"))
    with pytest.raises(InputError, match="weight_decay: expected 0 for a TopK SAE"):
        expected_loss(law, sae, Objective(0.1, weight_decay=0.1))
    with pytest.raises(InputError, match="d_in = 3, the dimension of the law"):
        expected_loss(law_from_dict({"sets": [1, 2]}), sae, Objective(0.1))


def test_a_topk_sae_of_many_latents_is_cut_where_its_set_changes_only() -> None:
    """The 24 active ones of 26: 351 lines; the sum of the set's activations against sampling."""
    rng = np.random.default_rng(1)
    base = Sae(rng.normal(size=(2, 26)), rng.normal(size=26), rng.normal(size=(26, 2)), [0, 0])
    for k in (3, 24):
        sae, law = TopKSae(base, k), law_arrays(load_law("independent"))
        x = Sampler(load_law("independent"))(rng, 40_000)
        f = sae.activations(x)
        squared = ((f @ sae.W_dec - x) ** 2).sum(axis=1)
        parts = piecewise_parts(law, sae)
        for exact, sampled in (
            (parts.reconstruction, squared),
            (parts.activation.sum(), f.sum(1)),
        ):
            assert abs(exact - sampled.mean()) <= 4 * sampled.std() / 200


def test_too_much_work_is_refused_before_it_begins() -> None:
    wide = Sae(np.ones((2, 400)), np.zeros(400), np.ones((400, 2)), [0, 0])
    with pytest.raises(
        InputError, match=r"latents: expected components × .* got '25,728,160,000'"
    ):
        piecewise_parts(law_arrays(load_law("independent")), TopKSae(wide, 2))
    with pytest.raises(InputError, match="at most two random magnitudes"):
        next(iter(cell_nodes(3, beside(np.ones((1, 4))))))


def beside(lines: np.ndarray) -> Callable[[np.ndarray], Cell[np.ndarray]]:
    """Return the cells of an arrangement of lines, with the signs on them."""

    def cell_of(u: np.ndarray) -> Cell[np.ndarray]:
        signs = np.where(lines[:, 0] + lines[:, 1:] @ u >= 0, 1.0, -1.0)
        return Cell(signs[:, None] * lines, signs)

    return cell_of


def test_lines_along_the_edges_and_through_the_corners() -> None:
    """∫∫ of the indicator of u1 > u2 and u1 > 1/2, with coincident and vertical lines."""
    lines = np.array([[0.0, 1, -1], [0.0, 2, -2], [-0.5, 1, 0], [0.0, 1, 0], [-1.0, 0, 1]])
    total = sum(
        float(weight @ ((u[:, 0] > u[:, 1]) & (u[:, 0] > 0.5)))
        for _, u, weight in cell_nodes(2, beside(lines))
    )
    assert total == pytest.approx(3 / 8, abs=1e-15)


@pytest.mark.parametrize("k", [1, 2])
def test_cells_cover_the_cube_once_and_integrate_quadratics(k: int) -> None:
    """Many lines, among them equal ones, opposite ones and some through one point."""
    rng = np.random.default_rng(k)
    normals = rng.normal(size=(20, k))
    lines = np.column_stack([-normals @ np.full(k, 0.4), normals])
    lines[10:, 0] += rng.normal(size=10) / 3
    lines = np.vstack([lines, lines[12:14], -lines[14:16], 1e-15 + lines[16:18]])
    area, first, second = 0.0, np.zeros(k), np.zeros((k, k))
    for signs, u, weight in cell_nodes(k, beside(lines)):
        values = lines[:, 0] + u @ lines[:, 1:].T
        assert (signs * values >= -1e-12).all()
        area += weight.sum()
        first += weight @ u
        second += (weight[:, None] * u).T @ u
    assert area == pytest.approx(1, abs=1e-13)
    np.testing.assert_allclose(first, 1 / 2, atol=1e-13)
    np.testing.assert_allclose(second, 1 / 4 + np.eye(k) / 12, atol=1e-13)


def test_an_autoencoder_without_an_architecture_cannot_be_made() -> None:
    class Nameless(Autoencoder):
        pass

    with pytest.raises(TypeError, match=r"architecture.*fires_where"):
        Nameless([[1.0]], [0.0], [[1.0]], [0.0])  # type: ignore[abstract, arg-type]
