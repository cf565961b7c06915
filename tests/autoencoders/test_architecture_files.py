"""SAEs of every architecture that two libraries trained, against their own forward pass."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from solvers import Objective, Sae, expected_loss, load_checkpoint
from solvers.autoencoders.architectures import JumpReluSae
from solvers.autoencoders.autoencoder import Autoencoder, Origin
from solvers.losses.training_loss import training_loss
from theory import load_law

DATA = Path(__file__).parents[1] / "data" / "architectures"
MANIFEST = {entry["path"]: entry for entry in json.loads((DATA / "manifest.json").read_text())}
FILES = [(path, form) for path, entry in MANIFEST.items() for form in entry["forms"]]
NESTED = [path for path in MANIFEST if "matryoshka" in path]
ARCHITECTURES = {
    "standard": "ReLU",
    "gated": "Gated",
    "topk": "TopK",
    "batchtopk": "JumpReLU",
    "batchtopk_unrescaled": "JumpReLU",
    "matryoshka": "JumpReLU",
    "matryoshka_default": "JumpReLU",
    "matryoshka_batchtopk": "JumpReLU",
    "jumprelu": "JumpReLU",
    "jumprelu_tanh": "JumpReLU",
    "jumprelu_quadratic": "JumpReLU",
}


def lies_within(exact: float, sampled: dict[str, float]) -> bool:
    """Tell whether a figure is within 4 standard errors; if every sample had it, to rounding."""
    return abs(exact - sampled["mean"]) <= max(4 * sampled["standard_error"], 1e-12)


def test_the_manifest_holds_every_architecture() -> None:
    assert sorted(path.split("/")[1] for path in MANIFEST if path.startswith("saelens")) == [
        "batchtopk",
        "batchtopk_unrescaled",
        "gated",
        "jumprelu",
        "jumprelu_quadratic",
        "jumprelu_tanh",
        "matryoshka_batchtopk",
        "standard",
        "topk",
    ]
    assert sum(file.stat().st_size for file in DATA.rglob("*") if file.is_file()) < 300_000


@pytest.mark.parametrize(("path", "form"), FILES)
def test_exact_figures_lie_within_four_standard_errors(path: str, form: str) -> None:
    entry = MANIFEST[path]
    sae = load_checkpoint(DATA / path / form)
    assert sae.architecture == ARCHITECTURES[entry["name"]]
    loss = expected_loss(load_law(entry["law"]), sae, Objective(0.0))
    for name in ("reconstruction", "l0"):
        assert lies_within(getattr(loss, name), entry["sampled"][name]), name
    if form != "training":
        # In training form SAELens' activations may be those of atoms that are not of norm 1.
        assert lies_within(loss.l1, entry["sampled"]["l1"])


@pytest.mark.parametrize("path", [path for path in MANIFEST if path.startswith("saelens")])
def test_the_training_form_is_the_inference_form(path: str) -> None:
    training, inference = (
        load_checkpoint(DATA / path / form) for form in ("training", "inference")
    )
    assert type(training) is type(inference)
    x = np.random.default_rng(0).uniform(-1.2, 1.2, size=(20_000, 2))
    # The inference form was folded in float32.
    np.testing.assert_allclose(training.activations(x), inference.activations(x), atol=1e-5)
    np.testing.assert_allclose(training.reconstruction(x), inference.reconstruction(x), atol=1e-5)
    for name in ("loss", "l1", "l0", "batch_k", "prefixes", "prefix_weights"):
        assert getattr(training.origin, name) == getattr(inference.origin, name)


@pytest.mark.parametrize(
    ("path", "loss", "fields"),
    [
        ("saelens/standard", "objective", {"l1": 0.1}),
        ("saelens/gated", "gated", {"l1": 0.1}),
        ("saelens/topk", "squared", {}),
        ("saelens/jumprelu", "l0", {"l0": 0.02}),
        ("saelens/jumprelu_tanh", "", {}),
        ("saelens/jumprelu_quadratic", "", {}),
        ("saelens/batchtopk", "squared", {"batch_k": 1.5}),
        ("saelens/batchtopk_unrescaled", "squared", {"batch_k": 1.0}),
        ("saelens/matryoshka_batchtopk", "squared", {"batch_k": 1.0, "prefixes": (1, 2, 4)}),
        ("dictionary_learning/topk/trainer_0", "squared", {}),
        ("dictionary_learning/batchtopk/trainer_0", "squared", {"batch_k": 1.0}),
        ("dictionary_learning/gated/trainer_0", "gated", {"l1": 0.1}),
        ("dictionary_learning/jumprelu/trainer_0", "", {}),
        (
            "dictionary_learning/matryoshka/trainer_0",
            "squared",
            {"batch_k": 1.0, "prefixes": (1, 2, 4), "prefix_weights": (1 / 6, 1 / 12, 1 / 12)},
        ),
        (
            "dictionary_learning/matryoshka_default/trainer_0",
            "squared",
            {"batch_k": 1.0, "prefixes": (2, 4), "prefix_weights": (0.25, 0.25)},
        ),
    ],
)
def test_what_a_file_says_of_its_training(path: str, loss: str, fields: dict[str, Any]) -> None:
    for form in MANIFEST[path]["forms"]:
        origin = load_checkpoint(DATA / path / form).origin
        plain = {"l1": None, "l0": None, "batch_k": None, "prefixes": (), "prefix_weights": "sum"}
        assert origin.loss == loss
        assert {name: getattr(origin, name) for name in plain} == {**plain, **fields}


@pytest.mark.parametrize(
    ("path", "note"),
    [
        ("saelens/batchtopk/training", "held against the threshold by p_i ‖d_i‖"),
        ("saelens/batchtopk/training", "stands for the ranking of batches in training"),
        ("saelens/batchtopk/inference", "trained as 'batchtopk'; its stored threshold"),
        ("saelens/matryoshka_batchtopk/inference", "trained as 'matryoshka_batchtopk'; its"),
        ("saelens/jumprelu/inference", "pre_act_loss_coefficient=3e-06 adds a loss of latents"),
        (
            "saelens/jumprelu_tanh/training",
            "jumprelu_sparsity_loss_mode='tanh' penalises λ Σ tanh",
        ),
        ("saelens/jumprelu_quadratic/inference", "mode='quadratic' penalises 2λ/k (l0 - k)²"),
        (
            "dictionary_learning/jumprelu/trainer_0",
            "'JumpReluTrainer' penalises λ (E l0 / target_l0",
        ),
        ("dictionary_learning/matryoshka/trainer_0", "used by its stored threshold"),
    ],
)
def test_notes_say_what_was_folded_and_what_no_loss_here_has(path: str, note: str) -> None:
    assert note in "; ".join(load_checkpoint(DATA / path).notes)


def prefix_sae(sae: Autoencoder, width: int) -> Autoencoder:
    """Return the SAE of the first latents alone, which fire as they did beside the others."""
    base = Sae(sae.W_enc[:, :width], sae.b_enc[:width], sae.W_dec[:width], sae.b_dec)
    return JumpReluSae(base, sae.threshold[:width]) if isinstance(sae, JumpReluSae) else base


@pytest.mark.parametrize("path", NESTED)
def test_every_prefix_reconstructs_as_the_library_has_it(path: str) -> None:
    """The prefixes and weights of the origin give the library's loss, one prefix after another."""
    entry = MANIFEST[path]
    law, objective = load_law(entry["law"]), Objective(0.0)
    sae = load_checkpoint(DATA / path / entry["forms"][-1])
    total = 0.0
    weighed = Objective(
        0.0, prefixes=sae.origin.prefixes, prefix_weights=sae.origin.prefix_weights
    ).weights_of_prefixes()
    for width, weight in zip(sae.origin.prefixes, weighed, strict=True):
        exact = expected_loss(law, prefix_sae(sae, width), objective).reconstruction
        assert lies_within(exact, entry["sampled"]["prefixes"][str(width)])
        total += weight * exact
    assert lies_within(total, entry["sampled"]["training_loss"])


@pytest.mark.parametrize("path", NESTED)
def test_the_training_loss_of_a_matryoshka_sae_is_the_librarys(path: str) -> None:
    entry = MANIFEST[path]
    for form in entry["forms"]:
        trained = training_loss(load_law(entry["law"]), load_checkpoint(DATA / path / form))
        assert trained is not None
        assert lies_within(trained.total, entry["sampled"]["training_loss"])


def test_the_training_loss_weighs_the_prefixes_of_a_relu_sae() -> None:
    rng = np.random.default_rng(5)
    origin = Origin(loss="squared", prefixes=(1, 3), prefix_weights=(0.5, 0.25))
    sae = Sae(rng.normal(size=(2, 3)), -0.1 * np.ones(3), rng.normal(size=(3, 2)), [0.1, 0.0])
    law = load_law("independent")
    trained = training_loss(law, sae.with_origin(origin))
    assert trained is not None
    one, all_ = (
        expected_loss(law, prefix_sae(sae, width), Objective(0.0)).reconstruction
        for width in (1, 3)
    )
    assert trained.terms == {"reconstruction of prefixes": trained.total}
    assert trained.total == pytest.approx(0.5 * one + 0.25 * all_, rel=1e-12)
    assert "dead latents" in trained.left_out[0]


@pytest.mark.parametrize("path", ["saelens/gated", "dictionary_learning/gated/trainer_0"])
def test_the_training_loss_of_a_gated_sae_is_the_librarys(path: str) -> None:
    entry = MANIFEST[path]
    trained = training_loss(
        load_law(entry["law"]), load_checkpoint(DATA / path / entry["forms"][0])
    )
    assert trained is not None
    assert lies_within(trained.total, entry["sampled"]["training_loss"])
