r"""The best-activation loss in the plane where latents are counted: l0 penalties, TopK with k = 1.

With unit atoms e_i about b and κ = λ/2, the least over f ≥ 0 of

    ‖x - Σ f_i e_i‖² + λ Σ f_i + λ₀ #{f_i > 0}

is ‖x‖² - max over sets S of (dist²(x, Q_S) - λ₀ |S|), Q_S = {y : e_i·y ≤ κ for i in S}, as in
`solvers.bounds.sector_losses`. *Again only the two neighbours of x count.* With one latent the
gain is (x·e_i - κ)₊² - λ₀, largest for the nearest atom, which is a neighbour. With more of them
dist²(x, Q_S) ≤ dist²(x, Q), Q that of all atoms: where one neighbour is active in Q's nearest
point it has that gain alone, and pays once; where both are, they have it together, and pay twice,
no more than |S|. They are where z = x - y* is in their cone, which needs a sector of width 2h < π.
So in the sector of α and β, with y* as there and κ = 0, y* = 0 for a mere l0 penalty,

    gain = max(0, A, B, C),    A = (z·e_α)² - λ₀ where z·e_α ≥ √λ₀,    B likewise,
                               C = ‖z‖² - 2λ₀ for z in the cone.

For TopK with k = 1 there is no C.

*The borders.* With n_α the normal of e_α towards β, C ≥ A where z·n_α ≥ √λ₀. If 2h ≤ π/2 then C >
0 wherever C ≥ A and C ≥ B, and A = B on the bisector; all borders are lines. In wider sectors
those two regions are kept apart by the wedge between α + π/4 and β - π/4 from y*, on which the
gain is (‖z‖² - 2λ₀)₊, whose border is a circle. So with ℓ the bisector, or the ray from y* at π/4
to the atom if that is nearer, which A and C end at,

    right(α) = E A on α's side x·n_α ≥ 0,
    corner(α, β) = -E A beyond ℓ + E ((z·n_α)² - λ₀) where z·n_α ≥ √λ₀, before ℓ,
    and the same for β, + E (‖z‖² - 2λ₀)₊ on the wedge,

for what A counts twice beyond its border with C but before ℓ, where C - A = (z·n_α)² - λ₀, is made
good by the second term. Without C only the first is left, ℓ being the bisector; for 2h ≥ π there
is no corner. λ₀ = 0 gives the sums of `sector_losses` again.

*Boxes of dictionaries.* D' ⊇ D offers every choice that D does: F(D') ≤ F(D), and D' is a
dictionary. In a cell, where every direction is an atom, one latent does: the gain is ((‖x‖ - κ)₊²
- λ₀)₊, and ‖x‖ ≤ x·m/cos(w/2) bounds it as before. F jumps where a sector's width reaches π, by
what C gains there, if κ = 0; the bound is that of the smaller side. In b the loss is not convex,
so there are no tilts.

Expectations of quadratics on two half-planes are exact for every law, those on the wedge for
points, segments and parallelograms (`solvers.bounds.wedge_excess`).
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from solvers.bounds.sector_losses import WIDENING, SectorLosses, level_lines
from solvers.bounds.wedge_excess import wedge_excess

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HardSectorLosses(SectorLosses):
    """The parts of F for a law in the plane, where every latent that fires is charged.

    Parameters
    ----------
    law, l1, centre
        As for `SectorLosses`, λ ≥ 0.
    l0 : float ≥ 0
        λ₀.
    pairs : bool
        Whether two latents may fire at once; False for TopK with k = 1.

    Examples
    --------
    All mass at (2, 2), λ₀ = 1: one atom along it, or two along the axes, which pay twice.

    >>> from theory.laws.law import Component, Law
    >>> import sympy
    >>> from solvers.laws.arrays import law_arrays
    >>> point = Component(sympy.Integer(1), sympy.zeros(2, 0), sympy.ImmutableMatrix([2, 2]))
    >>> law = law_arrays(Law((point,)))
    >>> angles = np.array([[np.pi / 4, np.pi], [0, np.pi / 2]])
    >>> HardSectorLosses(law, 0.0, l0=1.0).dictionaries(angles).round(12).tolist()
    [[1.0, 2.0]]
    >>> HardSectorLosses(law, 0.0, pairs=False).dictionaries(angles).round(12).tolist()
    [[0.0, 4.0]]
    """

    l0: float = 0.0
    pairs: bool = True

    @cached_property
    def rounding(self) -> float:
        """What rounding may do to an expectation; there are twice as many as in the parent."""
        return 4.0 * super().rounding + 64 * float(np.finfo(float).eps) * self.l0

    @property
    def _level(self) -> float:
        """Where an atom begins to gain: κ + √λ₀."""
        return self.l1 / 2 + math.sqrt(self.l0)

    def half_planes(self, angles: Array) -> Array:
        """Return E A without neighbours, right and left together."""
        return self._single(angles, None)

    def sides(self, angles: Array, turn: int) -> Array:
        """Return `right` (turn = 1: beyond the atom in angle) or `left` (turn = -1)."""
        return self._single(angles, _beyond_ray(np.zeros((len(angles), 2)), angles, turn))

    def cells(self, low: Array, high: Array) -> Array:
        """Return upper bounds on the gain of all x in cells, narrower than π, of atoms."""
        low, high = low - WIDENING, high + WIDENING
        middle, half = (low + high) / 2, (high - low) / 2
        level = level_lines(middle, self._level * np.cos(half))
        lengths = level_lines(middle, self.l1 / 2 * np.cos(half)) / np.cos(half)[:, None]
        inside, outside = (
            np.stack([level, _beyond_ray(np.zeros((len(angle), 2)), angle, 1)], axis=1)
            for angle in (low, high)
        )
        quadratic = self._charged(lengths)
        gain = self._expectations(inside, quadratic) - self._expectations(outside, quadratic)
        return np.maximum(gain, 0.0)

    def corners(self, first: Array, second: Array) -> Array:
        """Return corner(α, β) of neighbours at angles α = first ≤ β = second."""
        gain = np.zeros((1, len(first)))
        half = (second - first) / 2
        offset = np.full(len(first), math.inf)
        below = half < math.pi / 2
        offset[below] = self.l1 / 2 * np.tan(half[below]) if self.pairs else 0.0
        # Beyond the law's reach the cone is empty.
        near = offset <= self.reach
        wide = half > math.pi / 4 if self.pairs else np.zeros_like(near)
        for (chosen,), corners in (
            (np.nonzero(near & ~wide), self._narrow),
            (np.nonzero(near & wide), self._wide),
        ):
            if len(chosen):
                gain[:, chosen] = corners(first[chosen], second[chosen])
        return gain

    def _narrow(self, first: Array, second: Array) -> Array:
        """Return corners whose sides meet at the bisector."""
        vertex = self._vertex(first, second)
        # One line serves both, so that what lies on it counts for one.
        before = _beyond_ray(vertex, (first + second) / 2, -1)
        total = self._single(first, before) - self._at_each(first) - self._single(second, before)
        if self.pairs:
            total += self._made_good(first, 1, vertex, before)
            total += self._made_good(second, -1, vertex, None)
            total -= self._made_good(second, -1, vertex, before)
        return total

    def _wide(self, first: Array, second: Array) -> Array:
        """Return corners whose sides a wedge keeps apart."""
        vertex = self._vertex(first, second)
        total, sides = np.zeros((1, len(first))), []
        for angles, turn in ((first, 1), (second, -1)):
            before = _beyond_ray(vertex, angles + turn * math.pi / 4, -turn)
            total += self._single(angles, before) - self._at_each(angles)
            total += self._made_good(angles, turn, vertex, before)
            sides.append(before)
        for cubes in self._moved:
            total += wedge_excess(cubes, vertex, np.stack(sides, axis=1), 2 * self.l0)
        return total

    def _vertex(self, first: Array, second: Array) -> Array:
        """Return y*; or 0, which the bisector passes too."""
        half, middle = (second - first) / 2, (first + second) / 2
        distance = self.l1 / 2 / np.cos(half) * self.pairs
        vertex: Array = distance[:, None] * np.stack([np.cos(middle), np.sin(middle)], axis=1)
        return vertex

    def _at_each(self, angles: Array) -> Array:
        """Return E A everywhere, once for each distinct angle."""
        distinct, where = np.unique(angles, return_inverse=True)
        return self._single(distinct, None)[:, where]

    def _single(self, angles: Array, side: Array | None) -> Array:
        """Return E A on one side of a line, or everywhere."""
        level = level_lines(angles, self._level)
        lines = np.stack([level, level if side is None else side], axis=1)
        return self._expectations(lines, self._charged(level_lines(angles, self.l1 / 2)))

    def _made_good(self, angles: Array, turn: int, vertex: Array, side: Array | None) -> Array:
        """Return E ((z·n)² - λ₀) where z·n ≥ √λ₀, on one side of a line, or everywhere."""
        along = _beyond_ray(vertex, angles, turn)
        level = along - math.sqrt(self.l0) * np.eye(1, 3)
        lines = np.stack([level, level if side is None else side], axis=1)
        return self._expectations(lines, self._charged(along))

    def _charged(self, rows: Array) -> Array:
        """Return the quadratics s² - λ₀, (P, 1, 3, 3), of affine s."""
        squares = rows[:, :, None] * rows[:, None, :]
        squares[:, 0, 0] -= self.l0
        return squares[:, None]


def _beyond_ray(vertex: Array, angles: Array, turn: int) -> Array:
    """Return turn · (x - vertex)·n, n the normal of a ray in the sense of angle, on (1, x)."""
    normal = turn * np.stack([-np.sin(angles), np.cos(angles)], axis=1)
    return np.hstack([-(vertex * normal).sum(axis=1, keepdims=True), normal])
