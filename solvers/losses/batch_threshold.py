"""The threshold of BatchTopK in expectation: the one above which k latents fire on average.

BatchTopK keeps the k N largest activations of a batch of N samples [Bussmann2024]; as N grows that
is a JumpReLU SAE with one threshold θ ≥ 0 for all latents at which E #{p_i > θ} = k, or 0 if fewer
fire there. E #{p_i > θ} falls as θ grows; where it jumps across k, as it may on points, θ is the
least at which no more than k fire.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from solvers.laws.arrays import LawArrays
from solvers.laws.half_space_moments import pair_moments
from solvers.losses.jump_sums import jump_sums_over
from solvers.losses.sums import Weights

Array = NDArray[np.float64]

# A normal pre-activation is not further than this from its mean, in standard deviations.
_FAR = 40.0
# The root's accuracy, relative to the largest pre-activation.
_ROUNDING = 4 * np.finfo(float).eps


def mean_firing(law: LawArrays, W_enc: Array, b_enc: Array, threshold: float) -> float:
    """Return E #{i : p_i > θ}.

    Examples
    --------
    >>> from solvers.laws.arrays import law_arrays
    >>> from theory import load_law
    >>> frame = np.array([[1.0, -1, 0, 0], [0, 0, 1, -1]])
    >>> round(mean_firing(law_arrays(load_law("shared")), frame, np.zeros(4), 0.25), 12)
    1.5
    """
    expected = 0.0
    for cubes in law.cubes:
        a = W_enc.T @ cubes.affine
        a[:, :, 0] += b_enc - threshold
        # Each latent by itself: there is no need for pairs.
        count, n, size = a.shape
        fires = pair_moments(a.reshape(count * n, 1, size))[:, 0, 0, 0].reshape(count, n)
        expected += float(cubes.probability @ fires.sum(axis=1))
    for normals in law.normals:
        mean = normals.mean @ W_enc + b_enc - threshold
        deviation = np.linalg.norm(W_enc.T @ normals.factor, axis=2)
        with np.errstate(divide="ignore", invalid="ignore"):
            score = np.where(deviation > 0, mean / deviation, np.where(mean > 0, np.inf, -np.inf))
        expected += float(normals.probability @ special.ndtr(score).sum(axis=1))
    return expected


def batch_threshold(law: LawArrays, W_enc: Array, b_enc: Array, k: float) -> float:
    """Return θ.

    Examples
    --------
    Of the axis-aligned code on the first data set two latents fire, each uniform on [0, 1]:

    >>> from solvers.laws.arrays import law_arrays
    >>> from theory import load_law
    >>> frame = np.array([[1.0, -1, 0, 0], [0, 0, 1, -1]])
    >>> law = law_arrays(load_law("shared"))
    >>> round(batch_threshold(law, frame, np.zeros(4), 0.5), 12)
    0.75
    >>> batch_threshold(law, frame, np.zeros(4), 3)
    0.0
    """

    def excess(threshold: float) -> float:
        return mean_firing(law, W_enc, b_enc, threshold) - k

    if excess(0.0) <= 0:
        return 0.0
    largest = _largest(law, W_enc, b_enc)
    step = _ROUNDING * largest
    root = float(optimize.brentq(excess, 0.0, largest + step, xtol=step, rtol=_ROUNDING))
    # Where the expectation jumps the root is on either side.
    while excess(root) > _ROUNDING * k and root < largest:
        root, step = root + step, 2 * step
    return root


def slopes_of_firing(
    law: LawArrays, W_enc: Array, b_enc: Array, threshold: float
) -> tuple[Array, Array, float]:
    """Return the derivatives of E #{p_i > θ} in W_enc, b_enc and the common θ."""
    n = len(b_enc)
    nothing = np.zeros((n, len(W_enc))), np.zeros(len(W_enc)), np.zeros(n)
    weights = Weights(W_enc, b_enc, *nothing, np.full(n, threshold))
    sums = jump_sums_over(law, weights, 1.0)
    return sums.to_W_enc, sums.to_b_enc, float(sums.to_threshold.sum())


def _largest(law: LawArrays, W_enc: Array, b_enc: Array) -> float:
    """Return what no pre-activation exceeds."""
    largest = 0.0
    for cubes in law.cubes:
        a = W_enc.T @ cubes.affine
        most = a[:, :, 0] + b_enc + np.maximum(a[:, :, 1:], 0.0).sum(axis=2)
        largest = max(largest, float(most.max()))
    for normals in law.normals:
        deviation = np.linalg.norm(W_enc.T @ normals.factor, axis=2)
        most = normals.mean @ W_enc + b_enc + _FAR * deviation
        largest = max(largest, float(most.max()))
    return largest
