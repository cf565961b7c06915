"""Checkpoints of dictionary_learning: a folder trainer_* of ae.pt and config.json.

torch's nn.Linear keeps a matrix as (outputs, inputs), so its matrices are transposed; what the
class is called in config.json decides the architecture [DictionaryLearning], dictionary.py.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from solvers.autoencoders.architectures import GatedSae, JumpReluSae, TopKSae
from solvers.autoencoders.autoencoder import PARAMETERS, Autoencoder, Origin, Sae
from solvers.autoencoders.checkpoints.weight_files import (
    Arrays,
    check_names,
    check_sizes,
    check_vector,
    expect_files,
    oriented,
    positive,
    read_config,
    torch_state,
)
from solvers.runtime.arguments import check_choice, finite_array
from theory.exact.errors import InputError

WEIGHTS = "ae.pt"
CONFIG = "config.json"


def read_dictionary_learning(path: Path) -> tuple[Autoencoder, ...]:
    """Return the SAE of a trainer folder, or of either file in it."""
    folder = path if path.is_dir() else path.parent
    expect_files(folder, (WEIGHTS, CONFIG), "dictionary_learning")
    config = read_config(folder / CONFIG, "dictionary_learning")
    trainer = config.get("trainer")
    if not isinstance(trainer, dict) or "dict_class" not in trainer:
        expected = "a dictionary_learning configuration with dict_class"
        raise InputError("trainer", expected, where=CONFIG)
    name = check_choice("dict_class", trainer["dict_class"], _CLASSES, where=CONFIG)
    arrays, settings = torch_state(folder / WEIGHTS)
    form = _CLASSES[name]
    kind = f"dictionary_learning's {WEIGHTS}"
    check_names({**arrays, **settings}, form.names, kind, form.ignored)
    check_names(arrays, form.names, kind, form.ignored)
    arrays, turned = oriented(arrays, form.orientation)
    sae = form.build(arrays)
    check_sizes(CONFIG, trainer, sae.W_enc, "activation_dim", "dict_size")
    l1 = positive(CONFIG, "l1_penalty", trainer.get("l1_penalty"))
    convention = _CONVENTIONS.get(str(trainer.get("trainer_class")), "")
    loss = "" if form.loss in ("objective", "gated") and not convention else form.loss
    origin = Origin(
        library="dictionary_learning",
        convention=convention,
        loss=loss,
        l1=l1 if loss in ("objective", "gated") else None,
        notes=(f"dictionary_learning, {name}: {form.note}", *turned),
    )
    return (sae.with_origin(origin),)


# What each trainer of the library minimises; of an unknown one nothing is assumed.
_CONVENTIONS = {
    "StandardTrainer": "dictionary-learning",
    "GatedSAETrainer": "dictionary-learning",
    "StandardTrainerAprilUpdate": "april-update",
    "StandardTrainerNew": "april-update",
}

_SUBTRACTS = "the encoder subtracts b_dec; folded into b_enc"
_LINEAR = ("encoder.weight", "encoder.bias", "decoder.weight")


def _relu(arrays: Arrays) -> Autoencoder:
    encoder, b_enc, decoder = (arrays[name] for name in _LINEAR)
    return Sae.from_centred_encoder(encoder.T, b_enc, decoder.T, arrays["bias"])


def _april(arrays: Arrays) -> Autoencoder:
    encoder, b_enc, decoder = (arrays[name] for name in _LINEAR)
    return Sae(encoder.T, b_enc, decoder.T, arrays["decoder.bias"])


def _jumprelu(arrays: Arrays) -> Autoencoder:
    W_enc, b_enc, W_dec, b_dec = (arrays[name] for name in PARAMETERS)
    return JumpReluSae(Sae(W_enc, b_enc, W_dec, b_dec), arrays["threshold"])


def _gated(arrays: Arrays) -> Autoencoder:
    W_enc, W_dec = arrays["encoder.weight"].T, arrays["decoder.weight"].T
    b_dec = arrays["decoder_bias"]
    check_vector(arrays, "r_mag", "gate_bias")
    scale = np.exp(arrays["r_mag"])
    base = Sae.from_centred_encoder(W_enc * scale, arrays["mag_bias"], W_dec, b_dec)
    gate = Sae.from_centred_encoder(W_enc, arrays["gate_bias"], W_dec, b_dec)
    return GatedSae(base, gate.W_enc, gate.b_enc)


def _topk_base(arrays: Arrays) -> Sae:
    encoder, b_enc, decoder = (arrays[name] for name in _LINEAR)
    return Sae.from_centred_encoder(encoder.T, b_enc, decoder.T, arrays["b_dec"])


def _topk(arrays: Arrays) -> Autoencoder:
    k = _scalar(arrays, "k")
    if not k.is_integer():
        raise InputError("k", "a whole number", k)
    return TopKSae(_topk_base(arrays), int(k))


def _batch_topk(arrays: Arrays) -> Autoencoder:
    base, threshold = _topk_base(arrays), _scalar(arrays, "threshold")
    if not threshold >= 0:
        hint = (
            "BatchTopK is a function of one sample only by the threshold that training stores in "
            "the end"
        )
        raise InputError("threshold", "a number ≥ 0", threshold, hint=hint)
    return JumpReluSae(base, np.full(base.d_sae, threshold))


def _scalar(arrays: Arrays, name: str) -> float:
    value = finite_array(name, arrays[name])
    if value.size != 1:
        raise InputError(name, "one number", hint=f"its shape is {arrays[name].shape}")
    return float(value.item())


class _Class(NamedTuple):
    """A class of the library: its state dict, how to build it, and the loss it is trained on."""

    names: tuple[str, ...]
    build: Callable[[Arrays], Autoencoder]
    loss: str
    note: str
    biases: tuple[str, str]
    ignored: tuple[str, ...] = ()

    @property
    def orientation(self) -> dict[str, tuple[str, str]]:
        """The documented shapes, in terms of b_enc and b_dec."""
        b_enc, b_dec = self.biases
        if "W_enc" in self.names:
            return {"W_enc": (b_dec, b_enc), "W_dec": (b_enc, b_dec)}
        return {"encoder.weight": (b_enc, b_dec), "decoder.weight": (b_dec, b_enc)}


_CLASSES = {
    "AutoEncoder": _Class(
        (*_LINEAR, "bias"), _relu, "objective", _SUBTRACTS, ("encoder.bias", "bias")
    ),
    "AutoEncoderNew": _Class(
        (*_LINEAR, "decoder.bias"),
        _april,
        "objective",
        "the encoder does not subtract b_dec",
        ("encoder.bias", "decoder.bias"),
    ),
    "JumpReluAutoEncoder": _Class(
        (*PARAMETERS, "threshold"),
        _jumprelu,
        "",
        "the encoder does not subtract b_dec; newer versions report f_i ‖d_i‖ as activations",
        ("b_enc", "b_dec"),
    ),
    "GatedAutoEncoder": _Class(
        ("encoder.weight", "decoder.weight", "decoder_bias", "r_mag", "gate_bias", "mag_bias"),
        _gated,
        "gated",
        f"{_SUBTRACTS}; newer versions report f_i ‖d_i‖ as activations",
        ("gate_bias", "decoder_bias"),
    ),
    "AutoEncoderTopK": _Class(
        (*_LINEAR, "b_dec", "k"),
        _topk,
        "squared",
        _SUBTRACTS,
        ("encoder.bias", "b_dec"),
        ignored=("threshold",),
    ),
    "BatchTopKSAE": _Class(
        (*_LINEAR, "b_dec", "k", "threshold"),
        _batch_topk,
        "",
        f"{_SUBTRACTS}; used by its stored threshold, as at inference",
        ("encoder.bias", "b_dec"),
    ),
}
