"""Exact integration over the unit cube of what is quadratic on each of many convex cells.

Nobody needs to know the cells beforehand. Take any point: its cell is where some affine functions
stay ≥ 0, and it can say which. Cut the square along those that cross it; the part that lies in
the cell is integrated, the others wait with points of their own. So only cells that the square
meets are ever looked at, and every part of the square is counted once. A rule of two nodes an
interval, three a triangle, is exact for quadratics.

It ends, whatever rounding does. Both sides of a cut get the same points of its line, so that the
pieces of a part have its size together. Where the piece around the point is larger than `_NOTHING`
it is done with, and what waits is less by it. Where it is not, because the point lies on several
lines at once, the part is halved at the point, which keeps away from all corners of a triangle
that makes up the greater share of it: either half is smaller by a share that only the number of
corners bounds, and has a point of its own. What is not larger than `_NOTHING` is left out. So no
part comes twice, and each step ends in a cell that is integrated or at a point that only a set of
no size contains.
"""

from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from theory.exact.errors import InputError

Array = NDArray[np.float64]
What = TypeVar("What")

# Two-point Gauss-Legendre rule on [0, 1]; both weights are 1/2.
_NODES = np.array([0.5 - np.sqrt(3) / 6, 0.5 + np.sqrt(3) / 6])
# Barycentric coordinates of three nodes inside a triangle; all weights are 1/3.
_TRIANGLE = np.array([[2 / 3, 1 / 6, 1 / 6], [1 / 6, 2 / 3, 1 / 6], [1 / 6, 1 / 6, 2 / 3]])
# Parts smaller than this are left out: rounding makes them where lines coincide.
_NOTHING = 1e-15
#: More parts than this would take minutes.
LARGEST_CELLS = 10**6


class Cell(NamedTuple, Generic[What]):
    """What is known about a point.

    Parameters
    ----------
    bounds : (m, k + 1) array
        Affine functions a_0 + a_1 u_1 + ..., all ≥ 0 at the point; the cell is where they are.
    what : object
        What the integrand is on the cell, for whoever integrates.
    """

    bounds: Array
    what: What


class Nodes(NamedTuple, Generic[What]):
    """Points (N, k) inside one cell and their weights (N,); the sum of all weights is 1."""

    what: What
    u: Array
    weight: Array


def cell_nodes(k: int, cell_of: Callable[[Array], Cell[What]]) -> Iterator[Nodes[What]]:
    """Yield points u of [0, 1]^k and their weights, part of a cell by part of a cell.

    The sum of weight · g(u) is ∫ g for every g that is a polynomial of degree ≤ 2 on each cell.

    Parameters
    ----------
    k : int
        0, 1 or 2.
    cell_of : callable
        Takes a point u and returns its cell. Cells are convex; neighbours may overlap where the
        integrands agree.

    Raises
    ------
    InputError
        For a larger k, or more than `LARGEST_CELLS` parts.

    Examples
    --------
    ∫ |u - 1/4| over [0, 1] is 1/32 + 9/32:

    >>> def side(u):
    ...     sign = 1 if u[0] > 0.25 else -1
    ...     return Cell(sign * np.array([[-0.25, 1.0]]), sign)
    >>> found = [float(weight @ (sign * (u[:, 0] - 0.25))) for sign, u, weight in
    ...          cell_nodes(1, side)]
    >>> sorted(round(part, 15) for part in found)
    [0.03125, 0.28125]
    """
    if k > 2:
        raise InputError("law", "components of at most two random magnitudes", k)
    if k == 0:
        yield Nodes(cell_of(np.zeros(0)).what, np.zeros((1, 0)), np.ones(1))
        return
    waiting = [np.array([[0.0], [1.0]] if k == 1 else [[0.0, 0], [1, 0], [1, 1], [0, 1]])]
    parts = 0
    while waiting:
        part = waiting.pop()
        point = _inside(part)
        bounds, what = cell_of(point)
        inside, outside = _piece(part, point, bounds)
        if _size(inside) > _NOTHING:
            yield Nodes(what, *_quadrature(inside))
        else:
            outside = _halves(part, point)
        waiting += [piece for piece in outside if _size(piece) > _NOTHING]
        parts += 1
        if parts > LARGEST_CELLS:
            raise InputError("latents", f"so few that the data meet at most {LARGEST_CELLS} cells")


def _inside(corners: Array) -> Array:
    """Return a point inside, off the lines of symmetry, which lines of a cell are apt to be."""
    if corners.shape[1] == 2:
        largest = int(np.argmax(_triangles(corners)))
        corners = corners[[0, largest + 1, largest + 2]]
    weights = 1.0 + np.mod(0.6180339887 * np.arange(1, len(corners) + 1), 1.0)
    point: Array = weights @ corners / weights.sum()
    return point


def _piece(part: Array, point: Array, bounds: Array) -> tuple[Array, list[Array]]:
    """Return the piece of a part where all bounds are ≥ 0, and the pieces that it leaves."""
    slopes = bounds[:, 1:]
    # The point may miss its own cell by rounding.
    at_point = np.maximum(bounds[:, 0] + slopes @ point, 0.0)
    at_corners = at_point + (part - point) @ slopes.T
    # Along a side that an earlier cut has made there is nothing more to cut off.
    crossing = at_corners.min(axis=0) < -_NOTHING * at_corners.max(axis=0)
    outside = []
    for bound in np.flatnonzero(crossing):
        part, rest = _cut(part, at_point[bound] + (part - point) @ slopes[bound])
        outside.append(rest)
    return part, outside


def _halves(part: Array, point: Array) -> list[Array]:
    """Return the pieces before and behind a point, along the axis of the longer extent."""
    axis = int(np.argmax(np.ptp(part, axis=0)))
    return list(_cut(part, part[:, axis] - point[axis]))


def _cut(corners: Array, values: Array) -> tuple[Array, Array]:
    """Return the parts of a convex polygon or interval where an affine function is ≥ 0 and ≤ 0.

    A corner goes to the side of its sign, a point between corners of two signs to both. So
    neither part is lost where rounding lets the signs of corners along the line alternate.
    """
    kept = values >= 0
    if kept.all() or not kept.any():
        return (corners, corners[:0]) if kept.all() else (corners[:0], corners)
    sides: tuple[list[Array], list[Array]] = ([], [])
    count = len(corners)
    for here in range(count):
        sides[0 if kept[here] else 1].append(corners[here])
        after = (here + 1) % count
        # An interval has one side.
        if kept[here] != kept[after] and after + corners.shape[1] > 1:
            share = values[here] / (values[here] - values[after])
            root = corners[here] + share * (corners[after] - corners[here])
            for side in sides:
                side.append(root)
    return np.array(sides[0]), np.array(sides[1])


def _triangles(corners: Array) -> Array:
    """Return the areas of the triangles that a polygon's first corner makes with its sides."""
    sides = corners[1:] - corners[0]
    areas: Array = 0.5 * np.abs(sides[:-1, 0] * sides[1:, 1] - sides[:-1, 1] * sides[1:, 0])
    return areas


def _size(corners: Array) -> float:
    if len(corners) < 2:
        return 0.0
    return float(np.ptp(corners) if corners.shape[1] == 1 else _triangles(corners).sum())


def _quadrature(corners: Array) -> tuple[Array, Array]:
    """Return nodes and weights on an interval or a convex polygon."""
    if corners.shape[1] == 1:
        low, size = corners[0], corners[1] - corners[0]
        return (low + size * _NODES[:, None]), np.full(2, abs(size.item()) / 2)
    first = np.broadcast_to(corners[0], (len(corners) - 2, 2))
    triangles = np.stack([first, corners[1:-1], corners[2:]], axis=1)
    return (_TRIANGLE @ triangles).reshape(-1, 2), np.repeat(_triangles(corners) / 3, 3)
