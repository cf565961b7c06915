r"""Moments of the unit cube [0, 1]^k cut by two half-spaces p·ũ > 0, q·ũ > 0, for any k.

The divergence theorem (see `half_space_moments`) leaves the faces u_l = 1 and the two planes.
Both kinds of facet are images of the unit cube of k - 1 dimensions, cut by half-spaces again:

* on the face u_l = 1 with h = 1, p and q keep their other coefficients, p_0 + p_l being the
  constant one; in short, p|1 and q|1;
* on the plane p·ũ = 0, solved for its *pivot* coordinate, u_m = v·ũ' with v = -p'/p_m (p' is p
  without p_m), 0 < u_m < 1 is a difference of half-spaces, so that, Q[., .] being the moments
  over the remaining coordinates,

      plane = (p_0/p_m) (Q[p|1, d] - Q[p|0, d]),    d = ±(p_m q|1 - q_m p|1),

  d > 0 being where q·ũ > 0 on that plane.

Planes that nearly coincide share their pivot. Then d of the one plane is -d of the other, in
floats too: where they cross may be ill-conditioned, but no part of the boundary is lost or
counted twice. If d vanishes, it counts as a small positive constant for both. The recursion ends
at squares, which `cut_square` knows.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.laws.cut_square import cut_square_moments

Array = NDArray[np.float64]
Index = NDArray[np.intp]

# So many pairs of lines of a square are held at once.
_SQUARES_AT_ONCE = 2**14
_TRIANGLE = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])
# Unit normals with a larger product are nearly parallel; then some coordinate's two entries
# are both at least (this)/k from 0.
_NEARLY_PARALLEL = 0.9


def cut_cube_moments(p: Array, q: Array) -> Array:
    """Return E[1{p·ũ > 0} 1{q·ũ > 0} ũ ũᵀ], u uniform on [0, 1]^k, for N pairs (p, q).

    Parameters
    ----------
    p, q : (N, 1+k) arrays, k ≥ 2
        Constant first.

    Returns
    -------
    (N, 1+k, 1+k) array

    Examples
    --------
    The corner u1 + u2 + u3 < 1 of the cube is 1/6 of it; E u1 over it is 1/24.

    >>> corner = np.array([[1.0, -1.0, -1.0, -1.0]])
    >>> cut_cube_moments(corner, corner)[0, 0].round(12).tolist()
    [0.166666666667, 0.041666666667, 0.041666666667, 0.041666666667]
    """
    k = p.shape[1] - 1
    moments = np.zeros((len(p), 1 + k, 1 + k))
    step = max(1, _SQUARES_AT_ONCE // squares_of_a_pair(k))
    for start in range(0, len(p), step):
        part = slice(start, start + step)
        moments[part] = _moments(p[part], q[part])
    return moments


def squares_of_a_pair(k: int) -> int:
    """Return how many squares the recursion looks at for a pair in [0, 1]^k, at most.

    Examples
    --------
    >>> [squares_of_a_pair(k) for k in range(2, 6)]
    [1, 7, 56, 504]
    """
    return int(np.prod(np.arange(7, k + 5, dtype=np.int64)))


def _moments(p: Array, q: Array) -> Array:
    k = p.shape[1] - 1
    p, q = _constant_if_uncut(p), _constant_if_uncut(q)
    moments = np.zeros((len(p), 1 + k, 1 + k))
    # A half-space that misses the cube is a constant; of two that hold it nothing is cut off.
    whole = _always(p) & _always(q)
    moments[whole] = _whole_cube(k)
    rows = np.nonzero(~(whole | _never(p) | _never(q)))[0]
    if len(rows):
        moments[rows] = (_square if k == 2 else _recursion)(p[rows], q[rows])
    return moments


def _constant_if_uncut(p: Array) -> Array:
    """Return p scaled to a largest entry of 1; where its plane misses the cube, p = ±1."""
    largest = np.abs(p).max(axis=1, keepdims=True)
    p = p / np.where(largest > 0, largest, 1.0)
    low = p[:, 0] + np.minimum(p[:, 1:], 0.0).sum(axis=1)
    high = p[:, 0] + np.maximum(p[:, 1:], 0.0).sum(axis=1)
    constant = np.zeros_like(p)
    constant[:, 0] = np.where(high <= 0, -1.0, 1.0)
    return np.where(((low >= 0) | (high <= 0))[:, None], constant, p)


def _constant(p: Array) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (p[:, 1:] == 0).all(axis=1)
    return found


def _always(p: Array) -> NDArray[np.bool_]:
    return _constant(p) & (p[:, 0] > 0)


def _never(p: Array) -> NDArray[np.bool_]:
    return _constant(p) & (p[:, 0] <= 0)


def _whole_cube(k: int) -> Array:
    """Return E ũ ũᵀ over the whole cube."""
    moments = np.full((1 + k, 1 + k), 1 / 4)
    moments[0, 1:] = moments[1:, 0] = 1 / 2
    moments[np.diag_indices(1 + k)] = 1 / 3
    moments[0, 0] = 1.0
    return moments


def _square(p: Array, q: Array) -> Array:
    lines = np.stack([p, q], axis=1)
    return cut_square_moments(lines)[:, 0, _TRIANGLE, 1]


class _Facets(NamedTuple):
    """Parts of facets: which pair (row) each belongs to, and factor · Q[p, q] over it.

    `pivot` m is the coordinate left out, u_m = v·ũ' with ũ' = (1, the others).
    """

    row: Index
    pivot: Index
    v: Array
    factor: Array
    p: Array
    q: Array


def _recursion(p: Array, q: Array) -> Array:
    count, k = len(p), p.shape[1] - 1
    pivot_p, pivot_q = _pivots(p, q)
    parts = [*_faces(p, q), *_plane(p, q, pivot_p, 1.0), *_plane(q, p, pivot_q, -1.0)]
    facets = _Facets(*map(np.concatenate, zip(*parts, strict=True)))
    smaller = _moments(facets.p, facets.q)
    # Most facets are cut off whole; the others are taken pair by pair.
    kept = np.nonzero(smaller[:, 0, 0])[0]
    kept = kept[np.argsort(facets.row[kept], kind="stable")]
    row, pivot, v = facets.row[kept], facets.pivot[kept], facets.v[kept]
    smaller = smaller[kept] * facets.factor[kept, None, None]

    others, place = _others(k)[pivot], np.arange(len(kept))[:, None]
    lifted = np.zeros((len(kept), 1 + k, 1 + k))
    lifted[place[:, :, None], others[:, :, None], others[:, None, :]] = smaller
    with_pivot = np.einsum("nij,nj->ni", smaller, v)
    lifted[place, others, pivot[:, None]] = with_pivot
    lifted[place, pivot[:, None], others] = with_pivot
    lifted[place[:, 0], pivot, pivot] = np.einsum("ni,ni->n", v, with_pivot)

    moments = np.zeros((count, 1 + k, 1 + k))
    if len(kept):
        starts = np.flatnonzero(np.diff(row, prepend=-1))
        moments[row[starts]] = np.add.reduceat(lifted, starts, axis=0)
    degree = np.ones(1 + k)
    degree[0] = 0.0
    moments /= k + degree[:, None] + degree
    return moments


@lru_cache(maxsize=16)
def _others(k: int) -> Index:
    """Return for each coordinate m of ũ the indices of all others, 0 first."""
    index = np.arange(1 + k)
    return np.stack([np.delete(index, m) if m else index[1:] for m in range(1 + k)])


def _without(p: Array, pivot: Index) -> Array:
    return np.take_along_axis(p, _others(p.shape[1] - 1)[pivot], axis=1)


def _at_one(p: Array, pivot: Index) -> Array:
    """Return p|1: p where its pivot coordinate is 1."""
    rest = _without(p, pivot)
    rest[:, 0] += p[np.arange(len(p)), pivot]
    return rest


def _faces(p: Array, q: Array) -> list[_Facets]:
    """Return the faces u_l = 1."""
    row = np.arange(len(p))
    v = np.zeros((len(p), p.shape[1] - 1))
    v[:, 0] = 1.0
    parts = []
    for coordinate in range(1, p.shape[1]):
        pivot = np.full(len(p), coordinate)
        one = np.ones(len(p))
        parts.append(_Facets(row, pivot, v, one, _at_one(p, pivot), _at_one(q, pivot)))
    return parts


def _plane(p: Array, q: Array, pivot: Index, tie: float) -> list[_Facets]:
    """Return the parts of the plane p·ũ = 0 in q·ũ > 0; `tie` is 1 for a pair's first plane.

    For its second, d is the negative of the first's.
    """
    row = np.nonzero(~_constant(p))[0]
    p, q, pivot = p[row], q[row], pivot[row]
    own = p[np.arange(len(p)), pivot]
    rest, p_one, q_one = _without(p, pivot), _at_one(p, pivot), _at_one(q, pivot)
    # Products of the same two numbers, and so their difference's sign, are the same in either
    # order.
    d = own[:, None] * q_one - q[np.arange(len(q)), pivot, None] * p_one
    d[:, 0] = np.where(d.any(axis=1), d[:, 0], tie)
    d *= np.sign(own)[:, None]
    v = -rest / own[:, None]
    factor = p[:, 0] / own
    return [
        _Facets(row, pivot, v, factor, p_one, d),
        _Facets(row, pivot, v, -factor, rest, d),
    ]


def _pivots(p: Array, q: Array) -> tuple[Index, Index]:
    """Return the coordinate that each plane is solved for, one for both if nearly parallel."""
    normal, other = np.abs(p[:, 1:]), np.abs(q[:, 1:])
    own, others = normal.argmax(axis=1), other.argmax(axis=1)
    size = np.linalg.norm(p[:, 1:], axis=1) * np.linalg.norm(q[:, 1:], axis=1)
    cosine = np.abs(np.einsum("nk,nk->n", p[:, 1:], q[:, 1:]))
    common = (normal * other).argmax(axis=1)
    parallel = (size > 0) & (cosine > _NEARLY_PARALLEL * size)
    return 1 + np.where(parallel, common, own), 1 + np.where(parallel, common, others)
