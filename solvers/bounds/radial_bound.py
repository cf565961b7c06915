"""The radial lower bound in numbers.

For ‖d_i‖ ≤ 1 no SAE of any width or encoder has squared loss plus λ Σ f_i below

    min_b E h_λ(‖x - b‖),    h_λ(r) = λ r - λ²/4 if r ≥ λ/2, else r²

(proved in `theory.losses.radial_bound`). On a parallelogram the plane integral of a function of
the distance ρ from the foot of b is a sum over the edges E at signed distance p_E,

    ∫_P g(ρ) dA = Σ_E p_E ∫_E F(ρ)/ρ² ds,    F(ρ) = ∫_0^ρ g(t) t dt,

the divergence theorem for y F(|y|)/|y|². What is left are integrals along segments, taken by
`scipy.integrate.quad`, whose error estimates are added up and reported. Laws with cubes of more
dimensions go to `midpoint_bound`.
"""

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, optimize

from solvers.autoencoders.objective import Objective
from solvers.bounds.midpoint_bound import midpoint_bound
from solvers.bounds.profile_means import (
    HardThresholdProfile,
    has_thin_parallelogram,
    profile_means,
)
from solvers.laws.arrays import LawArrays, law_arrays
from solvers.losses.parameters import LossOfVector, ScaledProblem
from solvers.runtime.arguments import checked
from theory.laws.law import Law
from theory.losses.radial_bound import is_symmetric

Array = NDArray[np.float64]

# For decoders of free norm: how close, relatively, the bound is driven to what it could be,
# and after how many halvings that is given up.
_NORM_ACCURACY = 0.03
_HALVINGS = 60
# A parallelogram whose width over its length is below this is averaged edge by edge, since
# its edges' shares would cancel.
_NARROW = 1e-4
# More segments and parallelograms than this are averaged by the midpoint rule, which is fast.
_MOST_PARTS = 64
# A mean that is smaller, relative to the law's spread, is 0.
_CENTRED = 1e-9
_EPSILON = 4 * float(np.finfo(float).eps)


@dataclass(frozen=True)
class LowerBound:
    """A number no loss can be below, and the error estimate of its quadrature or search for b_dec.

    Parameters
    ----------
    value, error : float
        The bound holds up to `error`.
    by : str
        What proves it; "trivial" for 0.
    """

    value: float
    error: float
    by: str = "trivial"


class Profile(Protocol):
    """A convex loss of the distance r, h(r), with one change of formula at r = kink."""

    @property
    def kink(self) -> float:
        """Where the formula changes."""

    def value(self, r: float) -> float:
        """Return h(r)."""

    def integral(self, r: float) -> float:
        """Return ∫_0^r h(t) t dt."""


@dataclass(frozen=True)
class SquaredProfile:
    """h(r) = min_t (r - t)² + λ t = λ r - λ²/4, or r² below λ/2."""

    l1: float

    @property
    def kink(self) -> float:
        """λ/2."""
        return self.l1 / 2

    def value(self, r: float) -> float:
        """Return h(r)."""
        return self.l1 * r - self.l1 * self.l1 / 4 if r >= self.kink else r * r

    def integral(self, r: float) -> float:
        """Return ∫_0^r h(t) t dt."""
        kink = self.kink
        if r <= kink:
            return r**4 / 4
        beyond = self.l1 * (r**3 - kink**3) / 3 - self.l1**2 * (r * r - kink * kink) / 8
        return kink**4 / 4 + beyond


@dataclass(frozen=True)
class RelativeProfile:
    """h(r) = min_t (r - t)²/r² + λ t = λ r - λ² r²/4, or 1 beyond 2/λ."""

    l1: float

    @property
    def kink(self) -> float:
        """2/λ."""
        return 2 / self.l1

    def value(self, r: float) -> float:
        """Return h(r)."""
        return self.l1 * r - self.l1**2 * r * r / 4 if r <= self.kink else 1.0

    def integral(self, r: float) -> float:
        """Return ∫_0^r h(t) t dt."""
        within = min(r, self.kink)
        inside = self.l1 * within**3 / 3 - self.l1**2 * within**4 / 16
        return inside + (r * r - within * within) / 2


@checked
def lower_bound(law: Law, objective: Objective, n_latents: int) -> LowerBound:
    """Return a lower bound on the loss of every SAE of a width under an objective.

    With unit atoms, or a decoder-norm penalty, the radial bound, plus μ n for the norm of n
    unit atoms. With free atoms and a plain l1 penalty, let S be the largest ‖d_i‖: the radial
    bound at λ/S plus μ S² is a bound, and the least of it over S is returned, up to three
    per cent on the low side. For the relative reconstruction the same argument gives

        min_t (‖x - b‖ - t)₊²/‖x‖² + λ t,

    averaged; its mean over a symmetric law is least at b = 0. Of the relative loss 0 is returned
    for other laws, and for those with cubes of three dimensions or more. Of the squared loss
    these, and laws of many segments, have the radial bound from below, by the midpoint rule.

    Examples
    --------
    At λ = 0.1 on the first data set it is λ/√2 - λ²/4 + √2 λ³/48:

    >>> from theory import load_law
    >>> bound = lower_bound(load_law("shared"), Objective(l1=0.1), 4)
    >>> round(bound.value, 12)
    0.068240140901
    """
    if objective.weight_decay == 0 and objective.has_minimum:
        # Neither the width nor what the atoms' norms are matters then.
        objective, n_latents = Objective(objective.l1, objective.reconstruction), 1
    return _kept_bound(law, objective, n_latents)


@lru_cache(maxsize=256)
def _kept_bound(law: Law, objective: Objective, n_latents: int) -> LowerBound:
    problem = ScaledProblem.of(law_arrays(law), objective, n_latents)
    arrays = law_arrays(law)
    # What is symmetric has mean 0; to compare thousands of components exactly takes long.
    centred = float(np.abs(arrays.mean).max()) <= _CENTRED * math.sqrt(arrays.spread)
    bound = _scaled_bound(problem.loss, centred and is_symmetric(law))
    # What rounding may have done to this and to the loss that it is compared with.
    rounding = 16 * _EPSILON * arrays.dimension
    return LowerBound(
        bound.value * problem.loss_unit,
        (bound.error + rounding) * problem.loss_unit,
        _name(arrays) if bound.value > 0 else "trivial",
    )


def _name(law: LawArrays) -> str:
    points = not law.normals and law.cubes[-1].cube_dimension == 0
    midpoints = _by_midpoints(law) and not points
    return "radial bound, from below by the midpoint rule" if midpoints else "radial bound"


def _by_midpoints(law: LawArrays) -> bool:
    """Whether a law has points only, of which the middles are exact, or more than is integrated.

    That is normals, solid cubes, or many parts.
    """
    if law.normals:
        return True
    dimensions = [cubes.cube_dimension for cubes in law.cubes]
    parts = sum(len(cubes.probability) for cubes in law.cubes if cubes.cube_dimension)
    return dimensions[-1] == 0 or dimensions[-1] > 2 or parts > _MOST_PARTS


def _is_solid(law: LawArrays) -> bool:
    """Whether some component has a cube of more than two dimensions, or is normal."""
    return not law.in_plane_cells


def _scaled_bound(loss: LossOfVector, symmetric: bool) -> LowerBound:
    law, objective = loss.law, loss.objective
    mu = objective.weight_decay
    relative = objective.reconstruction == "relative"
    if objective.l1 == 0 or (relative and (not symmetric or _is_solid(law))):
        return LowerBound(0.0, 0.0)
    if objective.decoder == "free" and objective.sparsity == "l1":
        if mu == 0:
            return LowerBound(0.0, 0.0)
        # Beyond the largest S the decay alone costs more than reconstructing nothing.
        nothing = 1.0 if relative else law.spread
        bound = _least_over_norms(law, objective, symmetric, math.sqrt(nothing / mu))
        return LowerBound(min(bound.value, nothing), bound.error)
    bound = _radial(law, objective, symmetric, 1.0)
    atoms = loss.n_latents * mu if objective.decoder == "unit" else 0.0
    return LowerBound(bound.value + atoms, bound.error)


def _radial(law: LawArrays, objective: Objective, symmetric: bool, norm: float) -> LowerBound:
    """Return the radial bound for atoms of at most a norm: λ is λ/norm then."""
    if objective.reconstruction == "relative":
        return expectation_of_profile(
            law, np.zeros(law.dimension), RelativeProfile(objective.l1 / norm)
        )
    if _by_midpoints(law):
        return LowerBound(*midpoint_bound(law, objective.l1 / norm, symmetric))
    return _least_over_b_dec(law, SquaredProfile(objective.l1 / norm), symmetric)


def _least_over_norms(
    law: LawArrays, objective: Objective, symmetric: bool, largest: float
) -> LowerBound:
    """Return a lower bound on radial(λ/S) + μ S² over S ≤ `largest`, by bisection.

    The radial part falls with S and the decay grows, so on [low, high] the sum is at least
    radial(λ/high) + μ low². The interval with the least such bound is halved until nothing
    is gained.
    """
    mu = objective.weight_decay
    if largest == 0:
        return LowerBound(0.0, 0.0)
    radial = _radial(law, objective, symmetric, largest)
    intervals = [(radial.value, 0.0, largest, radial)]
    for _ in range(_HALVINGS):
        value, low, high, at_high = intervals[0]
        if mu * (high**2 - low**2) <= _NORM_ACCURACY * value:
            break
        middle = (low + high) / 2
        at_middle = _radial(law, objective, symmetric, middle)
        heapq.heapreplace(intervals, (at_middle.value + mu * low**2, low, middle, at_middle))
        heapq.heappush(intervals, (at_high.value + mu * middle**2, middle, high, at_high))
    value, *_, radial = intervals[0]
    return LowerBound(value, radial.error)


def _least_over_b_dec(law: LawArrays, profile: Profile, symmetric: bool) -> LowerBound:
    """Return min_b E h(‖x - b‖), a convex problem in b."""
    if symmetric:
        return expectation_of_profile(law, np.zeros(law.dimension), profile)

    closed = isinstance(profile, SquaredProfile) and not has_thin_parallelogram(law)

    def value(b: Array) -> float:
        if closed:
            return float(
                profile_means(law, b[None], HardThresholdProfile(0.0, 2 * profile.kink))[0].item()
            )
        return expectation_of_profile(law, b, profile).value

    found = optimize.minimize(
        value, law.mean, jac="3-point", method="BFGS", options={"gtol": 1e-9}
    )
    at = expectation_of_profile(law, found.x, profile)
    # By convexity the minimum is at most |gradient| · distance lower, and it lies within the
    # law's convex hull, whose diameter is at most twice the largest norm in it.
    slack = float(np.linalg.norm(found.jac)) * 2.0 * _largest_norm(law)
    return LowerBound(max(float(at.value - slack), 0.0), float(at.error + slack))


def _largest_norm(law: LawArrays) -> float:
    largest_entry = max(float(np.abs(cubes.affine).sum(axis=2).max()) for cubes in law.groups)
    return largest_entry * math.sqrt(law.dimension)


def expectation_of_profile(law: LawArrays, b: Array, profile: Profile) -> LowerBound:
    """Return E h(‖x - b‖) and its quadrature error, on cubes of at most two dimensions."""
    total, error = 0.0, 0.0
    for cubes in law.groups:
        mean_h = (_at_point, _on_segment, _on_parallelogram)[cubes.cube_dimension]
        for probability, affine in zip(cubes.probability, cubes.affine, strict=True):
            value, uncertainty = mean_h(affine[:, 0] - b, affine[:, 1:], profile)
            total += probability * value
            error += probability * uncertainty
    return LowerBound(float(total), float(error))


def _at_point(offset: Array, _: Array, profile: Profile) -> tuple[float, float]:
    return profile.value(float(np.linalg.norm(offset))), 0.0


def _on_segment(offset: Array, matrix: Array, profile: Profile) -> tuple[float, float]:
    length = float(np.linalg.norm(matrix))
    if length == 0:
        return _at_point(offset, matrix, profile)
    start = float(offset @ matrix[:, 0]) / length
    height = np.sqrt(max(float(offset @ offset) - start * start, 0.0))
    value, error = _along(
        lambda s: profile.value(float(np.hypot(s, height))), start, length, height, profile
    )
    return value / length, error / length


def _on_parallelogram(offset: Array, matrix: Array, profile: Profile) -> tuple[float, float]:
    sizes = np.linalg.svd(matrix, compute_uv=False)
    if len(sizes) < 2 or sizes[1] <= _NARROW * sizes[0]:
        return _on_narrow_parallelogram(offset, matrix, profile)
    area = float(sizes[0] * sizes[1])
    basis, _ = np.linalg.qr(matrix)
    edges = basis.T @ matrix
    origin = basis.T @ offset
    height = float(np.linalg.norm(offset - basis @ origin))
    corners = [
        origin,
        origin + edges[:, 0],
        origin + edges[:, 0] + edges[:, 1],
        origin + edges[:, 1],
    ]
    at_foot = profile.integral(height)

    total, error = 0.0, 0.0
    for corner, following in zip(corners, [*corners[1:], corners[0]], strict=True):
        along = following - corner
        length = float(np.linalg.norm(along))
        distance = float(corner[0] * along[1] - corner[1] * along[0]) / length
        if distance == 0:
            continue

        def integrand(s: float, distance: float = distance) -> float:
            squared = s * s + distance * distance
            inner = profile.integral(float(np.sqrt(height * height + squared))) - at_foot
            return inner / squared

        closest = float(np.hypot(height, distance))
        start = float(corner @ along) / length
        value, uncertainty = _along(integrand, start, length, closest, profile)
        total += distance * value
        # The edges' shares cancel down to the area, so their rounding counts too.
        error += abs(distance) * (uncertainty + _EPSILON * abs(value))
    return abs(total) / area, error / area


def _on_narrow_parallelogram(
    offset: Array, matrix: Array, profile: Profile
) -> tuple[float, float]:
    """Return the average over one edge of the average over the other."""
    inner_error = 0.0

    def across(t: float) -> float:
        nonlocal inner_error
        value, error = _on_segment(offset + t * matrix[:, 1], matrix[:, :1], profile)
        inner_error = max(inner_error, error)
        return value

    value, error, *_ = integrate.quad(
        across, 0.0, 1.0, epsabs=1e-12, epsrel=1e-12, limit=200, full_output=1
    )
    return value, error + inner_error


def _along(
    integrand: Callable[[float], float],
    start: float,
    length: float,
    closest: float,
    profile: Profile,
) -> tuple[float, float]:
    """Return ∫ integrand ds from `start` over `length`, split where h changes its formula."""
    end = start + length
    reach = np.sqrt(max(profile.kink * profile.kink - closest * closest, 0.0))
    inside = sorted(s for s in {-reach, 0.0, reach} if start < s < end)
    ends = [start, *inside, end]
    pieces = [
        integrate.quad(integrand, low, high, epsabs=1e-14, epsrel=1e-13, limit=200, full_output=1)
        for low, high in pairwise(ends)
    ]
    return sum(piece[0] for piece in pieces), sum(piece[1] for piece in pieces)
