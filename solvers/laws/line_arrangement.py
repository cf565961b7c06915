r"""Integrals over the unit square of what is quadratic between lines, by what lies on the lines.

A function q that is a polynomial of degree ≤ 2 on each cell of an arrangement of lines φ_l = 0,
φ_l = a_l·ũ with ũ = (1, u), may jump at the lines. By the divergence theorem for functions that
are homogeneous about the corner u = 0 [ChinLasserreSukumar2015, section 2], degree by degree,

    ∫ q = Σ_e h_e ∫_e (Q⁺ - Q⁻) ds,   Q(u) = ∫_0^1 t q(t u) dt,

over the pieces e into which the lines cut each other, h_e = a_l0/‖(a_l1, a_l2)‖ the distance of
their line from the corner, and q⁺, q⁻ the polynomials of the cells on either side, continued to
t u; the sides u_1 = 1 and u_2 = 1 of the square count as lines with nothing beyond. Two Gauss
nodes along e and two in t are exact. So no cell is ever built, and a line across which q does not
change adds nothing. On the same pieces lie the integrals E[δ(φ_l) (q⁺ - q⁻) ũ] by which E q
changes when a line moves.

Of lines that coincide each has its pieces: whoever says what q is on either side must cross them
one after the other, as if they were apart. A segment is a square along one of whose
sides nothing changes. This module knows no SAE.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# Two-point Gauss-Legendre rule on [0, 1]; both weights are 1/2.
_NODES = np.array([0.5 - np.sqrt(3) / 6, 0.5 + np.sqrt(3) / 6])
# The sides u_1 = 1 and u_2 = 1, positive beyond.
_SIDES = np.array([[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0]])


class Pieces(NamedTuple):
    """Pieces of lines inside the squares, E of them.

    Parameters
    ----------
    component, line : (E,) arrays
        Which square, and which of its lines; from the number of lines on, sides of the square.
    start, end : (E, 2) arrays
    distance : (E,) array
        h.
    density : (E,) array
        The length of the piece by ‖∇φ‖.
    """

    component: Index
    line: Index
    start: Array
    end: Array
    distance: Array
    density: Array

    def take(self, chosen: NDArray[np.bool_]) -> "Pieces":
        """Return some of the pieces."""
        return Pieces(
            self.component[chosen], self.line[chosen], self.start[chosen], self.end[chosen],
            self.distance[chosen], self.density[chosen],
        )  # fmt: skip

    @property
    def middle(self) -> Array:
        """The middle of each piece, (E, 2)."""
        return (self.start + self.end) / 2

    def on_lines(self) -> tuple[Array, Array]:
        """Return nodes (E, 2, 2) on the pieces and the weights (E, 2) of E[δ(φ_l) ·] there."""
        u = self.start[:, None] + _NODES[:, None] * (self.end - self.start)[:, None]
        return u, np.repeat(self.density[:, None] / 2, 2, axis=1)

    def inside(self) -> tuple[Array, Array]:
        """Return nodes (E, 4, 2) and weights (E, 4) for q⁺; those for q⁻ are the negatives."""
        u, _ = self.on_lines()
        length = np.linalg.norm(self.end - self.start, axis=1)
        weight = (self.distance * length)[:, None, None] * (_NODES / 4)[:, None]
        nodes = _NODES[:, None, None] * u[:, None]
        return nodes.reshape(-1, 4, 2), np.repeat(weight, 2, axis=2).reshape(-1, 4)


def pieces_of(lines: Array) -> Pieces:
    """Return the pieces into which lines cut each other inside the unit square, sides included.

    Parameters
    ----------
    lines : (C, m, 3) array
        φ_l = a_l·ũ of each of C squares.

    Examples
    --------
    The area beyond u_1 = 1/2, from the line and the two halves of the side that it cuts:

    >>> pieces = pieces_of(np.array([[[-0.5, 1.0, 0.0]]]))
    >>> pieces.line.tolist(), pieces.distance.tolist()
    ([0, 1, 2, 2], [-0.5, -1.0, -1.0, -1.0])
    >>> weight = pieces.inside()[1].sum(axis=1)
    >>> beyond = pieces.middle[:, 0] > 0.5
    >>> round(float(weight[0] - weight[1:][beyond[1:]].sum()), 15)
    0.5
    """
    count, m = lines.shape[:2]
    every = np.concatenate([lines, np.broadcast_to(_SIDES, (count, 2, 3))], axis=1)
    slope = np.linalg.norm(every[:, :, 1:], axis=2)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        per = np.where(slope > 0, 1.0 / slope, 0.0)
        normal = every[:, :, 1:] * per[:, :, None]
        foot = -normal * (every[:, :, 0] * per)[:, :, None]
        along = np.stack([-normal[:, :, 1], normal[:, :, 0]], axis=2)
        low, high = _within_square(foot, along)
        # What is constant vanishes nowhere, or everywhere; either way it is no line.
        low, high = (np.where(slope > 0, end, 0.0) for end in (low, high))
        # Where the others cross, as positions along the line.
        rate = np.einsum("cle,cje->clj", along, every[:, :, 1:])
        value = np.einsum("cle,cje->clj", foot, every[:, :, 1:]) + every[:, None, :, 0]
        crossing = -value / rate
    crossing = np.where(np.isnan(crossing), np.inf, crossing)
    crossing[:, np.arange(m + 2), np.arange(m + 2)] = np.inf
    ends = np.concatenate([low[:, :, None], crossing, high[:, :, None]], axis=2)
    ends = np.sort(np.clip(ends, low[:, :, None], high[:, :, None]), axis=2)
    length = np.diff(ends, axis=2)
    there = length > 0
    component, line, place = np.nonzero(there)
    at, way = foot[component, line], along[component, line]
    start = at + ends[component, line, place][:, None] * way
    end = at + ends[component, line, place + 1][:, None] * way
    scale = per[component, line]
    return Pieces(
        component, line, start, end,
        every[component, line, 0] * scale, length[there] * scale,
    )  # fmt: skip


def _within_square(foot: Array, along: Array) -> tuple[Array, Array]:
    """Return from where to where, as positions along each line, it runs inside the square."""
    first, second = -foot / along, (1.0 - foot) / along
    flat = along == 0
    inside = (foot >= 0) & (foot <= 1)
    low = np.where(flat, np.where(inside, -np.inf, np.inf), np.minimum(first, second))
    high = np.where(flat, np.where(inside, np.inf, -np.inf), np.maximum(first, second))
    low, high = low.max(axis=2), high.min(axis=2)
    nothing = ~(low < high)
    return np.where(nothing, 0.0, low), np.where(nothing, 0.0, high)
