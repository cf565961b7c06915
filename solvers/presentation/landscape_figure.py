"""The catalogue as a picture: one small panel a stationary point, ordered by loss."""

import math

from solvers.optima.landscape import Landscape, StationaryPoint
from solvers.presentation.figures import Artist, Axes, Figure, draw_atoms, draw_support, grid
from solvers.presentation.landscape_report import code_name
from solvers.presentation.results import convention_text
from theory.laws.law import Law

#: More points than this are counted, not drawn.
MOST_PANELS = 20
_COLUMNS = 4


def landscape_figure(found: Landscape) -> Figure:
    """Return a figure of the stationary points: support, atoms from b_dec, loss and share.

    Examples
    --------
    >>> from solvers.optima.landscape import landscape
    >>> from solvers.optima.search import Search
    >>> from solvers.autoencoders.objective import Objective
    >>> from theory.laws.presets import preset
    >>> found = landscape(preset("shared"), 2, Objective(l1=0.1), Search(starts=2))
    >>> len(landscape_figure(found).axes) == len(found.points)
    True
    """
    shown = found.points[:MOST_PANELS]
    columns = min(_COLUMNS, max(1, len(shown)))
    rows = math.ceil(len(shown) / columns)
    figure, panels = grid(rows, columns, len(shown), width=2.7 * columns, height=3.2 * rows + 0.9)
    for axes, point in zip(panels, shown, strict=True):
        _draw(axes, found.law, point)
    left = len(found.points) - len(shown)
    more = f"; {left} of higher loss are not drawn" if left else ""
    figure.suptitle(
        f"{found.law.name}: stationary points of {found.starts} starts{more}\n"
        f"{convention_text(found.objective)}\n{found.initialisation}, {found.dynamics}; "
        "shares with standard errors; axes in units of the data",
        fontsize="medium",
        parse_math=False,
    )
    entries: dict[str, Artist] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        entries.update(zip(labels, handles, strict=True))
    figure.legend(
        list(entries.values()), list(entries), loc="outside lower center", ncols=4, frameon=False
    )
    return figure


def _draw(axes: Axes, law: Law, point: StationaryPoint) -> None:
    draw_support(axes, law)
    draw_atoms(axes, law, point.sae, point.loss.firing)
    axes.set_title(
        f"{point.loss.total:.6g}, {point.kind}\n"
        f"{100 * point.share:.1f} ± {100 * point.share_error:.1f} %\n{code_name(point)}",
        fontsize="small",
        parse_math=False,
    )
