"""Checkpoints of other libraries: EleutherAI's sparsify, Gemma Scope, OpenAI, the post's code."""

from pathlib import Path

import numpy as np

from solvers.autoencoders.architectures import JumpReluSae, TopKSae
from solvers.autoencoders.autoencoder import PARAMETERS, Autoencoder, Origin, Sae
from solvers.autoencoders.checkpoints.weight_files import (
    Arrays,
    check_names,
    check_sizes,
    expect_files,
    npz_arrays,
    oriented,
    read_config,
    safetensors_arrays,
    torch_state,
)
from theory.exact.errors import InputError

SPARSIFY_WEIGHTS = "sae.safetensors"
SPARSIFY_CONFIG = "cfg.json"


class NoSaeError(InputError):
    """A sound file of tensors that are no SAE's, such as the post's toy model."""


def read_sparsify(path: Path) -> tuple[Autoencoder, ...]:
    """Read sparsify's `SparseCoder`: f = TopK(ReLU(E (x - b_dec) + e)), x̂ = f W_dec + b_dec.

    encoder.weight is torch's (d_sae, d_in), W_dec is (d_sae, d_in) [Sparsify].
    """
    folder = path if path.is_dir() else path.parent
    expect_files(folder, (SPARSIFY_CONFIG, SPARSIFY_WEIGHTS), "sparsify")
    config = read_config(folder / SPARSIFY_CONFIG, "sparsify")
    for key, plain in (
        ("activation", "topk"),
        ("transcode", False),
        ("skip_connection", False),
        ("signed", False),
    ):
        if config.get(key, plain) != plain:
            raise InputError(key, f"{plain!r}", config[key], where=SPARSIFY_CONFIG)
    arrays = safetensors_arrays(folder / SPARSIFY_WEIGHTS)
    names = ("encoder.weight", "encoder.bias", "W_dec", "b_dec")
    check_names(arrays, names, f"sparsify's {SPARSIFY_WEIGHTS}")
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
    check_sizes(SPARSIFY_CONFIG, sizes, base.W_enc, "d_in", "num_latents")
    try:
        sae = TopKSae(base, config.get("k"))  # type: ignore[arg-type]  # checked there
    except InputError as error:
        raise error.inside(SPARSIFY_CONFIG) from None
    notes = ("sparsify, topk: the encoder subtracts b_dec; folded into b_enc", *turned)
    return (sae.with_origin(Origin("sparsify", loss="unexplained variance", notes=notes)),)


def read_npz(path: Path) -> tuple[Autoencoder, ...]:
    """Read an .npz of the four arrays; with a threshold it is a JumpReLU of Gemma Scope.

    See [Lieberum2024]. Both have the encoder read x itself.
    """
    arrays = npz_arrays(path)
    if "threshold" not in arrays:
        check_names(arrays, PARAMETERS, "an .npz file")
        return (_relu(arrays),)
    check_names(arrays, (*PARAMETERS, "threshold"), "Gemma Scope's params.npz")
    arrays, turned = oriented(arrays, {"W_enc": ("b_dec", "b_enc"), "W_dec": ("b_enc", "b_dec")})
    sae = JumpReluSae(_relu(arrays), arrays["threshold"])
    notes = ("Gemma Scope, JumpReLU: the encoder reads x itself", *turned)
    return (sae.with_origin(Origin("Gemma Scope", notes=notes)),)


def _relu(arrays: Arrays) -> Sae:
    W_enc, b_enc, W_dec, b_dec = (arrays[name] for name in PARAMETERS)
    return Sae(W_enc, b_enc, W_dec, b_dec)


def read_pt(path: Path) -> tuple[Autoencoder, ...]:
    """Read a .pt file: OpenAI's if it has a pre_bias, else that of [Anders2024]'s code."""
    arrays, settings = torch_state(path)
    if "pre_bias" in arrays:
        return (_openai(arrays, settings),)
    check_names({**arrays, **settings}, PARAMETERS, "a .pt file", lacking=NoSaeError)
    check_names(arrays, PARAMETERS, "a .pt file")
    return _instances(arrays)


def _openai(arrays: Arrays, settings: dict[str, object]) -> Autoencoder:
    """Read OpenAI's `Autoencoder`: f = ReLU(E (x - pre_bias) + latent_bias), D f + pre_bias."""
    names = ("pre_bias", "encoder.weight", "latent_bias", "decoder.weight")
    statistics = ("stats_last_nonzero", "latents_activation_frequency", "latents_mean_square")
    check_names(
        {**arrays, **settings}, names, "OpenAI's .pt file",
        (*statistics, "activation", "activation_state_dict"),
    )  # fmt: skip
    check_names(arrays, names, "OpenAI's .pt file", statistics)
    activation = settings.get("activation", "ReLU")
    if activation != "ReLU":
        hint = (
            "OpenAI's code divides the input of its TopK SAEs by its standard deviation, so x̂ is "
            "not piecewise affine in x"
        )
        raise InputError("activation", "'ReLU'", activation, hint=hint)
    arrays, turned = oriented(
        arrays,
        {
            "encoder.weight": ("latent_bias", "pre_bias"),
            "decoder.weight": ("pre_bias", "latent_bias"),
        },
    )
    pre_bias, encoder, latent_bias, decoder = (arrays[name] for name in names)
    sae = Sae.from_centred_encoder(encoder.T, latent_bias, decoder.T, pre_bias)
    notes = ("OpenAI, ReLU: the encoder subtracts pre_bias; folded in", *turned)
    return sae.with_origin(Origin("OpenAI", notes=notes))


def _instances(arrays: Arrays) -> tuple[Autoencoder, ...]:
    """Read the weights of [Anders2024]'s code: f = ReLU(x W_enc + b_enc), a leading instance axis.

    Without that axis the file holds one SAE.
    """
    if arrays["W_enc"].ndim == 2:
        arrays = {name: array[None] for name, array in arrays.items()}
    counts = {name: len(array) if array.ndim else 0 for name, array in arrays.items()}
    if arrays["W_enc"].ndim != 3 or len(set(counts.values())) != 1 or not counts["W_enc"]:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        expected = "shape (instances, d_in, d_sae), and the other arrays as many instances"
        raise InputError("W_enc", expected, hint=f"this file holds {shapes}")
    several = counts["W_enc"]
    found = []
    for i in range(several):
        which = f", instance {i} of {several}" if several > 1 else ""
        note = f"torch weights{which}: the encoder reads x itself"
        sae = _relu({name: np.asarray(array[i]) for name, array in arrays.items()})
        found.append(sae.with_origin(Origin("Anders et al. 2024", notes=(note,))))
    return tuple(found)
