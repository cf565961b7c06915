"""Ends of descents sorted into stationary points, each listed once, and what kind each is.

The loss sees an SAE only through x̂(x) and the penalty Σ w_i f_i(x) as functions on the law (and
through the weights' norms under weight decay). Two ends are therefore one point if their losses
agree and, for some symmetry g of the law, so do these functions at x and g x. Under the squared
loss g may turn about the mean of the law, for b_dec and b_enc can follow; under the relative
loss about 0. That covers permuted latents, dead latents, latents that share an atom and its
activation, rescaled layers, and encoder weights that the law does not see.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import roots_legendre

from solvers.autoencoders.autoencoder import Sae
from solvers.laws.arrays import LawArrays
from solvers.laws.symmetries import symmetries
from solvers.losses.architecture_loss import ArchitectureLoss
from solvers.losses.hessian import curvature, kinks
from solvers.losses.parameters import LossOfVector
from solvers.optima.descent import FLAT, Rest, on_manifold
from solvers.optima.one_sided_slopes import IN_KINK

Array = NDArray[np.float64]

# Losses and functions of one point agree to these, in units of the data's size.
_SAME_LOSS = 1e-9
_SAME_FUNCTION = 1e-4
# Gauss nodes along each edge of a cube at which functions are compared.
_NODES = 6
# How far a point is pushed to see whether its function changes, and by how much it then does.
_PUSH = 1e-5
_CHANGED = 1e-3


class Functions(NamedTuple):
    """x̂ and the penalty's activation at nodes that cover the law."""

    reconstruction: Array
    activation: Array

    def distance(self, other: "Functions") -> float:
        """Return the largest difference at any node."""
        return max(
            float(np.abs(self.reconstruction - other.reconstruction).max()),
            float(np.abs(self.activation - other.activation).max()),
        )


@dataclass
class Entry:
    """A stationary point while ends are sorted: its best representative and all its images."""

    rest: Rest
    total: float
    images: list[Functions]
    count: int = 1


class Catalogue:
    """Sorts ends into points; ends come by increasing loss."""

    def __init__(self, loss: LossOfVector | ArchitectureLoss) -> None:
        self.loss = loss
        relative = loss.objective.reconstruction == "relative"
        self.centre = np.zeros(loss.law.dimension) if relative else loss.law.mean
        self.group = symmetries(loss.law, self.centre)
        self.nodes = law_nodes(loss.law)
        self.entries: list[Entry] = []

    def add(self, rest: Rest) -> None:
        """Count an end, as one of a known point or as a new one."""
        total = float(self.loss(rest.vector)[0])
        own = functions(self.loss, rest.vector, self.nodes)
        for entry in reversed(self.entries):
            if total - entry.total > _SAME_LOSS * max(1.0, abs(total)):
                break
            if min(own.distance(image) for image in entry.images) <= _SAME_FUNCTION:
                entry.count += 1
                if rest.gradient < entry.rest.gradient:
                    entry.rest = rest
                return
        images = []
        for g in self.group:
            moved = (self.nodes - self.centre) @ g.T + self.centre
            seen = functions(self.loss, rest.vector, moved)
            back = (seen.reconstruction - self.centre) @ g + self.centre
            images.append(Functions(back, seen.activation))
        self.entries.append(Entry(rest, total, images))


def law_nodes(law: LawArrays) -> Array:
    """Return points that cover the law, shape (m, d).

    Gauss nodes of every cube; of a normal component its mean, and two standard deviations from it
    along every axis.

    Examples
    --------
    >>> from solvers.laws.arrays import law_arrays
    >>> from theory.laws.presets import preset
    >>> law_nodes(law_arrays(preset("shared"))).shape
    (24, 2)
    """
    along = (roots_legendre(_NODES)[0] + 1) / 2
    points = []
    for normals in law.normals:
        steps = 2.0 * normals.factor.transpose(0, 2, 1)
        mean = normals.mean[:, None, :]
        around = np.concatenate([mean, mean + steps, mean - steps], axis=1)
        points.append(around.reshape(-1, law.dimension))
    for cubes in law.cubes:
        k = cubes.cube_dimension
        # A point is its own only node; meshgrid takes no axes for none.
        axes = np.meshgrid(*[along] * k, indexing="ij") if k else []
        grid = np.stack(axes, axis=-1).reshape(-1, k) if k else np.zeros((1, 0))
        u = np.hstack([np.ones((len(grid), 1)), grid])
        points.append(np.einsum("nk,cdk->cnd", u, cubes.affine).reshape(-1, law.dimension))
    return np.concatenate(points)


def functions(loss: LossOfVector | ArchitectureLoss, vector: Array, x: Array) -> Functions:
    """Return what the loss sees of an SAE at points x."""
    sae = loss.sae(vector)
    f = sae.activations(x)
    # Without a penalty the loss sees no activation.
    charged = f @ loss.objective.latent_weights(sae.W_dec)
    return Functions(f @ sae.W_dec + sae.b_dec, (loss.objective.l1 > 0) * charged)


def shape(loss: LossOfVector, rest: Rest, live: list[int]) -> tuple[str, Array]:
    """Return the kind of a stationary point and the Hessian's eigenvalues at it."""
    sae = loss.sae(rest.vector)
    if loss.objective.weight_decay == 0:
        # What a dead latent's parameters are makes no difference.
        sae = Sae(sae.W_enc[:, live], sae.b_enc[live], sae.W_dec[live], sae.b_dec)
        loss = LossOfVector(loss.law, loss.objective, sae.d_sae)
    vector = loss.vector(sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec)
    equations = kinks(loss, vector, IN_KINK) if len(rest.kinks) else []
    bend = curvature(loss, vector, np.concatenate(equations) if equations else None)
    values, directions = np.linalg.eigh(bend.hessian)
    if len(rest.kinks):
        return "kink", values
    negligible = FLAT * np.abs(values).max(initial=0.0)
    if values.min(initial=0.0) < -negligible:
        return "saddle", values
    flat = bend.basis @ directions[:, np.abs(values) <= negligible]
    return ("valley" if _changes_functions(loss, vector, flat) else "minimum"), values


def _changes_functions(loss: LossOfVector, vector: Array, directions: Array) -> bool:
    """Tell whether x̂ or the penalty changes along any of the directions, to first order."""
    nodes = law_nodes(loss.law)
    before = functions(loss, vector, nodes)
    return any(
        functions(loss, on_manifold(loss, vector + sign * _PUSH * direction), nodes).distance(
            before
        )
        > _CHANGED * _PUSH
        for direction in directions.T
        for sign in (1, -1)
    )
