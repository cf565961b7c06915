"""The numbers beside each claim's symbolic values: exact, optimised and independent.

For every quantity of a `Finding`, in order:

exact
    from the exact moments and losses of `solvers.losses.expected_loss`, no sampling;
optimised
    from a scipy optimiser or root finder let loose on them, which knows no answer;
independent
    adaptive quadrature of pointwise definitions, or brute force, with an error estimate.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from solvers.autoencoders.frames import frame_sae
from solvers.autoencoders.objective import Objective
from solvers.losses.expected_loss import expected_loss
from solvers.optima.minimize import minimize_loss
from solvers.optima.search import Search
from solvers.studies.claims.quadrature import Pointwise, pointwise_loss, quadrature_expectation
from theory.claims.cost_proofs import SAMPLE_L1
from theory.laws.law import Law

Array = NDArray[np.float64]

AXES, DIAGONAL = 0.0, np.pi / 4
QUADRATURE = 1e-7
# Of random starts on either data set a third and more end in the optimum while λ ≤ 1, ...
STARTS = 16
# ... but of those at λ = 2 on the first, where it gains little, two in a hundred.
STARTS_AT_LARGE_L1 = 64


@dataclass(frozen=True)
class Routes:
    """One quantity by three routes; None where a route has nothing to say.

    Parameters
    ----------
    exact, optimised, independent : float or None
    independent_error : float
        The independent route's own error estimate.
    """

    exact: float | None
    optimised: float | None
    independent: float | None
    independent_error: float = 0.0


def quadrature_route(law: Law, function: Pointwise) -> Routes:
    """Return the independent route alone, to be completed with `replace`."""
    value, error = quadrature_expectation(law, function, tolerance=QUADRATURE)
    return Routes(None, None, value, error)


def direction(angle: float) -> Array:
    """Return the unit vector at an angle."""
    return np.array([np.cos(angle), np.sin(angle)])


def least_value(function: Callable[[float], float], low: float, high: float) -> float:
    """Return the minimum of a function of one angle inside an interval, kinks included."""
    found = optimize.minimize_scalar(
        function, bounds=(low, high), method="bounded", options={"xatol": 1e-11}
    )
    return float(found.fun)


def exact_cost(law: Law, angle: float) -> float:
    """Return E Σ f_i of the rotated frame when it reconstructs exactly."""
    return expected_loss(law, frame_sae(angle), Objective(l1=0.0)).l1


def least_loss(law: Law, angle: float) -> Routes:
    """Return the loss of a rotated frame at the sample λ, beside the optimiser's least."""
    l1 = float(SAMPLE_L1)
    sae = frame_sae(angle, l1 / 2)
    return replace(
        quadrature_route(law, pointwise_loss(sae, l1)),
        exact=expected_loss(law, sae, Objective(l1=l1)).total,
        optimised=minimize_loss(law, 4, Objective(l1=l1), Search(STARTS, limit=STARTS)).total,
    )
