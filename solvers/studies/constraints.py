"""A trained SAE on the constraints of an objective: what the gaps of a cross-check count from."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.architectures import (
    GatedSae,
    JumpReluSae,
    TopKSae,
    architecture_of,
)
from solvers.autoencoders.autoencoder import Autoencoder, Sae
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import LawArrays, law_arrays
from solvers.losses.amortisation import Amortisation, amortisation
from solvers.losses.batch_threshold import batch_threshold
from solvers.losses.best_k_terms import best_k_term_loss
from solvers.losses.expected_loss import ExpectedLoss
from solvers.losses.piecewise_sums import is_affordable
from solvers.optima.matching import unit
from solvers.optima.polish import with_finite_loss
from solvers.optima.search import Progress
from theory.exact.errors import InputError
from theory.laws.law import Law

Array = NDArray[np.float64]

# Atoms whose norm is this close to 1 count as unit atoms.
_UNIT = 1e-6


def on_constraints(
    law: Law, sae: Autoencoder, objective: Objective
) -> tuple[Autoencoder, Objective, list[str]]:
    """Return the SAE that the gaps are counted from, its objective, and what was done."""
    notes = []
    scale_free = objective.sparsity == "decoder-norm" and objective.weight_decay == 0
    if scale_free:
        # The penalty does not see how a latent's scale is shared by its two layers.
        objective = replace(objective, decoder="unit")
    norms = sae.decoder_norms
    if objective.decoder == "unit" and _are_not_unit(norms):
        told = "the loss stays the same" if scale_free else "the gaps are counted from there"
        notes.append(f"atoms are normalised, f_i ‖d_i‖ in place of f_i; {told}")
        if not norms.all():
            notes.append("zero atoms reconstruct nothing; their latents are switched off")
        if architecture_of(sae).has_k:
            # The same charge without touching what decides who fires.
            objective = replace(objective, sparsity="decoder-norm", decoder="free")
        else:
            sae = _with_unit_atoms(sae)
    if isinstance(sae, Sae):
        return with_finite_loss(law, sae, objective), objective, notes
    architecture = architecture_of(sae)
    if isinstance(sae, JumpReluSae) and architecture.name == "batchtopk":
        sae = _with_k_on_average(law, sae, architecture, notes)
    return sae, objective, notes


def _with_k_on_average(
    law: Law, sae: JumpReluSae, architecture: Architecture, notes: list[str]
) -> JumpReluSae:
    """Return a BatchTopK SAE with the threshold above which k latents fire on average."""
    assert architecture.k is not None
    theta = batch_threshold(law_arrays(law), sae.W_enc, sae.b_enc, architecture.k)
    stored = float(sae.threshold.mean())
    notes.append(
        f"its threshold {stored:.6g} is moved to {theta:.6g}, above which k = {architecture.k:g} "
        "latents fire on average; the gaps are counted from there"
    )
    return JumpReluSae(sae.base, np.full(sae.d_sae, theta))


def amortisation_of(
    law: Law,
    sae: Autoencoder,
    objective: Objective,
    loss: ExpectedLoss,
    progress: Progress | None,
) -> tuple[Amortisation | None, list[str]]:
    """Return what an SAE's own atoms cost at best, None where that is not known, and notes.

    Of a TopK SAE without a penalty that is the loss of the best k terms.
    """
    k_terms = isinstance(sae, TopKSae) and not objective.l1
    if objective.reconstruction != "squared" or not (objective.l1 > 0 or k_terms):
        return None, []
    try:
        if k_terms and isinstance(sae, TopKSae):
            objective.check_no_prefixes("the best activations")
            return Amortisation(best_k_term_loss(law, sae, sae.k)), []
        best = amortisation(law, sae, objective, loss, progress=progress)
    except InputError as error:
        return None, [f"amortisation gap not computed: {error}"]
    told = f"the amortisation gap is not exact but has a standard error: {best.reason}"
    return best, [told] if best.reason else []


def why_no_gradient(law: LawArrays, sae: Autoencoder) -> str:
    """Return why an SAE's loss cannot be descended on a law, "" if it can."""
    if isinstance(sae, GatedSae) and sae.as_jump_relu() is None:
        return "the gate and the magnitudes of this Gated SAE read different directions"
    if isinstance(sae, TopKSae) and not (law.in_plane_cells and is_affordable(law, sae)):
        return f"there are too many places where latents of this {sae.architecture} SAE change"
    return ""


def _with_unit_atoms(sae: Autoencoder) -> Autoencoder:
    """Return the SAE of the same x̂ whose atoms have norm 1; latents of zero atoms are off."""
    norms = sae.decoder_norms
    W_dec, b_enc = unit(sae.W_dec), sae.b_enc * norms
    zero = norms == 0
    W_dec[zero, 0] = 1.0
    b_enc[zero] = -1.0
    base = Sae(sae.W_enc * norms, b_enc, W_dec, sae.b_dec, sae.origin)
    if isinstance(sae, JumpReluSae):
        return JumpReluSae(base, sae.threshold * norms)
    return GatedSae(base, sae.W_gate, sae.b_gate) if isinstance(sae, GatedSae) else base


def _are_not_unit(norms: Array) -> bool:
    return bool(np.abs(norms - 1).max() > _UNIT)
