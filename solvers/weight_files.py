"""Arrays out of files that anybody may have written. Nothing is ever unpickled.

.npz by numpy; .safetensors by safetensors; .pt by torch with weights_only=True, which builds
tensors and containers and refuses whatever else a pickle could call.
"""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.errors import InputError

#: Arrays of more bytes than this are no toy SAE; the limit stops zip bombs.
LARGEST_WEIGHTS = 2**30

# How torch files older than its zip format (torch 1.6) begin: a pickled magic number.
_TORCH_MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")

Arrays = dict[str, NDArray[Any]]


def is_npz(path: Path) -> bool:
    """Tell whether a file is a zip archive of .npy files, by its content."""
    return any(name.endswith(".npy") for name in _members(path))


def is_torch(path: Path) -> bool:
    """Tell whether a file was written by torch.save, by its content."""
    if any(name.endswith("data.pkl") for name in _members(path)):
        return True
    with path.open("rb") as file:
        return file.read(len(_TORCH_MAGIC)) == _TORCH_MAGIC


def _members(path: Path) -> list[str]:
    with path.open("rb"):
        pass  # zipfile takes what it may not read for no archive
    if not zipfile.is_zipfile(path):
        return []
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError):
        raise InputError("the archive is damaged or truncated") from None


def _check_archive(path: Path, entries: str) -> None:
    """Refuse an archive that would unpack to too much, or holds a name twice."""
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
        names = archive.namelist()
    if len(names) != len(set(names)):
        raise InputError(f"expected every {entries} once, one is there twice")
    if size > LARGEST_WEIGHTS:
        raise InputError(f"expected at most {LARGEST_WEIGHTS} bytes of {entries}s, got {size}")


def npz_arrays(path: Path) -> Arrays:
    """Return the arrays of an .npz file.

    Raises
    ------
    InputError
        If it is damaged, too large, or holds what is not an array of numbers.
    """
    try:
        _check_archive(path, "array")
        with np.load(path, allow_pickle=False) as archive:
            return {name: _entry(archive, name) for name in archive.files}
    except (zipfile.BadZipFile, EOFError, MemoryError, RuntimeError):
        # Encrypted and unknown kinds of zip are RuntimeErrors.
        raise InputError("expected an .npz file, but it is damaged or truncated") from None


def _entry(archive: Mapping[str, Any], name: str) -> NDArray[Any]:
    try:
        array: NDArray[Any] = archive[name]
    except ValueError as error:
        reason = "pickled objects" if "allow_pickle" in str(error) else "a damaged array"
        raise InputError(f"{name}: expected an array of real numbers, got {reason}") from None
    if not isinstance(array, np.ndarray):
        raise InputError(f"{name}: expected an array in .npy form")
    return array


def safetensors_arrays(path: Path) -> Arrays:
    """Return the arrays of a safetensors file.

    Raises
    ------
    InputError
        If the package is missing, or the file damaged, too large or not of floats.
    """
    try:
        from safetensors import SafetensorError, safe_open  # noqa: PLC0415
    except ImportError:
        raise InputError(
            "safetensors files need the package safetensors: pip install safetensors"
        ) from None
    if path.stat().st_size > LARGEST_WEIGHTS:
        raise InputError(f"{path.name}: expected at most {LARGEST_WEIGHTS} bytes")
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path.name}: expected safetensors of floats: {error}") from None


def torch_arrays(path: Path) -> Arrays:
    """Return the tensors of a state dict that torch.save wrote.

    Raises
    ------
    InputError
        If the package is missing, the file is damaged, too large, or holds anything but named
        tensors; nothing in it is executed.
    """
    try:
        import torch  # noqa: PLC0415
    except ImportError:
        raise InputError(".pt files need the package torch: pip install torch") from None
    if zipfile.is_zipfile(path):
        _check_archive(path, "tensor")
    elif path.stat().st_size > LARGEST_WEIGHTS:
        raise InputError(f"expected at most {LARGEST_WEIGHTS} bytes of tensors")
    try:
        # From memory: torch would map a file that another process may still change.
        state = torch.load(io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)
    except Exception as error:
        # A damaged or hostile pickle may raise anything; torch's own advice, to load it
        # without weights_only, must not reach the reader.
        why = "it is damaged or truncated"
        if "weights_only" in str(error) or "Unsupported" in str(error):
            why = "it holds other objects, which are never unpickled"
        raise InputError(f"expected a .pt file of tensors, but {why}") from None
    if not isinstance(state, dict):
        raise InputError(f"expected a dict of tensors, got {type(state).__name__}")
    return {str(name): _tensor(str(name), value) for name, value in state.items()}


def _tensor(name: str, value: Any) -> NDArray[Any]:
    import torch  # noqa: PLC0415

    if not isinstance(value, torch.Tensor):
        raise InputError(f"{name}: expected a tensor, got {type(value).__name__}")
    try:
        # NumPy has no bfloat16.
        wide = value.detach().to(torch.float64) if value.is_floating_point() else value
        array: NDArray[Any] = wide.numpy()
    except (RuntimeError, TypeError) as error:
        raise InputError(f"{name}: expected a dense tensor of numbers: {error}") from None
    return array
