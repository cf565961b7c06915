"""Kinks by their one-sided slopes: whether a point in one is a point of rest.

Where a latent's pre-activation vanishes on a whole component the latent fires there after a push
of its line ã = (w, b) to one side and not to the other. To first order a push v of the line
changes the loss by

    L'(v) = g·v + Σ_c p_c E_c[ReLU(v·x̃) (λ w_i - 2 d_i·r)],

the sum over the components on which it vanishes and g the gradient with the latent off there. L'
is homogeneous of degree 1, so that its gradient at v, that of the loss after a tiny push, gives
L'(v) = ∇L'(v)·v. Latents do not meet to first order: each is looked at alone.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import orth

from solvers.losses.hessian import kinks
from solvers.losses.parameters import LossOfVector

Array = NDArray[np.float64]

#: A pre-activation that nowhere on a component is larger counts as 0 on it.
IN_KINK = 1e-9
#: A slope of this size is no rounding, for a direction of norm 1, in units of the data's size.
SLOPE = 1e-7

# Of the push. Its error, of second order after extrapolation, and rounding's are both 1e-12.
_STEP = 1e-6
# Directions tried for each dimension beside the axes; from how many of them, and in how many
# steps, the steepest way down is looked for.
_DIRECTIONS = 16
_DESCENTS = 3
_STEPS = 8


class Kink(NamedTuple):
    """The kink that a point lies in.

    Parameters
    ----------
    equations : (m, P) array
        By which latents vanish on components; only latents with a slope that is not 0 count,
        so that there are none where the loss is smooth to first order.
    way_down : (P,) array or None
        The direction, of norm 1, of the least slope found, if that is negative.
    """

    equations: Array
    way_down: Array | None


def one_sided_slope(loss: LossOfVector, vector: Array, direction: Array) -> float:
    """Return the derivative of t ↦ loss(vector + t direction) for t from 0 upwards.

    Examples
    --------
    A latent off on all of the first data set, at the edge of firing, costs λ E f once it does:

    >>> from solvers.autoencoders.objective import Objective
    >>> from solvers.laws.arrays import law_arrays
    >>> from theory.laws.presets import preset
    >>> loss = LossOfVector(law_arrays(preset("shared")), Objective(l1=0.1), 1)
    >>> silent = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    >>> slopes = (one_sided_slope(loss, silent, sign * np.eye(7)[2]) for sign in (1, -1))
    >>> [round(slope, 9) for slope in slopes]
    [0.1, 0.0]
    """
    return float(_gradient(loss, vector, direction) @ direction)


def _gradient(loss: LossOfVector, vector: Array, direction: Array) -> Array:
    near, far = (loss(vector + step * direction)[1] for step in (_STEP, 2 * _STEP))
    return np.asarray(2.0 * near - far)


def kink_at(loss: LossOfVector, vector: Array) -> Kink:
    """Return the kink that a point without a gradient along it lies in.

    The slopes of each latent are taken along the axes of the directions that matter, both ways,
    and along random ones; from the least of them the search goes on to where the slope itself
    points, as long as it falls.

    Parameters
    ----------
    loss : LossOfVector
    vector : (P,) array
    """
    equations: list[Array] = []
    lowest, way_down = -SLOPE, None
    for rows in kinks(loss, vector, IN_KINK):
        axes = orth(rows.T)
        drawn = np.random.default_rng(0).normal(size=(_DIRECTIONS * axes.shape[1], axes.shape[1]))
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        tried = [*axes.T, *-axes.T, *(drawn @ axes.T)]
        slopes = np.array([one_sided_slope(loss, vector, v) for v in tried])
        if np.abs(slopes).max() <= SLOPE:
            continue
        equations.extend(rows)
        for start in np.argsort(slopes)[:_DESCENTS]:
            slope, direction = _steepest(loss, vector, axes, tried[start])
            if slope < lowest:
                lowest, way_down = slope, direction
    return Kink(np.array(equations).reshape(len(equations), len(vector)), way_down)


def _steepest(
    loss: LossOfVector, vector: Array, axes: Array, direction: Array
) -> tuple[float, Array]:
    """Return the least slope, and where, on the way from a direction against its gradient."""
    best = np.inf
    for _ in range(_STEPS):
        gradient = axes.T @ _gradient(loss, vector, direction)
        slope = float(gradient @ (axes.T @ direction))
        if not slope < best:
            break
        best, found = slope, direction
        size = float(np.linalg.norm(gradient))
        if not size > SLOPE:
            break
        direction = -axes @ gradient / size
    return best, found
