"""Random laws and SAEs in dyadic numbers, with every degenerate latent mixed in."""

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def dyadic(rng: np.random.Generator, shape: tuple[int, ...], denominator: int = 16) -> Array:
    """Return random multiples of 1/denominator in [-2, 2]."""
    return rng.integers(-2 * denominator, 2 * denominator + 1, size=shape) / denominator


def random_specification(rng: np.random.Generator) -> dict[str, Any]:
    """Return a law file's contents: sets, table, f, q, amplitude and embedding all random."""
    m, n = (int(size) for size in rng.integers(1, 4, size=2))
    specification: dict[str, Any] = {"sets": [m, n]}
    specification["magnitude_correlation"] = rng.choice([0.0, 0.25, 0.5, 0.75, 1.0]).item()
    specification["amplitude"] = rng.choice([0.5, 1.0, 2.0]).item()
    own_none = rng.random() < 0.4
    weights = rng.integers(0, 5, size=(m + own_none, n + own_none))
    weights[0, 0] += 1
    specification["probabilities"] = [
        [str(Fraction(int(w), int(weights.sum()))) for w in row] for row in weights
    ]
    if not own_none:
        specification["onehot_probability"] = rng.choice([0.0, 0.25, 0.5]).item()
    d = int(rng.integers(2, 7))
    specification["embedding"] = dyadic(rng, (m + n, d)).tolist()
    return specification


def random_sae(rng: np.random.Generator, d: int, n: int) -> tuple[Array, Array, Array, Array]:
    """Return dyadic W_enc, b_enc, W_dec, b_dec; about half the latents are degenerate."""
    W_enc, b_enc = dyadic(rng, (d, n)), dyadic(rng, (n,))
    W_dec, b_dec = dyadic(rng, (n, d)), dyadic(rng, (d,))
    for i in range(n):
        kind = rng.integers(0, 14)
        j = int(rng.integers(0, n))
        if kind == 0:  # reads one coordinate only: its line is often parallel to an edge
            W_enc[:, i] = 0
            W_enc[rng.integers(0, d), i] = 1
        elif kind == 1:  # coincident with another latent, same side
            W_enc[:, i], b_enc[i] = 3 * W_enc[:, j], 3 * b_enc[j]
        elif kind == 2:  # coincident, opposite side
            W_enc[:, i], b_enc[i] = -0.5 * W_enc[:, j], -0.5 * b_enc[j]
        elif kind == 3:
            b_enc[i] = -64  # never fires
        elif kind == 4:
            b_enc[i] = 64  # always fires
        elif kind == 5:
            W_enc[:, i] = 0  # constant activation
        elif kind == 6:
            W_enc[:, i], b_enc[i] = 0, 0  # pre-activation identically zero
        elif kind == 7:
            b_enc[i] = 0  # its line passes through the law's corner
    return W_enc, b_enc, W_dec, b_dec
