"""SAEs of every architecture that two libraries trained, against their own forward pass."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from solvers import InputError, Objective, Sae, expected_loss, load_checkpoint
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


Edit = Callable[[dict[str, Any], dict[str, Any]], None]


def edited_saelens(folder: Path, name: str, edit: Edit) -> Path:
    """Copy the training form of an SAE, its arrays and configuration edited in place."""
    shutil.copytree(DATA / "saelens" / name / "training", folder)
    weights, config = folder / "sae_weights.safetensors", folder / "cfg.json"
    arrays, settings = load_file(weights), json.loads(config.read_text())
    edit(arrays, settings)
    save_file(arrays, weights)
    config.write_text(json.dumps(settings))
    return folder


def edited_dictionary_learning(folder: Path, name: str, edit: Edit) -> Path:
    """Copy a trainer's folder, its tensors and configuration edited in place."""
    shutil.copytree(DATA / "dictionary_learning" / name / "trainer_0", folder)
    weights, config = folder / "ae.pt", folder / "config.json"
    arrays, settings = torch.load(weights), json.loads(config.read_text())
    edit(arrays, settings["trainer"])
    torch.save(arrays, weights)
    config.write_text(json.dumps(settings))
    return folder


def setting(key: str, value: object) -> Edit:
    return lambda _, settings: settings.update({key: value})


def array(key: str, value: object) -> Edit:
    return lambda arrays, _: arrays.update({key: value})


def without(key: str) -> Edit:
    return lambda arrays, _: arrays.pop(key)


@pytest.mark.parametrize("name", ["batchtopk", "matryoshka_batchtopk"])
@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (array("topk_threshold", np.array(-1.0)), "topk_threshold: expected a number ≥ 0, got -1"),
        (array("topk_threshold", np.array(np.nan)), "topk_threshold: expected finite .* got nan"),
        (array("topk_threshold", np.array(np.inf)), "topk_threshold: expected finite .* got inf"),
        (array("topk_threshold", np.ones(4)), r"topk_threshold: expected one number; .* \(4,\)"),
        (without("topk_threshold"), "topk_threshold: expected this array in SAELens'"),
        (array("threshold", np.ones(4)), "threshold: expected only W_enc"),
        (array("b_enc", np.ones(3)), r"W_dec: expected shape \(3, 2\)|b_enc: expected shape"),
        (setting("k", -1), "cfg.json: k: expected a number above 0 and up to [48], got -1"),
        (setting("k", "2"), "cfg.json: k: expected a number above 0 and up to [48], got '2'"),
        (
            setting("rescale_acts_by_decoder_norm", 1),
            "cfg.json: rescale_acts_by_decoder_norm: exp",
        ),
        (
            setting("normalize_activations", "layer_norm"),
            "cfg.json: normalize_activations: expect",
        ),
    ],
)
def test_damaged_batchtopk_files_of_saelens(
    tmp_path: Path, name: str, edit: Edit, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_checkpoint(edited_saelens(tmp_path / "sae", name, edit))
    assert str(tmp_path / "sae") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("widths", "message"),
    [
        ([2, 1, 4], r"expected increasing widths, got \[2, 1, 4\]"),
        ([1, 1, 4], "expected increasing widths"),
        ([1, 2], r"expected widths that end at 4, the number of latents, got \[1, 2\]"),
        ([-1, 4], "expected a whole number ≥ 1, got -1"),
        ([1.5, 4], "expected a whole number ≥ 1, got 1.5"),
        ([], r"expected a list of numbers, got \[\]"),
        ("124", "expected a list of numbers, got '124'"),
        (None, "expected a list of numbers, got None"),
    ],
)
def test_widths_that_are_no_prefixes(tmp_path: Path, widths: object, message: str) -> None:
    edit = setting("matryoshka_widths", widths)
    with pytest.raises(InputError, match=f"cfg.json: matryoshka_widths: {message}"):
        load_checkpoint(edited_saelens(tmp_path / "sae", "matryoshka_batchtopk", edit))


@pytest.mark.parametrize("key", ["detach_matryoshka_losses", "use_delta_loss"])
def test_a_gradient_that_stops_at_inner_prefixes_is_no_loss(tmp_path: Path, key: str) -> None:
    path = edited_saelens(tmp_path / "sae", "matryoshka_batchtopk", setting(key, True))
    sae = load_checkpoint(path)
    assert (sae.origin.loss, training_loss(load_law("independent"), sae)) == ("", None)
    assert f"{key}=True stops gradients at inner prefixes" in "; ".join(sae.notes)


def test_a_threshold_of_zero_is_read_and_said_so(tmp_path: Path) -> None:
    """SAELens begins with 0 and saves that for inference; every positive latent then fires."""
    edit = array("topk_threshold", np.array(0.0))
    sae = load_checkpoint(edited_saelens(tmp_path / "sae", "batchtopk", edit))
    assert "its threshold is 0" in sae.notes[-1]
    relu = Sae(sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec)
    x = np.random.default_rng(0).normal(size=(100, 2))
    np.testing.assert_array_equal(sae.activations(x), relu.activations(x))


def test_versions_without_rescaling_compare_the_pre_activation_itself(tmp_path: Path) -> None:
    def older(_: dict[str, Any], settings: dict[str, Any]) -> None:
        settings.pop("rescale_acts_by_decoder_norm")

    path = edited_saelens(tmp_path / "sae", "batchtopk_unrescaled", older)
    old, new = (
        load_checkpoint(path),
        load_checkpoint(DATA / "saelens/batchtopk_unrescaled/training"),
    )
    np.testing.assert_array_equal(old.W_enc, new.W_enc)
    np.testing.assert_array_equal(old.breaks[1], new.breaks[1])


def test_an_architecture_that_was_trained_as_something_unknown(tmp_path: Path) -> None:
    metadata = {"training_architecture": "of_my_own", "training_architecture_details": {}}
    path = edited_saelens(tmp_path / "sae", "jumprelu", setting("metadata", metadata))
    origin = load_checkpoint(path).origin
    assert origin.loss == ""
    assert {"trained as 'of_my_own'", "what it was trained on is unknown"} < set(origin.notes)


def test_log_thresholds_of_older_jumprelu_files(tmp_path: Path) -> None:
    def older(arrays: dict[str, Any], _: dict[str, Any]) -> None:
        arrays["log_threshold"] = np.log(arrays.pop("threshold"))

    old = load_checkpoint(edited_saelens(tmp_path / "sae", "jumprelu", older))
    new = load_checkpoint(DATA / "saelens" / "jumprelu" / "training")
    assert isinstance(old, JumpReluSae)
    assert isinstance(new, JumpReluSae)
    np.testing.assert_allclose(old.threshold, new.threshold, rtol=1e-6)


@pytest.mark.parametrize("name", ["batchtopk", "matryoshka"])
@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (array("threshold", torch.tensor(-1.0)), "threshold: expected a number ≥ 0, got -1.0"),
        (array("threshold", torch.tensor(np.nan)), "threshold: expected finite numbers, got nan"),
        (array("threshold", torch.ones(2)), r"threshold: expected one number; .* \(2,\)"),
        (without("threshold"), "threshold: expected this array in dictionary_learning's"),
        (array("k", torch.tensor(-2)), "k: expected a number above 0 and up to [48], got -2"),
        (without("k"), "k: expected this array in dictionary_learning's"),
        (setting("dict_size", 3), "config.json: dict_size: expected [48], as in the encoder's"),
    ],
)
def test_damaged_batchtopk_files_of_dictionary_learning(
    tmp_path: Path, name: str, edit: Edit, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load_checkpoint(edited_dictionary_learning(tmp_path / "trainer_0", name, edit))
    assert str(tmp_path / "trainer_0") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (
            array("group_sizes", torch.tensor([1, 2])),
            "group_sizes: expected sizes that add up to 4",
        ),
        (array("group_sizes", torch.tensor([5, -1])), "group_sizes: expected a whole number ≥ 1"),
        (array("group_sizes", torch.tensor(4)), "group_sizes: expected a list of numbers, got 4"),
        (without("group_sizes"), "group_sizes: expected this array in dictionary_learning's"),
        (setting("group_sizes", [2, 2]), r"config.json: group_sizes: expected \[1, 1, 2\], as in"),
        (
            setting("group_weights", [1, 1]),
            "config.json: group_weights: expected a list of 3 numb",
        ),
        (
            setting("group_weights", [1, 1, -1]),
            "config.json: group_weights: expected a finite num",
        ),
        (
            setting("group_weights", [1, 1, "1"]),
            "config.json: group_weights: expected a finite nu",
        ),
    ],
)
def test_groups_that_are_no_prefixes(tmp_path: Path, edit: Edit, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_checkpoint(edited_dictionary_learning(tmp_path / "trainer_0", "matryoshka", edit))


@pytest.mark.parametrize("weights", [[1, 0, 1], None])
def test_without_weights_no_training_loss_is_claimed(
    tmp_path: Path, weights: list[int] | None
) -> None:
    def edit(_: dict[str, Any], settings: dict[str, Any]) -> None:
        settings.pop("group_weights")
        if weights is not None:
            settings["group_weights"] = weights

    path = edited_dictionary_learning(tmp_path / "trainer_0", "matryoshka", edit)
    origin = load_checkpoint(path).origin
    assert (origin.loss, origin.prefixes) == ("", ())
    assert "its training loss needs group_weights > 0" in origin.notes[-1]


@pytest.mark.parametrize("trainer", ["PAnnealTrainer", "GatedAnnealTrainer"])
def test_annealed_penalties_are_named(tmp_path: Path, trainer: str) -> None:
    edit = setting("trainer_class", trainer)
    origin = load_checkpoint(edited_dictionary_learning(tmp_path / "t", "gated", edit)).origin
    assert (origin.loss, origin.l1) == ("", None)
    assert f"trainer_class={trainer!r} penalises" in "; ".join(origin.notes)
