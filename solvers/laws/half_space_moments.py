r"""Moments of the unit cube [0, 1]^k cut by two half-spaces, for every pair of latents.

With ũ = (1, u) and pre-activations a_i · ũ, all that an expected loss needs is

    Q_ij = E[ 1{a_i·ũ > 0} 1{a_j·ũ > 0} ũ ũᵀ ],    u uniform on [0, 1]^k.

The divergence theorem for a homogeneous g reduces an integral over a polytope P to its
facets F at (signed) distance h_F from the origin [ChinLasserreSukumar2015, section 2]:

    ∫_P g = 1/(k + deg g) Σ_F h_F ∫_F g.

Only the faces u_l = 1 and the two planes a·ũ = 0 have h_F ≠ 0. In the square all facets are
intervals, looked at for all pairs at once; from three dimensions on `cut_cube` recurses, at a
cost that grows with (k + 4)!. This module knows no SAE.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from solvers.laws.arrays import LawArrays
from solvers.laws.cut_cube import cut_cube_moments, squares_of_a_pair
from solvers.laws.cut_square import cut_square_moments, overlap, power_integrals
from theory.exact.errors import InputError

Array = NDArray[np.float64]

#: Squares of all pairs and components: more take minutes for one loss.
LARGEST_WORK = 10**7
# Pairs of normal pre-activations that take as long as a square.
_NORMALS_OF_A_SQUARE = 20


def pair_moments(preactivations: Array) -> Array:
    """Return Q_ij = E[1_i 1_j ũ ũᵀ] for every component and pair of latents.

    Parameters
    ----------
    preactivations : (C, n, 1+k) array
        Row a of component c and latent i: the pre-activation is a[0] + a[1:]·u.

    Returns
    -------
    (C, n, (1+k)(2+k)/2, n) array
        [c, i, :, j] is the upper triangle of Q_ij, row by row: 1, u1, ..., u1², u1u2, ...
        Absolute errors are a few 1e-16, also for parallel, coincident and nearly
        coincident lines.

    Examples
    --------
    The half u1 > 1/2 of the square: area 1/2, E u1 = 3/8, E u2 = 1/4.

    >>> pair_moments(np.array([[[-0.5, 1.0, 0.0]]]))[0, 0, :3, 0].round(12).tolist()
    [0.5, 0.375, 0.25]
    """
    return _MOMENTS.get(preactivations.shape[-1] - 1, _cube)(preactivations)


@lru_cache(maxsize=8)
def triangle_index(size: int) -> NDArray[np.intp]:
    """Return where each entry of a symmetric matrix stands in its upper triangle, row by row.

    Examples
    --------
    >>> triangle_index(2).tolist()
    [[0, 1], [1, 2]]
    """
    index = np.zeros((size, size), dtype=np.intp)
    upper = np.triu_indices(size)
    index[upper] = np.arange(len(upper[0]))
    return np.maximum(index, index.T)


def _point(a: Array) -> Array:
    fires = (a[..., 0] > 0).astype(np.float64)
    return fires[:, :, None, None] * fires[:, None, None, :]


def _segment(a: Array) -> Array:
    offset, slope = a[..., 0], a[..., 1]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        root = np.clip(-offset / slope, 0.0, 1.0)
    low = np.where(slope > 0, root, np.where((slope < 0) | (offset > 0), 0.0, 1.0))
    high = np.where(slope < 0, root, 1.0)
    length, middle = overlap(low[:, :, None], high[:, :, None], low[:, None, :], high[:, None, :])
    return power_integrals(length, middle)


def check_cost(law: LawArrays, n: int) -> None:
    """Raise `InputError` if the moments of n half-spaces would take minutes.

    Examples
    --------
    >>> from solvers.laws.arrays import law_arrays
    >>> from theory import load_law
    >>> check_cost(law_arrays(load_law("shared")), 10_000)
    """
    if law.in_plane_cells:
        return
    solid = [cubes for cubes in law.cubes if cubes.cube_dimension > 2]
    work = (
        sum(len(cubes.probability) * squares_of_a_pair(cubes.cube_dimension) for cubes in solid)
        + sum(len(normals.probability) for normals in law.normals) / _NORMALS_OF_A_SQUARE
    )
    if work * (n * (n + 1) // 2) > LARGEST_WORK:
        most = (math.isqrt(1 + int(8 * LARGEST_WORK / work)) - 1) // 2
        together = f"up to {solid[-1].cube_dimension} features of random magnitude are active"
        hint = together if solid else f"it has {law.component_count:,} components"
        raise InputError("latents", f"at most {most} for this law", n, hint=hint)


def _cube(a: Array) -> Array:
    count, n, size = a.shape
    # Of a pair in either order the moments are the same.
    first, second = np.triu_indices(n)
    p, q = a[:, first].reshape(-1, size), a[:, second].reshape(-1, size)
    row, column = np.triu_indices(size)
    found = cut_cube_moments(p, q)[:, row, column].reshape(count, len(first), len(row))
    moments = np.empty((count, n, n, len(row)))
    moments[:, first, second] = moments[:, second, first] = found
    return np.ascontiguousarray(moments.transpose(0, 1, 3, 2))


_MOMENTS: dict[int, Callable[[Array], Array]] = {0: _point, 1: _segment, 2: cut_square_moments}
