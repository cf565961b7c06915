"""Files .npz of four arrays, and what the architecture adds: this package's own, Gemma Scope's.

Gemma Scope's JumpReLU SAEs, f = p where p > θ, are params.npz in its first release, and in its
second params.safetensors, with names in small letters, and a config.json beside it [Lieberum2024].
"""

from pathlib import Path
from typing import Any

from solvers.autoencoders.architectures import GatedSae, JumpReluSae, TopKSae
from solvers.autoencoders.autoencoder import PARAMETERS, Autoencoder, Origin, Sae
from solvers.autoencoders.checkpoints.formats import NO_FUNCTION_OF_ONE_SAMPLE, Format
from solvers.autoencoders.checkpoints.weight_files import Arrays, check_names, npz_arrays, oriented
from solvers.runtime.arguments import check_choice
from theory.exact.errors import InputError

#: What its folders hold.
WEIGHTS = ("params.npz", "params.safetensors")
CONFIG = "config.json"

_SECOND = ("w_enc", "b_enc", "w_dec", "b_dec")
_ARCHITECTURE = "jump_relu"

_ARRAYS = "`W_enc (d_in, d_sae)`, `b_enc`, `W_dec (d_sae, d_in)`, `b_dec`"

FORMATS = (
    Format(f"`.npz` of {_ARRAYS}", "this package", "all", ("ReLU",), "x"),
    Format(
        "`.npz` with a whole number `k`, or with `W_gate` and `b_gate`, beside these",
        "this package",
        "all",
        ("TopK", "Gated"),
        "x",
    ),
    Format(
        f"`{WEIGHTS[0]}` of the four arrays and `threshold`, or its folder",
        "Gemma Scope; this package",
        "1",
        ("JumpReLU",),
        "x",
    ),
    Format(
        f"`{WEIGHTS[1]}`, `{CONFIG}` beside it or not, or its folder",
        "Gemma Scope",
        "2",
        (_ARCHITECTURE,),
        "x",
    ),
)


def read_npz(path: Path) -> tuple[Autoencoder, ...]:
    """Read an .npz of the four arrays; with a threshold it is a JumpReLU of Gemma Scope.

    See [Lieberum2024]. With a k, a number without axes, it is a TopK SAE, and with W_gate and
    b_gate a Gated one, as `save` writes them. In all of them the encoder reads x itself.
    """
    return (npz_sae(npz_arrays(path)),)


def npz_sae(arrays: Arrays) -> Autoencoder:
    """Return the SAE of arrays by the names that .npz files have for them; see `read_npz`."""
    if "threshold" in arrays:
        return _gemma_scope(arrays)
    if "k" in arrays:
        check_names(arrays, (*PARAMETERS, "k"), "an .npz file of a TopK SAE")
        return TopKSae(_relu(arrays), arrays["k"])  # type: ignore[arg-type]  # it checks k
    if "W_gate" in arrays:
        check_names(arrays, (*PARAMETERS, "W_gate", "b_gate"), "an .npz file of a Gated SAE")
        return GatedSae(_relu(arrays), arrays["W_gate"], arrays["b_gate"])
    check_names(arrays, PARAMETERS, "an .npz file")
    return _relu(arrays)


def gemma_scope_2_sae(arrays: Arrays, config: dict[str, Any]) -> Autoencoder:
    """Return the SAE of the second release's arrays, whose configuration may be missing.

    Raises
    ------
    InputError
        If it is no SAE of one layer's activations: a transcoder, a crosscoder.
    """
    reason = NO_FUNCTION_OF_ONE_SAMPLE["transcoder"]
    named = config.get("architecture", _ARCHITECTURE)
    hint = NO_FUNCTION_OF_ONE_SAMPLE.get(named, "") if isinstance(named, str) else ""
    check_choice("architecture", named, (_ARCHITECTURE,), where=CONFIG, hint=hint)
    if config.get("hf_hook_point_out") not in (None, config.get("hf_hook_point_in")):
        expected = "no other place than hf_hook_point_in"
        out = config["hf_hook_point_out"]
        raise InputError("hf_hook_point_out", expected, out, where=CONFIG, hint=reason)
    if "affine_skip_connection" in arrays:
        expected = f"only {', '.join((*_SECOND, 'threshold'))}"
        raise InputError("affine_skip_connection", expected, hint=f"as a transcoder {reason}")
    check_names(arrays, (*_SECOND, "threshold"), f"Gemma Scope's {WEIGHTS[1]}")
    if arrays["w_dec"].ndim > 2 or arrays["w_enc"].ndim > 2:
        hint = NO_FUNCTION_OF_ONE_SAMPLE["crosscoder"]
        raise InputError("w_dec", "a matrix", hint=hint)
    renamed = dict(zip((*PARAMETERS, "threshold"), (*_SECOND, "threshold"), strict=True))
    return _gemma_scope({name: arrays[old] for name, old in renamed.items()})


def _gemma_scope(arrays: Arrays) -> Autoencoder:
    check_names(arrays, (*PARAMETERS, "threshold"), "Gemma Scope's params.npz")
    arrays, turned = oriented(arrays, {"W_enc": ("b_dec", "b_enc"), "W_dec": ("b_enc", "b_dec")})
    sae = JumpReluSae(_relu(arrays), arrays["threshold"])
    notes = ("JumpReLU, as Gemma Scope stores it: the encoder reads x itself", *turned)
    return sae.with_origin(Origin("Gemma Scope", notes=notes))


def _relu(arrays: Arrays) -> Sae:
    W_enc, b_enc, W_dec, b_dec = (arrays[name] for name in PARAMETERS)
    return Sae(W_enc, b_enc, W_dec, b_dec)
