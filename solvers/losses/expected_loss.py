"""The exact expected loss of an SAE on a law, and its exact gradient. No sampling.

On a component, x = X ũ with ũ = (1, u), and latent i's pre-activation is a_i·ũ. With
Q_ij = E[1_i 1_j ũ ũᵀ] (`solvers.laws.half_space_moments`) and b = b_dec,

    E f_i = e0·Q_ii a_i,   E[f_i x] = X Q_ii a_i,   E[f_i f_j] = a_i·Q_ij a_j,
    E ‖x - x̂‖² = E ‖x - b‖² - 2 Σ_i d_i·E[f_i (x - b)] + Σ_ij d_i·d_j E[f_i f_j].

Rounding errors are a few 1e-16 times the largest of these terms: relative to the loss, they
grow when weights are so large that the terms cancel.

ReLU is continuous, so a moving boundary between regions adds nothing to the gradient:

    ∂/∂a_i = 2 Σ_j d_i·d_j Q_ij a_j - 2 Q_ii (Xᵀ d_i - b·d_i e0) + λ w_i Q_ii e0.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.autoencoder import Autoencoder, Sae
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import Cubes, LawArrays, law_arrays
from solvers.laws.half_space_moments import check_cost, pair_moments, triangle_index
from solvers.laws.inverse_square_moments import reaches_origin
from solvers.losses.piecewise_loss import piecewise_parts
from solvers.losses.relative_loss import reconstruction_at_origin, relative_parts
from solvers.runtime.arguments import checked
from theory.exact.errors import InputError
from theory.laws.law import Law

Array = NDArray[np.float64]

# Components are taken in blocks of about this many pairs, so that work stays in cache.
_PAIRS_AT_ONCE = 2**12
# More latents than this are taken in blocks of half as many, two blocks at a time, so that the
# moments of pairs never take more than some 50 MB; what grows with the width are four n × n
# arrays of doubles.
_LATENTS_AT_ONCE = 256


@dataclass(frozen=True, kw_only=True)
class ExpectedLoss:
    """The exact expected loss of an SAE on a law, in its parts.

    Parameters
    ----------
    total : float
        reconstruction + sparsity + weight_decay.
    reconstruction : float
        E ‖x - x̂‖².
    sparsity : float
        The penalty as it enters the loss: λ E Σ f_i, or λ E Σ f_i ‖d_i‖.
    weight_decay : float
        μ (‖W_enc‖² + ‖W_dec‖²).
    l1 : float
        E Σ f_i, whatever the penalty.
    l0 : float
        Expected number of latents that fire.
    firing : tuple of float
        Probability that each latent fires.
    objective : Objective
        The convention that the figures are in.
    reason : str
        Why the total is infinite; "" if it is not.
    """

    total: float
    reconstruction: float
    sparsity: float
    weight_decay: float
    l1: float
    l0: float
    firing: tuple[float, ...]
    objective: Objective
    reason: str = ""

    def __sub__(self, other: "ExpectedLoss") -> float:
        """Return the difference of the totals.

        Raises
        ------
        InputError
            If the two are of different conventions.
        """
        self.objective.check_comparable(other.objective)
        return self.total - other.total

    def __lt__(self, other: "ExpectedLoss") -> bool:
        """Tell whether this total is the smaller; raises as the difference does."""
        self.objective.check_comparable(other.objective)
        return self.total < other.total


class Gradient(NamedTuple):
    """Derivatives of the total with respect to the four parameters, shaped like them."""

    W_enc: Array
    b_enc: Array
    W_dec: Array
    b_dec: Array


class LossAndGradient(NamedTuple):
    """An exact expected loss and its exact gradient."""

    loss: ExpectedLoss
    gradient: Gradient


@checked
def expected_loss(law: Law, sae: Autoencoder, objective: Objective) -> ExpectedLoss:
    """Return the exact expected loss of `sae` on `law` under `objective`.

    Raises
    ------
    InputError
        If the SAE's d_in is not the law's d, the law has symbols in it or would take too long
        (`check_cost`), or the weights are so large that the loss overflows.

    Examples
    --------
    The axis-aligned code reconstructs the first data set and costs E(|x| + |y|) = 1:

    >>> from theory import load_law
    >>> frame = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    >>> loss = expected_loss(load_law("shared"), Sae(frame.T, [0] * 4, frame, [0, 0]),
    ...                      Objective(l1=0.1))
    >>> round(loss.total, 12), loss.firing
    (0.1, (0.5, 0.5, 0.5, 0.5))
    """
    if isinstance(sae, Sae):
        return expected_loss_and_gradient(law, sae, objective).loss
    return _without_gradient(_arrays_for(law, sae), sae, objective)


@checked
def co_firing(law: Law, sae: Autoencoder) -> Array:
    """Return the probabilities P(f_i > 0 and f_j > 0), on the diagonal P(f_i > 0), exactly.

    Examples
    --------
    On the first data set, one of x and -x and one of y and -y are always active:

    >>> from solvers.autoencoders.frames import frame_sae
    >>> from theory import load_law
    >>> co_firing(load_law("shared"), frame_sae(0.0))[0].tolist()
    [0.5, 0.0, 0.25, 0.25]
    """
    return piecewise_parts(_arrays_for(law, sae), sae).firing


def _arrays_for(law: Law, sae: Autoencoder) -> LawArrays:
    arrays = law_arrays(law)
    if sae.d_in != arrays.dimension:
        raise InputError(
            "W_enc", f"d_in = {arrays.dimension}, the dimension of the law {law.name!r}", sae.d_in
        )
    return arrays


def _without_gradient(law: LawArrays, sae: Autoencoder, objective: Objective) -> ExpectedLoss:
    """Return the loss of an architecture that is not ReLU."""
    kind = sae.architecture
    if objective.reconstruction != "squared":
        raise InputError(
            "reconstruction",
            f"'squared' for a {kind} SAE",
            objective.reconstruction,
            hint="the relative loss is exact for ReLU SAEs only",
        )
    if objective.weight_decay:
        raise InputError("weight_decay", f"0 for a {kind} SAE", objective.weight_decay)
    with np.errstate(over="ignore", invalid="ignore"):
        parts = piecewise_parts(law, sae)
    weights = objective.latent_weights(sae.W_dec)
    sparsity = objective.l1 * float(weights @ parts.activation)
    firing = np.diagonal(parts.firing)
    if not np.isfinite(parts.reconstruction + sparsity):
        raise InputError("weights", "numbers whose loss does not overflow a double, on this law")
    return ExpectedLoss(
        total=parts.reconstruction + sparsity,
        reconstruction=parts.reconstruction,
        sparsity=sparsity,
        weight_decay=0.0,
        l1=float(parts.activation.sum()),
        l0=float(firing.sum()),
        firing=tuple(float(p) for p in firing),
        objective=objective,
    )


@checked
def expected_loss_and_gradient(law: Law, sae: Sae, objective: Objective) -> LossAndGradient:
    """Return the exact expected loss and its exact gradient; see `expected_loss`.

    Where a pre-activation vanishes on a set of positive probability the loss has a kink;
    the gradient is then the one-sided one in which that latent stays off.
    """
    arrays = _arrays_for(law, sae)
    with np.errstate(over="ignore", invalid="ignore"):
        parts, gradient = loss_parts(arrays, sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec, objective)
    reason = _why_infinite(arrays, sae, objective)
    if reason:
        parts = parts._replace(reconstruction=np.inf)
        gradient = Gradient(*(np.full_like(array, np.nan) for array in gradient))
    elif not np.isfinite(parts.total):
        raise InputError("weights", "numbers whose loss does not overflow a double, on this law")
    # Differences of moments: below zero only by rounding.
    parts = parts._replace(
        reconstruction=max(parts.reconstruction, 0.0),
        sparsity=max(parts.sparsity, 0.0),
        activation=np.maximum(parts.activation, 0.0),
    )
    loss = ExpectedLoss(
        total=parts.total,
        reconstruction=parts.reconstruction,
        sparsity=parts.sparsity,
        weight_decay=parts.weight_decay,
        l1=float(parts.activation.sum()),
        l0=float(parts.firing.sum()),
        firing=tuple(float(p) for p in parts.firing),
        objective=objective,
        reason=reason,
    )
    return LossAndGradient(loss, gradient)


def _why_infinite(law: LawArrays, sae: Sae, objective: Objective) -> str:
    if objective.reconstruction != "relative" or not reaches_origin(law):
        return ""
    at_origin = reconstruction_at_origin(sae.b_enc, sae.W_dec, sae.b_dec)
    if not at_origin.any():
        return ""
    return (
        f"the law reaches x = 0, where 1/‖x‖² is not integrable, and x̂(0) = "
        f"{[float(f'{entry:.6g}') for entry in at_origin]} is not 0"
    )


class LossParts(NamedTuple):
    """What `loss_parts` sums up, before it is made into a record."""

    reconstruction: float
    sparsity: float
    weight_decay: float
    activation: Array
    firing: Array

    @property
    def total(self) -> float:
        """The loss."""
        return self.reconstruction + self.sparsity + self.weight_decay


def loss_parts(
    law: LawArrays, W_enc: Array, b_enc: Array, W_dec: Array, b_dec: Array, objective: Objective
) -> tuple[LossParts, Gradient]:
    """Return the loss and gradient of raw arrays: the inner loop of the minimiser.

    Nothing is checked here; `expected_loss_and_gradient` is the checked way in.
    """
    weights = objective.latent_weights(W_dec)
    penalty = objective.l1 * weights
    if objective.reconstruction == "relative":
        # With no atoms, what is left of the squared loss's pass is the penalty.
        sums = _pass(law, W_enc, b_enc, np.zeros_like(W_dec), np.zeros_like(b_dec), penalty)
        relative = relative_parts(law, W_enc, b_enc, W_dec, b_dec)
        reconstruction = relative.reconstruction
        to_W_enc, to_b_enc = sums.to_W_enc + relative.to_W_enc, sums.to_b_enc + relative.to_b_enc
        to_W_dec, to_b_dec = relative.to_W_dec, relative.to_b_dec
    else:
        sums = _pass(law, W_enc, b_enc, W_dec, b_dec, penalty)
        to_W_enc, to_b_enc = sums.to_W_enc, sums.to_b_enc
        off_centre = b_dec - law.mean
        reconstruction = (
            law.spread
            + float(off_centre @ off_centre)
            - 2.0 * float(np.vdot(W_dec, sums.with_residual))
            + float(np.vdot(W_dec @ W_dec.T, sums.together))
        )
        to_W_dec = 2.0 * (sums.together @ W_dec - sums.with_residual)
        to_b_dec = 2.0 * (off_centre + sums.activation @ W_dec)
    if objective.sparsity == "decoder-norm":
        # At d_i = 0 the norm has no derivative; 0 is the smallest subgradient.
        unit = W_dec / np.where(weights > 0, weights, 1.0)[:, None]
        to_W_dec += objective.l1 * sums.activation[:, None] * unit
    weight_decay = 0.0
    if objective.weight_decay:
        mu = objective.weight_decay
        weight_decay = mu * float(np.vdot(W_enc, W_enc) + np.vdot(W_dec, W_dec))
        to_W_enc += 2.0 * mu * W_enc
        to_W_dec += 2.0 * mu * W_dec
    sparsity = float(penalty @ sums.activation)
    parts = LossParts(reconstruction, sparsity, weight_decay, sums.activation, sums.firing)
    return parts, Gradient(to_W_enc, to_b_enc, to_W_dec, to_b_dec)


class _Sums(NamedTuple):
    """Expectations over a law: P(fires), E f_i, E[f_i (x - b)], E[f_i f_j], derivatives."""

    firing: Array
    activation: Array
    with_residual: Array
    together: Array
    to_W_enc: Array
    to_b_enc: Array


def _pass(
    law: LawArrays, W_enc: Array, b_enc: Array, W_dec: Array, b_dec: Array, penalty: Array
) -> _Sums:
    """Return the sums; the derivatives are those of E ‖x - x̂‖² + Σ penalty_i E f_i."""
    d, n = W_enc.shape
    check_cost(law, n)
    gram = W_dec @ W_dec.T
    activation, firing = np.zeros(n), np.zeros(n)
    with_residual, together = np.zeros((n, d)), np.zeros((n, n))
    to_W_enc, to_b_enc = np.zeros((d, n)), np.zeros(n)
    for cubes in law.groups:
        for probability, affine in _blocks(cubes, n):
            a = W_enc.T @ affine
            a[:, :, 0] += b_enc
            own, own_applied, products, to_a = _pair_sums(a, probability, gram)

            firing += probability @ own[:, :, 0, 0]
            activation += probability @ own_applied[:, :, 0]
            # x - b as an affine map: the loss needs x in no other way.
            residual = affine.copy()
            residual[:, :, 0] -= b_dec
            with_residual += np.einsum("c,cdk,cik->id", probability, residual, own_applied)
            together += products

            against = -2.0 * (W_dec @ residual)
            against[:, :, 0] += penalty
            to_a += np.einsum("cirs,cis->cir", own, against)
            to_b_enc += probability @ to_a[:, :, 0]
            to_W_enc += np.einsum("c,cdk,cik->di", probability, affine, to_a)
    return _Sums(firing, activation, with_residual, together, to_W_enc, to_b_enc)


def _blocks(cubes: Cubes, n: int) -> Iterator[tuple[Array, Array]]:
    """Yield probabilities and affine maps of a few components at a time."""
    size = max(1, _PAIRS_AT_ONCE // (n * n))
    for start in range(0, len(cubes.probability), size):
        yield cubes.probability[start : start + size], cubes.affine[start : start + size]


class _PairSums(NamedTuple):
    """Q_ii (C, i, ũ, ũ), Q_ii a_i (C, i, ũ), E[f_i f_j] and 2 Σ_j d_i·d_j Q_ij a_j (C, i, ũ)."""

    own: Array
    own_applied: Array
    together: Array
    to_a: Array


def _pair_sums(a: Array, probability: Array, gram: Array) -> _PairSums:
    """Return what needs the moments of pairs, for any number of latents."""
    n = a.shape[1]
    if n <= _LATENTS_AT_ONCE:
        return _block_sums(a, probability, gram)
    own = np.empty((*a.shape, a.shape[2]))
    sums = _PairSums(own, np.empty_like(a), np.empty((n, n)), np.zeros_like(a))
    starts = range(0, n, _LATENTS_AT_ONCE // 2)
    blocks = [np.arange(start, min(start + starts.step, n)) for start in starts]
    for block in blocks:
        part = _block_sums(a[:, block], probability, gram[np.ix_(block, block)])
        sums.own[:, block] = part.own
        sums.own_applied[:, block] = part.own_applied
        sums.together[np.ix_(block, block)] = part.together
        sums.to_a[:, block] += part.to_a
    for first, second in combinations(blocks, 2):
        both, size = np.concatenate([first, second]), len(first)
        # Of the moments of both, those within one block have been counted.
        between = gram[np.ix_(both, both)]
        between[:size, :size] = between[size:, size:] = 0.0
        part = _block_sums(a[:, both], probability, between)
        sums.together[np.ix_(first, second)] = part.together[:size, size:]
        sums.together[np.ix_(second, first)] = part.together[size:, :size]
        sums.to_a[:, both] += part.to_a
    return sums


def _block_sums(a: Array, probability: Array, gram: Array) -> _PairSums:
    """Return the sums of latents whose pairs are few enough to be held at once."""
    matrices = pair_moments(a)[:, :, triangle_index(a.shape[2])]
    own = np.einsum("cirsi->cirs", matrices)
    applied = np.einsum("cirsj,csj->cirj", matrices, a.transpose(0, 2, 1).copy())
    return _PairSums(
        own,
        np.einsum("ciri->cir", applied),
        np.einsum("cir,cirj->ij", a * probability[:, None, None], applied),
        np.einsum("ij,cirj->cir", 2.0 * gram, applied),
    )
