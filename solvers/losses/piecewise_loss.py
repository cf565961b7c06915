"""The exact expected loss of an SAE of any architecture that is affine between its `breaks`.

On each cell between the breaks x̂ - x and f are affine in u, so that the squared error is a
quadratic, the activations are affine and who fires is constant: `solvers.laws.cell_quadrature`
integrates all three exactly. Slower than the moments of `solvers.laws.half_space_moments`, and
without a gradient: JumpReLU, TopK and Gated SAEs jump, and their loss has boundary terms. On cubes
of more than two dimensions and normals there are no cells here, and ReLU and JumpReLU SAEs have
their moments instead (`solvers.losses.pair_expectations`).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.architectures import JumpReluSae
from solvers.autoencoders.autoencoder import Autoencoder, Sae
from solvers.laws.arrays import LawArrays
from solvers.laws.cell_quadrature import Cell, cell_nodes
from solvers.losses.pair_expectations import pair_expectations
from theory.exact.errors import InputError

Array = NDArray[np.float64]

#: Components times the square of breaks, which bounds the cells: more may take many minutes.
LARGEST_WORK = 10**9
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
        If the law has cubes of a dimension above 2 or normals and the SAE is neither ReLU nor
        JumpReLU, or there is more work than `LARGEST_WORK`, which is said before any is done.

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
    if isinstance(sae, Sae | JumpReluSae) and not law.in_plane_cells:
        return _by_moments(law, sae)
    weights, offsets = sae.breaks
    n = sae.d_sae
    work = sum(len(cubes.probability) for cubes in law.groups if cubes.cube_dimension == 2)
    work *= len(offsets) ** 2
    if work > LARGEST_WORK:
        limit = f"components × (lines where activations change)² of at most {LARGEST_WORK:,}"
        raise InputError("latents", limit, f"{work:,}")
    reconstruction, norm, activation, firing = 0.0, 0.0, np.zeros(n), np.zeros((n, n))
    for cubes in law.groups:
        for probability, affine in zip(cubes.probability, cubes.affine, strict=True):
            lines = weights.T @ affine
            size = np.abs(weights).T @ np.abs(affine).sum(axis=1) + np.abs(offsets)
            lines[:, 0] += offsets
            lines[np.abs(lines).max(axis=1) <= _NOTHING * size] = 0.0
            for signs, u, weight in cell_nodes(affine.shape[1] - 1, _cell_of(sae, lines)):
                x = affine[:, 0] + u @ affine[:, 1:].T
                f = sae.activations_where(x, np.broadcast_to(signs, (len(x), len(signs))))
                x_hat = f @ sae.W_dec + sae.b_dec
                residual = x_hat - x
                mass = probability * weight
                norm += float(mass @ np.einsum("nd,nd->n", x_hat, x_hat))
                reconstruction += float(mass @ np.einsum("nd,nd->n", residual, residual))
                activation += mass @ f
                fires = (f > 0).astype(np.float64)
                firing += (fires * mass[:, None]).T @ fires
    return PiecewiseParts(reconstruction, norm, activation, firing)


def _by_moments(law: LawArrays, sae: Sae | JumpReluSae) -> PiecewiseParts:
    found = pair_expectations(law, sae)
    off_centre = sae.b_dec - law.mean
    reached = float(np.vdot(sae.W_dec @ sae.W_dec.T, found.together))
    return PiecewiseParts(
        law.spread
        + float(off_centre @ off_centre)
        - 2.0 * float(np.vdot(sae.W_dec, found.with_residual))
        + reached,
        reached + float(sae.b_dec @ (2.0 * found.activation @ sae.W_dec + sae.b_dec)),
        found.activation,
        found.firing,
    )


def _cell_of(sae: Autoencoder, lines: Array) -> Callable[[Array], Cell[Array]]:
    """Return what `cell_nodes` asks: around u, the signs of the breaks, and those that count."""
    vanishes = ~lines.any(axis=1)

    def cell_of(u: Array) -> Cell[Array]:
        values = lines[:, 0] + lines[:, 1:] @ u
        # On a break, as at a point of the law, nothing is chosen; beside it either side will do.
        tied = 0.0 if len(u) == 0 else 1.0
        signs = np.where(vanishes, 0.0, np.where(values == 0, tied, np.sign(values)))
        counting = sae.breaks_beside(signs) & ~vanishes
        return Cell(signs[counting, None] * lines[counting], signs)

    return cell_of
