"""JumpReLU and l0: the exact loss and its gradient, boundary terms included, on every base."""

from typing import Any

import numpy as np
import pytest

from solvers import Objective, Sae, expected_loss, expected_loss_and_gradient
from solvers.autoencoders.architectures import JumpReluSae
from solvers.autoencoders.autoencoder import Autoencoder
from solvers.laws.arrays import law_arrays
from solvers.laws.boundary_moments import boundary_moments
from solvers.laws.normal_moments import normal_moments
from solvers.losses.best_activations import best_activation_loss
from solvers.losses.loss_parts import jump_loss_parts
from solvers.losses.pair_expectations import pair_expectations
from solvers.losses.piecewise_loss import piecewise_parts
from solvers.losses.sampled_loss import sampled_loss
from solvers.optima.landscape import landscape
from solvers.optima.train import train
from theory import InputError, Law, from_active_sets, independent_features, load_law

OBLIQUE = [[1, 0], ["3/5", "4/5"], ["-1/2", "1/2"], [0, -1]]
LAWS: dict[str, Law] = {
    "segments": load_law("shared:onehot_probability=1/4"),
    "squares": load_law("independent:magnitude_correlation=1/2,onehot_probability=1/4"),
    "cubes": independent_features(3, "1/2", magnitude={"uniform": [0, 1]}, embedding=OBLIQUE[:3]),
    "normals": independent_features(
        2, "1/2", magnitude={"normal": [1, "3/10"]}, embedding=OBLIQUE[:2]
    ),
    "noise": independent_features(2, "1/2", noise="1/5"),
}
OBJECTIVE = Objective(l1=0.1, sparsity="decoder-norm", decoder="free", l0=0.2)


def some_sae(seed: int, n: int = 4, d: int = 2) -> JumpReluSae:
    rng = np.random.default_rng(seed)
    base = Sae(rng.normal(size=(d, n)), 0.3 * rng.normal(size=n), rng.normal(size=(n, d)),
               0.3 * rng.normal(size=d))  # fmt: skip
    return JumpReluSae(base, 0.4 * np.abs(rng.normal(size=n)))


def by_cells(law: Law, sae: Autoencoder, objective: Objective) -> float:
    """The loss by the other route: cells, or pairs without planes where there are none."""
    parts = piecewise_parts(law_arrays(law), sae)
    weights = objective.latent_weights(sae.W_dec)
    penalty = objective.l1 * float(weights @ parts.activation)
    return parts.reconstruction + penalty + objective.l0 * float(np.trace(parts.firing))


def cases(count: int) -> list[Any]:
    return [
        pytest.param(name, seed, marks=[] if seed < 3 else pytest.mark.slow)
        for name in LAWS
        for seed in range(count)
    ]


@pytest.mark.parametrize(("name", "seed"), cases(50))
def test_the_gradient_against_differences(name: str, seed: int) -> None:
    """One entry of every array, of the loss by the other route: cells, or pairs without planes."""
    law, sae = LAWS[name], some_sae(seed)
    rng = np.random.default_rng(seed)
    arrays = {key: getattr(sae, key).copy() for key in ("W_enc", "b_enc", "W_dec", "b_dec")}
    arrays["threshold"] = sae.threshold.copy()

    def total() -> float:
        base = Sae(*(arrays[key] for key in ("W_enc", "b_enc", "W_dec", "b_dec")))
        return by_cells(law, JumpReluSae(base, arrays["threshold"]), OBJECTIVE)

    found = expected_loss_and_gradient(law, sae, OBJECTIVE)
    assert found.loss.total == pytest.approx(total(), rel=1e-12)
    exact = {**found.gradient._asdict(), "threshold": found.gradient.threshold}
    for key, array in arrays.items():
        place = tuple(rng.integers(0, size) for size in array.shape)
        before, totals = array[place], []
        for step in (1e-5, -1e-5):
            array[place] = before + step
            totals.append(total())
        array[place] = before
        difference = (totals[0] - totals[1]) / 2e-5
        assert exact[key][place] == pytest.approx(difference, rel=1e-6, abs=1e-6), key


@pytest.mark.parametrize("name", LAWS)
def test_relu_under_an_l0_penalty(name: str) -> None:
    """The mass that starts to fire is charged, though the loss of activations does not jump."""
    law, base = LAWS[name], some_sae(7)
    sae = Sae(base.W_enc, base.b_enc, base.W_dec, base.b_dec)
    found = expected_loss_and_gradient(law, sae, OBJECTIVE)
    plain = expected_loss(law, sae, Objective(0.1, sparsity="decoder-norm"))
    assert found.loss.total == pytest.approx(plain.total + 0.2 * plain.l0, rel=1e-13)
    moved = []
    for step in (1e-5, -1e-5):
        b_enc = sae.b_enc + np.eye(4)[1] * step
        moved.append(
            expected_loss(law, Sae(sae.W_enc, b_enc, sae.W_dec, sae.b_dec), OBJECTIVE).total
        )
    difference = (moved[0] - moved[1]) / 2e-5
    assert found.gradient.b_enc[1] == pytest.approx(difference, rel=1e-6)


@pytest.mark.parametrize("name", LAWS)
def test_no_threshold_and_no_penalty_is_relu(name: str) -> None:
    law, base = LAWS[name], some_sae(8)
    sae = Sae(base.W_enc, base.b_enc, base.W_dec, base.b_dec)
    found = expected_loss_and_gradient(law, sae, Objective(0.1))
    parts, gradient = jump_loss_parts(
        law_arrays(law), sae.W_enc, sae.b_enc, np.zeros(4), sae.W_dec, sae.b_dec, Objective(0.1)
    )
    assert parts.total == pytest.approx(found.loss.total, rel=1e-13)
    for one, other in zip(gradient, found.gradient, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-13)


def test_the_loss_against_sampling() -> None:
    for name, law in LAWS.items():
        sae = some_sae(9)
        exact = expected_loss(law, sae, OBJECTIVE)
        sampled = sampled_loss(law, sae, OBJECTIVE, 200_000)
        assert abs(exact.total - sampled.total) < 4.5 * sampled.standard_error, name
        assert exact.sparsity == pytest.approx(
            0.1 * float(np.array(sae.decoder_norms) @ activation(law, sae)) + 0.2 * exact.l0
        )


def activation(law: Law, sae: JumpReluSae) -> Any:
    return pair_expectations(law_arrays(law), sae).activation


def test_planes_in_cubes_of_every_dimension() -> None:
    """δ(u1 - 1/2) 1{u2 > 1/4}: the first moments by hand, in 2, 3 and 4 dimensions."""
    for k in (2, 3, 4):
        a = np.zeros((1, 2, 1 + k))
        a[0, 0, :2] = [-1.0, 2.0]
        a[0, 1, [0, 2]] = [-0.25, 1.0]
        found = boundary_moments(a)[0, 0, 1]
        # The density of 2 u1 - 1 at 0 is 1/2.
        assert found[0, 0] == pytest.approx(0.75 / 2, rel=1e-14)
        assert found[0, 1] == pytest.approx(0.75 / 4, rel=1e-14)
        assert found[0, 2] == pytest.approx((1 - 1 / 16) / 4, rel=1e-14)
        assert found[2, 2] == pytest.approx((1 - 1 / 64) / 6, rel=1e-14)
        whole = boundary_moments(a)[0, 0, 0]
        assert whole[0, 0] == pytest.approx(0.5, rel=1e-14)
        if k > 2:
            assert found[0, 3] == pytest.approx(0.75 / 4, rel=1e-14)


def test_planes_outside_or_nowhere_have_no_mass() -> None:
    a = np.array([[[-2.0, 1.0, 0.5], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]])
    assert not boundary_moments(a).any()
    assert boundary_moments(np.ones((2, 3, 1))).shape == (2, 3, 3, 1, 1)


def test_densities_of_normals_where_both_vanish() -> None:
    """At the origin two standard normals of correlation ρ have density 1/(2π √(1-ρ²))."""
    factor = np.array([[[1.0, 0.0], [0.6, 0.8], [0.0, 0.0]]])
    found = normal_moments(np.array([[0.0, 0.0, 1.0]]), factor, boundaries=True)
    assert found.at_both_boundaries is not None
    assert found.fires_at_boundary is not None
    assert found.at_both_boundaries[0, 0, 1] == pytest.approx(1 / (2 * np.pi * 0.8), rel=1e-14)
    assert found.fires_at_boundary[0, 0, 1] == pytest.approx(0.5 / np.sqrt(2 * np.pi), rel=1e-14)
    # The constant 1 always fires, and is nowhere at its boundary.
    assert found.fires_at_boundary[0, 0, 2] == pytest.approx(1 / np.sqrt(2 * np.pi), rel=1e-14)
    assert not found.fires_at_boundary[0, 2].any()


def test_on_points_the_loss_is_constant_in_the_thresholds() -> None:
    law = from_active_sets(2, [{"features": [0, 1], "probability": 1}])
    sae = some_sae(3)
    to_threshold = expected_loss_and_gradient(law, sae, OBJECTIVE).gradient.threshold
    assert to_threshold is not None
    assert not to_threshold.any()


@pytest.mark.parametrize(
    ("refused", "where"),
    [
        (lambda law, o: landscape(law, 2, o), "a landscape of ReLU SAEs"),
        (lambda law, o: train(law, 2, o), "training without thresholds"),
        (lambda law, o: best_activation_loss(law, Sae(np.eye(2), [0, 0], np.eye(2), [0, 0]), o),
         "the best activations"),
    ],
)  # fmt: skip
def test_what_knows_no_l0_penalty_says_so(refused: Any, where: str) -> None:
    with pytest.raises(InputError, match=f"l0: expected 0 for {where}, got 0.2"):
        refused(load_law("shared"), Objective(l1=0.1, l0=0.2))


def test_the_penalty_is_part_of_the_convention() -> None:
    with pytest.raises(InputError, match="l0: expected a finite number ≥ 0"):
        Objective(0.1, l0=-1)
    with pytest.raises(InputError, match="l0: expected 0 beside the relative reconstruction"):
        Objective(0.1, "relative", l0=0.1)
    with pytest.raises(InputError, match="l0: expected losses of one convention"):
        Objective(0.1).check_comparable(Objective(0.1, l0=0.1))
