"""All parameters of an SAE as one vector, with the unit-norm constraint built in.

With unit atoms the vector holds v_i and the atom is d_i = v_i/‖v_i‖, so the constraint holds
exactly at every step. The derivative along v_i is the projection of the derivative along d_i
on the sphere's tangent plane, divided by ‖v_i‖.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.expected_loss import Gradient, loss_parts
from solvers.law_arrays import LawArrays
from solvers.objectives import Objective
from solvers.sae import Sae

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LossOfVector:
    """The exact loss of a law under an objective as a function of one parameter vector.

    Parameters
    ----------
    law : LawArrays
    objective : Objective
    n_latents : int
    """

    law: LawArrays
    objective: Objective
    n_latents: int

    def __call__(self, vector: Array) -> tuple[float, Array]:
        """Return the loss and its gradient at a vector of length n (2d + 1) + d."""
        W_enc, b_enc, rows, b_dec = self._split(vector)
        W_dec, norms = self._atoms(rows)
        parts, gradient = loss_parts(self.law, W_enc, b_enc, W_dec, b_dec, self.objective)
        to_rows = gradient.W_dec
        if norms is not None:
            radial = np.einsum("ij,ij->i", to_rows, W_dec)
            to_rows = (to_rows - radial[:, None] * W_dec) / norms
        return parts.total, pack(gradient._replace(W_dec=to_rows))

    def sae(self, vector: Array) -> Sae:
        """Return the SAE that a vector stands for."""
        W_enc, b_enc, rows, b_dec = self._split(vector)
        return Sae(W_enc, b_enc, self._atoms(rows)[0], b_dec)

    def _split(self, vector: Array) -> tuple[Array, Array, Array, Array]:
        d, n = self.law.dimension, self.n_latents
        W_enc, b_enc, rows, b_dec = np.split(vector, np.cumsum([d * n, n, n * d]))
        return W_enc.reshape(d, n), b_enc, rows.reshape(n, d), b_dec

    def _atoms(self, rows: Array) -> tuple[Array, Array | None]:
        if self.objective.decoder == "free":
            return rows, None
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / norms, norms


def pack(parameters: Gradient | Sae) -> Array:
    """Return the four arrays of an SAE or of a gradient as one vector."""
    arrays = (parameters.W_enc, parameters.b_enc, parameters.W_dec, parameters.b_dec)
    return np.concatenate([array.ravel() for array in arrays])
