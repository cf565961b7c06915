"""Checkpoints of EleutherAI's sparsify: a folder of cfg.json and sae.safetensors."""

from pathlib import Path

from solvers.autoencoders.architectures import TopKSae
from solvers.autoencoders.autoencoder import Autoencoder, Origin, Sae
from solvers.autoencoders.checkpoints.weight_files import (
    check_names,
    check_sizes,
    expect_files,
    oriented,
    read_config,
    safetensors_arrays,
)
from theory.exact.errors import InputError

WEIGHTS = "sae.safetensors"
CONFIG = "cfg.json"


def read_sparsify(path: Path) -> tuple[Autoencoder, ...]:
    """Read sparsify's `SparseCoder`: f = TopK(ReLU(E (x - b_dec) + e)), x̂ = f W_dec + b_dec.

    encoder.weight is torch's (d_sae, d_in), W_dec is (d_sae, d_in) [Sparsify].
    """
    folder = path if path.is_dir() else path.parent
    expect_files(folder, (CONFIG, WEIGHTS), "sparsify")
    config = read_config(folder / CONFIG, "sparsify")
    for key, plain in (
        ("activation", "topk"),
        ("transcode", False),
        ("skip_connection", False),
        ("signed", False),
    ):
        if config.get(key, plain) != plain:
            raise InputError(key, f"{plain!r}", config[key], where=CONFIG)
    arrays = safetensors_arrays(folder / WEIGHTS)
    names = ("encoder.weight", "encoder.bias", "W_dec", "b_dec")
    check_names(arrays, names, f"sparsify's {WEIGHTS}")
    arrays, turned = oriented(
        arrays,
        {"encoder.weight": ("encoder.bias", "b_dec"), "W_dec": ("encoder.bias", "b_dec")},
    )
    encoder, b_enc, W_dec, b_dec = (arrays[name] for name in names)
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
    loss = "unexplained variance"
    if config.get("multi_topk"):
        loss = ""
        notes = (*notes, "multi_topk adds an eighth of the error with 4k latents to its loss")
    return (sae.with_origin(Origin("sparsify", loss=loss, notes=notes)),)
