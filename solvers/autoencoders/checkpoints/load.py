"""Reads files of trained SAEs, told apart by their content. Nothing is ever unpickled.

`FORMATS` lists what is read, from each reader's own records; docs/formats.md is made of it.
"""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from solvers.autoencoders.autoencoder import Autoencoder
from solvers.autoencoders.checkpoints import (
    bare_files,
    dictionary_learning,
    gemma_scope,
    openai,
    post,
    saelens,
    sparsify,
)
from solvers.autoencoders.checkpoints.bare_files import read_bare_safetensors
from solvers.autoencoders.checkpoints.formats import Format
from solvers.autoencoders.checkpoints.gemma_scope import read_npz
from solvers.autoencoders.checkpoints.post import NoSaeError, read_pt
from solvers.autoencoders.checkpoints.safetensors_files import (
    INDEX,
    SUFFIX,
    is_safetensors,
    stored,
)
from solvers.autoencoders.checkpoints.weight_files import is_npz, is_torch
from solvers.runtime.arguments import check_whole, checked
from theory.exact.errors import InputError, MissingFileError, UnreadableFileError

Reader = Callable[[Path], tuple[Autoencoder, ...]]

#: Every form of file that is read.
FORMATS: tuple[Format, ...] = (
    *gemma_scope.FORMATS,
    *bare_files.FORMATS,
    *saelens.FORMATS,
    *sparsify.FORMATS,
    *dictionary_learning.FORMATS,
    *post.FORMATS,
    *openai.FORMATS,
)


@checked
def load_checkpoint(path: str | Path, instance: int | None = None) -> Autoencoder:
    """Return the SAE in a file or folder: a `Sae` if ReLU, else of its architecture's class.

    What the reader did to the file's arrays, and what the file says about its training, is
    in the `origin` of the result. Encoders that read x - b_dec come with that folded into
    b_enc.

    Parameters
    ----------
    path : str or Path
        An .npz, .safetensors or .pt file; a folder of SAELens, sparsify, dictionary_learning
        (trainer_*) or Gemma Scope, or a file in it.
    instance : int, optional
        Which SAE of a file that holds several, from 0.

    Raises
    ------
    InputError
        If the file is missing, truncated, of another kind, lacks an array or has one too
        many, holds values that `Sae` refuses, or several SAEs and `instance` is not given;
        the message names file, key and what was expected.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "weights.npz"
    >>> from solvers.autoencoders.autoencoder import Sae
    >>> Sae([[1.0]], [0.0], [[1.0]], [0.0]).save(path)
    >>> load_checkpoint(path).d_sae
    1
    """
    saes = load_checkpoints(path)
    if instance is None and len(saes) > 1:
        expected = f"one of 0 to {len(saes) - 1}"
        raise InputError("instance", expected, where=path, hint=f"it holds {len(saes)} SAEs")
    try:
        return saes[check_whole("instance", instance or 0, 0, len(saes) - 1)]
    except InputError as error:
        raise error.inside(path) from None


@checked
def load_checkpoints(path: str | Path) -> tuple[Autoencoder, ...]:
    """Return all SAEs in a file or folder; `load_checkpoint` returns one of them.

    Raises
    ------
    InputError
        As `load_checkpoint`.
    """
    path = Path(path)
    try:
        # What overflows is infinite, and refused by name.
        with np.errstate(all="ignore"):
            return _reader(path)(path)
    except InputError as error:
        raise error.inside(path) from None
    except OSError as error:
        raise UnreadableFileError.because(path, error) from None
    except Exception as error:
        # A damaged or hostile file can raise anything in the libraries that unpack it.
        hint = f"this one is damaged ({type(error).__name__})"
        raise InputError(path, "a checkpoint", hint=hint) from None


def _reader(path: Path) -> Reader:
    folder = path if path.is_dir() else path.parent
    for weights, config, read in _FOLDERS:
        if path.name in (weights, f"{weights}{INDEX}") or (
            (path.is_dir() or path.name == config) and stored(folder, weights)
        ):
            return read
    if path.is_dir():
        return _folder_reader(path)
    if path.name in (saelens.CONFIG, dictionary_learning.CONFIG, saelens.RUNNER):
        return _folder_reader(folder)
    return _file_reader(path)


def _folder_reader(folder: Path) -> Reader:
    """Return the reader of a folder that holds no library's weights under their own name."""
    bare = [folder / name for name in gemma_scope.WEIGHTS if (folder / name).is_file()]
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    bare = bare or _bare_safetensors(folder, names)
    if len(bare) == 1:
        read = _file_reader(bare[0])
        return lambda _: read(bare[0])
    # The configuration may still tell what is missing.
    if (folder / dictionary_learning.CONFIG).is_file():
        return dictionary_learning.read_dictionary_learning
    return saelens.read_saelens


def _bare_safetensors(folder: Path, names: list[str]) -> list[Path]:
    """Return the indices of shards in a folder, or else its .safetensors files."""
    files = sorted(folder / name for name in names if is_safetensors(Path(name)))
    indices = [file for file in files if file.name.endswith(INDEX)]
    return [file for file in indices or files if file.is_file()]


def _file_reader(path: Path) -> Reader:
    if not path.exists():
        raise MissingFileError("", "a checkpoint, a file or a folder")
    if not path.is_file():
        raise InputError("", "a file or a folder", hint="this is neither")
    if is_safetensors(path):
        return read_bare_safetensors
    if is_npz(path):
        return read_npz
    if is_torch(path):
        return read_pt
    raise InputError(
        "",
        "an .npz file of W_enc, b_enc, W_dec, b_dec, a .safetensors file, a .pt file of torch, or "
        "a folder of SAELens, sparsify, dictionary_learning or Gemma Scope",
        hint="this is neither, or it is truncated",
    )


_FOLDERS: tuple[tuple[str, str, Reader], ...] = (
    (dictionary_learning.WEIGHTS, dictionary_learning.CONFIG,
     dictionary_learning.read_dictionary_learning),
    (saelens.WEIGHTS, saelens.CONFIG, saelens.read_saelens),
    (sparsify.WEIGHTS, sparsify.CONFIG, sparsify.read_sparsify),
)  # fmt: skip


@checked
def find_checkpoints(path: str | Path) -> list[Path]:
    """Return the checkpoints in a folder and its subfolders, or the path itself.

    A folder that is a checkpoint is not looked into further, so that of SAELens' two forms the
    one for inference is taken. A .pt or .safetensors file that is no SAE, such as the post's toy
    model, is passed over.

    Raises
    ------
    InputError
        If there is none.
    """
    path = Path(path)
    if not path.is_dir():
        return [path]
    found = []
    for folder, subfolders, names in os.walk(path):
        here = Path(folder)
        if any(name in names for weights, _, _ in _FOLDERS for name in (weights, weights + INDEX)):
            found.append(here)
            subfolders.clear()
            continue
        files = [here / name for name in names]
        found += [file for file in files if file.suffix == ".npz"]
        unsure = [file for file in files if file.suffix == ".pt"] + _bare_safetensors(here, names)
        found += [file for file in unsure if _holds_saes(file)]
    if not found:
        kinds = ", ".join(weights for weights, _, _ in _FOLDERS)
        expected = f"a checkpoint in this folder ({kinds}, .npz, {SUFFIX} or .pt)"
        raise InputError(path, expected, hint="found none")
    return sorted(found)


def _holds_saes(path: Path) -> bool:
    try:
        load_checkpoints(path)
    except NoSaeError:
        return False
    except InputError:
        # One that is damaged is not passed over in silence.
        return True
    return True
