"""The straight-through gradient in expectation against autograd, and what it is a limit of."""

from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from solvers import Objective, Sae
from solvers.autoencoders.architectures import JumpReluSae
from solvers.autoencoders.frames import frame_sae
from solvers.laws.arrays import law_arrays
from solvers.laws.samples import sample
from solvers.losses.loss_parts import jump_loss_parts
from solvers.losses.straight_through import (
    JumpGradient,
    exact_gradient,
    straight_through_gradient,
)
from tests.oracles import straight_through as oracle
from theory import InputError, Law, from_active_sets, independent_features, load_law

NAMES = [field.name for field in fields(JumpGradient)]
OBLIQUE = [[1, 0], ["3/5", "4/5"], ["-1/2", "1/2"], [0, -1]]
LAWS: dict[str, Law] = {
    "points": from_active_sets(
        2, [{"features": [0], "probability": "1/4"}, {"features": [0, 1], "probability": "3/4"}],
        magnitude={"constant": 1},
    ),
    "segments": load_law("shared:onehot_probability=1/4"),
    "squares": load_law("independent:magnitude_correlation=1/2,onehot_probability=1/4"),
    "normal segments": independent_features(
        1, "1/2", magnitude={"normal": [1, "3/10"]}, embedding=[["3/5", "4/5"]]
    ),
    "normals": independent_features(
        2, "1/2", magnitude={"normal": [1, "3/10"]}, embedding=OBLIQUE[:2]
    ),
    "noise": independent_features(2, "1/2", noise="1/5"),
}  # fmt: skip
CUBES = independent_features(3, "1/2", magnitude={"uniform": [0, 1]}, embedding=OBLIQUE[:3])
WITH_DENSITY = [name for name in LAWS if name != "points"]
OBJECTIVE = Objective(l1=0.1, sparsity="decoder-norm", decoder="free", l0=0.2)
CHARGES: dict[str, Any] = {"l1": 0.1, "l0": 0.2, "decoder_norm": True}


def some_sae(seed: int, n: int = 3, d: int = 2) -> JumpReluSae:
    rng = np.random.default_rng(seed)
    base = Sae(rng.normal(size=(d, n)), 0.3 * rng.normal(size=n), rng.normal(size=(n, d)),
               0.3 * rng.normal(size=d))  # fmt: skip
    return JumpReluSae(base, 0.4 * np.abs(rng.normal(size=n)))


def arrays_of(sae: JumpReluSae) -> dict[str, Any]:
    return {name: getattr(sae, name) for name in NAMES}


def expected(law: Law, sae: JumpReluSae, bandwidth: float, **how: Any) -> dict[str, Any]:
    """Return the oracle's gradient, component by component of the law."""
    total = {name: np.zeros_like(array) for name, array in arrays_of(sae).items()}
    arrays = law_arrays(law)
    parts = [(cubes.probability, cubes.affine, False) for cubes in arrays.cubes]
    for part in arrays.normals:
        affine = np.concatenate([part.mean[:, :, None], part.factor], axis=2)
        parts.append((part.probability, affine, True))
    for probabilities, affines, normal in parts:
        for probability, affine in zip(probabilities, affines, strict=True):
            lines = sae.W_enc.T @ affine
            lines[:, 0] += sae.b_enc - sae.threshold
            lines = np.concatenate([lines, lines, lines])
            lines[:, 0] += np.repeat([0.0, bandwidth / 2, -bandwidth / 2], sae.d_sae)
            if affine.shape[1] == 1:
                u, weights = np.zeros((1, 0)), np.ones(1)
            else:
                u, weights = oracle.rule(lines, normal)
            x = affine[:, 0] + u @ affine[:, 1:].T
            found = oracle.gradient(x, probability * weights, arrays_of(sae), bandwidth, **how)
            for name in NAMES:
                total[name] += found[name]
    return total


@pytest.mark.parametrize("to_input", [False, True])
@pytest.mark.parametrize("bandwidth", [0.05, 0.5])
@pytest.mark.parametrize("seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in (1, 2))])
@pytest.mark.parametrize("name", LAWS)
def test_against_automatic_differentiation(
    name: str, seed: int, bandwidth: float, to_input: bool
) -> None:
    law, sae = LAWS[name], some_sae(seed)
    found = straight_through_gradient(law, sae, OBJECTIVE, bandwidth, to_input=to_input)
    wanted = expected(law, sae, bandwidth, to_input=to_input, **CHARGES)
    for array in NAMES:
        np.testing.assert_allclose(
            getattr(found.gradient, array), wanted[array], rtol=1e-11, atol=1e-12, err_msg=array
        )


@pytest.mark.parametrize("name", ["points", "segments", "normal segments"])
def test_prefixes(name: str) -> None:
    law, sae = LAWS[name], some_sae(3)
    objective = Objective(0.1, l0=0.2, prefixes=(1, 3))
    found = straight_through_gradient(law, sae, objective, 0.3, to_input=True)
    wanted = expected(law, sae, 0.3, to_input=True, l1=0.1, l0=0.2, prefixes=(1, 3))
    for array in NAMES:
        np.testing.assert_allclose(
            getattr(found.gradient, array), wanted[array], rtol=1e-11, atol=1e-12, err_msg=array
        )


def test_on_cubes_against_samples() -> None:
    """Twenty batches, and four standard errors of their mean."""
    sae, bandwidth = some_sae(4), 0.3
    found = straight_through_gradient(CUBES, sae, OBJECTIVE, bandwidth, to_input=True)
    x = sample(CUBES, 200_000, seed=1)
    batches = [
        oracle.gradient(
            part, np.full(len(part), 1 / len(part)), arrays_of(sae), bandwidth, True, **CHARGES
        )
        for part in np.split(x, 20)
    ]
    for array in NAMES:
        drawn = np.array([batch[array] for batch in batches])
        error = drawn.std(axis=0, ddof=1) / np.sqrt(len(drawn))
        away = np.abs(getattr(found.gradient, array) - drawn.mean(axis=0))
        assert np.all(away <= 4 * error), array


@pytest.mark.parametrize("seed", [5, 6])
@pytest.mark.parametrize("name", [*WITH_DENSITY, "cubes"])
def test_the_limit_of_a_narrow_kernel(name: str, seed: int) -> None:
    """The proposition: with `to_input` no bias is left, else what the encoder is not told."""
    law, sae = {**LAWS, "cubes": CUBES}[name], some_sae(seed)
    before = np.inf
    for bandwidth in (1e-2, 1e-3, 1e-4):
        told = straight_through_gradient(law, sae, OBJECTIVE, bandwidth, to_input=True)
        apart = max(np.abs(getattr(told.bias, array)).max() for array in NAMES)
        assert apart <= max(before / 5, 1e-10)
        before = apart
        untold = straight_through_gradient(law, sae, OBJECTIVE, bandwidth)
        np.testing.assert_array_equal(untold.bias.threshold, told.bias.threshold)
        # What moves the planes p = θ moves them by b_enc and by -θ alike.
        np.testing.assert_allclose(untold.bias.b_enc, told.exact.threshold, rtol=1e-9, atol=1e-12)
        assert not untold.bias.W_dec.any()
        assert not untold.bias.b_dec.any()
    assert before < 1e-3


def test_the_bias_is_of_first_order() -> None:
    """θ² ‖d‖² ρ' + θ ‖d‖² ρ times ε/4: by hand on the first data set, ρ = 1/(4 √2)."""
    law, objective = load_law("shared"), Objective(0.0, l0=0.1)
    sae = JumpReluSae(frame_sae(np.pi / 4), [0.4] * 4)
    for bandwidth in (0.01, 0.1, 0.5):
        found = straight_through_gradient(law, sae, objective, bandwidth)
        by_hand = -0.4 * bandwidth / 4 / (4 * np.sqrt(2))
        np.testing.assert_allclose(found.bias.threshold, by_hand, rtol=1e-10)
        np.testing.assert_allclose(found.inside, bandwidth / (4 * np.sqrt(2)), rtol=1e-12)


def test_on_points_there_is_a_gradient_though_the_loss_has_none() -> None:
    """x = 1 is inside the slab about θ = 0.9, fires, and is coded exactly: -λ₀/ε is left."""
    law = from_active_sets(1, [{"features": [0], "probability": 1}], magnitude={"constant": 1})
    sae = JumpReluSae(Sae([[1.0]], [0.0], [[1.0]], [0.0]), [0.9])
    found = straight_through_gradient(law, sae, Objective(0.0, l0=0.1), 0.5)
    assert found.exact.threshold.tolist() == [0.0]
    assert found.gradient.threshold[0] == pytest.approx(-0.2, rel=1e-14)
    assert found.inside.tolist() == [1.0]
    outside = straight_through_gradient(law, sae, Objective(0.0, l0=0.1), 0.1)
    assert outside.gradient.threshold.tolist() == [0.0]


def test_the_exact_gradient_is_that_of_the_loss() -> None:
    law, sae = LAWS["squares"], some_sae(7)
    found = exact_gradient(law, sae, OBJECTIVE)
    _, gradient = jump_loss_parts(
        law_arrays(law), sae.W_enc, sae.b_enc, sae.threshold, sae.W_dec, sae.b_dec, OBJECTIVE
    )
    for name, array in {**gradient._asdict(), "threshold": gradient.threshold}.items():
        np.testing.assert_array_equal(getattr(found, name), array)
    nothing = found - found
    assert not any(getattr(nothing, name).any() for name in NAMES)


@pytest.mark.parametrize("bandwidth", [0, -0.1, float("nan"), float("inf")])
def test_a_bandwidth_that_is_none(bandwidth: float) -> None:
    with pytest.raises(InputError, match="bandwidth: expected a finite number > 0"):
        straight_through_gradient(LAWS["segments"], some_sae(0), OBJECTIVE, bandwidth)


def test_kernels_that_are_not_offered() -> None:
    with pytest.raises(InputError, match=r"kernel: expected .*rectangle.*gaussian"):
        straight_through_gradient(LAWS["segments"], some_sae(0), OBJECTIVE, 0.1, "gaussian")


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (Objective(0.1, "relative"), "reconstruction: expected 'squared' for a JumpReLU SAE"),
        (Objective(0.1, weight_decay=0.1), "weight_decay: expected 0 for a JumpReLU SAE"),
        (Objective(0.1, prefixes=(1, 2)), "prefixes: expected the width 3 as the last prefix"),
    ],
)
def test_objectives_without_such_a_gradient(objective: Objective, message: str) -> None:
    with pytest.raises(InputError, match=message):
        straight_through_gradient(LAWS["segments"], some_sae(0), objective, 0.1)


def test_an_sae_of_another_dimension() -> None:
    with pytest.raises(InputError, match="W_enc: expected d_in = 2"):
        exact_gradient(LAWS["segments"], some_sae(0, d=3), OBJECTIVE)


def test_a_law_that_is_not_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("theory.laws.firing_rules.MOST_ACTIVE_SETS", 3)
    law = load_law({"features": 5, "firing": "1/3"})
    with pytest.raises(InputError, match="law: expected a law of few enough active sets"):
        exact_gradient(law, some_sae(0, d=5), OBJECTIVE)
