"""Phase diagrams: which code is optimal over any two parameters of law, objective and width.

At every point of a grid each named code of the law that has room is held and its encoder and
biases are minimised (`solvers.optima.held_codes`): the least loss names the *phase*, the next one
is the runner-up. Beside it stands the optimum over all parameters, from random starts and from the
codes, and the code it is closest to. Then every point is asked what its neighbours' optima lead to
there, again and again until nothing improves (`solvers.studies.phase_point`). Where two neighbours
on the grid are in different phases, the tie between is found by root finding on the difference of
the two codes' losses.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from scipy import optimize

from solvers.optima.held_codes import follow_code
from solvers.runtime.arguments import checked
from solvers.runtime.journal import Journal
from solvers.runtime.parallel import each_result
from solvers.studies.phase_axis import WIDTH_AXIS
from solvers.studies.phase_family import Family
from solvers.studies.phase_point import ALIKE, AskNeighbours, ExplorePoint, Known, PhasePoint
from theory.exact.errors import InputError

Progress = Callable[[int, int], None]

# Ties are found to this, as a share of the distance of two neighbours on the grid.
_TIE = 1e-9


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
class _TieTask:
    """The work on one edge of the grid whose ends are in different phases."""

    family: Family

    def __call__(self, edge: tuple[Known, Known]) -> dict[str, Any]:
        start, end = (known.point for known in edge)
        names = (start.phase, end.phase)

        def losses(t: float) -> tuple[float, float]:
            law, objective, width = self.family.at(*_between(start, end, t))
            codes = {code.name: code for code in self.family.codes(law, width)}
            first, second = (
                follow_code(
                    law,
                    codes[name],
                    objective,
                    [known.codes[name] for known in edge],
                    self.family.architecture,
                )
                for name in names
            )
            return first.loss.total, second.loss.total

        def difference(t: float) -> float:
            first, second = losses(t)
            return first - second + within

        # Where one code contains the other they are equal all along a part of the edge, up to the
        # point looked for; rounding must not place it.
        within = 0.0
        alike = ALIKE * start.loss
        if abs(difference(0.0)) <= alike:
            within = -alike
        elif abs(difference(1.0)) <= alike:
            within = alike
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
    pieces = _Pieces(kept, executor, progress)
    values = [(x, y) for y in family.y.values for x in family.x.values]
    rows = pieces.run(ExplorePoint(family), [(i, x, y) for i, (x, y) in enumerate(values)])
    known = [_known(row, journal) for row in rows]
    around = _neighbours(family)
    changed = set(range(len(known)))
    while changed:
        asked = [i for i, others in enumerate(around) if changed.intersection(others)]
        rows = pieces.run(
            AskNeighbours(family), [(known[i], [known[j] for j in around[i]]) for i in asked]
        )
        answers = {i: _known(row, journal) for i, row in zip(asked, rows, strict=True)}
        changed = {i for i in asked if _is_better(answers[i].point, known[i].point)}
        known = [answers.get(i, before) for i, before in enumerate(known)]
    rows = pieces.run(_TieTask(family), _edges(family, known))
    ties = [_tie(row, journal) for row in rows]
    return PhaseDiagram(family, tuple(point.point for point in known), tuple(ties))


def _is_better(now: PhasePoint, before: PhasePoint) -> bool:
    return now.optimum < before.optimum or now.losses != before.losses


def _known(row: dict[str, Any], journal: Path | None) -> Known:
    """Return what is known of a point from a row, whose file somebody may have changed."""
    try:
        return Known.of(row)
    except (TypeError, KeyError, AttributeError, ValueError):
        raise InputError(journal or "journal", "the fields of a PhasePoint", row) from None


def _tie(row: dict[str, Any], journal: Path | None) -> Tie:
    try:
        return Tie(**{**row, "phases": tuple(row["phases"])})
    except (TypeError, KeyError):
        raise InputError(journal or "journal", "the fields of a Tie", row) from None


@dataclass
class _Pieces:
    """Runs pieces of work that are not in the journal, and adds each to it as it ends."""

    journal: Journal | None
    executor: Executor | None
    progress: Progress | None
    #: Pieces of the batches that are done: the number of the next batch's first piece.
    done: int = 0

    def run(self, task: Callable[[Any], dict[str, Any]], items: Sequence[Any]) -> list[Any]:
        """Return the results of a batch, in order.

        What a batch is follows from the results of those before, so that a run that goes on
        numbers its pieces as before.
        """
        first = self.done
        self.done += len(items)
        kept = {} if self.journal is None else self.journal.finished
        results = {i: kept[first + i] for i in range(len(items)) if first + i in kept}
        left = [i for i in range(len(items)) if i not in results]
        for position, result in each_result(task, [items[i] for i in left], self.executor):
            results[left[position]] = result
            if self.journal is not None:
                self.journal.add(first + left[position], result)
            if self.progress is not None:
                self.progress(first + len(results), self.done)
        return [results[i] for i in range(len(items))]


def _neighbours(family: Family) -> list[list[int]]:
    """Return the grid neighbours of every point."""
    across, down = family.x.count, family.y.count
    return [
        [
            row * across + column
            for row, column in ((r - 1, c), (r, c - 1), (r, c + 1), (r + 1, c))
            if 0 <= row < down and 0 <= column < across
        ]
        for r in range(down)
        for c in range(across)
    ]


def _edges(family: Family, known: Sequence[Known]) -> list[tuple[Known, Known]]:
    """Return neighbours along continuous axes whose phases differ, and have both codes."""
    # Across first, then down.
    steps = {1: family.x.name, family.x.count: family.y.name}
    pairs = [
        (known[i], known[j])
        for step, axis in steps.items()
        for i, others in enumerate(_neighbours(family))
        for j in others
        if j - i == step and axis != WIDTH_AXIS
    ]
    return [
        (a, b)
        for a, b in pairs
        if a.point.phase != b.point.phase
        and b.point.phase in a.point.losses
        and a.point.phase in b.point.losses
    ]


#: The columns of a CSV file of points.
COLUMNS = tuple(f.name for f in fields(PhasePoint) if f.name not in ("losses", "bounds"))
