"""An independent route: adaptive quadrature of pointwise definitions, with its error estimate.

Nothing here knows moments of cut cubes, polar sets or closed forms. A code's gauge is found
from its definition, by trying every choice of d atoms.
"""

from collections.abc import Callable
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import integrate

from solvers.autoencoders.autoencoder import Sae
from solvers.laws.arrays import law_arrays
from theory.laws.law import Law

Array = NDArray[np.float64]
Pointwise = Callable[[Array], Array]

# Components whose cubes are subdivided together, which saves calls of the function.
_TOGETHER = 8


def quadrature_expectation(
    law: Law, function: Pointwise, *, tolerance: float = 1e-8
) -> tuple[float, float]:
    """Return E g(x) and its error estimate, by `scipy.integrate.cubature` on every component.

    Parameters
    ----------
    law : Law
    function : callable
        From samples (N, d) to values (N,).
    tolerance : float
        Absolute, on each component.

    Examples
    --------
    >>> from theory import load_law
    >>> value, error = quadrature_expectation(load_law("independent"), lambda x: x[:, 0] ** 2)
    >>> abs(value - 1 / 3) < 1e-9
    True
    """
    total, error = 0.0, 0.0
    for cubes in law_arrays(law).groups:
        k = cubes.cube_dimension
        for first in range(0, len(cubes.probability), _TOGETHER):
            probability = cubes.probability[first : first + _TOGETHER]
            affine = cubes.affine[first : first + _TOGETHER]

            def at(u: Array, affine: Array = affine) -> Array:
                x = affine[:, :, 0] + np.einsum("nk,cdk->ncd", u, affine[:, :, 1:])
                values: Array = function(x.reshape(-1, x.shape[2])).reshape(x.shape[:2])
                return values

            if k == 0:
                total += float(probability @ at(np.zeros((1, 0)))[0])
                continue
            found = integrate.cubature(
                at, np.zeros(k), np.ones(k), atol=tolerance, rtol=0.0, max_subdivisions=20_000
            )
            total += float(probability @ found.estimate)
            converged = found.status == "converged"
            error += float(probability @ found.error) if converged else np.inf
    return total, error


def pointwise_loss(sae: Sae, l1: float) -> Pointwise:
    """Return x ↦ ‖x - x̂‖² + λ Σ f_i, straight from the SAE's definition."""

    def loss(x: Array) -> Array:
        squared = np.square(x - sae.reconstruction(x)).sum(axis=1)
        total: Array = squared + l1 * sae.activations(x).sum(axis=1)
        return total

    return loss


def pointwise_gauge(atoms: ArrayLike) -> Pointwise:
    """Return x ↦ min Σ f_i with Σ f_i d_i = x, f ≥ 0, over every choice of d atoms.

    Examples
    --------
    >>> gauge = pointwise_gauge([[1, 0], [-1, 0], [0, 1], [0, -1]])
    >>> gauge(np.array([[3.0, -4.0]])).tolist()
    [7.0]
    """
    rows = np.asarray(atoms, dtype=np.float64)
    bases = np.array(
        [rows[list(chosen)] for chosen in combinations(range(len(rows)), len(rows[0]))]
    )
    bases = bases[np.abs(np.linalg.det(bases)) > 1e-9]
    inverses = np.linalg.inv(bases)

    def gauge(x: Array) -> Array:
        activations = x @ inverses
        feasible = (activations >= -1e-12).all(axis=2)
        totals = np.where(feasible, activations.sum(axis=2), np.inf)
        least: Array = totals.min(axis=0)
        return least

    return gauge
