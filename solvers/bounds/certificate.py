"""A certificate: no dictionary of a width has a smaller best-activation loss than a proven bound.

The bound holds for every dictionary of N atoms of norm at most 1 in the plane and b_dec = 0, so
for every SAE of that width with b_dec = 0, whatever its encoder: none has better activations than
the best. (A shorter atom only makes Q of `solvers.bounds.sector_losses` larger.) For the
decoder-norm penalty read f_i ‖d_i‖ for f_i: atoms of any norm. `solvers.bounds.dictionary_search`
finds the bound; where the best dictionary attains a bound of every width, as the radial one, there
is nothing to search.

The same holds where latents are counted, by an l0 penalty or because TopK has one at a time
(`solvers.bounds.hard_sector_losses`); without an l1 penalty then for atoms of any norm.

A bound for every b_dec is the radial one, or on demand that of `solvers.bounds.b_dec_search`;
where latents are counted the best of `solvers.bounds.best_bound`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.autoencoder import Autoencoder
from solvers.autoencoders.objective import Objective
from solvers.bounds.b_dec_search import EveryBDec
from solvers.bounds.certificate_terms import (
    CertificateTerms,
    check_certifiable,
    has_one_latent,
)
from solvers.bounds.dictionary_search import TURN, Budget, PathSearch, Progress
from solvers.bounds.radial_bound import LowerBound
from solvers.laws.arrays import LawArrays, exact_arrays
from solvers.runtime.arguments import check_number, check_whole, checked
from theory.exact.errors import InputError
from theory.laws.law import Law

Array = NDArray[np.float64]

_STARTS = 6
# A claim is false only if it is off by more than this, relatively: what minimisers leave.
_CLAIM_ACCURACY = 1e-8
_LARGEST_COUNT = 10**9
# How far from opposite atoms are that leave a sector of a little less than a half-plane.
_SHORT_OF_OPPOSITE = 1e-4
_RELU = Architecture()


@dataclass(frozen=True)
class Certificate:
    """What is proven of the best dictionary of a width.

    Parameters
    ----------
    optimum : float
        The best-activation loss of the best dictionary found, b_dec = 0.
    angles : tuple of float
        Its unit atoms, in radians.
    lower_bound : float
        No dictionary has a smaller best-activation loss with b_dec = 0: proven, rounding
        included. It is the optimum where that is the radial bound, or another of every width,
        up to its quadrature error.
    relative_gap : float
        (optimum - lower_bound)/optimum.
    any_b_dec_optimum : float
        The best-activation loss of the best dictionary and b_dec found.
    any_b_dec_angles, best_b_dec : tuples of float
        Those.
    any_b_dec_bound : float
        No dictionary has a smaller best-activation loss with any b_dec: proven.
    boxes : int
        Pairs of cells whose bound was computed, for both bounds.
    levels : int
        How many widths of cells `lower_bound` took.
    attained_radial : bool
        Whether the optimum is the radial bound, or another of every b_dec and width.
    refuted : bool
        Whether a claimed optimum is false: a dictionary below it was found, or it lies below
        the proven bound.
    covers : str
        Exactly what the bounds are proven for.
    searched_b_dec : bool
        Whether `any_b_dec_bound` comes from a search; else it is the radial bound.
    complete : bool
        Whether the gap asked for was reached, for both bounds if both were searched for.
    interrupted : bool
        Whether a search was stopped; the bounds hold all the same.
    any_b_dec_by : str
        What proves `any_b_dec_bound`.
    """

    optimum: float
    angles: tuple[float, ...]
    lower_bound: float
    relative_gap: float
    any_b_dec_optimum: float
    any_b_dec_angles: tuple[float, ...]
    best_b_dec: tuple[float, ...]
    any_b_dec_bound: float
    boxes: int
    levels: int
    attained_radial: bool
    refuted: bool
    covers: str
    searched_b_dec: bool
    complete: bool
    interrupted: bool
    any_b_dec_by: str = "radial bound"

    @property
    def any_b_dec_gap(self) -> float:
        """(any_b_dec_optimum - any_b_dec_bound)/any_b_dec_optimum, or 0 if that is 0."""
        if self.any_b_dec_optimum == 0:
            return 0.0
        return max(0.0, 1.0 - self.any_b_dec_bound / self.any_b_dec_optimum)

    @property
    def bound(self) -> LowerBound:
        """What is proven of every SAE of the width, whatever its b_dec."""
        return LowerBound(self.any_b_dec_bound, 0.0, self.any_b_dec_by)

    @property
    def decoder(self) -> list[list[float]]:
        """The atoms of the best dictionary, one a row."""
        return [[math.cos(angle), math.sin(angle)] for angle in self.angles]


@checked
def certify(
    law: Law,
    n_latents: int,
    objective: Objective,
    *,
    architecture: Architecture = _RELU,
    gap: float = 1e-3,
    claimed: float | None = None,
    any_b_dec: bool = False,
    known: Sequence[Autoencoder] = (),
    max_boxes: int = 20_000_000,
    max_seconds: float = 600.0,
    seed: int = 0,
    progress: Progress | None = None,
) -> Certificate:
    """Return the best dictionary found and a proven bound on all dictionaries of its width.

    Parameters
    ----------
    law : Law
        In the plane.
    n_latents : int from 1 to 64
        N.
    objective : Objective
        Squared reconstruction, no prefixes and no weight decay. λ > 0 with unit atoms or the
        decoder-norm penalty; or an l0 penalty, on points, segments and parallelograms, with or
        without them.
    architecture : Architecture, optional
        What is proven of dictionaries holds of every one. For TopK with k = 1 they have one
        latent at a time, and there need be no penalty.
    gap : float in (0, 1)
        The relative gap to reach.
    claimed : float, optional
        What is claimed to be the least best-activation loss: with b_dec = 0, or with
        `any_b_dec` over every b_dec.
    any_b_dec : bool
        Whether to search over b_dec too, which takes a minute or two where the rest takes
        seconds; without it `any_b_dec_bound` is the radial bound. Where latents are counted
        the loss is not convex in b_dec, and there is no such search.
    known : sequence of Autoencoder
        SAEs of this width, such as the best that minimising has found: dictionaries are also
        sought from theirs, with b_dec = 0 and with their b_dec, so that none of them does better
        than the best that is reported.
    max_boxes, max_seconds : int ≥ 1, float > 0
        What each of the two searches may spend; looked at between levels.
    seed : int ≥ 0
        Of the starts from which dictionaries are sought. Whatever they find, the bound holds.
    progress : callable, optional
        Called with the boxes that a search has examined, and `max_boxes`.

    Returns
    -------
    Certificate
        After a KeyboardInterrupt with at least one level done: what is proven so far.

    Raises
    ------
    InputError
        Naming the argument and what was expected.

    Examples
    --------
    On the first data set four atoms attain the radial bound, three are shown not to:

    >>> from theory import load_law
    >>> four = certify(load_law("shared"), 4, Objective(l1=0.1))
    >>> four.attained_radial, four.relative_gap, four.boxes
    (True, 0.0, 0)
    >>> three = certify(load_law("shared"), 3, Objective(l1=0.1), gap=0.01)
    >>> round(three.optimum, 4), three.complete, three.lower_bound > 1.5 * four.optimum
    (0.1062, True, True)

    Under an l0 penalty they attain the bound E min(‖x‖², λ₀); and where TopK has one latent at
    a time, they reconstruct all:

    >>> hard = certify(load_law("shared"), 4, Objective(l1=0, l0=0.1))
    >>> round(hard.optimum, 6), hard.attained_radial, hard.any_b_dec_by
    (0.085093, True, 'l0 bound')
    >>> one = certify(load_law("shared"), 4, Objective(0), architecture=Architecture("topk", 1))
    >>> round(one.optimum, 12)
    0.0
    """
    check_certifiable(law, n_latents, objective, gap, claimed, architecture, any_b_dec)
    budget = Budget(max_boxes, max_seconds)
    _check_settings(budget, seed)
    for sae in known:
        if sae.W_dec.shape != (n_latents, 2):
            raise InputError("known", f"SAEs of {n_latents} atoms in the plane", sae.W_dec.shape)
    arrays = exact_arrays(law)
    terms = CertificateTerms.of(law, arrays, n_latents, objective, architecture)
    starts = _starts(arrays, n_latents, seed)
    if terms.counted and not objective.l1:
        starts = np.vstack([starts, _nearly_opposite(starts[:2])])

    search = PathSearch(terms.losses, n_latents)
    directions = [np.arctan2(sae.W_dec[:, 1], sae.W_dec[:, 0]) for sae in known]
    search.seek(np.array([*starts, *directions]))
    # What is reconstructed exactly may have a loss below 0, by rounding.
    search.optimum = max(search.optimum, 0.0)
    attained = search.optimum - terms.at_zero.value <= terms.at_zero.error + search.margin
    at_least = search.optimum if attained else _proven(terms.at_zero)
    complete = attained or search.run(gap, budget, progress)
    proven = min(max(search.proven, at_least), search.optimum)
    anywhere = min(_proven(terms.anywhere), proven)
    if attained and search.optimum - terms.anywhere.value <= terms.anywhere.error + search.margin:
        anywhere = proven
    every = _Every(search.optimum, search.angles, np.zeros(2), anywhere, terms.anywhere.by)
    if not terms.counted:
        for_b = EveryBDec(arrays, objective.l1, n_latents, anywhere)
        for_b.seek(
            np.array([search.angles, *directions]),
            np.array([(0, 0), *(sae.b_dec for sae in known)]),
        )
        reached = not any_b_dec or attained
        if any_b_dec and not attained and not search.interrupted:
            try:
                for_b.seek(starts, _spread(arrays, len(starts), seed))
                reached = for_b.run(gap, budget, progress)
            except KeyboardInterrupt:
                # What is proven by then holds.
                search.interrupted = True
        complete = complete and reached
        every = _Every.of(for_b, proven, terms.anywhere.by)
    best, bound = (every.optimum, every.proven) if any_b_dec else (search.optimum, proven)
    false = claimed is not None and (
        best < claimed * (1 - _CLAIM_ACCURACY) or claimed < bound * (1 - _CLAIM_ACCURACY)
    )
    return Certificate(
        search.optimum,
        tuple(search.angles.tolist()),
        proven,
        (search.optimum - proven) / search.optimum if proven < search.optimum else 0.0,
        every.optimum,
        tuple(np.mod(every.angles, TURN).tolist()),
        tuple(every.b_dec.tolist()),
        every.proven,
        search.boxes + every.boxes,
        search.levels,
        attained and proven - every.proven <= terms.anywhere.error + search.margin,
        false,
        _covers(n_latents, objective, architecture, every),
        every.squares > 0,
        complete,
        search.interrupted,
        every.by,
    )


@dataclass(frozen=True)
class _Every:
    """What is known of every b_dec."""

    optimum: float
    angles: Array
    b_dec: Array
    proven: float
    by: str
    boxes: int = 0
    squares: int = 0

    @classmethod
    def of(cls, search: EveryBDec, at_zero: float, by: str) -> "_Every":
        return cls(
            search.optimum, search.angles, search.b_dec,
            min(search.proven, search.optimum, at_zero),
            "certificate for every b_dec" if search.squares else by,
            search.boxes, search.squares,
        )  # fmt: skip


def _proven(bound: LowerBound) -> float:
    return max(bound.value - bound.error, 0.0)


def _nearly_opposite(starts: Array) -> Array:
    """Return starts whose widest sector is a little less than a half-plane.

    Two atoms reconstruct all of it then, and nothing of it once they are opposite.
    """
    ordered = np.sort(starts, axis=1)
    if ordered.shape[1] < 2:
        return ordered[:0]
    widths = np.append(ordered, ordered[:, :1] + TURN, axis=1)
    before = np.diff(widths, axis=1).argmax(axis=1)
    rows, after = np.arange(len(ordered)), (before + 1) % ordered.shape[1]
    ordered[rows, after] = ordered[rows, before] + math.pi - _SHORT_OF_OPPOSITE
    return ordered


def _starts(law: LawArrays, n_latents: int, seed: int) -> Array:
    """Return rows of angles: evenly spaced, random, and random beside the law's vertices."""
    rng = np.random.default_rng(seed)
    random = rng.uniform(0.0, TURN, (_STARTS, n_latents))
    even = rng.uniform(0.0, TURN) + np.arange(n_latents) * TURN / n_latents
    directions = [
        math.atan2(*(affine @ [1.0, *corner])[::-1]) % TURN
        for cubes in law.groups
        for affine in cubes.affine
        for corner in np.ndindex((2,) * cubes.cube_dimension)
    ]
    rays = np.unique(np.round(directions, 12))[:n_latents]
    along = random[0].copy()
    along[: len(rays)] = rays
    return np.vstack([even, along, random])


def _spread(law: LawArrays, count: int, seed: int) -> Array:
    """Return rows of b_dec about the law's mean."""
    rng = np.random.default_rng(seed)
    drawn: Array = law.mean + rng.normal(size=(count, 2)) * math.sqrt(law.spread) / 4
    return drawn


def _covers(
    n_latents: int, objective: Objective, architecture: Architecture, every: _Every
) -> str:
    atoms = "norm at most 1"
    if objective.l1 == 0:
        atoms = "any norm"
    elif objective.sparsity == "decoder-norm":
        atoms = "any norm, the penalty weighted by it"
    at_once = ", one latent at a time," if has_one_latent(architecture) else ","
    how = "search over b_dec" if every.squares else f"the {every.by}"
    if every.by == "trivial":
        how = "nothing but that no loss is below 0"
    return (
        f"lower_bound: every dictionary of {n_latents} atoms of {atoms}{at_once} hence every SAE "
        "of that width with b_dec = 0, whatever its encoder; any_b_dec_bound: the same with every "
        f"b_dec, by {how}"
    )


def _check_settings(budget: Budget, seed: int) -> None:
    check_whole("max_boxes", budget.boxes, 1, _LARGEST_COUNT)
    check_whole("seed", seed, 0, _LARGEST_COUNT)
    # Without a limit it is infinite.
    if budget.seconds != math.inf:
        check_number("max_seconds", budget.seconds, above=0)
