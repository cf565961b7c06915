"""Safetensors files: every dtype, shards, and files that are damaged, false or hostile."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

from solvers import InputError, load_checkpoint
from solvers.autoencoders.checkpoints import weight_files
from solvers.autoencoders.checkpoints.load import find_checkpoints
from solvers.autoencoders.checkpoints.safetensors_files import safetensors_arrays
from solvers.cli.main import main

D, N = 3, 5
SHAPES = {"W_enc": (D, N), "b_enc": (N,), "W_dec": (N, D), "b_dec": (D,)}


def tensors(dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(*shape, generator=generator).to(dtype)
            for name, shape in SHAPES.items()}  # fmt: skip


def raw(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    """Return a file of a header, as text or to be JSON, and its numbers."""
    text = (header if isinstance(header, str) else json.dumps(header)).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(first: int = 0, last: int = 8, **other: Any) -> dict[str, Any]:
    return {"dtype": "F32", "shape": [2], "data_offsets": [first, last], **other}


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64]
)
def test_every_dtype_is_what_torch_reads(tmp_path: Path, dtype: torch.dtype) -> None:
    """Infinities, numbers below the least normal one, and an empty array among them."""
    special = [0.0, -0.0, 1.0, 1e-40, -3e38, 65504.0]
    if dtype.is_floating_point:
        special += [float("inf"), float("nan")]
    several = torch.tensor(special if dtype.is_floating_point else special[:3]).to(dtype)
    written = {"a": several, "none": torch.zeros(0, 2, dtype=dtype)}
    written |= {"one": torch.tensor(3).to(dtype)}
    written |= {name: (9 * value).to(dtype) for name, value in tensors().items()}
    safetensors.torch.save_file(written, tmp_path / "a.safetensors", {"format": "pt"})
    found = safetensors_arrays(tmp_path / "a.safetensors")
    assert found.keys() == written.keys()
    for name, value in written.items():
        np.testing.assert_array_equal(found[name], value.to(torch.float64).numpy())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected safetensors of floats; it is truncated"),
        (b"\x02\0\0", "it is truncated"),
        (raw({"a": entry()}, bytes(8), length=2**63), "it is truncated, or its header is damaged"),
        (raw({"a": entry()}, bytes(8))[:30], "it is truncated"),
        (raw({"a": entry()}, bytes(7)), "the data_offsets of 'a' lie outside the file"),
        (raw({"a": entry()}, bytes(9)), "overlap, leave gaps or end elsewhere than the file"),
        (raw({"a": entry(0, 2**80)}, bytes(8)), "the data_offsets of 'a' lie outside the file"),
        (raw({"a": entry(8, 0)}, bytes(8)), "the data_offsets of 'a' lie outside the file"),
        (raw({"a": entry(-8, 0)}, bytes(8)), "of 'a' are no whole numbers ≥ 0"),
        (raw({"a": entry(0, 8), "b": entry(4, 12)}, bytes(12)), "overlap, leave gaps"),
        (raw({"a": entry(0, 8), "b": entry(12, 20)}, bytes(20)), "overlap, leave gaps"),
        (raw({"a": entry(0, 8), "b": entry(0, 8)}, bytes(8)), "overlap, leave gaps"),
        (raw({"a": entry(shape=[3])}, bytes(8)), "not those of its shape and dtype"),
        (raw({"a": entry(shape=[2**62, 2**62])}, bytes(8)), "not those of its shape and dtype"),
        (raw({"a": entry(shape=[1] * 64 + [2])}, bytes(8)), "are no whole numbers ≥ 0"),
        (raw({"a": entry(shape=[True, 2])}, bytes(8)), "are no whole numbers ≥ 0"),
        (raw({"a": entry(shape=[2.0])}, bytes(8)), "are no whole numbers ≥ 0"),
        (raw({"a": entry(shape="2")}, bytes(8)), "are no whole numbers ≥ 0"),
        (raw({"a": entry(0, 8, data_offsets=[0, 4, 8])}, bytes(8)), "are no whole numbers ≥ 0"),
        (raw({"a": entry(dtype="F8_E4M3")}, bytes(8)), "a: expected numbers of one of F64, F32"),
        (raw({"a": entry(dtype=["F32"])}, bytes(8)), "a: expected numbers of one of F64, F32"),
        (raw({"a": entry(dtype="C64")}, bytes(8)), "a: expected numbers of one of .*got 'C64'"),
        (raw({"a": entry(more=1)}, bytes(8)), "'a' is not described by dtype, shape"),
        (raw({"a": [0, 8]}, bytes(8)), "'a' is not described by dtype, shape"),
        (raw("[]"), "its header is no JSON object"),
        (raw("{"), "expected JSON"),
        (raw("[" * 100_000), "expected JSON"),
        (raw('{"a": NaN}'), "NaN is none"),
        (struct.pack("<Q", 4) + b"\xff\xfe\xfd\xfc", "its header is no text"),
        (
            raw('{"a": %s, "a": %s}' % ((json.dumps(entry()),) * 2), bytes(8)),
            "a: expected this key once; it is given twice",
        ),
    ],
)  # fmt: skip
def test_damaged_and_false_headers(
    tmp_path: Path, content: bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "sae.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        safetensors_arrays(path)
    path.rename(tmp_path / "weights.safetensors")
    assert main(["loss", "independent", str(tmp_path / "weights.safetensors"), "--l1", "1"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert "weights.safetensors" in printed.err


def test_a_header_of_more_than_a_header_is_not_parsed(tmp_path: Path) -> None:
    (tmp_path / "a.safetensors").write_bytes(raw(" " * 10_000_001))
    with pytest.raises(InputError, match="its header is damaged"):
        safetensors_arrays(tmp_path / "a.safetensors")


def test_numbers_that_are_none(tmp_path: Path) -> None:
    for name in SHAPES:
        bad = tensors(torch.bfloat16)
        bad[name].view(-1)[0] = torch.nan
        safetensors.torch.save_file(bad, tmp_path / "weights.safetensors")
        with pytest.raises(InputError, match=f"{name}: expected finite numbers, got nan"):
            load_checkpoint(tmp_path / "weights.safetensors")


def sharded(folder: Path, name: str = "model", **where: object) -> Path:
    """Write the four arrays in two shards; `where` changes or adds to the weight_map."""
    folder.mkdir(parents=True, exist_ok=True)
    both = list(tensors().items())
    safetensors.torch.save_file(dict(both[:2]), folder / "one.safetensors")
    safetensors.torch.save_file(dict(both[2:]), folder / "two.safetensors")
    place: dict[str, object] = {name: "one.safetensors" for name, _ in both[:2]}
    place |= {name: "two.safetensors" for name, _ in both[2:]} | where
    index = folder / f"{name}.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": place}))
    return index


def test_shards_are_read_as_the_whole(tmp_path: Path) -> None:
    index = sharded(tmp_path / "shards")
    for path in (index, index.parent):
        sae = load_checkpoint(path)
        for name, value in tensors().items():
            np.testing.assert_array_equal(getattr(sae, name), value.numpy())
    assert find_checkpoints(tmp_path) == [index]


def test_shards_of_a_library(tmp_path: Path) -> None:
    config = {"d_in": D, "d_sae": N, "apply_b_dec_to_input": False}
    index = sharded(tmp_path / "sae", "sae_weights")
    (index.parent / "cfg.json").write_text(json.dumps(config))
    for path in (index, index.parent, index.parent / "cfg.json"):
        assert load_checkpoint(path).origin.library == "SAELens"
    assert find_checkpoints(tmp_path) == [index.parent]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"b_dec": "three.safetensors"}, "three.safetensors: no such file; expected this shard"),
        ({"b_dec": "one.safetensors"}, "b_dec: expected this array in one.safetensors"),
        ({"b_dec": "../secret.safetensors"}, "weight_map: b_dec: expected the name of a .safe"),
        ({"b_dec": "/etc/secret.safetensors"}, "weight_map: b_dec: expected the name of a .safe"),
        ({"b_dec": "..\\secret.safetensors"}, "weight_map: b_dec: expected the name of a .safe"),
        ({"b_dec": "a\0.safetensors"}, "weight_map: b_dec: expected the name of a .safetensors"),
        ({"b_dec": ".."}, "weight_map: b_dec: expected the name of a .safetensors"),
        ({"b_dec": "model.pt"}, "weight_map: b_dec: expected the name of a .safetensors"),
        ({"b_dec": ["two.safetensors"]}, "weight_map: b_dec: expected the name of a .safetens"),
        ({"b_dec": "folder.safetensors"}, "folder.safetensors: no such file; expected this"),
    ],
)
def test_indices_that_name_other_files(
    tmp_path: Path, where: dict[str, object], message: str
) -> None:
    safetensors.torch.save_file(tensors(), tmp_path / "secret.safetensors")
    (tmp_path / "shards" / "folder.safetensors").mkdir(parents=True)
    with pytest.raises(InputError, match=message):
        load_checkpoint(sharded(tmp_path / "shards", **where))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "expected a safetensors index configuration"),
        ("{}", "weight_map: expected which file holds which array"),
        ('{"weight_map": {}}', "weight_map: expected which file holds which array"),
        ('{"weight_map": {"a": "b.safetensors", "a": "c.safetensors"}}', "a: expected this key"),
    ],
)  # fmt: skip
def test_damaged_indices(tmp_path: Path, text: str, message: str) -> None:
    index = sharded(tmp_path)
    index.write_text(text)
    with pytest.raises(InputError, match=message):
        load_checkpoint(index)


def test_shards_are_bounded_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = sharded(tmp_path)
    sizes = [(tmp_path / f"{name}.safetensors").stat().st_size for name in ("one", "two")]
    monkeypatch.setattr(weight_files, "LARGEST_WEIGHTS", sum(sizes) - 1)
    with pytest.raises(InputError, match=r"two.safetensors: expected at most .* bytes, got"):
        load_checkpoint(index)
