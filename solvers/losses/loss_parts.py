"""The loss and its gradient, put together from expectations over a law, for every architecture.

With b = b_dec and expectations from `solvers.losses.sums`, `jump_sums` or `piecewise_sums`,

    E ‖x - x̂‖² = E ‖x - b‖² - 2 Σ_i d_i·E[f_i (x - b)] + Σ_ij d_i·d_j E[f_i f_j].

Nothing is checked here: this is the inner loop of minimisers, `solvers.losses.expected_loss` the
checked way in.
"""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.architectures import GatedSae, JumpReluSae, TopKSae
from solvers.autoencoders.autoencoder import Autoencoder
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import LawArrays
from solvers.losses.jump_sums import BoundarySums, jump_sums_over
from solvers.losses.piecewise_sums import piecewise_sums_over
from solvers.losses.relative_loss import relative_parts
from solvers.losses.sums import Sums, Weights, sums_over

Array = NDArray[np.float64]


class _OfArrays(NamedTuple):
    W_enc: Array
    b_enc: Array
    W_dec: Array
    b_dec: Array


class Gradient(_OfArrays):
    """Derivatives of the total with respect to the four arrays, shaped like them: a named tuple.

    Those in what an architecture has beyond them are attributes, None where it has no such thing.
    """

    threshold: Array | None = None
    W_gate: Array | None = None
    b_gate: Array | None = None

    def and_in(self, **arrays: Array) -> "Gradient":
        """Return the gradient with derivatives in what an architecture has beyond the arrays."""
        gradient = Gradient(*self)
        vars(gradient).update(arrays)
        return gradient


class LossParts(NamedTuple):
    """The loss's parts, before they are made into a record."""

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
    """Return the loss and gradient of a ReLU SAE's raw arrays."""
    given = _weights(W_enc, b_enc, W_dec, b_dec, objective)
    if objective.reconstruction == "relative":
        # With no atoms, what is left of the squared loss's pass is the penalty.
        nothing = replace(given, W_dec=np.zeros_like(W_dec), b_dec=np.zeros_like(b_dec))
        sums = sums_over(law, nothing)
        relative = relative_parts(law, W_enc, b_enc, W_dec, b_dec)
        sums.to_W_enc += relative.to_W_enc
        sums.to_b_enc += relative.to_b_enc
        error = relative.reconstruction, relative.to_W_dec, relative.to_b_dec
        return _assembled(given, sums, error, objective)
    if objective.l0:
        # The loss of activations does not jump, but who starts to fire is charged.
        theta = np.zeros(len(b_enc))
        sums = jump_sums_over(law, replace(given, threshold=theta), objective.l0)
    else:
        sums = sums_over(law, given)
    return _assembled(given, sums, _squared(law, given, sums, objective), objective)


def jump_loss_parts(
    law: LawArrays,
    W_enc: Array,
    b_enc: Array,
    threshold: Array,
    W_dec: Array,
    b_dec: Array,
    objective: Objective,
) -> tuple[LossParts, Gradient]:
    """Return the loss and gradient of a JumpReLU SAE's raw arrays, by pairs of latents.

    See `solvers.losses.jump_sums` for what the gradient is, and where there is none.
    """
    given = _weights(W_enc, b_enc, W_dec, b_dec, objective, threshold)
    sums = jump_sums_over(law, given, objective.l0)
    parts, gradient = _assembled(given, sums, _squared(law, given, sums, objective), objective)
    return parts, gradient.and_in(threshold=sums.to_threshold)


def piecewise_loss_parts(
    law: LawArrays, sae: Autoencoder, objective: Objective
) -> tuple[LossParts, Gradient]:
    """Return the loss and gradient of an SAE of any architecture, by its breaks in the plane."""
    given = _weights(sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec, objective)
    sums = piecewise_sums_over(law, sae, given, objective.l0)
    parts, gradient = _assembled(given, sums, _squared(law, given, sums, objective), objective)
    if isinstance(sae, JumpReluSae):
        gradient = gradient.and_in(threshold=sums.to_threshold)
    if isinstance(sae, GatedSae):
        to_weights, to_offsets = (part[..., sae.d_sae :] for part in sums.to_breaks)
        gradient = gradient.and_in(W_gate=to_weights, b_gate=to_offsets)
    return parts, gradient


def sae_loss_parts(
    law: LawArrays, sae: Autoencoder, objective: Objective
) -> tuple[LossParts, Gradient]:
    """Return the loss and gradient of an SAE by the route of its architecture."""
    arrays = sae.W_enc, sae.b_enc
    if isinstance(sae, JumpReluSae):
        return jump_loss_parts(law, *arrays, sae.threshold, sae.W_dec, sae.b_dec, objective)
    if isinstance(sae, GatedSae) and (jump := sae.as_jump_relu()) is not None:
        return _gated_loss_parts(law, sae, jump, objective)
    if isinstance(sae, GatedSae | TopKSae):
        return piecewise_loss_parts(law, sae, objective)
    return loss_parts(law, *arrays, sae.W_dec, sae.b_dec, objective)


def _gated_loss_parts(
    law: LawArrays, sae: GatedSae, jump: JumpReluSae, objective: Objective
) -> tuple[LossParts, Gradient]:
    """Return the loss and gradient of a Gated SAE with tied paths, as a JumpReLU SAE.

    Where the gate opens later than the ReLU, the break is the gate's and moves with it.
    """
    given = _weights(sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec, objective, jump.threshold)
    sums = jump_sums_over(law, given, objective.l0)
    scale = sae.gate_scale()
    assert scale is not None
    to_weights, to_offsets = (part * (jump.threshold > 0) for part in sums.to_breaks)
    sums.to_W_enc -= to_weights
    sums.to_b_enc -= to_offsets
    parts, gradient = _assembled(given, sums, _squared(law, given, sums, objective), objective)
    # δ(c φ) = δ(φ)/c.
    return parts, gradient.and_in(W_gate=to_weights / scale, b_gate=to_offsets / scale)


def _weights(
    W_enc: Array,
    b_enc: Array,
    W_dec: Array,
    b_dec: Array,
    objective: Objective,
    threshold: Array | float = 0.0,
) -> Weights:
    penalty = objective.l1 * objective.latent_weights(W_dec)
    held = objective.latent_prefixes(len(b_enc))
    return Weights(W_enc, b_enc, W_dec, b_dec, penalty, threshold, held)


def _squared(
    law: LawArrays, weights: Weights, sums: Sums | BoundarySums, objective: Objective
) -> tuple[float, Array, Array]:
    """Return the expected squared error and its derivatives in W_dec and b_dec.

    With prefixes that of all of them: with h_i the weight of those that hold latent i, and h_0 of
    all, h_0 E ‖x - b‖² - 2 Σ_i h_i d_i·E[f_i (x - b)] + Σ_ij min(h_i, h_j) d_i·d_j E[f_i f_j].
    """
    off_centre, every = weights.b_dec - law.mean, 1.0
    together, with_residual, activation = sums.together, sums.with_residual, sums.activation
    reconstruction = float(np.vdot(weights.gram, together)) - 2.0 * float(
        np.vdot(weights.atoms, with_residual)
    )
    if weights.held is not None:
        every = float(sum(objective.weights_of_prefixes()))
        together = together * weights.held_together
        with_residual = with_residual * weights.held[:, None]
        activation = activation * weights.held
    reconstruction += every * (law.spread + float(off_centre @ off_centre))
    to_W_dec = 2.0 * (together @ weights.W_dec - with_residual)
    to_b_dec = 2.0 * (every * off_centre + activation @ weights.W_dec)
    return reconstruction, to_W_dec, to_b_dec


def _assembled(
    weights: Weights, sums: Sums, error: tuple[float, Array, Array], objective: Objective
) -> tuple[LossParts, Gradient]:
    """Return the loss and gradient, given the error's part and its derivatives in the decoder."""
    reconstruction, to_W_dec, to_b_dec = error
    to_W_enc = sums.to_W_enc
    if objective.sparsity == "decoder-norm":
        norms = objective.latent_weights(weights.W_dec)
        # At d_i = 0 the norm has no derivative; 0 is the smallest subgradient.
        unit = weights.W_dec / np.where(norms > 0, norms, 1.0)[:, None]
        to_W_dec += objective.l1 * sums.activation[:, None] * unit
    weight_decay = 0.0
    if objective.weight_decay:
        mu = objective.weight_decay
        W_enc, W_dec = weights.W_enc, weights.W_dec
        weight_decay = mu * float(np.vdot(W_enc, W_enc) + np.vdot(W_dec, W_dec))
        to_W_enc += 2.0 * mu * W_enc
        to_W_dec += 2.0 * mu * W_dec
    sparsity = float(weights.penalty @ sums.activation)
    sparsity += objective.l0 * float(sums.firing.sum())
    parts = LossParts(reconstruction, sparsity, weight_decay, sums.activation, sums.firing)
    return parts, Gradient(to_W_enc, sums.to_b_enc, to_W_dec, to_b_dec)
