"""The exact loss on laws of any number of features, against exact rational arithmetic."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy

from solvers import (
    InputError,
    Objective,
    Sae,
    cross_check,
    expected_loss,
    expected_loss_and_gradient,
    minimize_loss,
)
from solvers.autoencoders.architectures import TopKSae
from solvers.autoencoders.autoencoder import PARAMETERS
from solvers.laws.arrays import law_arrays
from solvers.losses.piecewise_loss import piecewise_parts
from solvers.optima.search import Search
from tests.oracles.cut_cubes import expected_loss as exact_loss
from theory import Component, Law, load_law

L1 = 0.125


def features(rng: np.random.Generator, count: int, d: int) -> dict[str, Any]:
    """Return a law of features of both kinds of magnitude, all of which can fire together."""
    magnitudes: list[dict[str, Any]] = [
        {"constant": 1} if rng.random() < 0.2 else {"uniform": [float(rng.integers(2)) / 4, 1]}
        for _ in range(count)
    ]
    return {
        "features": count,
        "firing": [float(p) for p in rng.integers(1, 8, size=count) / 8],
        "magnitude": magnitudes,
        "embedding": (rng.integers(-4, 5, size=(count, d)) / 4).tolist(),
    }


def weights(rng: np.random.Generator, d: int, n: int) -> tuple[Any, ...]:
    W_enc, b_enc = rng.integers(-4, 5, size=(d, n)) / 4, rng.integers(-4, 3, size=n) / 8
    # A latent twice, one that is its opposite, and one that never fires.
    W_enc[:, 1 % n], b_enc[1 % n] = -W_enc[:, 0], -b_enc[0]
    if n > 3:
        W_enc[:, 2], b_enc[2] = 2 * W_enc[:, 0], 2 * b_enc[0]
        W_enc[:, 3], b_enc[3] = 0.0, 0.0
    return W_enc, b_enc, rng.normal(size=(n, d)), rng.normal(size=d) / 4


def fractions(array: Any) -> Any:
    return (
        [fractions(row) for row in array] if np.ndim(array) else Fraction(float(array))
    )  # fmt: skip


def as_components(law: Law) -> list[Any]:
    return [
        (
            Fraction(int(part.probability.p), int(part.probability.q)),
            [Fraction(int(e.p), int(e.q)) for e in part.offset],
            [[Fraction(int(e.p), int(e.q)) for e in part.matrix.row(r)]
             for r in range(law.dimension)],
        )
        for part in law.components
    ]  # fmt: skip


def compare(seed: int, count: int) -> None:
    rng = np.random.default_rng([seed, count])
    d, n = int(rng.integers(1, 4)), int(rng.integers(1, 6))
    law, given = load_law(features(rng, count, d)), weights(rng, d, n)
    truth = exact_loss(as_components(law), *map(fractions, given), Fraction(L1))
    loss = expected_loss(law, Sae(*given), Objective(L1, decoder="free"))
    assert abs(Fraction(loss.total) - truth["total"]) <= Fraction(1e-12) * truth["total"]
    assert loss.sparsity == pytest.approx(float(truth["l1"]), rel=1e-12, abs=1e-14)
    assert loss.firing == pytest.approx([float(p) for p in truth["firing"]], abs=1e-13)


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_exact_rational_arithmetic(seed: int) -> None:
    compare(seed, 3)


@pytest.mark.slow
@pytest.mark.parametrize(("count", "start"), [(3, 8), (3, 58), (4, 0), (4, 50)])
def test_agrees_exhaustively(count: int, start: int) -> None:
    for seed in range(start, start + 50):
        compare(seed, count)


@pytest.mark.parametrize("count", [3, 4])
def test_gradient_is_the_central_difference(count: int) -> None:
    rng = np.random.default_rng(count)
    law = load_law(features(rng, count, 3))
    shapes = (3, 4), (4,), (4, 3), (3,)
    parameters = [rng.normal(size=shape) for shape in shapes]
    objective, step = Objective(0.3, sparsity="decoder-norm", decoder="free"), 1e-5
    gradient = expected_loss_and_gradient(law, Sae(*parameters), objective).gradient
    for place, name in enumerate(PARAMETERS):
        for index in np.ndindex(shapes[place]):
            ends = []
            for sign in (1, -1):
                moved = [array.copy() for array in parameters]
                moved[place][index] += sign * step
                ends.append(expected_loss(law, Sae(*moved), objective).total)
            slope = (ends[0] - ends[1]) / (2 * step)
            assert getattr(gradient, name)[index] == pytest.approx(slope, rel=1e-6, abs=1e-8)


def test_parts_are_those_of_the_law_as_parallelograms() -> None:
    """A third side of no length: cells on the one side, moments on the other."""
    rng = np.random.default_rng(5)
    given = features(rng, 2, 3) | {"magnitude": {"uniform": [0.25, 1]}}
    law = load_law(given)
    solid = Law(
        tuple(
            Component(
                p.probability, p.matrix.row_join(sympy.zeros(3, 3 - p.matrix.cols)), p.offset
            )
            for p in law.components
        )
    )
    sae = Sae(*weights(rng, 3, 5))
    cells, moments = (piecewise_parts(law_arrays(each), sae) for each in (law, solid))
    for one, other in zip(cells, moments, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)
    assert moments.reconstruction == pytest.approx(
        expected_loss(solid, sae, Objective(0.0)).total, rel=1e-13
    )


def test_check_measures_everything() -> None:
    law = load_law({"features": 3, "firing": 0.3, "magnitude": {"uniform": [0, 1]}})
    sae = Sae(np.eye(3), np.full(3, -0.05), np.eye(3), np.zeros(3))
    check = cross_check(law, sae, Objective(0.1), Search(2, limit=2))
    # Its encoder is the best there is: nothing is gained, and the samples say so.
    assert check.best_activations == pytest.approx(check.loss.total, abs=1e-12)
    assert any("more than two random magnitudes" in note for note in check.notes)
    assert check.polished is not None
    assert check.optimum is not None
    assert check.optimum.loss.total <= check.polished.loss.total + 1e-12
    with pytest.raises(InputError, match="at most two uniform magnitudes"):
        expected_loss(law, TopKSae(sae, 1), Objective(0.0))


def test_a_feature_that_never_fires_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    law = features(rng, 3, 2)
    more = {**law, "features": 4, "firing": [*law["firing"], 0],
            "magnitude": [*law["magnitude"], {"uniform": [0, 1]}],
            "embedding": [*law["embedding"], [1, 1]]}  # fmt: skip
    sae = Sae(*weights(rng, 2, 5))
    losses = [expected_loss(load_law(text), sae, Objective(0.1)).total for text in (law, more)]
    assert losses[0] == losses[1]


def test_a_narrow_uniform_magnitude_is_a_constant_one_in_the_limit() -> None:
    rng = np.random.default_rng(2)
    sae = Sae(*weights(rng, 3, 4))
    given = {"features": 3, "firing": 0.5}
    constant = expected_loss(
        load_law({**given, "magnitude": {"constant": 1}}), sae, Objective(0.1)
    )
    for width in (1e-3, 1e-6):
        law = load_law({**given, "magnitude": {"uniform": [1 - width, 1 + width]}})
        assert expected_loss(law, sae, Objective(0.1)).total == pytest.approx(
            constant.total, abs=10 * width
        )


def test_independent_features_that_are_orthogonal_are_minimised_one_by_one() -> None:
    """Each feature alone costs p h(1), h(1) = λ - λ²/4, with its best b_dec no more."""
    p, l1 = 0.3, 0.1
    best = minimize_loss(
        load_law({"features": 3, "firing": p}), 3, Objective(l1), Search(starts=4, limit=4)
    )
    alone = minimize_loss(
        load_law({"features": 1, "firing": p}), 1, Objective(l1), Search(starts=4, limit=4)
    )
    assert alone.total < p * (l1 - l1**2 / 4)
    assert best.total == pytest.approx(3 * alone.total, rel=1e-9)


def test_what_would_take_hours_is_refused_before_it_is_begun() -> None:
    law = load_law({"features": 8, "firing": 1, "magnitude": {"uniform": [0, 1]}})
    sae = Sae(np.eye(8), np.full(8, -0.1), np.eye(8), np.zeros(8))
    with pytest.raises(InputError, match="latents: expected at most 5 for this law, got 8"):
        expected_loss(law, sae, Objective(0.1))
    with pytest.raises(InputError, match="latents: expected at most 5 for this law, got 8"):
        minimize_loss(law, 8, Objective(0.1))
