"""Checkpoints of EleutherAI's sparsify: a folder of cfg.json and sae.safetensors."""

from pathlib import Path
from typing import Any

from solvers.autoencoders.architectures import TopKSae
from solvers.autoencoders.autoencoder import Autoencoder, Origin, Sae
from solvers.autoencoders.checkpoints.formats import NO_FUNCTION_OF_ONE_SAMPLE, Format
from solvers.autoencoders.checkpoints.safetensors_files import safetensors_arrays, stored
from solvers.autoencoders.checkpoints.training_settings import changed_loss
from solvers.autoencoders.checkpoints.weight_files import (
    Arrays,
    check_names,
    check_sizes,
    expect_files,
    oriented,
    read_config,
)
from theory.exact.errors import InputError

WEIGHTS = "sae.safetensors"
CONFIG = "cfg.json"


FORMATS = (
    Format(
        f"folder of `{CONFIG}` and `{WEIGHTS}`",
        "EleutherAI sparsify",
        "1.3, and older ones with the same fields",
        ("topk",),
        "x - b_dec",
    ),
)

# Settings that would make the SAE another function of x: what does not, and the reason of some.
_PLAIN = (
    ("activation", "topk", ""),
    ("transcode", False, NO_FUNCTION_OF_ONE_SAMPLE["transcoder"]),
    ("skip_connection", False, ""),
    ("signed", False, ""),
)
#: Its arrays.
NAMES = ("encoder.weight", "encoder.bias", "W_dec", "b_dec")


def read_sparsify(path: Path) -> tuple[Autoencoder, ...]:
    """Return the SAE of sparsify's folder, or of a file in it."""
    folder = path if path.is_dir() else path.parent
    weights = stored(folder, WEIGHTS)
    expect_files(folder, (CONFIG,) if weights else (CONFIG, WEIGHTS), "sparsify")
    config = read_config(folder / CONFIG, "sparsify")
    return (sparsify_sae(safetensors_arrays(weights or folder / WEIGHTS), config),)


def sparsify_sae(arrays: Arrays, config: dict[str, Any]) -> Autoencoder:
    """Read sparsify's `SparseCoder`: f = TopK(ReLU(E (x - b_dec) + e)), x̂ = f W_dec + b_dec.

    encoder.weight is torch's (d_sae, d_in), W_dec is (d_sae, d_in) [Sparsify].
    """
    for key, plain, reason in _PLAIN:
        if config.get(key, plain) != plain:
            raise InputError(key, f"{plain!r}", config[key], where=CONFIG, hint=reason)
    check_names(arrays, NAMES, f"sparsify's {WEIGHTS}")
    arrays, turned = oriented(
        arrays,
        {"encoder.weight": ("encoder.bias", "b_dec"), "W_dec": ("encoder.bias", "b_dec")},
    )
    encoder, b_enc, W_dec, b_dec = (arrays[name] for name in NAMES)
    base = Sae.from_centred_encoder(encoder.T, b_enc, W_dec, b_dec)
    # num_latents 0, the default, means d_in times expansion_factor.
    sizes = {key: value for key, value in config.items() if key != "num_latents" or value}
    if "num_latents" not in sizes and isinstance(config.get("expansion_factor"), int):
        sizes["num_latents"] = base.d_in * config["expansion_factor"]
    check_sizes(CONFIG, sizes, base.W_enc, "d_in", "num_latents")
    try:
        sae = TopKSae(base, config.get("k"))  # type: ignore[arg-type]  # checked there
    except InputError as error:
        raise error.inside(CONFIG) from None
    notes = ("sparsify, topk: the encoder subtracts b_dec; folded into b_enc", *turned)
    changed = changed_loss("sparsify", config, None)
    loss = "" if changed.outside else "unexplained variance"
    return sae.with_origin(Origin("sparsify", loss=loss, notes=(*notes, *changed.notes)))
