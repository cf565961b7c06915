"""The exact expected loss of an SAE on a law, and its exact gradient. No sampling.

It is put together from expectations over the law (`solvers.losses.loss_parts`). Rounding
errors are a few 1e-16 times the largest of these terms: relative to the loss, they grow when
weights are so large that the terms cancel.

Of a law with more active sets than have components the loss is that of points which stand for
the others: a deterministic function with a gradient, with a standard error, and not exact.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.architectures import GatedSae, TopKSae
from solvers.autoencoders.autoencoder import Autoencoder, Sae
from solvers.autoencoders.checkpoints.live import Model, sae_of
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import LawArrays, law_arrays
from solvers.laws.inverse_square_moments import reaches_origin
from solvers.losses.loss_parts import Gradient, sae_loss_parts
from solvers.losses.piecewise_loss import piecewise_parts
from solvers.losses.piecewise_sums import is_affordable
from solvers.losses.relative_loss import reconstruction_at_origin
from solvers.losses.standard_error import standard_error
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


class LossAndGradient(NamedTuple):
    """An exact expected loss and its exact gradient."""

    loss: ExpectedLoss
    gradient: Gradient


@checked
def expected_loss(law: Law, sae: Model, objective: Objective) -> ExpectedLoss:
    """Return the exact expected loss of `sae` on `law` under `objective`.

    Parameters
    ----------
    law : Law
    sae : Autoencoder, or what `as_sae` takes
    objective : Objective

    Raises
    ------
    InputError
        As `as_sae`; if the SAE's d_in is not the law's d, the law has symbols in it or would take
        too long (`check_cost`), or the weights are so large that the loss overflows.

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
    sae = sae_of("sae", sae)
    arrays = _arrays_for(law, sae)
    if isinstance(sae, TopKSae | GatedSae) and not is_affordable(arrays, sae):
        return _by_cells(arrays, sae, objective)
    return expected_loss_and_gradient(law, sae, objective).loss


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


def _by_cells(law: LawArrays, sae: Autoencoder, objective: Objective) -> ExpectedLoss:
    """Return the loss of an SAE of many breaks: only cells that are met are looked at."""
    _check_convention(sae, objective)
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
    firing = np.diagonal(parts.firing)
    sparsity = objective.l1 * float(objective.latent_weights(sae.W_dec) @ parts.activation)
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
def expected_loss_and_gradient(law: Law, sae: Model, objective: Objective) -> LossAndGradient:
    """Return the exact expected loss and its exact gradient; see `expected_loss`.

    The gradient holds the boundary terms of losses that jump. Where a pre-activation vanishes on
    a set of positive probability the loss has a kink or a jump; the gradient is then the one-sided
    one in which that latent stays off. On points, where who fires is constant nearly everywhere,
    it is that of the loss with these latents firing.

    Of an object whose encoder reads x - b_dec, the gradient is that in the arrays of `as_sae`,
    whose encoder reads x.
    """
    sae = sae_of("sae", sae)
    arrays = _arrays_for(law, sae)
    _check_convention(sae, objective)
    with np.errstate(over="ignore", invalid="ignore"):
        parts, gradient = sae_loss_parts(arrays, sae, objective)
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


def _check_convention(sae: Autoencoder, objective: Objective) -> None:
    if isinstance(sae, Sae):
        return
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


def _why_infinite(law: LawArrays, sae: Autoencoder, objective: Objective) -> str:
    if objective.reconstruction != "relative" or not reaches_origin(law):
        return ""
    at_origin = reconstruction_at_origin(sae.b_enc, sae.W_dec, sae.b_dec)
    if not at_origin.any():
        return ""
    return (
        f"the law reaches x = 0, where 1/‖x‖² is not integrable, and x̂(0) = "
        f"{[float(f'{entry:.6g}') for entry in at_origin]} is not 0"
    )
