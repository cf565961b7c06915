"""Damaged and edited files of the architectures: one line each, and what an edit makes of them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from solvers import InputError, Sae, load_checkpoint
from solvers.autoencoders.architectures import JumpReluSae
from solvers.losses.training_loss import training_loss
from theory import load_law

DATA = Path(__file__).parents[1] / "data" / "architectures"

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
