"""What is wrong with a file is told by what it holds, not by what a library says of it."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from solvers import InputError, load_checkpoint
from solvers.autoencoders.checkpoints.load import find_checkpoints
from theory.exact.errors import MissingFileError

OBJECTS = "holds .*objects, which are never unpickled"
DAMAGED = "is damaged"


def npy(array: np.ndarray[Any, Any], version: tuple[int, int]) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version, allow_pickle=True)
    return stream.getvalue()


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("objects", [True, False])
def test_an_array_of_objects_is_told_from_a_damaged_one(
    tmp_path: Path, version: tuple[int, int], objects: bool
) -> None:
    whole = npy(np.array([{"allow_pickle": 1}] if objects else np.ones(9), dtype=None), version)
    path = tmp_path / "weights.npz"
    with zipfile.ZipFile(path, "w") as archive:
        # Half an array is none; of objects the header alone is read.
        archive.writestr("W_enc.npy", whole if objects else whole[:-8])
    with pytest.raises(InputError, match=OBJECTS if objects else DAMAGED):
        load_checkpoint(path)


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize(
    "content",
    [
        torch.nn.Linear(2, 2),
        {"W_enc": Path("weights_only")},
        {"W_enc": np.ones(2)},
        {"W_enc": {1, 2}},
    ],
    ids=["module", "path", "numpy", "set"],
)
def test_other_objects_are_told_from_damage(tmp_path: Path, old: bool, content: object) -> None:
    path = tmp_path / "weights.pt"
    torch.save(content, path, _use_new_zipfile_serialization=not old)
    with pytest.raises(InputError) as caught:
        load_checkpoint(path)
    # A set is of Python's own, and newer versions of torch read it; then it is no tensor.
    assert caught.value.hint.startswith("it holds other objects") or caught.value.what == "W_enc"


@pytest.mark.parametrize("text", ["weights_only", "Unsupported", "allow_pickle"])
def test_words_of_a_library_in_a_damaged_file_mislead_nobody(tmp_path: Path, text: str) -> None:
    path, cut = tmp_path / "weights.pt", tmp_path / "cut.pt"
    torch.save({text: torch.ones(50)}, path, _use_new_zipfile_serialization=False)
    cut.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="damaged or truncated"):
        load_checkpoint(cut)


def test_a_damaged_sae_is_not_passed_over_as_no_sae(tmp_path: Path) -> None:
    torch.save({"W": torch.ones(2)}, tmp_path / "toy_model.pt")
    with pytest.raises(InputError, match="found none"):
        find_checkpoints(tmp_path)
    torch.save({"pre_bias": torch.ones(2)}, tmp_path / "openai.pt")
    (tmp_path / "broken.pt").write_bytes(pickle.dumps({"W": 1})[:-3])
    assert [path.name for path in find_checkpoints(tmp_path)] == ["broken.pt", "openai.pt"]


def test_a_file_that_is_not_there_is_an_error_of_its_own(tmp_path: Path) -> None:
    for name in ("none.npz", "none.pt", "none"):
        with pytest.raises(MissingFileError, match=f"{name}: no such file; expected a checkpoint"):
            load_checkpoint(tmp_path / name)
