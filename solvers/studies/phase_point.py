"""One point of a phase diagram: its codes, its optimum, and what its neighbours add to both.

A point is explored alone first, and then from the weights that its neighbours on the grid ended
with: their laws are nearly the same, so that their optima are good starts, and what one point was
lucky to find reaches all that share it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.architectures import GatedSae, JumpReluSae, TopKSae
from solvers.autoencoders.autoencoder import PARAMETERS, Autoencoder, Sae
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import law_arrays
from solvers.losses.expected_loss import ExpectedLoss, expected_loss
from solvers.losses.parameters import ScaledProblem
from solvers.optima.architecture_descent import ArchitectureDescent
from solvers.optima.held_codes import follow_code, held_code
from solvers.optima.held_starts import starts_at_points
from solvers.optima.matching import closest_code
from solvers.optima.minimize import minimize_from, minimize_loss
from solvers.optima.polish import polish
from solvers.optima.search import Search
from solvers.studies.phase_family import Family
from theory.codes.code import Code
from theory.laws.law import Law

#: What `unsure` calls the optimum; a code is called by its name.
OPTIMUM = "optimum"
#: What a phase is called in which two codes are equally good.
TIED = "tied"
#: Codes whose losses differ by less, relatively, are equally good.
ALIKE = 1e-10
# Starts that end closer than this, relatively, have found the same optimum, and what is lower by
# less is none the better.
_FOUND = 1e-7
# Rounding errors of a loss, as a share of what the law spreads about its mean.
_ROUNDING = 1e-14
# Starts that must agree where there is no bound, on a code and on the optimum.
_AGREEING_ON_CODE = 3
_AGREEING_ON_OPTIMUM = 2


@dataclass(frozen=True)
class PhasePoint:
    """One point of a phase diagram.

    Parameters
    ----------
    x, y : float
    phase : str
        The named code of least loss, or "tied" if the runner-up is as good to rounding. A code
        that contains all atoms of another and is no better counts as the other.
    loss : float
        Its loss.
    runner_up : str or None
    margin : float or None
        How much more the runner-up costs.
    optimum : float
        The best loss known over all parameters.
    optimum_code : str or None
        The named code whose atoms are closest to the optimum's.
    optimum_angle : float or None
        How far, in degrees, on average over latents weighted by firing.
    losses : dict
        Of every code.
    pair : str or None
        On two features and two latents, the phase of the optimal pair of unit atoms with the best
        activations and b_dec = 0 (`theory.two_features.phases`).
    pair_loss : float or None
        Its loss.
    bounds : dict
        Of every code, what no encoder and biases are below, or None if that is not known.
    optimum_bound : float
        What no SAE of this width is below.
    unsure : tuple of str
        The codes that may be better than `loss`: their bounds lie below it and below what was
        found, or there is no bound and fewer than three starts agree. And "optimum", if it is
        above its bound and only one start, the point's own or a neighbour's optimum, leads to it.
    """

    x: float
    y: float
    phase: str
    loss: float
    runner_up: str | None
    margin: float | None
    optimum: float
    optimum_code: str | None
    optimum_angle: float | None
    losses: dict[str, float]
    pair: str | None
    pair_loss: float | None
    bounds: dict[str, float | None]
    optimum_bound: float
    unsure: tuple[str, ...]

    @property
    def phase_is_unsure(self) -> bool:
        """Whether a code other than the phase's may be the best."""
        return bool({*self.unsure} - {self.phase, OPTIMUM})


@dataclass(frozen=True)
class Known:
    """A point and the weights behind its figures.

    Parameters
    ----------
    point : PhasePoint
    optimum : Autoencoder
    found : int
        The point's own starts that led to the optimum.
    codes : dict of Autoencoder
        The best SAE of every code.
    """

    point: PhasePoint
    optimum: Autoencoder
    found: int
    codes: dict[str, Autoencoder]

    def document(self) -> dict[str, Any]:
        """Return it in JSON's types."""
        return {
            "point": asdict(self.point),
            "optimum": _weights(self.optimum),
            "found": self.found,
            "codes": {name: _weights(sae) for name, sae in self.codes.items()},
        }

    @classmethod
    def of(cls, document: dict[str, Any]) -> "Known":
        """Return what a document holds.

        Raises
        ------
        TypeError, KeyError, AttributeError, ValueError
            If it holds something else.
        """
        point = PhasePoint(**{**document["point"], "unsure": (*document["point"]["unsure"],)})
        codes = {name: _sae(weights) for name, weights in document["codes"].items()}
        return cls(point, _sae(document["optimum"]), int(document["found"]), codes)


def _weights(sae: Autoencoder) -> dict[str, Any]:
    weights = {name: getattr(sae, name).tolist() for name in PARAMETERS}
    if isinstance(sae, TopKSae):
        return {**weights, "k": sae.k}
    return weights if isinstance(sae, Sae) else {
        **weights, "threshold": _as_jump_relu(sae).threshold.tolist()
    }  # fmt: skip


def _sae(document: dict[str, Any]) -> Autoencoder:
    base = Sae(*(document[name] for name in PARAMETERS))
    if "k" in document:
        return TopKSae(base, document["k"])
    return JumpReluSae(base, document["threshold"]) if "threshold" in document else base


def _as_jump_relu(sae: Autoencoder) -> JumpReluSae:
    """Return a JumpReLU or Gated SAE, whose optima have tied paths, as a JumpReLU SAE."""
    if isinstance(sae, GatedSae):
        jump = sae.as_jump_relu()
        assert jump is not None
        return jump
    assert isinstance(sae, JumpReluSae)
    return sae


@dataclass(frozen=True)
class ExplorePoint:
    """The work at one grid point alone."""

    family: Family

    def __call__(self, item: tuple[int, float, float]) -> dict[str, Any]:
        """Return the document of what is found at the point of an index."""
        index, x, y = item
        family = self.family
        law, objective, width = family.at(x, y)
        codes = family.codes(law, width)
        architecture = family.architecture
        held = {
            code.name: held_code(law, code, objective, architecture=architecture) for code in codes
        }
        seed = int(np.random.SeedSequence([family.seed, index]).generate_state(1)[0] % 10**9)
        random = minimize_loss(
            law, width, objective, Search(family.starts, seed, limit=family.starts),
            architecture=architecture,
        )  # fmt: skip
        if random.interrupted:
            raise KeyboardInterrupt
        polished = [
            polish(law, _widened(code.sae, width), objective, architecture)
            for code in held.values()
        ]
        ends = [random.sae, *(end.sae for end in polished)]
        if architecture.name == "relu":
            ends += _from_points(law, width, objective, family.starts, seed)
        totals = [start.total for start in random.starts]
        totals += [expected_loss(law, sae, objective).total for sae in ends[1:]]
        optimum = min(ends, key=lambda sae: expected_loss(law, sae, objective).total)
        loss = expected_loss(law, optimum, objective)
        rounding = _rounding(law, objective)
        found = sum(_is_found(total, loss.total, rounding) for total in totals)
        doubtful = {
            name
            for name, code in held.items()
            if code.lower_bound is None and code.agreeing < _AGREEING_ON_CODE
        }
        pair = family.pair(x, y)
        point = PhasePoint(
            x=x,
            y=y,
            **_ranked(codes, {name: code.loss.total for name, code in held.items()}, rounding),
            **_optimum(law, optimum, loss),
            pair=None if pair is None else pair.phase,
            pair_loss=None if pair is None else pair.loss,
            bounds={name: code.lower_bound for name, code in held.items()},
            optimum_bound=random.lower_bound - random.lower_bound_error,
            unsure=(),
        )
        known = Known(point, optimum, found, {name: code.sae for name, code in held.items()})
        return replace(known, point=_judged(point, doubtful, found, rounding)).document()


@dataclass(frozen=True)
class AskNeighbours:
    """The work at one grid point, once its neighbours are known."""

    family: Family

    def __call__(self, item: tuple[Known, Sequence[Known]]) -> dict[str, Any]:
        """Return the document of the point, with what its neighbours lead to."""
        known, neighbours = item
        point = known.point
        law, objective, width = self.family.at(point.x, point.y)
        codes = self.family.codes(law, width)
        rounding = _rounding(law, objective)
        losses, saes = dict(point.losses), dict(known.codes)
        doubtful = {name for name in point.unsure if point.bounds.get(name, 0.0) is None}
        for code in codes:
            starts = [other.codes[code.name] for other in neighbours if code.name in other.codes]
            if code.name not in point.unsure or not starts:
                continue
            followed = follow_code(law, code, objective, starts, self.family.architecture)
            if not _is_found(losses[code.name], followed.loss.total, rounding):
                losses[code.name], saes[code.name] = followed.loss.total, followed.sae
        optimum, total, found = known.optimum, point.optimum, known.found
        totals = []
        for other in neighbours:
            if other.optimum.d_sae > width:
                continue
            end = _descended(
                law, _widened(other.optimum, width), objective, self.family.architecture
            )
            totals.append(expected_loss(law, end, objective).total)
            if not _is_found(total, totals[-1], rounding):
                optimum, total, found = end, totals[-1], 0
        reached = found + sum(_is_found(other, total, rounding) for other in totals)
        point = replace(
            point,
            **_ranked(codes, losses, rounding),
            **_optimum(law, optimum, expected_loss(law, optimum, objective)),
        )
        judged = _judged(point, doubtful, reached, rounding)
        return Known(judged, optimum, found, saes).document()


def _ranked(codes: Sequence[Code], losses: dict[str, float], rounding: float) -> dict[str, Any]:
    """Return the fields of a point that say which code is the best, and which the next."""
    atoms = {code.name: {*code.atoms} for code in codes}

    def as_good(name: str, other: str) -> bool:
        return losses[name] <= losses[other] * (1 + ALIKE) + rounding

    distinct = [
        name
        for name in sorted(losses, key=losses.__getitem__)
        if not any(atoms[other] < atoms[name] and as_good(other, name) for other in losses)
    ]
    best, *others = distinct
    tied = bool(others) and as_good(others[0], best)
    return {
        "phase": TIED if tied else best,
        "loss": losses[best],
        "runner_up": others[0] if others else None,
        "margin": losses[others[0]] - losses[best] if others else None,
        "losses": losses,
    }


def _optimum(law: Law, sae: Autoencoder, loss: ExpectedLoss) -> dict[str, Any]:
    closest = closest_code(law, sae.W_dec, loss.firing)
    return {
        "optimum": loss.total,
        "optimum_code": None if closest is None else closest.code,
        "optimum_angle": None if closest is None else closest.mean_angle,
    }


def _judged(point: PhasePoint, doubtful: set[str], found: int, rounding: float) -> PhasePoint:
    """Return the point with what is unsure of it.

    `doubtful` are the codes without a bound on which too few starts agree, `found` is how many
    starts led to the optimum.
    """
    unsure = [
        name
        for name, bound in point.bounds.items()
        if name in doubtful or (bound is not None and bound < min(point.losses[name], point.loss))
    ]
    proven = _is_found(point.optimum, point.optimum_bound, rounding)
    if not proven and found < _AGREEING_ON_OPTIMUM:
        unsure.append(OPTIMUM)
    return replace(point, unsure=tuple(unsure))


def _is_found(total: float, best: float, rounding: float) -> bool:
    return total <= best * (1 + _FOUND) + rounding


def _rounding(law: Law, objective: Objective) -> float:
    relative = objective.reconstruction == "relative"
    return _ROUNDING * (1.0 if relative else law_arrays(law).spread)


def _from_points(
    law: Law, width: int, objective: Objective, count: int, seed: int
) -> Iterator[Autoencoder]:
    """Yield the minima that starts at points of the law lead to."""
    problem = ScaledProblem.of(law_arrays(law), objective, width)
    # With a tied b_dec they cannot start there.
    for start in starts_at_points(
        problem.loss.law, width, problem.loss.objective.l1, 0 if problem.loss.tied else count, seed
    ):
        yield _descended(law, problem.in_units_of_data(start), objective, Architecture())


def _descended(
    law: Law, sae: Autoencoder, objective: Objective, architecture: Architecture
) -> Autoencoder:
    """Return the minimum that an SAE leads to."""
    problem = ScaledProblem.of(law_arrays(law), objective, sae.d_sae)
    if not isinstance(sae, Sae):
        descent = ArchitectureDescent(problem, architecture)
        return descent.sae(descent.descend(descent.vector(sae))[1])
    return problem.sae(minimize_from(problem, problem.vector(sae))[1])


def _widened(sae: Autoencoder, width: int) -> Autoencoder:
    """Return the same function of more latents.

    Of ReLU the first ones share their activations; of others, which charge each that fires or keep
    but some, the new ones never fire.

    Examples
    --------
    >>> narrow = Sae([[1.0]], [-0.5], [[1.0]], [0.0])
    >>> wide = _widened(narrow, 2)
    >>> wide.W_enc.tolist(), wide.reconstruction([[2.0]]).tolist()
    ([[0.5, 0.5]], [[1.5]])
    """
    if sae.d_sae == width:
        return sae
    source = np.arange(width) % sae.d_sae
    if not isinstance(sae, Sae):
        dead = np.arange(width) >= sae.d_sae
        W_enc = np.where(dead, 0.0, sae.W_enc[:, source])
        base = Sae(W_enc, np.where(dead, -1.0, sae.b_enc[source]), sae.W_dec[source], sae.b_dec)
        if isinstance(sae, TopKSae):
            return TopKSae(base, sae.k)
        jump = sae if isinstance(sae, JumpReluSae) else _as_jump_relu(sae)
        return JumpReluSae(base, jump.threshold[source]).with_origin(sae.origin)
    share = np.bincount(source)[source]
    return Sae(
        sae.W_enc[:, source] / share, sae.b_enc[source] / share, sae.W_dec[source], sae.b_dec
    )
