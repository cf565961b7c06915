"""Minimise the exact expected loss: a seeded multistart over all parameters, b_dec included.

Each start is drawn by `solvers.autoencoders.initialisation`, "uniform": unit atoms uniformly on
the sphere, W_enc = W_decᵀ, and biases and b_dec normal with a tenth of the data's root mean square
per coordinate. BFGS (L-BFGS for long vectors) then runs until no component of the gradient exceeds
`tolerance`, and Newton's method with the exact Hessian makes it vanish to rounding. All this is in
units in which the data have mean 0 and that root mean square is 1, so that where the data lie and
how large they are changes nothing.
"""

import math
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from solvers.autoencoders.autoencoder import Sae
from solvers.autoencoders.initialisation import initial_weights
from solvers.autoencoders.objective import Objective
from solvers.bounds.radial_bound import LowerBound, lower_bound
from solvers.laws.arrays import law_arrays
from solvers.losses.expected_loss import ExpectedLoss, expected_loss
from solvers.losses.parameters import ScaledProblem
from solvers.optima.descent import newton, on_manifold, settle
from solvers.runtime.arguments import check_whole
from solvers.runtime.parallel import each_result
from theory.exact.errors import InputError
from theory.laws.law import Law

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]

# BFGS keeps a dense matrix; beyond this many parameters L-BFGS is the faster.
_DENSE = 500
SMALL_BIAS = 1e-3
_LARGEST_COUNT = 10**9
# Beyond this the moments of all pairs of latents alone take gigabytes.
_LARGEST_WIDTH = 5000


@dataclass(frozen=True)
class Start:
    """How one start ended.

    Parameters
    ----------
    total : float
        The loss that it reached.
    converged : bool
        Whether no component of the gradient exceeds the tolerance there, in units in which
        the data's root mean square per coordinate is 1; in a kink, along it, if no one-sided
        slope leads down.
    gradient : float
        The largest component of that gradient, in the same units.
    iterations : int
    status : str
        The optimiser's own last message.
    """

    total: float
    converged: bool
    gradient: float
    iterations: int
    status: str


@dataclass(frozen=True, kw_only=True)
class Optimum(ExpectedLoss):
    """The best SAE that was found, its exact loss, and how sure one can be.

    The fields of `ExpectedLoss`, and:

    Parameters
    ----------
    sae : Sae
        The best SAE.
    lower_bound, lower_bound_error : float
        No SAE of this width has a loss below `lower_bound`, up to its quadrature error.
    starts : tuple of Start
        Every start, in order.
    seed : int
    interrupted : bool
        Whether the run was stopped before all starts were done.
    """

    sae: Sae
    lower_bound: float
    lower_bound_error: float
    starts: tuple[Start, ...]
    seed: int
    interrupted: bool = False

    @property
    def decoder(self) -> list[list[float]]:
        """The atoms, one a row."""
        rows: list[list[float]] = self.sae.W_dec.tolist()
        return rows

    @property
    def gap(self) -> float:
        """Distance from the lower bound: total - lower_bound."""
        return self.total - self.lower_bound

    @property
    def converged(self) -> bool:
        """Whether the start that gave the best loss converged."""
        return min(self.starts, key=lambda start: _nan_last(start.total)).converged


def minimize_loss(
    law: Law,
    n_latents: int,
    objective: Objective,
    *,
    starts: int = 32,
    seed: int = 0,
    tolerance: float = 1e-7,
    max_iterations: int = 2000,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> Optimum:
    """Return the best of several local minima of the exact expected loss.

    Parameters
    ----------
    law : Law
    n_latents : int ≥ 1
        Width of the SAE.
    objective : Objective
        With decoder="unit" every ‖d_i‖ = 1 holds at every step.
    starts : int ≥ 1
        Local minimisations from independent random starts.
    seed : int ≥ 0
        Fixes every start; the result does not depend on the executor.
    tolerance : float > 0
        A start has converged if no component of its gradient is larger.
    max_iterations : int ≥ 1
        Iterations at most, a start.
    executor : concurrent.futures.Executor, optional
        Runs the starts; by default they run here, one after the other.
    progress : callable, optional
        Called with the numbers of finished and of all starts.

    Returns
    -------
    Optimum
        After a KeyboardInterrupt with at least one start finished: the best so far, with
        `interrupted` true.

    Raises
    ------
    InputError
        For a number out of range, or an objective without a minimum: with free atoms and a
        plain l1 penalty, larger atoms and smaller activations make the penalty vanish, so
        without weight decay the infimum is not attained.

    Examples
    --------
    >>> from theory import load_law
    >>> best = minimize_loss(load_law("shared"), 4, Objective(l1=0.1), starts=4)
    >>> round(best.total, 9), best.gap < 1e-9
    (0.068240141, True)
    """
    for name, value, least in (
        ("n_latents", n_latents, 1),
        ("starts", starts, 1),
        ("seed", seed, 0),
        ("max_iterations", max_iterations, 1),
    ):
        check_whole(name, value, least, _LARGEST_COUNT)
    if n_latents > _LARGEST_WIDTH:
        raise InputError("n_latents", f"at most {_LARGEST_WIDTH}", n_latents)
    if not (isinstance(tolerance, int | float) and tolerance > 0):
        raise InputError("tolerance", "a number > 0", tolerance)
    objective.check_has_minimum()
    arrays = law_arrays(law)
    problem = ScaledProblem.of(arrays, objective, n_latents)
    task = _Task(problem, tolerance, max_iterations)
    seeds = np.random.SeedSequence(seed).spawn(starts)
    finished: dict[int, tuple[Start, Array]] = {}
    interrupted = False
    try:
        for index, result in each_result(task, seeds, executor):
            finished[index] = result
            if progress is not None:
                progress(len(finished), starts)
    except KeyboardInterrupt:
        if not finished:
            raise
        interrupted = True
    order = sorted(finished)
    best = min(order, key=lambda index: _nan_last(finished[index][0].total))
    sae = problem.sae(finished[best][1])
    loss = expected_loss(law, sae, objective)
    try:
        bound = lower_bound(law, objective, n_latents)
    except KeyboardInterrupt:
        # The starts are worth more than the bound: without one it is 0.
        bound, interrupted = LowerBound(0.0, 0.0), True
    return Optimum(
        **{field.name: getattr(loss, field.name) for field in fields(ExpectedLoss)},
        sae=sae,
        lower_bound=bound.value,
        lower_bound_error=bound.error,
        starts=tuple(finished[index][0] for index in order),
        seed=seed,
        interrupted=interrupted,
    )


def _nan_last(total: float) -> float:
    return math.inf if math.isnan(total) else total


@dataclass(frozen=True, eq=False)
class _Task:
    """One start, as something that can be sent to another process."""

    problem: ScaledProblem
    tolerance: float
    max_iterations: int

    def __call__(self, seed: np.random.SeedSequence) -> tuple[Start, Array]:
        start, limits = self._start(seed), (self.tolerance, self.max_iterations)
        first = minimize_from(self.problem, start, *limits)
        if not self.problem.loss.tied:
            return first
        # The relative loss has a barrier at every b_i = 0; the gain is on its positive side.
        across = self.problem.loss.positive_biases(first[1], SMALL_BIAS)
        second = minimize_from(self.problem, across, *limits)
        return min(first, second, key=lambda end: _nan_last(end[0].total))

    def _start(self, seed: np.random.SeedSequence) -> Array:
        loss = self.problem.loss
        drawn = initial_weights(
            "uniform", np.random.default_rng(seed), 1, loss.law.dimension, loss.n_latents
        )
        return self.problem.start(*(array[0] for array in drawn))


def minimize_from(
    problem: ScaledProblem, start: Array, tolerance: float = 1e-7, max_iterations: int = 2000
) -> tuple[Start, Array]:
    """Return the local minimum that a start leads to, as a `Start` and its vector.

    The squared loss, which has an exact Hessian, is brought to rest by `descent.settle`, so that
    not only the loss, which is flat there, but every function of the weights is accurate.
    """
    # One digit below the tolerance, so that rounding in the last step does not miss it.
    goal = tolerance / 10
    dense = len(start) <= _DENSE
    with np.errstate(all="ignore"):
        if dense:
            found = optimize.minimize(
                problem.loss, start, jac=True, method="BFGS",
                options={"maxiter": max_iterations, "gtol": goal},
            )  # fmt: skip
        else:
            found = optimize.minimize(
                problem.loss, start, jac=True, method="L-BFGS-B",
                options={"maxiter": max_iterations, "maxfun": 10 * max_iterations,
                         "gtol": goal, "ftol": 0.0, "maxcor": 30},
            )  # fmt: skip
        vector, largest = found.x, float(np.abs(problem.loss(found.x)[1]).max())
        squared = problem.loss.objective.reconstruction == "squared"
        # With a gradient beyond the data's own size, or none, there is no rest nearby.
        if squared and dense and found.nit < max_iterations and largest < 1:
            rest = newton(problem.loss, on_manifold(problem.loss, vector))
            if not (rest.settled or largest <= tolerance):
                rest = settle(problem.loss, on_manifold(problem.loss, vector), push=False)
            if rest.settled:
                vector, largest = rest.vector, rest.gradient
        total = problem.loss(vector)[0]
    record = Start(
        float(total) * problem.loss_unit,
        bool(largest <= tolerance),
        largest,
        int(found.nit),
        str(found.message),
    )
    return record, vector
