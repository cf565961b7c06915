"""Files .safetensors that are no library's folder, told by their arrays and what lies beside them.

A configuration beside the file is read by the rules of the library whose fields it has.
"""

from pathlib import Path
from typing import Any

from solvers.autoencoders.autoencoder import PARAMETERS, Autoencoder, Origin
from solvers.autoencoders.checkpoints.dictionary_learning import dictionary_sae
from solvers.autoencoders.checkpoints.formats import NO_FUNCTION_OF_ONE_SAMPLE, Format
from solvers.autoencoders.checkpoints.gemma_scope import gemma_scope_2_sae, npz_sae
from solvers.autoencoders.checkpoints.post import NoSaeError
from solvers.autoencoders.checkpoints.saelens import saelens_sae
from solvers.autoencoders.checkpoints.safetensors_files import (
    INDEX,
    SUFFIX,
    safetensors_arrays,
)
from solvers.autoencoders.checkpoints.sparsify import NAMES as SPARSIFY_NAMES
from solvers.autoencoders.checkpoints.sparsify import sparsify_sae
from solvers.autoencoders.checkpoints.weight_files import (
    check_names,
    read_config,
)
from theory.exact.errors import InputError

FORMATS = (
    Format(
        f"`NAME{SUFFIX}` with `NAME.json`, `NAME_cfg.json`, `cfg.json` or `config.json` beside it",
        "SAELens, sparsify or dictionary_learning by the configuration's fields",
        "as there",
        ("as there",),
        "as there",
    ),
    Format(
        f"`NAME{SUFFIX}` of the same arrays as an `.npz`, without such a configuration",
        "any",
        "all",
        ("ReLU", "TopK", "Gated", "JumpReLU"),
        "x, which is assumed",
    ),
    Format(
        f"`NAME{SUFFIX}{INDEX}` and the shards that it names, where a `{SUFFIX}` file is read",
        "any",
        "all",
        ("as there",),
        "as there",
    ),
)


def read_bare_safetensors(path: Path) -> tuple[Autoencoder, ...]:
    """Read a .safetensors file, or the index of its shards, by its arrays and what is beside it.

    Raises
    ------
    NoSaeError
        If its arrays are no SAE's.
    """
    arrays = safetensors_arrays(path)
    config = _beside(path)
    if {"d_in", "d_sae"} <= config.keys():
        return (saelens_sae(config, arrays),)
    if isinstance(config.get("trainer"), dict):
        return (
            dictionary_sae(config["trainer"].get("dict_class"), arrays, {}, config["trainer"]),
        )
    if set(SPARSIFY_NAMES) <= arrays.keys():
        return (sparsify_sae(arrays, config),)
    if "w_enc" in arrays:
        return (gemma_scope_2_sae(arrays, config),)
    named = config.get("architecture")
    if isinstance(named, str) and named in NO_FUNCTION_OF_ONE_SAMPLE:
        hint = NO_FUNCTION_OF_ONE_SAMPLE[named]
        raise InputError("architecture", "a sparse autoencoder's", named, hint=hint)
    check_names(arrays, PARAMETERS, f"a {SUFFIX} file", ignored=arrays.keys(), lacking=NoSaeError)
    sae = npz_sae(arrays)
    if sae.origin.library:
        return (sae,)
    note = "no configuration of a known library beside it: the encoder is assumed to read x itself"
    return (sae.with_origin(Origin(notes=(note,))),)


def _beside(path: Path) -> dict[str, Any]:
    """Return the configuration beside a file, empty if there is none."""
    stem = path.name.removesuffix(INDEX).removesuffix(SUFFIX)
    for name in (f"{stem}.json", f"{stem}_cfg.json", "cfg.json", "config.json"):
        if (path.parent / name).is_file():
            return read_config(path.parent / name, "sparse autoencoder's")
    return {}
