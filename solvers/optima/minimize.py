"""Minimise the exact expected loss: a seeded multistart over all parameters, b_dec included.

Each start is drawn by `solvers.autoencoders.initialisation`, "uniform": unit atoms uniformly on
the sphere, W_enc = W_decᵀ, and biases and b_dec normal with a tenth of the data's root mean square
per coordinate. BFGS (L-BFGS for long vectors) then runs until no component of the gradient exceeds
`tolerance`, and Newton's method with the exact Hessian, where there is one, makes it vanish to
rounding. On a law of solid cubes most of the way is gone on points that stand for them. All this
is in units in which the data have mean 0 and that root mean square is 1, so that where the data
lie and how large they are changes nothing.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.initialisation import initial_weights
from solvers.autoencoders.objective import Objective
from solvers.bounds.best_bound import best_bound
from solvers.bounds.radial_bound import LowerBound
from solvers.laws.arrays import law_arrays
from solvers.losses.parameters import ScaledProblem
from solvers.losses.solution import Solution, zero_code
from solvers.losses.standard_error import fresh_loss
from solvers.optima.architecture_descent import ArchitectureDescent, check_objective
from solvers.optima.descent import newton, on_manifold, settle
from solvers.optima.optimum import Optimum, Start
from solvers.optima.search import Search
from solvers.runtime.arguments import check_number, check_type, check_whole, checked
from solvers.runtime.parallel import each_result
from theory.laws.law import Law

Array = NDArray[np.float64]
#: Random starts unless told otherwise; the relative loss takes ten times as long a start.
STARTS = {"squared": 32, "relative": 4}

# BFGS keeps a dense matrix; beyond this many parameters L-BFGS is the faster.
_DENSE = 500
# A gradient at which a descent on points that stand for cubes has done its part.
_ROUGH = 1e-5
SMALL_BIAS = 1e-3
_LARGEST_COUNT = 10**9
# Beyond this the moments of all pairs of latents alone take gigabytes.
_LARGEST_WIDTH = 5000
# Losses that differ by less, relatively, agree to rounding.
_ALIKE = 1e-12
_DEFAULT = Search()
_RELU = Architecture()


class Candidate(NamedTuple):
    """A solution that was found by other means, and counts beside those of random starts."""

    found: str
    solution: Solution
    converged: bool


@checked
def minimize_loss(
    law: Law,
    n_latents: int,
    objective: Objective,
    search: Search = _DEFAULT,
    *,
    architecture: Architecture = _RELU,
    candidates: Iterable[Candidate] = (),
    tolerance: float = 1e-7,
    max_iterations: int = 2000,
) -> Optimum:
    """Return the best of several local minima of the exact expected loss.

    After the starts that were asked for, as many are added again and again, up to the limit of
    the search, while fewer than `OFTEN` have reached the best loss and the lower bound is not
    attained.

    Parameters
    ----------
    law : Law
    n_latents : int ≥ 1
        Width of the SAE.
    objective : Objective
        With decoder="unit" every ‖d_i‖ = 1 holds at every step.
    search : Search, optional
        By default 32 random starts; 4 where the reconstruction is relative, which takes longer.
    architecture : Architecture, optional
        By default ReLU; for others see `solvers.optima.architecture_descent`, and the search
        makes no more starts than it was asked for.
    candidates : iterable of Candidate
        What else may be the best; taken before the random starts, one after the other, so that
        a generator may compute them meanwhile.
    tolerance : float > 0
        A start has converged if no component of its gradient is larger.
    max_iterations : int ≥ 1
        Iterations at most, a start.

    Returns
    -------
    Optimum
        After a KeyboardInterrupt with at least one start finished, or a candidate: the best so
        far, with `interrupted` true.

    Raises
    ------
    InputError
        For a number out of range, or an objective without a minimum: with free atoms and a
        plain l1 penalty, larger atoms and smaller activations make the penalty vanish, so
        without weight decay the infimum is not attained.

    Examples
    --------
    >>> from theory import load_law
    >>> best = minimize_loss(load_law("shared"), 4, Objective(l1=0.1), Search(starts=4))
    >>> round(best.total, 9), best.attained, len(best.starts)
    (0.068240141, True, 4)
    """
    check_width(n_latents)
    check_whole("max_iterations", max_iterations, 1, _LARGEST_COUNT)
    tolerance = check_number("tolerance", tolerance, above=0)
    check_type("objective", objective, Objective)
    check_objective(architecture, objective, n_latents)
    problem = ScaledProblem.of(law_arrays(law), objective, n_latents)
    is_relu = architecture.name == "relu"
    other = ArchitectureDescent(problem, architecture)
    task = _Task(problem, tolerance, max_iterations) if is_relu else other
    sae_of = problem.sae if is_relu else other.sae
    root, ends = np.random.SeedSequence(search.seed), dict[int, tuple[Start, Array]]()
    nothing = zero_code(law, n_latents, objective).loss.total
    # After an interrupt before it is known, the bound is that of every loss.
    bound = LowerBound(0.0, 0.0)
    others: list[Candidate] = []

    def best(interrupted: bool) -> Optimum:
        order, found = sorted(ends), others.copy()
        if ends:
            index = min(order, key=lambda index: _nan_last(ends[index][0].total))
            solution = Solution.of(law, sae_of(ends[index][1]), objective)
            found.insert(
                0, Candidate(f"best of {len(ends)} starts", solution, ends[index][0].converged)
            )
        # What agrees to rounding is no improvement on what comes before.
        least = min(_nan_last(one.solution.loss.total) for one in found)
        first = next(one for one in found if not one.solution.loss.total > least * (1 + _ALIKE))
        return Optimum(
            solution=first.solution, found=first.found, converged=first.converged, bound=bound,
            nothing=nothing, starts=tuple(ends[index][0] for index in order),
            seed=int(search.seed), interrupted=interrupted,
            fresh=fresh_loss(law, first.solution.sae, objective, first.solution.loss.total),
        )  # fmt: skip

    usual = STARTS[objective.reconstruction]
    least, most = search.least(usual), search.most(usual)
    if not is_relu:
        most = least
    try:
        bound = best_bound(law, n_latents, objective, architecture)
        for candidate in candidates:
            others.append(candidate)
            search.tell(len(others), len(others) + least)
        while not ends or (len(ends) < most and not best(False).sure):
            made = len(ends)
            seeds = root.spawn(min(least, most - made))
            for index, end in each_result(task, seeds, search.executor):
                ends[made + index] = end
                search.tell(len(others) + len(ends), len(others) + made + len(seeds))
        index = min(ends, key=lambda index: _nan_last(ends[index][0].total))
        leads_on = is_relu and objective.reconstruction == "squared"
        if leads_on and not ends[index][0].converged:
            further = minimize_from(problem, ends[index][1], tolerance, max_iterations)
            if further[0].total <= ends[index][0].total * (1 + _ALIKE):
                ends[index] = further
    except KeyboardInterrupt:
        if not ends and not others:
            raise
        return best(True)
    found = best(False)
    if is_relu or not found.converged:
        return found
    return replace(found, valley=other.valley(found.sae))


def check_width(n_latents: int) -> None:
    """Raise `InputError` unless an SAE can have so many latents."""
    check_whole("n_latents", n_latents, 1, _LARGEST_WIDTH)


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
        # Only the best of all starts is worth the seconds that leading one on may take.
        first = minimize_from(self.problem, start, *limits, lead_on=False, coarse_first=True)
        if not self.problem.loss.tied:
            return first
        # The relative loss has a barrier at every b_i = 0; the gain is on its positive side.
        across = self.problem.loss.positive_biases(first[1], SMALL_BIAS)
        second = minimize_from(self.problem, across, *limits, lead_on=False)
        return min(first, second, key=lambda end: _nan_last(end[0].total))

    def _start(self, seed: np.random.SeedSequence) -> Array:
        loss = self.problem.loss
        drawn = initial_weights(
            "uniform", np.random.default_rng(seed), 1, loss.law.dimension, loss.n_latents
        )
        return self.problem.start(*(array[0] for array in drawn))


def minimize_from(
    problem: ScaledProblem,
    start: Array,
    tolerance: float = 1e-7,
    max_iterations: int = 2000,
    *,
    lead_on: bool = True,
    coarse_first: bool = False,
) -> tuple[Start, Array]:
    """Return the local minimum that a start leads to, as a `Start` and its vector.

    The squared loss, which has an exact Hessian, is brought to rest by Newton's method, so that
    not only the loss, which is flat there, but every function of the weights is accurate. What
    BFGS leaves short of the tolerance, in a kink or a valley, `descent.settle` may lead on. With
    `coarse_first` a start far away first descends on points that stand for solid cubes
    (`LawArrays.coarse`), from where the way to the end on the law itself is short.
    """
    # One digit below the tolerance, so that rounding in the last step does not miss it.
    goal = tolerance / 10
    dense = len(start) <= _DENSE
    with np.errstate(all="ignore"):
        options: Any = {"maxiter": max_iterations, "gtol": goal}
        if dense and coarse_first and problem.loss.law.coarse is not None:
            rough = replace(problem.loss, law=problem.loss.law.coarse)
            found = optimize.minimize(
                rough, start, jac=True, method="BFGS",
                options={"maxiter": max_iterations, "gtol": _ROUGH},
            )  # fmt: skip
            start = found.x
            inverse = np.asarray(found.hess_inv)
            options["hess_inv0"] = (inverse + inverse.T) / 2
        if dense:
            found = optimize.minimize(
                problem.loss, start, jac=True, method="BFGS", options=options
            )
        else:
            found = optimize.minimize(
                problem.loss, start, jac=True, method="L-BFGS-B",
                options={"maxiter": max_iterations, "maxfun": 10 * max_iterations,
                         "gtol": goal, "ftol": 0.0, "maxcor": 30},
            )  # fmt: skip
        vector, largest = found.x, float(np.abs(problem.loss(found.x)[1]).max())
        squared = problem.loss.objective.reconstruction == "squared"
        # With a gradient beyond the data's own size, or none, there is no rest nearby. Where
        # second derivatives are differences of gradients, they are worth it only to lead on.
        led = problem.loss.has_exact_hessian or (lead_on and largest > tolerance)
        if squared and dense and led and found.nit < max_iterations and largest < 1:
            rest = newton(problem.loss, on_manifold(problem.loss, vector))
            if lead_on and not (rest.settled or largest <= tolerance):
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
