"""The exact Hessian of the expected squared loss, in all parameters and on the constraints.

With x̃ = (x, 1), ã_i = (w_i, b_i) and r = x - x̂, the gradient holds E[1_i x̃ (λ w_i - 2 d_i·r)].
Its own derivative has two parts: the integrand's, which needs the moments E[1_i 1_j x̃ x̃ᵀ]
only, and that of the region {ã_i·x̃ > 0}, which moves with ã_i:

    B_i = ∫ δ(ã_i·x̃) x̃ x̃ᵀ (λ w_i - 2 d_i·r).

On a component δ(a_i·ũ) leaves the chord a_i·ũ = 0 of the square, divided by |∇(a_i·ũ)|, or
one point of a segment. Along a chord f_j is affine on the part of it where latent j fires, so
the integrand is cubic there and two Gauss nodes integrate it exactly.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import Cubes, LawArrays
from solvers.laws.cut_square import cut_facets, unit_lines
from solvers.laws.half_space_moments import pair_moments, triangle_index
from solvers.losses.expected_loss import loss_parts
from solvers.losses.parameters import LossOfVector
from theory.exact.errors import InputError

Array = NDArray[np.float64]

_GAUSS = 1.0 / np.sqrt(3.0)
_ROUNDING = 1e-12
# Step of the central differences that stand in for the relative loss's second derivatives.
_STEP = 1e-5


class Curvature(NamedTuple):
    """Gradient and Hessian on the constraint manifold, in an orthonormal basis of its tangents.

    Parameters
    ----------
    gradient : (p,) array
    hessian : (p, p) array
        Symmetric; the second derivative along geodesics of the spheres ‖d_i‖ = 1.
    basis : (P, p) array
        Columns are the tangent directions among all P parameters.
    """

    gradient: Array
    hessian: Array
    basis: Array


def loss_hessian(
    law: LawArrays, W_enc: Array, b_enc: Array, W_dec: Array, b_dec: Array, objective: Objective
) -> Array:
    """Return the second derivatives in W_enc, b_enc, W_dec, b_dec, each row by row, no constraint.

    Where a chord or a point of a segment is about to leave a component the loss has no second
    derivative; what is returned is that of one side.

    Raises
    ------
    InputError
        For the relative reconstruction.

    Examples
    --------
    A latent that is off leaves E ‖x - b_dec‖², twice the identity in b_dec:

    >>> from solvers.laws.arrays import law_arrays
    >>> from theory.laws.presets import preset
    >>> off = np.zeros((2, 1)), np.array([-1.0]), np.array([[1.0, 0.0]]), np.zeros(2)
    >>> loss_hessian(law_arrays(preset("shared")), *off, Objective(0.1))[-2:, -2:].tolist()
    [[2.0, 0.0], [0.0, 2.0]]
    """
    if objective.reconstruction != "squared":
        raise InputError(
            "reconstruction", "'squared' for exact second derivatives", objective.reconstruction
        )
    d, n = W_enc.shape
    norms = np.linalg.norm(W_dec, axis=1)
    weighted = objective.sparsity == "decoder-norm"
    penalty = objective.l1 * norms if weighted else np.full(n, objective.l1)
    lines = np.column_stack([W_enc.T, b_enc])

    together = np.zeros((n, n, d + 1, d + 1))
    moving = np.zeros((n, d + 1, d + 1))
    for cubes in law.groups:
        extended = _extended(cubes)
        a = _without_rounding(lines, extended)
        weight = cubes.probability
        together += np.einsum(
            "c,cpk,cijkl,cql->ijpq", weight, extended, _moments(a), extended, optimize=True
        )
        boundary = _boundaries(a, cubes, W_dec, b_dec, penalty)
        moving += np.einsum("c,cpk,cikl,cql->ipq", weight, extended, boundary, extended)

    gram = W_dec @ W_dec.T
    applied = np.einsum("ijpq,jq->ijp", together, lines)
    alone = np.einsum("iipq->ipq", together)
    both = np.einsum("ip,ijp->ij", lines, applied)
    residual = (
        alone[:, :, :d]
        - alone[:, :, d:] * b_dec
        - np.einsum("ijp,je->ipe", applied, W_dec)
    )  # fmt: skip
    index = np.arange(n)
    activation = applied[index, index, d]

    to_lines = 2.0 * gram[:, :, None, None] * together
    to_lines[index, index] += moving
    to_atoms = 2.0 * np.einsum("ijp,ie->ijpe", applied, W_dec)
    to_atoms[index, index] -= 2.0 * residual
    atoms = np.einsum("ij,ef->ijef", 2.0 * both, np.eye(d))
    if weighted:
        unit = W_dec / np.where(norms > 0, norms, 1.0)[:, None]
        to_atoms[index, index] += objective.l1 * np.einsum("ip,ie->ipe", alone[:, :, d], unit)
        across = np.eye(d) - np.einsum("ie,if->ief", unit, unit)
        scale = objective.l1 * activation / np.where(norms > 0, norms, 1.0)
        atoms[index, index] += scale[:, None, None] * across
    line_to_b_dec = 2.0 * np.einsum("ip,ie->ipe", alone[:, :, d], W_dec)

    size = n * (2 * d + 1) + d
    hessian = np.zeros((size, size))
    place = _Places(d, n)
    for rows, columns, block in (
        (place.lines, place.lines, to_lines.transpose(0, 2, 1, 3)),
        (place.lines, place.atoms, to_atoms.transpose(0, 2, 1, 3)),
        (place.atoms, place.atoms, atoms.transpose(0, 2, 1, 3)),
        (place.lines, place.b_dec, line_to_b_dec),
        (place.atoms, place.b_dec, 2.0 * activation[:, None, None] * np.eye(d)),
        (place.b_dec, place.b_dec, 2.0 * np.eye(d)),
    ):
        values = block.reshape(len(rows), len(columns))
        hessian[np.ix_(rows, columns)] = values
        hessian[np.ix_(columns, rows)] = values.T
    decayed = np.concatenate([np.arange(d * n), place.atoms])
    hessian[decayed, decayed] += 2.0 * objective.weight_decay
    return hessian


class _Places:
    """Where w_i and b_i together, d_i and b_dec stand in the parameter vector."""

    def __init__(self, d: int, n: int) -> None:
        encoder = np.arange(d * n).reshape(d, n).T
        biases = np.arange(d * n, (d + 1) * n)[:, None]
        self.lines = np.hstack([encoder, biases]).ravel()
        self.atoms = np.arange((d + 1) * n, (2 * d + 1) * n)
        self.b_dec = np.arange((2 * d + 1) * n, (2 * d + 1) * n + d)


def _without_rounding(lines: Array, extended: Array) -> Array:
    """Return the pre-activations, exactly 0 where a latent's vanishes on a whole component.

    It has no boundary there that moves; the rest of a cancellation would make one up.
    """
    a = np.einsum("ip,cpk->cik", lines, extended)
    size = np.einsum("ip,cpk->cik", np.abs(lines), np.abs(extended)).max(axis=2, keepdims=True)
    vanishes = np.abs(a).max(axis=2, keepdims=True) <= _ROUNDING * size
    return np.asarray(np.where(vanishes, 0.0, a))


def _extended(cubes: Cubes) -> Array:
    """Return the maps from ũ to x̃ = (x, 1)."""
    count, _, size = cubes.affine.shape
    one = np.zeros((count, 1, size))
    one[:, 0, 0] = 1.0
    return np.concatenate([cubes.affine, one], axis=1)


def _moments(a: Array) -> Array:
    """Return Q_ij as (C, i, j, ũ, ũ)."""
    moments: Array = pair_moments(a)[:, :, triangle_index(a.shape[2])].transpose(0, 1, 4, 2, 3)
    return moments


def _boundaries(a: Array, cubes: Cubes, W_dec: Array, b_dec: Array, penalty: Array) -> Array:
    """Return ∫ δ(a_i·ũ) ũ ũᵀ (penalty_i - 2 d_i·r) for every component and latent."""
    count, n, size = a.shape
    # penalty_i - 2 d_i·(x - b) as an affine function of ũ, and what f_j adds to it.
    off = cubes.affine.copy()
    off[:, :, 0] -= b_dec
    without = -2.0 * (W_dec @ off)
    without[:, :, 0] += penalty
    gram = 2.0 * (W_dec @ W_dec.T)
    if size == 1:
        return np.zeros((count, n, 1, 1))
    if size == 2:
        return _at_points(a, without, gram)
    return _along_chords(a, without, gram)


def _at_points(a: Array, without: Array, gram: Array) -> Array:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        root = -a[:, :, 0] / a[:, :, 1]
    inside = (root > 0) & (root < 1)
    root = np.where(inside, root, 0.0)
    u = np.stack([np.ones_like(root), root], axis=2)
    f = np.maximum(np.einsum("cik,cjk->cij", u, a), 0.0)
    own = np.eye(a.shape[1], dtype=bool)
    value = np.einsum("cik,cik->ci", u, without) + np.einsum(
        "ij,cij->ci", gram, np.where(own, 0.0, f)
    )
    slope = np.where(inside, np.abs(a[:, :, 1]), 1.0)
    total: Array = np.einsum("ci,cik,cil->cikl", np.where(inside, value / slope, 0.0), u, u)
    return total


def _along_chords(a: Array, without: Array, gram: Array) -> Array:
    steepness = np.hypot(a[:, :, 1], a[:, :, 2])
    lines = unit_lines(a)
    facets = cut_facets(lines)
    half = 0.5 * (facets.chord_end - facets.chord_start)
    middle = 0.5 * (facets.chord_end + facets.chord_start)
    # On a component where its pre-activation is constant a latent has no boundary.
    present = np.where(steepness > 0, 1.0 / np.where(steepness > 0, steepness, 1.0), 0.0)
    total = np.zeros((*a.shape, 3))
    own = np.arange(a.shape[1])
    for sign in (-_GAUSS, _GAUSS):
        t = middle + sign * half
        u = np.empty((*t.shape, 3))
        u[..., 0] = 1.0
        u[..., 1] = -lines[:, :, None, 0] * lines[:, :, None, 1] - t * lines[:, :, None, 2]
        u[..., 2] = -lines[:, :, None, 0] * lines[:, :, None, 2] + t * lines[:, :, None, 1]
        weight = np.maximum(half, 0.0) * np.einsum("cijk,cjk->cij", u, a) * gram
        weight[:, own, own] = half[:, own, own] * np.einsum("cik,cik->ci", u[:, own, own], without)
        total += np.einsum("cij,cijk,cijl->cikl", weight, u, u)
    scaled: Array = total * present[:, :, None, None]
    return scaled


def kinks(loss: LossOfVector, vector: Array, within: float) -> Array:
    """Return the equations, one a row, by which latents vanish on whole components of the law.

    Where a pre-activation is 0 on a component of positive probability the loss has a kink: the
    latent fires there after a push to one side and not to the other. On the set C·vector = 0
    it is smooth again.

    Parameters
    ----------
    loss : LossOfVector
    vector : (P,) array
    within : float
        How large a pre-activation still counts as 0.

    Examples
    --------
    A latent with w along one diagonal and no bias is silent on the other, two segments:

    >>> from solvers.laws.arrays import law_arrays
    >>> from theory.laws.presets import preset
    >>> loss = LossOfVector(law_arrays(preset("shared")), Objective(0.1), 1)
    >>> kinks(loss, np.array([1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0]), 1e-9).shape
    (4, 7)
    """
    sae = loss.sae(vector)
    lines = np.column_stack([sae.W_enc.T, sae.b_enc])
    place = _Places(loss.law.dimension, loss.n_latents).lines.reshape(lines.shape)
    rows = []
    for cubes in loss.law.groups:
        extended = _extended(cubes)
        a = np.einsum("ip,cpk->cik", lines, extended)
        for c, i in np.argwhere(np.abs(a).max(axis=2) <= within):
            for column in extended[c].T:
                row = np.zeros(len(vector))
                row[place[i]] = column
                rows.append(row)
    return np.array(rows).reshape(len(rows), len(vector))


def curvature(loss: LossOfVector, vector: Array, equations: Array | None = None) -> Curvature:
    """Return gradient and Hessian of a loss on its constraint manifold at a parameter vector.

    Exact for the squared reconstruction; for the relative one the Hessian is a central
    difference of the exact gradient.

    Parameters
    ----------
    loss : LossOfVector
    vector : (P,) array
        With decoder="unit" its atoms have norm 1.
    equations : (m, P) array, optional
        Only directions in which these stay 0 count, as for `kinks`.
    """
    basis, atoms = _tangents(loss, vector)
    if equations is not None and len(equations):
        _, sizes, directions = np.linalg.svd(equations @ basis)
        basis = basis @ directions[np.count_nonzero(sizes > _ROUNDING * sizes[0]) :].T
    _, gradient = loss(vector)
    if loss.objective.reconstruction == "relative":
        forward = np.stack([loss(vector + _STEP * column)[1] for column in basis.T])
        backward = np.stack([loss(vector - _STEP * column)[1] for column in basis.T])
        hessian = (forward - backward) / (2 * _STEP) @ basis
        return Curvature(basis.T @ gradient, (hessian + hessian.T) / 2, basis)
    sae = loss.sae(vector)
    arrays = sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec
    hessian = loss_hessian(loss.law, *arrays, loss.objective)
    if atoms is not None:
        # The sphere bends away from the tangent: its second derivative is -(d_i·∂L/∂d_i).
        to_W_dec = loss_parts(loss.law, *arrays, loss.objective)[1].W_dec
        bend = np.repeat(np.einsum("ij,ij->i", to_W_dec, sae.W_dec), sae.d_in)
        hessian[atoms, atoms] -= bend
    return Curvature(basis.T @ gradient, basis.T @ hessian @ basis, basis)


def _tangents(loss: LossOfVector, vector: Array) -> tuple[Array, NDArray[np.intp] | None]:
    """Return a basis of the manifold's tangents and where the atoms' entries are, if held."""
    size, d, n = len(vector), loss.law.dimension, loss.n_latents
    if loss.objective.decoder == "free":
        return np.eye(size), None
    place = _Places(d, n).atoms
    basis = np.zeros((size, size - n))
    others = np.setdiff1d(np.arange(size), place)
    basis[others, np.arange(len(others))] = 1.0
    for i, entries in enumerate(place.reshape(n, d)):
        atom = vector[entries]
        across = np.linalg.svd(atom[None, :])[2][1:]
        start = len(others) + i * (d - 1)
        basis[entries, start : start + d - 1] = across.T
    return basis, place
