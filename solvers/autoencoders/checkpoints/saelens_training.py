"""What SAELens' configurations say of the training, versions 1 to 6 [SAELens].

The error is a sum over coordinates, but until scale_sparsity_penalty_by_decoder_norm came, in the
course of version 1, a mean. The penalty of standard SAEs is λ Σ f_i ‖d_i‖ in versions 3 and 6, as
that key says in 1, 2, 4 and 5; normalize_sae_decoder holds ‖d_i‖ = 1 before 6.
"""

from typing import Any

from solvers.autoencoders.autoencoder import Origin
from solvers.autoencoders.checkpoints.batch_topk import latents_per_sample, prefixes_of
from solvers.autoencoders.checkpoints.training_settings import (
    Version,
    changed_loss,
    version_of,
)
from solvers.autoencoders.checkpoints.weight_files import inside, positive, seed_of
from theory.exact.errors import InputError

CONFIG = "cfg.json"
BATCH = ("batchtopk", "matryoshka_batchtopk")

_SCALED = "scale_sparsity_penalty_by_decoder_norm"
# Versions that weight the penalty by ‖d_i‖ whatever the key says.
_ALWAYS_SCALED = (3, 6)
_VERSIONS = ("sae_lens_training_version", "sae_lens_version")

_CONVENTION_NOTES = {
    "saelens-standard": "SAELens trains its standard SAEs with sparsity='decoder-norm', "
    "decoder='free'",
    "saelens-unit": "normalize_sae_decoder held its atoms at norm 1: sparsity='l1', "
    "decoder='unit'",
    "saelens-mean": "this version of SAELens averages the squared error over coordinates, with "
    "unit atoms: λ is multiplied by d",
}


def saelens_origin(
    architecture: str, config: dict[str, Any], runner: dict[str, Any], width: int
) -> Origin:
    """Return what the configuration, and the trainer's beside it, say of the training."""
    metadata = inside(CONFIG, config, "metadata")
    details = inside(CONFIG, metadata, "training_architecture_details")
    settings = {**runner, **inside("runner_cfg.json", runner, "sae"), **details, **config}
    # JumpReLU files are the inference form of several architectures.
    trained = str(metadata.get("training_architecture") or architecture)
    version = _version({**metadata, **config})
    changed = changed_loss("SAELens", settings, version)
    loss, convention, notes = _training_loss(trained, settings, version)
    if convention and not changed.l1_stands:
        loss, convention, notes = "", "", ()
    if trained in BATCH:
        notes = ("its stored threshold stands for the ranking of batches in training", *notes)
    if trained != architecture:
        notes = (f"trained as {trained!r}", *notes)
    notes = (*notes, *changed.notes)
    if not convention and trained == "standard":
        notes = (*notes, "its penalty is not Σ f_i ‖d_i‖; give the objective's settings")
    l1 = positive(CONFIG, "l1_coefficient", settings.get("l1_coefficient"))
    l0 = positive(CONFIG, "l0_coefficient", settings.get(_l0_key(version)))
    batch_k, prefixes = _batch(trained, settings, width)
    return Origin(
        library="SAELens",
        convention=convention,
        loss="" if changed.outside else loss,
        l1=l1 if convention else None,
        l0=l0 if loss == "l0" and not changed.outside else None,
        batch_k=batch_k,
        prefixes=prefixes,
        seed=seed_of(settings),
        notes=notes,
    )


def _version(config: dict[str, Any]) -> Version | None:
    found = (version_of(config.get(key)) for key in _VERSIONS)
    return next((version for version in found if version), None)


def _l0_key(version: Version | None) -> str:
    """Return where λ₀ of a JumpReLU SAE stands: versions 4 and 5 call it l1_coefficient."""
    return "l1_coefficient" if version and (4,) <= version < (6,) else "l0_coefficient"


def _batch(
    trained: str, settings: dict[str, Any], width: int
) -> tuple[float | None, tuple[int, ...]]:
    """Return BatchTopK's k and Matryoshka's prefixes, over which SAELens sums, where told."""
    key = "matryoshka_widths"
    nested = trained == "matryoshka_batchtopk" and key in settings
    try:
        return (
            latents_per_sample(settings["k"], width)
            if trained in BATCH and "k" in settings
            else None,
            prefixes_of(key, settings[key], width) if nested else (),
        )
    except InputError as error:
        raise error.inside(CONFIG) from None


def _training_loss(
    trained: str, settings: dict[str, Any], version: Version | None
) -> tuple[str, str, tuple[str, ...]]:
    """Return the loss of `Origin` that an architecture is trained on, its convention, notes."""
    if trained == "standard":
        convention = _convention(settings, version)
        return "objective" if convention else "", convention, tuple(
            _CONVENTION_NOTES[name] for name in (convention,) if name
        )  # fmt: skip
    if trained == "gated":
        # Its penalty is weighted by ‖d_i‖ in every version.
        return (
            "gated",
            "saelens-unit" if _has_unit_atoms(settings, version) else "saelens-standard",
            (),
        )
    if trained == "jumprelu":
        if version and version < (4,):
            return "", "", ("what it was trained on is unknown",)
        return "l0", "", ()
    if trained == "topk" or trained in BATCH:
        return "squared", "", ()
    return "", "", ("what it was trained on is unknown",)


def _convention(settings: dict[str, Any], version: Version | None) -> str:
    """Return the convention of a standard SAE; "" for Σ f_i with free atoms, which none has.

    That penalty has no minimum: larger atoms with smaller activations are always cheaper.
    """
    early = version is not None and version < (3,)
    unit = _has_unit_atoms(settings, version)
    if early and _SCALED not in settings:
        return "saelens-mean" if unit else ""
    if unit:
        return "saelens-unit"
    always = version is not None and version[0] in _ALWAYS_SCALED
    return "saelens-standard" if always or settings.get(_SCALED, True) else ""


def _has_unit_atoms(settings: dict[str, Any], version: Version | None) -> bool:
    before_6 = version is None or version < (6,)
    return before_6 and settings.get("normalize_sae_decoder") is True
