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
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.objective import Objective
from solvers.bounds.hard_threshold_bound import hard_threshold_bound
from solvers.bounds.law_cells import law_cells
from solvers.bounds.profile_means import HardThresholdProfile
from solvers.bounds.radial_bound import LowerBound, lower_bound
from solvers.bounds.width_bound import width_bound
from solvers.laws.arrays import law_arrays
from solvers.runtime.arguments import check_type, check_whole, checked
from theory.laws.law import Law

Array = NDArray[np.float64]

_RELU = Architecture()
# A weight u is sought from this share of Σ v_s on, on a logarithmic scale, up to this accuracy;
# and κ between these multiples of the law's spread.
_LEAST_SHARE = 1e-7
_KAPPAS = (1e-5, 1e2)
_ACCURACY = 0.02
# They are sought on so many cells of the law, with b_dec its mean or one of the likeliest cells,
# and the largest norms of free atoms.
_CELLS, _LIKELIEST, _NORMS = 2**11, 32, 16


@dataclass(frozen=True)
class _Problem:
    """What is asked for, with its prefixes."""

    law: Law
    objective: Objective
    n_latents: int

    @cached_property
    def prefixes(self) -> list[tuple[float, LowerBound]]:
        """Weights of prefixes and their width bounds, the largest prefix first."""
        sizes = self.objective.prefixes or (self.n_latents,)
        weights = self.objective.weights_of_prefixes() or (1.0,)
        arrays = law_arrays(self.law)
        return [
            (weight, width_bound(arrays, size))
            for size, weight in zip(sizes[::-1], weights[::-1], strict=True)
        ]

    def of_any_width(self, weight: float = 1.0, more_l0: float = 0.0) -> LowerBound:
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
            bounds.append(hard_threshold_bound(self.law, plain))
        best = max(bounds, key=_proven)
        return LowerBound(best.value * weight, best.error * weight, best.by)

    def of_widths(self, weight: float) -> LowerBound:
        """Return what prefixes are bounded by that a sum u of weights is taken from."""
        left, value, error = weight, 0.0, 0.0
        for each, bound in self.prefixes:
            given_up = min(left, each)
            left -= given_up
            value += (each - given_up) * bound.value
            error += (each - given_up) * bound.error
        return LowerBound(value, error, "width bound") if value > 0 else LowerBound(0.0, 0.0)

    def with_width(self, weight: float) -> LowerBound:
        """Return the bound of both kinds for a sum u of weights."""
        parts = [self.of_widths(weight)]
        if weight > 0:
            parts.append(self.of_any_width(weight))
        value = sum(part.value for part in parts)
        error = sum(part.error for part in parts) + float(np.finfo(float).eps) * abs(value)
        names = [part.by for part in parts if part.value > 0]
        return LowerBound(value, error, " and ".join(names)) if names else LowerBound(0.0, 0.0)

    @cached_property
    def _distances(self) -> tuple[Array, Array]:
        """Probabilities of cells, and their distances from some b_dec, (m, cells)."""
        cells = law_cells(law_arrays(self.law), _CELLS)
        likeliest = np.argsort(-cells.probability, kind="stable")[:_LIKELIEST]
        b = np.vstack([law_arrays(self.law).mean, cells.mean[likeliest]])
        return cells.probability, np.linalg.norm(cells.mean - b[:, None], axis=2)

    def about(self, weight: float, more_l0: float = 0.0) -> float:
        """Return about what `of_any_width` is, up to what does not depend on u."""
        objective, (probability, r) = self.objective, self._distances
        l0 = (objective.l0 + more_l0) / weight

        def least(l1: float) -> float:
            return weight * float((HardThresholdProfile(l0, l1 / weight)(r) @ probability).min())

        if objective.decoder == "unit" or objective.sparsity == "decoder-norm":
            return least(objective.l1)
        decay = objective.weight_decay
        if decay == 0:
            return least(0.0)
        largest = math.sqrt(law_arrays(self.law).spread / decay)
        norms = largest * np.arange(1, _NORMS + 1) / _NORMS
        return min(least(objective.l1 / float(norm)) + decay * float(norm) ** 2 for norm in norms)


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
    every = corners[-1]
    if found[-1].value > 0 and any(bound.value > 0 for _, bound in problem.prefixes):
        weight = _largest(
            lambda weight: problem.of_widths(weight).value + problem.about(weight),
            _LEAST_SHARE * every, every,
        )  # fmt: skip
        found.append(problem.with_width(weight))
    k, spread = architecture.k, law_arrays(law).spread
    if k is not None and k < 1 and spread > 0:
        kappa = _largest(
            lambda kappa: problem.about(every, kappa) - kappa * k,
            _KAPPAS[0] * spread, _KAPPAS[1] * spread,
        )  # fmt: skip
        bound = problem.of_any_width(every, kappa)
        found.append(replace(bound, value=bound.value - kappa * k))
    return max(found, key=_proven)


def _proven(bound: LowerBound) -> float:
    return bound.value - bound.error


def _largest(value: Callable[[float], float], low: float, high: float) -> float:
    """Return about where a function of one peak is largest."""
    found = optimize.minimize_scalar(
        lambda logarithm: -value(math.exp(logarithm)),
        bounds=(math.log(low), math.log(high)), method="bounded", options={"xatol": _ACCURACY},
    )  # fmt: skip
    return math.exp(found.x)
