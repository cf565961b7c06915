"""Checkpoints of SAELens: a folder of cfg.json and sae_weights.safetensors.

Inference and training form, current fields and those before version 6. The encoder reads
x - b_dec if apply_b_dec_to_input (`SAE.process_sae_in`) [SAELens]. BatchTopK and Matryoshka SAEs
are saved for inference as JumpReLU SAEs of one threshold, and read from either form as that.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from solvers.autoencoders.architectures import GatedSae, JumpReluSae, TopKSae
from solvers.autoencoders.autoencoder import PARAMETERS, Autoencoder, Origin, Sae
from solvers.autoencoders.checkpoints.batch_topk import (
    by_stored_threshold,
    latents_per_sample,
    notes_on_threshold,
    prefixes_of,
)
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
    seed_of,
)
from solvers.runtime.arguments import check_choice
from theory.exact.errors import InputError

WEIGHTS = "sae_weights.safetensors"
CONFIG = "cfg.json"

_BATCH = ("batchtopk", "matryoshka_batchtopk")
_ARCHITECTURES = ("standard", "jumprelu", "topk", "gated", *_BATCH)

# Penalties of SAELens' JumpReLU SAEs that `Objective` does not have.
_PENALTIES = {
    "tanh": "is λ Σ tanh(c f_i ‖d_i‖), none of the losses here",
    "quadratic": "is 2λ/k (l0 - k)² of every sample, with k = target_l0, none of the losses here",
}
_DEAD = "a loss of latents while they are dead, which no law defines"
# Settings of codes built on SAELens that cut the gradient of Matryoshka SAEs.
_STOPPED = ("detach_matryoshka_losses", "use_delta_loss")

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
    return (saelens_sae(config, safetensors_arrays(folder / WEIGHTS)),)


def saelens_sae(config: dict[str, Any], arrays: Arrays) -> Autoencoder:
    """Return the SAE of a SAELens configuration and state dict.

    Raises
    ------
    InputError
        If they are no SAE that is read here, naming the key of cfg.json or the array.
    """
    architecture = _architecture(config)
    subtracts = config.get("apply_b_dec_to_input")
    if not isinstance(subtracts, bool):
        raise InputError("apply_b_dec_to_input", "true or false", subtracts, where=CONFIG)
    arrays = dict(arrays)
    kind = f"SAELens' {WEIGHTS}"
    if architecture == "gated":
        check_names(arrays, ("W_enc", "b_gate", "b_mag", "r_mag", "W_dec", "b_dec"), kind)
        arrays["b_enc"] = arrays["b_gate"]
    elif architecture == "jumprelu":
        # Training files of older versions hold the logarithm.
        if "log_threshold" in arrays:
            arrays["threshold"] = np.exp(arrays.pop("log_threshold"))
        check_names(arrays, (*PARAMETERS, "threshold"), kind)
    elif architecture in _BATCH:
        check_names(arrays, (*PARAMETERS, "topk_threshold"), kind)
    else:
        check_names(arrays, PARAMETERS, kind)
    arrays, turned = oriented(arrays, {"W_enc": ("b_dec", "b_enc"), "W_dec": ("b_enc", "b_dec")})
    sae = _build(architecture, config, arrays, subtracts)
    check_sizes(CONFIG, config, sae.W_enc, "d_in", "d_sae")
    origin = _origin(architecture, config, sae.d_sae)
    reads = "subtracts b_dec; folded into b_enc" if subtracts else "does not subtract b_dec"
    notes = (f"SAELens, {architecture}: the encoder {reads}", *origin.notes, *turned)
    if architecture in _BATCH:
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
    return check_choice("architecture", named, _ARCHITECTURES, where=CONFIG)


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
    if architecture in _BATCH:
        return by_stored_threshold(base, arrays, "topk_threshold")
    k = config.get("k", inside(CONFIG, config, "activation_fn_kwargs").get("k"))
    try:
        return TopKSae(base, k)  # type: ignore[arg-type]  # checked there
    except InputError as error:
        raise error.inside(CONFIG) from None


def _origin(architecture: str, config: dict[str, Any], width: int) -> Origin:
    """Return what the configuration says of the training."""
    metadata = inside(CONFIG, config, "metadata")
    settings = {**inside(CONFIG, metadata, "training_architecture_details"), **config}
    # JumpReLU files are the inference form of several architectures.
    trained = str(metadata.get("training_architecture") or architecture)
    loss, notes = _training_loss(trained, settings)
    if trained in _BATCH:
        notes = ("its stored threshold stands for the ranking of batches in training", *notes)
    if trained != architecture:
        notes = (f"trained as {trained!r}", *notes)
    if _rescaled(architecture, config):
        compared = "ranked by" if architecture == "topk" else "held against the threshold by"
        notes = (*notes, f"latents are {compared} p_i ‖d_i‖; read as the same SAE with unit atoms")
    penalised = loss in ("objective", "gated")
    l1 = positive(CONFIG, "l1_coefficient", settings.get("l1_coefficient"))
    l0 = positive(CONFIG, "l0_coefficient", settings.get("l0_coefficient"))
    batch_k, prefixes = _batch(trained, settings, width)
    return Origin(
        library="SAELens",
        convention="saelens-standard" if penalised else "",
        loss=loss,
        l1=l1 if penalised else None,
        l0=l0 if loss == "l0" else None,
        batch_k=batch_k,
        prefixes=prefixes,
        seed=seed_of(settings),
        notes=notes,
    )


def _batch(
    trained: str, settings: dict[str, Any], width: int
) -> tuple[float | None, tuple[int, ...]]:
    """Return BatchTopK's k and Matryoshka's prefixes, over which SAELens sums, where told."""
    key = "matryoshka_widths"
    nested = trained == "matryoshka_batchtopk" and key in settings
    try:
        return (
            latents_per_sample(settings["k"], width)
            if trained in _BATCH and "k" in settings
            else None,
            prefixes_of(key, settings[key], width) if nested else (),
        )
    except InputError as error:
        raise error.inside(CONFIG) from None


def _training_loss(trained: str, settings: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Return the loss of `Origin` that an architecture is trained on, and notes about it."""
    if trained in ("standard", "gated"):
        return _penalised_loss(trained, settings)
    if trained == "jumprelu":
        return _jumprelu_loss(settings)
    if trained != "topk" and trained not in _BATCH:
        return "", ("what it was trained on is unknown",)
    stopped = [key for key in _STOPPED if settings.get(key)]
    if stopped:
        stops = "stops gradients at inner prefixes, so that training minimises no loss"
        return "", (f"{stopped[0]} {stops}",)
    return "squared", ()


def _penalised_loss(trained: str, settings: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    if settings.get("lp_norm", 1) != 1 or not settings.get(
        "scale_sparsity_penalty_by_decoder_norm", True
    ):
        return "", ("its penalty is not Σ f_i ‖d_i‖; give the objective's settings",)
    if trained == "gated":
        return "gated", ()
    trains = "SAELens trains its standard SAEs with sparsity='decoder-norm', decoder='free'"
    return "objective", (trains,)


def _jumprelu_loss(settings: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    mode = settings.get("jumprelu_sparsity_loss_mode", "step")
    if mode != "step":
        penalty = _PENALTIES.get(str(mode), "is unknown")
        return "", (f"its penalty, jumprelu_sparsity_loss_mode={mode!r}, {penalty}",)
    if settings.get("pre_act_loss_coefficient") is None:
        return "l0", ()
    return "l0", (f"pre_act_loss_coefficient adds {_DEAD}",)


def _rescaled(architecture: str, config: dict[str, Any]) -> bool:
    """Tell whether p_i ‖d_i‖ decides who fires; versions without the setting did not rescale."""
    if architecture not in ("topk", *_BATCH):
        return False
    value = config.get("rescale_acts_by_decoder_norm", False)
    if not isinstance(value, bool):
        raise InputError("rescale_acts_by_decoder_norm", "true or false", value, where=CONFIG)
    return value
