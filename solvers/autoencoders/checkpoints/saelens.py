"""Checkpoints of SAELens: a folder of cfg.json and sae_weights.safetensors.

Inference and training form, current fields and those before version 6. The encoder reads
x - b_dec if apply_b_dec_to_input (`SAE.process_sae_in`) [SAELens].
"""

from pathlib import Path
from typing import Any

import numpy as np

from solvers.autoencoders.architectures import GatedSae, JumpReluSae, TopKSae
from solvers.autoencoders.autoencoder import PARAMETERS, Autoencoder, Origin, Sae
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
    safetensors_arrays,
)
from solvers.runtime.arguments import check_choice
from theory.exact.errors import InputError

WEIGHTS = "sae_weights.safetensors"
CONFIG = "cfg.json"

_ARCHITECTURES = ("standard", "jumprelu", "topk", "gated")

# Settings that would make the SAE another function of x, with the values that do not.
_PLAIN: dict[str, tuple[object, ...]] = {
    "activation_fn": ("relu", "topk"),
    "activation_fn_str": ("relu", "topk"),
    "normalize_activations": ("none", None, False),
    "reshape_activations": ("none", None),
    "finetuning_scaling_factor": (False, None),
}


def read_saelens(path: Path) -> tuple[Autoencoder, ...]:
    """Return the SAE of a SAELens folder, or of either file in it."""
    folder = path if path.is_dir() else path.parent
    expect_files(folder, (CONFIG, WEIGHTS), "SAELens")
    config = read_config(folder / CONFIG, "SAELens")
    architecture = _architecture(config)
    subtracts = config.get("apply_b_dec_to_input")
    if not isinstance(subtracts, bool):
        raise InputError("apply_b_dec_to_input", "true or false", subtracts, where=CONFIG)
    arrays = safetensors_arrays(folder / WEIGHTS)
    kind = f"SAELens' {WEIGHTS}"
    if architecture == "gated":
        check_names(arrays, ("W_enc", "b_gate", "b_mag", "r_mag", "W_dec", "b_dec"), kind)
        arrays["b_enc"] = arrays["b_gate"]
    elif architecture == "jumprelu":
        # Training files of older versions hold the logarithm.
        if "log_threshold" in arrays:
            arrays["threshold"] = np.exp(arrays.pop("log_threshold"))
        check_names(arrays, (*PARAMETERS, "threshold"), kind)
    else:
        check_names(arrays, PARAMETERS, kind)
    arrays, turned = oriented(arrays, {"W_enc": ("b_dec", "b_enc"), "W_dec": ("b_enc", "b_dec")})
    sae = _build(architecture, config, arrays, subtracts)
    check_sizes(CONFIG, config, sae.W_enc, "d_in", "d_sae")
    return (sae.with_origin(_origin(architecture, config, subtracts, turned)),)


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
    return check_choice("architecture", named, _ARCHITECTURES, where=CONFIG)


def _build(
    architecture: str, config: dict[str, Any], arrays: Arrays, subtracts: bool
) -> Autoencoder:
    build = Sae.from_centred_encoder if subtracts else Sae
    if architecture == "gated":
        W_enc, W_dec, b_dec = (arrays[name] for name in ("W_enc", "W_dec", "b_dec"))
        check_vector(arrays, "r_mag", "b_gate")
        # The magnitude path shares the gate's directions: W_enc · exp(r_mag).
        magnitude = build(W_enc * np.exp(arrays["r_mag"]), arrays["b_mag"], W_dec, b_dec)
        gate = build(W_enc, arrays["b_gate"], W_dec, b_dec)
        return GatedSae(magnitude, gate.W_enc, gate.b_enc)
    W_enc, b_enc, W_dec, b_dec = (arrays[name] for name in PARAMETERS)
    base = build(W_enc, b_enc, W_dec, b_dec)
    if architecture == "jumprelu":
        return JumpReluSae(base, arrays["threshold"])
    if architecture == "standard":
        return base
    if _setting(config, "rescale_acts_by_decoder_norm"):
        # They are ranked by p_i ‖d_i‖: those of the SAE with unit atoms and the same x̂.
        norms = base.decoder_norms
        if not norms.all():
            raise InputError("W_dec", "no zero row beside rescale_acts_by_decoder_norm")
        base = Sae(base.W_enc * norms, base.b_enc * norms, base.W_dec / norms[:, None], base.b_dec)
    k = config.get("k", inside(CONFIG, config, "activation_fn_kwargs").get("k"))
    try:
        return TopKSae(base, k)  # type: ignore[arg-type]  # checked there
    except InputError as error:
        raise error.inside(CONFIG) from None


def _origin(
    architecture: str, config: dict[str, Any], subtracts: bool, turned: tuple[str, ...]
) -> Origin:
    metadata = inside(CONFIG, config, "metadata")
    details = inside(CONFIG, metadata, "training_architecture_details")
    settings = {**details, **config}
    l1 = positive(CONFIG, "l1_coefficient", settings.get("l1_coefficient"))
    l0 = positive(CONFIG, "l0_coefficient", settings.get("l0_coefficient"))
    reads = "subtracts b_dec; folded into b_enc" if subtracts else "does not subtract b_dec"
    notes = [f"SAELens, {architecture}: the encoder {reads}"]
    if architecture == "standard":
        notes.append(
            "SAELens trains its standard SAEs with sparsity='decoder-norm', decoder='free'"
        )
    if architecture == "topk" and _setting(config, "rescale_acts_by_decoder_norm"):
        notes.append("latents are ranked by p_i ‖d_i‖; read as the same SAE with unit atoms")
    plain = settings.get("lp_norm", 1) == 1 and settings.get(
        "scale_sparsity_penalty_by_decoder_norm", True
    )
    if architecture in ("standard", "gated") and not plain:
        notes[1:] = ["its penalty is not Σ f_i ‖d_i‖; give the objective's settings"]
    loss = {
        "standard": "objective" if plain else "",
        "gated": "gated" if plain else "",
        "jumprelu": "l0" if settings.get("jumprelu_sparsity_loss_mode", "step") == "step" else "",
        "topk": "squared",
    }[architecture]
    return Origin(
        library="SAELens",
        convention="saelens-standard" if loss in ("objective", "gated") else "",
        loss=loss,
        l1=l1 if loss in ("objective", "gated") else None,
        l0=l0 if loss == "l0" else None,
        notes=(*notes, *turned),
    )


def _setting(config: dict[str, Any], key: str) -> bool:
    """Return a setting that is true or false, false by default."""
    value = config.get(key, False)
    if not isinstance(value, bool):
        raise InputError(key, "true or false", value, where=CONFIG)
    return value
