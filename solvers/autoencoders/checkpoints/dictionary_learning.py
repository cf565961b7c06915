"""Checkpoints of dictionary_learning: a folder trainer_* of ae.pt and config.json.

torch's nn.Linear keeps a matrix as (outputs, inputs), so its matrices are transposed; the
arrays decide the architecture [DictionaryLearning], dictionary.py, and the name of the class in
config.json where they leave it open.
"""

from collections.abc import Callable, Collection, Mapping
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
from solvers.autoencoders.checkpoints.formats import NO_FUNCTION_OF_ONE_SAMPLE, Format
from solvers.autoencoders.checkpoints.training_settings import changed_loss
from solvers.autoencoders.checkpoints.weight_files import (
    Arrays,
    check_names,
    check_sizes,
    check_vector,
    expect_files,
    inside,
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
    if not isinstance(trainer, dict):
        expected = "a dictionary_learning configuration with dict_class"
        raise InputError("trainer", expected, where=CONFIG)
    _check_one_place(config)
    arrays, settings = torch_state(folder / WEIGHTS)
    return (dictionary_sae(trainer.get("dict_class"), arrays, settings, trainer),)


def dictionary_sae(
    dict_class: object,
    arrays: Arrays,
    settings: Mapping[str, Any] = MappingProxyType({}),
    trainer: Mapping[str, Any] = MappingProxyType({}),
) -> Autoencoder:
    """Return the SAE of a class of dictionary_learning and its state dict.

    Parameters
    ----------
    dict_class : str or None
    arrays, settings : dict
        The tensors of the state dict, and what else it holds.
    trainer : dict, optional
        What config.json says of the training; without it the loss may be unknown.

    Raises
    ------
    InputError
        If they are no SAE that is read here, naming the key of config.json or the array.
    """
    name, renamed = _class_of(dict_class, {**arrays, **settings})
    form = DICTIONARIES[name]
    kind = f"dictionary_learning's {WEIGHTS}"
    check_names({**arrays, **settings}, form.names, kind, form.ignored)
    check_names(arrays, form.names, kind, form.ignored)
    arrays, turned = oriented(arrays, form.orientation)
    sae = form.build(arrays)
    check_sizes(CONFIG, trainer, sae.W_enc, "activation_dim", "dict_size")
    l1 = positive(CONFIG, "l1_penalty", trainer.get("l1_penalty"))
    changed = changed_loss("dictionary_learning", trainer, None)
    convention = _CONVENTIONS.get(str(trainer.get("trainer_class")), "")
    known = convention or form.loss not in ("objective", "gated")
    loss = form.loss if known and not changed.outside else ""
    notes = (f"dictionary_learning, {name}: {form.note}", *renamed, *turned, *changed.notes)
    origin = Origin(
        library="dictionary_learning",
        convention=convention,
        loss=loss,
        l1=l1 if convention and form.loss in ("objective", "gated") else None,
        seed=seed_of(trainer),
        notes=notes,
    )
    if isinstance(sae, JumpReluSae) and "k" in form.names:
        batch_k = latents_per_sample(scalar(arrays, "k"), sae.d_sae)
        origin = replace(origin, batch_k=batch_k, notes=(*notes, *notes_on_threshold(sae)))
    if "group_sizes" in form.names:
        origin = _with_prefixes(origin, arrays, trainer, sae.d_sae)
    return sae.with_origin(origin)


def _check_one_place(config: dict[str, Any]) -> None:
    """Refuse a dictionary that was trained to map one place's activations to another's."""
    if inside(CONFIG, config, "buffer").get("io") == "in_and_out":
        hint = NO_FUNCTION_OF_ONE_SAMPLE["transcoder"]
        raise InputError("buffer: io", "'in' or 'out'", "in_and_out", where=CONFIG, hint=hint)


# Either may lack a threshold or hold one, so that their arrays do not tell them apart.
_TOLD_BY_NAME = {"AutoEncoderTopK", "BatchTopKSAE"}


def _class_of(named: object, found: Collection[str]) -> tuple[str, tuple[str, ...]]:
    """Return the class that a file's arrays are of, and a note where the configuration errs.

    Old trainers write the name of another class, or none.
    """
    if not isinstance(named, str | None):
        check_choice("dict_class", named, DICTIONARIES, where=CONFIG)
    if named in NO_FUNCTION_OF_ONE_SAMPLE:
        check_choice("dict_class", named, DICTIONARIES, where=CONFIG,
                     hint=NO_FUNCTION_OF_ONE_SAMPLE[named])  # fmt: skip
    fitting = [name for name, form in DICTIONARIES.items() if form.fits(found)]
    if named in fitting or (named in _TOLD_BY_NAME and set(fitting) <= _TOLD_BY_NAME):
        return str(named), ()
    if not fitting:
        return str(named) if named in DICTIONARIES else _nearest(found), ()
    if fitting[0] in _TOLD_BY_NAME:
        check_choice("dict_class", named, sorted(_TOLD_BY_NAME), where=CONFIG)
    wrong = "no dict_class" if named is None else f"dict_class {named!r}"
    return fitting[0], (f"{CONFIG} has {wrong}, but the arrays are those of {fitting[0]}",)


def _nearest(found: Collection[str]) -> str:
    """Return the class that lacks the fewest arrays, for the message about a file of no class."""
    return min(DICTIONARIES, key=lambda name: len(set(DICTIONARIES[name].names) - set(found)))


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

    def fits(self, found: Collection[str]) -> bool:
        """Tell whether arrays of these names, and no others, are such a state dict."""
        return set(self.names) <= set(found) <= {*self.names, *self.ignored}

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

FORMATS = (
    Format(
        f"folder of `{CONFIG}` and `{WEIGHTS}`",
        "dictionary_learning",
        "2024 to 2025 (0.1)",
        tuple(DICTIONARIES),
        "x - b_dec; x for `AutoEncoderNew` and `JumpReluAutoEncoder`",
        "torch",
    ),
)
