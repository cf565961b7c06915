r"""The best-activation loss in the plane as a sum over the sectors between neighbouring atoms.

With unit atoms e_i = (cos α_i, sin α_i), κ = λ/2 and Q = {y : e_i·y ≤ κ for all i},

    min_{f ≥ 0} ‖x - Σ f_i e_i‖² + λ Σ f_i = ‖x‖² - dist²(x, Q)         (projection duality).

*Only the two neighbours count.* Let α, β be neighbours and x in the sector between them, of
width 2h. An atom outside is at least as far in angle from any y of the sector as α is, or as β
is, so that its constraint at y follows from theirs. The nearest point of Q_{α,β} is in the sector:

    x itself,               where x·e_α ≤ κ and x·e_β ≤ κ;
    x - (x·e_α - κ) e_α,    where x·e_α ≥ κ, 0 ≤ x·e_α^⊥ ≤ t = κ tan h    (mirrored at β);
    y* = (t, κ) in the axes (e_α^⊥, e_α),    where x - y* is in cone(e_α, e_β);

for 2h ≥ π there is no y*, t = ∞. Hence the gain dist² is a sum over neighbours,

    F(D) = E‖x‖² - Σ_i g(α_i, α_{i+1}),    g(α, β) = right(α) + left(β) + corner(α, β),

right and left being E (x·e - κ)₊² on the two sides of the atom, and

    corner = E ‖x - y*‖² on the cone - E (x·e_α - κ)₊² beyond t - E (x·e_β - κ)₊² beyond t.

*Boxes of dictionaries.* Let every atom lie in one of some cells, intervals of angle, and let D'
hold all directions in those that are occupied. D' contains D, so its Q' is the smaller and F(D')
≤ F(D). The same sum gives F(D'): a gap between occupied cells [a-, a+] and [b-, b+] contributes
g(a+, b-), and a cell, where Q' is the disc, E (‖x‖ - κ)₊². That is bounded from above by
‖x‖ ≤ x·m / cos(w/2), m the cell's middle and w its width, an error of third order in w.

*Off centre.* For a fixed Q', F(D', b) = E φ(x - b) is convex in b with φ' = 2 P_Q', so

    F(D, b + c) ≥ F(D', b) - 2 c·E P_Q'(x - b)    for every c;

x - P_Q' is (x·e - κ) e, x - y* or (‖x‖ - κ) x/‖x‖, so a *tilt* c only turns each squared
length ‖z‖² above into ‖z‖² - 2 c·z, and E‖x - b‖² into E‖x - b‖² - 2 c·E(x - b). Every result
has one row for each of the `tilts`.

Every expectation is of a quadratic on two half-planes, hence exact
(`solvers.laws.half_space_moments`). A boundary with positive mass, such as a ray of the law, does
no harm: across the boundaries within a sector the gain is continuous, each region is closed where
its neighbour is open, and cells are widened by more than rounding, so that their edges may count
twice but are never lost.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from solvers.laws.arrays import Cubes, LawArrays
from solvers.laws.half_space_moments import pair_moments

Array = NDArray[np.float64]

# Neighbours closer than this are one atom, and cells are widened by this: far above rounding,
# far below any cell.
_COINCIDENT = 1e-12
WIDENING = 1e-10
_AT_ONCE = 2**13
# Rounding of one expectation in units of machine epsilon times the largest quadratic; a
# moment is good to a few, six of them count, and lines are rounded too.
_ROUNDING = 64 * float(np.finfo(float).eps)


@dataclass(frozen=True, eq=False)
class SectorLosses:
    """The parts of F for a law in the plane.

    Parameters
    ----------
    law : LawArrays
        Of dimension 2.
    l1 : float > 0
        λ.
    centre : pair of float
        b.
    tilts : tuple of pairs of float
        Values of c; by default the one tilt 0, for F(D, b) itself.

    Examples
    --------
    All mass at (2, 0), λ = 2: an atom along it gains (2 - 1)², at 60° it gains nothing.

    >>> from theory.laws.law import Component, Law
    >>> import sympy
    >>> from solvers.laws.arrays import law_arrays
    >>> point = Component(sympy.Integer(1), sympy.zeros(2, 0), sympy.ImmutableMatrix([2, 0]))
    >>> losses = SectorLosses(law_arrays(Law((point,))), l1=2.0)
    >>> losses.dictionaries(np.array([[0.0], [np.pi / 3]])).round(12).tolist()
    [[3.0, 4.0]]
    """

    law: LawArrays
    l1: float
    centre: tuple[float, float] = (0.0, 0.0)
    tilts: tuple[tuple[float, float], ...] = ((0.0, 0.0),)

    @cached_property
    def _moved(self) -> tuple[Cubes, ...]:
        """The law of x - b."""
        groups = []
        for cubes in self.law.groups:
            affine = cubes.affine.copy()
            affine[:, :, 0] -= self.centre
            groups.append(Cubes(cubes.probability, affine))
        return tuple(groups)

    @cached_property
    def reach(self) -> float:
        """No ‖x - b‖ is larger."""
        return max(
            float(np.linalg.norm(cubes.affine, axis=1).sum(axis=1).max()) for cubes in self._moved
        )

    @cached_property
    def rounding(self) -> float:
        """What rounding may do to one expectation."""
        largest = 2 * self.reach + self.l1 / 2 + max(math.hypot(*tilt) for tilt in self.tilts)
        return _ROUNDING * largest**2

    @cached_property
    def without_atoms(self) -> Array:
        """F of no atom, (T,): E‖x - b‖² - 2 c·E(x - b)."""
        everywhere = np.array([[[1.0, 0.0, 0.0]] * 2])
        at_origin: Array = self._expectations(everywhere, self._about(np.zeros((1, 2))))[:, 0]
        return at_origin

    def dictionaries(self, angles: Array) -> Array:
        """Return F of dictionaries of unit atoms, (B, n) angles in any order, as (T, B).

        Neighbours within 1e-12 of each other are taken for one.
        """
        ordered = np.sort(np.mod(angles, 2 * math.pi), axis=1)
        following = np.roll(ordered, -1, axis=1)
        following[:, -1] += 2 * math.pi
        alone = self.half_planes(ordered.ravel())
        shared = self.corners(ordered.ravel(), following.ravel())
        one = (following - ordered).ravel() < _COINCIDENT
        gains = (alone + np.where(one, -alone, shared)).reshape(-1, *ordered.shape)
        losses: Array = self.without_atoms[:, None] - gains.sum(axis=2)
        return losses

    def half_planes(self, angles: Array) -> Array:
        """Return the gain of an atom without neighbours, right and left together."""
        level = level_lines(angles, self.l1 / 2)
        return self._expectations(np.stack([level, level], axis=1), self._strip(angles, level))

    def sides(self, angles: Array, turn: int) -> Array:
        """Return `right` (turn = 1: beyond the atom in angle) or `left` (turn = -1)."""
        return self._beyond(angles, np.zeros_like(angles), turn)

    def corners(self, first: Array, second: Array) -> Array:
        """Return corner(α, β) of neighbours at angles α = first ≤ β = second."""
        gain = np.zeros((len(self.tilts), len(first)))
        half = (second - first) / 2
        offset = np.full(len(first), math.inf)
        below = half < math.pi / 2
        offset[below] = self.l1 / 2 * np.tan(half[below])
        # Beyond the law's reach the cone and what lies beyond t are empty.
        near = offset <= self.reach
        first, second, half, offset = first[near], second[near], half[near], offset[near]
        lines = np.stack([_side_lines(first, offset, 1), _side_lines(second, offset, -1)], axis=1)
        middle = (first + second) / 2
        distance = self.l1 / 2 / np.cos(half)
        vertex = distance[:, None] * np.stack([np.cos(middle), np.sin(middle)], axis=1)
        gain[:, near] = (
            self._expectations(lines, self._about(vertex))
            - self._beyond(first, offset, 1)
            - self._beyond(second, offset, -1)
        )
        return gain

    def cells(self, low: Array, high: Array) -> Array:
        """Return upper bounds on the gain of all x in cells, narrower than π, of atoms."""
        low, high = low - WIDENING, high + WIDENING
        middle, half = (low + high) / 2, (high - low) / 2
        level = level_lines(middle, self.l1 / 2 * np.cos(half))
        lengths = level / np.cos(half)[:, None]
        # -2 c·e (‖x‖ - κ) is at most this for every direction e in the cell.
        tilts = np.array(self.tilts)
        against = np.arctan2(-tilts[:, 1], -tilts[:, 0])
        apart = np.abs(np.mod(middle[:, None] - against + math.pi, 2 * math.pi) - math.pi)
        cosine = np.cos(np.maximum(apart - half[:, None], 0.0))
        slope = np.hypot(tilts[:, 0], tilts[:, 1]) * np.maximum(cosine, 0.0)
        quadratic = _tilted(lengths, -slope)
        inside, outside = (
            np.stack([level, _side_lines(angle, np.zeros_like(angle), 1)], axis=1)
            for angle in (low, high)
        )
        gain = self._expectations(inside, quadratic) - self._expectations(outside, quadratic)
        return np.maximum(gain, 0.0)

    def _beyond(self, angles: Array, offset: Array, turn: int) -> Array:
        """Return E (x·e - κ)₊² where x is further than `offset` to one side of the atom."""
        level = level_lines(angles, self.l1 / 2)
        lines = np.stack([level, _side_lines(angles, offset, turn)], axis=1)
        return self._expectations(lines, self._strip(angles, level))

    def _strip(self, angles: Array, level: Array) -> Array:
        """Return s² - 2 (c·e) s with s = x·e - κ."""
        directions = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        return _tilted(level, directions @ np.array(self.tilts).T)

    def _about(self, vertex: Array) -> Array:
        """Return ‖z‖² - 2 c·z with z = x - vertex."""
        first, second = np.zeros((2, len(vertex), 3))
        first[:, 0], first[:, 1] = -vertex[:, 0], 1.0
        second[:, 0], second[:, 2] = -vertex[:, 1], 1.0
        along = np.broadcast_to(
            np.array(self.tilts).T[:, None, :], (2, len(vertex), len(self.tilts))
        )
        return _tilted(first, along[0]) + _tilted(second, along[1])

    def _expectations(self, lines: Array, quadratics: Array) -> Array:
        """Return E x̃ᵀ K x̃ on pairs of half-planes, (T, P), where x̃ = (1, x).

        `lines` is (P, 2, 3) and `quadratics` (P, T, 3, 3).
        """
        total = np.zeros((len(self.tilts), len(lines)))
        for cubes in self._moved:
            k = cubes.cube_dimension
            row, column = np.triu_indices(1 + k)
            twice = np.where(row == column, 1.0, 2.0)
            for probability, affine in zip(cubes.probability, cubes.affine, strict=True):
                to_x = np.vstack([np.eye(1, 1 + k), affine])
                cut = lines @ to_x
                largest = cut[:, :, 0] + np.maximum(cut[:, :, 1:], 0.0).sum(axis=2)
                (met,) = np.nonzero((largest > 0).all(axis=1))
                for start in range(0, len(met), _AT_ONCE):
                    block = met[start : start + _AT_ONCE]
                    moments = pair_moments(cut[block])[:, 0, :, 1]
                    local = (to_x.T @ quadratics[block] @ to_x)[..., row, column] * twice
                    total[:, block] += probability * np.einsum("ptm,pm->tp", local, moments)
        return total


def level_lines(angles: Array, level: Array | float) -> Array:
    """Return x·e - level as rows on (1, x)."""
    return np.stack([-level * np.ones_like(angles), np.cos(angles), np.sin(angles)], axis=1)


def _side_lines(angles: Array, offset: Array, turn: int) -> Array:
    """Return turn · x·e^⊥ - offset as rows on (1, x)."""
    return np.stack([-offset, -turn * np.sin(angles), turn * np.cos(angles)], axis=1)


def _tilted(rows: Array, along: Array) -> Array:
    """Return the quadratics s² - 2 a s, (P, T, 3, 3), of affine s and (P, T) slopes a."""
    squares = rows[:, :, None] * rows[:, None, :]
    doubled = np.zeros_like(squares)
    doubled[:, 0, :] += rows
    doubled[:, :, 0] += rows
    tilted: Array = squares[:, None] - along[:, :, None, None] * doubled[:, None]
    return tilted
