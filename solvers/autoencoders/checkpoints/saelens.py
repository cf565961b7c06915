"""Checkpoints of SAELens: a folder of cfg.json and sae_weights.safetensors, versions 1 to 6.

Inference and training form; `saelens_training` reads what is said of the training. The encoder
reads x - b_dec if apply_b_dec_to_input (`SAE.process_sae_in`) [SAELens]. BatchTopK and Matryoshka
SAEs are saved for inference as JumpReLU SAEs of one threshold, and read from either form as that.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from solvers.autoencoders.architectures import GatedSae, JumpReluSae, TopKSae
from solvers.autoencoders.autoencoder import PARAMETERS, Autoencoder, Sae
from solvers.autoencoders.checkpoints.batch_topk import by_stored_threshold, notes_on_threshold
from solvers.autoencoders.checkpoints.formats import NO_FUNCTION_OF_ONE_SAMPLE, Format
from solvers.autoencoders.checkpoints.saelens_training import BATCH, saelens_origin
from solvers.autoencoders.checkpoints.safetensors_files import safetensors_arrays, stored
from solvers.autoencoders.checkpoints.weight_files import (
    Arrays,
    check_names,
    check_sizes,
    check_vector,
    expect_files,
    inside,
    oriented,
    read_config,
)
from solvers.runtime.arguments import check_choice, finite_array
from theory.exact.errors import InputError

CONFIG = "cfg.json"
WEIGHTS = "sae_weights.safetensors"
#: Beside them where a run was checkpointed: the trainer's settings, the SAE's among them.
RUNNER = "runner_cfg.json"

_ARCHITECTURES = ("standard", "jumprelu", "topk", "gated", *BATCH)

FORMATS = (
    Format(
        f"folder of `{CONFIG}` and `{WEIGHTS}`, inference or training form; "
        f"`{RUNNER}` may lie beside them",
        "SAELens",
        "1 to 6",
        _ARCHITECTURES,
        "as `apply_b_dec_to_input` says",
    ),
)

# Settings that would make the SAE another function of x, with the values that do not.
_PLAIN: dict[str, tuple[object, ...]] = {
    "activation_fn": ("relu", "topk"),
    "activation_fn_str": ("relu", "topk"),
    "normalize_activations": ("none", None, False),
    "reshape_activations": ("none", None),
}
# What multiplies the activations before they are decoded: its name before version 3, and since.
_SCALES = ("scaling_factor", "finetuning_scaling_factor")
_FOLDED = (
    "multiplies the activations before they are decoded; folded into the atoms, whose norms were "
    "not what training held; no training loss is claimed"
)


def read_saelens(path: Path) -> tuple[Autoencoder, ...]:
    """Return the SAE of a SAELens folder, or of a file in it."""
    folder = path if path.is_dir() else path.parent
    weights = stored(folder, WEIGHTS)
    expect_files(folder, (CONFIG,) if weights else (CONFIG, WEIGHTS), "SAELens")
    config = read_config(folder / CONFIG, "SAELens")
    runner = folder / RUNNER
    training = read_config(runner, "SAELens") if runner.is_file() else {}
    arrays = safetensors_arrays(weights or folder / WEIGHTS)
    return (saelens_sae(config, arrays, training),)


def saelens_sae(
    config: dict[str, Any], arrays: Arrays, runner: dict[str, Any] | None = None
) -> Autoencoder:
    """Return the SAE of a SAELens configuration and state dict, and the trainer's settings.

    Raises
    ------
    InputError
        If it is none, or the configuration makes it another function of x than those here.
    """
    architecture = _architecture(config)
    subtracts = config.get("apply_b_dec_to_input")
    if not isinstance(subtracts, bool):
        raise InputError("apply_b_dec_to_input", "true or false", subtracts, where=CONFIG)
    arrays, scaled = dict(arrays), ""
    kind = f"SAELens' {WEIGHTS}"
    if any(name in arrays for name in _SCALES) or config.get(_SCALES[1]):
        check_names(arrays, ("W_dec",), kind, ignored=arrays)
        arrays, scaled = _scaled(arrays, config)
    if architecture == "gated":
        check_names(arrays, ("W_enc", "b_gate", "b_mag", "r_mag", "W_dec", "b_dec"), kind)
        arrays["b_enc"] = arrays["b_gate"]
    elif architecture == "jumprelu":
        # Training files of older versions hold the logarithm.
        if "log_threshold" in arrays:
            arrays["threshold"] = np.exp(arrays.pop("log_threshold"))
        check_names(arrays, (*PARAMETERS, "threshold"), kind)
    elif architecture in BATCH:
        check_names(arrays, (*PARAMETERS, "topk_threshold"), kind)
    else:
        check_names(arrays, PARAMETERS, kind)
    arrays, turned = oriented(arrays, {"W_enc": ("b_dec", "b_enc"), "W_dec": ("b_enc", "b_dec")})
    sae = _build(architecture, config, arrays, subtracts)
    check_sizes(CONFIG, config, sae.W_enc, "d_in", "d_sae")
    check_sizes(CONFIG, config, sae.W_enc, "d_out", "d_sae")
    rescaled = _rescaled(architecture, config)
    origin = saelens_origin(architecture, config, runner or {}, sae.d_sae)
    notes = origin.notes
    if rescaled:
        compared = "ranked by" if architecture == "topk" else "held against the threshold by"
        notes = (*notes, f"latents are {compared} p_i ‖d_i‖; read as the same SAE with unit atoms")
    reads = "subtracts b_dec; folded into b_enc" if subtracts else "does not subtract b_dec"
    notes = (f"SAELens, {architecture}: the encoder {reads}", *notes, *filter(None, [scaled]))
    notes = (*notes, *turned)
    if _FOLDED in scaled:
        origin = replace(origin, loss="")
    if architecture in BATCH:
        notes = (*notes, *notes_on_threshold(sae))
    return sae.with_origin(replace(origin, notes=notes))


def _architecture(config: dict[str, Any]) -> str:
    if not {"d_in", "d_sae"} <= config.keys():
        raise InputError(CONFIG, "a SAELens configuration with d_in and d_sae")
    for key, plain in _PLAIN.items():
        if key in config and config[key] not in plain:
            raise InputError(key, f"{plain[0]!r}", config[key], where=CONFIG)
    named = config.get("architecture", "standard")
    before_6 = config.get("activation_fn_str", config.get("activation_fn"))
    if named == "standard" and before_6 == "topk":
        named = "topk"
    hint = NO_FUNCTION_OF_ONE_SAMPLE.get(named, "") if isinstance(named, str) else ""
    return check_choice("architecture", named, _ARCHITECTURES, where=CONFIG, hint=hint)


def _scaled(arrays: Arrays, config: dict[str, Any]) -> tuple[Arrays, str]:
    """Return the arrays without the factor of finetuning on every latent, and a note of it.

    Versions 1 and 2 always decode (f · scaling_factor) W_dec + b_dec, whatever the configuration
    (`SparseAutoencoder.decode`), so that the factor can be folded into the atoms; later versions
    multiply where the setting says so.
    """
    setting = _SCALES[1]
    used = config.get(setting)
    if used not in (False, None, True):
        raise InputError(setting, "true or false", used, where=CONFIG)
    found = [name for name in _SCALES if name in arrays]
    if used and not found:
        raise InputError(setting, "False, or an array of this name", used, where=CONFIG)
    note = ""
    for name in found:
        factor = finite_array(name, arrays.pop(name))
        if used is False:
            note = f"{name} is not used, as {CONFIG} says"
        elif used and (factor != 1).any():
            hint = f"with {setting} true every activation is multiplied by it"
            raise InputError(name, "ones", factor.ravel().tolist(), hint=hint)
        elif (factor != 1).any():
            if factor.shape != arrays["W_dec"].shape[:1]:
                raise InputError(name, f"shape {arrays['W_dec'].shape[:1]}", factor.shape)
            arrays["W_dec"] = arrays["W_dec"] * factor[:, None]
            note = f"{name} {_FOLDED}"
    return arrays, note


def _build(
    architecture: str, config: dict[str, Any], arrays: Arrays, subtracts: bool
) -> Autoencoder:
    build = Sae.from_centred_encoder if subtracts else Sae
    if architecture == "gated":
        W_enc, W_dec, b_dec = (arrays[name] for name in ("W_enc", "W_dec", "b_dec"))
        check_vector(arrays, "r_mag", "b_gate")
        # The magnitude path shares the gate's directions: W_enc · exp(r_mag), in doubles, so that
        # they stay the same.
        scale = np.exp(arrays["r_mag"].astype(np.float64))
        magnitude = build(W_enc * scale, arrays["b_mag"], W_dec, b_dec)
        gate = build(W_enc, arrays["b_gate"], W_dec, b_dec)
        return GatedSae(magnitude, gate.W_enc, gate.b_enc)
    W_enc, b_enc, W_dec, b_dec = (arrays[name] for name in PARAMETERS)
    base = build(W_enc, b_enc, W_dec, b_dec)
    if architecture == "jumprelu":
        return JumpReluSae(base, arrays["threshold"])
    if architecture == "standard":
        return base
    if _rescaled(architecture, config):
        # They are ranked by p_i ‖d_i‖: those of the SAE with unit atoms and the same x̂.
        norms = base.decoder_norms
        if not norms.all():
            raise InputError("W_dec", "no zero row beside rescale_acts_by_decoder_norm")
        base = Sae(base.W_enc * norms, base.b_enc * norms, base.W_dec / norms[:, None], base.b_dec)
    if architecture in BATCH:
        return by_stored_threshold(base, arrays, "topk_threshold")
    k = config.get("k", inside(CONFIG, config, "activation_fn_kwargs").get("k"))
    try:
        return TopKSae(base, k)  # type: ignore[arg-type]  # checked there
    except InputError as error:
        raise error.inside(CONFIG) from None


def _rescaled(architecture: str, config: dict[str, Any]) -> bool:
    """Tell whether p_i ‖d_i‖ decides who fires; versions without the setting did not rescale."""
    if architecture not in ("topk", *BATCH):
        return False
    value = config.get("rescale_acts_by_decoder_norm", False)
    if not isinstance(value, bool):
        raise InputError("rescale_acts_by_decoder_norm", "true or false", value, where=CONFIG)
    return value
