r"""Moments of the unit cube on a plane where one pre-activation is 0 and another positive.

With ũ = (1, u) and pre-activations a_i · ũ, a_i = (β_i, α_i), a loss that jumps where latent i
starts to fire needs, for its gradient,

    S_ij = E[δ(a_i·ũ) 1{a_j·ũ > 0} ũ ũᵀ] = ∫_{a_i·ũ = 0, a_j·ũ > 0} ũ ũᵀ dS/‖α_i‖,

u uniform on [0, 1]^k. Solved for its pivot u_m, the coordinate of largest |α_m|, the plane is the
part 0 < u_m < 1 of a cube of k - 1 dimensions, so that with T the affine map from there

    S_ij = T (Q[u_m > 0, a_j·ũ > 0] - Q[u_m > 1, a_j·ũ > 0]) Tᵀ/|α_m|,

Q the moments of a cube cut by two half-spaces. On points there is no plane. Where a latent's
pre-activation does not depend on u, the density of where it vanishes does not exist, and 0 is
returned. This module knows no SAE.
"""

import numpy as np
from numpy.typing import NDArray

from solvers.laws.cut_cube import cut_cube_moments

Array = NDArray[np.float64]


def boundary_moments(a: Array) -> Array:
    """Return S_ij for every component and pair of latents; on the diagonal the whole plane.

    Parameters
    ----------
    a : (C, n, 1+k) array

    Returns
    -------
    (C, n, n, 1+k, 1+k) array

    Examples
    --------
    On [0, 1], u = 1/2 has density 1 where u - 1/2 is 0, and lies where u - 1/4 is positive:

    >>> found = boundary_moments(np.array([[[-0.5, 1.0], [-0.25, 1.0]]]))
    >>> found[0, 0, 1].tolist(), found[0, 1, 0].tolist()
    ([[1.0, 0.5], [0.5, 0.25]], [[0.0, 0.0], [0.0, 0.0]])
    """
    count, n, size = a.shape
    moments = np.zeros((count, n, n, size, size))
    if size == 1:
        return moments
    slopes = np.abs(a[:, :, 1:])
    pivot = slopes.argmax(axis=2)
    steepest = np.take_along_axis(slopes, pivot[:, :, None], axis=2)[:, :, 0]
    component, latent = np.nonzero(steepest > 0)
    if not len(component):
        return moments
    maps = _charts(a[component, latent], pivot[component, latent])
    others = np.einsum("rus,rnu->rns", maps, a[component])
    rows = np.arange(len(component))
    # Beside itself nothing is cut off.
    others[rows, latent] = np.eye(size - 1)[0]
    above = maps[rows, 1 + pivot[component, latent]]
    beyond = above.copy()
    beyond[:, 0] -= 1.0
    flat = others.reshape(-1, size - 1)
    on_plane = (_moments(np.repeat(above, n, axis=0), flat)
                - _moments(np.repeat(beyond, n, axis=0), flat))  # fmt: skip
    on_plane = on_plane.reshape(len(rows), n, size - 1, size - 1)
    found = np.einsum("rus,rnst,rvt->rnuv", maps, on_plane, maps, optimize=True)
    moments[component, latent] = found / steepest[component, latent][:, None, None, None]
    return moments


def _charts(planes: Array, pivot: NDArray[np.intp]) -> Array:
    """Return the maps T from (1, other coordinates) to ũ on each plane, (rows, 1+k, k)."""
    count, size = planes.shape
    maps = np.zeros((count, size, size - 1))
    for row, (plane, m) in enumerate(zip(planes, pivot, strict=True)):
        kept = np.delete(np.arange(size), m + 1)
        maps[row, kept, np.arange(size - 1)] = 1.0
        maps[row, m + 1] = -plane[kept] / plane[m + 1]
    return maps


def _moments(p: Array, q: Array) -> Array:
    """Return E[1{p·ũ > 0} 1{q·ũ > 0} ũ ũᵀ] of each row, in any dimension."""
    size = p.shape[1]
    if size == 1:
        fires = ((p > 0) & (q > 0)).astype(np.float64)
        return fires[:, :, None]
    if size > 2:
        return cut_cube_moments(p, q)
    (low, high), (least, most) = _interval(p), _interval(q)
    start, end = np.maximum(low, least), np.minimum(high, most)
    length, middle = np.maximum(end - start, 0.0), (start + end) / 2
    found = np.empty((len(p), 2, 2))
    found[:, 0, 0] = length
    found[:, 0, 1] = found[:, 1, 0] = length * middle
    found[:, 1, 1] = length * (middle * middle + length * length / 12)
    return found


def _interval(p: Array) -> tuple[Array, Array]:
    """Return where p0 + p1 u > 0 within [0, 1]."""
    offset, slope = p[:, 0], p[:, 1]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        root = np.clip(-offset / slope, 0.0, 1.0)
    low = np.where(slope > 0, root, np.where((slope < 0) | (offset > 0), 0.0, 1.0))
    return low, np.where(slope < 0, root, 1.0)
