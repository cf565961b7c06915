"""How many directions of a valley an optimum lies in: along them the loss keeps its value.

The Hessian is taken by differences of the exact gradient. Of the directions in which it vanishes
many change nothing that the loss is about, as the parameters of dead latents, the lengths of rows
that stand for unit atoms, or a scale that two layers share; those that change x̂(x) or f(x) on the
law, to first order, are counted. It is flat there to second order.
"""

import numpy as np
from numpy.typing import NDArray

from solvers.losses.architecture_loss import ArchitectureLoss
from solvers.optima.catalogue import law_nodes

Array = NDArray[np.float64]

# Steps of differences of the gradient and of functions, in units of the data.
_STEP = 1e-5
# Eigenvalues below this share of the largest are 0: differences leave a relative 1e-8 or so.
_FLAT = 1e-5
# Singular values of what flat directions change are 0 below this share of the data's size.
_CHANGED = 1e-3


def valley_dimension(loss: ArchitectureLoss, vector: Array) -> int:
    """Return the dimension of the valley at a vector of vanishing gradient, 0 for a point.

    Examples
    --------
    TopK with k = 2 reconstructs two independent pairs in every pair of axes, oblique or not, about
    every b_dec: two angles and two coordinates.

    >>> from solvers.autoencoders.architecture import Architecture
    >>> from solvers.autoencoders.frames import frame_sae
    >>> from solvers.autoencoders.objective import Objective
    >>> from solvers.laws.arrays import law_arrays
    >>> from solvers.losses.architecture_loss import architecture_loss
    >>> from solvers.losses.parameters import LossOfVector
    >>> from theory import load_law
    >>> relu = LossOfVector(law_arrays(load_law("independent")), Objective(0.0), 4)
    >>> for k in (1, 2):
    ...     loss = architecture_loss(relu, Architecture("topk", k))
    ...     vector = loss.vector(frame_sae(np.pi / 4), np.zeros(4))
    ...     print(valley_dimension(loss, vector))
    0
    4
    """
    return shape_by_differences(loss, vector)[2]


def shape_by_differences(loss: ArchitectureLoss, vector: Array) -> tuple[str, Array, int]:
    """Return what a point of vanishing gradient is, its eigenvalues, and its valley's dimension.

    It is "saddle", "valley" or "minimum"; eigenvalues are of the Hessian in all parameters, in
    increasing order.
    """
    values, directions = np.linalg.eigh(_hessian(loss, vector))
    dimension = _flat_dimension(loss, vector, values, directions)
    if values.min() < -_FLAT * np.abs(values).max():
        return "saddle", values, dimension
    return "valley" if dimension else "minimum", values, dimension


def _flat_dimension(
    loss: ArchitectureLoss, vector: Array, values: Array, directions: Array
) -> int:
    """Return in how many directions of no curvature x̂ or f changes."""
    flat = directions[:, np.abs(values) <= _FLAT * np.abs(values).max(initial=0.0)]
    if not flat.size:
        return 0
    nodes = law_nodes(loss.law)
    slopes = [
        (_functions(loss, vector + _STEP * along, nodes)
         - _functions(loss, vector - _STEP * along, nodes)) / (2 * _STEP)
        for along in flat.T
    ]  # fmt: skip
    # As a root mean square over nodes, so that it does not matter how many there are.
    sizes = np.linalg.svd(np.array(slopes), compute_uv=False) / np.sqrt(len(nodes))
    return int(np.count_nonzero(sizes > _CHANGED))


def _hessian(loss: ArchitectureLoss, vector: Array) -> Array:
    rows = [
        (loss(vector + step)[1] - loss(vector - step)[1]) / (2 * _STEP)
        for step in _STEP * np.eye(len(vector))
    ]
    hessian = np.array(rows)
    symmetric: Array = (hessian + hessian.T) / 2
    return symmetric


def _functions(loss: ArchitectureLoss, vector: Array, nodes: Array) -> Array:
    """Return x̂ and f at nodes, one long vector."""
    sae = loss.sae(vector)
    f = sae.activations(nodes)
    return np.concatenate([(f @ sae.W_dec + sae.b_dec).ravel(), f.ravel()])
