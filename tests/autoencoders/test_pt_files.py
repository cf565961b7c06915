"""Weights in .pt files: dictionary_learning and the post's code, and hostile pickles."""

import shutil
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from solvers import InputError, load_checkpoint, load_checkpoints
from solvers.autoencoders.checkpoints import weight_files
from tests.autoencoders.checkpoint_cases import (
    RELU,
    TRAINED,
    Hostile,
    good,
    weights_of,
)

POST = weights_of(next(entry for entry in RELU if "instance" in entry))
DICTIONARY_LEARNING = TRAINED / "dictionary_learning/dictlearn_standard_D2_d4_l10.1_s0/trainer_0"


def test_dictionary_learning_is_the_function_its_library_defines() -> None:
    """AutoEncoder: f = ReLU(E (x - bias) + e), x̂ = D f + bias, by torch itself."""
    state = torch.load(DICTIONARY_LEARNING / "ae.pt", weights_only=True)
    x = torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    f = torch.relu((x - state["bias"]) @ state["encoder.weight"].T + state["encoder.bias"])
    x_hat = f @ state["decoder.weight"].T + state["bias"]
    for path in (DICTIONARY_LEARNING, *DICTIONARY_LEARNING.iterdir()):
        sae = load_checkpoint(path)
        np.testing.assert_allclose(sae.reconstruction(x.numpy()), x_hat.numpy(), atol=1e-6)


def test_a_file_of_several_saes_wants_to_know_which() -> None:
    assert len(load_checkpoints(POST)) == 5
    with pytest.raises(InputError, match="instance: expected one of 0 to 4; it holds 5"):
        load_checkpoint(POST)
    for number in (5, -1):
        with pytest.raises(InputError, match=f"whole number from 0 to 4, got {number}"):
            load_checkpoint(POST, number)


def test_a_state_dict_without_an_instance_axis_holds_one(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    arrays = {name: torch.tensor(array, dtype=torch.bfloat16) for name, array in good().items()}
    torch.save(arrays, path)
    np.testing.assert_array_equal(load_checkpoint(path).W_dec, good()["W_dec"])


def test_the_old_format_of_torch(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    tensors = {name: torch.tensor(array) for name, array in good().items()}
    torch.save(tensors, path, _use_new_zipfile_serialization=False)
    np.testing.assert_array_equal(load_checkpoint(path).W_enc, good()["W_enc"])


@pytest.mark.parametrize("old", [True, False])
def test_a_pickle_in_a_pt_file_is_not_run(tmp_path: Path, old: bool) -> None:
    trace, path = tmp_path / "executed", tmp_path / "weights.pt"
    torch.save({"W_enc": Hostile(trace)}, path, _use_new_zipfile_serialization=not old)
    with pytest.raises(InputError, match="other objects, which are never unpickled"):
        load_checkpoint(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"W_enc": torch.ones(2, 3)}, "b_enc: expected this array in a .pt file; it holds W_enc"),
        ([torch.ones(2)], "expected a dict of tensors, got list"),
        ({"W_enc": 3}, "W_enc: expected a tensor, got int"),
        (
            {name: torch.tensor(array[None]) for name, array in good().items()}
            | {"b_dec": torch.zeros(3, 2)},
            r"W_enc: expected shape \(instances, d_in, d_sae\), and .*b_dec \(3, 2\)",
        ),
        (
            {name: torch.tensor(array) for name, array in good().items()}
            | {"b_dec": torch.tensor([0.0, np.nan])},
            "b_dec: expected finite numbers, got nan",
        ),
        (
            {name: torch.tensor(array) for name, array in good().items()}
            | {"b_dec": torch.tensor([0j, 1j])},
            "b_dec: expected an array of real numbers, got complex64",
        ),
    ],
)
def test_pt_files_with_other_contents(tmp_path: Path, state: object, message: str) -> None:
    path = tmp_path / "weights.pt"
    torch.save(state, path)
    with pytest.raises(InputError, match=message):
        load_checkpoint(path)


@pytest.mark.parametrize("keep", [20, 500, -30])
def test_truncated_pt(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "weights.pt"
    path.write_bytes(POST.read_bytes()[:keep])
    with pytest.raises(InputError, match="truncated"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ('{"trainer": {"dict_class": "CrossCoder"}}', "dict_class: expected one of AutoEncoder"),
        (
            '{"trainer": {"dict_class": ["AutoEncoder"]}}',
            "dict_class: expected one of AutoEncoder",
        ),
        (
            '{"trainer": {"dict_class": "AutoEncoder"}, "buffer": {"io": "in_and_out"}}',
            "config.json: buffer: io: expected 'in' or 'out', got 'in_and_out'; it maps one layer",
        ),
        ('{"architecture": "standard"}', "config.json: trainer: expected a dictionary_learning"),
        (
            '{"trainer": {"dict_class": "AutoEncoder", "dict_size": 5}}',
            "config.json: dict_size: expected 4, as in the encoder's weights, got 5",
        ),
        ("{", "config.json: expected JSON"),
    ],
)
def test_dictionary_learning_with_another_configuration(
    tmp_path: Path, config: str, message: str
) -> None:
    folder = tmp_path / "trainer_0"
    shutil.copytree(DICTIONARY_LEARNING, folder)
    (folder / "config.json").write_text(config)
    with pytest.raises(InputError, match=message):
        load_checkpoint(folder)
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match=r"config.json: no such file; expected this file of"):
        load_checkpoint(folder)


def test_pt_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"pip install torch"):
        load_checkpoint(POST)


def test_a_pt_that_unpacks_to_too_much_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weight_files, "LARGEST_WEIGHTS", 2**20)
    path = tmp_path / "weights.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights/data.pkl", b"")
        with archive.open("weights/data/0", "w", force_zip64=True) as member:
            member.write(bytes(2**20 + 1))
    with pytest.raises(InputError, match="expected at most 1048576 bytes of tensors"):
        load_checkpoint(path)


def test_tensors_that_repeat_one_number_are_not_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "weights.pt"
    wide = torch.zeros(1).expand(20_000, 10_000)
    torch.save({"W_enc": wide, "b_enc": wide, "W_dec": wide, "b_dec": wide}, path)
    assert path.stat().st_size < 10_000
    with pytest.raises(InputError, match="expected at most 1073741824 bytes of tensors, got"):
        load_checkpoint(path)
