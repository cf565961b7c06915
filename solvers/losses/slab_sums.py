"""What the rectangle kernel of straight-through estimation passes on, in expectation over a law.

With S_i = 1{-ε/2 < p_i - θ_i < ε/2}, the slab about latent i's threshold, and the derivative of
the loss in its activation, ∂_i = -2 d_i·(x - b - Σ_j f_j d_j) + penalty_i,

    E[S_i (θ_i ∂_i + λ₀)]/ε   and   E[S_i (θ_i ∂_i + λ₀) x]/ε

are what θ_i, and the encoder if it is passed on to the encoder, receive. ∂_i is affine in x and
the activations, and S_i is a difference of two half-spaces: pairs of half-spaces suffice, as for
the loss, those of the slabs being p_i > θ_i ± ε/2. The differences have absolute errors of a few
1e-16, the quotients of that over ε. On points both are plain sums.

A pre-activation that is constant on a component, and is so on the upper edge of its slab, counts
as in it.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.laws.arrays import Cubes, LawArrays, Normals
from solvers.laws.half_space_moments import check_cost, pair_moments, triangle_index
from solvers.laws.normal_moments import normal_moments
from solvers.losses.sums import Weights, blocks

Array = NDArray[np.float64]

# Pairs of half-spaces and components at once: each takes a matrix.
_PAIRS_AT_ONCE = 2**14
# Points at once times latents.
_ACTIVATIONS_AT_ONCE = 2**14


class SlabSums(NamedTuple):
    """What the slabs pass on.

    Parameters
    ----------
    mass : (n,) array
        P(|p_i - θ_i| < ε/2), the share of samples that move a threshold.
    passed : (n,) array
        E[S_i (θ_i ∂_i + λ₀)]/ε.
    passed_x : (d, n) array
        E[S_i (θ_i ∂_i + λ₀) x]/ε.
    """

    mass: Array
    passed: Array
    passed_x: Array


def slab_sums_over(law: LawArrays, weights: Weights, l0: float, bandwidth: float) -> SlabSums:
    """Return the sums over a law.

    Parameters
    ----------
    law : LawArrays
    weights : Weights
        With its threshold an array, θ ≥ 0.
    l0 : float
        λ₀.
    bandwidth : float > 0
        ε.

    Raises
    ------
    InputError
        If it would take minutes (`check_cost`).

    Examples
    --------
    On u uniform on [0, 1] a latent f = u 1{u > θ} with d = 1, b = 0 has ∂ = -2u below θ = 1/2 and
    0 above, so that with ε = 1/5 and λ₀ = 0 it passes on -½ ∫_0.4^0.5 2u du/ε:

    >>> from solvers.laws.arrays import law_arrays
    >>> from theory import load_law
    >>> law = law_arrays(load_law({"features": 1, "firing": 1, "magnitude": {"uniform": [0, 1]}}))
    >>> one, zero = np.ones((1, 1)), np.zeros(1)
    >>> weights = Weights(one, zero, one, zero, zero, np.array([0.5]))
    >>> found = slab_sums_over(law, weights, 0.0, 0.2)
    >>> found.mass.round(12).tolist(), found.passed.round(12).tolist()
    ([0.2], [-0.225])
    """
    d, n = weights.W_enc.shape
    check_cost(law, n)
    sums = SlabSums(np.zeros(n), np.zeros(n), np.zeros((d, n)))
    for cubes in law.cubes:
        (_add_cubes if cubes.cube_dimension else _add_points)(sums, cubes, weights, l0, bandwidth)
    for normals in law.normals:
        _add_normals(sums, normals, weights, l0, bandwidth)
    return SlabSums(sums.mass, sums.passed / bandwidth, sums.passed_x / bandwidth)


def _add_points(
    sums: SlabSums, points: Cubes, weights: Weights, l0: float, bandwidth: float
) -> None:
    gram, atoms, theta = weights.gram, weights.atoms, weights.threshold
    for probability, affine in blocks(points, max(1, _ACTIVATIONS_AT_ONCE // len(weights.b_enc))):
        x = affine[:, :, 0]
        z = x @ weights.W_enc + weights.b_enc
        f = np.where(z > theta, z, 0.0)
        inside = probability[:, None] * (np.abs(z - theta) < bandwidth / 2)
        slope = 2.0 * (f @ gram - (x - weights.b_dec) @ atoms.T) + weights.penalty
        passed = inside * (theta * slope + l0)
        _add(sums, inside.sum(axis=0), passed.sum(axis=0), x.T @ passed)


def _add_cubes(
    sums: SlabSums, cubes: Cubes, weights: Weights, l0: float, bandwidth: float
) -> None:
    n = len(weights.b_enc)
    theta = np.broadcast_to(weights.threshold, n)
    coefficients = 2.0 * theta[:, None] * weights.gram
    for probability, affine in blocks(cubes, max(1, _PAIRS_AT_ONCE // (9 * n * n))):
        a = weights.W_enc.T @ affine
        a[:, :, 0] += weights.b_enc
        below, above, fires = (a.copy() for _ in range(3))
        fires[:, :, 0] -= theta
        below[:, :, 0] -= theta - bandwidth / 2
        above[:, :, 0] -= theta + bandwidth / 2
        moments = pair_moments(np.concatenate([below, above, fires], axis=1))
        index = triangle_index(a.shape[2])
        between = moments[:, :n, :, 2 * n :] - moments[:, n : 2 * n, :, 2 * n :]
        whole = np.einsum("ciri->cir", moments)
        slabs = (whole[:, :n] - whole[:, n : 2 * n])[:, :, index]
        # θ_i ∂_i + λ₀ but for the activations, as a function of ũ.
        jump = -2.0 * theta[:, None] * (weights.atoms @ affine)
        jump[:, :, 0] += _constant(weights, theta, l0)
        passed = np.einsum("cist,cit->cis", slabs, jump)
        passed += np.einsum(
            "ij,cistj,cjt->cis", coefficients, between[:, :, index], a, optimize=True
        )
        _add(sums, probability @ slabs[:, :, 0, 0], probability @ passed[:, :, 0],
             np.einsum("c,cdk,cik->di", probability, affine, passed))  # fmt: skip


def _add_normals(
    sums: SlabSums, normals: Normals, weights: Weights, l0: float, bandwidth: float
) -> None:
    n = len(weights.b_enc)
    size = max(1, _PAIRS_AT_ONCE // (9 * n * n))
    for start in range(0, len(normals.probability), size):
        part = slice(start, start + size)
        some = Normals(*(array[part] for array in normals.arrays))
        _add_some_normals(sums, some, weights, l0, bandwidth)


def _add_some_normals(
    sums: SlabSums, normals: Normals, weights: Weights, l0: float, bandwidth: float
) -> None:
    """Add what normal components contribute, by E[g x] = μ E g + Σ_m Cov(x, z_m) E ∂_m g."""
    probability, mean, factor = normals.arrays
    n = len(weights.b_enc)
    theta = np.broadcast_to(weights.threshold, n)
    atoms = weights.atoms
    read = weights.W_enc.T @ factor
    above = mean @ weights.W_enc + weights.b_enc - theta
    planes = np.concatenate([above + bandwidth / 2, above - bandwidth / 2, above], axis=1)
    found = normal_moments(planes, np.tile(read, (1, 3, 1)), boundaries=True)
    assert found.fires_at_boundary is not None
    fires, density, slope, both, fires_with, at_edge, fires_at_edge = (
        moments[:, :n] - moments[:, n : 2 * n]
        for moments in (found.firing, found.density, found.slope, found.both, found.fires_with,
                        found.at_boundary, found.fires_at_boundary)
    )  # fmt: skip
    of_latent = slice(2 * n, None)
    at_latent = found.fires_at_boundary[:, of_latent].transpose(0, 2, 1)
    # E[S_i f_j], E[∂S_i f_j] and E[S_i ∂f_j].
    active = fires_with[:, :, of_latent] + theta * both[:, :, of_latent]
    active_at_edge = at_edge[:, :, of_latent] + theta * fires_at_edge[:, :, of_latent]
    moving = both[:, :, of_latent] + theta * (at_latent[:, :n] - at_latent[:, n : 2 * n])

    # C w_i and C d_i, (C, n, d).
    spread = read @ factor.transpose(0, 2, 1)
    of_atoms = (factor @ (factor.transpose(0, 2, 1) @ atoms.T)).transpose(0, 2, 1)
    along = np.einsum("cnd,nd->cn", spread, atoms)
    ahead = mean @ atoms.T
    # E[S_i d_i·x] and E[∂S_i d_i·x].
    projected = ahead * fires + along * density
    projected_at_edge = ahead * density + 2.0 * along * slope

    constant = _constant(weights, theta, l0)
    coefficients = 2.0 * theta[:, None] * weights.gram
    passed = constant * fires - 2.0 * theta * projected
    passed += np.einsum("ij,cij->ci", coefficients, active)
    at_edges = constant * density - 2.0 * theta * projected_at_edge
    at_edges += np.einsum("ij,cij->ci", coefficients, active_at_edge)
    passed_x = passed[:, :, None] * mean[:, None, :] + at_edges[:, :, None] * spread
    passed_x -= 2.0 * (theta * fires)[:, :, None] * of_atoms
    passed_x += (coefficients * moving) @ spread
    _add(sums, probability @ fires, probability @ passed,
         np.einsum("c,cnd->dn", probability, passed_x))  # fmt: skip


def _constant(weights: Weights, theta: Array, l0: float) -> Array:
    """Return what of θ_i ∂_i + λ₀ depends on no x."""
    constant: Array = theta * (2.0 * weights.atoms @ weights.b_dec + weights.penalty) + l0
    return constant


def _add(sums: SlabSums, mass: Array, passed: Array, passed_x: Array) -> None:
    for total, part in zip(sums, (mass, passed, passed_x), strict=True):
        np.add(total, part, out=total)
