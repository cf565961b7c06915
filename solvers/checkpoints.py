"""Readers for files of trained SAEs, told apart by their content. Nothing is ever unpickled.

.npz                                     W_enc, b_enc, W_dec, b_dec
folder of cfg.json and
sae_weights.safetensors                  SAELens, architecture "standard"
"""

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.sae import PARAMETERS, Sae
from theory.errors import InputError
from theory.strict_json import read_json

#: Arrays of more bytes than this are no toy SAE; the limit stops zip bombs.
LARGEST_WEIGHTS = 2**30

_SAELENS_WEIGHTS = "sae_weights.safetensors"
_SAELENS_CONFIG = "cfg.json"


def load_checkpoint(path: str | Path) -> Sae:
    """Return the SAE in a file or folder, encoder in the form f = ReLU(x W_enc + b_enc).

    What the reader did to the file's arrays, and what the file says about its training, is
    in the `notes` of the result.

    Parameters
    ----------
    path : str or Path
        An .npz file of the four arrays of `Sae`; or a SAELens folder, or either file in it.

    Raises
    ------
    InputError
        If the file is missing, truncated, of another kind, lacks an array or has one too
        many, or holds values that `Sae` refuses; the message names file, key and what was
        expected.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "weights.npz"
    >>> Sae([[1.0]], [0.0], [[1.0]], [0.0]).save(path)
    >>> load_checkpoint(path).d_sae
    1
    """
    path = Path(path)
    try:
        return _reader(path)(path)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _reader(path: Path) -> Callable[[Path], Sae]:
    if path.is_dir() or path.name in (_SAELENS_WEIGHTS, _SAELENS_CONFIG):
        return _read_saelens
    if not path.exists():
        raise InputError("no such file or folder; expected a checkpoint")
    if not path.is_file():
        raise InputError("expected a file or a folder, this is neither")
    with path.open("rb"):
        pass  # zipfile takes what it may not read for no archive
    if zipfile.is_zipfile(path):
        return _read_npz
    raise InputError(
        "expected an .npz file of W_enc, b_enc, W_dec, b_dec, or a SAELens folder; "
        "this is neither, or it is truncated"
    )


def _read_npz(path: Path) -> Sae:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
            names = archive.namelist()
        if len(names) != len(set(names)):
            raise InputError("expected every array once, one is there twice")
        if size > LARGEST_WEIGHTS:
            raise InputError(f"expected at most {LARGEST_WEIGHTS} bytes of arrays, got {size}")
        with np.load(path, allow_pickle=False) as archive:
            _check_names(set(archive.files), "an .npz file")
            W_enc, b_enc, W_dec, b_dec = (_entry(archive, name) for name in PARAMETERS)
            return Sae(W_enc, b_enc, W_dec, b_dec)
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


def _check_names(found: set[str], kind: str) -> None:
    """Refuse missing arrays, and further ones: they could change what the SAE computes."""
    missing = [name for name in PARAMETERS if name not in found]
    if missing:
        held = ", ".join(sorted(found)) or "nothing"
        raise InputError(f"{missing[0]}: expected this array in {kind}, found {held}")
    further = sorted(found - set(PARAMETERS))
    if further:
        raise InputError(f"{further[0]}: unknown array, expected only {', '.join(PARAMETERS)}")


def _read_saelens(path: Path) -> Sae:
    """Read SAELens' inference or training form of its "standard" architecture.

    With apply_b_dec_to_input the encoder reads x - b_dec (SAELens `SAE.process_sae_in`); its
    training loss weights each activation by ‖d_i‖ (`StandardTrainingSAE`).
    """
    folder = path if path.is_dir() else path.parent
    for name in (_SAELENS_CONFIG, _SAELENS_WEIGHTS):
        if not (folder / name).is_file():
            raise InputError(f"{name}: expected this file of a SAELens checkpoint in the folder")
    try:
        config = read_json(folder / _SAELENS_CONFIG)
    except InputError as error:
        raise InputError(f"{_SAELENS_CONFIG}: {error}") from None
    centred = _saelens_encoder_subtracts_b_dec(config)
    arrays = _safetensors(folder / _SAELENS_WEIGHTS)
    _check_names(set(arrays), f"SAELens' {_SAELENS_WEIGHTS}")
    for key, size in (("d_in", arrays["W_enc"].shape[0]), ("d_sae", arrays["W_enc"].shape[-1])):
        if config.get(key, size) != size:
            raise InputError(f"{_SAELENS_CONFIG}: {key}: expected {size}, as in W_enc, "
                             f"got {config[key]}")  # fmt: skip
    W_enc, b_enc, W_dec, b_dec = (arrays[name] for name in PARAMETERS)
    build = Sae.from_centred_encoder if centred else Sae
    sae = build(W_enc, b_enc, W_dec, b_dec)
    subtracts = "subtracts b_dec; folded into b_enc" if centred else "does not subtract b_dec"
    return sae.with_notes(
        f"SAELens, standard: the encoder {subtracts}",
        "SAELens trains its standard SAEs with --sparsity decoder-norm --decoder free",
    )


# Settings of SAELens, current and pre-6, that would make the SAE another function of x, with
# the values under which it is the plain ReLU SAE.
_SAELENS_PLAIN: dict[str, tuple[object, ...]] = {
    "architecture": ("standard",),
    "activation_fn": ("relu",),
    "activation_fn_str": ("relu",),
    "normalize_activations": ("none", None, False),
    "reshape_activations": ("none", None),
    "finetuning_scaling_factor": (False, None),
}


def _saelens_encoder_subtracts_b_dec(config: object) -> bool:
    if not isinstance(config, dict) or not {"d_in", "d_sae"} <= config.keys():
        raise InputError(
            f"{_SAELENS_CONFIG}: expected a SAELens configuration with d_in and d_sae"
        )
    for key, plain in _SAELENS_PLAIN.items():
        if key in config and config[key] not in plain:
            raise InputError(
                f"{_SAELENS_CONFIG}: {key}: expected {plain[0]!r}, got {config[key]!r}"
            )
    subtracts = config.get("apply_b_dec_to_input")
    if not isinstance(subtracts, bool):
        raise InputError(
            f"{_SAELENS_CONFIG}: apply_b_dec_to_input: expected true or false, got {subtracts!r}"
        )
    return subtracts


def _safetensors(path: Path) -> dict[str, NDArray[Any]]:
    try:
        from safetensors import SafetensorError, safe_open  # noqa: PLC0415
    except ImportError:
        raise InputError(
            "SAELens files need the package safetensors: pip install safetensors"
        ) from None
    if path.stat().st_size > LARGEST_WEIGHTS:
        raise InputError(f"{path.name}: expected at most {LARGEST_WEIGHTS} bytes")
    try:
        with safe_open(path, framework="numpy") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path.name}: expected safetensors of floats: {error}") from None
