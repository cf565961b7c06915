"""The least exact loss of an SAE whose atoms are held at a code: only encoder and biases move.

The loss with the best activations, g(b_dec), is a lower bound, and convex in b_dec. So an SAE
whose own loss is g at its b_dec, where the derivative of g, 2 (E x̂ - E x), vanishes, is the best
that the code can do: it is *proven*. Where no SAE that is found reaches the bound, an amortisation
gap [ONeill2024] remains, or the search has missed; min g then says how much is in doubt.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from solvers.autoencoders.autoencoder import Sae
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import law_arrays
from solvers.losses.best_activations import best_activation_loss
from solvers.losses.expected_loss import expected_loss_and_gradient
from solvers.losses.parameters import ScaledProblem
from solvers.losses.solution import Solution, Solved
from solvers.optima.held_starts import HeldStarts
from theory.codes.code import Code
from theory.laws.law import Law

Array = NDArray[np.float64]

_TOLERANCE = 1e-9
_ITERATIONS = 2000
# Losses this close, as a share of what the law spreads about its mean, are the same; and the
# largest derivative along b_dec, in units of the data's size, of a b_dec that is the best.
_SAME = 1e-9
_REST = 1e-6
# Components times latents², about the number of cells, beyond which a bound would take seconds.
_LARGEST_WORK = 10_000


@dataclass(frozen=True, eq=False, kw_only=True)
class HeldCode(Solved):
    """The best SAE found whose atoms are a code's, one latent each.

    Parameters
    ----------
    solution : Solution
    lower_bound : float or None
        No encoder and biases have a smaller loss with these atoms; None if no bound is known, as
        for the relative reconstruction and weight decay.
    agreeing : int
        Starts that ended at this loss.
    """

    lower_bound: float | None
    agreeing: int

    @property
    def proven(self) -> bool:
        """Whether the loss is the bound."""
        return self.lower_bound is not None and self.loss.total <= self.lower_bound


def held_code(law: Law, code: Code, objective: Objective, starts: Sequence[Sae] = ()) -> HeldCode:
    """Return the least loss over W_enc, b_enc and b_dec of one latent for each atom of a code.

    The minimisation starts at the best activations with their best b_dec, at the SAEs given, and
    with b_dec at 0, at the law's mean and at its likeliest points (`solvers.optima.held_starts`).
    It ends as soon as an end is proven to be the best.

    Parameters
    ----------
    law : Law
    code : Code
    objective : Objective
        Atoms stay where they are, whatever its decoder.
    starts : sequence of Sae, optional
        More starts, such as those of a law nearby; their atoms do not count.

    Examples
    --------
    The axis-aligned code on the first data set, λ - λ²/2 + λ³/12:

    >>> from theory.codes.code import axis_aligned
    >>> from theory.laws.presets import preset
    >>> held = held_code(preset("shared"), axis_aligned(), Objective(l1=0.1))
    >>> round(held.loss.total, 9), held.proven
    (0.095083333, True)
    """
    search = _Search.of(law, code, objective)
    own = search.starts
    ends = search.ends([*[next(own)], *starts])
    if not ends[-1].proven:
        ends += search.ends(own)
    least = min(ends, key=lambda end: end.solution.loss.total)
    found = least.solution
    return search.best(ends, found.loss.total if least.proven else search.lower_bound(found.relu))


def follow_code(law: Law, code: Code, objective: Objective, starts: Sequence[Sae]) -> HeldCode:
    """Return the best SAE of a code that some SAEs lead to, as along a path of laws.

    Parameters
    ----------
    law, code, objective
        As for `held_code`.
    starts : sequence of Sae
        At least one; their atoms do not count.

    Returns
    -------
    HeldCode
        No bound is computed, and nothing proven.

    Examples
    --------
    >>> from theory.codes.code import axis_aligned
    >>> from theory.laws.presets import preset
    >>> near = held_code(preset("shared"), axis_aligned(), Objective(l1=0.12)).sae
    >>> followed = follow_code(preset("shared"), axis_aligned(), Objective(l1=0.1), [near])
    >>> round(followed.loss.total, 9)
    0.095083333
    """
    search = _Search.of(law, code, objective)
    return search.best([search.end(start) for start in starts], None)


@dataclass(frozen=True)
class _End:
    """Where a start came to rest."""

    solution: Solution
    proven: bool = False


@dataclass(frozen=True, eq=False)
class _Search:
    """The search for the best encoder and biases of one code."""

    law: Law
    atoms: Array
    objective: Objective
    problem: ScaledProblem

    @classmethod
    def of(cls, law: Law, code: Code, objective: Objective) -> "_Search":
        atoms = np.array(code.atoms, dtype=np.float64)
        return cls(law, atoms, objective, ScaledProblem.of(law_arrays(law), objective, len(atoms)))

    @property
    def starts(self) -> Iterator[Sae]:
        """The starts, in the units of the data."""
        scaled = self.problem.loss
        norms = np.linalg.norm(self.atoms, axis=1)
        weights = norms if self.objective.sparsity == "decoder-norm" else np.ones(len(norms))
        penalties = scaled.objective.l1 * weights
        starts = HeldStarts(scaled.law, self.atoms, penalties, scaled.tied)
        return (self.problem.in_units_of_data(start) for start in starts)

    @property
    def same(self) -> float:
        """Losses that differ by less are the same."""
        if self.objective.reconstruction == "relative":
            return _SAME
        return _SAME * law_arrays(self.law).spread

    @property
    def has_bound(self) -> bool:
        """Whether the best activations bound the loss, at a bearable price."""
        if self.objective.reconstruction != "squared" or self.objective.weight_decay:
            return False
        components = law_arrays(self.law).component_count
        return components * len(self.atoms) ** 2 <= _LARGEST_WORK

    def ends(self, starts: Iterable[Sae]) -> list[_End]:
        """Return where starts come to rest, up to the first that is proven to be the best."""
        found = []
        for start in starts:
            end = self.end(start)
            if self.has_bound and self._is_best(end):
                end = _End(end.solution, proven=True)
            found.append(end)
            if end.proven:
                break
        return found

    def best(self, ends: Sequence[_End], lower_bound: float | None) -> HeldCode:
        """Return the best of some ends, and how many agree on it."""
        best = min((end.solution for end in ends), key=lambda solution: solution.loss.total)
        agreeing = sum(end.solution.loss.total <= best.loss.total + self.same for end in ends)
        return HeldCode(solution=best, lower_bound=lower_bound, agreeing=agreeing)

    def end(self, start: Sae) -> _End:
        """Return where a start comes to rest."""
        loss = self.problem.loss
        n, d = self.atoms.shape
        whole = self.problem.vector(
            Sae(start.W_enc, start.b_enc, self.atoms, start.b_dec, start.origin)
        )
        moving = np.ones(len(whole), dtype=bool)
        moving[(d + 1) * n : (2 * d + 1) * n] = False

        def restricted(values: Array) -> tuple[float, Array]:
            vector = whole.copy()
            vector[moving] = values
            total, gradient = loss(vector)
            return total, gradient[moving]

        with np.errstate(all="ignore"):
            found = optimize.minimize(
                restricted, whole[moving], jac=True, method="BFGS",
                options={"gtol": _TOLERANCE, "maxiter": _ITERATIONS},
            )  # fmt: skip
        whole[moving] = found.x
        sae = self.problem.sae(whole)
        # With the code's own digits.
        sae = Sae(sae.W_enc, sae.b_enc, self.atoms, sae.b_dec)
        return _End(Solution.of(self.law, sae, self.objective))

    def _is_best(self, end: _End) -> bool:
        """Tell whether the activations are the best ones, and b_dec the best for these."""
        arrays = law_arrays(self.law)
        sae = end.solution.relu
        found = expected_loss_and_gradient(self.law, sae, self.objective)
        size = float(np.sqrt(arrays.spread))
        return bool(
            np.linalg.norm(found.gradient.b_dec) <= _REST * size
            and found.loss.total <= self._with_best_activations(sae.b_dec) + self.same
        )

    def _with_best_activations(self, b_dec: Array) -> float:
        n, d = self.atoms.shape
        held = Sae(np.zeros((d, n)), np.zeros(n), self.atoms, b_dec)
        return best_activation_loss(self.law, held, self.objective)

    def lower_bound(self, near: Sae) -> float | None:
        """Return min g, a convex minimisation from the b_dec of an SAE, or None."""
        if not self.has_bound:
            return None
        found = optimize.minimize(self._with_best_activations, near.b_dec, method="BFGS")
        return float(found.fun)
