"""E (‖x - v‖² - c)₊ on wedges with vertex v in the plane, exactly.

A wedge is what two half-planes leave, a·(1, x) ≤ 0 and b·(1, x) ≤ 0, with a and b 0 at v, narrower
than π. On a segment it is an interval less another, on which the excess is a polynomial. On a
parallelogram the divergence theorem for y F(‖y‖)/‖y‖², y = x - v, F(ρ) = ∫_0^ρ (t² - c)₊ t dt =
(ρ² - c)₊²/4, leaves the parts of the edges within the wedge, since its own sides are rays from v:
an edge at signed distance p from v contributes, where s² + p² ≥ c,

    p ∫ F/(s² + p²) ds = p (s³/3 + p² s - 2 c s)/4 + c² atan(s/p)/4.
"""

import numpy as np
from numpy.typing import NDArray

from solvers.laws.arrays import Cubes

Array = NDArray[np.float64]


def wedge_excess(cubes: Cubes, vertex: Array, sides: Array, c: float) -> Array:
    """Return E (‖x - v‖² - c)₊ on wedges, each component counting with its probability.

    Parameters
    ----------
    cubes : Cubes
        In the plane; of at most two dimensions, and parallelograms of some width.
    vertex : (P, 2) array
    sides : (P, 2, 3) array
        Rows on (1, x) that are at most 0 in the wedge.
    c : float ≥ 0

    Returns
    -------
    (P,) array

    Examples
    --------
    The unit square beyond c = 0, on the half y ≤ x: E (x² + y²)/2 = 1/3.

    >>> square = Cubes(np.ones(1), np.array([[[0.0, 1, 0], [0.0, 0, 1]]]))
    >>> sides = np.array([[[0.0, -1.0, 1.0], [0.0, 0.0, -1.0]]])
    >>> wedge_excess(square, np.zeros((1, 2)), sides, 0.0).round(12).tolist()
    [0.333333333333]
    """
    total = np.zeros(len(vertex))
    mean = (_of_point, _of_segment, _of_parallelogram)[cubes.cube_dimension]
    for probability, affine in zip(cubes.probability, cubes.affine, strict=True):
        # The very numbers by which half-planes are decided elsewhere.
        to_x = np.vstack([np.eye(1, affine.shape[1]), affine])
        total += probability * mean(affine, vertex, sides @ to_x, c)
    return total


def _of_point(affine: Array, vertex: Array, cut: Array, c: float) -> Array:
    within = (cut[:, :, 0] <= 0).all(axis=1)
    excess: Array = within * np.maximum(((affine[:, 0] - vertex) ** 2).sum(axis=1) - c, 0.0)
    return excess


def _of_segment(affine: Array, vertex: Array, cut: Array, c: float) -> Array:
    low, high = _interval(cut)
    away, edge = affine[:, 0] - vertex, affine[:, 1]
    # ‖y‖² - c = square u² + 2 half u + constant.
    square, half = float(edge @ edge), away @ edge
    constant = (away**2).sum(axis=1) - c
    inside = np.maximum(half**2 - square * constant, 0.0)
    if square == 0:
        still: Array = (high - low) * np.maximum(constant, 0.0)
        return still
    reach = np.sqrt(inside) / square
    middle = -half / square

    def integral(u: Array) -> Array:
        values: Array = u * (square * u * u / 3 + half * u + constant)
        return values

    below, above = np.clip(middle - reach, low, high), np.clip(middle + reach, low, high)
    result: Array = integral(high) - integral(above) + integral(below) - integral(low)
    return result


def _of_parallelogram(affine: Array, vertex: Array, cut: Array, c: float) -> Array:
    u = np.array([[1.0, 0, 0], [1, 1, 0], [1, 1, 1], [1, 0, 1]])
    total = np.zeros(len(vertex))
    for one, other in zip(u, np.roll(u, -1, axis=0), strict=True):
        along = affine @ (other - one)
        length = float(np.linalg.norm(along))
        away = affine @ one - vertex
        # Each side of the wedge as a function of the share of the edge that is gone.
        low, high = _interval(np.stack([cut @ one, cut @ (other - one)], axis=-1))
        p = (away[:, 0] * along[1] - away[:, 1] * along[0]) / length
        start = away @ along / length
        total += _of_edge(start + low * length, start + high * length, p, c)
    area = abs(float(np.linalg.det(affine[:, 1:])))
    result: Array = np.abs(total) / area
    return result


def _of_edge(start: Array, end: Array, p: Array, c: float) -> Array:
    within = np.sqrt(np.maximum(c - p * p, 0.0))

    def integral(s: Array) -> Array:
        return p * s * (s * s / 3 + p * p - 2 * c) / 4 + c * c / 4 * np.arctan(s / nonzero)

    nonzero = np.where(p == 0, 1.0, p)
    whole = integral(end) - integral(start)
    part = integral(np.clip(end, -within, within)) - integral(np.clip(start, -within, within))
    excess: Array = np.where(p == 0, 0.0, whole - part)
    return excess


def _interval(cut: Array) -> tuple[Array, Array]:
    """Return where both a + b u ≤ 0 on [0, 1], (P, 2, 2) coefficients; low = high if nowhere."""
    offset, slope = cut[..., 0], cut[..., 1]
    root = -offset / np.where(slope == 0, 1.0, slope)
    nowhere = (slope == 0) & (offset > 0)
    low = np.where(slope < 0, root, np.where(nowhere, 1.0, 0.0)).max(axis=1)
    high = np.where(slope > 0, root, 1.0).min(axis=1)
    low, high = np.clip(low, 0.0, 1.0), np.clip(high, 0.0, 1.0)
    return low, np.maximum(low, high)
