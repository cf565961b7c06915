"""SAELens' folders: settings that make another function, and damaged files."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from solvers import InputError, load_checkpoint
from tests.autoencoders.checkpoint_cases import (
    ONE,
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"architecture": "temporal"},
            "architecture: expected one of standard, jumprelu, topk, gated, batchtopk, ",
        ),
        ({"architecture": "gated"}, "b_gate: expected this array in SAELens'"),
        ({"activation_fn": "tanh"}, "cfg.json: activation_fn: expected 'relu', got 'tanh'"),
        ({"activation_fn": "topk"}, "cfg.json: k: expected a whole number from 1 to 4, got None"),
        (
            {"normalize_activations": "layer_norm"},
            "cfg.json: normalize_activations: expected 'none', got 'layer_norm'",
        ),
        ({"finetuning_scaling_factor": True}, "finetuning_scaling_factor: expected False"),
        ({"apply_b_dec_to_input": None}, "apply_b_dec_to_input: expected true or false, got None"),
        ({"d_in": 3}, "cfg.json: d_in: expected 2, as in the encoder's weights, got 3"),
        ({"d_sae": 5}, "cfg.json: d_sae: expected 4, as in the encoder's weights, got 5"),
    ],
)
def test_saelens_settings_that_make_another_function(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    folder = tmp_path / "sae"
    shutil.copytree(ONE, folder)
    config = json.loads((folder / "cfg.json").read_text())
    (folder / "cfg.json").write_text(json.dumps({**config, **changes}))
    with pytest.raises(InputError, match=message):
        load_checkpoint(folder)


def test_saelens_before_version_6(tmp_path: Path) -> None:
    """Fields of a pre-6 cfg.json, with the weights of a current one."""
    folder = tmp_path / "sae"
    shutil.copytree(ONE, folder)
    old = {
        "architecture": "standard",
        "d_in": 2,
        "d_sae": 4,
        "activation_fn_str": "relu",
        "apply_b_dec_to_input": True,
        "finetuning_scaling_factor": False,
        "normalize_activations": "none",
        "dtype": "torch.float32",
        "model_name": "toy",
        "hook_name": "blocks.0",
        "context_size": 128,
        "prepend_bos": True,
    }
    (folder / "cfg.json").write_text(json.dumps(old))
    np.testing.assert_array_equal(load_checkpoint(folder).b_enc, load_checkpoint(ONE).b_enc)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cfg.json: expected JSON"),
        ("[]", "cfg.json: expected a SAELens configuration"),
        ('{"trainer": "StandardTrainer"}', "cfg.json: expected a SAELens configuration"),
    ],
)
def test_a_configuration_of_something_else(tmp_path: Path, content: str, message: str) -> None:
    folder = tmp_path / "sae"
    shutil.copytree(ONE, folder)
    (folder / "cfg.json").write_text(content)
    with pytest.raises(InputError, match=message):
        load_checkpoint(folder)


@pytest.mark.parametrize("keep", [0, 6, 100, -4])
def test_truncated_safetensors(tmp_path: Path, keep: int) -> None:
    folder = tmp_path / "sae"
    shutil.copytree(ONE, folder)
    weights = folder / "sae_weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"sae_weights.safetensors: expected safetensors"):
        load_checkpoint(folder)


def test_safetensors_with_other_arrays(tmp_path: Path) -> None:
    folder = tmp_path / "sae"
    shutil.copytree(ONE, folder)
    arrays = {"W_enc": np.ones((2, 4)), "W_dec": np.ones((4, 2)), "b_dec": np.zeros(2)}
    save_file(arrays, folder / "sae_weights.safetensors")
    with pytest.raises(InputError, match="b_enc: expected this array in SAELens'"):
        load_checkpoint(folder)
