"""E h(‖x - b‖), h(r) = min(r², λ₀ + h_λ(r)), bounded from below on boxes of b, in two ways.

`CellBoxes`, for every law, by its cells (`solvers.bounds.law_cells`; points are cells of radius
0). Both r² and B(r) = λ₀ + h_λ(r) are convex in x, so that over a cell with mean c that lies all
on one side of the kink κ the mean of h is at least its value at r = ‖c - b‖ (Jensen); if it may
lie across, h ≥ (r - ρ)₊² as long as r - ρ ≤ κ, ρ being its radius. Made to rise with r,

    h ≥ min(r, (κ - 2ρ)₊)²  for r < κ - ρ,    (r - ρ)₊²  for r < κ + ρ,    B(r)  beyond,

and on a box r is at least the distance of c from it. The cells that are within κ - ρ of all of a
box are taken together: Σ p_i ‖c_i - b‖² is the spread about their mean, and their probability
times the squared distance of that from b, so that boxes which no ball's boundary crosses lose
nothing. With λ > 0 those that are beyond κ + ρ of all of the box are convex in b too, and the
tangent of both at the middle of the box bounds them.

In many dimensions boxes are of little use, but then points are far apart: where a ball of radius κ
about b meets cell i, it meets none but those with ‖c_i - c_j‖ < 2κ + ρ_i + ρ_j, so that for every
b

    E h ≥ κ² (1 - max_i P(those j)),

with equality if the likeliest of points that are 2κ apart is b.

`CornerBoxes`, for points, segments and parallelograms. There the value at any b is known
(`solvers.bounds.profile_means`). With λ = 0, h = λ₀ - (λ₀ - r²)₊, and where x is within √λ₀ of a
box, (λ₀ - ‖x - b‖²)₊ + ‖b‖² is convex in b there, the larger of ‖b‖² and an affine function; else
it is 0. So E h - m ‖b‖² is concave on the box, m = P(x within √λ₀ of it), and not below the
multilinear interpolation of its corners' values. As ‖b‖² is below its own by Σ (s_j² - t_j²) at
distances t_j from the middle, s_j the half widths,

    E h ≥ min over corners - m Σ s_j²  on the box.

For λ > 0 the same holds with m = P + (1 - P) λ/(2κ), P the probability to be within κ of the box:
h - r² = -((r - λ/2)₊² - λ₀)₊ is concave in b, and so is λ r - λ/(2κ) r² for r ≥ κ.

The least is in the convex hull of the x, or of the cells' means, to which projecting b moves it
nearer to every one of them.
"""

from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from solvers.bounds.law_cells import LawCells
from solvers.bounds.profile_means import HardThresholdProfile, profile_means
from solvers.laws.arrays import Cubes, LawArrays

Array = NDArray[np.float64]

# Numbers held at once.
_LARGEST = 2 * 10**5
# Cells whose pairs are looked at, at most, and what rounding may make of a distance, relatively.
_MOST_PAIRED = 2**13
_ROUNDING = 1e-14
# How often b is moved to the mean of what is within κ, from each start, of the likeliest cells.
_STEPS, _STARTS = 8, 64


class CellBoxes:
    """By cells.

    Parameters
    ----------
    cells : LawCells
    profile : HardThresholdProfile

    Examples
    --------
    Half of the mass at 0, half at 10, λ₀ = 1: on a box about 0 nothing is lost.

    >>> from solvers.bounds.law_cells import LawCells
    >>> cells = LawCells(np.array([[0.0], [10.0]]), np.array([0.5, 0.5]), np.zeros(2))
    >>> boxes = CellBoxes(cells, HardThresholdProfile(1.0))
    >>> boxes.bounds(np.array([[0.0], [5.0]]), np.array([[0.25], [5.0]])).tolist()
    [0.5, 0.0]
    """

    def __init__(self, cells: LawCells, profile: HardThresholdProfile) -> None:
        self.cells, self.profile = cells, profile

    @property
    def box(self) -> tuple[Array, Array]:
        """The bounding box of the cells' means."""
        return self.cells.mean.min(axis=0), self.cells.mean.max(axis=0)

    @cached_property
    def floor(self) -> float:
        """κ² (P - max_i P(N_i)), N_i the cells that a ball of radius κ may meet beside i."""
        mean, radius = self.cells.mean, self.cells.radius
        if len(mean) > _MOST_PAIRED:
            return 0.0
        together = 0.0
        count = max(_LARGEST // len(mean), 1)
        for start in range(0, len(mean), count):
            apart = cdist(mean[start : start + count], mean)
            reach = 2 * self.profile.kink + radius[start : start + count, None] + radius
            # At 2κ exactly both are on the sphere, and cost κ² each.
            met = (apart < reach * (1 - _ROUNDING)) @ self.cells.probability
            together = max(together, float(met.max()))
        return self.profile.kink**2 * max(float(self.cells.probability.sum()) - together, 0.0)

    @property
    def cost(self) -> int:
        """For each coordinate of each cell some numbers."""
        return 8 * self.cells.mean.size

    def starts(self) -> Array:
        """Return the means of what is within κ of the likeliest cells, again and again."""
        likeliest = np.argsort(-self.cells.probability, kind="stable")[:_STARTS]
        b = np.vstack([self.cells.probability @ self.cells.mean, self.cells.mean[likeliest]])
        for _ in range(_STEPS):
            for row in b:
                near = np.linalg.norm(self.cells.mean - row, axis=1) <= self.profile.kink
                weight = self.cells.probability[near]
                if weight.sum() > 0:
                    row[:] = weight @ self.cells.mean[near] / weight.sum()
        return b

    def values(self, b: Array) -> Array:
        """Return the bound's own value at rows b."""
        return self.bounds(b, np.zeros_like(b))

    def bounds(self, middle: Array, half: Array) -> Array:
        """Return what E h is at least in boxes."""
        count = max(_LARGEST // self.cells.mean.size, 1)
        parts = [
            self._bounds(middle[start : start + count], half[start : start + count])
            for start in range(0, len(middle), count)
        ]
        return np.concatenate(parts)

    def _bounds(self, middle: Array, half: Array) -> Array:
        mean, probability, radius = self.cells.mean, self.cells.probability, self.cells.radius
        kink = self.profile.kink
        apart = np.abs(mean - middle[:, None])
        nearest = np.linalg.norm(np.maximum(apart - half[:, None], 0.0), axis=2)
        furthest = np.linalg.norm(apart + half[:, None], axis=2)
        inside = furthest <= kink - radius
        across = np.where(
            nearest >= kink - radius,
            np.maximum(nearest - radius, 0.0),
            np.minimum(nearest, np.maximum(kink - 2 * radius, 0.0)),
        )
        h = np.where(nearest >= kink + radius, self.profile(nearest), across**2)
        weight = inside * probability
        outside = (nearest >= kink + radius) * probability
        unsettled = (h * (probability - weight - outside)).sum(axis=1)
        nearby = self._spread(weight, apart, middle, half)
        bounds: Array = unsettled + (h * outside).sum(axis=1) + nearby
        if self.profile.l1 > 0:
            bounds = np.maximum(bounds, unsettled + self._tangent(weight, outside, middle, half))
        return bounds

    def _spread(self, weight: Array, apart: Array, middle: Array, half: Array) -> Array:
        """Return min over a box of Σ p_i ‖c_i - b‖² of the cells near all of it."""
        together = weight.sum(axis=1)
        some = np.where(together > 0, together, 1.0)
        # About the middle, so that nothing cancels.
        centre = (weight @ self.cells.mean) / some[:, None] - middle * (together > 0)[:, None]
        second = (weight * (apart**2).sum(axis=2)).sum(axis=1)
        spread = np.maximum(second - together * (centre**2).sum(axis=1), 0.0)
        beyond = np.maximum(np.abs(centre) - half, 0.0)
        least: Array = spread + together * (beyond**2).sum(axis=1)
        return least

    def _tangent(self, weight: Array, outside: Array, middle: Array, half: Array) -> Array:
        """Return a bound on Σ p_i h(‖c_i - b‖) of the cells that are settled, by its tangent."""
        away = middle[:, None] - self.cells.mean
        r = np.linalg.norm(away, axis=2)
        value = (weight * r**2 + outside * self.profile(r)).sum(axis=1)
        pull = 2 * weight + outside * self.profile.l1 / np.where(r > 0, r, 1.0)
        slope = np.abs(np.einsum("bn,bnd->bd", pull, away))
        least: Array = value - (slope * half).sum(axis=1)
        return least


class CornerBoxes:
    """By values at corners.

    Parameters
    ----------
    law : LawArrays
        Of points, segments and parallelograms.
    profile : HardThresholdProfile

    Examples
    --------
    >>> from solvers.laws.arrays import law_arrays
    >>> from theory import load_law
    >>> boxes = CornerBoxes(law_arrays(load_law("shared")), HardThresholdProfile(0.09))
    >>> found = boxes.bounds(np.zeros((1, 2)), np.full((1, 2), 1e-3)).item()
    >>> round(found, 4) == round(boxes.values(np.zeros((1, 2))).item(), 4)
    True
    """

    def __init__(self, law: LawArrays, profile: HardThresholdProfile) -> None:
        self.law, self.profile = law, profile
        ends = np.array(list(product((0.0, 1.0), repeat=law.dimension)))
        self._signs = 2 * ends - 1

    @cached_property
    def box(self) -> tuple[Array, Array]:
        """The bounding box of the law."""
        return support_box(self.law)

    @property
    def floor(self) -> float:
        """Nothing better than 0."""
        return 0.0

    @property
    def cost(self) -> int:
        """At each corner, some numbers for each edge of each component."""
        return len(self._signs) * self.law.component_count * 32

    def starts(self) -> Array:
        """Return the mean of the law and those of its components."""
        return np.vstack([self.law.mean, self.law.component_means[:_STARTS]])

    def values(self, b: Array) -> Array:
        """Return E h at rows b."""
        return self._values(b)[0]

    def bounds(self, middle: Array, half: Array) -> Array:
        """Return what E h is at least in boxes, rounding included."""
        corners = middle[:, None] + self._signs * half[:, None]
        value, error = self._values(corners.reshape(-1, self.law.dimension))
        least = (value - error).reshape(len(middle), -1).min(axis=1)
        bounds: Array = least - self._bend(middle, half) * (half**2).sum(axis=1)
        return bounds

    def _values(self, b: Array) -> tuple[Array, Array]:
        count = max(_LARGEST // (32 * self.law.component_count), 1)
        parts = [
            profile_means(self.law, b[start : start + count], self.profile)
            for start in range(0, len(b), count)
        ]
        value, error = (np.concatenate(part) for part in zip(*parts, strict=True))
        return value, error

    def _bend(self, middle: Array, half: Array) -> Array:
        """Return at least m."""
        within = self.profile.kink + np.linalg.norm(half, axis=1)
        total = np.zeros(len(middle))
        for cubes in self.law.groups:
            total += _share_near(cubes, middle, within) @ cubes.probability
        near: Array = np.minimum(total, 1.0)
        return near + (1 - near) * self.profile.l1 / (2 * self.profile.kink)


def support_box(law: LawArrays) -> tuple[Array, Array]:
    """Return the lowest and highest corner of a law's bounding box."""
    lowest = [part.affine[:, :, 0] + np.minimum(part.affine[:, :, 1:], 0).sum(axis=2)
              for part in law.groups]  # fmt: skip
    highest = [part.affine[:, :, 0] + np.maximum(part.affine[:, :, 1:], 0).sum(axis=2)
               for part in law.groups]  # fmt: skip
    return np.concatenate(lowest).min(axis=0), np.concatenate(highest).max(axis=0)


def _share_near(cubes: Cubes, middle: Array, within: Array) -> Array:
    """Return at least P(‖x - middle‖ ≤ within) of each component, by the sizes of both."""
    k = cubes.cube_dimension
    edges = cubes.affine[:, :, 1:]
    away = cubes.affine[:, :, 0] + edges.sum(axis=2) / 2 - middle[:, None]
    reach = np.linalg.norm(edges, axis=1).sum(axis=1) / 2
    met = np.linalg.norm(away, axis=2) <= within[:, None] + reach
    if k == 0:
        points: Array = met.astype(np.float64)
        return points
    if k == 1:
        size, ball = 2 * reach, 2 * within
    else:
        gram = np.swapaxes(edges, 1, 2) @ edges
        size = np.sqrt(np.maximum(np.linalg.det(gram), 0.0))
        ball = np.pi * within**2
    share = np.where(size > 0, ball[:, None] / np.where(size > 0, size, 1.0), 1.0)
    return np.where(met, np.minimum(share, 1.0), 0.0)
