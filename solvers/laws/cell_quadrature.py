"""Exact integration over the unit square of what is quadratic between given lines.

The lines cut [0, 1]^k into cells. For k = 2 the integral over u2, at a fixed u1, runs over the
intervals between the lines, and is a cubic in u1 between the abscissae at which lines meet each
other or an edge. Gauss's rule of two nodes is exact for cubics, so two nodes an interval in each
direction give the integral exactly: no list of polygons, only values inside the cells.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from theory.exact.errors import InputError

Array = NDArray[np.float64]

#: Two-point Gauss-Legendre rule on [0, 1]; both weights are 1/2.
_NODES = np.array([0.5 - np.sqrt(3) / 6, 0.5 + np.sqrt(3) / 6])
# Points are handed out in blocks of about this many.
_AT_ONCE = 2**16
#: More points than this would take minutes.
LARGEST_GRID = 2 * 10**8


def cell_nodes(lines: Array) -> Iterator[tuple[Array, Array]]:
    """Yield points u of [0, 1]^k and their weights, block by block.

    The sum of weight · g(u) is ∫ g for every g that is a polynomial of degree ≤ 2 on each
    cell; no point lies on a line, but for cells as thin as rounding.

    Parameters
    ----------
    lines : (m, k + 1) array
        Row i is the affine function a_0 + a_1 u_1 + ... whose zeros are the line; k ≤ 2.

    Raises
    ------
    InputError
        If there are so many lines that the points would be more than `LARGEST_GRID`.

    Examples
    --------
    ∫ |u - 1/4| over [0, 1] is 1/32 + 9/32:

    >>> ((u, weight),) = cell_nodes(np.array([[-0.25, 1.0]]))
    >>> round(float(weight @ np.abs(u[:, 0] - 0.25)), 15)
    0.3125
    """
    k = lines.shape[1] - 1
    lines = lines[_crossing(lines)]
    if k == 0:
        yield np.zeros((1, 0)), np.ones(1)
    elif k == 1:
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = _cuts(-lines[:, 0] / lines[:, 1])
        u, weight = _gauss(ends[None])
        yield u.reshape(-1, 1), weight.ravel()
    elif k == 2:
        yield from _square(lines)
    else:
        raise InputError("law", "components of at most two amplitudes")


def _crossing(lines: Array) -> NDArray[np.bool_]:
    """Tell which affine functions change sign on the cube."""
    low = lines[:, 0] + np.minimum(lines[:, 1:], 0.0).sum(axis=1)
    high = lines[:, 0] + np.maximum(lines[:, 1:], 0.0).sum(axis=1)
    crosses: NDArray[np.bool_] = (low < 0) & (high > 0)
    return crosses


def _cuts(values: Array) -> Array:
    """Return 0, the values inside (0, 1) in order, and 1."""
    inside = values[(values > 0) & (values < 1)]
    return np.concatenate([[0.0], np.unique(inside), [1.0]])


def _gauss(ends: Array) -> tuple[Array, Array]:
    """Return nodes and weights between consecutive entries of the last axis."""
    low, size = ends[..., :-1, None], np.diff(ends)[..., None]
    return low + size * _NODES, np.broadcast_to(size / 2, (*size.shape[:-1], 2))


def _square(lines: Array) -> Iterator[tuple[Array, Array]]:
    offset, first, second = lines.T
    i, j = np.triu_indices(len(lines), 1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        meeting = (offset[j] * second[i] - offset[i] * second[j]) / (
            first[i] * second[j] - first[j] * second[i]
        )
        edges = np.concatenate([-offset / first, -(offset + second) / first])
    u1, weight1 = (part.ravel() for part in _gauss(_cuts(np.concatenate([meeting, edges]))[None]))
    across = 2 * (len(lines) + 1)
    if len(u1) * across > LARGEST_GRID:
        hint = f"{len(lines)} lines cut a square of this law into too many cells to be exact"
        raise InputError("latents", "fewer", hint=hint)
    block = max(1, _AT_ONCE // across)
    for start in range(0, len(u1), block):
        here, weight = u1[start : start + block], weight1[start : start + block]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            roots = -(offset + here[:, None] * first) / second
        # A line along u2 is a cut of u1 and none here.
        roots = np.clip(np.where(np.isfinite(roots), roots, 0.0), 0.0, 1.0)
        ends = np.hstack([np.zeros((len(here), 1)), np.sort(roots, axis=1),
                          np.ones((len(here), 1))])  # fmt: skip
        u2, weight2 = _gauss(ends)
        points = np.stack([np.broadcast_to(here[:, None, None], u2.shape), u2], axis=-1)
        yield points.reshape(-1, 2), (weight2 * weight[:, None, None]).ravel()
