"""The least loss of an SAE with two held atoms on two features, by convex programmes.

Written from the definition and sharing no code with what is judged. On the points 0, v1, v2 and
v1 + v2 a pre-activation is affine, so that p(0) + p(v1 + v2) = p(v1) + p(v2) and nothing else.
Which activations f = ReLU(p) a latent can take on the four points is therefore a union of nine
convex cones:

* all four fire, f(0) + f(v1 + v2) = f(v1) + f(v2);
* one point is silent, and the one opposite to it is at least the sum of the two others;
* two points next to each other fire, whatever they do.

With a cone for each latent, E ‖x - b_dec - Σ f_i d_i‖² + λ E Σ f_i is convex in f and b_dec: 81
programmes with non-negative variables, the best of which is the optimum over every encoder and
every bias. If 0 has no probability then any f ≥ 0 will do: one programme.
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from tests.oracles.two_features import Numbers

Array = NDArray[np.float64]

# Rays that generate each cone; points in the order 0, v1, v2, v1 + v2.
_ALL_FIRE = [(1, 1, 0, 0), (1, 0, 1, 0), (0, 1, 0, 1), (0, 0, 1, 1)]
_ONE_SILENT = [
    [(1, 0, 0, 0), (1, 1, 0, 0), (1, 0, 1, 0)],
    [(0, 0, 0, 1), (0, 1, 0, 1), (0, 0, 1, 1)],
    [(0, 1, 0, 0), (1, 1, 0, 0), (0, 1, 0, 1)],
    [(0, 0, 1, 0), (1, 0, 1, 0), (0, 0, 1, 1)],
]
_TWO_SILENT = [
    [(1, 0, 0, 0), (0, 1, 0, 0)],
    [(1, 0, 0, 0), (0, 0, 1, 0)],
    [(0, 1, 0, 0), (0, 0, 0, 1)],
    [(0, 0, 1, 0), (0, 0, 0, 1)],
]
_CONES = [np.array(rays, dtype=np.float64) for rays in (_ALL_FIRE, *_ONE_SILENT, *_TWO_SILENT)]
_ANYTHING = [np.eye(4)[1:]]
# The penalty is written as a square of this weight, which changes the optimum by as much.
_SMALL = 1e-9


def named_atoms(angle: float) -> dict[str, Array]:
    """The atoms of the four named codes of two features at an angle, in degrees."""
    half = np.radians(angle) / 2
    first, second = np.array([np.cos(half), np.sin(half)]), np.array([np.cos(half), -np.sin(half)])
    both = np.array([1.0, 0.0])
    return {
        "axis-aligned": np.array([first, second]),
        "diagonal": np.array([both]),
        "first feature absorbed": np.array([first, both]),
        "second feature absorbed": np.array([second, both]),
    }


def least_held_loss(numbers: Numbers, atoms: Array) -> float:
    """The least loss over W_enc, b_enc and b_dec with one latent an atom."""
    *chances, angle, l1 = numbers
    first, second = named_atoms(angle)["axis-aligned"]
    points = np.array([0 * first, first, second, first + second])
    probability = np.array([1 - sum(chances), *chances])
    cones = _CONES if probability[0] > 1e-12 else _ANYTHING
    return min(
        _programme(points, probability, atoms, rays, l1)
        for rays in product(cones, repeat=len(atoms))
    )


def _programme(
    points: Array, probability: Array, atoms: Array, rays: tuple[Array, ...], l1: float
) -> float:
    """The optimum with each latent's activations in the cone of its rays."""
    # s ≥ 0 are the weights of all rays: f_i = Σ s_r ray_r and x̂ - b_dec = Σ s_r ray_r ⊗ d_i.
    images = np.concatenate(
        [cone[:, :, None] * atom[None, None, :] for cone, atom in zip(rays, atoms, strict=True)]
    )
    cost = l1 * np.concatenate([cone @ probability for cone in rays])
    # The best b_dec makes the mean residual 0.
    root = np.sqrt(probability)[:, None]
    target = (root * (points - probability @ points)).ravel()
    centred = images - np.einsum("p,rpd->rd", probability, images)[:, None, :]
    columns = (root * centred).reshape(len(images), -1).T
    penalised = np.sqrt(_SMALL) * np.eye(len(images))
    weights, _ = nnls(
        np.vstack([columns, penalised]), np.concatenate([target, -cost / 2 / np.sqrt(_SMALL)])
    )
    residual = columns @ weights - target
    return float(residual @ residual + cost @ weights)
