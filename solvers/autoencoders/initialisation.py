"""Where training starts: weights drawn as the field's libraries draw them.

A new initialisation is a function that draws and an entry of `INITIALISATIONS`.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.runtime.arguments import check_choice

Array = NDArray[np.float64]

# Of biases and b_dec in "uniform", in units of the data's root mean square per coordinate.
_SPREAD = 0.1
# decoder_init_norm's default in SAELens, TrainingSAE.initialize_weights, version 6.
_SAELENS_NORM = 0.1


class Weights(NamedTuple):
    """Parameters of all instances, or their gradients: a leading axis of instances."""

    W_enc: Array
    b_enc: Array
    W_dec: Array
    b_dec: Array


#: Takes a generator, the number of instances, d and n, and returns weights.
Draw = Callable[[np.random.Generator, int, int, int], Weights]


class Initialisation(NamedTuple):
    """A way to draw weights.

    Parameters
    ----------
    description : str
        What is drawn, for readers.
    draw : callable
        See `Draw`.
    trained_from : bool
        Whether somebody trains from it, so that `train` offers it.
    """

    description: str
    draw: Draw
    trained_from: bool = True


def _tied_to(W_dec: Array, b_enc: Array | None = None, b_dec: Array | None = None) -> Weights:
    """Return weights whose encoder is the decoder's transpose; biases are 0 unless given."""
    instances, n, d = W_dec.shape
    return Weights(
        W_dec.transpose(0, 2, 1).copy(),
        np.zeros((instances, n)) if b_enc is None else b_enc,
        W_dec,
        np.zeros((instances, d)) if b_dec is None else b_dec,
    )


def _unit_atoms(rng: np.random.Generator, instances: int, d: int, n: int) -> Array:
    atoms = rng.normal(size=(instances, n, d))
    unit: Array = atoms / np.linalg.norm(atoms, axis=2, keepdims=True)
    return unit


def _uniform(rng: np.random.Generator, instances: int, d: int, n: int) -> Weights:
    atoms = _unit_atoms(rng, instances, d, n)
    b_enc = _SPREAD * rng.normal(size=(instances, n))
    return _tied_to(atoms, b_enc, _SPREAD * rng.normal(size=(instances, d)))


def _tied(rng: np.random.Generator, instances: int, d: int, n: int) -> Weights:
    return _tied_to(_unit_atoms(rng, instances, d, n))


def _kaiming(rng: np.random.Generator, instances: int, d: int, n: int) -> Weights:
    # PyTorch takes the product of the last two axes for the fan of a three-axis tensor.
    bound = math.sqrt(6 / (d * n))
    W_enc = rng.uniform(-bound, bound, size=(instances, d, n))
    W_dec = rng.uniform(-bound, bound, size=(instances, n, d))
    return Weights(W_enc, np.zeros((instances, n)), W_dec, np.zeros((instances, d)))


def _saelens(rng: np.random.Generator, instances: int, d: int, n: int) -> Weights:
    W_dec = rng.uniform(-1, 1, size=(instances, n, d))
    return _tied_to(W_dec * (_SAELENS_NORM / np.linalg.norm(W_dec, axis=2, keepdims=True)))


#: By name; "kaiming" is [Anders2024, code], "saelens" [SAELens, TrainingSAE.initialize_weights].
INITIALISATIONS: Final = {
    "uniform": Initialisation(
        "unit atoms in uniform directions, W_enc = W_decᵀ, biases and b_dec normal, 0.1",
        _uniform,
        trained_from=False,
    ),
    "tied": Initialisation(
        "unit atoms in uniform directions, W_enc = W_decᵀ, biases and b_dec 0", _tied
    ),
    "kaiming": Initialisation(
        "weights uniform within ±√(6/(d n)), biases and b_dec 0, as the post's code has it",
        _kaiming,
    ),
    "saelens": Initialisation(
        "atoms uniform in a cube, then of norm 0.1, W_enc = W_decᵀ, biases and b_dec 0", _saelens
    ),
}


def initial_weights(
    name: str, rng: np.random.Generator, instances: int, d: int, n: int
) -> Weights:
    """Return the weights that SAEs start from, in units of the data's root mean square.

    Parameters
    ----------
    name : str
        A key of `INITIALISATIONS`.
    rng : numpy.random.Generator
    instances, d, n : int
        How many SAEs, of what dimension and width.

    Raises
    ------
    InputError
        For an unknown name.

    Examples
    --------
    >>> weights = initial_weights("saelens", np.random.default_rng(0), 1, 2, 3)
    >>> np.linalg.norm(weights.W_dec[0], axis=1).round(12).tolist()
    [0.1, 0.1, 0.1]
    """
    check_choice("initialisation", name, INITIALISATIONS)
    return INITIALISATIONS[name].draw(rng, instances, d, n)
