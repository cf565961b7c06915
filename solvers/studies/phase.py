"""Phase diagrams: which code is optimal over any two parameters of law, objective and width.

At every point of a grid each named code of the law that has room is held and its encoder and
biases are minimised (`solvers.optima.held_codes`): the least loss names the *phase*, the next one
is the runner-up. Beside it stands the optimum over all parameters, from random starts and from the
codes, and the code it is closest to. Where two neighbours on the grid are in different phases, the
tie between is found by root finding on the difference of the two codes' losses.
"""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from scipy import optimize

from solvers.optima.best_known import best_known
from solvers.optima.held_codes import held_code
from solvers.optima.matching import closest_code
from solvers.optima.polish import polish
from solvers.runtime.arguments import checked
from solvers.runtime.journal import Journal
from solvers.runtime.parallel import each_result
from solvers.studies.phase_axis import WIDTH_AXIS
from solvers.studies.phase_family import Family
from theory.exact.errors import InputError

Progress = Callable[[int, int], None]

Record = TypeVar("Record")

# Codes whose losses differ by less, relatively, are equally good.
_ALIKE = 1e-12
# Ties are found to this, as a share of the distance of two neighbours on the grid.
_TIE = 1e-9


@dataclass(frozen=True)
class PhasePoint:
    """One point of a phase diagram.

    Parameters
    ----------
    x, y : float
    phase : str
        The named code of least loss, or "tied" if the runner-up is as good to rounding.
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
    pair: str | None = None
    pair_loss: float | None = None


@dataclass(frozen=True)
class Tie:
    """A point of the boundary between two phases.

    Parameters
    ----------
    x, y : float
    phases : tuple of str
        The two codes whose losses are equal there.
    loss : float
    """

    x: float
    y: float
    phases: tuple[str, str]
    loss: float


@dataclass(frozen=True)
class PhaseDiagram:
    """A phase diagram: points row by row of y, and ties along the grid's edges.

    Parameters
    ----------
    family : Family
    points : tuple of PhasePoint
    ties : tuple of Tie
    """

    family: Family
    points: tuple[PhasePoint, ...]
    ties: tuple[Tie, ...]


@dataclass(frozen=True)
class _PointTask:
    """The work at one grid point."""

    family: Family

    def __call__(self, item: tuple[int, float, float]) -> dict[str, Any]:
        index, x, y = item
        family = self.family
        law, objective, width = family.at(x, y)
        codes = family.codes(law, width)
        held = {code.name: held_code(law, code, objective) for code in codes}
        losses = {name: code.loss.total for name, code in held.items()}
        order = sorted(losses, key=losses.__getitem__)
        seed = int(np.random.SeedSequence([family.seed, index]).generate_state(1)[0] % 10**9)
        polished = polish(law, held[order[0]].sae, objective)
        best = best_known(law, width, objective, polished, family.starts, seed, None)
        closest = closest_code(law, best.sae.W_dec, best.loss.firing)
        pair = family.pair(x, y)
        margin = losses[order[1]] - losses[order[0]] if len(order) > 1 else None
        tied = margin is not None and margin <= _ALIKE * losses[order[0]]
        return asdict(
            PhasePoint(
                x=x,
                y=y,
                phase="tied" if tied else order[0],
                loss=losses[order[0]],
                runner_up=order[1] if len(order) > 1 else None,
                margin=margin,
                optimum=best.loss.total,
                optimum_code=None if closest is None else closest.code,
                optimum_angle=None if closest is None else closest.mean_angle,
                losses=losses,
                pair=None if pair is None else pair.phase,
                pair_loss=None if pair is None else pair.loss,
            )
        )


@dataclass(frozen=True)
class _TieTask:
    """The work on one edge of the grid whose ends are in different phases."""

    family: Family

    def __call__(self, edge: tuple[PhasePoint, PhasePoint]) -> dict[str, Any]:
        start, end = edge
        names = (start.phase, end.phase)

        def losses(t: float) -> tuple[float, float]:
            law, objective, width = self.family.at(*_between(start, end, t))
            codes = {code.name: code for code in self.family.codes(law, width)}
            first, second = (held_code(law, codes[name], objective).loss.total for name in names)
            return first, second

        def difference(t: float) -> float:
            first, second = losses(t)
            return first - second

        # A tie on a grid point may be on either side of it by rounding.
        if difference(0.0) >= 0:
            t = 0.0
        elif difference(1.0) <= 0:
            t = 1.0
        else:
            t = optimize.brentq(difference, 0.0, 1.0, xtol=_TIE)
        x, y = _between(start, end, t)
        return asdict(Tie(x, y, names, losses(t)[0]))


def _between(start: PhasePoint, end: PhasePoint, t: float) -> tuple[float, float]:
    return start.x + t * (end.x - start.x), start.y + t * (end.y - start.y)


@checked
def phase_diagram(
    family: Family,
    *,
    journal: Path | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> PhaseDiagram:
    """Return the phase diagram of a family.

    Parameters
    ----------
    family : Family
    journal : Path, optional
        A file that keeps every finished piece at once; if it exists the run goes on from there,
        and what it holds is not computed again. It is left for the caller to delete.
    executor : concurrent.futures.Executor, optional
        Runs the pieces: a process pool, a cluster's. By default they run here.
    progress : callable, optional
        Called with the numbers of finished and of all pieces; ties are counted once the points
        are known.

    Raises
    ------
    InputError
        If the journal is of another run.

    Examples
    --------
    The diagonal code gives way to the axis-aligned one at q = 0.585 as λ goes to 0:

    >>> from solvers.autoencoders.objective import Objective
    >>> from solvers.studies.phase_axis import Axis
    >>> q, l1 = Axis("onehot_probability", 0.5, 0.7, 2), Axis("l1", 1e-3, 2e-3, 2)
    >>> family = Family("shared", q, l1, 4, Objective(l1=1.0), starts=1)
    >>> diagram = phase_diagram(family)
    >>> [point.phase for point in diagram.points]
    ['diagonal', 'axis-aligned', 'diagonal', 'axis-aligned']
    >>> round(diagram.ties[0].x, 3)
    0.586
    """
    kept = None if journal is None else Journal(journal, family.document())
    values = [(x, y) for y in family.y.values for x in family.x.values]
    items = [(index, x, y) for index, (x, y) in enumerate(values)]
    pieces = _Pieces(kept, executor, progress)
    rows = pieces.run(_PointTask(family), items, 0, len(items))
    points = [_record(PhasePoint, row, journal) for row in rows]
    edges = _edges(family, points)
    total = len(items) + len(edges)
    rows = pieces.run(_TieTask(family), edges, len(items), total)
    ties = [_record(Tie, row, journal) for row in rows]
    return PhaseDiagram(family, tuple(points), tuple(ties))


def _record(kind: type[Record], row: dict[str, Any], journal: Path | None) -> Record:
    """Return the record of a row, which may come from a file that somebody changed."""
    try:
        return kind(**{key: tuple(v) if isinstance(v, list) else v for key, v in row.items()})
    except (TypeError, AttributeError):
        raise InputError(journal or "journal", f"the fields of a {kind.__name__}", row) from None


@dataclass
class _Pieces:
    """Runs pieces of work that are not in the journal, and adds each to it as it ends."""

    journal: Journal | None
    executor: Executor | None
    progress: Progress | None

    def run(
        self, task: Callable[[Any], dict[str, Any]], items: list[Any], first: int, total: int
    ) -> list[dict[str, Any]]:
        """Return the results in order; pieces are numbered from `first`."""
        kept = {} if self.journal is None else self.journal.finished
        results = {i: kept[first + i] for i in range(len(items)) if first + i in kept}
        left = [i for i in range(len(items)) if i not in results]
        for position, result in each_result(task, [items[i] for i in left], self.executor):
            results[left[position]] = result
            if self.journal is not None:
                self.journal.add(first + left[position], result)
            if self.progress is not None:
                self.progress(first + len(results), total)
        return [results[i] for i in range(len(items))]


def _edges(family: Family, points: list[PhasePoint]) -> list[tuple[PhasePoint, PhasePoint]]:
    """Return neighbours along continuous axes whose phases differ, and have both codes."""
    across, down = family.x.count, family.y.count
    pairs = []
    if family.x.name != WIDTH_AXIS:
        pairs += [
            (r * across + c, r * across + c + 1) for r in range(down) for c in range(across - 1)
        ]
    if family.y.name != WIDTH_AXIS:
        pairs += [
            (r * across + c, (r + 1) * across + c) for r in range(down - 1) for c in range(across)
        ]
    edges = [(points[i], points[j]) for i, j in pairs if points[i].phase != points[j].phase]
    return [(a, b) for a, b in edges if b.phase in a.losses and a.phase in b.losses]


#: The columns of a CSV file of points.
COLUMNS = tuple(field.name for field in fields(PhasePoint) if field.name != "losses")
