"""Readers: SAEs trained by real libraries against sampled values."""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from solvers import InputError, Objective, expected_loss, load_checkpoint
from solvers.autoencoders.conventions import CONVENTIONS
from solvers.losses.expected_loss import ExpectedLoss
from solvers.losses.training_loss import training_loss
from tests.autoencoders.checkpoint_cases import MANIFEST, ONE, RELU, STANDARD, TRAINED, weights_of
from theory import law_from_dict


def test_the_manifest_holds_the_checkpoints_of_four_libraries() -> None:
    libraries = Counter(entry["path"].split("/")[0] for entry in MANIFEST)
    assert libraries == {
        "saelens": 10,
        "dictionary_learning": 2,
        "sparsify": 1,
        "anders2024": 15,
    }
    assert len(RELU) == 24


OTHERS = [entry for entry in MANIFEST if entry not in RELU]


@pytest.mark.parametrize("form", ["", "training"])
@pytest.mark.parametrize("entry", OTHERS, ids=lambda entry: entry["name"])
def test_other_architectures_lie_within_four_standard_errors_too(
    entry: dict[str, Any], form: str
) -> None:
    if form and not (TRAINED / entry["path"] / form).exists():
        form = ""
    law = law_from_dict(entry["law"])
    sae = load_checkpoint(TRAINED / entry["path"] / form)
    assert sae.architecture.lower() == entry["architecture"].split("(")[0].split()[0]
    loss = expected_loss(law, sae, Objective(l1=1.0, sparsity="decoder-norm"))
    exact = {**figures(loss)}
    trained = training_loss(law, sae)
    assert trained is not None
    exact["total"] = trained.total
    if "aux" in entry["sampled"]:
        exact["aux"] = trained.terms["gate reconstruction"]
        exact["gate_l1"] = trained.terms["gate sparsity"] / entry["l1"]
    if sae.architecture == "TopK":
        # Read with unit atoms, as the library ranks them: activations are weighted already.
        assert exact["l1_weighted"] == pytest.approx(exact["l1"], rel=1e-6)
    off = deviations(exact, entry)
    assert off.keys() == entry["sampled"].keys() - zero_error(entry)
    assert max(abs(deviation) for deviation in off.values()) <= 4, off
    for name in zero_error(entry):
        assert exact[name] == pytest.approx(entry["sampled"][name]["mean"], abs=1e-5)


def zero_error(entry: dict[str, Any]) -> set[str]:
    """Name the figures that were the same in every sample."""
    return {name for name, s in entry["sampled"].items() if s["standard_error"] == 0}


def convention_of(entry: dict[str, Any]) -> str:
    """Name the convention that the checkpoint's own library trained it in."""
    library = entry["path"].split("/")[0]
    relative = entry["training_loss"]["normalise_per_sample"]
    return {
        "saelens": "saelens-standard",
        "dictionary_learning": "dictionary-learning",
        "anders2024": "anders2024" if relative else "anders2024-raw",
    }[library]


def figures(loss: ExpectedLoss) -> dict[str, float]:
    """Name the parts of a loss as the manifest does."""
    return {
        "mse": loss.reconstruction,
        "l1": loss.l1,
        "l0": loss.l0,
        "total": loss.total,
        "l1_weighted": loss.sparsity / loss.objective.l1,
    }


def deviations(exact: dict[str, float], entry: dict[str, Any]) -> dict[str, float]:
    """Return exact less sampled in units of the sample's standard error."""
    sampled = {name: entry["sampled"][name] for name in exact if name in entry["sampled"]}
    return {
        name: (exact[name] - value["mean"]) / value["standard_error"]
        for name, value in sampled.items()
        if value["standard_error"] > 0
    }


@pytest.mark.parametrize("form", ["", "training"])
@pytest.mark.parametrize("entry", RELU, ids=lambda entry: entry["name"])
def test_exact_figures_lie_within_four_standard_errors_of_the_sampled(
    entry: dict[str, Any], form: str
) -> None:
    if form and not (TRAINED / entry["path"] / form).exists():
        form = ""
    law = law_from_dict(entry["law"])
    sae = load_checkpoint(weights_of(entry, form), entry.get("instance"))
    objective = CONVENTIONS[convention_of(entry)].objective(entry["l1"], law.dimension)
    loss = expected_loss(law, sae, objective)
    exact = figures(loss)
    own = training_loss(law, sae)
    if own is not None:
        # What the file itself says of λ and the convention comes to the same.
        assert own.total == pytest.approx(loss.total, rel=1e-12)
    if objective.reconstruction == "relative":
        # These SAEs have x̂(0) ≠ 0, so that the mean they were trained on does not exist.
        assert exact.pop("mse") == exact.pop("total") == np.inf
        assert "x = 0" in loss.reason
        squared = expected_loss(law, sae, replace(objective, reconstruction="squared"))
        exact["mse_raw"] = squared.reconstruction
    off = deviations(exact, entry)
    assert {"l1", "l0"} < off.keys()
    assert {"mse", "mse_raw", "total"} & off.keys()
    assert max(abs(deviation) for deviation in off.values()) <= 4, off


def test_which_encoders_subtract_b_dec_is_in_the_notes() -> None:
    notes = {
        entry["name"]: load_checkpoint(TRAINED / entry["path"]).notes[0] for entry in STANDARD
    }
    for entry in STANDARD:
        centred = entry["training_loss"]["encoder_subtracts_b_dec"]
        assert ("subtracts b_dec; folded" in notes[entry["name"]]) == centred


def test_either_file_of_a_folder_names_it() -> None:
    whole = load_checkpoint(ONE)
    for name in ("cfg.json", "sae_weights.safetensors"):
        np.testing.assert_array_equal(load_checkpoint(ONE / name).W_dec, whole.W_dec)


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file; expected a checkpoint"):
        load_checkpoint(tmp_path / "nothing.npz")
    with pytest.raises(InputError, match=r"cfg.json: no such file; expected this file of a SAE"):
        load_checkpoint(tmp_path)
    (tmp_path / "text.npz").write_text("W_enc")
    with pytest.raises(InputError, match="this is neither, or it is truncated"):
        load_checkpoint(tmp_path / "text.npz")


def test_safetensors_are_read_without_their_library(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load_file(ONE / "sae_weights.safetensors")["W_dec"]
    monkeypatch.setitem(sys.modules, "safetensors", None)
    np.testing.assert_array_equal(load_checkpoint(ONE).W_dec, expected)
