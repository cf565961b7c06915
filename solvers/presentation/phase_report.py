"""A phase diagram as text, CSV and JSON: what `sae-theory phase` prints and writes."""

import csv
import io
from collections import Counter
from dataclasses import asdict
from typing import Any

from solvers.optima.matching import CLOSE
from solvers.presentation.results import to_json
from solvers.studies.phase import COLUMNS, PhaseDiagram
from solvers.studies.phase_point import OPTIMUM

_FIRST_COLUMN = "row"
# Between the names of what is unsure.
_SEPARATOR = "; "


def phase_document(diagram: PhaseDiagram) -> dict[str, Any]:
    """Return the keys of the command `phase`."""
    return {
        "family": diagram.family.document(),
        "points": [asdict(point) for point in diagram.points],
        "ties": [asdict(tie) for tie in diagram.ties],
    }


def phase_json(diagram: PhaseDiagram) -> str:
    """Return the contents of a JSON file."""
    return to_json(phase_document(diagram)) + "\n"


def phase_csv(diagram: PhaseDiagram) -> str:
    """Return the contents of a CSV file: a row for every point, then one for every tie.

    The columns x and y carry the axes' names; numbers have all their digits.

    Examples
    --------
    >>> from solvers.autoencoders.objective import Objective
    >>> from solvers.studies.phase import phase_diagram
    >>> from solvers.studies.phase_axis import Axis
    >>> from solvers.studies.phase_family import Family
    >>> family = Family("shared", Axis("l1", 1, 2, 2), Axis("latents", 4, 5, 2), 4, Objective(0.1),
    ...                 starts=1)
    >>> phase_csv(phase_diagram(family)).splitlines()[0][:40]
    'row,l1,latents,phase,loss,runner_up,marg'
    """
    stream = io.StringIO()
    family = diagram.family
    names = {"x": family.x.name, "y": family.y.name}
    header = [names.get(column, column) for column in COLUMNS]
    # Lines end as they do on this system's other text files.
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([_FIRST_COLUMN, *header])
    for point in diagram.points:
        row = {column: getattr(point, column) for column in COLUMNS}
        writer.writerow(["point", *{**row, "unsure": _SEPARATOR.join(point.unsure)}.values()])
    for tie in diagram.ties:
        row = {"x": tie.x, "y": tie.y, "phase": tie.phases[0], "loss": tie.loss,
               "runner_up": tie.phases[1], "margin": 0.0}  # fmt: skip
        writer.writerow(["tie", *(row.get(column) for column in COLUMNS)])
    return stream.getvalue()


def phase_text(diagram: PhaseDiagram) -> str:
    """Return what a reader wants first: phases, their extent, and where the optimum is no code."""
    family, points = diagram.family, diagram.points
    counts = Counter(point.phase for point in points)
    lines = [
        f"{family.law}: {family.x.name} from {family.x.low:g} to {family.x.high:g}, "
        f"{family.y.name} from {family.y.low:g} to {family.y.high:g}; {len(points)} points",
    ]
    for phase, count in counts.most_common():
        margins = [p.margin for p in points if p.phase == phase and p.margin is not None]
        width = f", margins up to {max(margins):.3g}" if margins else ""
        lines.append(f"{phase:<24}{count:>6} points{width}")
    for pair, count in Counter(p.pair for p in points if p.pair is not None).most_common():
        lines.append(f"optimal pair: {pair:<35}{count:>6} points")
    below = [p for p in points if p.optimum < p.loss * (1 - 1e-9)]
    far = [p for p in points if p.optimum_angle is not None and p.optimum_angle > CLOSE]
    lines.append(f"{'ties':<24}{len(diagram.ties):>6} on the grid's edges")
    lines.append(
        f"the optimum is below every named code at {len(below)} points, by up to "
        f"{max((1 - p.optimum / p.loss for p in below), default=0.0):.2%}, and close to none of "
        f"them at {len(far)}"
    )
    phases = sum(point.phase_is_unsure for point in points)
    optima = sum(OPTIMUM in point.unsure for point in points)
    lines.append(
        f"unsure: the phase at {phases} points, where no bound excludes another code; the optimum "
        f"at {optima}, which only one start found"
    )
    return "\n".join(lines)
