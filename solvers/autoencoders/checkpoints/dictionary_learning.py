"""Checkpoints of dictionary_learning: a folder trainer_* of ae.pt and config.json.

torch's nn.Linear keeps a matrix as (outputs, inputs), so its matrices are transposed; what the
class is called in config.json decides the architecture [DictionaryLearning], dictionary.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from solvers.autoencoders.architectures import GatedSae, JumpReluSae, TopKSae
from solvers.autoencoders.autoencoder import PARAMETERS, Autoencoder, Origin, Sae
from solvers.autoencoders.checkpoints.batch_topk import (
    by_stored_threshold,
    latents_per_sample,
    notes_on_threshold,
    numbers_of,
    prefixes_of_groups,
)
from solvers.autoencoders.checkpoints.weight_files import (
    Arrays,
    check_names,
    check_sizes,
    check_vector,
    expect_files,
    oriented,
    positive,
    read_config,
    scalar,
    seed_of,
    torch_state,
)
from solvers.runtime.arguments import check_choice, check_number
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
    arrays, settings = torch_state(folder / WEIGHTS)
    return (dictionary_sae(trainer["dict_class"], arrays, settings, trainer),)


def dictionary_sae(
    dict_class: str,
    arrays: Arrays,
    settings: Mapping[str, Any] = MappingProxyType({}),
    trainer: Mapping[str, Any] = MappingProxyType({}),
) -> Autoencoder:
    """Return the SAE of a class of dictionary_learning and its state dict.

    Parameters
    ----------
    dict_class : str
    arrays, settings : dict
        The tensors of the state dict, and what else it holds.
    trainer : dict, optional
        What config.json says of the training; without it the loss may be unknown.

    Raises
    ------
    InputError
        If they are no SAE that is read here, naming the key of config.json or the array.
    """
    name = check_choice("dict_class", dict_class, DICTIONARIES, where=CONFIG)
    form = DICTIONARIES[name]
    kind = f"dictionary_learning's {WEIGHTS}"
    check_names({**arrays, **settings}, form.names, kind, form.ignored)
    check_names(arrays, form.names, kind, form.ignored)
    arrays, turned = oriented(arrays, form.orientation)
    sae = form.build(arrays)
    check_sizes(CONFIG, trainer, sae.W_enc, "activation_dim", "dict_size")
    l1 = positive(CONFIG, "l1_penalty", trainer.get("l1_penalty"))
    trained_by = str(trainer.get("trainer_class", ""))
    convention = _CONVENTIONS.get(trained_by, "")
    loss = "" if form.loss in ("objective", "gated") and not convention else form.loss
    notes = (f"dictionary_learning, {name}: {form.note}", *turned)
    if trained_by in _OTHER_LOSSES:
        notes = (*notes, f"{trained_by} {_OTHER_LOSSES[trained_by]}, none of the losses here")
    origin = Origin(
        library="dictionary_learning",
        convention=convention,
        loss=loss,
        l1=l1 if loss in ("objective", "gated") else None,
        seed=seed_of(trainer),
        notes=notes,
    )
    if isinstance(sae, JumpReluSae) and "k" in form.names:
        batch_k = latents_per_sample(scalar(arrays, "k"), sae.d_sae)
        origin = replace(origin, batch_k=batch_k, notes=(*notes, *notes_on_threshold(sae)))
    if "group_sizes" in form.names:
        origin = _with_prefixes(origin, arrays, trainer, sae.d_sae)
    return sae.with_origin(origin)


def _with_prefixes(
    origin: Origin, arrays: Arrays, trainer: Mapping[str, Any], width: int
) -> Origin:
    """Add what a Matryoshka SAE was trained on: (1/r) Σ_s w_s E ‖x - x̂_s‖² over r groups.

    The loss sums over groups with the weights w and is divided by r nevertheless
    (`MatryoshkaBatchTopKTrainer.loss`); by default every w_s is 1/r as well.
    """
    sizes = arrays["group_sizes"].tolist()
    prefixes = prefixes_of_groups("group_sizes", sizes, width)
    key = "group_weights"
    try:
        if trainer.get("group_sizes", sizes) != sizes:
            expected = f"{sizes}, as in {WEIGHTS}"
            raise InputError("group_sizes", expected, trainer["group_sizes"])
        given = numbers_of(key, trainer.get(key, [0] * len(prefixes)), len(prefixes))
        weights = tuple(check_number(key, one, least=0) / len(given) for one in given)
    except InputError as error:
        raise error.inside(CONFIG) from None
    if min(weights) == 0:
        unknown = f"its training loss needs {key} > 0 in {CONFIG}"
        return replace(origin, loss="", notes=(*origin.notes, unknown))
    return replace(origin, prefixes=prefixes, prefix_weights=weights)


# What each trainer of the library minimises; of an unknown one nothing is assumed.
_CONVENTIONS = {
    "StandardTrainer": "dictionary-learning",
    "GatedSAETrainer": "dictionary-learning",
    "StandardTrainerAprilUpdate": "april-update",
    "StandardTrainerNew": "april-update",
}

# Trainers whose penalty `Objective` does not have.
_OTHER_LOSSES = {
    "PAnnealTrainer": "penalises Σ f_i^p with a p that falls in training",
    "GatedAnnealTrainer": "penalises Σ ReLU(π_i)^p with a p that falls in training",
    "JumpReluTrainer": "penalises λ (E l0 / target_l0 - 1)²",
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
    k = scalar(arrays, "k")
    if not k.is_integer():
        raise InputError("k", "a whole number", k)
    return TopKSae(_topk_base(arrays), int(k))


def _batch_topk(arrays: Arrays) -> Autoencoder:
    return by_stored_threshold(_topk_base(arrays), arrays, "threshold")


def _matryoshka(arrays: Arrays) -> Autoencoder:
    base = Sae.from_centred_encoder(*(arrays[name] for name in PARAMETERS))
    return by_stored_threshold(base, arrays, "threshold")


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


#: The classes of the library that are read, by name.
DICTIONARIES = {
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
        "squared",
        f"{_SUBTRACTS}; used by its stored threshold, as at inference",
        ("encoder.bias", "b_dec"),
    ),
    "MatryoshkaBatchTopKSAE": _Class(
        (*PARAMETERS, "k", "threshold", "group_sizes"),
        _matryoshka,
        "squared",
        f"{_SUBTRACTS}; used by its stored threshold, as at inference",
        ("b_enc", "b_dec"),
    ),
}
