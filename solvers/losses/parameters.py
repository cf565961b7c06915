"""All parameters of an SAE as one vector, with the unit-norm constraint built in.

With unit atoms the vector holds v_i and the atom is d_i = v_i/‖v_i‖, so the constraint holds
exactly at every step. The derivative along v_i is the projection of the derivative along d_i
on the sphere's tangent plane, divided by ‖v_i‖.
"""

from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.autoencoder import Autoencoder, Sae
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import LawArrays
from solvers.laws.inverse_square_moments import reaches_origin
from solvers.losses.loss_parts import Gradient, loss_parts
from solvers.losses.relative_loss import tied_b_dec

Array = NDArray[np.float64]
AnySae = TypeVar("AnySae", bound=Autoencoder)

# Data whose spread is smaller beside their distance from 0 are one point.
_ROUNDING = 1e-14


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
        """Return the loss and its gradient at a vector of length n (2d + 1) + d.

        Without the last d if b_dec is `tied`.
        """
        W_enc, b_enc, rows, b_dec = self._split(vector)
        W_dec, _ = self._atoms(rows)
        parts, gradient = loss_parts(self.law, W_enc, b_enc, W_dec, b_dec, self.objective)
        return parts.total, self.packed(gradient, vector)

    def packed(self, gradient: Gradient, vector: Array) -> Array:
        """Return the derivatives in the vector's entries of what has this gradient there."""
        W_dec, norms = self._atoms(self._split(vector)[2])
        to_rows = gradient.W_dec
        if norms is not None:
            radial = np.einsum("ij,ij->i", to_rows, W_dec)
            to_rows = (to_rows - radial[:, None] * W_dec) / norms
        packed = pack(gradient._replace(W_dec=to_rows))
        return packed[: len(packed) - self.law.dimension] if self.tied else packed

    @property
    def has_exact_hessian(self) -> bool:
        """Whether second derivatives are more than differences of gradients."""
        objective = self.objective
        if objective.reconstruction != "squared" or objective.l0 or objective.prefixes:
            return False
        return self.law.in_plane_cells

    @property
    def tied(self) -> bool:
        """Whether b_dec follows the other parameters: the loss is finite only if x̂(0) = 0."""
        return self.objective.reconstruction == "relative" and reaches_origin(self.law)

    def vector(self, W_enc: Array, b_enc: Array, W_dec: Array, b_dec: Array) -> Array:
        """Return the vector that stands for these arrays, b_dec left out if it is tied."""
        parts = (W_enc.ravel(), b_enc, W_dec.ravel(), b_dec[: 0 if self.tied else None])
        return np.concatenate(parts)

    def positive_biases(self, vector: Array, size: float, within: float = np.inf) -> Array:
        """Return the vector with encoder biases made positive, by at least `size`.

        Only those within a distance of 0, by default all.
        """
        W_enc, b_enc, rows, b_dec = self._split(vector)
        moved = np.where(np.abs(b_enc) <= within, np.abs(b_enc) + size, b_enc)
        return self.vector(W_enc, moved, rows, b_dec)

    def sae(self, vector: Array) -> Sae:
        """Return the SAE that a vector stands for."""
        W_enc, b_enc, rows, b_dec = self._split(vector)
        W_dec, _ = self._atoms(rows)
        return Sae(W_enc, b_enc, W_dec, tied_b_dec(b_enc, W_dec) if self.tied else b_dec)

    def _split(self, vector: Array) -> tuple[Array, Array, Array, Array]:
        d, n = self.law.dimension, self.n_latents
        W_enc, b_enc, rows, b_dec = np.split(vector, np.cumsum([d * n, n, n * d]))
        if self.tied:
            b_dec = np.zeros(d)
        return W_enc.reshape(d, n), b_enc, rows.reshape(n, d), b_dec

    def _atoms(self, rows: Array) -> tuple[Array, Array | None]:
        if self.objective.decoder == "free":
            return rows, None
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / norms, norms


@dataclass(frozen=True, eq=False)
class ScaledProblem:
    """A loss in units of the data: their mean m is the origin there, and their size c is 1.

    With x' = (x - m)/c, f' = f/c, b_enc' = (b_enc + W_encᵀ m)/c and b_dec' = (b_dec - m)/c,

        E ‖x - x̂‖² + λ E Σ f = c² (E ‖x' - x̂'‖² + (λ/c) E Σ f'),

    and weight decay μ is μ/c² there. So neither where the data lie nor how large they are makes
    a difference to a search. The relative reconstruction knows an origin but no unit: there
    m = 0, and λ is λ c.

    Parameters
    ----------
    loss : LossOfVector
        Of the law of x' under the scaled objective.
    centre : (d,) array
        m.
    size : float
        c, the root mean square of a coordinate of x - m.
    loss_unit : float
        What a loss of 1 there is in the units of the data.

    Examples
    --------
    >>> from solvers.laws.arrays import law_arrays
    >>> from theory import load_law
    >>> law = law_arrays(load_law("two-features:first_alone=1/2,both=1/2"))
    >>> problem = ScaledProblem.of(law, Objective(l1=0.1), 2)
    >>> bool(np.allclose(problem.centre, law.mean)), problem.loss.law.mean.tolist()
    (True, [0.0, 0.0])
    """

    loss: LossOfVector
    centre: Array
    size: float
    loss_unit: float

    @classmethod
    def of(cls, law: LawArrays, objective: Objective, n_latents: int) -> "ScaledProblem":
        """Return the problem of a law in units of its data."""
        relative = objective.reconstruction == "relative"
        about_zero = float(np.sqrt(np.trace(law.second_moment) / law.dimension))
        centre = np.zeros(law.dimension) if relative else law.mean
        size = about_zero if relative else float(np.sqrt(law.spread / law.dimension))
        # Data that are one point have no size but their distance from 0, and at 0 none.
        if not size > _ROUNDING * about_zero:
            size = about_zero or 1.0
        loss_unit = 1.0 if relative else size * size
        scaled = replace(
            objective,
            l1=objective.l1 * size if relative else objective.l1 / size,
            weight_decay=objective.weight_decay / loss_unit,
            l0=objective.l0 / loss_unit,
        )
        loss = LossOfVector(law.moved(centre, 1 / size), scaled, n_latents)
        return cls(loss, centre, size, loss_unit)

    def sae(self, vector: Array) -> Sae:
        """Return the SAE that a vector stands for, in the units of the data."""
        return self.in_units_of_data(self.loss.sae(vector))

    def scaled(self, sae: AnySae) -> AnySae:
        """Return the SAE for x' that one for the data is."""
        return sae.moved(-self.centre / self.size, 1.0 / self.size)

    def in_units_of_data(self, sae: AnySae) -> AnySae:
        """Return the SAE for the data that one for x' stands for.

        Examples
        --------
        >>> from solvers.laws.arrays import law_arrays
        >>> from theory.laws.presets import preset
        >>> law = law_arrays(preset("shared", amplitude=3))
        >>> problem = ScaledProblem.of(law, Objective(l1=0.1), 1)
        >>> sae = problem.in_units_of_data(Sae([[1], [0]], [-0.5], [[1, 0]], [1, 0]))
        >>> round(problem.size, 9), sae.b_enc.round(9).tolist(), sae.b_dec.round(9).tolist()
        (1.732050808, [-0.866025404], [1.732050808, 0.0])
        """
        return sae.moved(self.centre, self.size)

    def vector(self, sae: Sae) -> Array:
        """Return the vector that stands for an SAE in the units of the data."""
        scaled = self.scaled(sae)
        return self.loss.vector(scaled.W_enc, scaled.b_enc, scaled.W_dec, scaled.b_dec)

    def start(self, W_enc: Array, b_enc: Array, W_dec: Array, b_dec: Array) -> Array:
        """Return the vector of weights drawn for data of mean 0 and size 1.

        Where 0 is no point of its own, that is wherever b_dec is not tied, such data are
        (x - E x)/c with c the size of x - E x.
        """
        law = self.loss.law
        if self.loss.objective.reconstruction == "relative" and not self.loss.tied:
            size = float(np.sqrt(law.spread / law.dimension)) or 1.0
            b_enc, b_dec = size * b_enc - law.mean @ W_enc, size * b_dec + law.mean
        return self.loss.vector(W_enc, b_enc, W_dec, b_dec)


def pack(parameters: Gradient | Sae) -> Array:
    """Return the four arrays of an SAE or of a gradient as one vector."""
    arrays = (parameters.W_enc, parameters.b_enc, parameters.W_dec, parameters.b_dec)
    return np.concatenate([array.ravel() for array in arrays])
