"""Arrays out of safetensors files, read by their header, whole or in shards.

A file is an 8-byte little-endian length n, n bytes of JSON that say of every array its dtype,
shape and data_offsets, and the numbers, without a gap. A bfloat16 is the upper half of a float32.
Of a file in shards, `NAME.safetensors.index.json` says in its weight_map which holds which array.
"""

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.checkpoints import weight_files
from solvers.autoencoders.checkpoints.weight_files import Arrays, read_config
from theory.exact.errors import InputError, MissingFileError
from theory.exact.strict_json import LARGEST_FILE, parse_json

SUFFIX = ".safetensors"
#: What the name of a sharded file's index adds to that of the whole file.
INDEX = ".index.json"

_LENGTH = struct.Struct("<Q")
_BFLOAT16 = "BF16"
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", _BFLOAT16: "<u2", "I64": "<i8", "I32": "<i4"}
_ENTRY = {"dtype", "shape", "data_offsets"}
_MOST_AXES = 8


def stored(folder: Path, name: str) -> Path | None:
    """Return the file of a name in a folder, or the index of its shards; None if neither is there.

    Examples
    --------
    >>> stored(Path("no such folder"), "sae.safetensors") is None
    True
    """
    return next((p for p in (folder / name, folder / f"{name}{INDEX}") if p.is_file()), None)


def is_safetensors(path: Path) -> bool:
    """Tell whether a file is meant as safetensors or the index of its shards, by its name."""
    return path.name.endswith((SUFFIX, f"{SUFFIX}{INDEX}"))


def safetensors_arrays(path: Path) -> Arrays:
    """Return the arrays of a safetensors file, or of the shards that an index names.

    Raises
    ------
    InputError
        If a file is damaged or too large, holds other numbers than floats and whole ones, or if
        the index names a shard that is missing, lies elsewhere, or lacks an array.
    """
    return (
        _sharded(path) if path.name.endswith(INDEX) else _whole(path, weight_files.LARGEST_WEIGHTS)
    )


def _sharded(index: Path) -> Arrays:
    where = read_config(index, "safetensors index").get("weight_map")
    if not isinstance(where, dict) or not where:
        raise InputError("weight_map", "which file holds which array", where, where=index.name)
    shards: dict[str, Arrays] = {}
    left = weight_files.LARGEST_WEIGHTS
    for name, file in where.items():
        # A name with a folder in it could lead anywhere.
        if not isinstance(file, str) or not file.endswith(SUFFIX) or set(file) & set("/\\\0"):
            expected = f"the name of a {SUFFIX} file beside the index"
            raise InputError(f"weight_map: {name}", expected, file, where=index.name)
        if file not in shards:
            if not (index.parent / file).is_file():
                raise MissingFileError(file, f"this shard, which {index.name} names")
            shards[file] = _whole(index.parent / file, left)
            left -= (index.parent / file).stat().st_size
        if name not in shards[file]:
            raise InputError(name, f"this array in {file}, as {index.name} says")
    return {name: shards[file][name] for name, file in where.items()}


def _whole(path: Path, most: int) -> Arrays:
    size = path.stat().st_size
    if size > most:
        raise InputError(path.name, f"at most {most} bytes", size)
    raw = path.read_bytes()
    length = _LENGTH.unpack_from(raw)[0] if len(raw) >= _LENGTH.size else len(raw)
    if length > min(len(raw) - _LENGTH.size, LARGEST_FILE):
        raise _damaged(path, "it is truncated, or its header is damaged")
    start = _LENGTH.size + length
    try:
        text = raw[_LENGTH.size : start].decode()
    except UnicodeDecodeError:
        raise _damaged(path, "its header is no text") from None
    header = parse_json(text, path.name)
    if not isinstance(header, dict):
        raise _damaged(path, "its header is no JSON object")
    header.pop("__metadata__", None)
    data = memoryview(raw)[start:]
    spans = {name: _span(path, name, entry, len(data)) for name, entry in header.items()}
    ends = [0, *sorted(last for _, last in spans.values())]
    if ends[-1] != len(data) or sorted(first for first, _ in spans.values()) != ends[:-1]:
        raise _damaged(path, "its arrays overlap, leave gaps or end elsewhere than the file")
    return {
        name: _numbers(header[name], data[first:last]) for name, (first, last) in spans.items()
    }


def _damaged(path: Path, hint: str) -> InputError:
    return InputError(path.name, "safetensors of floats", hint=hint)


def _span(path: Path, name: str, entry: Any, size: int) -> tuple[int, int]:
    """Return where the numbers of an array begin and end, which its dtype and shape must bear."""
    if not isinstance(entry, dict) or entry.keys() != _ENTRY:
        raise _damaged(path, f"{name!r} is not described by dtype, shape and data_offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise InputError(name, f"numbers of one of {', '.join(_DTYPES)}", dtype, where=path.name)
    if not _counts(shape) or not _counts(offsets) or len(offsets) != 2 or len(shape) > _MOST_AXES:
        raise _damaged(path, f"the shape or data_offsets of {name!r} are no whole numbers ≥ 0")
    first, last = offsets
    if not first <= last <= size:
        raise _damaged(path, f"the data_offsets of {name!r} lie outside the file")
    if last - first != math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize:
        raise _damaged(path, f"the data_offsets of {name!r} are not those of its shape and dtype")
    return first, last


def _counts(values: object) -> bool:
    return isinstance(values, list) and all(type(one) is int and one >= 0 for one in values)


def _numbers(entry: dict[str, Any], raw: memoryview) -> NDArray[Any]:
    array: NDArray[Any] = np.frombuffer(raw, _DTYPES[entry["dtype"]]).reshape(entry["shape"])
    if entry["dtype"] == _BFLOAT16:
        array = (array.astype("<u4") << 16).view("<f4")
    return array
