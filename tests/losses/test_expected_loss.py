"""The exact expected loss against exact rational arithmetic, and its gradient."""

import tracemalloc
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy

from solvers import Objective, Sae, expected_loss, expected_loss_and_gradient
from solvers.autoencoders.autoencoder import PARAMETERS
from solvers.autoencoders.frames import frame_sae
from tests.oracles.expected_losses import exact_expectations
from tests.oracles.laws import components_from_specification
from tests.random_cases import random_sae, random_specification
from theory import Component, InputError, Law, law_from_dict, load_law, preset
from theory.exact.symbols import AMPLITUDE

CASES = 120


def cases(numbers: range) -> Iterator[tuple[dict[str, Any], tuple[Any, ...]]]:
    for case in numbers:
        rng = np.random.default_rng([20240314, case])
        specification = random_specification(rng)
        d = len(specification["embedding"][0])
        n = 16 if case % 24 == 0 else int(rng.integers(2, 9))
        yield specification, random_sae(rng, d, n)


@pytest.mark.parametrize("part", range(8))
def test_agrees_with_exact_rational_arithmetic(part: int) -> None:
    for case in cases(range(part, CASES, 8)):
        compare(*case)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(20))
def test_agrees_with_exact_rational_arithmetic_exhaustively(part: int) -> None:
    for case in cases(range(CASES + part, CASES + 4000, 20)):
        compare(*case)


def compare(specification: dict[str, Any], weights: tuple[Any, ...]) -> None:
    """Compare total, parts and firing probabilities with the exact rational numbers."""
    truth = exact_expectations(components_from_specification(specification), *weights)
    loss = expected_loss(law_from_dict(specification), Sae(*weights), Objective(l1=0.125))
    l1 = sum(truth.activations)
    total = truth.reconstruction + Fraction(1, 8) * l1
    assert abs(Fraction(loss.total) - total) <= Fraction(1e-12) * total
    assert abs(Fraction(loss.reconstruction) - truth.reconstruction) <= Fraction(1e-12) * total
    assert loss.l1 == pytest.approx(float(l1), rel=1e-12, abs=1e-14)
    assert loss.firing == pytest.approx([float(p) for p in truth.firing], rel=0, abs=1e-13)
    assert loss.l0 == pytest.approx(float(sum(truth.firing)), rel=1e-12, abs=1e-13)


@pytest.mark.parametrize("seed", range(40))
def test_is_the_rational_number_that_exact_arithmetic_gives(seed: int) -> None:
    """Halves and quarters in, so a rational of small denominator out: the double names it."""
    rng = np.random.default_rng(seed)
    components = components_from_specification({"sets": [2, 2], "onehot_probability": 0.5})
    law = load_law("independent:onehot_probability=0.5")
    n = int(rng.integers(1, 4))
    shapes = (2, n), (n,), (n, 2), (2,)
    weights = tuple(rng.integers(-2, 3, size=shape) / 2 for shape in shapes)
    truth = exact_expectations(components, *weights)
    total = truth.reconstruction + Fraction(1, 4) * sum(truth.activations)
    assert total.denominator < 10**6
    loss = expected_loss(law, Sae(*weights), Objective(l1=0.25))
    assert Fraction(loss.total).limit_denominator(10**6) == total


def test_the_half_square_by_hand() -> None:
    """u1 + u2 > 1 with f = u1 + u2 - 1: P = 1/2, E f = 1/6, and E ‖x‖² = 2/3."""
    law = Law(
        (Component(sympy.Integer(1), sympy.ImmutableMatrix(sympy.eye(2)), sympy.zeros(2, 1)),)
    )
    sae = Sae([[1.0], [1.0]], [-1.0], [[0.0, 0.0]], [0.0, 0.0])
    loss = expected_loss(law, sae, Objective(l1=6.0))
    assert loss.firing == (0.5,)
    assert loss.l1 == pytest.approx(1 / 6, rel=1e-15)
    assert loss.total == pytest.approx(2 / 3 + 1, rel=1e-15)


@pytest.mark.parametrize("exponent", range(-16, 0))
def test_nearly_coincident_latents_lose_no_accuracy(exponent: int) -> None:
    """Lines a hair apart, at any angle, on either side, and near an edge of the square."""
    rng = np.random.default_rng(exponent + 100)
    specification = {"sets": [2, 2], "onehot_probability": 0.25}
    components = components_from_specification(specification)
    law = law_from_dict(specification)
    for base in ([0.7, 0.4, -0.5], [1.0, 0.0, -1.0], [1.0, -1.0, 0.0], [0.0, 1.0, -0.25]):
        line = np.array(base)[:, None]
        lines = line * rng.choice([-2.0, -1.0, 0.3, 1.0, 3.0], size=5)
        lines = lines + 10.0**exponent * rng.normal(size=(3, 5))
        W_dec = rng.normal(size=(5, 2))
        weights = lines[:2], lines[2], W_dec, np.zeros(2)
        truth = exact_expectations(components, *weights)
        loss = expected_loss(law, Sae(*weights), Objective(l1=0.0))
        assert loss.reconstruction == pytest.approx(float(truth.reconstruction), rel=1e-12)
        assert loss.l1 == pytest.approx(float(sum(truth.activations)), rel=1e-12)


@pytest.mark.parametrize(
    "edge", [[1.0, -1.0, 0.0], [1.0, 0.0, -1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
)
@pytest.mark.parametrize("scale", [-1.0, -0.3, -3.0, 2.0])
@pytest.mark.parametrize("order", [1, -1])
def test_latents_exactly_on_an_edge(edge: list[float], scale: float, order: int) -> None:
    """Two lines on one edge of the square, on the same or opposite sides, in either order."""
    lines = np.array([edge, [scale * entry for entry in edge]])[::order]
    weights = lines[:, 1:].T, lines[:, 0], np.array([[1.0, 0.0], [1.0, 0.0]]), np.zeros(2)
    law = law_from_dict({"sets": [1, 1], "embedding": [[1, 0], [0, 1]]})
    components = components_from_specification({"sets": [1, 1], "embedding": [[1, 0], [0, 1]]})
    truth = exact_expectations(components, *weights)
    loss = expected_loss(law, Sae(*weights), Objective(l1=0.0))
    assert loss.reconstruction == pytest.approx(float(truth.reconstruction), rel=1e-14)
    assert loss.firing == pytest.approx([float(p) for p in truth.firing], abs=1e-15)


@pytest.mark.parametrize("seed", range(20))
def test_families_of_lines_close_to_an_edge_or_a_corner(seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = np.array([[1.0, -1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, -1.0], [1.0, 0.0, -1.0]])[
        seed % 4
    ]
    lines = np.outer(rng.choice([-2.0, -1.0, 0.5, 1.0], size=6), base)
    lines += 10.0 ** -rng.integers(8, 17, size=(6, 1)) * rng.integers(-2, 3, size=(6, 3))
    weights = lines[:, 1:].T, lines[:, 0], rng.normal(size=(6, 2)), np.zeros(2)
    specification = {"sets": [1, 1], "embedding": [[1, 0], [0, 1]]}
    truth = exact_expectations(components_from_specification(specification), *weights)
    loss = expected_loss(law_from_dict(specification), Sae(*weights), Objective(l1=0.0))
    assert loss.reconstruction == pytest.approx(float(truth.reconstruction), rel=1e-12)


def test_tiny_weights_still_fire() -> None:
    tiny = np.array([[1e-301, 0.0], [0.0, 5e-324]])
    sae = Sae(tiny, np.zeros(2), np.eye(2), np.zeros(2))
    loss = expected_loss(load_law("independent"), sae, Objective(l1=0.0))
    assert loss.firing == pytest.approx((0.5, 0.5), rel=1e-14)


def test_a_law_far_from_zero_loses_nothing() -> None:
    """U[c, c+1] at c = 10⁸: a dead SAE with b_dec in the middle has the variance, 1/12."""
    far = 10**8
    part = Component(
        sympy.Integer(1), sympy.ImmutableMatrix([[1]]), sympy.ImmutableMatrix([[far]])
    )
    dead = Sae([[0.0]], [-1.0], [[1.0]], [far + 0.5])
    loss = expected_loss(Law((part,)), dead, Objective(l1=1.0))
    assert loss.total == pytest.approx(1 / 12, rel=1e-12)
    exact = expected_loss(Law((part,)), Sae([[1.0]], [-far], [[1.0]], [far]), Objective(l1=0.0))
    assert exact.total == exact.reconstruction == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("angle", [0.0, 0.3, 0.7])
def test_parts_are_never_negative_and_sum_to_the_total(angle: float) -> None:
    loss = expected_loss(load_law("independent"), frame_sae(angle), Objective(l1=0.0))
    assert loss.reconstruction >= 0
    assert loss.total == loss.reconstruction + loss.sparsity + loss.weight_decay


@pytest.mark.parametrize(
    "objective",
    [
        Objective(l1=0.3),
        Objective(l1=0.3, sparsity="decoder-norm", decoder="free", weight_decay=0.07),
    ],
)
@pytest.mark.parametrize("seed", range(6))
def test_gradient_agrees_with_central_differences(objective: Objective, seed: int) -> None:
    rng = np.random.default_rng(seed)
    specification = random_specification(rng)
    law = law_from_dict(specification)
    d, n = law.dimension, int(rng.integers(2, 7))
    values = {
        "W_enc": rng.normal(size=(d, n)),
        "b_enc": rng.normal(size=n),
        "W_dec": rng.normal(size=(n, d)),
        "b_dec": rng.normal(size=d),
    }
    gradient = expected_loss_and_gradient(law, Sae(**values), objective).gradient
    step = 1e-5
    for name in PARAMETERS:
        differences = np.zeros_like(values[name])
        for index in np.ndindex(values[name].shape):
            totals = []
            for sign in (1, -1):
                moved = {key: value.copy() for key, value in values.items()}
                moved[name][index] += sign * step
                totals.append(expected_loss(law, Sae(**moved), objective).total)
            differences[index] = (totals[0] - totals[1]) / (2 * step)
        np.testing.assert_allclose(getattr(gradient, name), differences, rtol=1e-6, atol=1e-6)


def test_invariant_under_permutation_and_splitting_of_latents() -> None:
    rng = np.random.default_rng(5)
    law, objective = load_law("independent:onehot_probability=0.3"), Objective(l1=0.2)
    W_enc, b_enc = rng.normal(size=(2, 5)), rng.normal(size=5)
    W_dec, b_dec = rng.normal(size=(5, 2)), rng.normal(size=2)
    before = expected_loss(law, Sae(W_enc, b_enc, W_dec, b_dec), objective)
    order = rng.permutation(5)
    after = expected_loss(law, Sae(W_enc[:, order], b_enc[order], W_dec[order], b_dec), objective)
    assert after.total == pytest.approx(before.total, rel=1e-14)
    assert after.firing == pytest.approx(np.array(before.firing)[order], rel=1e-14)
    # One latent in two equal halves is the same function at the same cost.
    split = [0, 0, 1, 2, 3, 4]
    share = np.array([0.5, 0.5, 1, 1, 1, 1])
    halves = Sae(W_enc[:, split] * share, b_enc[split] * share, W_dec[split], b_dec)
    assert expected_loss(law, halves, objective).total == pytest.approx(before.total, rel=1e-13)


def test_magnitude_correlation_reaches_the_shared_law_as_a_limit() -> None:
    rng = np.random.default_rng(6)
    sae = Sae(*random_sae(rng, 2, 6))
    objective = Objective(l1=0.1)
    shared = expected_loss(load_law("shared"), sae, objective).total
    near = expected_loss(load_law("independent:magnitude_correlation=0.99999999"), sae, objective)
    assert near.total == pytest.approx(shared, rel=1e-7)


def test_no_latent_that_never_fires_changes_anything() -> None:
    law, objective = load_law("shared"), Objective(l1=0.1)
    alone = expected_loss(law, Sae([[1.0], [0.5]], [0.1], [[0.6, 0.8]], [0, 0]), objective)
    dead = Sae([[1.0, 1], [0.5, 0]], [0.1, -9], [[0.6, 0.8], [1, 0]], [0, 0])
    loss = expected_loss(law, dead, objective)
    assert loss.total == alone.total
    assert loss.firing[1] == 0.0


def test_many_components_are_taken_in_blocks_without_a_seam() -> None:
    rng = np.random.default_rng(8)
    specification = {"sets": [9, 9], "embedding": rng.integers(-3, 4, size=(18, 3)).tolist()}
    law = law_from_dict(specification)
    weights = rng.normal(size=(3, 40)), rng.normal(size=40), rng.normal(size=(40, 3)), np.ones(3)
    whole = expected_loss(law, Sae(*weights), Objective(l1=0.1))
    by_part = [
        expected_loss(
            Law((Component(sympy.Integer(1), part.matrix, part.offset),)),
            Sae(*weights),
            Objective(l1=0.1),
        ).total
        for part in law.components
    ]
    assert whole.total == pytest.approx(np.mean(by_part), rel=1e-13)


@pytest.mark.parametrize("name", ["shared", "independent"])
def test_many_latents_are_taken_in_blocks_without_a_seam(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where two latents of different blocks are equal, or each other's negative."""
    rng = np.random.default_rng(9)
    W_enc, b_enc = rng.normal(size=(2, 11)), rng.normal(size=11)
    W_enc[:, 9], b_enc[9] = W_enc[:, 1], b_enc[1]
    W_enc[:, 10], b_enc[10] = -W_enc[:, 2], -b_enc[2]
    sae = Sae(W_enc, b_enc, rng.normal(size=(11, 2)), [0.1, 0.2])
    whole = expected_loss_and_gradient(load_law(name), sae, Objective(l1=0.1))
    monkeypatch.setattr("solvers.losses.sums._LATENTS_AT_ONCE", 4)
    parts = expected_loss_and_gradient(load_law(name), sae, Objective(l1=0.1))
    assert parts.loss.total == pytest.approx(whole.loss.total, rel=1e-13)
    assert parts.loss.firing == pytest.approx(whole.loss.firing, rel=1e-13)
    for one, other in zip(parts.gradient, whole.gradient, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


def test_memory_grows_with_four_arrays_of_the_width_squared() -> None:
    n = 768
    rng = np.random.default_rng(10)
    W_dec = rng.normal(size=(n, 2))
    sae = Sae(W_dec.T / n, rng.normal(size=n) / n, W_dec, [0, 0])
    law = load_law("independent")
    tracemalloc.start()
    expected_loss(law, sae, Objective(l1=0.1))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4.5 * 8 * n**2 + 50e6


def test_wrong_dimension_says_what_was_expected() -> None:
    sae = Sae(np.ones((3, 1)), [0], np.ones((1, 3)), np.zeros(3))
    with pytest.raises(InputError, match="W_enc: expected d_in = 2, the dimension of the law"):
        expected_loss(load_law("shared"), sae, Objective(l1=0.1))


def test_overflow_is_an_error_not_a_number() -> None:
    sae = Sae(np.full((2, 2), 1e200), [0, 0], np.full((2, 2), 1e200), [0, 0])
    with pytest.raises(InputError, match="does not overflow"):
        expected_loss(load_law("shared"), sae, Objective(l1=0.1))


def test_a_law_with_symbols_is_refused() -> None:
    sae = Sae(np.ones((2, 1)), [0], np.ones((1, 2)), np.zeros(2))
    with pytest.raises(InputError, match=r"expected numbers; it holds the symbols {A}"):
        expected_loss(preset("shared", amplitude=AMPLITUDE), sae, Objective(l1=0.1))


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"W_enc": [1.0, 2.0]}, r"W_enc: expected shape \(d_in, d_sae\), got \(2,\)"),
        ({"W_enc": np.zeros((2, 0))}, r"W_enc: expected shape"),
        ({"b_enc": [0.0]}, r"b_enc: expected shape \(3,\) beside W_enc \(2, 3\), got \(1,\)"),
        ({"W_dec": np.ones((2, 3))}, r"W_dec: expected shape \(3, 2\)"),
        ({"b_dec": [[0.0, 0.0]]}, r"b_dec: expected shape \(2,\)"),
        ({"b_dec": [0.0, np.nan]}, r"b_dec: expected finite numbers, got nan; it is entry \[1\]"),
        (
            {"W_enc": np.full((2, 3), np.inf)},
            r"W_enc: .* got inf; it is entry \[0, 0\]",
        ),
        ({"b_enc": ["a", "b", "c"]}, "b_enc: expected an array of real numbers"),
        ({"b_enc": np.zeros(3, complex)}, "b_enc: expected an array of real numbers"),
        ({"b_enc": [0.0, [1.0], 2.0]}, "b_enc: expected an array of real numbers"),
    ],
)
def test_sae_refuses_arrays(arrays: dict[str, Any], message: str) -> None:
    good = {
        "W_enc": np.ones((2, 3)),
        "b_enc": np.zeros(3),
        "W_dec": np.ones((3, 2)),
        "b_dec": np.zeros(2),
    }
    with pytest.raises(InputError, match=message):
        Sae(**{**good, **arrays})


def test_sae_keeps_its_own_read_only_copy() -> None:
    W_enc = np.ones((2, 3))
    sae = Sae(W_enc, np.zeros(3), np.ones((3, 2)), np.zeros(2))
    W_enc[0, 0] = 7
    assert sae.W_enc[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        sae.W_enc[0, 0] = 7


def test_numbers_of_numpy_are_numbers() -> None:
    assert Objective(l1=np.float32(0.5)) == Objective(l1=np.int64(1) / 2) == Objective(l1=0.5)
    assert Objective(l1=np.int64(1)).l1 == 1.0


def test_losses_of_two_conventions_cannot_be_compared() -> None:
    law, sae = load_law("shared"), frame_sae(0.0)
    loss = expected_loss(law, sae, Objective(l1=0.1))
    assert loss - expected_loss(law, frame_sae(0.1), Objective(l1=0.1, decoder="free")) > 0
    assert expected_loss(law, frame_sae(0.1), Objective(l1=0.1)) < loss
    for other in (
        Objective(l1=0.2),
        Objective(l1=0.1, sparsity="decoder-norm"),
        Objective(l1=0.1, reconstruction="relative"),
        Objective(l1=0.1, weight_decay=0.1),
    ):
        with pytest.raises(InputError, match="expected losses of one convention"):
            loss - expected_loss(law, sae, other)
        with pytest.raises(InputError, match="expected losses of one convention"):
            bool(loss < expected_loss(law, sae, other))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"l1": 10**400}, "l1: expected a finite number ≥ 0, got 1000"),
        ({"l1": "0.1"}, "l1: expected a finite number ≥ 0, got '0.1'"),
        ({"l1": -0.1}, "l1: expected a finite number ≥ 0, got -0.1"),
        ({"l1": float("nan")}, "l1: expected a finite number ≥ 0, got nan"),
        ({"l1": float("inf")}, "l1: expected a finite number"),
        ({"l1": True}, "l1: expected a finite number"),
        ({"l1": 0.1, "weight_decay": -1}, "weight_decay: expected"),
        ({"l1": 0.1, "reconstruction": "relativ"}, "reconstruction: expected one of"),
        ({"l1": 0.1, "sparsity": "l0"}, "sparsity: expected one of l1, decoder-norm"),
        ({"l1": 0.1, "decoder": "fixed"}, "decoder: expected one of unit, free"),
    ],
)
def test_objective_refuses(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Objective(**settings)
