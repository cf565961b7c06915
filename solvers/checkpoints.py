"""Readers for files of trained SAEs, told apart by their content. Nothing is ever unpickled.

.npz                                     W_enc, b_enc, W_dec, b_dec
folder of cfg.json and
sae_weights.safetensors                  SAELens, architecture "standard"
trainer_*/ae.pt beside config.json       dictionary_learning, class AutoEncoder
weights_*.pt                             the code of [Anders2024], with its instance axis
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from solvers.sae import PARAMETERS, Sae
from solvers.weight_files import (
    is_npz,
    is_torch,
    npz_arrays,
    safetensors_arrays,
    torch_arrays,
)
from theory.errors import InputError
from theory.strict_json import read_json

_SAELENS_WEIGHTS = "sae_weights.safetensors"
_SAELENS_CONFIG = "cfg.json"
_DICTIONARY_LEARNING_WEIGHTS = "ae.pt"
_DICTIONARY_LEARNING_CONFIG = "config.json"


def load_checkpoint(path: str | Path, instance: int | None = None) -> Sae:
    """Return the SAE in a file or folder, encoder in the form f = ReLU(x W_enc + b_enc).

    What the reader did to the file's arrays, and what the file says about its training, is
    in the `notes` of the result.

    Parameters
    ----------
    path : str or Path
        An .npz file of the four arrays of `Sae`; a SAELens folder, a dictionary_learning
        folder (trainer_*), or a file in either; a weights_*.pt of [Anders2024]'s code.
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
    >>> Sae([[1.0]], [0.0], [[1.0]], [0.0]).save(path)
    >>> load_checkpoint(path).d_sae
    1
    """
    saes = load_checkpoints(path)
    if instance is None and len(saes) > 1:
        raise InputError(
            f"{path}: instance: expected one of 0 to {len(saes) - 1}, the file holds {len(saes)} "
            "SAEs"
        )
    number = 0 if instance is None else instance
    if not 0 <= number < len(saes):
        raise InputError(f"{path}: instance: expected 0 to {len(saes) - 1}, got {number}")
    return saes[number]


def load_checkpoints(path: str | Path) -> tuple[Sae, ...]:
    """Return all SAEs in a file or folder; `load_checkpoint` returns one of them.

    Raises
    ------
    InputError
        As `load_checkpoint`.
    """
    path = Path(path)
    try:
        return _reader(path)(path)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None


def _reader(path: Path) -> Callable[[Path], tuple[Sae, ...]]:
    if (
        path.name in (_DICTIONARY_LEARNING_WEIGHTS, _DICTIONARY_LEARNING_CONFIG)
        or (path / _DICTIONARY_LEARNING_WEIGHTS).is_file()
    ):
        return _read_dictionary_learning
    if path.is_dir() or path.name in (_SAELENS_WEIGHTS, _SAELENS_CONFIG):
        return _read_saelens
    if not path.exists():
        raise InputError("no such file or folder; expected a checkpoint")
    if not path.is_file():
        raise InputError("expected a file or a folder, this is neither")
    if is_npz(path):
        return _read_npz
    if is_torch(path):
        return _read_instances
    raise InputError(
        "expected an .npz file of W_enc, b_enc, W_dec, b_dec, a .pt file of torch, or a folder "
        "of SAELens or dictionary_learning; this is neither, or it is truncated"
    )


def _read_npz(path: Path) -> tuple[Sae, ...]:
    arrays = npz_arrays(path)
    _check_names(set(arrays), PARAMETERS, "an .npz file")
    W_enc, b_enc, W_dec, b_dec = (arrays[name] for name in PARAMETERS)
    return (Sae(W_enc, b_enc, W_dec, b_dec),)


def _check_names(found: set[str], expected: tuple[str, ...], kind: str) -> None:
    """Refuse missing arrays, and further ones: they could change what the SAE computes."""
    missing = [name for name in expected if name not in found]
    if missing:
        held = ", ".join(sorted(found)) or "nothing"
        raise InputError(f"{missing[0]}: expected this array in {kind}, found {held}")
    further = sorted(found - set(expected))
    if further:
        raise InputError(f"{further[0]}: unknown array, expected only {', '.join(expected)}")


def _read_saelens(path: Path) -> tuple[Sae, ...]:
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
    arrays = safetensors_arrays(folder / _SAELENS_WEIGHTS)
    _check_names(set(arrays), PARAMETERS, f"SAELens' {_SAELENS_WEIGHTS}")
    _check_sizes(_SAELENS_CONFIG, config, arrays["W_enc"], "d_in", "d_sae")
    W_enc, b_enc, W_dec, b_dec = (arrays[name] for name in PARAMETERS)
    build = Sae.from_centred_encoder if centred else Sae
    sae = build(W_enc, b_enc, W_dec, b_dec)
    subtracts = "subtracts b_dec; folded into b_enc" if centred else "does not subtract b_dec"
    return (
        sae.with_notes(
            f"SAELens, standard: the encoder {subtracts}",
            "SAELens trains its standard SAEs with --sparsity decoder-norm --decoder free",
        ),
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


def _read_dictionary_learning(path: Path) -> tuple[Sae, ...]:
    """Read dictionary_learning's `AutoEncoder`: f = ReLU(E (x - bias) + e), x̂ = D f + bias.

    torch's nn.Linear keeps a matrix as (outputs, inputs), so both are transposed.
    """
    folder = path if path.is_dir() else path.parent
    weights, config = (
        folder / name for name in (_DICTIONARY_LEARNING_WEIGHTS, _DICTIONARY_LEARNING_CONFIG)
    )
    for file in (weights, config):
        if not file.is_file():
            raise InputError(
                f"{file.name}: expected this file of a dictionary_learning folder beside it"
            )
    trainer = _dictionary_learning_settings(config)
    arrays = torch_arrays(weights)
    expected = ("encoder.weight", "encoder.bias", "decoder.weight", "bias")
    _check_names(set(arrays), expected, f"dictionary_learning's {weights.name}")
    encoder, b_enc, decoder, bias = (arrays[name] for name in expected)
    _check_sizes(config.name, trainer, encoder.T, "activation_dim", "dict_size")
    sae = Sae.from_centred_encoder(encoder.T, b_enc, decoder.T, bias)
    return (
        sae.with_notes(
            "dictionary_learning, AutoEncoder: the encoder subtracts b_dec; folded into b_enc",
            "dictionary_learning trains it with --sparsity l1 --decoder unit",
        ),
    )


def _dictionary_learning_settings(path: Path) -> dict[str, Any]:
    try:
        config = read_json(path)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from None
    trainer = config.get("trainer") if isinstance(config, dict) else None
    if not isinstance(trainer, dict) or "dict_class" not in trainer:
        raise InputError(
            f"{path.name}: trainer: expected a dictionary_learning configuration with dict_class"
        )
    if trainer["dict_class"] != "AutoEncoder":
        raise InputError(
            f"{path.name}: dict_class: expected 'AutoEncoder', got {trainer['dict_class']!r}"
        )
    return trainer


def _check_sizes(
    file: str, config: dict[str, Any], W_enc: NDArray[Any], d_in: str, d_sae: str
) -> None:
    """Refuse a configuration whose sizes are not those of the weights."""
    for key, size in ((d_in, W_enc.shape[0]), (d_sae, W_enc.shape[-1])):
        if config.get(key, size) != size:
            raise InputError(f"{file}: {key}: expected {size}, as in the encoder's weights, "
                             f"got {config[key]}")  # fmt: skip


def _read_instances(path: Path) -> tuple[Sae, ...]:
    """Read the weights of [Anders2024]'s code: f = ReLU(x W_enc + b_enc), a leading instance axis.

    Without that axis the file holds one SAE.
    """
    arrays = torch_arrays(path)
    _check_names(set(arrays), PARAMETERS, "a .pt file")
    if arrays["W_enc"].ndim == 2:
        arrays = {name: array[None] for name, array in arrays.items()}
    counts = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    if arrays["W_enc"].ndim != 3 or len(set(counts.values())) != 1 or not counts["W_enc"]:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise InputError(f"expected W_enc (instances, d_in, d_sae) and its like, got {shapes}")
    W_enc, b_enc, W_dec, b_dec = (arrays[name] for name in PARAMETERS)
    return tuple(
        Sae(W_enc[i], b_enc[i], W_dec[i], b_dec[i]).with_notes(
            f"torch weights, instance {i} of {len(W_enc)}: the encoder reads x itself"
        )
        for i in range(len(W_enc))
    )
