"""The best SAE known for a law, width and objective: from the law's codes, and random starts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.autoencoder import Sae
from solvers.autoencoders.objective import Objective
from solvers.optima.minimize import Candidate, check_width, minimize_loss
from solvers.optima.optimum import Optimum
from solvers.optima.polish import Polished, polish
from solvers.optima.search import Search
from solvers.runtime.arguments import checked
from solvers.runtime.parallel import each_result
from theory.codes.code import codes_of
from theory.laws.law import Law

Array = NDArray[np.float64]

#: Optima found before, by law, width and objective.
Known: TypeAlias = dict[tuple[Law, int, Objective], Optimum]

# Of a code with more atoms than there are latents, how many choices of atoms are tried.
_CHOICES = 4
# What agrees to rounding is no improvement.
_ALIKE = 1e-12
_DEFAULT = Search()


@checked
def best_known(
    law: Law,
    n_latents: int,
    objective: Objective,
    search: Search = _DEFAULT,
    *,
    others: Mapping[str, Polished] | None = None,
    known: Known | None = None,
) -> Optimum:
    """Return the best of the law's codes, of other stationary points, and of random starts.

    Parameters
    ----------
    law : Law
    n_latents : int ≥ 1
        Number of latents.
    objective : Objective
    search : Search, optional
        As for `minimize_loss`; its executor also runs the descents from codes.
    others : mapping, optional
        Stationary points that were reached otherwise, such as that of an SAE that is compared,
        under what led to them.
    known : Known, optional
        Looked up first, and added to.

    Returns
    -------
    Optimum
        After a KeyboardInterrupt with any end at hand the best so far, with `interrupted` true;
        that is not added to `known`.

    Examples
    --------
    At λ = 2 one random start in forty ends at the optimum of the first data set; the diagonal
    code leads there:

    >>> from theory.laws.presets import preset
    >>> best = best_known(preset("shared"), 4, Objective(l1=2.0), Search(starts=1))
    >>> round(best.total, 9), best.attained, best.found
    (0.649915823, True, 'from the diagonal code')
    """
    check_width(n_latents)
    objective.check_has_minimum()
    others = {} if others is None else others
    key = (law, n_latents, objective)
    if known is not None and key in known:
        best = known[key]
        for name, end in others.items():
            best = better(best, name, end)
    else:
        own = (Candidate(name, end.solution, end.converged) for name, end in others.items())
        candidates = chain(_from_codes(law, n_latents, objective, search), own)
        best = minimize_loss(law, n_latents, objective, search, candidates=candidates)
    if known is not None and not best.interrupted:
        known[key] = best
    return best


def better(optimum: Optimum, found: str, end: Polished) -> Optimum:
    """Return the optimum, or one that was found otherwise if that is better by more than rounding.

    Parameters
    ----------
    optimum : Optimum
    found : str
        What led to the other.
    end : Polished
        The other.
    """
    if end.total < optimum.total * (1 - _ALIKE):
        return replace(optimum, solution=end.solution, found=found, converged=end.converged)
    return optimum


def _from_codes(
    law: Law, n_latents: int, objective: Objective, search: Search
) -> Iterator[Candidate]:
    """Yield the stationary points that SAEs of the law's codes descend to, in order."""
    starts = list(code_saes(law, n_latents, objective.l1))
    saes = [sae for _, sae in starts]
    ends: dict[int, Polished] = {}
    place = 0
    for index, end in each_result(partial(_polish, law, objective), saes, search.executor):
        ends[index] = end
        while place in ends:
            name, found = starts[place][0], ends[place]
            yield Candidate(f"from the {name} code", found.solution, found.converged)
            place += 1


def _polish(law: Law, objective: Objective, sae: Sae) -> Polished:
    # With the SAE last, so that what is the same for all can be bound.
    return polish(law, sae, objective)


def code_saes(law: Law, n_latents: int, l1: float) -> Iterator[tuple[str, Sae]]:
    """Yield SAEs of a width that soft-threshold along a law's codes, with the code's name.

    Of a code with fewer atoms than latents some atoms have several latents; of one with more,
    several choices of atoms are yielded. Where all codes have room together, they come last.

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> [name for name, _ in code_saes(preset("shared"), 8, 0.1)]
    ['axis-aligned', 'diagonal', 'axis-aligned and diagonal']
    """
    named = {code.name: np.array(code.atoms, dtype=np.float64) for code in codes_of(law)}
    if len(named) > 1 and sum(map(len, named.values())) <= n_latents:
        named[" and ".join(named)] = np.vstack(list(named.values()))
    for name, atoms in named.items():
        count = len(atoms)
        firsts = [0] if count <= n_latents else range(0, count, -(-count // _CHOICES))
        for first in firsts:
            chosen = (first + np.arange(min(count, n_latents))) % count
            yield name, code_sae(atoms[chosen], n_latents, l1)


def code_sae(atoms: Array, n_latents: int, l1: float, b_dec: Sequence[float] = ()) -> Sae:
    """Return an SAE that soft-thresholds along atoms, filled up with the same ones.

    Examples
    --------
    >>> code_sae(np.array([[1.0], [-1.0]]), 3, 0.1).b_enc.tolist()
    [-0.025, -0.05, -0.025]
    """
    index = np.arange(n_latents) % len(atoms)
    # Latents of one atom share its activation.
    share = np.bincount(index)[index]
    filled = atoms[index]
    b = np.array(b_dec) if len(b_dec) else np.zeros(atoms.shape[1])
    return Sae((filled / share[:, None]).T, (-l1 / 2 - filled @ b) / share, filled, b)
