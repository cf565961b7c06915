"""The landscape of the exact loss: the stationary points that many starts reach, and how often.

What counts as one point is said in `solvers.optima.catalogue`.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.initialisation import INITIALISATIONS
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import exact_arrays
from solvers.losses.expected_loss import expected_loss
from solvers.losses.parameters import ScaledProblem
from solvers.losses.solution import Solution, Solved
from solvers.optima.architecture_descent import ArchitectureDescent, check_objective
from solvers.optima.catalogue import Catalogue, Entry, shape
from solvers.optima.descent import (
    DYNAMICS,
    FLAT,
    Descent,
    Rest,
)
from solvers.optima.matching import Absorbed, CodeMatch, absorbed, closest_code
from solvers.optima.minimize import check_width
from solvers.optima.search import Search
from solvers.optima.valley import shape_by_differences
from solvers.runtime.arguments import check_choice, check_number, checked
from solvers.runtime.parallel import each_result
from theory.exact.errors import InputError
from theory.laws.law import Law

Array = NDArray[np.float64]
#: Random starts unless told otherwise.
STARTS = 256

_DEFAULT = Search()
_RELU = Architecture()
# How others than ReLU are started and descend.
_OF_OTHERS = ("uniform", "l-bfgs")


@dataclass(frozen=True, eq=False, kw_only=True)
class StationaryPoint(Solved):
    """One point of the catalogue.

    Parameters
    ----------
    solution : Solution
    kind : {"minimum", "valley", "saddle", "kink"}
        A saddle has a negative eigenvalue. Elsewhere, in a minimum no flat direction changes x̂
        or the penalty, and in a valley some does. A kink is a minimum without a gradient: a
        latent's pre-activation vanishes on a whole component of the law, or an atom whose norm
        is charged vanishes; across it some one-sided slope is not 0 and none that was tried is
        negative, and small pushes, of which some are tried, lead back.
    eigenvalues : tuple of float
        Of the exact Hessian on the constraint manifold, in the live latents' parameters, in
        increasing order; in a kink, along the kink. In units in which the data's root mean
        square per coordinate is 1.
    flat : int
        How many of them are 0, to 1e-7 of the largest.
    gradient : float
        The largest component of the gradient, in the same units; in a kink, along it.
    count : int
        Starts that ended there.
    share, share_error : float
        Of all starts, and its standard error √(p (1 - p)/K).
    closest_code : CodeMatch or None
    absorbed : Absorbed or None
        The part of the data that b_dec has absorbed.
    dead : int
        Latents that never fire.
    """

    kind: str
    eigenvalues: tuple[float, ...]
    flat: int
    gradient: float
    count: int
    share: float
    share_error: float
    closest_code: CodeMatch | None
    absorbed: Absorbed | None
    dead: int


@dataclass(frozen=True)
class Landscape:
    """The catalogue of the stationary points that were found.

    Parameters
    ----------
    law : Law
    objective : Objective
    points : tuple of StationaryPoint
        By increasing loss.
    starts : int
        How many were made.
    unsettled : tuple of float
        Losses of the starts that did not come to rest; no point counts them.
    initialisation, dynamics : str
    seed : int
    symmetries : int
        Size of the law's symmetry group.
    interrupted : bool
    """

    law: Law
    objective: Objective
    points: tuple[StationaryPoint, ...]
    starts: int
    unsettled: tuple[float, ...]
    initialisation: str
    dynamics: str
    seed: int
    symmetries: int
    interrupted: bool = False

    def chance_of_missing(self, share: float = 0.01) -> float:
        """Return the probability that a basin of this share got none of the starts: (1-share)^K.

        Examples
        --------
        >>> from theory.laws.presets import preset
        >>> found = landscape(preset("shared"), 1, Objective(l1=0.1), Search(starts=2))
        >>> found.chance_of_missing(0.5)
        0.25
        """
        share = check_number("share", share, above=0, most=1)
        return (1.0 - share) ** self.starts

    def chance_of_missing_any(self, share: float = 0.01) -> float:
        """Return a bound on the probability that some basin of at least this share was missed.

        There are at most 1/share such basins, so it is (1 - share)^K/share, or 1.
        """
        return min(1.0, self.chance_of_missing(share) / share)


@checked
def landscape(
    law: Law,
    n_latents: int,
    objective: Objective,
    search: Search = _DEFAULT,
    *,
    architecture: Architecture = _RELU,
    initialisation: str = "uniform",
    dynamics: str = "l-bfgs",
) -> Landscape:
    """Return the stationary points of the exact loss that starts from random weights reach.

    Parameters
    ----------
    law : Law
    n_latents : int ≥ 1
    objective : Objective
        With decoder="free" and the decoder-norm penalty the loss does not see how a latent's
        scale is shared by its layers; that direction is then flat at every point.
    search : Search, optional
        By default 256 starts; never more than it says. The executor changes nothing but the
        last digits, if linear algebra rounds otherwise there, and by them where a start on the
        border of two basins ends.
    architecture : Architecture, optional
        By default ReLU. Of others the dynamics is BFGS from "uniform" weights
        (`solvers.optima.architecture_descent`), and Hessians, in all parameters, are differences
        of exact gradients.
    initialisation : str
        A key of `solvers.autoencoders.initialisation.INITIALISATIONS`.
    dynamics : {"l-bfgs", "flow"}
        See `solvers.optima.descent`.

    Raises
    ------
    InputError
        For a value out of range, an objective without a minimum, or a law with too many
        symmetries.

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> found = landscape(preset("shared"), 4, Objective(l1=0.1), Search(starts=8))
    >>> best = found.points[0]
    >>> round(best.loss.total, 9), best.kind, best.closest_code.code
    (0.068240141, 'minimum', 'diagonal')
    """
    check_width(n_latents)
    check_choice("initialisation", initialisation, INITIALISATIONS)
    check_choice("dynamics", dynamics, DYNAMICS)
    check_objective(architecture, objective, n_latents)
    is_relu = architecture.name == "relu"
    if is_relu:
        objective.check_no_l0("a landscape of ReLU SAEs")
    elif (initialisation, dynamics) != _OF_OTHERS:
        expected = f"{_OF_OTHERS[0]!r} and dynamics {_OF_OTHERS[1]!r} for {architecture.name!r}"
        raise InputError("initialisation", expected, (initialisation, dynamics))
    arrays = exact_arrays(law)
    problem = ScaledProblem.of(arrays, objective, n_latents)
    # First, for it refuses laws with too many symmetries.
    other = ArchitectureDescent(problem, architecture)
    loss = problem.loss if is_relu else other.loss
    catalogue = Catalogue(loss)
    descent = Descent(problem, initialisation, dynamics) if is_relu else other.rest
    seeds = np.random.SeedSequence(search.seed).spawn(search.least(STARTS))
    ends: dict[int, Rest] = {}
    interrupted = False
    try:
        for index, end in each_result(descent, seeds, search.executor):
            ends[index] = end
            search.tell(len(ends), len(seeds))
    except KeyboardInterrupt:
        if not ends:
            raise
        interrupted = True
    rests = [ends[index] for index in sorted(ends)]
    settled = [rest for rest in rests if rest.settled]
    for rest in sorted(settled, key=lambda rest: float(loss(rest.vector)[0])):
        catalogue.add(rest)
    points = [
        _described(law, objective, problem if is_relu else other, entry, len(rests))
        for entry in catalogue.entries
    ]
    return Landscape(
        law=law,
        objective=objective,
        points=tuple(sorted(points, key=lambda point: point.loss.total)),
        starts=len(rests),
        unsettled=tuple(
            sorted(
                float(loss(rest.vector)[0]) * problem.loss_unit
                for rest in rests
                if not rest.settled
            )
        ),
        initialisation=initialisation,
        dynamics=dynamics,
        seed=int(search.seed),
        symmetries=len(catalogue.group),
        interrupted=interrupted,
    )


def _described(
    law: Law,
    objective: Objective,
    problem: ScaledProblem | ArchitectureDescent,
    entry: Entry,
    starts: int,
) -> StationaryPoint:
    sae = problem.sae(entry.rest.vector)
    loss = expected_loss(law, sae, objective)
    live = [i for i, probability in enumerate(loss.firing) if probability > 0]
    if isinstance(problem, ScaledProblem):
        # With every latent dead one is kept, so that there is an SAE to speak of.
        # Of nested latents none can be left out.
        counted = range(sae.d_sae) if objective.prefixes else live or [0]
        kind, eigenvalues = shape(problem.loss, entry.rest, list(counted))
    else:
        kind, eigenvalues, _ = shape_by_differences(problem.loss, entry.rest.vector)
        kind = "kink" if len(entry.rest.kinks) else kind
    share = entry.count / starts
    arrays = exact_arrays(law)
    return StationaryPoint(
        solution=Solution(sae, loss),
        kind=kind,
        eigenvalues=tuple(float(value) for value in eigenvalues),
        flat=int(np.count_nonzero(np.abs(eigenvalues) <= FLAT * np.abs(eigenvalues).max())),
        gradient=entry.rest.gradient,
        count=entry.count,
        share=share,
        share_error=math.sqrt(share * (1 - share) / starts),
        closest_code=closest_code(law, sae.W_dec, loss.firing),
        absorbed=absorbed(arrays, sae.b_dec),
        dead=sae.d_sae - len(live),
    )
