"""Orthogonal frames in the plane as SAEs: the codes that theory names, as weights."""

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.autoencoder import Sae
from solvers.runtime.arguments import checked


def frame_atoms(angle: float) -> NDArray[np.float64]:
    """Return the four unit atoms ±u, ±v with u at `angle`, in radians; shape (4, 2)."""
    u = np.array([np.cos(angle), np.sin(angle)])
    v = np.array([-u[1], u[0]])
    return np.array([u, -u, v, -v])


@checked
def frame_sae(angle: float, threshold: float = 0.0) -> Sae:
    """Return the SAE of a rotated frame whose latents soft-threshold: f = (u·x - threshold)₊.

    With threshold 0 it reconstructs every x exactly; with λ/2 it is the optimum of its
    dictionary under an l1 penalty λ.

    Examples
    --------
    >>> frame_sae(0.0).reconstruction([[3.0, -4.0]]).tolist()
    [[3.0, -4.0]]
    """
    atoms = frame_atoms(angle)
    return Sae(atoms.T, np.full(4, -threshold), atoms, np.zeros(2))
