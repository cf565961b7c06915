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

from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.architectures import JumpReluSae
from solvers.autoencoders.autoencoder import Autoencoder, Sae
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import law_arrays
from solvers.losses.architecture_loss import ArchitectureLoss
from solvers.losses.best_activations import best_activation_loss
from solvers.losses.expected_loss import expected_loss_and_gradient
from solvers.losses.parameters import LossOfVector, ScaledProblem
from solvers.losses.solution import Solution, Solved
from solvers.optima.architecture_descent import ArchitectureDescent
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
# Heights of hard thresholds that others than ReLU start with: in √λ₀, or λ/2 if λ₀ = 0.
_HEIGHTS = (1.0, 0.5, 0.05)
_RELU = Architecture()


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


def held_code(
    law: Law,
    code: Code,
    objective: Objective,
    starts: Sequence[Autoencoder] = (),
    architecture: Architecture = _RELU,
) -> HeldCode:
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
    starts : sequence of Autoencoder, optional
        More starts, such as those of a law nearby; their atoms do not count.
    architecture : Architecture, optional
        By default ReLU. Of others there is no bound here; they start reading along their atoms,
        without a bias, about b_dec at 0 and at the law's mean, with thresholds of several
        heights.

    Examples
    --------
    The axis-aligned code on the first data set, λ - λ²/2 + λ³/12:

    >>> from theory.codes.code import axis_aligned
    >>> from theory.laws.presets import preset
    >>> held = held_code(preset("shared"), axis_aligned(), Objective(l1=0.1))
    >>> round(held.loss.total, 9), held.proven
    (0.095083333, True)
    """
    search = _search(law, code, objective, architecture)
    own = search.starts
    ends = search.ends([*[next(own)], *starts])
    if not ends[-1].proven:
        ends += search.ends(own)
    least = min(ends, key=lambda end: end.solution.loss.total)
    found = least.solution
    return search.best(ends, found.loss.total if least.proven else search.lower_bound(found.sae))


def follow_code(
    law: Law,
    code: Code,
    objective: Objective,
    starts: Sequence[Autoencoder],
    architecture: Architecture = _RELU,
) -> HeldCode:
    """Return the best SAE of a code that some SAEs lead to, as along a path of laws.

    Parameters
    ----------
    law, code, objective, architecture
        As for `held_code`.
    starts : sequence of Autoencoder
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
    search = _search(law, code, objective, architecture)
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
    def starts(self) -> Iterator[Autoencoder]:
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

    def ends(self, starts: Iterable[Autoencoder]) -> list[_End]:
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

    def end(self, start: Autoencoder) -> _End:
        """Return where a start comes to rest."""
        whole = self.problem.vector(start.with_atoms(self.atoms).base)
        whole = self._descended(self.problem.loss, whole)
        return self._ended(self.problem.sae(whole))

    def _descended(self, loss: LossOfVector | ArchitectureLoss, whole: Array) -> Array:
        """Return the vector that minimises a loss while its atoms stay."""
        n, d = self.atoms.shape
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
        return whole

    def _ended(self, sae: Autoencoder) -> _End:
        # With the code's own digits.
        sae = sae.with_atoms(self.atoms)
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

    def lower_bound(self, near: Autoencoder) -> float | None:
        """Return min g, a convex minimisation from the b_dec of an SAE, or None."""
        if not self.has_bound:
            return None
        found = optimize.minimize(self._with_best_activations, near.b_dec, method="BFGS")
        return float(found.fun)


@dataclass(frozen=True, eq=False)
class _SearchOfOthers(_Search):
    """The search for the best encoder, biases and thresholds of another architecture."""

    descent: ArchitectureDescent

    @property
    def starts(self) -> Iterator[Autoencoder]:
        """The starts, in the units of the data."""
        reads = self.atoms / np.einsum("nd,nd->n", self.atoms, self.atoms)[:, None]
        height = np.sqrt(self.objective.l0) or self.objective.l1 / 2
        for centre in (np.zeros(self.atoms.shape[1]), law_arrays(self.law).mean):
            base = Sae(reads.T, -reads @ centre, self.atoms, centre)
            for share in _HEIGHTS:
                yield JumpReluSae(base, np.full(len(self.atoms), share * height))

    @property
    def has_bound(self) -> bool:
        """There is no bound here."""
        return False

    def end(self, start: Autoencoder) -> _End:
        """Return where a start comes to rest."""
        vector = self.descent.vector(start.with_atoms(self.atoms))
        return self._ended(self.descent.sae(self._descended(self.descent.loss, vector)))


def _search(law: Law, code: Code, objective: Objective, architecture: Architecture) -> _Search:
    search = _Search.of(law, code, objective)
    if architecture.name == "relu":
        return search
    descent = ArchitectureDescent(search.problem, architecture)
    return _SearchOfOthers(search.law, search.atoms, objective, search.problem, descent)
