"""What a certificate minimises over dictionaries, and the bounds that need no search.

Under an l1 penalty the sums over sectors of `solvers.bounds.sector_losses`; where latents are
counted, by an l0 penalty or because TopK has one at a time, those of `hard_sector_losses`.
"""

import math
from dataclasses import dataclass

import numpy as np

from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.objective import Objective
from solvers.bounds.best_bound import best_bound
from solvers.bounds.hard_sector_losses import HardSectorLosses
from solvers.bounds.profile_means import (
    HardThresholdProfile,
    has_thin_parallelogram,
    profile_means,
)
from solvers.bounds.radial_bound import LowerBound, lower_bound
from solvers.bounds.sector_losses import SectorLosses
from solvers.laws.arrays import LawArrays, law_arrays
from solvers.runtime.arguments import check_number, check_type, check_whole
from theory.exact.errors import InputError
from theory.laws.law import Law

# Its square, and that of the law's reach beside it, must not overflow.
_LARGEST_L1 = 1e100
#: Wider dictionaries would take hours.
LARGEST_WIDTH = 64


@dataclass(frozen=True)
class CertificateTerms:
    """What a certificate is about.

    Parameters
    ----------
    losses : SectorLosses
        With b_dec = 0.
    at_zero : LowerBound
        On every SAE with b_dec = 0.
    anywhere : LowerBound
        On every SAE.
    counted : bool
        Whether latents are counted, so that the loss is not convex in b_dec.
    """

    losses: SectorLosses
    at_zero: LowerBound
    anywhere: LowerBound
    counted: bool

    @classmethod
    def of(
        cls,
        law: Law,
        arrays: LawArrays,
        n_latents: int,
        objective: Objective,
        architecture: Architecture,
    ) -> "CertificateTerms":
        """Return what `check_certifiable` has found to be covered."""
        l1, l0 = objective.l1, objective.l0
        one = has_one_latent(architecture)
        if not (l0 or one):
            radial = lower_bound(law, Objective(l1), n_latents)
            return cls(SectorLosses(arrays, l1), radial, radial, False)
        anywhere = best_bound(law, n_latents, Objective(l1, l0=l0), architecture)
        at_zero = anywhere
        if l0 and arrays.in_plane_cells and not has_thin_parallelogram(arrays):
            value, error = profile_means(arrays, np.zeros((1, 2)), HardThresholdProfile(l0, l1))
            if value.item() - error.item() > anywhere.value - anywhere.error:
                at_zero = LowerBound(value.item(), error.item(), "l0 bound at b_dec = 0")
        losses = HardSectorLosses(arrays, l1, l0=l0, pairs=not one)
        return cls(losses, at_zero, anywhere, True)


def has_one_latent(architecture: Architecture) -> bool:
    """Tell whether an SAE of an architecture has one latent at a time."""
    return architecture.name == "topk" and architecture.k == 1


def check_certifiable(
    law: Law,
    n_latents: int,
    objective: Objective,
    gap: float = 0.5,
    claimed: float | None = None,
    architecture: Architecture | None = None,
    any_b_dec: bool = False,
) -> None:
    """Raise `InputError` unless `certify` covers what is asked for, its gap and claim."""
    check_type("law", law, Law)
    check_type("objective", objective, Objective)
    architecture = Architecture() if architecture is None else architecture
    check_type("architecture", architecture, Architecture)
    if law.dimension != 2:
        raise InputError("law", "data in the plane, of dimension 2", law.dimension)
    check_whole("n_latents", n_latents, 1, LARGEST_WIDTH)
    architecture.check_width(n_latents)
    _check_objective(objective, architecture)
    if objective.l0 and not has_one_latent(architecture):
        arrays = law_arrays(law)
        if not arrays.in_plane_cells or has_thin_parallelogram(arrays):
            expected = "points, segments and parallelograms of some width, for an l0 certificate"
            raise InputError("law", expected, law.name)
    if any_b_dec and (objective.l0 or has_one_latent(architecture)):
        hint = "the loss is not convex in b_dec"
        raise InputError("any_b_dec", "False where latents are counted", hint=hint)
    check_number("gap", gap, above=0, below=1)
    if claimed is not None:
        check_number("claimed", claimed, least=0)


def _check_objective(objective: Objective, architecture: Architecture) -> None:
    if objective.reconstruction != "squared":
        expected = "'squared' for a certificate"
        raise InputError("reconstruction", expected, objective.reconstruction)
    objective.check_no_prefixes("a certificate")
    counted = objective.l0 > 0 or has_one_latent(architecture)
    if counted:
        check_number("l1", objective.l1, least=0, below=_LARGEST_L1)
        check_number("l0", objective.l0, least=0, below=math.sqrt(_LARGEST_L1))
    elif architecture.has_k and objective.l1 == 0:
        hint = "what two latents and more reach at once is no sum over sectors"
        raise InputError("k", "1 of TopK, or a penalty, for a certificate", architecture.k,
                         hint=hint)  # fmt: skip
    else:
        check_number("l1", objective.l1, above=0, below=_LARGEST_L1)
    if objective.decoder == "free" and objective.sparsity == "l1" and objective.l1 > 0:
        raise InputError(
            "decoder",
            "'unit' or sparsity 'decoder-norm' for a certificate",
            hint="with free atoms and a plain l1 penalty the loss has no minimum",
        )
    if objective.weight_decay != 0:
        hint = "the bound without it holds with it too"
        raise InputError("weight_decay", "0 for a certificate", objective.weight_decay, hint=hint)
