"""The radial bound from below, for laws with cubes of three dimensions or more, or normals.

The loss of the distance, h(r) = λ r - λ²/4 if r ≥ λ/2, else r², is convex and increasing, so
h(‖M u + o - b‖) is convex in u; over a cell symmetric about its middle its mean is then at
least its value there (Jensen). A normal variable's axes are cut at quantiles, and the middle is
the mean of each cell. So the midpoint rule bounds

    min_b E h(‖x - b‖)

from below, whatever the number of cells: what it misses only makes the bound weaker.
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from solvers.laws.arrays import LawArrays

Array = NDArray[np.float64]

# Cells of all components of the law, their coordinates, and cells along one side, at most.
_CELLS = 2**17
_COORDINATES = 2**21
_ALONG = 64


def midpoint_bound(law: LawArrays, l1: float, symmetric: bool) -> tuple[float, float]:
    """Return a lower bound on min_b E h(‖x - b‖), and how far the search for b may be off.

    Examples
    --------
    No SAE at all has E ‖x - E x‖²; the bound is below that:

    >>> from solvers.laws.arrays import law_arrays
    >>> from theory import load_law
    >>> law = law_arrays(load_law({"sets": [1, 1, 1]}))
    >>> midpoint_bound(law, 0.5, False)[0] < law.spread
    True
    """
    x, weight = _midpoints(law)
    if symmetric:
        return _value(np.zeros(law.dimension), x, weight, l1)[0], 0.0
    found = optimize.minimize(
        _value, law.mean, (x, weight, l1), "BFGS", True, options={"gtol": 1e-9}
    )
    # By convexity the minimum is at most |gradient| · distance lower, and it lies within the
    # law's convex hull.
    diameter = 2.0 * float(np.linalg.norm(x, axis=1).max())
    slack = float(np.linalg.norm(found.jac)) * diameter
    return max(float(found.fun) - slack, 0.0), slack


def _midpoints(law: LawArrays) -> tuple[Array, Array]:
    """Return the middles of cells (m, d) and their probabilities."""
    count = law.component_count
    cells = min(_CELLS, _COORDINATES // law.dimension)
    points, weights = [], []
    groups: list[tuple[bool, Array, Array]] = [
        *((False, cubes.probability, cubes.affine) for cubes in law.cubes),
        *(
            (True, part.probability, np.concatenate([part.mean[:, :, None], part.factor], axis=2))
            for part in law.normals
        ),
    ]
    for normal, probability, affine in groups:
        k = affine.shape[2] - 1
        along = min(_ALONG, int((cells / count) ** (1 / k)) or 1) if k else 1
        middles = _normal_middles(along) if normal else (np.arange(along) + 0.5) / along
        grid = np.array(list(product(middles, repeat=k)))
        u = np.hstack([np.ones((len(grid), 1)), grid])
        points.append(np.einsum("nk,cdk->cnd", u, affine).reshape(-1, law.dimension))
        weights.append(np.repeat(probability / len(grid), len(grid)))
    return np.concatenate(points), np.concatenate(weights)


def _normal_middles(count: int) -> Array:
    """Return the means of a standard normal variable between its quantiles, equally likely."""
    cuts = special.ndtri(np.arange(count + 1) / count)
    density = np.exp(-0.5 * cuts**2) / np.sqrt(2 * np.pi)
    means: Array = count * (density[:-1] - density[1:])
    return means


def _value(b: Array, x: Array, weight: Array, l1: float) -> tuple[float, Array]:
    """Return E h(‖x - b‖) over the middles, and its gradient."""
    away = x - b
    r = np.linalg.norm(away, axis=1)
    far = r >= l1 / 2
    h = np.where(far, l1 * r - l1 * l1 / 4, r * r)
    slope = np.where(far, l1 / np.where(r > 0, r, 1.0), 2.0)
    return float(weight @ h), -(weight * slope) @ away
