"""The unit square cut by two half-planes, for every pair of lines: its facets and its moments.

The square cut by the half-planes of lines i and j is bounded by parts of chord i, chord j and
the four edges. A line {offset + normal·u = 0} is u(t) = -offset · normal + t · (-normal2,
normal1), so that its half-plane lies to the right of growing t, and every facet is an interval
of t.

Two nearly coincident lines meet at an ill-conditioned point. Both its positions, as t on the
one and on the other line, are made here from one quotient, so that its error moves the vertex
*along both lines alike* and no part of the boundary is lost or counted twice.

Of the facets only the edges u1 = 1, u2 = 1 and the two chords have h_F ≠ 0, see
`half_space_moments`.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Lines closer to parallel than this meet at infinity; its inverse is still finite.
_PARALLEL = 1e-300
# A line at least this far from the origin misses the square, whatever its direction.
_FAR = 2.0
# The half-planes u1 ≤ 1, u2 ≤ 1, u1 ≥ 0, u2 ≥ 0 as offsets and inward unit normals.
EDGES = np.array([[1.0, 1.0, 0.0, 0.0], [-1.0, 0.0, 1.0, 0.0], [0.0, -1.0, 0.0, 1.0]])
# Along them t = -u2, u1, u2, -u1.
_EDGE_START, _EDGE_END = np.array([-1.0, 0.0, 0.0, -1.0]), np.array([0.0, 1.0, 1.0, 0.0])


# The moments 1, u1, u2, u1², u1u2, u2² as products of two entries of ũ, and 1/(2 + degree).
_ROW, _COLUMN = np.triu_indices(3)
_DEGREE_FACTOR = np.array([1 / 2, 1 / 3, 1 / 3, 1 / 4, 1 / 4, 1 / 4])
# Columns: ∫1 on both edges, ∫t on both, ∫t² on both, with h_F = 1. Rows: the moments.
_FROM_EDGES = np.array(
    [
        [1 / 2, 1 / 2, 0, 0, 0, 0],
        [1 / 3, 0, 0, 1 / 3, 0, 0],
        [0, 1 / 3, -1 / 3, 0, 0, 0],
        [1 / 4, 0, 0, 0, 0, 1 / 4],
        [0, 0, -1 / 4, 1 / 4, 0, 0],
        [0, 1 / 4, 0, 0, 1 / 4, 0],
    ]
)


class Facets(NamedTuple):
    """Intervals of t that bound the square cut by pairs of half-planes.

    Parameters
    ----------
    chord_start, chord_end : (C, n, n) arrays
        [c, i, j]: the part of chord i that is in half-plane j. A pair (i, j) has the facets
        [i, j] and [j, i]; for i = j both are the whole chord, to be counted once.
    edge_start, edge_end : (C, n, 4) arrays
        [c, i, e]: the part of edge e (in the order of `EDGES`) that is in half-plane i.
    """

    chord_start: Array
    chord_end: Array
    edge_start: Array
    edge_end: Array


def cut_facets(lines: Array) -> Facets:
    """Return the facets of all pairs of lines, each given as offset and inward unit normal.

    Parameters
    ----------
    lines : (C, n, 3) array

    Examples
    --------
    The half-plane u1 > 1/4: its chord runs from u2 = 0 to 1, edge u2 = 1 from u1 = 1/4 to 1.

    >>> facets = cut_facets(np.array([[[-0.25, 1.0, 0.0]]]))
    >>> facets.chord_start.item(), facets.chord_end.item()
    (0.0, 1.0)
    >>> facets.edge_start[0, 0, 1].item(), facets.edge_end[0, 0, 1].item()
    (0.25, 1.0)
    """
    count, n, _ = lines.shape
    parallel, itself = _pairs(n)
    # Each line (rows) meets the four edges and then every line (columns).
    apart = np.ascontiguousarray(lines.transpose(2, 0, 1))
    others = np.empty((3, count, 1, 4 + n))
    others[:, :, 0, :4] = EDGES[:, None, :]
    others[:, :, 0, 4:] = apart
    on_line, on_edge, turn = _crossings(apart[:, :, :, None], others, parallel, itself)
    inside = turn > 0

    low = np.where(inside[:, :, :4], on_line[:, :, :4], -np.inf).max(axis=2)[:, :, None]
    high = np.where(inside[:, :, :4], np.inf, on_line[:, :, :4]).min(axis=2)[:, :, None]
    high = np.maximum(low, high)
    cut = np.minimum(np.maximum(on_line[:, :, 4:], low), high)
    on_edge = np.minimum(np.maximum(on_edge[:, :, :4], _EDGE_START), _EDGE_END)
    return Facets(
        np.where(inside[:, :, 4:], cut, low),
        np.where(inside[:, :, 4:], high, cut),
        np.where(inside[:, :, :4], _EDGE_START, on_edge),
        np.where(inside[:, :, :4], on_edge, _EDGE_END),
    )


def unit_lines(a: Array) -> Array:
    """Return each line a·ũ = 0 as offset and inward unit normal, far away if it has none."""
    norm = np.hypot(a[:, :, 1], a[:, :, 2])
    if (norm < _PARALLEL).any():
        # Scaled first, so that a tiny line is still a line.
        largest = np.abs(a).max(axis=2, keepdims=True)
        a = a / np.where(largest > 0, largest, 1.0)
        norm = np.hypot(a[:, :, 1], a[:, :, 2])
        constant = norm < _PARALLEL
        norm = np.where(constant, 1.0, norm)
        never_or_always = np.where(a[:, :, 0] > 0, _FAR, -_FAR)
        far = np.stack((never_or_always, np.ones_like(norm), np.zeros_like(norm)), axis=2)
        a = np.where(constant[:, :, None], far, a)
    with np.errstate(over="ignore"):
        lines: Array = a / norm[:, :, None]
    lines[:, :, 0] = np.minimum(np.maximum(lines[:, :, 0], -_FAR), _FAR)
    return lines


@lru_cache(maxsize=16)
def _pairs(n: int) -> tuple[Array, Array]:
    """Return what `_crossings` needs of n lines (rows) and four edges and n lines (columns).

    The turn that stands for parallel lines, and 1 where row and column are one line.
    """
    itself = np.zeros((n, 4 + n))
    itself[:, 4:] = np.eye(n)
    parallel = np.full((n, 4 + n), _PARALLEL)
    parallel[:, 4:][np.tri(n, k=-1, dtype=bool)] = -_PARALLEL
    return parallel, itself


def _crossings(
    lines: Array, others: Array, parallel: Array, itself: Array
) -> tuple[Array, Array, Array]:
    """Return where two lines cross, as t on the one and on the other, and how they turn.

    With turn = normal × other normal, the other half-plane keeps t ≥ crossing of this line if
    turn > 0, and this half-plane then keeps t ≤ crossing of the other.

    Both are made from the one quotient `common`; see the module. `parallel` stands for a
    turn of zero, antisymmetric in the pair, so that two equal lines give one half each. A
    line does not cut `itself` (1 where the pair is one line): its crossing is put before its
    start.
    """
    offset, normal_1, normal_2 = lines
    other_offset, other_1, other_2 = others
    turn = normal_1 * other_2 - normal_2 * other_1
    cosine = normal_1 * other_1 + normal_2 * other_2
    sign = np.copysign(1.0, cosine)
    degenerate = np.abs(turn) < _PARALLEL
    if degenerate.any():
        # With the sign, lines count as turned one way by their index, whichever side is in:
        # that keeps the rule transitive among two latents and an edge on one line.
        turn = np.where(degenerate, sign * parallel, turn)
    slide = turn / (1.0 + np.abs(cosine))
    common = (offset - sign * other_offset - itself) / turn
    return sign * (common - offset * slide), common + sign * (other_offset * slide), turn


def cut_square_moments(a: Array) -> Array:
    """Return the moments of all pairs of (C, n, 3) lines; see `half_space_moments.pair_moments`.

    Examples
    --------
    >>> cut_square_moments(np.array([[[-0.5, 1.0, 0.0]]]))[0, 0, :3, 0].round(12).tolist()
    [0.5, 0.375, 0.25]
    """
    lines = unit_lines(a)
    count, n, _ = lines.shape
    facets = cut_facets(lines)
    length = facets.chord_end - facets.chord_start
    middle = 0.5 * (facets.chord_end + facets.chord_start)
    chord_integrals = power_integrals(length, middle)
    # A line paired with itself bounds the region once, but is seen from both sides.
    chord_integrals *= (1.0 - 0.5 * np.eye(n))[:, None, :]
    chords = _from_chord(lines) @ chord_integrals

    low, high = facets.edge_start[:, :, :2], facets.edge_end[:, :, :2]
    length, middle = overlap(
        low[:, :, :, None],
        high[:, :, :, None],
        np.ascontiguousarray(low.transpose(0, 2, 1))[:, None],
        np.ascontiguousarray(high.transpose(0, 2, 1))[:, None],
    )
    moments: Array = _FROM_EDGES @ power_integrals(length, middle).reshape(count, n, 6, n)
    moments += chords
    moments += chords.transpose(0, 3, 2, 1)
    return moments


def _from_chord(lines: Array) -> Array:
    """Return the (C, n, 6, 3) map from ∫1, ∫t, ∫t² along a chord to its share of the moments.

    On the chord ũ(t) = foot + t · direction and h_F = offset; each moment carries its factor
    1/(2 + degree).
    """
    # ũ(t) as coefficients of 1 and t.
    chord = np.zeros((*lines.shape, 2))
    chord[:, :, 0, 0] = 1.0
    chord[:, :, 1:, 0] = lines[:, :, 1:] * -lines[:, :, :1]
    chord[:, :, 1, 1] = -lines[:, :, 2]
    chord[:, :, 2, 1] = lines[:, :, 1]
    row, column = chord[:, :, _ROW], chord[:, :, _COLUMN]
    table = np.empty((*row.shape[:3], 3))
    table[..., 0] = row[..., 0] * column[..., 0]
    table[..., 1] = row[..., 0] * column[..., 1] + row[..., 1] * column[..., 0]
    table[..., 2] = row[..., 1] * column[..., 1]
    table *= (lines[:, :, :1] * _DEGREE_FACTOR)[..., None]
    return table


def overlap(low: Array, high: Array, other_low: Array, other_high: Array) -> tuple[Array, Array]:
    """Return length and middle of [low, high] ∩ [other_low, other_high]."""
    low, high = np.maximum(low, other_low), np.minimum(high, other_high)
    return np.maximum(high - low, 0.0), 0.5 * (high + low)


def power_integrals(length: Array, middle: Array) -> Array:
    """Return ∫1, ∫t, ∫t² over intervals, on a new axis 2."""
    out = np.empty((*length.shape[:2], 3, *length.shape[2:]))
    out[:, :, 0] = length
    out[:, :, 1] = first = length * middle
    out[:, :, 2] = first * middle + length * length * length / 12.0
    return out
