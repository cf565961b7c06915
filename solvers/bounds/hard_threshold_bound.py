"""What no SAE can beat under an l0 penalty, whatever its width, atoms, encoder and architecture.

At every x either no latent fires, and the error is ‖x - b‖², b = b_dec, or one does, and λ₀ is
paid. So no loss is below

    min_b E min(‖x - b‖², λ₀).

It is not convex in b. But where the law is a mixture of parts each of which is symmetric about one
common centre c and has a density that falls along every ray from there, b = c is the minimum: the
sets {‖x - b‖ ≤ r} are convex and symmetric about b, so their probability is largest at b = c
[Anderson1955, theorem 1], and E min(‖x - b‖², λ₀) is an integral of 1 - P(‖x - b‖ ≤ r) over r.
Parallelograms and segments that meet in c with all signs of their edges are such parts, together
uniform on a centred parallelogram or segment; on both data sets all components are. The diagonal
code attains the bound on the first data set, with thresholds √λ₀: x lies on its atoms. Of other
laws no such bound is known here, and 0 is returned.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.objective import Objective
from solvers.bounds.radial_bound import LowerBound, expectation_of_profile, lower_bound
from solvers.laws.arrays import LawArrays, law_arrays
from solvers.runtime.arguments import checked
from theory.laws.law import Law

Array = NDArray[np.float64]

# Digits to which edges, offsets and probabilities agree.
_DIGITS = 11
_EPSILON = 4 * float(np.finfo(float).eps)


@dataclass(frozen=True)
class HardThresholdProfile:
    """h(r) = min(r², λ₀)."""

    l0: float

    @property
    def kink(self) -> float:
        """√λ₀."""
        return float(np.sqrt(self.l0))

    def value(self, r: float) -> float:
        """Return h(r)."""
        return min(r * r, self.l0)

    def integral(self, r: float) -> float:
        """Return ∫_0^r h(t) t dt."""
        within = min(r, self.kink)
        return within**4 / 4 + self.l0 * (r * r - within * within) / 2


@checked
def hard_threshold_bound(law: Law, objective: Objective) -> LowerBound:
    """Return a lower bound on the loss of every SAE under an l0 penalty.

    Beside an l1 penalty the radial bound holds too, and the larger of the two is returned.

    Examples
    --------
    On the first data set it is λ₀ - (√2/3) λ₀^{3/2}:

    >>> from theory import load_law
    >>> bound = hard_threshold_bound(load_law("shared"), Objective(l1=0, l0=0.09))
    >>> round(bound.value, 12) == round(0.09 - 2**0.5 / 3 * 0.027, 12), bound.by
    (True, 'l0 bound')
    """
    arrays = law_arrays(law)
    radial = lower_bound(law, Objective(objective.l1), 1) if objective.l1 > 0 else None
    found = LowerBound(0.0, 0.0)
    if objective.l0 > 0 and arrays.exact and _is_unimodal(arrays, arrays.mean):
        profile = HardThresholdProfile(objective.l0)
        at_centre = expectation_of_profile(arrays, arrays.mean, profile)
        error = at_centre.error + 16 * _EPSILON * arrays.spread
        found = LowerBound(at_centre.value, error, "l0 bound")
    return radial if radial is not None and radial.value > found.value else found


def _is_unimodal(law: LawArrays, centre: Array) -> bool:
    """Tell whether components make up parts symmetric about a centre that fall along rays."""
    if not law.in_plane_cells:
        return False
    size = float(np.sqrt(np.trace(law.second_moment))) or 1.0
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
