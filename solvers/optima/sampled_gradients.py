"""The gradients that training follows: of the mean loss over a batch, for many SAEs at once.

An activation is its pre-activation p where the architecture keeps it, else 0. ReLU keeps p > 0
and JumpReLU p > θ; of those above 0 TopK keeps the k largest of a sample [Gao2024], and BatchTopK
the k·B largest of a batch of B samples [Bussmann2024]. Gradients pass through what is kept. They
do not see that what is kept depends on the weights; for the thresholds of JumpReLU alone
straight-through estimators put a kernel in place of the jump [Rajamanoharan2024b, section 3],

    ∂f/∂θ = -(θ/ε) K((p - θ)/ε),   ∂1[p > θ]/∂θ = -(1/ε) K((p - θ)/ε),   K = 1 on (-½, ½).

They are estimates of what the jumps add to the gradient of the expected loss, biased by the
width ε, and reach θ only, not W_enc and b_enc.
"""

from itertools import accumulate
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.initialisation import Weights
from solvers.autoencoders.objective import Objective

Array = NDArray[np.float64]

#: ε where nothing else is said, as in SAELens, JumpReLUTrainingSAEConfig, version 6.
BANDWIDTH: Final = 0.05
_RELU = Architecture()


class SampledGradient(NamedTuple):
    """A gradient of the mean loss over a batch, of every instance.

    Parameters
    ----------
    weights : Weights
    threshold : (instances, n) array, or None
        The pseudo-derivative in θ, of JumpReLU SAEs.
    least_kept : (instances,) array, or None
        The smallest activation above 0, infinite if there is none, of BatchTopK SAEs.
    """

    weights: Weights
    threshold: Array | None = None
    least_kept: Array | None = None


def kept(
    p: Array, architecture: Architecture, threshold: Array | None = None
) -> NDArray[np.bool_]:
    """Tell which pre-activations are kept.

    Parameters
    ----------
    p : (instances, B, n) array
    architecture : Architecture
    threshold : (instances, n) array, optional
        θ ≥ 0, of JumpReLU SAEs.

    Examples
    --------
    >>> p = np.array([[[3.0, 1.0], [2.0, -1.0]]])
    >>> kept(p, Architecture("topk", 1)).tolist()
    [[[True, False], [True, False]]]
    >>> kept(p, Architecture("batchtopk", 1.5)).tolist()
    [[[True, True], [True, False]]]
    """
    if threshold is not None:
        over: NDArray[np.bool_] = p > threshold[:, None, :]
        return over
    on: NDArray[np.bool_] = p > 0
    if architecture.k is None:
        return on
    if architecture.name == "topk":
        return on & _largest(p, int(architecture.k))
    instances, samples, n = p.shape
    # Rounded down, as in SAELens, BatchTopK.forward.
    count = int(architecture.k * samples)
    return on & _largest(p.reshape(instances, samples * n), count).reshape(p.shape)


def _largest(values: Array, count: int) -> NDArray[np.bool_]:
    """Tell which values are among the `count` largest along the last axis; ties are broken."""
    among = np.zeros(values.shape, dtype=bool)
    if count >= values.shape[-1]:
        return ~among
    if count > 0:
        index = np.argpartition(values, -count, axis=-1)[..., -count:]
        np.put_along_axis(among, index, values=True, axis=-1)
    return among


def sampled_gradient(
    weights: Weights,
    x: Array,
    objective: Objective,
    architecture: Architecture = _RELU,
    threshold: Array | None = None,
    bandwidth: float = BANDWIDTH,
) -> SampledGradient:
    """Return the gradient of the mean loss over samples, for every instance.

    Parameters
    ----------
    weights : Weights
    x : (B, d) array
    objective : Objective
        Its l0 penalty counts for the thresholds of JumpReLU SAEs only.
    architecture : Architecture, optional
    threshold : (instances, n) array, optional
        θ ≥ 0, of JumpReLU SAEs.
    bandwidth : float > 0, optional
        ε.
    """
    count = len(x)
    p = x @ weights.W_enc + weights.b_enc[:, None, :]
    on = kept(p, architecture, threshold)
    f = p * on
    to_f, to_W_dec, to_b_dec = _through_decoder(weights, x, f, objective)
    penalty = objective.l1 / count
    charged = objective.latent_weights(weights.W_dec)
    to_f += penalty * charged[:, None, :]
    if objective.sparsity == "decoder-norm":
        unit = weights.W_dec / np.where(charged > 0, charged, 1.0)[:, :, None]
        to_W_dec += penalty * f.sum(axis=1)[:, :, None] * unit
    to_threshold = least_kept = None
    if threshold is not None:
        near = np.abs(p - threshold[:, None, :]) < bandwidth / 2
        jumps = threshold[:, None, :] * to_f + objective.l0 / count
        to_threshold = -(jumps * near).sum(axis=1) / bandwidth
    if architecture.name == "batchtopk":
        least_kept = np.where(on, p, np.inf).min(axis=(1, 2))
    to_f *= on
    to_W_enc = x.T @ to_f
    if objective.weight_decay:
        to_W_enc += 2.0 * objective.weight_decay * weights.W_enc
        to_W_dec += 2.0 * objective.weight_decay * weights.W_dec
    gradient = Weights(to_W_enc, to_f.sum(axis=1), to_W_dec, to_b_dec)
    return SampledGradient(gradient, to_threshold, least_kept)


def _through_decoder(
    weights: Weights, x: Array, f: Array, objective: Objective
) -> tuple[Array, Array, Array]:
    """Return the derivatives of the mean reconstruction error in f, W_dec and b_dec.

    With prefixes m_s of weights v_s, latent i takes part in those that hold it, and so gets
    Σ_{s: m_s > i} 2 v_s (x̂_s - x) where else there is 2 (x̂ - x).
    """
    n = f.shape[2]
    ends = objective.prefixes or (n,)
    shares = objective.weights_of_prefixes() or (1.0,)
    blocks = [slice(start, end) for start, end in zip((0, *ends[:-1]), ends, strict=True)]
    scale: Array | float = 2.0 / len(x)
    if objective.reconstruction == "relative":
        squared = np.einsum("nd,nd->n", x, x)[:, None]
        # A sample x = 0 counts 0.
        scale = scale * np.where(squared > 0, 1.0 / np.where(squared > 0, squared, 1.0), 0.0)
    x_hat, slopes = weights.b_dec[:, None, :], []
    for block, share in zip(blocks, shares, strict=True):
        decoded = f[:, :, block] @ weights.W_dec[:, block]
        decoded += x_hat
        x_hat = decoded
        slope = x_hat - x
        slope *= share * scale
        slopes.append(slope)
    to_f, to_W_dec = np.empty_like(f), np.empty_like(weights.W_dec)
    to_x_hat: Array
    for block, to_x_hat in zip(
        reversed(blocks), accumulate(reversed(slopes), np.add), strict=True
    ):
        np.matmul(f[:, :, block].transpose(0, 2, 1), to_x_hat, out=to_W_dec[:, block])
        np.matmul(to_x_hat, weights.W_dec[:, block].transpose(0, 2, 1), out=to_f[:, :, block])
    return to_f, to_W_dec, to_x_hat.sum(axis=1)
