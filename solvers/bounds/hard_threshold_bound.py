"""What no SAE can beat under an l0 penalty, whatever its width, atoms, encoder and architecture.

At every x either no latent fires, and the error is ‖x - b‖², b = b_dec, or one does, and λ₀ is
paid beside what an l1 penalty makes it cost at least, h_λ (`solvers.bounds.radial_bound`; 0
without one). So no loss is below

    min_b E h(‖x - b‖),    h(r) = min(r², λ₀ + h_λ(r)).

*What attains it.* With λ = 0, equality asks that almost surely, where ‖x - b‖² > λ₀, exactly one
latent fires and reconstructs x, and elsewhere none fires (or, where the two cost the same,
either). So beyond the ball of radius √λ₀ about b the law must lie on rays from b, at most one for
each latent, with an atom along each; an encoder that tells the rays apart then attains it. With
W_enc = W_decᵀ, unit atoms and thresholds √λ₀ a JumpReLU SAE does, if no x of a ray is further than
√λ₀ along the atom of another, and of points each of which is a vertex of the convex hull of all
some JumpReLU SAE always does. Proof: the loss at x is at least h, and the means agree only if both
do almost surely; where one latent fires, x̂ = b + f_i d_i with f_i > 0 is on the ray of atom i. So
the diagonal code attains it on the first data set, at every λ₀ < 2; n latents attain it on points
no more than n of which are further than √λ₀ from the best b, if the encoder is free; where the law
has a density beyond the ball, nothing does.

*The least over b.* It is not convex in b. But where the law is a mixture of parts each of which is
symmetric about one common centre c and has a density that falls along every ray from there, b = c
is the minimum: the sets {‖x - b‖ ≤ r} are convex and symmetric about b, so their probability is
largest at b = c [Anderson1955, theorem 1], and E h is an integral of 1 - P(‖x - b‖ ≤ r) over h(r).
Cubes, parallelograms and segments that meet in c with all signs of their edges are such parts,
together uniform on a centred one, and so are normals about c; on both data sets all components
are. Of other laws the least is proven from below by branch and bound over boxes of b
(`solvers.bounds.l0_boxes`): to a small gap for points, segments and parallelograms, more roughly
for solid cubes and normals, which are cut into cells; there a convex function below h, that of a
radial bound, may do better.
"""

from dataclasses import replace
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.objective import Objective
from solvers.bounds.box_search import BoxBounds, least_over_boxes
from solvers.bounds.l0_boxes import CellBoxes, CornerBoxes, support_box
from solvers.bounds.law_cells import law_cells
from solvers.bounds.profile_means import HardThresholdProfile, has_thin_parallelogram
from solvers.bounds.radial_bound import LowerBound, expectation_of_profile, lower_bound
from solvers.laws.arrays import Cubes, LawArrays, law_arrays
from solvers.runtime.arguments import check_whole, checked
from theory.laws.law import Law

Array = NDArray[np.float64]

# Digits to which edges, offsets and probabilities agree.
_DIGITS = 11
_EPSILON = 4 * float(np.finfo(float).eps)
#: Numbers that branch and bound may compute, about: some seconds.
BUDGET = 2 * 10**8
# The relative gap at which it stops.
_GAP = 1e-5
# Cells of a law that is cut into such, at most.
_CELLS = 2**13
# And where only one b is looked at.
_FINE_CELLS = 2**17
# In more dimensions boxes have too many corners.
_CORNERED = 4
# What is proven may be raised by other means where it is lower than this, relatively.
_LOOSE = 1e-3
# Directions in which a law is flatter than this, relatively, are left out.
_FLAT = 1e-9


@checked
def hard_threshold_bound(law: Law, objective: Objective, *, budget: int = BUDGET) -> LowerBound:
    """Return a lower bound on the loss of every SAE under an l0 penalty, up to rounding.

    An l1 penalty counts too, if unit atoms or the decoder's norm in it keep it from vanishing.

    Parameters
    ----------
    law : Law
    objective : Objective
        With a squared reconstruction and no prefixes.
    budget : int ≥ 1
        How many numbers branch and bound over b_dec may compute, about. The bound holds
        whatever it is.

    Examples
    --------
    On the first data set it is λ₀ - (√2/3) λ₀^{3/2}:

    >>> from theory import load_law
    >>> bound = hard_threshold_bound(load_law("shared"), Objective(l1=0, l0=0.09))
    >>> round(bound.value, 12) == round(0.09 - 2**0.5 / 3 * 0.027, 12), bound.by
    (True, 'l0 bound')

    Two features of constant magnitude 1, one, the other, or both active: b at one of the three
    points, the other two are charged.

    >>> bound = hard_threshold_bound(load_law("two-features:both=1/3,first_alone=1/3"),
    ...                              Objective(l1=0, l0=0.09))
    >>> round(bound.value, 6)
    0.06
    """
    check_whole("budget", budget, 1)
    counts = objective.decoder == "unit" or objective.sparsity == "decoder-norm"
    l1 = objective.l1 if counts else 0.0
    if objective.l0 == 0:
        return lower_bound(law, Objective(l1), 1) if l1 > 0 else LowerBound(0.0, 0.0)
    found = _least(law, HardThresholdProfile(objective.l0, l1), budget)
    radial = lower_bound(law, Objective(l1), 1) if l1 > 0 else LowerBound(0.0, 0.0)
    return found if found.value - found.error >= radial.value - radial.error else radial


@lru_cache(maxsize=256)
def _least(law: Law, profile: HardThresholdProfile, budget: int) -> LowerBound:
    """Return min_b E h(‖x - b‖), or what it is not below."""
    arrays = law_arrays(law)
    rounding = 16 * _EPSILON * (arrays.spread + profile.kink**2)
    if arrays.exact and _is_unimodal(arrays, arrays.mean):
        if arrays.in_plane_cells:
            at_centre = expectation_of_profile(arrays, arrays.mean, profile)
            return LowerBound(at_centre.value, at_centre.error + rounding, _name(profile))
        fine = CellBoxes(law_cells(arrays, _FINE_CELLS), profile)
        proven = fine.values(arrays.mean[None]).item()
    else:
        boxes = _boxes(_in_own_space(arrays), profile)
        least = least_over_boxes(boxes, _GAP, budget)
        proven = least.proven
        if proven < (1 - _LOOSE) * least.value:
            proven = max(proven, _under_a_chord(law, arrays, profile))
    if not proven > rounding:
        return LowerBound(0.0, 0.0)
    return LowerBound(proven, rounding, _name(profile))


def _under_a_chord(law: Law, arrays: LawArrays, profile: HardThresholdProfile) -> float:
    """Return the radial bound for λ = 2s, s² + 2s (R - s) = h(R), no two x being R apart.

    h is r², and then grows along a line, so that h_λ, which is r² up to s and then the tangent
    there, which meets h at R, is below it: and no x is further than R from a b in their hull.
    """
    if arrays.normals:
        return 0.0
    low, high = support_box(arrays)
    reach = float(np.linalg.norm(high - low))
    s = reach - float(np.sqrt(max(reach**2 - profile.value(reach), 0.0)))
    if not s > 0:
        return 0.0
    bound = lower_bound(law, Objective(2 * s * (1 - _EPSILON)), 1)
    return bound.value - bound.error


def _name(profile: HardThresholdProfile) -> str:
    return "l0 and l1 bound" if profile.l1 else "l0 bound"


def _boxes(law: LawArrays, profile: HardThresholdProfile) -> BoxBounds:
    points = not law.normals and law.cubes[-1].cube_dimension == 0
    if (
        not points
        and law.in_plane_cells
        and law.dimension <= _CORNERED
        and not has_thin_parallelogram(law)
    ):
        return CornerBoxes(law, profile)
    return CellBoxes(law_cells(law, max(_CELLS, law.component_count)), profile)


def _in_own_space(law: LawArrays) -> LawArrays:
    """Return the law in the coordinates in which it varies.

    Leaving out others takes no distance from any b further than it is.
    """
    size, axes = np.linalg.eigh(law.moved(law.mean, 1.0).second_moment)
    wide = size > _FLAT**2 * size[-1]
    if wide.all():
        return law
    kept = axes[:, wide] if wide.any() else axes[:, -1:]
    cubes = [
        Cubes(part.probability, np.einsum("de,cdk->cek", kept, part.affine)) for part in law.cubes
    ]
    normals = [
        replace(part, mean=part.mean @ kept, factor=np.einsum("de,cdk->cek", kept, part.factor))
        for part in law.normals
    ]
    return LawArrays.of(cubes, normals, law.exact)


def _is_unimodal(law: LawArrays, centre: Array) -> bool:
    """Tell whether components make up parts symmetric about a centre that fall along rays."""
    size = float(np.sqrt(np.trace(law.second_moment))) or 1.0
    if any(np.abs(part.mean - centre).max() / size > 10.0**-_DIGITS for part in law.normals):
        return False
    for cubes in law.cubes:
        offsets = (cubes.affine[:, :, 0] - centre) / size
        if np.abs(offsets).max(initial=0.0) > 10.0**-_DIGITS:
            return False
        # Of each set of edges, whatever their signs and order, how likely each choice of signs is.
        parts: dict[tuple[float, ...], dict[tuple[float, ...], float]] = {}
        for probability, affine in zip(cubes.probability, cubes.affine, strict=True):
            edges = np.round(affine[:, 1:].T / size, _DIGITS) + 0.0
            signs = [_sign(edge) for edge in edges]
            turned = [
                (tuple((sign * edge + 0.0).tolist()), sign)
                for sign, edge in zip(signs, edges, strict=True)
            ]
            turned.sort()
            key = tuple(entry for edge, _ in turned for entry in edge)
            chosen = tuple(sign for _, sign in turned)
            known = parts.setdefault(key, {})
            known[chosen] = known.get(chosen, 0.0) + float(probability)
        for known in parts.values():
            shares = [
                known.get(signs, 0.0)
                for signs in product((1.0, -1.0), repeat=cubes.cube_dimension)
            ]
            if max(shares) - min(shares) > 10.0**-_DIGITS:
                return False
    return True


def _sign(edge: Array) -> float:
    """Return the sign of the first entry that is not 0."""
    entries = edge[edge != 0]
    return float(np.sign(entries[0])) if len(entries) else 1.0
