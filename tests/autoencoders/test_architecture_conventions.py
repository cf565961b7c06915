"""Conventions of other architectures: the loss as written, on samples, against the exact one."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from solvers import InputError, Objective, Sae, expected_loss
from solvers.autoencoders.architecture_conventions import (
    ARCHITECTURE_CONVENTIONS,
    ArchitectureConvention,
    architecture_convention,
)
from solvers.autoencoders.architectures import JumpReluSae
from solvers.autoencoders.autoencoder import Autoencoder
from theory import load_law

SAID = [name for name, entry in ARCHITECTURE_CONVENTIONS.items() if not entry.outside]
PREFIXES, WEIGHTS = (1, 2, 3), (0.5, 0.2, 0.3)


def as_written(entry: ArchitectureConvention, sae: Autoencoder, x: np.ndarray) -> np.ndarray:
    """Return the loss of each sample by the convention's own formula, with λ = 0.3."""
    f = sae.activations(x)
    squares = np.array(
        [((x - sae.b_dec - f[:, :m] @ sae.W_dec[:m]) ** 2).sum(axis=1) for m in PREFIXES]
    )
    variance = ((x - x.mean(axis=0)) ** 2).sum(axis=1).mean()
    first, *second = entry.formula.split(" + λ ")
    losses: np.ndarray = {
        "‖x - x̂‖²": squares[-1],
        "(1/d) ‖x - x̂‖²": squares[-1] / x.shape[1],
        "‖x - x̂‖²/E ‖x - E x‖²": squares[-1] / variance,
        "Σ_s ‖x - x̂_s‖²": squares.sum(axis=0),
        "(1/r) Σ_s w_s ‖x - x̂_s‖²": np.array(WEIGHTS) @ squares / 3,
    }[first]
    if second == ["#{f_i > 0}"]:
        losses = losses + 0.3 * (f > 0).sum(axis=1)
    else:
        assert not second
    return losses


@pytest.mark.parametrize("name", SAID)
def test_the_exact_loss_times_the_factor_is_the_loss_as_written(name: str) -> None:
    rng = np.random.default_rng(7)
    entry = architecture_convention(name)
    W_enc, W_dec = rng.normal(size=(2, 3)), rng.normal(size=(3, 2))
    sae: Autoencoder = Sae(W_enc, [-0.1, -0.2, 0.0], W_dec, [0.1, 0.0])
    settings: dict[str, Any] = {"coefficient": 0.3} if entry.penalty else {}
    if entry.prefixes:
        settings["prefixes"] = PREFIXES
    if entry.prefixes == "weighted mean":
        settings["weights"] = WEIGHTS
    if entry.penalty:
        assert isinstance(sae, Sae)
        sae = JumpReluSae(sae, [0.1, 0.2, 0.3])
    x = rng.uniform(-1, 1, size=(400_000, 2))
    losses = as_written(entry, sae, x)
    exact = expected_loss(load_law("independent"), sae, entry.objective(dimension=2, **settings))
    # E ‖x - E x‖² is 2/3 on this law.
    factor = 1.5 if entry.error == "variance" else entry.factor(2)
    assert abs(exact.total * factor - losses.mean()) <= 4 * losses.std() / np.sqrt(len(losses))


def test_what_an_objective_cannot_say_is_refused_with_the_reason() -> None:
    for name in set(ARCHITECTURE_CONVENTIONS) - set(SAID):
        with pytest.raises(InputError, match=re.escape(f"got {name!r}; ")) as caught:
            architecture_convention(name).objective()
        assert ARCHITECTURE_CONVENTIONS[name].outside in str(caught.value)
    stopped = ARCHITECTURE_CONVENTIONS["chanin2025a-delta"].outside
    assert "training minimises no loss" in stopped


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        (
            "saelens-topk",
            {"coefficient": 0.1},
            "coefficient: expected 0, as saelens-topk has no p",
        ),
        ("saelens-jumprelu", {"coefficient": -1}, "coefficient: expected a finite number ≥ 0"),
        ("saelens-matryoshka", {}, "prefixes: expected some, as saelens-matryoshka has"),
        ("saelens-topk", {"prefixes": (1, 2)}, "prefixes: expected none, as saelens-topk has"),
        ("saelens-matryoshka", {"prefixes": (1, 2), "weights": (1, 1)}, "weights: expected none"),
        (
            "dictionary-learning-matryoshka",
            {"prefixes": (1, 2), "weights": (1,)},
            "prefix_weights: expected 2 numbers, one a prefix",
        ),
        ("dictionary-learning-matryoshka", {"prefixes": (2, 1)}, "prefixes: expected increasing"),
        ("bussmann2024", {"dimension": 0}, "dimension: expected a whole number"),
    ],
)
def test_settings_that_a_convention_lacks(
    name: str, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        architecture_convention(name).objective(**settings)


def test_default_weights_and_means_over_coordinates() -> None:
    nested = architecture_convention("dictionary-learning-matryoshka")
    assert nested.objective(prefixes=(1, 4)) == Objective(
        0.0, prefixes=(1, 4), prefix_weights=(0.25, 0.25)
    )
    assert architecture_convention("bussmann2024").factor(5) == 0.2
    with pytest.raises(InputError, match="convention: expected one of rajamanoharan2024b"):
        architecture_convention("gao")


def test_every_source_is_a_key_of_the_references() -> None:
    references = (Path(__file__).parents[2] / "docs" / "references.md").read_text()
    for entry in ARCHITECTURE_CONVENTIONS.values():
        key = entry.source.split("]")[0] + "]"
        assert f"**{key}**" in references
