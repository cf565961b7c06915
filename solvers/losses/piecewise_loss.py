"""The exact expected loss of an SAE of any architecture that is affine between its `breaks`.

On each cell between the breaks x̂ - x and f are affine in u, so that the squared error is a
quadratic, the activations are affine and who fires is constant: `solvers.laws.cell_quadrature`
integrates all three exactly. Slower than the moments of `solvers.laws.half_space_moments`, and
without a gradient: JumpReLU, TopK and Gated SAEs jump, and their loss has boundary terms.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.autoencoder import Autoencoder
from solvers.laws.arrays import LawArrays
from solvers.laws.cell_quadrature import cell_nodes

Array = NDArray[np.float64]

# A break that is smaller than this on a whole component, relative to its terms, vanishes there.
_NOTHING = 1e-13


class PiecewiseParts(NamedTuple):
    """Expectations over a law.

    Parameters
    ----------
    reconstruction : float
        E ‖x - x̂‖².
    norm : float
        E ‖x̂‖².
    activation : (n,) array
        E f_i.
    firing : (n, n) array
        P(f_i > 0 and f_j > 0); on the diagonal P(f_i > 0).
    """

    reconstruction: float
    norm: float
    activation: Array
    firing: Array


def piecewise_parts(law: LawArrays, sae: Autoencoder) -> PiecewiseParts:
    """Return the expectations, exactly.

    Raises
    ------
    InputError
        If the law has cubes of a dimension above 2, or there are too many cells.

    Examples
    --------
    TopK with k = 1 and the four features as atoms leaves the smaller of two independent
    amplitudes out: E min(a, b)² = 1/6.

    >>> from solvers.autoencoders.architectures import TopKSae
    >>> from solvers.autoencoders.frames import frame_sae
    >>> from solvers.laws.arrays import law_arrays
    >>> from theory import load_law
    >>> parts = piecewise_parts(law_arrays(load_law("independent")), TopKSae(frame_sae(0.0), 1))
    >>> round(parts.reconstruction, 15) == round(1 / 6, 15), parts.firing[0].round(15).tolist()
    (True, [0.25, 0.0, 0.0, 0.0])
    """
    weights, offsets = sae.breaks
    n = sae.d_sae
    reconstruction, norm, activation, firing = 0.0, 0.0, np.zeros(n), np.zeros((n, n))
    for cubes in law.groups:
        for probability, affine in zip(cubes.probability, cubes.affine, strict=True):
            lines = weights.T @ affine
            size = np.abs(weights).T @ np.abs(affine).sum(axis=1) + np.abs(offsets)
            lines[:, 0] += offsets
            vanishes = np.abs(lines).max(axis=1) <= _NOTHING * size
            for u, weight in cell_nodes(np.where(vanishes[:, None], 0.0, lines)):
                u_tilde = np.hstack([np.ones((len(u), 1)), u])
                x = u_tilde @ affine.T
                signs = np.where(vanishes, 0.0, np.sign(u_tilde @ lines.T))
                f = sae.activations_where(x, signs)
                x_hat = f @ sae.W_dec + sae.b_dec
                residual = x_hat - x
                mass = probability * weight
                norm += float(mass @ np.einsum("nd,nd->n", x_hat, x_hat))
                reconstruction += float(mass @ np.einsum("nd,nd->n", residual, residual))
                activation += mass @ f
                fires = (f > 0).astype(np.float64)
                firing += (fires * mass[:, None]).T @ fires
    return PiecewiseParts(reconstruction, norm, activation, firing)
