"""Arrays out of files that anybody may have written. Nothing is ever unpickled.

.npz by numpy; .safetensors by `safetensors_files`; .pt by torch with weights_only=True, which
builds tensors and containers and refuses whatever else a pickle could call.
"""

import io
import pickletools
import zipfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.runtime.arguments import check_number, finite_array
from theory.exact.errors import InputError, MissingFileError, MissingPackageError
from theory.exact.strict_json import read_json

#: Arrays of more bytes than this are no toy SAE; the limit stops zip bombs.
LARGEST_WEIGHTS = 2**30

# How torch files older than its zip format (torch 1.6) begin: a pickled magic number.
_TORCH_MAGIC = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")
# Such a file begins with this many pickles: magic number, protocol, system, and the contents.
_TORCH_PICKLES = 4
# Where a pickle of tensors and containers has its names from.
_TENSOR_MODULES = frozenset({"collections", "torch", "torch._utils"})

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
        raise InputError("", "an archive", hint="it is damaged or truncated") from None


def _check_archive(path: Path, entries: str) -> None:
    """Refuse an archive that would unpack to too much, or holds a name twice."""
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
        names = archive.namelist()
    if len(names) != len(set(names)):
        raise InputError("", f"every {entries} once", hint="one is there twice")
    if size > LARGEST_WEIGHTS:
        raise InputError("", f"at most {LARGEST_WEIGHTS} bytes of {entries}s", size)


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
        raise InputError("", "an .npz file", hint="it is damaged or truncated") from None


def _entry(archive: "np.lib.npyio.NpzFile", name: str) -> NDArray[Any]:
    try:
        array: NDArray[Any] = archive[name]
    except ValueError:
        objects = "it holds objects, which are never unpickled"
        hint = objects if _is_of_objects(archive, name) else "it is damaged"
        raise InputError(name, "an array of real numbers", hint=hint) from None
    if not isinstance(array, np.ndarray):
        raise InputError(name, "an array in .npy form")
    return array


def _is_of_objects(archive: "np.lib.npyio.NpzFile", name: str) -> bool:
    """Tell whether the header of an array says that its entries are pickled objects."""
    if archive.zip is None:
        return False
    try:
        member = archive.zip.open(f"{name}.npy")
        version = np.lib.format.read_magic(member)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else (
            np.lib.format.read_array_header_2_0
        )  # fmt: skip
        return bool(header(member)[2].hasobject)
    except ValueError:
        return False


def torch_state(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Return the tensors of a state dict that torch.save wrote, and its plain settings.

    Settings are strings, numbers and dicts of these, as OpenAI's files hold them.

    Raises
    ------
    InputError
        If the package is missing, the file is damaged, too large, or holds anything else;
        nothing in it is executed.
    """
    try:
        import torch  # noqa: PLC0415
    except ImportError:
        raise MissingPackageError(
            "torch", "this package, to read .pt files", hint="pip install torch"
        ) from None
    if zipfile.is_zipfile(path):
        _check_archive(path, "tensor")
    elif path.stat().st_size > LARGEST_WEIGHTS:
        raise InputError("", f"at most {LARGEST_WEIGHTS} bytes of tensors", path.stat().st_size)
    try:
        # From memory: torch would map a file that another process may still change.
        state = torch.load(io.BytesIO(path.read_bytes()), map_location="cpu", weights_only=True)
    except Exception:
        # A damaged or hostile pickle may raise anything; torch's own advice, to load it
        # without weights_only, must not reach the reader.
        objects = "it holds other objects, which are never unpickled"
        hint = objects if _names_other_objects(path) else "it is damaged or truncated"
        raise InputError("", "a .pt file of tensors", hint=hint) from None
    if not isinstance(state, dict):
        raise InputError("", "a dict of tensors", type(state))
    named = {str(name): value for name, value in state.items()}
    # A tensor may repeat one number of the file without holding it again.
    size = sum(value.numel() for value in named.values() if isinstance(value, torch.Tensor)) * 8
    if size > LARGEST_WEIGHTS:
        raise InputError("", f"at most {LARGEST_WEIGHTS} bytes of tensors", size)
    plain = {name: value for name, value in named.items() if isinstance(value, str | dict)}
    return {name: tensor_array(name, named[name]) for name in named if name not in plain}, plain


def tensor_array(name: str, value: Any) -> NDArray[Any]:
    """Return a tensor of torch, wherever it is, as an array; floats as doubles.

    Raises
    ------
    InputError
        If it is no tensor, or none that is dense.

    Examples
    --------
    >>> import torch
    >>> tensor_array("b_dec", torch.ones(1, dtype=torch.bfloat16, requires_grad=True))
    array([1.])
    """
    import torch  # noqa: PLC0415

    if not isinstance(value, torch.Tensor):
        raise InputError(name, "a tensor", type(value))
    try:
        # NumPy has no bfloat16.
        given = value.detach().cpu()
        wide = given.to(torch.float64) if given.is_floating_point() else given
        # A copy: training may go on and change the tensor.
        array: NDArray[Any] = wide.numpy().copy()
    except (RuntimeError, TypeError) as error:
        raise InputError(name, "a dense tensor of numbers", hint=str(error)) from None
    return array


def _names_other_objects(path: Path) -> bool:
    """Tell whether a file of torch.save names anything but tensors and containers.

    Its pickles are read operation by operation; none is carried out.
    """
    try:
        return any(
            operation.name == "STACK_GLOBAL"
            or (
                operation.name in ("GLOBAL", "INST")
                and str(argument).split(" ")[0] not in _TENSOR_MODULES
            )
            for operation, argument, _ in _pickled_operations(path)
        )
    except Exception:
        # A damaged pickle may raise anything here too.
        return False


def _pickled_operations(path: Path) -> Iterator[tuple[pickletools.OpcodeInfo, Any, int | None]]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith("data.pkl"))
            yield from pickletools.genops(archive.read(name))
        return
    with path.open("rb") as file:
        for _ in range(_TORCH_PICKLES):
            yield from pickletools.genops(file)


def check_names(
    found: Collection[str],
    expected: Collection[str],
    kind: str,
    ignored: Collection[str] = (),
    lacking: type[InputError] = InputError,
) -> None:
    """Refuse missing arrays, and further ones: they could change what the SAE computes."""
    missing = [name for name in expected if name not in found]
    if missing:
        held = ", ".join(sorted(found)) or "nothing"
        raise lacking(missing[0], f"this array in {kind}", hint=f"it holds {held}")
    further = sorted(set(found) - set(expected) - set(ignored))
    if further:
        expected_only = f"only {', '.join(expected)} in {kind}"
        raise InputError(further[0], expected_only, hint="this array is unknown")


def oriented(
    arrays: Arrays, documented: Mapping[str, tuple[str, str]]
) -> tuple[Arrays, tuple[str, ...]]:
    """Return the arrays with matrices in the documented orientation, and what was noticed.

    Parameters
    ----------
    arrays : dict
    documented : mapping from a matrix's name to the names of two vectors
        As long as its rows and as its columns.

    Examples
    --------
    >>> arrays = {"W": np.ones((2, 3)), "rows": np.ones(3), "columns": np.ones(2)}
    >>> found, notes = oriented(arrays, {"W": ("rows", "columns")})
    >>> found["W"].shape, notes
    ((3, 2), ('W: found transposed, (2, 3) where (3, 2) is documented; turned',))
    """
    found, notes = dict(arrays), []
    for name, (rows, columns) in documented.items():
        shape = (arrays[rows].size, arrays[columns].size)
        given = arrays[name].shape
        if given == shape and shape[0] == shape[1]:
            notes.append(f"{name}: square, so both orientations fit; read as documented")
        elif given == shape[::-1]:
            found[name] = arrays[name].T
            notes.append(f"{name}: found transposed, {given} where {shape} is documented; turned")
    return found, tuple(notes)


def check_sizes(
    file: str, config: Mapping[str, Any], W_enc: NDArray[Any], d_in: str, d_sae: str
) -> None:
    """Refuse a configuration whose sizes are not those of the weights."""
    for key, size in ((d_in, W_enc.shape[0]), (d_sae, W_enc.shape[-1])):
        if config.get(key, size) != size:
            expected = f"{size}, as in the encoder's weights"
            raise InputError(key, expected, config[key], where=file)


def read_config(path: Path, kind: str) -> dict[str, Any]:
    """Return a JSON object, a checkpoint's configuration; errors name its file."""
    config = read_json(path, name=path.name)
    if not isinstance(config, dict):
        raise InputError(path.name, f"a {kind} configuration")
    return config


def expect_files(folder: Path, names: Collection[str], kind: str) -> None:
    """Refuse a folder that lacks a file of a checkpoint."""
    for name in names:
        if not (folder / name).is_file():
            raise MissingFileError(name, f"this file of a {kind} checkpoint in the folder")


def positive(file: str, key: str, value: object) -> float | None:
    """Return a number > 0 of a configuration, None for a missing one or 0.

    Examples
    --------
    >>> positive("cfg.json", "l1_coefficient", 0.1)
    0.1
    """
    if value is None:
        return None
    try:
        return check_number(key, value, least=0) or None
    except InputError as error:
        raise error.inside(file) from None


def seed_of(settings: Mapping[str, Any]) -> int | None:
    """Return the seed in a configuration, None if it holds none.

    Examples
    --------
    >>> seed_of({"seed": 3}), seed_of({"seed": None})
    (3, None)
    """
    value = settings.get("seed")
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def inside(file: str, config: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return an object inside a configuration, empty if it is missing.

    Examples
    --------
    >>> inside("cfg.json", {"metadata": None}, "metadata")
    {}
    """
    value = config.get(key)
    if value is not None and not isinstance(value, dict):
        raise InputError(key, "a JSON object", value, where=file)
    return value or {}


def check_vector(arrays: Arrays, name: str, like: str) -> None:
    """Refuse an array that is not a vector as long as another."""
    if arrays[name].shape != (arrays[like].size,):
        raise InputError(name, f"shape ({arrays[like].size},), as {like} has", arrays[name].shape)


def scalar(arrays: Arrays, name: str) -> float:
    """Return an array's only number, whatever its shape.

    Examples
    --------
    >>> scalar({"k": np.array([2])}, "k")
    2.0
    """
    value = finite_array(name, arrays[name])
    if value.size != 1:
        raise InputError(name, "one number", hint=f"its shape is {arrays[name].shape}")
    return float(value.item())
