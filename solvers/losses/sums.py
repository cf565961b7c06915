"""Expectations over a law that the squared loss and its gradient are made of.

On a cube, x = X ũ with ũ = (1, u), and latent i's pre-activation is a_i·ũ. With
Q_ij = E[1_i 1_j ũ ũᵀ] (`solvers.laws.half_space_moments`),

    E f_i = e0·Q_ii a_i,   E[f_i x] = X Q_ii a_i,   E[f_i f_j] = a_i·Q_ij a_j.

ReLU is continuous, so a moving boundary between regions adds nothing to the gradient:

    ∂/∂a_i = 2 Σ_j d_i·d_j Q_ij a_j - 2 Q_ii (Xᵀ d_i - b·d_i e0) + λ w_i Q_ii e0.

On points that is a sum over them. On a normal component, x of mean μ and covariance C, the
pre-activations have means m_i = w_i·μ + b_i and covariances w_i·C w_j, E[f_i x] = μ E f_i +
P(f_i > 0) C w_i [Stein1981, lemma 2], and the gradient comes through both, by
∂/∂m_i E g = E ∂_i g and ∂/∂C_ij E g = E ∂_i ∂_j g (∂/∂C_ii: half of it).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.laws.arrays import Cubes, LawArrays, Normals
from solvers.laws.half_space_moments import check_cost, pair_moments, triangle_index
from solvers.laws.normal_moments import normal_moments

Array = NDArray[np.float64]

# Components are taken in blocks of about this many pairs, so that work stays in cache.
_PAIRS_AT_ONCE = 2**12
# More latents than this are taken in blocks of half as many, two blocks at a time, so that the
# moments of pairs never take more than some 50 MB; what grows with the width are four n × n
# arrays of doubles.
_LATENTS_AT_ONCE = 256
# Pairs of normal pre-activations at once: each takes some twenty arrays.
_NORMAL_PAIRS_AT_ONCE = 2**15
# Points at once times latents.
_ACTIVATIONS_AT_ONCE = 2**14


@dataclass(eq=False)
class Sums:
    """Expectations over a law, and derivatives of E ‖x - x̂‖² + Σ penalty_i E f_i.

    Parameters
    ----------
    firing, activation : (n,) arrays
        P(f_i > 0) and E f_i.
    with_residual : (n, d) array
        E[f_i (x - b_dec)].
    together : (n, n) array
        E[f_i f_j].
    to_W_enc, to_b_enc : (d, n) and (n,) arrays
    """

    firing: Array
    activation: Array
    with_residual: Array
    together: Array
    to_W_enc: Array
    to_b_enc: Array


@dataclass(frozen=True, eq=False)
class Weights:
    """The arrays of an SAE, what an activation costs, and what it must exceed.

    With prefixes, `held` is the weight of those that hold each latent: the products of atoms and
    of an atom with x count so many times.
    """

    W_enc: Array
    b_enc: Array
    W_dec: Array
    b_dec: Array
    penalty: Array
    threshold: Array | float = 0.0
    held: Array | None = None

    @cached_property
    def gram(self) -> Array:
        """d_i·d_j, times the weight of the prefixes that hold both."""
        products: Array = self.W_dec @ self.W_dec.T
        return products if self.held is None else products * self.held_together

    @property
    def held_together(self) -> Array:
        """The weight of the prefixes that hold both latents of a pair."""
        assert self.held is not None
        together: Array = np.minimum.outer(self.held, self.held)
        return together

    @cached_property
    def atoms(self) -> Array:
        """d_i, times the weight of the prefixes that hold it."""
        return self.W_dec if self.held is None else self.W_dec * self.held[:, None]


def sums_over(law: LawArrays, weights: Weights) -> Sums:
    """Return the sums of a ReLU SAE.

    Raises
    ------
    InputError
        If it would take minutes (`check_cost`).

    Examples
    --------
    One latent that reads a standard normal: E f = 1/√(2π), E f² = 1/2.

    >>> from solvers.laws.arrays import law_arrays
    >>> from theory import load_law
    >>> noise = law_arrays(load_law({"features": 1, "firing": 0, "noise": 1}))
    >>> one, zero = np.ones((1, 1)), np.zeros(1)
    >>> sums = sums_over(noise, Weights(one, zero, one, zero, zero))
    >>> sums.firing.tolist(), sums.together.tolist(), (sums.activation**2 * 2 * np.pi).round(12)
    ([0.5], [[0.5]], array([1.]))
    """
    d, n = weights.W_enc.shape
    check_cost(law, n)
    sums = Sums(
        np.zeros(n), np.zeros(n), np.zeros((n, d)), np.zeros((n, n)), np.zeros((d, n)), np.zeros(n)
    )
    for cubes in law.cubes:
        (add_cubes if cubes.cube_dimension else add_points)(sums, cubes, weights)
    for normals in law.normals:
        add_normals(sums, normals, weights)
    return sums


def add_points(sums: Sums, points: Cubes, weights: Weights) -> None:
    """Add what points contribute; a latent is active above its threshold."""
    for probability, affine in blocks(points, max(1, _ACTIVATIONS_AT_ONCE // len(weights.b_enc))):
        x = affine[:, :, 0]
        fires = x @ weights.W_enc + weights.b_enc > weights.threshold
        add_nodes(sums, probability, x, fires, weights)


def add_nodes(
    sums: Sums, probability: Array, x: Array, fires: NDArray[np.bool_], weights: Weights
) -> None:
    """Add what points x (N, d) contribute at which these latents (N, n) fire.

    Weights of a quadrature in place of `probability` (N,) may be negative.
    """
    gram, atoms = weights.gram, weights.atoms
    f = np.where(fires, x @ weights.W_enc + weights.b_enc, 0.0)
    weighted = probability[:, None] * f
    residual = x - weights.b_dec
    sums.firing += probability @ fires
    sums.activation += weighted.sum(axis=0)
    sums.with_residual += weighted.T @ residual
    sums.together += weighted.T @ f
    to_z = 2.0 * (f @ gram - residual @ atoms.T) + weights.penalty
    to_z *= fires * probability[:, None]
    sums.to_b_enc += to_z.sum(axis=0)
    sums.to_W_enc += x.T @ to_z


def add_normals(sums: Sums, normals: Normals, weights: Weights) -> None:
    """Add what normal components contribute, without thresholds."""
    W_enc, b_enc, b_dec, penalty = weights.W_enc, weights.b_enc, weights.b_dec, weights.penalty
    n = len(b_enc)
    gram, atoms = weights.gram, weights.atoms
    between = gram - np.diag(np.diagonal(gram))
    size = max(1, _NORMAL_PAIRS_AT_ONCE // (n * n))
    for start in range(0, len(normals.probability), size):
        part = slice(start, start + size)
        probability, mean, factor = (array[part] for array in normals.arrays)
        read = W_enc.T @ factor
        found = normal_moments(mean @ W_enc + b_enc, read)
        # C w_i, (C, n, d).
        spread = read @ factor.transpose(0, 2, 1)
        residual = mean - b_dec
        along = np.einsum("cnd,nd->cn", spread, atoms)
        per_activation = penalty - 2.0 * residual @ atoms.T

        sums.firing += probability @ found.firing
        sums.activation += probability @ found.activation
        sums.with_residual += (probability[:, None] * found.activation).T @ residual
        fires = probability[:, None] * found.firing
        sums.with_residual += np.einsum("cn,cnd->nd", fires, spread)
        sums.together += np.tensordot(probability, found.together, axes=1)

        to_mean = (
            2.0 * np.einsum("ij,cij->ci", gram, found.fires_with)
            + per_activation * found.firing
            - 2.0 * along * found.density
        )
        to_variance = (
            np.einsum("ij,cij->ci", between, found.at_boundary)
            + 0.5 * per_activation * found.density
            - 2.0 * along * found.slope
        )
        both = gram * found.both
        sums.to_b_enc += probability @ to_mean
        sums.to_W_enc += mean.T @ (probability[:, None] * to_mean)
        through = both @ spread + to_variance[:, :, None] * spread
        sums.to_W_enc += 2.0 * np.tensordot(probability, through, axes=1).T
        # C d_i, (C, d, n).
        of_atoms = factor @ (factor.transpose(0, 2, 1) @ atoms.T)
        sums.to_W_enc -= 2.0 * np.einsum("cn,cdn->dn", fires, of_atoms)


def add_cubes(sums: Sums, cubes: Cubes, weights: Weights) -> None:
    """Add what cubes contribute; of thresholds all but what moves with their planes."""
    W_enc, b_enc, b_dec, penalty = weights.W_enc, weights.b_enc, weights.b_dec, weights.penalty
    n = len(b_enc)
    gram, atoms = weights.gram, weights.atoms
    for probability, affine in blocks(cubes, max(1, _PAIRS_AT_ONCE // (n * n))):
        a = W_enc.T @ affine
        a[:, :, 0] += b_enc
        above = a
        if isinstance(weights.threshold, np.ndarray):
            above = a.copy()
            above[:, :, 0] -= weights.threshold
        own, own_applied, products, to_a = _pair_sums(a, above, probability, gram)

        sums.firing += probability @ own[:, :, 0, 0]
        sums.activation += probability @ own_applied[:, :, 0]
        # x - b as an affine map: the loss needs x in no other way.
        residual = affine.copy()
        residual[:, :, 0] -= b_dec
        sums.with_residual += np.einsum("c,cdk,cik->id", probability, residual, own_applied)
        sums.together += products

        against = -2.0 * (atoms @ residual)
        against[:, :, 0] += penalty
        to_a += np.einsum("cirs,cis->cir", own, against)
        sums.to_b_enc += probability @ to_a[:, :, 0]
        sums.to_W_enc += np.einsum("c,cdk,cik->di", probability, affine, to_a)


def blocks(cubes: Cubes, size: int) -> Iterator[tuple[Array, Array]]:
    """Yield probabilities and affine maps of a few components at a time."""
    for start in range(0, len(cubes.probability), size):
        yield cubes.probability[start : start + size], cubes.affine[start : start + size]


class _PairSums(NamedTuple):
    """Q_ii (C, i, ũ, ũ), Q_ii a_i (C, i, ũ), E[f_i f_j] and 2 Σ_j d_i·d_j Q_ij a_j (C, i, ũ)."""

    own: Array
    own_applied: Array
    together: Array
    to_a: Array


def _pair_sums(a: Array, above: Array, probability: Array, gram: Array) -> _PairSums:
    """Return what needs the moments of pairs, for any number of latents."""
    n = a.shape[1]
    if n <= _LATENTS_AT_ONCE:
        return _block_sums(a, above, probability, gram)
    own = np.empty((*a.shape, a.shape[2]))
    sums = _PairSums(own, np.empty_like(a), np.empty((n, n)), np.zeros_like(a))
    starts = range(0, n, _LATENTS_AT_ONCE // 2)
    blocks = [np.arange(start, min(start + starts.step, n)) for start in starts]
    for block in blocks:
        part = _block_sums(a[:, block], above[:, block], probability, gram[np.ix_(block, block)])
        sums.own[:, block] = part.own
        sums.own_applied[:, block] = part.own_applied
        sums.together[np.ix_(block, block)] = part.together
        sums.to_a[:, block] += part.to_a
    for first, second in combinations(blocks, 2):
        both, size = np.concatenate([first, second]), len(first)
        # Of the moments of both, those within one block have been counted.
        between = gram[np.ix_(both, both)]
        between[:size, :size] = between[size:, size:] = 0.0
        part = _block_sums(a[:, both], above[:, both], probability, between)
        sums.together[np.ix_(first, second)] = part.together[:size, size:]
        sums.together[np.ix_(second, first)] = part.together[size:, :size]
        sums.to_a[:, both] += part.to_a
    return sums


def _block_sums(a: Array, above: Array, probability: Array, gram: Array) -> _PairSums:
    """Return the sums of latents, which fire where `above` > 0, whose pairs fit in memory."""
    matrices = pair_moments(above)[:, :, triangle_index(a.shape[2])]
    own = np.einsum("cirsi->cirs", matrices)
    applied = np.einsum("cirsj,csj->cirj", matrices, a.transpose(0, 2, 1).copy())
    return _PairSums(
        own,
        np.einsum("ciri->cir", applied),
        np.einsum("cir,cirj->ij", a * probability[:, None, None], applied),
        np.einsum("ij,cirj->cir", 2.0 * gram, applied),
    )
