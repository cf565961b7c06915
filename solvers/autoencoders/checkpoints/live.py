"""SAEs out of live objects: of SAELens, dictionary_learning or torch, or a mapping of arrays.

Objects of libraries are told by the names of their classes, and read by the rules for the files
which these libraries write. A module of no library can be asked what no file says: of all SAEs
that its arrays may be, it is the one with its own forward pass.

No library is imported here: who has an object of torch has imported torch.
"""

import copy
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.architectures import JumpReluSae
from solvers.autoencoders.autoencoder import Array, Autoencoder, Sae
from solvers.autoencoders.checkpoints import dictionary_learning, saelens
from solvers.autoencoders.checkpoints.named_arrays import ENCODER_READS, NamedArrays, named_arrays
from solvers.autoencoders.checkpoints.weight_files import tensor_array
from solvers.runtime.arguments import check_choice, finite_array
from theory.exact.errors import InputError

_EXPECTED = (
    "an SAE: an Autoencoder of this package, an SAE of SAELens, a dictionary of "
    "dictionary_learning, a torch.nn.Module, or a mapping of arrays"
)
# Points at which a forward pass is asked, and how many may differ: those next to a jump.
_PROBES = 256
_AGREEING = 0.9
# Two forward passes agree to so many roundings, and to so much where roundings are coarse.
_ROUNDINGS = 1000
_COARSEST = 0.05


class HasStateDict(Protocol):
    """What has a state dict, as modules of torch have."""

    def state_dict(self) -> Mapping[str, Any]:
        """Return the arrays by name."""


#: What `as_sae` takes.
Model: TypeAlias = Autoencoder | Mapping[str, Any] | HasStateDict


def as_sae(model: Model, *, encoder_reads: str | None = None) -> Autoencoder:
    """Return the SAE that a live object is now: later training does not change it.

    Parameters
    ----------
    model : Autoencoder, SAE of SAELens, dictionary of dictionary_learning, module or mapping
        An `Autoencoder` is returned as it is. An object of SAELens or dictionary_learning is read
        as the file is that it would be saved to. A module of torch, or a mapping such as its state
        dict, has W_enc (d_in, d_sae), b_enc, W_dec (d_sae, d_in) and b_dec; or encoder.weight
        (d_sae, d_in), encoder.bias and so on as `torch.nn.Linear` has them; and beside them
        threshold or log_threshold (JumpReLU), k (TopK), or W_gate and b_gate (Gated).
    encoder_reads : {"x", "x-b_dec"}, optional
        By default, a module's own forward pass decides. Of a mapping, and of a module whose
        forward pass does not return x̂, it is what is usual with such names, and a note says so.

    Raises
    ------
    InputError
        For anything else; if an array is missing or unknown; or if a module's forward pass is that
        of no SAE with its arrays.

    Examples
    --------
    >>> arrays = {"W_enc": [[1.0]], "b_enc": [0], "W_dec": [[1.0]], "b_dec": [0.5], "k": 1}
    >>> as_sae(arrays).architecture, as_sae(arrays, encoder_reads="x-b_dec").b_enc.tolist()
    ('TopK', [-0.5])
    """
    return sae_of("model", model, encoder_reads)


def sae_of(name: str, model: Model, encoder_reads: str | None = None) -> Autoencoder:
    """Return `as_sae` of an argument of another name, for errors."""
    if encoder_reads is not None:
        check_choice("encoder_reads", encoder_reads, ENCODER_READS)
    # What overflows is infinite, and refused by name.
    with np.errstate(all="ignore"):
        return _read(name, model, encoder_reads)


def _read(name: str, model: Any, encoder_reads: str | None) -> Autoencoder:
    if isinstance(model, Autoencoder):
        return _as_known(model, encoder_reads)
    if isinstance(model, Mapping):
        return _of_mapping(name, model, encoder_reads)
    # What torch.compile returns holds the module that it was made of.
    model = getattr(model, "_orig_mod", model)
    if isinstance(model, type) or not callable(getattr(model, "state_dict", None)):
        raise InputError(name, _EXPECTED, model)
    try:
        if _library(model, "sae_lens"):
            return _as_known(_of_saelens(model), encoder_reads)
        if kind := _library(model, "dictionary_learning"):
            return _as_known(_of_dictionary(kind, model), encoder_reads)
        return _of_module(model, encoder_reads)
    except InputError as error:
        raise _of_object(error).inside(type(model).__name__) from None


def _of_object(error: InputError) -> InputError:
    """Return the same error, said of an object's configuration instead of a file."""
    where = {saelens.CONFIG: "cfg", dictionary_learning.CONFIG: ""}.get(error.where, error.where)
    return InputError(error.what, error.expected, error.got, where, error.hint)


def _as_known(sae: Autoencoder, encoder_reads: str | None) -> Autoencoder:
    if encoder_reads is not None:
        raise InputError("encoder_reads", "None for an object that says it itself", encoder_reads)
    return sae


def _library(model: object, package: str) -> str:
    """Return the name of the first class of an object that is of a package, "" if none is.

    Examples
    --------
    >>> _library(3, "builtins"), _library(3, "torch")
    ('int', '')
    """
    classes = type(model).__mro__
    return next((one.__name__ for one in classes if one.__module__.split(".")[0] == package), "")


def _arrays(given: Mapping[Any, Any]) -> dict[str, NDArray[Any]]:
    """Return a state dict's tensors, or a mapping's arrays, as arrays of NumPy."""
    return {
        str(name): tensor_array(str(name), value)
        if _library(value, "torch")
        else finite_array(str(name), value)
        for name, value in given.items()
    }


def _of_saelens(model: Any) -> Autoencoder:
    if getattr(model, "use_error_term", False):
        hint = "with its error term, x̂ is x"
        raise InputError("use_error_term", "False", True, hint=hint)
    try:
        config = model.cfg.to_dict()
    except AttributeError:
        raise InputError("cfg", "a configuration of SAELens, with to_dict") from None
    return saelens.saelens_sae(config, _arrays(model.state_dict()))


def _of_dictionary(kind: str, model: Any) -> Autoencoder:
    groups, active = (getattr(model, name, None) for name in ("group_sizes", "active_groups"))
    if groups is not None and active != len(groups):
        raise InputError("active_groups", f"{len(groups)}, all groups", active)
    sae = dictionary_learning.dictionary_sae(kind, _arrays(model.state_dict()))
    if isinstance(sae, JumpReluSae) and getattr(model, "apply_b_dec_to_input", False):
        # Only the object says so; the files of this class do not.
        base = Sae.from_centred_encoder(sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec)
        return JumpReluSae(base, sae.threshold).with_origin(sae.origin)
    return sae


def _of_mapping(name: str, given: Mapping[Any, Any], encoder_reads: str | None) -> Autoencoder:
    if not given:
        raise InputError(name, _EXPECTED, given)
    named = named_arrays(_arrays(given))
    if {"k", "threshold"} <= named.arrays.keys():
        hint = "with both, TopK and BatchTopK cannot be told apart: leave one out"
        raise InputError("threshold", "no such array beside k", hint=hint)
    return _likeliest(named, encoder_reads, "")


def _likeliest(named: NamedArrays, encoder_reads: str | None, why: str) -> Autoencoder:
    if named.unknown:
        raise InputError(named.unknown[0], "only arrays of an SAE", hint="this array is unknown")
    sae = named.candidates(encoder_reads)[0]
    assumed = "" if encoder_reads else f", as is usual with such names{why}"
    notes = tuple(f"{note}{assumed}" for note in sae.notes)
    return sae.with_origin(replace(sae.origin, notes=(*notes, *named.notes)))


def _of_module(model: Any, encoder_reads: str | None) -> Autoencoder:
    """Return the SAE of a module that no library says the meaning of."""
    state = _arrays(model.state_dict())
    for holder in (model, getattr(model, "cfg", None), getattr(model, "config", None)):
        k = getattr(holder, "k", None)
        if "k" not in state and isinstance(k, int) and not isinstance(k, bool):
            state["k"] = np.array(k)
    named = named_arrays(state, zero_biases=True)
    candidates = named.candidates(encoder_reads)
    asked = _forward(model, candidates[0].d_in)
    if asked is None:
        return _likeliest(named, encoder_reads, "; its forward pass could not be asked")
    x, answers, roundings = asked
    off = [min(_distance(x, sae.reconstruction(x), answer) for answer in answers)
           for sae in candidates]  # fmt: skip
    best = int(np.argmin(off))
    if not off[best] <= min(_ROUNDINGS * roundings, _COARSEST):
        what = f"an encoder that reads {encoder_reads}" if encoder_reads else "a one-layer encoder"
        hint = f"its x̂ is {100 * off[best]:.2g} % off that of its arrays"
        raise InputError("forward", f"that of an SAE with {what}", hint=hint)
    sae = candidates[best]
    notes = tuple(f"{note}, as in its forward pass" for note in sae.notes)
    return sae.with_origin(replace(sae.origin, notes=notes))


def _forward(model: Any, d_in: int) -> tuple[Array, list[Array], float] | None:
    """Return points, what a copy of a module makes of them that may be x̂, and its rounding.

    None if that cannot be had. The module itself is left alone: a forward pass may count samples.
    """
    torch: Any = sys.modules.get("torch")
    if torch is None or not isinstance(model, torch.nn.Module):
        return None
    rng = np.random.default_rng(0)
    # Small points show the biases, large ones that every latent fires somewhere.
    points = rng.normal(size=(_PROBES, d_in)) * np.geomspace(0.1, 100.0, _PROBES)[:, None]
    try:
        twin = copy.deepcopy(model).eval()
        weight = next(one for one in twin.state_dict().values() if one.is_floating_point())
        given = torch.as_tensor(points, dtype=weight.dtype, device=weight.device)
        with torch.no_grad():
            returned = twin(given)
        x = tensor_array("x", given)
        answers = [
            tensor_array("x̂", value)
            for value in _members(returned)
            if isinstance(value, torch.Tensor) and value.shape == given.shape
        ]
    except Exception:
        # Anybody's code: it may want other arguments, and say so in any way.
        return None
    return (x, answers, float(torch.finfo(weight.dtype).eps)) if answers else None


def _members(returned: Any) -> Iterator[Any]:
    """Yield what a forward pass returned, and the parts of it: of a tuple, a dict or a record."""
    yield returned
    if isinstance(returned, Mapping):
        yield from returned.values()
    elif isinstance(returned, tuple | list):
        yield from returned
    elif hasattr(returned, "__dict__"):
        yield from vars(returned).values()


def _distance(x: Array, ours: Array, theirs: Array) -> float:
    """Return how far two x̂ are apart, relative to x and x̂, at all points but a tenth."""
    size = np.abs(x).max(axis=1) + np.abs(theirs).max(axis=1)
    off = float(np.quantile(np.abs(ours - theirs).max(axis=1) / size, _AGREEING))
    return off if off >= 0 else np.inf
