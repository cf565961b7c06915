"""Minimise the exact loss of JumpReLU SAEs, an l0 penalty included: multistart BFGS.

The gradient is exact, with its boundary terms (`solvers.losses.jump_sums`). Thresholds are
squares, θ = t², so that they stay ≥ 0. Starts are the law's codes with hard thresholds of several
heights, and random weights as for ReLU SAEs, their thresholds uniform up to √λ₀. On points the
loss is constant in θ but for jumps, so that there is no gradient to follow: what is found there is
only as good as the best start, and `converged` says little.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from solvers.autoencoders.architectures import JumpReluSae
from solvers.autoencoders.autoencoder import Sae
from solvers.autoencoders.initialisation import initial_weights
from solvers.autoencoders.objective import Objective
from solvers.bounds.hard_threshold_bound import hard_threshold_bound
from solvers.laws.arrays import law_arrays
from solvers.losses.loss_parts import jump_loss_parts
from solvers.losses.parameters import LossOfVector, ScaledProblem
from solvers.losses.solution import Solution, zero_code
from solvers.losses.standard_error import fresh_loss
from solvers.optima.optimum import Optimum, Start
from solvers.optima.search import Search
from solvers.runtime.arguments import check_type, check_whole, checked
from solvers.runtime.parallel import each_result
from theory.codes.code import codes_of
from theory.exact.errors import InputError
from theory.laws.law import Law

Array = NDArray[np.float64]

_STARTS = 32
_ITERATIONS = 2000
_TOLERANCE = 1e-7
# Heights of the codes' thresholds, in √λ₀.
_HEIGHTS = (1.0, 0.5, 0.05)
_ALIKE = 1e-12
# BFGS is begun at most so often, and anew only if that made the loss smaller by such a share.
_BEGINNINGS = 3
_LOWER = 1e-9
_DEFAULT = Search()


@dataclass(frozen=True, eq=False)
class JumpLoss:
    """The loss of a law under an objective as a function of a JumpReLU SAE's parameters.

    Parameters
    ----------
    relu : LossOfVector
        Of the ReLU SAE with the same arrays; the vector is its vector and then t, θ = t².
    """

    relu: LossOfVector

    def __call__(self, vector: Array) -> tuple[float, Array]:
        """Return the loss and its gradient at a vector of length n (2d + 2) + d."""
        n = self.relu.n_latents
        t = vector[-n:]
        sae = self.relu.sae(vector[:-n])
        parts, gradient = jump_loss_parts(
            self.relu.law, sae.W_enc, sae.b_enc, t * t, sae.W_dec, sae.b_dec, self.relu.objective
        )
        assert gradient.threshold is not None
        packed = self.relu.packed(gradient, vector[:-n])
        return parts.total, np.concatenate([packed, 2.0 * t * gradient.threshold])

    def sae(self, vector: Array) -> JumpReluSae:
        """Return the SAE that a vector stands for."""
        n = self.relu.n_latents
        return JumpReluSae(self.relu.sae(vector[:-n]), vector[-n:] ** 2)


@dataclass(frozen=True, eq=False)
class _Task:
    """One descent, as something that can be sent to another process."""

    problem: ScaledProblem

    def __call__(self, start: Array) -> tuple[Start, Array]:
        loss, vector, steps = JumpLoss(self.problem.loss), start, 0
        with np.errstate(all="ignore"):
            before = np.inf
            # Where planes come to lie on edges BFGS may stop early; it is begun anew.
            for _ in range(_BEGINNINGS):
                found = optimize.minimize(
                    loss, vector, jac=True, method="BFGS",
                    options={"maxiter": _ITERATIONS, "gtol": _TOLERANCE / 10},
                )  # fmt: skip
                vector, steps = found.x, steps + int(found.nit)
                if found.success or not found.fun < before - _LOWER * abs(found.fun):
                    break
                before = found.fun
            total, slope = loss(vector)
        largest = float(np.abs(slope).max())
        total *= self.problem.loss_unit
        return Start(total, largest <= _TOLERANCE, largest, steps, str(found.message)), vector


@checked
def minimize_jump_loss(
    law: Law, n_latents: int, objective: Objective, search: Search = _DEFAULT
) -> Optimum:
    """Return the best JumpReLU SAE found for a law, a width and an objective.

    Parameters
    ----------
    law : Law
    n_latents : int ≥ 1
    objective : Objective
        With a squared reconstruction and no weight decay.
    search : Search

    Raises
    ------
    InputError
        For another reconstruction, weight decay, or a loss without a minimum.

    Examples
    --------
    Under an l0 penalty the diagonal code is the optimum on the first data set, for every width:

    >>> from theory import load_law
    >>> best = minimize_jump_loss(load_law("shared"), 4, Objective(l1=0, l0=0.1),
    ...                           Search(starts=2, limit=2))
    >>> round(best.total, 9), best.attained
    (0.08509288, True)
    """
    check_whole("n_latents", n_latents, 1)
    check_type("objective", objective, Objective)
    objective.check_has_minimum()
    if objective.reconstruction != "squared":
        expected = "'squared' for a JumpReLU SAE"
        raise InputError("reconstruction", expected, objective.reconstruction)
    if objective.weight_decay:
        raise InputError("weight_decay", "0 for a JumpReLU SAE", objective.weight_decay)
    arrays = law_arrays(law)
    problem = ScaledProblem.of(arrays, objective, n_latents)
    named = list(_from_codes(law, problem, objective))
    least = search.least(_STARTS)
    seeds = np.random.SeedSequence(search.seed).spawn(least)
    vectors = [vector for _, vector in named]
    vectors += [_random(problem, seed) for seed in seeds]
    ends: dict[int, tuple[Start, Array]] = {}
    interrupted = False
    try:
        for index, end in each_result(_Task(problem), vectors, search.executor):
            ends[index] = end
            search.tell(len(ends), len(vectors))
    except KeyboardInterrupt:
        if not ends:
            raise
        interrupted = True
    order = sorted(ends)
    best = min(ends[index][0].total for index in order)
    first = next(i for i in order if not ends[i][0].total > best + _ALIKE * abs(best))
    codes = len(named)
    found = f"from the {named[first][0]} code" if first < codes else f"best of {least} starts"
    solution = Solution.of(law, _in_units_of_data(problem, ends[first][1]), objective)
    return Optimum(
        solution=solution,
        fresh=fresh_loss(law, solution.sae, objective, solution.loss.total),
        found=found,
        converged=ends[first][0].converged,
        bound=hard_threshold_bound(law, objective),
        nothing=zero_code(law, n_latents, objective).loss.total,
        starts=tuple(ends[index][0] for index in order if index >= codes),
        seed=int(search.seed),
        interrupted=interrupted,
    )


def _from_codes(
    law: Law, problem: ScaledProblem, objective: Objective
) -> Iterator[tuple[str, Array]]:
    """Yield the law's codes, read without a bias, with hard thresholds."""
    n = problem.loss.n_latents
    height = np.sqrt(objective.l0) or objective.l1 / 2
    for code in codes_of(law):
        atoms = np.array(code.atoms, dtype=np.float64)[:n]
        W_dec = np.resize(atoms, (n, atoms.shape[1]))
        # Two latents of one atom would both be charged: the others never fire.
        reads, b_enc = W_dec.T.copy(), np.zeros(n)
        reads[:, len(atoms) :], b_enc[len(atoms) :] = 0.0, -height
        start = problem.vector(Sae(reads, b_enc, W_dec, np.zeros(len(reads))))
        for share in _HEIGHTS:
            t = np.full(n, np.sqrt(share * height / problem.size))
            yield code.name, np.concatenate([start, t])


def _random(problem: ScaledProblem, seed: np.random.SeedSequence) -> Array:
    loss, rng = problem.loss, np.random.default_rng(seed)
    drawn = initial_weights("uniform", rng, 1, loss.law.dimension, loss.n_latents)
    height = np.sqrt(loss.objective.l0) or loss.objective.l1 / 2
    t = np.sqrt(height * rng.random(loss.n_latents))
    return np.concatenate([problem.start(*(array[0] for array in drawn)), t])


def _in_units_of_data(problem: ScaledProblem, vector: Array) -> JumpReluSae:
    sae = JumpLoss(problem.loss).sae(vector)
    base = Sae(sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec)
    return JumpReluSae(problem.in_units_of_data(base), sae.threshold * problem.size)
