"""Expectations over pairs of latents that fire above thresholds: ReLU and JumpReLU, on every law.

A JumpReLU latent, f_i = p_i 1{p_i > θ_i}, fires on a half-space whose plane is shifted by θ_i, and
is affine in x there: f_i = (p_i - θ_i)₊ + θ_i 1{p_i > θ_i}. So the moments of pairs that serve a
ReLU SAE, taken for the pre-activations p_i - θ_i, give all that its loss needs; without the
gradient, which has boundary terms where f_i jumps.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.architectures import JumpReluSae
from solvers.autoencoders.autoencoder import Sae
from solvers.laws.arrays import Cubes, LawArrays, Normals
from solvers.laws.half_space_moments import check_cost, pair_moments, triangle_index
from solvers.laws.normal_moments import normal_moments

Array = NDArray[np.float64]

# Components of normals at once times pairs.
_PAIRS_AT_ONCE = 2**15


class PairExpectations(NamedTuple):
    """Expectations over a law.

    Parameters
    ----------
    firing : (n, n) array
        P(f_i > 0 and f_j > 0); on the diagonal P(f_i > 0).
    activation : (n,) array
        E f_i.
    with_residual : (n, d) array
        E[f_i (x - b_dec)].
    together : (n, n) array
        E[f_i f_j].
    """

    firing: Array
    activation: Array
    with_residual: Array
    together: Array


def pair_expectations(law: LawArrays, sae: Sae | JumpReluSae) -> PairExpectations:
    """Return the expectations, exactly.

    Raises
    ------
    InputError
        If it would take minutes (`check_cost`).

    Examples
    --------
    A standard normal above 1: E z 1{z > 1} = φ(1).

    >>> from solvers.laws.arrays import law_arrays
    >>> from theory import load_law
    >>> law = law_arrays(load_law({"features": 1, "firing": 0, "noise": 1}))
    >>> found = pair_expectations(law, JumpReluSae(Sae([[1]], [0], [[1]], [0]), [1]))
    >>> found.activation.round(9).tolist(), found.firing.round(9).tolist()
    ([0.241970725], [[0.158655254]])
    """
    n = sae.d_sae
    check_cost(law, n)
    threshold = sae.threshold if isinstance(sae, JumpReluSae) else np.zeros(n)
    sums = PairExpectations(
        np.zeros((n, n)), np.zeros(n), np.zeros((n, sae.d_in)), np.zeros((n, n))
    )
    for cubes in law.cubes:
        _add_cubes(sums, cubes, sae, threshold)
    for normals in law.normals:
        _add_normals(sums, normals, sae, threshold)
    return sums


def _add_cubes(
    sums: PairExpectations, cubes: Cubes, sae: Sae | JumpReluSae, threshold: Array
) -> None:
    index = triangle_index(1 + cubes.cube_dimension)
    for probability, affine in zip(cubes.probability, cubes.affine, strict=True):
        a = sae.W_enc.T @ affine
        a[:, 0] += sae.b_enc
        above = a.copy()
        above[:, 0] -= threshold
        moments = probability * pair_moments(above[None])[0][:, index]
        own = np.einsum("irsi,is->ir", moments, a)
        residual = affine.copy()
        residual[:, 0] -= sae.b_dec
        np.add(sums.activation, own[:, 0], out=sums.activation)
        np.add(sums.firing, moments[:, 0, 0, :], out=sums.firing)
        np.add(sums.together, np.einsum("ir,irsj,js->ij", a, moments, a), out=sums.together)
        np.add(sums.with_residual, own @ residual.T, out=sums.with_residual)


def _add_normals(
    sums: PairExpectations, normals: Normals, sae: Sae | JumpReluSae, threshold: Array
) -> None:
    size = max(1, _PAIRS_AT_ONCE // sae.d_sae**2)
    for start in range(0, len(normals.probability), size):
        probability, mean, factor = (array[start : start + size] for array in normals.arrays)
        read = sae.W_enc.T @ factor
        found = normal_moments(mean @ sae.W_enc + sae.b_enc - threshold, read)
        activation = found.activation + threshold * found.firing
        # E[f_i (x - μ)] = Cov(x, p_i) (P(fires) + θ_i · density at the threshold), by Stein.
        along = found.firing + threshold * found.density
        spread = read @ factor.transpose(0, 2, 1)
        crossed = found.fires_with * threshold[:, None]
        together = (
            found.together
            + crossed
            + crossed.transpose(0, 2, 1)
            + found.both * np.outer(threshold, threshold)
        )
        weighted = probability[:, None] * activation
        np.add(sums.activation, weighted.sum(axis=0), out=sums.activation)
        np.add(sums.firing, np.tensordot(probability, found.both, 1), out=sums.firing)
        np.add(sums.together, np.tensordot(probability, together, 1), out=sums.together)
        moved = weighted.T @ (mean - sae.b_dec)
        moved += np.einsum("c,cn,cnd->nd", probability, along, spread)
        np.add(sums.with_residual, moved, out=sums.with_residual)
