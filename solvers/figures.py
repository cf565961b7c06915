"""Figures: the only importer of matplotlib. All are readable in grey."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Polygon
from numpy.typing import NDArray

from solvers.files import written_beside
from solvers.law_arrays import LawArrays, law_arrays
from solvers.minimize import Optimum
from theory.errors import InputError
from theory.laws import Law

Array = NDArray[np.float64]

FORMATS = (".png", ".svg", ".pdf")

# How an atom is drawn, by whether its latent fires.
_ARROW: dict[bool, dict[str, Any]] = {
    True: {"arrowstyle": "-|>", "color": "black", "linestyle": "-", "linewidth": 1.8,
           "mutation_scale": 16, "zorder": 4},
    False: {"arrowstyle": "->", "color": "0.35", "linestyle": "--", "linewidth": 1.4,
            "mutation_scale": 16, "zorder": 3},
}  # fmt: skip


def check_figure_path(path: Path) -> None:
    """Raise `InputError` unless a figure can be written to this kind of file."""
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path}: expected a figure ending in {', '.join(FORMATS)}")


def draw_optimum(law: Law, optimum: Optimum, path: Path) -> None:
    """Write a figure of the law's support and the learnt atoms, drawn from b_dec.

    Solid arrows are atoms of latents that fire, dashed ones of dead latents. Data of more
    than two dimensions are projected on the two directions of largest second moment.

    Parameters
    ----------
    law : Law
    optimum : Optimum
    path : Path
        Its suffix says the format: .png, .svg or .pdf.

    Raises
    ------
    InputError
        For another suffix or a folder that cannot be written.
    """
    check_figure_path(path)
    figure = Figure(figsize=(6.4, 6.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    arrays = law_arrays(law)
    projection, labels = _projection(arrays)
    _draw_support(axes, arrays, projection)
    origin = projection @ optimum.sae.b_dec
    tips = origin + optimum.sae.W_dec @ projection.T
    for tip, firing in zip(tips, optimum.firing, strict=True):
        arrow = FancyArrowPatch(
            tuple(origin), tuple(tip), shrinkA=0, shrinkB=0, **_ARROW[firing > 0]
        )
        axes.add_patch(arrow)
    axes.update_datalim(tips)
    for fires, label in ((True, "atom $d_i$"), (False, "atom of a dead latent")):
        if any((firing > 0) == fires for firing in optimum.firing):
            style = {key: _ARROW[fires][key] for key in ("color", "linestyle", "linewidth")}
            axes.plot([], [], label=label, **style)
    axes.plot(*origin, "o", color="black", markerfacecolor="white", zorder=5, label="$b_{dec}$")
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.08)
    axes.set_xlabel(f"{labels[0]} (units of the data)")
    if arrays.dimension == 1:
        axes.set_yticks([])
    else:
        axes.set_ylabel(f"{labels[1]} (units of the data)")
    axes.set_title(
        f"{law.name}: best of {len(optimum.starts)} starts, {len(optimum.sae.b_enc)} latents, "
        f"$\\lambda$ = {optimum.objective.l1:g}\n"
        f"loss {optimum.total:.6g}, lower bound {optimum.lower_bound:.6g}",
        fontsize="medium",
    )
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=4, frameon=False)
    with written_beside(path) as temporary:
        figure.savefig(temporary, dpi=150)


def _projection(law: LawArrays) -> tuple[Array, tuple[str, str]]:
    """Return a (2, d) projection of the data and the names of its two coordinates."""
    d = law.dimension
    if d == 1:
        return np.array([[1.0], [0.0]]), ("$x$", "")
    if d == 2:
        return np.eye(2), ("$x_1$", "$x_2$")
    _, directions = np.linalg.eigh(law.second_moment)
    largest: Array = directions[:, ::-1][:, :2].T
    return largest, ("direction of largest second moment", "direction of second largest")


def _draw_support(axes: Axes, law: LawArrays, projection: Array) -> None:
    """Draw points, segments and parallelograms, each kind with its legend entry."""
    labels = ["data: point", "data: segment", "data: parallelogram"]
    for cubes in law.groups:
        k = cubes.cube_dimension
        label: str | None = labels[k]
        # Flat components first, so that segments and points are not hidden under them.
        layer = 2 - 0.5 * k
        for affine in projection @ cubes.affine:
            corner = affine[:, 0]
            if k == 0:
                axes.plot(*corner, "o", color="0.45", markersize=7, label=label, zorder=layer)
            elif k == 1 or _is_flat(affine[:, 1:]):
                # A parallelogram seen edge-on is as wide as its corners.
                u = np.array(list(product((0.0, 1.0), repeat=k)))
                corners = corner + u @ affine[:, 1:].T
                ends = corners[
                    [np.argmin(corners @ [1.0, 1e-3]), np.argmax(corners @ [1.0, 1e-3])]
                ]
                axes.plot(*ends.T, color="0.6", linewidth=5, label=label, zorder=layer,
                          solid_capstyle="butt")  # fmt: skip
            else:
                first, second = affine[:, 1], affine[:, 2]
                outline = np.array([corner, corner + first, corner + first + second,
                                    corner + second])  # fmt: skip
                axes.add_patch(
                    Polygon(
                        outline,
                        facecolor="0.88",
                        edgecolor="0.6",
                        hatch="..",
                        label=label,
                        zorder=layer,
                    )
                )
                axes.update_datalim(outline)
            label = None


def _is_flat(edges: Array) -> bool:
    """Tell whether the two columns, projected, span no area to speak of."""
    sizes = np.linalg.svd(edges, compute_uv=False)
    return bool(sizes[-1] <= 1e-9 * sizes[0])
