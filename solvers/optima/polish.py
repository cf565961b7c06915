"""From a trained SAE to its stationary point: the exact loss minimised from its own weights."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.autoencoder import Autoencoder, Sae
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import law_arrays
from solvers.losses.expected_loss import expected_loss
from solvers.losses.parameters import ScaledProblem
from solvers.losses.relative_loss import tied_b_dec
from solvers.losses.solution import Solution, Solved
from solvers.optima.architecture_descent import ArchitectureDescent
from solvers.optima.minimize import SMALL_BIAS, minimize_from
from theory.laws.law import Law

# Size of the push that tells saddles from minima, in units of the data; and what, relatively,
# counts as lower.
_PUSH = 1e-4
_LOWER = 1e-6
_RELU = Architecture()

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Polished(Solved):
    """The stationary point that an SAE descends to.

    Parameters
    ----------
    solution : Solution
    converged : bool
    saddle : bool
        Whether descent first came to rest on a saddle, from which a small push led on.
    """

    converged: bool
    saddle: bool = False


def with_finite_loss(law: Law, sae: Sae, objective: Objective) -> Sae:
    """Return the SAE itself, or moved to where its loss is finite.

    The relative loss of an SAE with x̂(0) ≠ 0 is infinite where the law reaches 0; it is then
    given b_dec = -Σ ReLU(b_i) d_i.

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> sae = Sae([[1.0], [1.0]], [0.5], [[1.0, 1.0]], [0.0, 0.0])
    >>> with_finite_loss(preset("shared"), sae, Objective(0.1, "relative")).b_dec.tolist()
    [-0.5, -0.5]
    """
    if not expected_loss(law, sae, objective).reason:
        return sae
    return Sae(sae.W_enc, sae.b_enc, sae.W_dec, tied_b_dec(sae.b_enc, sae.W_dec))


def polish(
    law: Law, sae: Autoencoder, objective: Objective, architecture: Architecture = _RELU
) -> Polished:
    """Minimise the exact loss from an SAE's own weights.

    Parameters
    ----------
    law : Law
    sae : Autoencoder
        Of finite loss, see `with_finite_loss`. If the objective holds the decoder at unit
        norm, atoms of another norm are normalised first.
    objective : Objective
    architecture : Architecture
        What the SAE is an instance of; of BatchTopK its threshold follows from k.

    Examples
    --------
    An axis-aligned SAE of the first data set is a saddle; a push leads to the diagonal:

    >>> from solvers.autoencoders.frames import frame_sae
    >>> from theory.laws.presets import preset
    >>> found = polish(preset("shared"), frame_sae(0.0), Objective(l1=0.1))
    >>> found.saddle, round(found.total, 6)
    (True, 0.06824)
    """
    problem = ScaledProblem.of(law_arrays(law), objective, sae.d_sae)
    if not isinstance(sae, Sae):
        return _polished(law, sae, objective, ArchitectureDescent(problem, architecture))
    end, vector = minimize_from(problem, problem.vector(sae))
    if problem.loss.tied:
        # The relative loss has a barrier at every b_i = 0; the gain is on its positive side.
        # Biases away from 0 stay: to turn those over would be a leap into another basin.
        pushed = problem.loss.positive_biases(vector, SMALL_BIAS, within=_PUSH)
        across = minimize_from(problem, pushed)
        if across[0].total < end.total or not np.isfinite(end.total):
            end, vector = across
    saddle = False
    if not problem.loss.tied:
        # A minimum draws a small push back; a saddle, such as a symmetric start, lets it go.
        beyond = minimize_from(problem, _pushed(vector))
        if beyond[0].total < end.total * (1 - _LOWER):
            (end, vector), saddle = beyond, True
    solution = Solution.of(law, problem.sae(vector), objective)
    return Polished(solution=solution, converged=end.converged, saddle=saddle)


def _polished(
    law: Law, sae: Autoencoder, objective: Objective, descent: ArchitectureDescent
) -> Polished:
    end, vector = descent.descend(descent.vector(sae))
    beyond = descent.descend(_pushed(vector))
    saddle = beyond[0].total < end.total - _LOWER * abs(end.total)
    if saddle:
        end, vector = beyond
    solution = Solution.of(law, descent.sae(vector), objective)
    return Polished(solution=solution, converged=end.converged, saddle=saddle)


def _pushed(vector: Array) -> Array:
    push = np.random.default_rng(0).normal(size=vector.shape) * _PUSH
    pushed: Array = vector + push * (1 + np.abs(vector))
    return pushed
