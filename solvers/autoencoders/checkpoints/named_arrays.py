"""Arrays by the names that code usually has for them, without a library that says what they mean.

Whatever they are called, they become the arrays of an .npz file: W_enc, b_enc, W_dec, b_dec, and
beside them threshold, k, or W_gate and b_gate. What the names leave open is a list of candidates,
the likeliest first; who has the module itself can ask its forward pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from solvers.autoencoders.autoencoder import PARAMETERS, Autoencoder, Origin
from solvers.autoencoders.checkpoints.gemma_scope import npz_sae
from solvers.autoencoders.checkpoints.weight_files import (
    Arrays,
    check_vector,
    oriented,
    scalar,
)
from solvers.runtime.arguments import finite_array
from theory.exact.errors import InputError

#: What an encoder reads: x itself, or x less the decoder's bias.
ENCODER_READS: Final = ("x", "x-b_dec")

# The names of each array; nn.Linear has its matrices as (outputs, inputs).
_NAMES: dict[str, tuple[str, ...]] = {
    "W_enc": ("W_enc", "encoder.weight"),
    "b_enc": ("b_enc", "encoder.bias", "latent_bias", "b_mag", "mag_bias"),
    "W_dec": ("W_dec", "decoder.weight"),
    "b_dec": ("b_dec", "decoder.bias", "bias", "pre_bias", "decoder_bias"),
    "threshold": ("threshold", "log_threshold", "topk_threshold"),
    "k": ("k",),
    "r_mag": ("r_mag",),
    "W_gate": ("W_gate",),
    "b_gate": ("b_gate", "gate_bias"),
}
_LINEAR = ("encoder.weight", "decoder.weight")
# The decoder's biases of code whose encoder reads x less that bias.
_SUBTRACTED = ("bias", "pre_bias", "decoder_bias")
# What may stand beside the four arrays.
_BESIDE: tuple[set[str], ...] = (
    set(), {"threshold"}, {"k"}, {"k", "threshold"}, {"W_gate", "b_gate"}, {"r_mag", "b_gate"},
)  # fmt: skip


@dataclass(frozen=True)
class NamedArrays:
    """An SAE's arrays by the names of an .npz file.

    Parameters
    ----------
    arrays : dict
        In doubles, in the documented orientation.
    subtracts : bool
        Whether code with such names usually has an encoder that reads x - b_dec.
    unknown : tuple of str
        Names that are none of an SAE's.
    notes : tuple of str
        What was noticed.
    """

    arrays: Arrays
    subtracts: bool
    unknown: tuple[str, ...]
    notes: tuple[str, ...]

    def candidates(self, encoder_reads: str | None = None) -> list[Autoencoder]:
        """Return what these arrays may be, the likeliest first."""
        likely = ENCODER_READS[self.subtracts]
        reads = sorted(ENCODER_READS, key=lambda name: name != likely)
        if encoder_reads is not None:
            reads = [encoder_reads]
        kinds = [self.arrays]
        if "k" in self.arrays:
            without = {name: array for name, array in self.arrays.items() if name != "k"}
            with_k = {name: array for name, array in self.arrays.items() if name != "threshold"}
            kinds = [with_k, without]
        return [_built(kind, name) for kind in kinds for name in reads]


def named_arrays(given: Mapping[str, Any], *, zero_biases: bool = False) -> NamedArrays:
    """Return the arrays by the names of an .npz file.

    Parameters
    ----------
    given : mapping from names to arrays
    zero_biases : bool
        Whether a bias that is missing is 0, as in layers made without one.

    Raises
    ------
    InputError
        If an array is missing, there twice, or beside others that it does not go with.

    Examples
    --------
    >>> linear = {"encoder.weight": [[2.0, 0.0]], "encoder.bias": [0.5],
    ...           "decoder.weight": [[1.0], [0.0]], "decoder.bias": [0.0, 0.0]}
    >>> named = named_arrays(linear)
    >>> named.arrays["W_enc"].tolist(), named.subtracts
    ([[2.0], [0.0]], False)
    """
    found: Arrays = {}
    called: dict[str, str] = {}
    for name, others in _NAMES.items():
        here = [other for other in others if other in given]
        if len(here) > 1:
            raise InputError(here[1], f"no such array beside {here[0]}", hint="they mean the same")
        if here:
            array = finite_array(here[0], given[here[0]])
            found[name] = array.T if here[0] in _LINEAR else array
            called[name] = here[0]
    for name in PARAMETERS:
        if name in found:
            continue
        if name.startswith("W") or not zero_biases or "W_enc" not in found:
            names = " or ".join(_NAMES[name][:2])
            held = ", ".join(map(str, given)) or "nothing"
            raise InputError(name, f"an array {names}", hint=f"the names are {held}")
        width = {"b_enc": -1, "b_dec": 0}[name]
        found[name] = np.zeros(found["W_enc"].shape[width] if found["W_enc"].ndim else 0)
    if "k" in found:
        k = scalar(found, "k")
        if not k.is_integer():
            raise InputError("k", "a whole number", k)
        found["k"] = np.array(int(k))
    if called.get("threshold") == "log_threshold":
        found["threshold"] = np.exp(found["threshold"])
    found, notes = oriented(found, {"W_enc": ("b_dec", "b_enc"), "W_dec": ("b_enc", "b_dec")})
    beside = found.keys() - set(PARAMETERS)
    if beside not in _BESIDE:
        raise InputError(
            min(beside), "threshold, k, or W_gate and b_gate beside the four arrays",
            hint=f"there are {', '.join(sorted(beside))}",
        )  # fmt: skip
    return NamedArrays(
        _with_gate(found),
        # Of the codes that have linear layers, those with a bias of their own subtract it.
        subtracts=called.get("b_dec") in _SUBTRACTED
        or (called["W_enc"] in _LINEAR and called.get("b_dec") == "b_dec"),
        unknown=tuple(str(name) for name in given if name not in called.values()),
        notes=notes,
    )


def _with_gate(arrays: Arrays) -> Arrays:
    """Return the arrays with both paths of a Gated SAE, W_gate · exp(r_mag) being the magnitude's.

    The paths share their directions [Rajamanoharan2024a], section 3.2.
    """
    if "r_mag" not in arrays:
        return arrays
    check_vector(arrays, "r_mag", "b_gate")
    gated = {name: array for name, array in arrays.items() if name != "r_mag"}
    return {**gated, "W_gate": arrays["W_enc"], "W_enc": arrays["W_enc"] * np.exp(arrays["r_mag"])}


def _built(arrays: Arrays, reads: str) -> Autoencoder:
    arrays = dict(arrays)
    width = arrays["b_enc"].size
    if "threshold" in arrays and arrays["threshold"].size == 1:
        # One for all latents, as training of BatchTopK stores it.
        threshold = scalar(arrays, "threshold")
        if not threshold >= 0:
            raise InputError("threshold", "a number ≥ 0", threshold)
        arrays["threshold"] = np.full(width, threshold)
    sae = npz_sae(arrays)
    if reads == ENCODER_READS[1]:
        shifted = {"b_enc": "W_enc", "b_gate": "W_gate"}
        arrays |= {
            bias: arrays[bias] - sae.b_dec @ arrays[weights]
            for bias, weights in shifted.items()
            if bias in arrays
        }
        sae = npz_sae(arrays)
    says = "subtracts b_dec; folded into b_enc" if reads == ENCODER_READS[1] else "reads x itself"
    return sae.with_origin(Origin(notes=(f"the encoder {says}",)))
