"""The exact expected loss of an SAE on a law, and its exact gradient. No sampling.

With expectations over the law (`solvers.losses.sums`) and b = b_dec,

    E ‖x - x̂‖² = E ‖x - b‖² - 2 Σ_i d_i·E[f_i (x - b)] + Σ_ij d_i·d_j E[f_i f_j].

Rounding errors are a few 1e-16 times the largest of these terms: relative to the loss, they
grow when weights are so large that the terms cancel.

Of a law with more active sets than have components the loss is that of points which stand for
the others: a deterministic function with a gradient, with a standard error, and not exact.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.autoencoder import Autoencoder, Sae
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import LawArrays, law_arrays
from solvers.laws.inverse_square_moments import reaches_origin
from solvers.losses.jump_sums import jump_sums_over
from solvers.losses.piecewise_loss import piecewise_parts
from solvers.losses.relative_loss import reconstruction_at_origin, relative_parts
from solvers.losses.standard_error import standard_error
from solvers.losses.sums import Sums, Weights, sums_over
from solvers.runtime.arguments import checked
from theory.exact.errors import InputError
from theory.laws.law import Law

Array = NDArray[np.float64]

# Probabilities that are known to so much are exact to rounding.
_EXACT = 1e-12


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
        The penalty as it enters the loss: λ E Σ f_i, or λ E Σ f_i ‖d_i‖, plus λ₀ l0.
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
    standard_error : float
        Of the total; 0 if it is exact. See `solvers.losses.standard_error`.
    probability_error : float
        How far the law's own probabilities may be from what they stand for.
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
    standard_error: float = 0.0
    probability_error: float = 0.0

    @property
    def exact(self) -> bool:
        """Whether the figures are exact to rounding."""
        return self.standard_error == 0 and self.probability_error <= _EXACT

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
    loss = _without_gradient(_arrays_for(law, sae), sae, objective)
    return replace(
        loss,
        standard_error=standard_error(law, sae, objective),
        probability_error=float(law.probability_error),
    )


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
    objective.latent_prefixes(sae.d_sae)
    with np.errstate(over="ignore", invalid="ignore"):
        parts = piecewise_parts(law, sae)
        reconstruction = parts.reconstruction
        if objective.prefixes:
            charged = zip(objective.prefixes, objective.weights_of_prefixes(), strict=True)
            reconstruction = sum(
                weight * piecewise_parts(law, sae.of_prefix(prefix)).reconstruction
                for prefix, weight in charged
            )
    weights = objective.latent_weights(sae.W_dec)
    firing = np.diagonal(parts.firing)
    sparsity = objective.l1 * float(weights @ parts.activation)
    sparsity += objective.l0 * float(firing.sum())
    if not np.isfinite(reconstruction + sparsity):
        raise InputError("weights", "numbers whose loss does not overflow a double, on this law")
    return ExpectedLoss(
        total=reconstruction + sparsity,
        reconstruction=reconstruction,
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
        standard_error=0.0 if reason else standard_error(law, sae, objective),
        probability_error=float(law.probability_error),
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
    parts, gradient, _ = jump_loss_parts(law, W_enc, b_enc, None, W_dec, b_dec, objective)
    return parts, gradient


def jump_loss_parts(
    law: LawArrays,
    W_enc: Array,
    b_enc: Array,
    threshold: Array | None,
    W_dec: Array,
    b_dec: Array,
    objective: Objective,
) -> tuple[LossParts, Gradient, Array | None]:
    """Return loss, gradient, and the derivative in θ, of a JumpReLU SAE; of ReLU without θ.

    As `loss_parts`, nothing is checked here. See `solvers.losses.jump_sums` for what the
    gradient is, and where there is none.
    """
    to_threshold = None
    weights = objective.latent_weights(W_dec)
    penalty = objective.l1 * weights
    if objective.reconstruction == "relative":
        # With no atoms, what is left of the squared loss's pass is the penalty.
        nothing = Weights(W_enc, b_enc, np.zeros_like(W_dec), np.zeros_like(b_dec), penalty)
        sums: Sums = sums_over(law, nothing)
        relative = relative_parts(law, W_enc, b_enc, W_dec, b_dec)
        reconstruction = relative.reconstruction
        to_W_enc, to_b_enc = sums.to_W_enc + relative.to_W_enc, sums.to_b_enc + relative.to_b_enc
        to_W_dec, to_b_dec = relative.to_W_dec, relative.to_b_dec
    else:
        held = objective.latent_prefixes(len(b_enc))
        given = Weights(W_enc, b_enc, W_dec, b_dec, penalty, held=held)
        if objective.l0 or threshold is not None:
            theta = np.zeros(len(b_enc)) if threshold is None else threshold
            given = given._replace(threshold=theta)
            jump_sums = jump_sums_over(law, given, objective.l0)
            sums, to_threshold = jump_sums, jump_sums.to_threshold
        else:
            sums = sums_over(law, given)
        to_W_enc, to_b_enc = sums.to_W_enc, sums.to_b_enc
        reconstruction, to_W_dec, to_b_dec = _reconstruction(law, given, sums, objective)
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
    sparsity = float(penalty @ sums.activation) + objective.l0 * float(sums.firing.sum())
    parts = LossParts(reconstruction, sparsity, weight_decay, sums.activation, sums.firing)
    return parts, Gradient(to_W_enc, to_b_enc, to_W_dec, to_b_dec), to_threshold


def _reconstruction(
    law: LawArrays, weights: Weights, sums: Sums, objective: Objective
) -> tuple[float, Array, Array]:
    """Return the expected squared error and its derivatives in W_dec and b_dec.

    With prefixes that of all of them: with h_i the weight of those that hold latent i, and h_0 of
    all, h_0 E ‖x - b‖² - 2 Σ_i h_i d_i·E[f_i (x - b)] + Σ_ij min(h_i, h_j) d_i·d_j E[f_i f_j].
    """
    off_centre, together = weights.b_dec - law.mean, sums.together
    with_residual, activation, every = sums.with_residual, sums.activation, 1.0
    if weights.held is not None:
        every = float(sum(objective.weights_of_prefixes()))
        together = together * np.minimum.outer(weights.held, weights.held)
        with_residual = with_residual * weights.held[:, None]
        activation = activation * weights.held
    reconstruction = (
        every * (law.spread + float(off_centre @ off_centre))
        - 2.0 * float(np.vdot(weights.W_dec, with_residual))
        + float(np.vdot(weights.W_dec @ weights.W_dec.T, together))
    )
    to_W_dec = 2.0 * (together @ weights.W_dec - with_residual)
    to_b_dec = 2.0 * (every * off_centre + activation @ weights.W_dec)
    return reconstruction, to_W_dec, to_b_dec
