"""A law cut into cells, each of which stands for its mean, its probability and its radius.

No x of a cell is further from its mean than the radius. Cubes are cut evenly. Of a normal variable
the axes are cut evenly up to six standard deviations, and what is beyond is left out, so that
probabilities may sum to less than 1: enough for bounds from below.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import special

from solvers.laws.arrays import LawArrays

Array = NDArray[np.float64]

# Where a standard normal variable is cut off.
_FAR = 6.0


@dataclass(frozen=True, eq=False)
class LawCells:
    """Cells of a law.

    Parameters
    ----------
    mean : (m, d) array
    probability, radius : (m,) arrays
    """

    mean: Array
    probability: Array
    radius: Array


def law_cells(law: LawArrays, most: int) -> LawCells:
    """Return cells of a law, one a component at least, about `most` in all.

    Examples
    --------
    >>> from solvers.laws.arrays import law_arrays
    >>> from theory import load_law
    >>> cells = law_cells(law_arrays(load_law("shared")), 8)
    >>> cells.radius.round(6).tolist() == [round(2**0.5 / 4, 6)] * 8
    True
    """
    parts = [_of_cubes(group.affine, group.probability, False, law, most) for group in law.cubes]
    for normals in law.normals:
        affine = np.concatenate([normals.mean[:, :, None], normals.factor], axis=2)
        parts.append(_of_cubes(affine, normals.probability, True, law, most))
    mean, probability, radius = (np.concatenate(part) for part in zip(*parts, strict=True))
    kept = probability > 0
    return LawCells(mean[kept], probability[kept], radius[kept])


def _of_cubes(
    affine: Array, probability: Array, normal: bool, law: LawArrays, most: int
) -> tuple[Array, Array, Array]:
    k = affine.shape[2] - 1
    along = max(int((most / law.component_count) ** (1 / k) + 1e-9), 1) if k else 1
    middle, share, reach = _normal_axis(along) if normal else _even_axis(along)
    grid = np.array(list(product(range(along), repeat=k)), dtype=np.intp).reshape(along**k, k)
    u = np.hstack([np.ones((len(grid), 1)), middle[grid]])
    mean = np.einsum("nk,cdk->cnd", u, affine)
    weight = probability[:, None] * share[grid].prod(axis=1)
    # ‖M w‖ is at most either of these.
    edges = np.linalg.norm(affine[:, :, 1:], axis=1) @ reach[grid].T
    largest = np.array([np.linalg.norm(part, 2) if k else 0.0 for part in affine[:, :, 1:]])
    together = largest[:, None] * np.linalg.norm(reach[grid], axis=1)
    radius = np.minimum(edges, together)
    return mean.reshape(-1, law.dimension), weight.ravel(), radius.ravel()


def _even_axis(count: int) -> tuple[Array, Array, Array]:
    """Return means, probabilities and radii of cells of [0, 1]."""
    each = np.full(count, 1 / count)
    return (np.arange(count) + 0.5) / count, each, each / 2


def _normal_axis(count: int) -> tuple[Array, Array, Array]:
    """Return means, probabilities and radii of cells of a standard normal variable."""
    cuts = np.linspace(-_FAR, _FAR, count + 1)
    # From the nearer tail, so that small differences are accurate.
    share = np.where(cuts[:-1] >= 0, special.ndtr(-cuts[:-1]) - special.ndtr(-cuts[1:]),
                     special.ndtr(cuts[1:]) - special.ndtr(cuts[:-1]))  # fmt: skip
    density = np.exp(-0.5 * cuts**2) / np.sqrt(2 * np.pi)
    middle = (density[:-1] - density[1:]) / share
    return middle, share, np.maximum(cuts[1:] - middle, middle - cuts[:-1])
