"""The best SAE known for a law, width and objective: from the law's codes, and random starts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.architectures import JumpReluSae, TopKSae
from solvers.autoencoders.autoencoder import Autoencoder, Sae
from solvers.autoencoders.objective import Objective
from solvers.optima.architecture_descent import check_objective
from solvers.optima.minimize import Candidate, check_width, minimize_loss
from solvers.optima.optimum import Optimum
from solvers.optima.polish import Polished, polish
from solvers.optima.search import Search
from solvers.runtime.arguments import checked
from solvers.runtime.parallel import each_result
from theory.codes.code import codes_of
from theory.laws.law import Law

Array = NDArray[np.float64]

#: Optima found before, by law, width, objective and architecture.
Known: TypeAlias = dict[tuple[Law, int, Objective, Architecture], Optimum]

# Of a code with more atoms than there are latents, how many choices of atoms are tried.
_CHOICES = 4
# Heights of a code's hard thresholds, in √λ₀, or λ/2 without an l0 penalty.
_HEIGHTS = (1.0, 0.5, 0.05)
# Digits to which atoms are the same.
_DIGITS = 9
_RELU = Architecture()
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
    architecture: Architecture = _RELU,
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
    architecture : Architecture, optional
        By default ReLU.
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
    check_objective(architecture, objective, n_latents)
    others = {} if others is None else others
    key = (law, n_latents, objective, architecture)
    if known is not None and key in known:
        best = known[key]
        for name, end in others.items():
            best = better(best, name, end)
    else:
        own = (Candidate(name, end.solution, end.converged) for name, end in others.items())
        codes = _from_codes(law, n_latents, objective, architecture, search)
        best = minimize_loss(
            law, n_latents, objective, search,
            architecture=architecture, candidates=chain(codes, own),
        )  # fmt: skip
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
    law: Law, n_latents: int, objective: Objective, architecture: Architecture, search: Search
) -> Iterator[Candidate]:
    """Yield the stationary points that SAEs of the law's codes descend to, in order."""
    starts: list[tuple[str, Autoencoder]]
    if architecture.name == "relu":
        starts = list(code_saes(law, n_latents, objective.l1))
    else:
        starts = list(hard_code_saes(law, n_latents, objective, architecture))
    saes = [sae for _, sae in starts]
    ends: dict[int, Polished] = {}
    place = 0
    for index, end in each_result(
        partial(_polish, law, objective, architecture), saes, search.executor
    ):
        ends[index] = end
        while place in ends:
            name, found = starts[place][0], ends[place]
            yield Candidate(f"from the {name} code", found.solution, found.converged)
            place += 1


def _polish(
    law: Law, objective: Objective, architecture: Architecture, sae: Autoencoder
) -> Polished:
    # With the SAE last, so that what is the same for all can be bound.
    return polish(law, sae, objective, architecture)


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


def hard_code_saes(
    law: Law, n_latents: int, objective: Objective, architecture: Architecture
) -> Iterator[tuple[str, Autoencoder]]:
    """Yield SAEs of an architecture that read along a law's codes, with the code's name.

    A latent reads its atom without a bias, and thresholds, where there are such, have several
    heights. Of a code with fewer atoms than latents the others never fire: two latents of one
    atom would both be charged.

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> saes = hard_code_saes(preset("shared"), 5, Objective(0.0), Architecture("topk", 1))
    >>> [(name, sae.activations([[1.0, 0.0]]).round(3).tolist()[0]) for name, sae in saes]
    [('axis-aligned', [1.0, 0.0, 0.0, 0.0, 0.0]), ('diagonal', [0.707, 0.0, 0.0, 0.0, 0.0])]
    """
    for name, relu in code_saes(law, n_latents, 0.0):
        for sae in hard_saes(relu, objective, architecture):
            yield name, sae


def hard_saes(
    relu: Sae, objective: Objective, architecture: Architecture
) -> Iterator[Autoencoder]:
    """Yield SAEs of an architecture that read along an SAE's atoms, each atom once.

    Examples
    --------
    >>> relu = code_sae(np.array([[1.0], [-1.0]]), 3, 0.0)
    >>> found = list(hard_saes(relu, Objective(0.0, l0=0.16), Architecture("jumprelu")))
    >>> [round(float(sae.threshold[0]), 12) for sae in found], found[0].W_enc.tolist()
    ([0.4, 0.2, 0.02], [[1.0, -1.0, 0.0]])
    """
    height = np.sqrt(objective.l0) or objective.l1 / 2
    n_latents = relu.d_sae
    used = len(np.unique(relu.W_dec.round(_DIGITS), axis=0))
    reads, b_enc = relu.W_dec.T.copy(), -relu.W_dec @ relu.b_dec
    reads[:, used:], b_enc[used:] = 0.0, -(height or 1.0)
    base = Sae(reads, b_enc, relu.W_dec, relu.b_dec)
    if architecture.name == "topk":
        yield TopKSae(base, int(architecture.k or 1))
        return
    for share in _HEIGHTS if architecture.name in ("jumprelu", "gated") else (0.0,):
        yield JumpReluSae(base, np.full(n_latents, share * height))


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
