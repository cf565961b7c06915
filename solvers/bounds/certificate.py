"""A certificate: no dictionary of a width has a smaller best-activation loss than a proven bound.

The bound holds for every dictionary of N atoms of norm at most 1 in the plane and b_dec = 0, so
for every SAE of that width with b_dec = 0, whatever its encoder: none has better activations than
the best. (A shorter atom only makes Q of `solvers.bounds.sector_losses` larger.) For the
decoder-norm penalty read f_i ‖d_i‖ for f_i: atoms of any norm. `solvers.bounds.dictionary_search`
finds the bound; where the best dictionary attains the radial bound, there is nothing to search.

A bound for every b_dec is the radial one, or on demand that of `solvers.bounds.b_dec_search`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.autoencoder import Autoencoder
from solvers.autoencoders.objective import Objective
from solvers.bounds.b_dec_search import EveryBDec
from solvers.bounds.dictionary_search import TURN, Budget, PathSearch, Progress
from solvers.bounds.radial_bound import LowerBound, lower_bound
from solvers.bounds.sector_losses import SectorLosses
from solvers.laws.arrays import LawArrays, exact_arrays
from solvers.runtime.arguments import check_number, check_type, check_whole, checked
from theory.exact.errors import InputError
from theory.laws.law import Law

Array = NDArray[np.float64]

_STARTS = 6
# A claim is false only if it is off by more than this, relatively: what minimisers leave.
_CLAIM_ACCURACY = 1e-8
_LARGEST_COUNT = 10**9
# Its square, and that of the law's reach beside it, must not overflow.
_LARGEST_L1 = 1e100
#: Wider dictionaries would take hours.
LARGEST_WIDTH = 64


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
        included. It is the optimum where that is the radial bound up to its quadrature error.
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
        Whether the optimum is the radial bound.
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

    @property
    def any_b_dec_gap(self) -> float:
        """(any_b_dec_optimum - any_b_dec_bound)/any_b_dec_optimum, or 0 if that is 0."""
        if self.any_b_dec_optimum == 0:
            return 0.0
        return max(0.0, 1.0 - self.any_b_dec_bound / self.any_b_dec_optimum)

    @property
    def bound(self) -> LowerBound:
        """What is proven of every SAE of the width, whatever its b_dec."""
        by = "certificate for every b_dec" if self.searched_b_dec else "radial bound"
        return LowerBound(self.any_b_dec_bound, 0.0, by)

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
        Squared reconstruction, λ > 0, unit atoms or the decoder-norm penalty, no weight decay.
    gap : float in (0, 1)
        The relative gap to reach.
    claimed : float, optional
        What is claimed to be the least best-activation loss: with b_dec = 0, or with
        `any_b_dec` over every b_dec.
    any_b_dec : bool
        Whether to search over b_dec too, which takes a minute or two where the rest takes
        seconds; without it `any_b_dec_bound` is the radial bound.
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
    """
    check_certifiable(law, n_latents, objective, gap, claimed)
    objective.check_no_l0("a certificate")
    budget = Budget(max_boxes, max_seconds)
    _check_settings(budget, seed)
    for sae in known:
        if sae.W_dec.shape != (n_latents, 2):
            raise InputError("known", f"SAEs of {n_latents} atoms in the plane", sae.W_dec.shape)
    arrays = exact_arrays(law)
    radial = lower_bound(law, Objective(objective.l1), n_latents)
    losses, starts = SectorLosses(arrays, objective.l1), _starts(arrays, n_latents, seed)

    search = PathSearch(losses, n_latents)
    directions = [np.arctan2(sae.W_dec[:, 1], sae.W_dec[:, 0]) for sae in known]
    search.seek(np.array([*starts, *directions]))
    attained = search.optimum - radial.value <= radial.error + search.margin
    at_least = search.optimum if attained else max(radial.value - radial.error, 0.0)
    complete = attained or search.run(gap, budget, progress)
    proven = min(max(search.proven, at_least), search.optimum)

    every = EveryBDec(arrays, objective.l1, n_latents, at_least)
    every.seek(
        np.array([search.angles, *directions]), np.array([(0, 0), *(sae.b_dec for sae in known)])
    )
    by_squares = any_b_dec and not attained and not search.interrupted
    interrupted = search.interrupted
    if by_squares:
        reached = False
        try:
            every.seek(starts, _spread(arrays, len(starts), seed))
            reached = every.run(gap, budget, progress)
        except KeyboardInterrupt:
            # What is proven by then holds.
            interrupted = True
        complete = complete and reached
    proven_for_every = min(every.proven, every.optimum, proven)
    best, bound = (every.optimum, proven_for_every) if any_b_dec else (search.optimum, proven)
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
        proven_for_every,
        search.boxes + every.boxes,
        search.levels,
        attained,
        false,
        _covers(n_latents, objective, every.squares > 0),
        every.squares > 0,
        complete,
        interrupted,
    )


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


def _covers(n_latents: int, objective: Objective, by_squares: bool) -> str:
    weighted = objective.sparsity == "decoder-norm"
    atoms = "any norm, the penalty weighted by it" if weighted else "norm at most 1"
    how = "search over b_dec" if by_squares else "the radial bound"
    return (
        f"lower_bound: every dictionary of {n_latents} atoms of {atoms}, hence every SAE of that "
        "width with b_dec = 0, whatever its encoder; any_b_dec_bound: the same with every b_dec, "
        f"by {how}"
    )


def check_certifiable(
    law: Law, n_latents: int, objective: Objective, gap: float = 0.5, claimed: float | None = None
) -> None:
    """Raise `InputError` unless `certify` covers a law, width and objective, gap and claim."""
    check_type("law", law, Law)
    check_type("objective", objective, Objective)
    if law.dimension != 2:
        raise InputError("law", "data in the plane, of dimension 2", law.dimension)
    check_whole("n_latents", n_latents, 1, LARGEST_WIDTH)
    if objective.reconstruction != "squared":
        expected = "'squared' for a certificate"
        raise InputError("reconstruction", expected, objective.reconstruction)
    check_number("l1", objective.l1, above=0, below=_LARGEST_L1)
    if objective.decoder == "free" and objective.sparsity == "l1":
        raise InputError(
            "decoder",
            "'unit' or sparsity 'decoder-norm' for a certificate",
            hint="with free atoms and a plain l1 penalty the loss has no minimum",
        )
    if objective.weight_decay != 0:
        hint = "the bound without it holds with it too"
        raise InputError("weight_decay", "0 for a certificate", objective.weight_decay, hint=hint)
    check_number("gap", gap, above=0, below=1)
    if claimed is not None:
        check_number("claimed", claimed, least=0)


def _check_settings(budget: Budget, seed: int) -> None:
    check_whole("max_boxes", budget.boxes, 1, _LARGEST_COUNT)
    check_whole("seed", seed, 0, _LARGEST_COUNT)
    # Without a limit it is infinite.
    if budget.seconds != math.inf:
        check_number("max_seconds", budget.seconds, above=0)
