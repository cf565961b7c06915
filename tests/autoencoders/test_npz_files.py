"""Weights in .npz files: a round trip, and files that are damaged, false or hostile."""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from solvers import InputError, Sae, load_checkpoint
from solvers.autoencoders.checkpoints import weight_files
from tests.autoencoders.checkpoint_cases import (
    Hostile,
    good,
)


def test_npz_round_trip(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {"W_enc": rng.normal(size=(3, 5)), "b_enc": rng.normal(size=5)}
    arrays |= {"W_dec": rng.normal(size=(5, 3)), "b_dec": rng.normal(size=3)}
    path = tmp_path / "weights.npz"
    Sae(**arrays).save(path)
    loaded = load_checkpoint(path)
    for name, array in arrays.items():
        np.testing.assert_array_equal(getattr(loaded, name), array)
    assert [p.name for p in tmp_path.iterdir()] == ["weights.npz"]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"W_enc": None},
            "W_enc: expected this array in an .npz file; it holds W_dec, b_dec, b_enc",
        ),
        ({"gate": np.zeros(3)}, "gate: expected only W_enc.*; this array is unknown"),
        ({"threshold": np.zeros(2)}, r"threshold: expected shape \(3,\), got \(2,\)"),
        ({"b_enc": np.zeros(2)}, r"b_enc: expected shape \(3,\)"),
        ({"W_dec": np.ones((2, 3))}, r"W_dec: expected shape \(3, 2\)"),
        ({"b_dec": np.array([0, np.nan])}, r"b_dec: expected finite numbers, got nan"),
        ({"b_dec": np.array(["a", "b"])}, "b_dec: expected an array of real numbers"),
        ({"W_enc": np.zeros((0, 3))}, "W_enc: expected shape"),
    ],
)
def test_npz_with_wrong_arrays(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, **{k: v for k, v in {**good(), **arrays}.items() if v is not None})
    with pytest.raises(InputError, match=message) as caught:
        load_checkpoint(path)
    assert str(path) in str(caught.value)


def test_pickled_objects_are_not_run(tmp_path: Path) -> None:
    trace, path = tmp_path / "executed", tmp_path / "weights.npz"
    np.savez(path, **{**good(), "b_enc": np.array([Hostile(trace)], dtype=object)})
    with pytest.raises(InputError, match="b_enc: expected an array of real numbers; it holds obj"):
        load_checkpoint(path)
    bare = tmp_path / "bare.npz"
    bare.write_bytes(pickle.dumps(Hostile(trace)))
    with pytest.raises(InputError, match="this is neither"):
        load_checkpoint(bare)
    assert not trace.exists()


@pytest.mark.parametrize("keep", [0, 10, 200, 700, -1])
def test_truncated_npz(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, **good())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match="truncated"):
        load_checkpoint(path)


def test_npz_with_a_damaged_member(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, **good())
    content = bytearray(path.read_bytes())
    at = content.index(b"\x93NUMPY") + 140
    content[at : at + 8] = b"\xff" * 8
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match="damaged"):
        load_checkpoint(path)


def test_npz_with_one_array_twice(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, **good())
    with (
        pytest.warns(UserWarning, match="Duplicate"),
        zipfile.ZipFile(path, "a") as archive,
    ):
        archive.writestr("b_dec.npy", b"")
    with pytest.raises(InputError, match="expected every array once"):
        load_checkpoint(path)


def test_encrypted_npz(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    np.savez(path, **good())
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        while at >= 0:
            content[at + offset] |= 1  # the flag "encrypted"
            at = content.find(signature, at + 4)
    path.write_bytes(bytes(content))
    with pytest.raises(InputError, match="damaged"):
        load_checkpoint(path)


def test_a_device_is_no_checkpoint() -> None:
    with pytest.raises(InputError, match="expected a file or a folder; this is neither"):
        load_checkpoint("/dev/null")


def test_npz_members_that_are_no_arrays(tmp_path: Path) -> None:
    path = tmp_path / "weights.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in good():
            archive.writestr(f"{name}.npy", b"not an array")
    with pytest.raises(InputError, match="W_enc: expected an array"):
        load_checkpoint(path)


def test_npz_header_that_lies_about_the_size(tmp_path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 1000), }"
    header += b" " * (117 - len(header)) + b"\n"
    member = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    path = tmp_path / "weights.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in good():
            archive.writestr(f"{name}.npy", member)
    with pytest.raises(InputError, match=r"damaged|array"):
        load_checkpoint(path)


def test_zip_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weight_files, "LARGEST_WEIGHTS", 2**20)
    path = tmp_path / "weights.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in good():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                member.write(bytes(2**18 + 1))
    assert path.stat().st_size < 2**12
    with pytest.raises(InputError, match="expected at most 1048576 bytes of arrays"):
        load_checkpoint(path)
