"""Expectations that the loss of a JumpReLU SAE and its exact gradient are made of, on every law.

f_i = p_i 1{p_i > θ_i} jumps by θ_i where φ_i = p_i - θ_i vanishes, and with it the loss ℓ at x by

    ℓ_on - ℓ_off = θ_i² ‖d_i‖² - 2 θ_i d_i·(x - b - Σ_{j≠i} f_j d_j) + penalty_i θ_i + λ₀,

λ₀ being charged for every latent that fires. So the gradient has two parts,

    d E ℓ = E ∂ℓ + Σ_i E[δ(φ_i) (ℓ_on - ℓ_off) ∂φ_i],

the second for the mass of x that starts or stops to fire latent i. Both need pairs of latents
only: moments of cubes cut by shifted planes, and on such planes (`solvers.laws.boundary_moments`),
or of normal pre-activations. On points nothing is on a plane, and the second part is 0: there the
loss is piecewise constant in θ and, at jumps, has no gradient. ReLU is θ = 0, and then with λ₀ = 0
the second part vanishes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.laws.arrays import Cubes, LawArrays, Normals
from solvers.laws.boundary_moments import boundary_moments
from solvers.laws.half_space_moments import check_cost
from solvers.laws.normal_moments import normal_moments
from solvers.losses.sums import Sums, Weights, add_cubes, add_points, blocks

Array = NDArray[np.float64]

# Pairs of latents and components at once: each takes a matrix and several maps.
_PAIRS_AT_ONCE = 2**13


@dataclass(eq=False)
class BoundarySums(Sums):
    """The sums of an SAE whose loss jumps at breaks φ_l = v_l·x + c_l, at p_i - θ_i of JumpReLU.

    Parameters
    ----------
    to_breaks : tuple of (d, m) and (m,) arrays
        The derivatives in v and c: the boundary terms. Where a break moves with W_enc and b_enc,
        they are counted there too.
    """

    to_breaks: tuple[Array, Array]

    @property
    def to_threshold(self) -> Array:
        """The derivative in θ."""
        return -self.to_breaks[1]

    @classmethod
    def zero(cls, n: int, d: int, m: int) -> "BoundarySums":
        """Return the sums over nothing, of n latents and m breaks."""
        return cls(
            np.zeros(n), np.zeros(n), np.zeros((n, d)), np.zeros((n, n)),
            np.zeros((d, n)), np.zeros(n), (np.zeros((d, m)), np.zeros(m)),
        )  # fmt: skip


def jump_sums_over(law: LawArrays, weights: Weights, l0: float) -> BoundarySums:
    """Return the sums; derivatives are of E ‖x - x̂‖² + Σ (penalty_i E f_i + λ₀ P(f_i > 0)).

    Parameters
    ----------
    law : LawArrays
    weights : Weights
        With its threshold an array, θ ≥ 0.
    l0 : float
        λ₀.

    Raises
    ------
    InputError
        If it would take minutes (`check_cost`).

    Examples
    --------
    On u uniform on [0, 1] a latent f = u 1{u > θ} with d = 1, b = 0 costs
    ∫_0^θ u² du + λ₀ (1 - θ), whose derivative in θ is θ² - λ₀:

    >>> from solvers.laws.arrays import law_arrays
    >>> from theory import load_law
    >>> law = law_arrays(load_law({"features": 1, "firing": 1, "magnitude": {"uniform": [0, 1]}}))
    >>> one, zero = np.ones((1, 1)), np.zeros(1)
    >>> weights = Weights(one, zero, one, zero, zero, np.array([0.5]))
    >>> jump_sums_over(law, weights, 0.1).to_threshold.round(12).tolist()
    [0.15]
    """
    d, n = weights.W_enc.shape
    check_cost(law, n)
    sums = BoundarySums.zero(n, d, n)
    for cubes in law.cubes:
        if not cubes.cube_dimension:
            add_points(sums, cubes, weights)
            continue
        add_cubes(sums, cubes, weights)
        _add_boundaries(sums, cubes, weights, l0)
    for normals in law.normals:
        _add_normals(sums, normals, weights, l0)
    return sums


def _add_boundaries(sums: BoundarySums, cubes: Cubes, weights: Weights, l0: float) -> None:
    W_enc, b_enc = weights.W_enc, weights.b_enc
    n = len(b_enc)
    theta = np.broadcast_to(weights.threshold, n)
    atoms, between = weights.atoms, _between(weights)
    for probability, affine in blocks(cubes, max(1, _PAIRS_AT_ONCE // (n * n))):
        a = W_enc.T @ affine
        a[:, :, 0] += b_enc
        above = a.copy()
        above[:, :, 0] -= theta
        planes = boundary_moments(above)
        # ℓ_on - ℓ_off but for the other latents, as a function of ũ.
        jump = -2.0 * theta[:, None] * (atoms @ affine)
        jump[:, :, 0] += _at_threshold(weights, theta, l0)
        own = np.einsum("ciist->cist", planes)
        moved = np.einsum("cist,cit->cis", own, jump)
        moved += (
            2.0
            * theta[:, None]
            * np.einsum("ij,cijst,cjt->cis", between, planes, a, optimize=True)
        )
        _move(sums, probability @ moved[:, :, 0], np.einsum(
            "c,cdk,cik->di", probability, affine, moved
        ))  # fmt: skip


def _between(weights: Weights) -> Array:
    """Return d_i·d_j of different latents, 0 on the diagonal."""
    gram = weights.gram.copy()
    np.fill_diagonal(gram, 0.0)
    return gram


def _at_threshold(weights: Weights, theta: Array, l0: float) -> Array:
    """Return what of ℓ_on - ℓ_off depends on no x."""
    squared = np.diagonal(weights.gram)
    shift = 2.0 * weights.atoms @ weights.b_dec + weights.penalty
    constant: Array = theta * (theta * squared + shift) + l0
    return constant


def _move(sums: BoundarySums, to_plane: Array, to_W_enc: Array) -> None:
    """Add what moving the planes p_i = θ_i changes."""
    to_weights, to_offsets = sums.to_breaks
    to_weights += to_W_enc
    to_offsets += to_plane
    sums.to_W_enc += to_W_enc
    sums.to_b_enc += to_plane


def _add_normals(sums: BoundarySums, normals: Normals, weights: Weights, l0: float) -> None:
    n = len(weights.b_enc)
    size = max(1, _PAIRS_AT_ONCE // (n * n))
    for start in range(0, len(normals.probability), size):
        part = slice(start, start + size)
        _add_some_normals(sums, Normals(*(array[part] for array in normals.arrays)), weights, l0)


def _add_some_normals(sums: BoundarySums, normals: Normals, weights: Weights, l0: float) -> None:
    W_enc, b_enc, b_dec, penalty = weights.W_enc, weights.b_enc, weights.b_dec, weights.penalty
    probability, mean, factor = normals.arrays
    theta = np.broadcast_to(weights.threshold, len(b_enc))
    gram, atoms, between = weights.gram, weights.atoms, _between(weights)
    read = W_enc.T @ factor
    above = mean @ W_enc + b_enc - theta
    found = normal_moments(above, read, boundaries=True)
    fires_at, at_both = found.fires_at_boundary, found.at_both_boundaries
    assert fires_at is not None
    assert at_both is not None
    fires, density = found.firing, found.density
    # v_i = C w_i, (C, n, d), and C d_i.
    spread = read @ factor.transpose(0, 2, 1)
    of_atoms = (factor @ (factor.transpose(0, 2, 1) @ atoms.T)).transpose(0, 2, 1)
    activation = found.activation + theta * fires
    with_active = found.fires_with + theta * found.both
    crossed = found.fires_with * theta[:, None]

    sums.firing += probability @ fires
    sums.activation += probability @ activation
    sums.together += np.tensordot(
        probability,
        found.together + crossed + crossed.transpose(0, 2, 1)
        + found.both * np.outer(theta, theta),
        1,
    )  # fmt: skip
    residual = mean - b_dec
    sums.with_residual += (probability[:, None] * activation).T @ residual
    sums.with_residual += np.einsum("c,cn,cnd->nd", probability, fires + theta * density, spread)

    # E ∂ℓ, by E[g x] = μ E g + Σ_j Cov(x, z_j) E ∂_j g. With r = d_i·(x - b):
    along = np.einsum("cnd,nd->cn", spread, atoms)
    ahead = residual @ atoms.T
    at_b = np.einsum("ij,cij->ci", 2.0 * gram, with_active)
    at_b += (penalty - 2.0 * ahead) * fires - 2.0 * along * density
    boundary_active = found.at_boundary + theta * fires_at
    own = np.einsum("ij,cij->ci", 2.0 * between, boundary_active)
    own += 2.0 * np.diagonal(gram) * theta * density
    own += (penalty - 2.0 * ahead) * density - 4.0 * along * found.slope
    others = 2.0 * gram * (found.both + theta * fires_at.transpose(0, 2, 1))
    at_W = at_b[:, :, None] * mean[:, None, :] + own[:, :, None] * spread + others @ spread
    at_W -= 2.0 * fires[:, :, None] * of_atoms

    # E[δ(φ_i) (ℓ_on - ℓ_off) ∂φ_i], x given φ_i = 0 of mean x0 and covariance C - v vᵀ/s².
    variance = np.einsum("cnk,cnk->cn", read, read)
    per = np.where(variance > 0, 1.0 / np.where(variance > 0, variance, 1.0), 0.0)
    at_plane = mean[:, None, :] - spread * (above * per)[:, :, None]
    constant = _at_threshold(weights, theta, l0)
    constant = constant - 2.0 * theta * np.einsum("cnd,nd->cn", at_plane, atoms)
    jump = density * constant + 2.0 * theta * np.einsum("ij,cij->ci", between, boundary_active)
    across = of_atoms - spread * (along * per)[:, :, None]
    jump_x = jump[:, :, None] * at_plane - 2.0 * (theta * density)[:, :, None] * across
    rates = 2.0 * theta[:, None] * between * (fires_at + theta * at_both)
    covariance = read @ read.transpose(0, 2, 1)
    jump_x += rates @ spread
    jump_x -= spread * ((rates * covariance).sum(axis=2) * per)[:, :, None]

    sums.to_b_enc += probability @ at_b
    sums.to_W_enc += np.einsum("c,cnd->dn", probability, at_W)
    _move(sums, probability @ jump, np.einsum("c,cnd->dn", probability, jump_x))
