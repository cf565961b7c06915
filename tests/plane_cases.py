"""Random laws and dictionaries in the plane, and the loss by the route that knows no sectors."""

import numpy as np
import sympy

from solvers import Objective
from solvers.autoencoders.autoencoder import Sae
from solvers.losses.best_activations import best_activation_loss
from theory import Component, Law

TURN = 2 * np.pi
Array = np.ndarray


def plane_law(rng: np.random.Generator) -> Law:
    """Points, segments and parallelograms, some flat, some from the origin, in eighths."""
    weights = rng.integers(1, 6, size=rng.integers(1, 5))
    parts = []
    for weight in weights:
        k = int(rng.integers(0, 3))
        matrix = rng.integers(-12, 13, size=(2, k))
        if k == 2 and rng.random() < 0.3:
            matrix[:, 1] = 2 * matrix[:, 0]
        offset = rng.integers(-12, 13, size=(2, 1)) * int(rng.random() < 0.6)
        probability = sympy.Rational(int(weight), int(weights.sum()))
        eighth = sympy.Rational(1, 8)
        parts.append(
            Component(
                probability,
                sympy.ImmutableMatrix(2, k, matrix.ravel().tolist()) * eighth,
                sympy.ImmutableMatrix(offset.tolist()) * eighth,
            )
        )
    return Law(tuple(parts), "random law in the plane")


def random_angles(rng: np.random.Generator, n: int) -> Array:
    """Angles that are often close together, equal, or along the axes and diagonals."""
    angles = rng.uniform(0, TURN, size=n) * rng.choice([1.0, 0.3])
    if rng.random() < 0.3:
        angles[-1] = angles[0]
    return np.round(angles * 4 / np.pi) * np.pi / 4 if rng.random() < 0.3 else angles


def best_loss(law: Law, angles: Array, l1: float, b_dec: Array | None = None) -> float:
    """The best-activation loss by the route that knows no sectors."""
    atoms = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    b_dec = np.zeros(2) if b_dec is None else b_dec
    sae = Sae(atoms.T, np.zeros(len(atoms)), atoms, b_dec)
    return best_activation_loss(law, sae, Objective(l1=l1))
