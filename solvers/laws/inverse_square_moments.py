r"""Moments weighted by 1/‖x‖², for every pair of latents: what the relative loss needs.

Let p_i(x) = b_i + w_i·x, and c_i = 1 if b_i > 0 on a law that reaches x = 0, else 0. The
activation relative to its value at 0 is

    g_i(x) = ReLU(p_i(x)) - c_i b_i = s_i b_i + 1_i w_i·x,    1_i = 1{p_i > 0},  s_i = 1_i - c_i,

and s_i vanishes near 0, so that with t_i = (s_i, 1_i y), x = B y in a component's plane,

    Q_ij = E[ t_i t_jᵀ / ‖x‖² ]

is finite term by term. As 1_i = c_i + s_i, all of it follows from integrals of 1, y, y yᵀ over
‖y‖² on pairs of half-planes {s_i ≠ 0}. These integrands are homogeneous of degree -2, -1, 0; the
divergence theorem (`solvers.laws.half_space_moments`) reduces the last two to facets, and for
degree -2,

    ∫_P 1/‖y‖² = Σ_F h_F ∫_F ln‖y‖ / ‖y‖²,        since div(y ln‖y‖ / ‖y‖²) = 1/‖y‖².

On a facet the integrals are an angle, a logarithm and Clausen's function.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from solvers.laws.arrays import Cubes, LawArrays
from solvers.laws.cut_square import EDGES, cut_facets, unit_lines
from theory.exact.errors import InputError

Array = NDArray[np.float64]

# Relative to the size of a component: closer to the origin than this is on it.
_ON = 1e-13
# No point of the square is so far from 0.
_BEYOND = 2.0


class Weighted(NamedTuple):
    """∫ 1/‖y‖², ∫ y/‖y‖² and ∫ y yᵀ/‖y‖² over regions; the last axes are (), (2,), (2, 2)."""

    one: Array
    linear: Array
    quadratic: Array

    def scaled(self, factor: Array) -> "Weighted":
        """Return all three multiplied by a factor for each leading index."""
        return Weighted(
            self.one * factor,
            self.linear * factor[..., None],
            self.quadratic * factor[..., None, None],
        )


@dataclass(frozen=True, eq=False)
class Charts:
    """Components of one cube dimension in orthonormal coordinates y of their planes.

    Parameters
    ----------
    cubes : Cubes
    basis : (C, d, 2) array
        B with x = B y; columns beyond the plane's dimension are zero.
    origin, edges : (C, 2) and (C, 2, k) arrays
        y = origin + edges · u.
    """

    cubes: Cubes
    basis: Array
    origin: Array
    edges: Array


@lru_cache(maxsize=64)
def charts(cubes: Cubes) -> Charts:
    """Return the planar coordinates of components.

    Raises
    ------
    InputError
        For a parallelogram that is flat or whose plane misses the origin.

    Examples
    --------
    >>> from theory import load_law
    >>> from solvers.laws.arrays import law_arrays
    >>> charts(law_arrays(load_law("independent")).groups[0]).edges[0].tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    offset, matrix = cubes.affine[:, :, 0], cubes.affine[:, :, 1:]
    count, d, k = matrix.shape
    basis = np.zeros((count, d, 2))
    if k > 2:
        expected = "components of at most two random magnitudes, for the relative loss"
        raise InputError("law", expected, k)
    for c in range(count):
        vectors = [*matrix[c].T, offset[c]]
        size = max(float(np.linalg.norm(v)) for v in vectors)
        filled = 0
        for vector in vectors:
            # Twice is enough: Gram-Schmidt with one reorthogonalisation.
            rest = vector - basis[c] @ (basis[c].T @ vector)
            rest -= basis[c] @ (basis[c].T @ rest)
            length = float(np.linalg.norm(rest))
            if length <= _ON * size:
                continue
            if filled == 2:
                expected = "parallelograms in planes through the origin, for the relative loss"
                raise InputError("law", expected, hint="it has one whose plane misses it")
            basis[c, :, filled] = rest / length
            filled += 1
        if k == 2 and np.linalg.matrix_rank(matrix[c]) < 2:
            raise InputError("law", "no flat parallelogram for the relative loss")
    to_plane = basis.transpose(0, 2, 1)
    return Charts(cubes, basis, np.einsum("cyd,cd->cy", to_plane, offset), to_plane @ matrix)


@lru_cache(maxsize=64)
def reaches_origin(law: LawArrays) -> bool:
    """Tell whether a segment or parallelogram of the law contains x = 0.

    Examples
    --------
    >>> from theory import load_law
    >>> from solvers.laws.arrays import law_arrays
    >>> reaches_origin(law_arrays(load_law("shared")))
    True
    """
    for cubes in law.groups:
        if cubes.cube_dimension == 0:
            continue
        for affine in cubes.affine:
            offset, matrix = affine[:, 0], affine[:, 1:]
            size = np.abs(affine).max()
            if size == 0 or not np.abs(matrix).max():
                continue
            at, *_ = np.linalg.lstsq(matrix, -offset, rcond=None)
            at = np.clip(at, 0.0, 1.0)
            if np.abs(offset + matrix @ at).max() <= _ON * size:
                return True
    return False


def weighted_pairs(
    chart: Charts, W_enc: Array, b_enc: Array, at_origin: NDArray[np.bool_]
) -> tuple[Array, Array]:
    """Return Q_ij = E[t_i t_jᵀ/‖x‖²] and E[t_i yᵀ/‖x‖²] on every component.

    Parameters
    ----------
    chart : Charts
    W_enc, b_enc : (d, n) and (n,) arrays
    at_origin : (n,) array of bool
        c_i: whether t_i counts relative to a latent that is on at x = 0.

    Returns
    -------
    (C, n, 3, 3, n) and (C, n, 3, 2) arrays
    """
    k = chart.cubes.cube_dimension
    regions = (_points, _segments, _parallelograms)[k]
    side = np.where(at_origin, -1.0, 1.0)
    pair, whole = regions(chart, W_enc, b_enc, side)
    n = len(b_enc)
    index = np.arange(n)
    own = Weighted(pair.one[:, index, index], pair.linear[:, index, index],
                   pair.quadratic[:, index, index])  # fmt: skip

    # 1_i = c_i + side_i χ_i and s_i = side_i χ_i, where χ_i is the indicator of s_i ≠ 0.
    on = at_origin.astype(np.float64)
    both = pair.scaled(side[:, None] * side)
    alone = own.scaled(np.broadcast_to(side, own.one.shape))
    matrices = np.empty((*pair.one.shape[:2], 3, 3, n))
    matrices[:, :, 0, 0] = both.one
    mixed = both.linear + on[None, None, :, None] * alone.linear[:, :, None]
    matrices[:, :, 0, 1:] = mixed.transpose(0, 1, 3, 2)
    matrices[:, :, 1:, 0] = mixed.transpose(0, 2, 3, 1)
    square = both.quadratic + on[:, None, None, None] * alone.quadratic[:, None]
    square += on[None, None, :, None, None] * alone.quadratic[:, :, None]
    square += (on[:, None] * on)[None, :, :, None, None] * whole[:, None, None]
    matrices[:, :, 1:, 1:] = square.transpose(0, 1, 3, 4, 2)

    with_data = np.empty((*alone.one.shape, 3, 2))
    with_data[:, :, 0] = alone.linear
    with_data[:, :, 1:] = alone.quadratic + on[:, None, None] * whole[:, None]
    return matrices, with_data


def _points(chart: Charts, W_enc: Array, b_enc: Array, side: Array) -> tuple[Weighted, Array]:
    y = chart.origin
    squared = np.einsum("cy,cy->c", y, y)
    weight = np.where(squared > 0, 1.0 / np.where(squared > 0, squared, 1.0), 0.0)
    value = chart.cubes.affine[:, :, 0] @ W_enc + b_enc
    # Off at a point is p ≤ 0; away means on for latents that are off at 0, and else off.
    away = np.where(side > 0, value > 0, value <= 0).astype(np.float64)
    together = away[:, :, None] * away[:, None, :] * weight[:, None, None]
    quadratic = np.einsum("cy,cz->cyz", y, y)
    pair = Weighted(
        together,
        together[..., None] * y[:, None, None],
        together[..., None, None] * quadratic[:, None, None],
    )
    return pair, quadratic * weight[:, None, None]


def _segments(chart: Charts, W_enc: Array, b_enc: Array, side: Array) -> tuple[Weighted, Array]:
    """On a segment y = (s, height): integrals over intervals of s, divided by the length."""
    length = chart.edges[:, 0, 0]
    height = np.abs(chart.origin[:, 1])
    first, last = chart.origin[:, 0], chart.origin[:, 0] + length
    slope = W_enc.T @ chart.basis
    slope = slope * side[:, None]
    offset = side * b_enc + slope[:, :, 1] * chart.origin[:, 1][:, None]
    along = slope[:, :, 0]
    start, end = first[:, None], last[:, None]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        root = np.clip(-offset / along, start, end)
    low = np.where(along > 0, root, np.where((along < 0) | (offset > 0), start, end))
    high = np.where(along < 0, root, end)
    lows = np.maximum(low[:, :, None], low[:, None, :])
    highs = np.maximum(np.minimum(high[:, :, None], high[:, None, :]), lows)
    pair = _over_intervals(lows, highs, height[:, None, None])
    whole = _over_intervals(first, last, height)
    return pair.scaled(np.broadcast_to(1 / length[:, None, None], lows.shape)), (
        whole.quadratic / length[:, None, None]
    )


def _over_intervals(low: Array, high: Array, height: Array) -> Weighted:
    """Return ∫ (1, y, y yᵀ)/‖y‖² ds for y = (s, height), s from low to high."""
    near, far = height * height + low * low, height * height + high * high
    dot = height * height + low * high
    with np.errstate(divide="ignore", invalid="ignore"):
        angle = np.arctan2(height * (high - low), dot)
        inverse = np.where(height > 0, angle / height, (high - low) / dot)
        logarithm = 0.5 * np.log(far / near)
    # An interval that reaches 0 on a line through it: the weight there is multiplied by 0.
    inverse = np.where((dot > 0) | (height > 0), inverse, 0.0)
    logarithm = np.where((near > 0) & (far > 0), logarithm, 0.0)
    across = height * logarithm
    quadratic = np.stack(
        [
            np.stack([high - low - height * height * inverse, across], axis=-1),
            np.stack([across, height * height * inverse], axis=-1),
        ],
        axis=-2,
    )
    return Weighted(inverse, np.stack([logarithm, height * inverse], axis=-1), quadratic)


def _parallelograms(
    chart: Charts, W_enc: Array, b_enc: Array, side: Array
) -> tuple[Weighted, Array]:
    """On the square in u, mapped to y = origin + edges · u."""
    count, n = len(chart.origin), len(b_enc)
    preactivation = W_enc.T @ chart.cubes.affine
    preactivation[:, :, 0] += b_enc
    lines = unit_lines(preactivation * side[:, None])
    facets = cut_facets(lines)

    def points(line: Array, t: Array) -> Array:
        """Return y at t on lines of shape (..., 3).

        A facet within the square has |t| ≤ √2; an empty one may lie at infinity.
        """
        t = np.clip(t, -_BEYOND, _BEYOND)
        offset, normal_1, normal_2 = np.moveaxis(line, -1, 0)
        u = np.stack([-offset * normal_1 - t * normal_2, -offset * normal_2 + t * normal_1], -1)
        moved: Array = np.einsum("cyk,c...k->c...y", chart.edges, u)
        return moved + chart.origin.reshape(count, *[1] * (u.ndim - 2), 2)

    chord = _over_facets(
        points(lines[:, :, None], facets.chord_start), points(lines[:, :, None], facets.chord_end)
    )
    halves = np.broadcast_to(1.0 - 0.5 * np.eye(n), (count, n, n))
    chord = chord.scaled(halves)
    edge = np.broadcast_to(EDGES.T, (count, 1, 1, 4, 3))
    low = np.maximum(facets.edge_start[:, :, None], facets.edge_start[:, None])
    high = np.maximum(np.minimum(facets.edge_end[:, :, None], facets.edge_end[:, None]), low)
    border = _over_facets(points(edge, low), points(edge, high))

    ends = np.array([[-1.0, 0.0, 0.0, -1.0], [0.0, 1.0, 1.0, 0.0]])
    outline = np.broadcast_to(EDGES.T, (count, 4, 3))
    full = _over_facets(
        points(outline, np.broadcast_to(ends[0], (count, 4))),
        points(outline, np.broadcast_to(ends[1], (count, 4))),
    )

    # t grows with the region on its right, so every sum comes out negative; and E = ∫ dy/area.
    determinant = np.linalg.det(chart.edges)
    pair = Weighted(
        chord.one + chord.one.transpose(0, 2, 1) + border.one.sum(axis=3),
        chord.linear + chord.linear.transpose(0, 2, 1, 3) + border.linear.sum(axis=3),
        chord.quadratic + chord.quadratic.transpose(0, 2, 1, 3, 4) + border.quadratic.sum(axis=3),
    )
    scale = -1.0 / determinant
    whole = full.quadratic.sum(axis=1) * scale[:, None, None]
    return pair.scaled(np.broadcast_to(scale[:, None, None], pair.one.shape)), whole


def _over_facets(start: Array, end: Array) -> Weighted:
    """Return h ∫ ds of ln‖y‖/‖y‖², y/‖y‖² and (1/2) y yᵀ/‖y‖² from start to end, (..., 2).

    With c = start × end = h · length and y = s e + h m on the facet, e its direction and m
    its normal, the angle is h ∫ ds/‖y‖² and the logarithm is ∫ s ds/‖y‖².
    """
    along = end - start
    length = np.hypot(along[..., 0], along[..., 1])
    safe = np.where(length > 0, length, 1.0)
    e = along / safe[..., None]
    m = np.stack([e[..., 1], -e[..., 0]], axis=-1)
    cross = start[..., 0] * end[..., 1] - start[..., 1] * end[..., 0]
    h = cross / safe
    angle = np.arctan2(cross, (start * end).sum(axis=-1))
    near, far = np.hypot(start[..., 0], start[..., 1]), np.hypot(end[..., 0], end[..., 1])
    # With h = 0 the facet points at 0 and adds nothing.
    seen = (h != 0) & (length > 0)
    logarithm = np.where(seen, np.log(np.where(seen, far / np.where(seen, near, 1), 1)), 0.0)
    angle = np.where(seen, angle, 0.0)

    linear = e * (h * logarithm)[..., None] + m * (h * angle)[..., None]
    ee = e[..., :, None] * e[..., None, :]
    em = e[..., :, None] * m[..., None, :]
    mm = m[..., :, None] * m[..., None, :]
    squared = (h * h * angle)[..., None, None]
    quadratic = 0.5 * (
        ee * (h * length)[..., None, None]
        + (mm - ee) * squared
        + (em + np.swapaxes(em, -1, -2)) * (h * h * logarithm)[..., None, None]
    )
    return Weighted(_log_over_angle(start, end, e, h, seen), linear, quadratic)


def _log_over_angle(
    start: Array, end: Array, e: Array, h: Array, seen: NDArray[np.bool_]
) -> Array:
    """Return ∫ ln‖y‖ dφ along a facet, with ‖y‖ = |h|/cos φ and φ from its foot."""
    distance = np.where(seen, np.abs(h), 1.0)
    phi_start = np.arctan2((start * e).sum(axis=-1), distance)
    phi_end = np.arctan2((end * e).sum(axis=-1), distance)
    value = (phi_end - phi_start) * np.log(2 * distance)
    value -= 0.5 * (_clausen(np.pi - 2 * phi_end) - _clausen(np.pi - 2 * phi_start))
    return np.where(seen, np.sign(h) * value, 0.0)


def _clausen(theta: Array) -> Array:
    """Return Cl2(θ) = Im Li2(e^{iθ}); ∫_0^φ ln(2 cos t) dt = Cl2(π - 2φ)/2."""
    dilogarithm: Array = special.spence(1.0 - np.exp(1j * theta)).imag
    return dilogarithm
