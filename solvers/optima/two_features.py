"""The best pair of unit atoms for a law in the plane, by minimising the exact loss over angles.

`theory.two_features.phases` solves the shared laws. With independent amplitudes every direction
between the features occurs, the loss of a pair is an integral over a parallelogram cut by the
lines on which latents join, and the two angles are left to a minimiser. b_dec = 0.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from solvers.autoencoders.autoencoder import Sae
from solvers.autoencoders.objective import Objective
from solvers.losses.best_activations import best_activation_loss
from solvers.runtime.arguments import check_whole
from theory.exact.errors import InputError
from theory.laws.law import Law

Array = NDArray[np.float64]

# The loss is flat to second order, so angles this exact give it to rounding error.
_ANGLE = 1e-9
_LOSS = 1e-15
_ITERATIONS = 1000
_MOST_DIRECTIONS = 10_000
# Size of the first simplex, in radians.
_SIMPLEX = 0.05


@dataclass(frozen=True)
class BestPair:
    """The best pair of atoms found.

    Parameters
    ----------
    first, second : float
        Angles of the atoms from the first axis, in degrees; first ≥ second.
    loss : float
        E ‖x - x̂‖² + λ E Σ f_i with the best activations.
    converged : bool
        Whether the minimiser says so.
    """

    first: float
    second: float
    loss: float
    converged: bool


def best_pair(law: Law, l1: float, spread: float = 90.0, directions: int = 4) -> BestPair:
    """Return the best pair of unit atoms found from every pair of a few starting directions.

    Parameters
    ----------
    law : Law
        In the plane, its features symmetric about the first axis as those of
        `theory.two_features.gains.two_features` are.
    l1 : float
        λ.
    spread : float
        Starts lie from -spread/2 to spread/2, in degrees: the angle θ between the features.
    directions : int
        Number of starting directions ≥ 2.

    Raises
    ------
    InputError
        If the law is not in the plane, or there are fewer than two directions.

    Examples
    --------
    Two orthogonal features alone are the optimal atoms, whatever λ:

    >>> from theory.laws.two_features import two_features
    >>> pair = best_pair(two_features("1/2", "1/2", 0, 90, uniform=True), 0.2)
    >>> round(pair.first, 4), round(pair.second, 4), round(pair.loss, 9)
    (45.0, -45.0, 0.090333333)
    """
    if law.dimension != 2:
        raise InputError(law.name, "a law in the plane, of dimension 2", law.dimension)
    check_whole("directions", directions, 2, _MOST_DIRECTIONS)
    objective = Objective(l1=l1)

    def loss(angles: Array) -> float:
        return best_activation_loss(law, pair_of_atoms(angles), objective)

    starts = np.radians(spread) * np.linspace(0.5, -0.5, directions)
    found = []
    for start in combinations(starts, 2):
        simplex = np.array(start) + _SIMPLEX * np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        found.append(
            minimize(
                loss,
                np.array(start),
                method="Nelder-Mead",
                options={
                    "xatol": _ANGLE,
                    "fatol": _LOSS,
                    "maxiter": _ITERATIONS,
                    "initial_simplex": simplex,
                },
            )
        )
    best = min(found, key=lambda result: float(result.fun))
    first, second = sorted(np.degrees(best.x).tolist(), reverse=True)
    return BestPair(first, second, float(best.fun), bool(best.success))


def pair_of_atoms(angles: Array) -> Sae:
    """Return an SAE whose atoms lie at these angles, in radians, with no biases.

    Examples
    --------
    >>> pair_of_atoms(np.array([0.0, np.pi / 2])).W_dec.round(9).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    atoms = np.column_stack([np.cos(angles), np.sin(angles)])
    return Sae(atoms.T, np.zeros(len(atoms)), atoms, np.zeros(2))
