"""Checkpoints of the post's code [Anders2024]: a .pt file of four arrays, with many instances."""

from pathlib import Path

import numpy as np

from solvers.autoencoders.autoencoder import PARAMETERS, Autoencoder, Origin, Sae
from solvers.autoencoders.checkpoints.formats import Format
from solvers.autoencoders.checkpoints.openai import openai_sae
from solvers.autoencoders.checkpoints.weight_files import Arrays, check_names, torch_state
from theory.exact.errors import InputError

FORMATS = (
    Format(
        "`.pt` of `W_enc, b_enc, W_dec, b_dec`, with or without a leading instance axis",
        "the post's code [Anders2024]",
        "all",
        ("ReLU",),
        "x",
        "torch",
    ),
)


class NoSaeError(InputError):
    """A sound file of tensors that are no SAE's, such as the post's toy model."""


def read_pt(path: Path) -> tuple[Autoencoder, ...]:
    """Read a .pt file: OpenAI's if it has a pre_bias, else that of [Anders2024]'s code."""
    arrays, settings = torch_state(path)
    if "pre_bias" in arrays:
        return (openai_sae(arrays, settings),)
    check_names({**arrays, **settings}, PARAMETERS, "a .pt file", lacking=NoSaeError)
    check_names(arrays, PARAMETERS, "a .pt file")
    return _instances(arrays)


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
        W_enc, b_enc, W_dec, b_dec = (np.asarray(arrays[name][i]) for name in PARAMETERS)
        sae = Sae(W_enc, b_enc, W_dec, b_dec)
        found.append(sae.with_origin(Origin("Anders et al. 2024", notes=(note,))))
    return tuple(found)
