"""The best lower bound there is on the loss of every SAE of a width, objective and architecture.

Let v_s be the weight of prefix m_s of the latents: one prefix, all n of them, of weight 1, unless
the objective has others. A loss is at least

    Σ_s v_s R_s + λ E Σ w_i f_i + λ₀ E #{f_i > 0} + decay,

    R_s = E ‖x - b - Σ_{i ≤ m_s} f_i d_i‖².

Two bounds on its parts are known. No R_s is below the width bound W(m_s). And for any weights
0 ≤ u_s ≤ v_s with the sum u the rest, Σ_s u_s R_s + penalties, is at least u B(λ/u, λ₀/u, μ/u), B
being what no SAE of any width is below for one prefix (`solvers.bounds.radial_bound`,
`solvers.bounds.hard_threshold_bound`): at every x both argue from the number of latents that fire
and from t = Σ f_i alone, which are largest for the whole width, so that they hold for every prefix
at once. Together, for every choice of u,

    L ≥ Σ_s (v_s - u_s) W(m_s) + u B(λ/u, λ₀/u, μ/u).

For a given sum u the smallest W, those of the largest prefixes, are given up first; what remains
is concave in u, and is maximised, its corners v_r, v_r + v_{r-1}, ... included. u = 0 is the width
bound, u = Σ v_s the other.

An architecture only narrows the SAEs, so that all this holds of every one. If no more than k < 1
latents fire on average, as in a BatchTopK SAE, λ₀ E # ≤ λ₀ k for every λ₀ (weak duality), so that

    R ≥ max_κ B(λ, λ₀ + κ) - κ k.

That is of no use for k ≥ 1: an l0 bound is at most κ.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize

from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.objective import Objective
from solvers.bounds.hard_threshold_bound import BUDGET, hard_threshold_bound
from solvers.bounds.radial_bound import LowerBound, lower_bound
from solvers.bounds.width_bound import width_bound
from solvers.laws.arrays import law_arrays
from solvers.runtime.arguments import check_type, check_whole, checked
from theory.laws.law import Law

_RELU = Architecture()
# What a bound may cost while a number is sought, of which the best is then computed in full.
_SEEKING = BUDGET // 50
# A weight u is sought from this share of Σ v_s on, on a logarithmic scale, up to this accuracy;
# and κ between these multiples of the law's spread.
_LEAST_SHARE = 1e-7
_KAPPAS = (1e-5, 1e2)
_ACCURACY = 0.02


@dataclass(frozen=True)
class _Problem:
    """What is asked for, with its prefixes."""

    law: Law
    objective: Objective
    n_latents: int

    @property
    def prefixes(self) -> list[tuple[float, LowerBound]]:
        """Weights of prefixes and their width bounds, the largest prefix first."""
        sizes = self.objective.prefixes or (self.n_latents,)
        weights = self.objective.weights_of_prefixes() or (1.0,)
        arrays = law_arrays(self.law)
        return [
            (weight, width_bound(arrays, size))
            for size, weight in zip(sizes[::-1], weights[::-1], strict=True)
        ]

    def of_any_width(
        self, weight: float = 1.0, more_l0: float = 0.0, budget: int = BUDGET
    ) -> LowerBound:
        """Return u B(λ/u, λ₀/u, μ/u), with λ₀ raised by κ."""
        plain = replace(
            self.objective,
            l1=self.objective.l1 / weight,
            weight_decay=self.objective.weight_decay / weight,
            l0=(self.objective.l0 + more_l0) / weight,
            prefixes=(),
            prefix_weights="sum",
        )
        bounds = [lower_bound(self.law, replace(plain, l0=0.0), self.n_latents)]
        if plain.l0 > 0:
            bounds.append(hard_threshold_bound(self.law, plain, budget=budget))
        best = max(bounds, key=_proven)
        return LowerBound(best.value * weight, best.error * weight, best.by)

    def with_width(self, weight: float, budget: int = BUDGET) -> LowerBound:
        """Return the bound of both kinds for a sum u of weights."""
        left, value, error, of_width = weight, 0.0, 0.0, False
        for each, bound in self.prefixes:
            given_up = min(left, each)
            left -= given_up
            value += (each - given_up) * bound.value
            error += (each - given_up) * bound.error
            of_width = of_width or (each > given_up and bound.value > 0)
        names = ["width bound"] if of_width else []
        if weight > 0:
            rest = self.of_any_width(weight, budget=budget)
            value, error = value + rest.value, error + rest.error
            names += [rest.by] if rest.value > 0 else []
        error += float(np.finfo(float).eps) * abs(value)
        return LowerBound(value, error, " and ".join(names)) if names else LowerBound(0.0, 0.0)


@checked
def best_bound(
    law: Law, n_latents: int, objective: Objective, architecture: Architecture = _RELU
) -> LowerBound:
    """Return the best lower bound on the loss of every SAE of a width and an architecture.

    Parameters
    ----------
    law : Law
    n_latents : int ≥ 1
    objective : Objective
    architecture : Architecture, optional

    Returns
    -------
    LowerBound
        `value - error` is below every loss.

    Raises
    ------
    InputError
        For a number out of range, or a last prefix that is not the width.

    Examples
    --------
    One latent on the first data set leaves out a third at least, and pays for what it does:

    >>> from theory import load_law
    >>> bound = best_bound(load_law("shared"), 1, Objective(l1=0.1))
    >>> round(bound.value, 3), bound.by
    (0.351, 'width bound and radial bound')
    >>> best_bound(load_law("shared"), 1, Objective(0.0), Architecture("topk", 1)).by
    'width bound'
    """
    check_whole("n_latents", n_latents, 1)
    check_type("architecture", architecture, Architecture)
    architecture.check_width(n_latents)
    objective.latent_prefixes(n_latents)
    problem = _Problem(law, objective, n_latents)
    if objective.reconstruction != "squared":
        return problem.of_any_width()
    corners = np.cumsum([0.0, *(weight for weight, _ in problem.prefixes)]).tolist()
    found = [problem.with_width(corner) for corner in corners]
    all_weights = corners[-1]
    if found[-1].value > 0 and any(bound.value > 0 for _, bound in problem.prefixes):
        found.append(_largest(problem.with_width, all_weights * _LEAST_SHARE, all_weights))
    k = architecture.k
    if k is not None and k < 1:

        def dual(kappa: float, budget: int = BUDGET) -> LowerBound:
            bound = problem.of_any_width(all_weights, kappa, budget)
            return replace(bound, value=bound.value - kappa * k)

        spread = law_arrays(law).spread
        found.append(_largest(dual, _KAPPAS[0] * spread, _KAPPAS[1] * spread))
    return max(found, key=_proven)


def _proven(bound: LowerBound) -> float:
    return bound.value - bound.error


def _largest(bound: Callable[[float, int], LowerBound], low: float, high: float) -> LowerBound:
    """Return the bound at about the best number of an interval; it holds at every one."""
    if not 0 < low < high:
        return LowerBound(0.0, 0.0)
    found = optimize.minimize_scalar(
        lambda logarithm: -_proven(bound(math.exp(logarithm), _SEEKING)),
        bounds=(math.log(low), math.log(high)), method="bounded", options={"xatol": _ACCURACY},
    )  # fmt: skip
    return bound(math.exp(found.x), BUDGET)
