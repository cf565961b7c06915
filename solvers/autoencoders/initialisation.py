"""Where training starts: weights drawn as the field's libraries draw them."""

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.runtime.arguments import check_choice

Array = NDArray[np.float64]

INITIALISATIONS: Final = {
    "uniform": "unit atoms in uniform directions, W_enc = W_decᵀ, biases and b_dec normal, 0.1",
    "tied": "unit atoms in uniform directions, W_enc = W_decᵀ, biases and b_dec 0",
    "kaiming": "weights uniform within ±√(6/(d n)), biases and b_dec 0, as the post's code has it",
    "saelens": "atoms uniform in a cube, then of norm 0.1, W_enc = W_decᵀ, biases and b_dec 0",
}
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


def initial_weights(
    name: str, rng: np.random.Generator, instances: int, d: int, n: int
) -> Weights:
    """Return the weights that SAEs start from, in units of the data's root mean square.

    Parameters
    ----------
    name : str
        A key of `INITIALISATIONS`: "uniform", "tied", "kaiming" [Anders2024, code] or "saelens"
        [SAELens, TrainingSAE.initialize_weights: `kaiming_uniform_`, then decoder_init_norm].
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
    b_enc, b_dec = np.zeros((instances, n)), np.zeros((instances, d))
    if name == "kaiming":
        # PyTorch takes the product of the last two axes for the fan of a three-axis tensor.
        bound = math.sqrt(6 / (d * n))
        W_enc = rng.uniform(-bound, bound, size=(instances, d, n))
        W_dec = rng.uniform(-bound, bound, size=(instances, n, d))
        return Weights(W_enc, b_enc, W_dec, b_dec)
    if name == "saelens":
        W_dec = rng.uniform(-1, 1, size=(instances, n, d))
        W_dec *= _SAELENS_NORM / np.linalg.norm(W_dec, axis=2, keepdims=True)
    else:
        W_dec = rng.normal(size=(instances, n, d))
        W_dec /= np.linalg.norm(W_dec, axis=2, keepdims=True)
    if name == "uniform":
        b_enc = _SPREAD * rng.normal(size=(instances, n))
        b_dec = _SPREAD * rng.normal(size=(instances, d))
    return Weights(W_dec.transpose(0, 2, 1).copy(), b_enc, W_dec, b_dec)
