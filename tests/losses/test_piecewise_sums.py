"""TopK, Gated and JumpReLU in the plane: loss and gradient by lines, against cells and pairs."""

from typing import Any

import numpy as np
import pytest

from solvers import Objective, Sae, expected_loss, expected_loss_and_gradient
from solvers.autoencoders.architectures import GatedSae, JumpReluSae, TopKSae
from solvers.autoencoders.autoencoder import Autoencoder, distinct_differences
from solvers.autoencoders.frames import frame_sae
from solvers.laws.arrays import law_arrays
from solvers.losses.loss_parts import jump_loss_parts, piecewise_loss_parts
from solvers.losses.piecewise_loss import piecewise_parts
from solvers.losses.sampled_loss import sampled_loss
from theory import InputError, Law, independent_features, load_law

OBLIQUE = [[1, 0], ["3/5", "4/5"], ["-1/2", "1/2"], [0, -1]]
LAWS: dict[str, Law] = {
    "segments": load_law("shared:onehot_probability=1/4"),
    "squares": load_law("independent:magnitude_correlation=1/2,onehot_probability=1/4"),
    "points": independent_features(3, "1/3", embedding=OBLIQUE[:3]),
}
OBJECTIVE = Objective(l1=0.1, sparsity="decoder-norm", decoder="free", l0=0.2)
PREFIXES = Objective(l1=0.1, l0=0.05, prefixes=(1, 2, 4), prefix_weights=(0.5, 0.3, 0.2))
KINDS = ("topk-1", "topk-2", "topk-4", "gated", "tied", "jumprelu")


def some_arrays(seed: int, n: int = 4, d: int = 2) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "W_enc": rng.normal(size=(d, n)),
        "b_enc": 0.3 * rng.normal(size=n),
        "W_dec": rng.normal(size=(n, d)),
        "b_dec": 0.3 * rng.normal(size=d),
    }


def some_sae(kind: str, seed: int, arrays: dict[str, Any]) -> Autoencoder:
    """An SAE of these arrays; what its architecture has beyond them depends on the seed only."""
    rng = np.random.default_rng(1000 + seed)
    base, n = Sae(**arrays), len(arrays["b_enc"])
    if kind.startswith("topk"):
        return TopKSae(base, int(kind[-1]))
    if kind == "jumprelu":
        return JumpReluSae(base, 0.4 * np.abs(rng.normal(size=n)))
    scale = 0.5 + rng.random(n)
    b_gate = 0.3 * rng.normal(size=n)
    W_gate = base.W_enc * scale if kind == "tied" else rng.normal(size=base.W_enc.shape)
    return GatedSae(base, W_gate, b_gate)


def by_cells(law: Law, sae: Autoencoder, objective: Objective) -> float:
    """The loss by cell quadrature: x̂ of a prefix is that of the SAE without the later atoms."""
    parts = piecewise_parts(law_arrays(law), sae)
    weights = objective.latent_weights(sae.W_dec)
    penalty = objective.l1 * float(weights @ parts.activation)
    penalty += objective.l0 * float(np.trace(parts.firing))
    if not objective.prefixes:
        return parts.reconstruction + penalty
    for prefix, weight in zip(objective.prefixes, objective.weights_of_prefixes(), strict=True):
        parts = piecewise_parts(law_arrays(law), sae.of_prefix(prefix))
        penalty += weight * parts.reconstruction
    return penalty


def cases(count: int, quick: int = 2) -> list[Any]:
    return [
        pytest.param(name, kind, seed, marks=[] if seed < quick else pytest.mark.slow)
        for name in LAWS
        for kind in KINDS
        # A hundred of TopK in all; JumpReLU SAEs are tried in test_jump_loss too.
        for seed in range(count if kind.startswith("topk") else count // 2)
    ]


@pytest.mark.parametrize(("name", "kind", "seed"), cases(34))
def test_the_gradient_against_differences(name: str, kind: str, seed: int) -> None:
    """One entry of every array, against differences of the loss by cells."""
    law, arrays = LAWS[name], some_arrays(seed)
    objective = (OBJECTIVE, PREFIXES)[seed % 2]
    rng = np.random.default_rng(seed)
    sae = some_sae(kind, seed, arrays)
    found = expected_loss_and_gradient(law, sae, objective)
    assert found.loss.total == pytest.approx(by_cells(law, sae, objective), rel=1e-12)
    exact = found.gradient._asdict()
    beyond = {"jumprelu": ["threshold"], "gated": ["W_gate", "b_gate"], "tied": ["b_gate"]}
    given = {key: getattr(sae, key).copy() for key in [*arrays, *beyond.get(kind, [])]}
    if kind == "tied":
        given["W_gate"] = sae.W_gate  # type: ignore[attr-defined]
    exact |= {key: getattr(found.gradient, key) for key in given}

    def total() -> float:
        base = Sae(*(given[key] for key in arrays))
        moved: Autoencoder
        if kind == "jumprelu":
            moved = JumpReluSae(base, given["threshold"])
        elif kind in ("gated", "tied"):
            moved = GatedSae(base, given["W_gate"], given["b_gate"])
        else:
            moved = TopKSae(base, int(kind[-1]))
        return by_cells(law, moved, objective)

    for key, array in given.items():
        place = tuple(rng.integers(0, size) for size in array.shape)
        before, totals = array[place], []
        for step in (1e-5, -1e-5):
            # An SAE keeps its arrays and makes them read-only.
            given[key] = array.copy()
            given[key][place] = before + step
            totals.append(total())
        given[key] = array
        difference = (totals[0] - totals[1]) / 2e-5
        assert exact[key][place] == pytest.approx(difference, rel=1e-6, abs=1e-6), key


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("objective", [OBJECTIVE, PREFIXES], ids=["whole", "prefixes"])
def test_lines_against_pairs(name: str, objective: Objective) -> None:
    """JumpReLU SAEs have both routes to loss and gradient, without a step in common."""
    law = law_arrays(LAWS[name])
    for seed in range(10):
        arrays = some_arrays(seed)
        sae = some_sae("jumprelu", seed, arrays)
        assert isinstance(sae, JumpReluSae)
        lines, lines_gradient = piecewise_loss_parts(law, sae, objective)
        pairs, pairs_gradient = jump_loss_parts(
            law, sae.W_enc, sae.b_enc, sae.threshold, sae.W_dec, sae.b_dec, objective
        )
        assert lines.total == pytest.approx(pairs.total, rel=1e-12)
        np.testing.assert_allclose(lines.firing, pairs.firing, atol=1e-12)
        both = [*lines_gradient, lines_gradient.threshold], [
            *pairs_gradient, pairs_gradient.threshold
        ]  # fmt: skip
        for one, other in zip(*both, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("angle", [0.0, np.pi / 4, 0.3])
def test_codes_whose_breaks_coincide(k: int, angle: float) -> None:
    """Of ±u and ±v all p_i vanish on two lines, which are two of the p_i = p_j, and so on."""
    for name in ("segments", "squares"):
        sae = TopKSae(frame_sae(angle), k)
        exact = expected_loss(LAWS[name], sae, OBJECTIVE)
        assert exact.total == pytest.approx(by_cells(LAWS[name], sae, OBJECTIVE), rel=1e-12)
        assert exact.l0 <= min(k, 2) + 1e-12


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("bias", [-1.0, 0.0, 1.0, -0.5])
def test_breaks_along_the_sides_of_the_square(bias: float, sign: float) -> None:
    """Pre-activations x - 1 vanish where the data end, and none of what is beyond counts."""
    reads = sign * np.array([[1.0, -1, 0, 0], [0, 0, 1, -1]])
    base = Sae(reads, [bias, sign * bias, -0.3, 0.0], reads.T, [0.1, 0.0])
    gate = -reads, np.full(4, sign * bias)
    for name in ("segments", "squares"):
        for sae in (TopKSae(base, 1), TopKSae(base, 2), GatedSae(base, *gate)):
            exact = expected_loss(LAWS[name], sae, OBJECTIVE)
            assert exact.total == pytest.approx(by_cells(LAWS[name], sae, OBJECTIVE), rel=1e-12)
        jump = JumpReluSae(base, np.full(4, 1 + bias))
        lines, _ = piecewise_loss_parts(law_arrays(LAWS[name]), jump, OBJECTIVE)
        assert lines.total == pytest.approx(by_cells(LAWS[name], jump, OBJECTIVE), rel=1e-12)


def test_equal_latents_are_charged_once() -> None:
    """Of equal pre-activations TopK keeps the first, as everywhere in this package."""
    frame = frame_sae(0.2)
    twice = Sae(*(np.repeat(frame.W_enc, 2, axis=1), np.zeros(8),
                  np.repeat(frame.W_dec, 2, axis=0), [0, 0]))  # fmt: skip
    for name, law in LAWS.items():
        single = expected_loss(law, TopKSae(frame, 1), OBJECTIVE)
        double = expected_loss(law, TopKSae(twice, 1), OBJECTIVE)
        assert double.total == pytest.approx(single.total, rel=1e-12), name
        assert not any(double.firing[1::2])


def test_closed_forms_of_topk() -> None:
    """E min(a, b)² = 1/6, E min((a+b)/√2, |a-b|/√2)² = 1/12, and both parts with k = 2."""
    law = load_law("independent")
    for angle, k, value in ((0, 1, 1 / 6), (np.pi / 4, 1, 1 / 12), (0, 2, 0), (1.0, 2, 0)):
        found = expected_loss(law, TopKSae(frame_sae(angle), k), Objective(0.0))
        assert found.total == pytest.approx(value, abs=1e-14)
    diagonal = expected_loss(load_law("shared"), TopKSae(frame_sae(np.pi / 4), 1), Objective(0.0))
    assert diagonal.total == pytest.approx(0, abs=1e-14)


def test_a_gated_sae_with_tied_paths_is_a_jump_relu_sae() -> None:
    for seed in range(20):
        sae = some_sae("tied", seed, some_arrays(seed))
        assert isinstance(sae, GatedSae)
        jump = sae.as_jump_relu()
        assert jump is not None
        x = np.random.default_rng(seed).normal(size=(500, 2))
        np.testing.assert_allclose(sae.activations(x), jump.activations(x), atol=1e-12)
    untied = some_sae("gated", 0, some_arrays(0))
    assert isinstance(untied, GatedSae)
    assert untied.as_jump_relu() is None


def test_differences_are_distinct() -> None:
    numbers = distinct_differences(40)
    differences = np.subtract.outer(numbers, numbers)[np.triu_indices(40, 1)]
    assert len(np.unique(differences)) == 40 * 39 // 2
    assert (np.diff(numbers) >= 1).all()


def test_what_has_no_lines_is_refused() -> None:
    law = independent_features(3, "1/2", magnitude={"uniform": [0, 1]}, embedding=OBLIQUE[:3])
    sae = some_sae("topk-2", 0, some_arrays(0))
    with pytest.raises(InputError, match=r"law.*at most two uniform magnitudes.*got '3 at once'"):
        expected_loss(law, sae, OBJECTIVE)
    noisy = independent_features(2, "1/2", noise="1/5")
    with pytest.raises(InputError, match=r"law.*TopK.*normal magnitudes"):
        expected_loss(noisy, sae, OBJECTIVE)


@pytest.mark.parametrize(
    "part", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2, 3))]
)
def test_breaks_that_coincide_with_each_other_and_with_the_sides(part: int) -> None:
    """Weights of -1, 0 and 1: breaks vanish on whole components, on edges and on each other."""
    rng = np.random.default_rng(part)
    laws = [LAWS["segments"], LAWS["squares"], load_law("independent")]
    biases = [-1.0, -0.5, 0.0, 0.5, 1.0]
    for number in range(60):
        n = int(rng.integers(2, 6))
        reads, gate = rng.integers(-1, 2, size=(2, 2, n)).astype(float)
        base = Sae(reads, rng.choice(biases, size=n), rng.integers(-1, 2, size=(n, 2)),
                   rng.choice([0.0, 0.5], size=2))  # fmt: skip
        sae: Autoencoder = TopKSae(base, int(rng.integers(1, n + 1)))
        if number % 3 == 1:
            sae = GatedSae(base, gate, rng.choice(biases, size=n))
        elif number % 3 == 2:
            sae = JumpReluSae(base, rng.choice([0.0, 0.5, 1.0], size=n))
        law = laws[number % len(laws)]
        lines, _ = piecewise_loss_parts(law_arrays(law), sae, OBJECTIVE)
        assert lines.total == pytest.approx(by_cells(law, sae, OBJECTIVE), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("kind", ["topk-2", "jumprelu"])
def test_samples_are_charged_for_their_prefixes(kind: str) -> None:
    """The loss at samples, on average, against the exact one by cells."""
    sae = some_sae(kind, 1, some_arrays(1))
    sampled = sampled_loss(LAWS["squares"], sae, PREFIXES, 200_000)
    exact = by_cells(LAWS["squares"], sae, PREFIXES)
    assert abs(sampled.total - exact) < 4.5 * sampled.standard_error
