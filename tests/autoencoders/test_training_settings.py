"""The table of settings that change the trained loss, and what each reader makes of it."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from solvers import InputError, expected_loss, load_checkpoint
from solvers.autoencoders.checkpoints.saelens import saelens_sae
from solvers.autoencoders.checkpoints.training_settings import (
    COMPUTED,
    IN_PART,
    OUTSIDE,
    SETTINGS,
    changed_loss,
    version_of,
)
from solvers.autoencoders.objective import Objective
from solvers.cli.main import main
from solvers.losses.training_loss import training_loss
from solvers.studies.cross_check import objective_for
from theory import load_law

CASES = Path(__file__).parents[1] / "data" / "cases"
ARRAYS = {"W_enc": np.array([[0.9, 0.1], [0.2, 1.1]]), "b_enc": np.array([-0.1, 0.05]),
          "W_dec": np.array([[0.6, 0.8], [1.0, 0.0]]), "b_dec": np.zeros(2)}  # fmt: skip
PLAIN = {"d_in": 2, "d_sae": 2, "apply_b_dec_to_input": True, "l1_coefficient": 0.1}
UNIT = {"normalize_sae_decoder": True}
SCALED = "scale_sparsity_penalty_by_decoder_norm"


def saelens(version: str, **settings: Any) -> Any:
    config = {**PLAIN, "sae_lens_training_version": version, **settings}
    return saelens_sae(config, dict(ARRAYS))


@pytest.mark.parametrize(
    ("version", "settings", "convention", "l1"),
    [
        ("1.0.0", UNIT, "saelens-mean", 0.2),
        ("1.4.0", {}, "", None),
        ("1.6.0", {**UNIT, SCALED: False}, "saelens-unit", 0.1),
        ("2.1.3", {**UNIT, SCALED: False}, "saelens-unit", 0.1),
        ("2.1.3", {"normalize_sae_decoder": False, SCALED: True}, "saelens-standard", 0.1),
        ("2.1.3", {"normalize_sae_decoder": False, SCALED: False}, "", None),
        ("3.22.2", {"normalize_sae_decoder": False, SCALED: False}, "saelens-standard", 0.1),
        ("3.22.2", UNIT, "saelens-unit", 0.1),
        ("4.4.5", {"normalize_sae_decoder": False, SCALED: True}, "saelens-standard", 0.1),
        ("5.11.0", {"normalize_sae_decoder": False, SCALED: False}, "", None),
        ("5.11.0", {**UNIT, SCALED: False}, "saelens-unit", 0.1),
        ("6.54.12", {}, "saelens-standard", 0.1),
    ],
)
def test_what_each_version_of_saelens_minimised(
    version: str, settings: dict[str, Any], convention: str, l1: float | None
) -> None:
    """As the released packages compute it: a mean of the error first, weights by a setting."""
    sae = saelens(version, **settings)
    assert sae.origin.convention == convention
    assert sae.origin.loss == ("objective" if convention else "")
    if l1 is None:
        assert sae.origin.l1 is None
        assert "give the objective's settings" in "; ".join(sae.notes)
    else:
        assert objective_for(sae).l1 == pytest.approx(l1)
        assert objective_for(sae).decoder == ("free" if "standard" in convention else "unit")


@pytest.mark.parametrize("version", ["4.4.5", "5.11.0"])
def test_jumprelu_before_6_calls_its_coefficient_l1(version: str) -> None:
    config = {**PLAIN, "architecture": "jumprelu", "sae_lens_training_version": version}
    sae = saelens_sae(config, {**ARRAYS, "threshold": np.ones(2)})
    assert (sae.origin.loss, sae.origin.l0, sae.origin.l1) == ("l0", 0.1, None)


VALUES = {"mse_loss_normalization": "dense_batch", "lp_norm": 0.5, "noise_scale": 0.1}


@pytest.mark.parametrize("one", SETTINGS, ids=lambda one: f"{one.library}-{one.key}")
def test_every_setting_is_named_and_what_is_outside_claims_no_loss(one: Any) -> None:
    value = one.only[0] if one.only else VALUES.get(one.key, "odd" if "mode" in one.key else 2)
    version = None if one.since == (0,) and one.before[0] == 10**6 else one.since
    changed = changed_loss(one.library, {one.key: value}, version)
    assert changed.outside == (one.claim == OUTSIDE)
    assert len(changed.notes) == 1
    assert changed.notes[0].startswith(f"{one.key}=")
    assert ("no training loss is claimed" in changed.notes[0]) == changed.outside
    plain = None if not one.only else "another"
    assert all(one.key not in note for note in changed_loss(one.library, {}, version).notes)
    assert not one.changes(plain)
    assert changed_loss("another library", {one.key: value}, version).notes == ()
    assert one.claim in (COMPUTED, IN_PART, OUTSIDE)


def test_a_setting_counts_in_its_versions_alone() -> None:
    dense = {"mse_loss_normalization": "dense_batch"}
    assert changed_loss("SAELens", dense, (5, 11)).outside
    assert not changed_loss("SAELens", dense, (6, 0)).outside
    assert changed_loss("SAELens", dense, None).outside


@pytest.mark.parametrize(
    ("text", "version"),
    [("3.22.2", (3, 22, 2)), ("6", (6,)), ("", None), ("x.1", None), (6, None), ("²", None),
     ("9" * 5000, None)],
)  # fmt: skip
def test_versions(text: object, version: tuple[int, ...] | None) -> None:
    assert version_of(text) == version


def test_settings_beside_the_configuration_are_read(tmp_path: Path) -> None:
    folder = tmp_path / "sae"
    shutil.copytree(CASES / "saelens-1-2-scaling-factor" / "sae", folder)
    (folder / "runner_cfg.json").write_text(json.dumps({"sae": {"l1_warm_up_steps": 7}, "lr": 1}))
    config = json.loads((folder / "cfg.json").read_text())
    config.pop("l1_warm_up_steps")
    (folder / "cfg.json").write_text(json.dumps(config))
    assert "l1_warm_up_steps=7 lets λ rise from 0" in "; ".join(load_checkpoint(folder).notes)
    assert load_checkpoint(folder / "runner_cfg.json").d_sae == 4


def test_dense_batch_is_named_and_no_training_loss_is_claimed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = CASES / "saelens-dense-batch" / "sae"
    sae = load_checkpoint(path)
    assert (sae.origin.loss, sae.origin.l1) == ("", 0.1)
    assert training_loss(load_law("independent"), sae) is None
    assert main(["check", "independent", str(path), "--starts", "1"]) in (0, 1)
    printed = capsys.readouterr().out
    assert "mse_loss_normalization='dense_batch' divides the squared error" in printed
    assert "training loss " not in printed.replace("no training loss", "")


@pytest.mark.parametrize("form", ["sae", "sparsify"])
def test_bfloat16_weights_are_the_librarys(form: str) -> None:
    """Bits of a bfloat16 by hand: sign, eight of the exponent, seven of the fraction."""
    folder = CASES / "bfloat16-safetensors" / form
    sae = load_checkpoint(folder)
    content = next(folder.glob("*.safetensors")).read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    first, last = json.loads(content[8:start])["W_dec"]["data_offsets"]
    data = content[start + first : start + last]
    words = [int.from_bytes(data[i : i + 2], "little") for i in range(0, len(data), 2)]
    numbers = [
        (-1) ** (word >> 15) * 2.0 ** ((word >> 7 & 255) - 127) * (1 + (word & 127) / 128)
        for word in words
    ]
    assert sae.W_dec.ravel().tolist() == numbers


def test_bfloat16_loss_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    path = CASES / "bfloat16-safetensors" / "sae"
    assert main(["loss", "independent", str(path), "--l1", "0.1"]) == 0
    assert "total           0.42006" in capsys.readouterr().out


SCALING = CASES / "saelens-1-2-scaling-factor" / "sae"


def test_saelens_2_decodes_activations_times_their_factor() -> None:
    """The library's own forward pass, on samples, and the figure of the README."""
    w = load_file(SCALING / "sae_weights.safetensors")
    sae = load_checkpoint(SCALING)
    x = np.random.default_rng(0).normal(size=(50, 2))
    f = np.maximum((x - w["b_dec"]) @ w["W_enc"] + w["b_enc"], 0)
    x_hat = (f * w["scaling_factor"]) @ w["W_dec"] + w["b_dec"]
    np.testing.assert_allclose(sae.reconstruction(x), x_hat, atol=1e-6)
    loss = expected_loss(load_law("independent"), sae, Objective(0.1))
    assert loss.reconstruction == pytest.approx(0.172, abs=3e-4)
    assert sae.origin.loss == ""
    assert "scaling_factor multiplies the activations" in "; ".join(sae.notes)


@pytest.mark.parametrize("name", ["scaling_factor", "finetuning_scaling_factor"])
def test_a_factor_of_ones_changes_nothing(name: str) -> None:
    plain = saelens_sae(PLAIN, dict(ARRAYS))
    for setting in ({}, {"finetuning_scaling_factor": True}, {"finetuning_scaling_factor": False}):
        sae = saelens_sae({**PLAIN, **setting}, {**ARRAYS, name: np.ones(2)})
        np.testing.assert_array_equal(sae.W_dec, plain.W_dec)
        assert sae.origin.loss == "objective"


def test_a_factor_that_finetuning_uses_is_refused_and_one_that_it_does_not_use_is_not() -> None:
    arrays = {**ARRAYS, "finetuning_scaling_factor": np.array([1.0, 2.0])}
    with pytest.raises(
        InputError, match=r"finetuning_scaling_factor: expected ones, got \[1.0, 2"
    ):
        saelens_sae({**PLAIN, "finetuning_scaling_factor": True}, dict(arrays))
    sae = saelens_sae({**PLAIN, "finetuning_scaling_factor": False}, dict(arrays))
    np.testing.assert_array_equal(sae.W_dec, ARRAYS["W_dec"])
    assert "finetuning_scaling_factor is not used, as cfg.json says" in sae.notes


@pytest.mark.parametrize(
    ("factor", "message"),
    [
        ([1.0, np.nan], "scaling_factor: expected finite numbers, got nan"),
        ([1.0, 2.0, 3.0], r"scaling_factor: expected shape \(2,\), got \(3,\)"),
        ([[1.0, 2.0]], r"scaling_factor: expected shape \(2,\), got \(1, 2\)"),
    ],
)
def test_factors_that_are_none(factor: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        saelens_sae(PLAIN, {**ARRAYS, "scaling_factor": np.array(factor)})
