"""The exact relative reconstruction E ‖x - x̂‖²/‖x‖² and its gradient, x = 0 counting 0.

If the law reaches x = 0 on a segment or a parallelogram, the expectation is finite if and only if
x̂(0) = 0, that is b_dec = -Σ ReLU(b_i) d_i: near 0 the integrand is ‖x̂(0)‖²/‖x‖² up to bounded
terms, and ∫ r^(k-1) dr/r² diverges at 0 for k = 1 and k = 2. On that set, with the activations g_i
relative to their values at 0 (`solvers.laws.inverse_square_moments`), x̂ = Σ g_i d_i and

    E ‖x - x̂‖²/‖x‖² = P(x ≠ 0) - 2 Σ_i d_i·E[g_i x/‖x‖²] + Σ_ij d_i·d_j E[g_i g_j/‖x‖²].

A law that stays away from 0 has no such condition; there b_dec is one more atom, always on.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.laws.arrays import LawArrays
from solvers.laws.inverse_square_moments import charts, reaches_origin, weighted_pairs

Array = NDArray[np.float64]

# x̂(0) is zero if it is this small beside the terms that it is a sum of.
_ROUNDING = 1e-13


class RelativeParts(NamedTuple):
    """The relative reconstruction and its derivatives.

    On a law that reaches 0 the derivatives are along the set where the loss is finite: b_dec
    follows the other parameters, and its own derivative is 0.
    """

    reconstruction: float
    to_W_enc: Array
    to_b_enc: Array
    to_W_dec: Array
    to_b_dec: Array


def reconstruction_at_origin(b_enc: Array, W_dec: Array, b_dec: Array) -> Array:
    """Return x̂(0) = b_dec + Σ ReLU(b_i) d_i, exactly 0 if it is only rounding.

    Examples
    --------
    >>> reconstruction_at_origin(np.array([0.5]), np.array([[2.0]]), np.array([-1.0])).tolist()
    [0.0]
    """
    terms = np.maximum(b_enc, 0.0)[:, None] * W_dec
    total: Array = b_dec + terms.sum(axis=0)
    size = np.abs(b_dec) + np.abs(terms).sum(axis=0)
    return np.where(np.abs(total) <= _ROUNDING * size.max(initial=0.0), 0.0, total)


def tied_b_dec(b_enc: Array, W_dec: Array) -> Array:
    """Return the b_dec with which x̂(0) = 0."""
    tied: Array = -np.maximum(b_enc, 0.0) @ W_dec
    return tied


def relative_parts(
    law: LawArrays, W_enc: Array, b_enc: Array, W_dec: Array, b_dec: Array
) -> RelativeParts:
    """Return the relative reconstruction and its gradient, given that it is finite."""
    d, n = W_enc.shape
    tied = reaches_origin(law)
    if tied:
        at_origin = b_enc > 0
    else:
        W_enc = np.column_stack([W_enc, np.zeros(d)])
        b_enc, W_dec = np.append(b_enc, 1.0), np.vstack([W_dec, b_dec])
        at_origin = np.zeros(n + 1, dtype=bool)
    gram = W_dec @ W_dec.T
    present, with_data = 0.0, np.zeros_like(W_dec)
    together = np.zeros_like(gram)
    to_W_enc, to_b_enc = np.zeros_like(W_enc), np.zeros_like(b_enc)
    for cubes in law.groups:
        chart = charts(cubes)
        probability = np.where(np.abs(cubes.affine).any(axis=(1, 2)), cubes.probability, 0.0)
        matrices, data = weighted_pairs(chart, W_enc, b_enc, at_origin)
        basis = chart.basis
        a = np.empty((len(probability), len(b_enc), 3))
        a[:, :, 0] = b_enc
        a[:, :, 1:] = W_enc.T @ basis

        applied = np.einsum("cirsj,cjs->cirj", matrices, a)
        present += float(probability.sum())
        together += np.einsum("c,cir,cirj->ij", probability, a, applied)
        with_data += np.einsum("c,cir,ciry,cdy->id", probability, a, data, basis)
        to_a = 2.0 * np.einsum("ij,cirj->cir", gram, applied)
        to_a -= 2.0 * np.einsum("ciry,cdy,id->cir", data, basis, W_dec)
        to_b_enc += probability @ to_a[:, :, 0]
        to_W_enc += np.einsum("c,cdy,ciy->di", probability, basis, to_a[:, :, 1:])
    value = present - 2.0 * float(np.vdot(W_dec, with_data)) + float(np.vdot(gram, together))
    to_W_dec = 2.0 * (together @ W_dec - with_data)
    if tied:
        return RelativeParts(value, to_W_enc, to_b_enc, to_W_dec, np.zeros(d))
    return RelativeParts(value, to_W_enc[:, :n], to_b_enc[:n], to_W_dec[:n], to_W_dec[n])
