"""Figures: the only importer of matplotlib. All are readable in grey."""

import io
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.artist import Artist as Artist  # noqa: PLC0414 - passed on
from matplotlib.axes import Axes as Axes  # noqa: PLC0414 - passed on
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as Figure  # noqa: PLC0414 - passed on
from matplotlib.patches import FancyArrowPatch as FancyArrowPatch  # noqa: PLC0414 - passed on
from matplotlib.patches import Patch as Patch  # noqa: PLC0414 - passed on
from matplotlib.patches import Polygon
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from solvers.autoencoders.autoencoder import Autoencoder
from solvers.laws.arrays import LawArrays, law_arrays
from solvers.optima.optimum import Optimum
from solvers.presentation.results import convention_text, plus_minus
from solvers.runtime.files import written_beside
from theory.exact.errors import InputError
from theory.laws.law import Law

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
        raise InputError(path, f"a figure ending in {', '.join(FORMATS)}")


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
    _draw_atoms(axes, optimum.sae, optimum.firing, projection)
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.08)
    axes.set_xlabel(f"{labels[0]} (units of the data)")
    if arrays.dimension == 1:
        axes.set_yticks([])
    else:
        axes.set_ylabel(f"{labels[1]} (units of the data)")
    axes.set_title(
        f"{law.name}: {optimum.found}, {len(optimum.sae.b_enc)} latents\n"
        f"{convention_text(optimum.objective)}\n"
        f"loss {optimum.total:.6g}{plus_minus(optimum.loss)}, "
        f"lower bound {optimum.lower_bound:.6g}",
        fontsize="medium",
        parse_math=False,
    )
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=4, frameon=False)
    write_figure(figure, path)


# How the layers of a comparison are drawn, told apart in grey by width, fill and dash.
_LAYERS: dict[str, dict[str, Any]] = {
    "optimum": {"arrowstyle": "simple,head_width=0.9,tail_width=0.45,head_length=0.9",
                "facecolor": "white", "edgecolor": "black", "linestyle": "-", "linewidth": 0.9,
                "mutation_scale": 14, "zorder": 3},
    "polished": {"arrowstyle": "->", "facecolor": "0.35", "edgecolor": "0.35",
                 "linestyle": (0, (4, 2)), "linewidth": 1.6, "mutation_scale": 16, "zorder": 4},
    "now": {"arrowstyle": "-|>", "facecolor": "black", "edgecolor": "black", "linestyle": "-",
            "linewidth": 1.6, "mutation_scale": 12, "zorder": 5},
}  # fmt: skip


def atoms_figure(
    law: Law, layers: Sequence[tuple[str, Autoencoder, Sequence[float]]], title: str
) -> Figure:
    """Return a figure of a law's support and the atoms of several SAEs, from their b_dec.

    Parameters
    ----------
    law : Law
    layers : sequence of (label, SAE, firing)
        Labels "optimum", "polished", "now"; latents that never fire are drawn thin and dotted.
    title : str
    """
    figure = Figure(figsize=(4.8, 5.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    arrays = law_arrays(law)
    projection, labels = _projection(arrays)
    _draw_support(axes, arrays, projection)
    for label, sae, firing in layers:
        style = _LAYERS[label]
        origin = projection @ sae.b_dec
        tips = origin + sae.W_dec @ projection.T
        for tip, probability in zip(tips, firing, strict=True):
            dead = {"arrowstyle": "->", "linestyle": ":", "linewidth": 1.0}
            drawn = style if probability > 0 else {**style, **dead}
            axes.add_patch(
                FancyArrowPatch(tuple(origin), tuple(tip), shrinkA=0, shrinkB=0, **drawn)
            )
        axes.update_datalim([*tips, origin])
        axes.plot(*origin, "o", color=style["edgecolor"], markerfacecolor="white",
                  zorder=style["zorder"] + 3)  # fmt: skip
        if label != "optimum":
            line = {key: style[key] for key in ("linestyle", "linewidth")}
            axes.plot([], [], label=label, color=style["edgecolor"], **line)
    axes.plot([], [], "o", color="black", markerfacecolor="white", label="$b_{dec}$")
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.08)
    axes.set_xlabel(f"{labels[0]} (units of the data)")
    axes.set_ylabel(f"{labels[1]} (units of the data)" if arrays.dimension > 1 else "")
    axes.set_title(title, fontsize="medium", parse_math=False)
    handles, texts = axes.get_legend_handles_labels()
    if any(label == "optimum" for label, _, _ in layers):
        handles.append(Patch(facecolor="white", edgecolor="black"))
        texts.append("optimum")
    figure.legend(handles, texts, loc="outside lower center", ncols=3, frameon=False)
    return figure


def gap_figure(marks: Sequence[tuple[str, float]]) -> Figure:
    """Return a bar from 0 to the largest of some losses, cut at each of them.

    Parameters
    ----------
    marks : sequence of (label, loss)
        In increasing order of loss; the label names the part that ends there.
    """
    figure = Figure(figsize=(4.8, 2.3), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    left = 0.0
    fills = (("0.92", ""), ("0.75", "//"), ("0.55", "xx"), ("0.35", ".."))
    for (label, loss), (color, hatch) in zip(marks, fills, strict=False):
        size = max(loss - left, 0.0)
        axes.barh(0, size, left=left, color=color, hatch=hatch, edgecolor="0.2",
                  label=f"{label}: {size:.3g}")  # fmt: skip
        left = max(left, loss)
    axes.set_yticks([])
    axes.set_xlabel("loss (units of the objective)")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def scatter_figure(points: Sequence[tuple[int, float, float]], best: float | None) -> Figure:
    """Return a scatter of loss against the mean angle to the closest code.

    Parameters
    ----------
    points : sequence of (number, angle in degrees, loss)
    best : float or None
        A loss to draw a line at.
    """
    figure = Figure(figsize=(4.8, 3.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for number, angle, loss in points:
        axes.plot(angle, loss, "o", color="black", markerfacecolor="0.8", markersize=8)
        axes.annotate(str(number), (angle, loss), textcoords="offset points", xytext=(7, 4))
    if best is not None:
        axes.axhline(best, color="0.4", linestyle="--", label="optimum")
        axes.legend(frameon=False)
    axes.set_xlabel("mean angle to the closest code (degrees)")
    axes.set_ylabel("loss (units of the objective)")
    axes.margins(0.1)
    return figure


def panels(count: int = 1, width: float = 4.8, height: float = 3.6) -> tuple[Figure, list[Axes]]:
    """Return a figure of panels beside each other, and the panels."""
    return grid(1, count, count, width, height)


def grid(
    rows: int, columns: int, count: int, width: float, height: float
) -> tuple[Figure, list[Axes]]:
    """Return a figure of `count` panels in rows, and the panels."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(rows, columns, i + 1) for i in range(count)]


def draw_atoms(axes: Axes, law: Law, sae: Autoencoder, firing: Sequence[float]) -> None:
    """Draw an SAE's atoms from b_dec, dashed those of latents that never fire."""
    _draw_atoms(axes, sae, firing, _projection(law_arrays(law))[0])
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.08)


def _draw_atoms(axes: Axes, sae: Autoencoder, firing: Sequence[float], projection: Array) -> None:
    origin = projection @ sae.b_dec
    tips = origin + sae.W_dec @ projection.T
    for tip, probability in zip(tips, firing, strict=True):
        axes.add_patch(
            FancyArrowPatch(
                tuple(origin), tuple(tip), shrinkA=0, shrinkB=0, **_ARROW[probability > 0]
            )
        )
    axes.update_datalim([*tips, origin])
    for fires, label in ((True, "atom $d_i$"), (False, "atom of a dead latent")):
        if any((probability > 0) == fires for probability in firing):
            style = {key: _ARROW[fires][key] for key in ("color", "linestyle", "linewidth")}
            axes.plot([], [], label=label, **style)
    axes.plot(*origin, "o", color="black", markerfacecolor="white", zorder=5, label="$b_{dec}$")


def draw_support(axes: Axes, law: Law) -> None:
    """Draw the support of a law in the plane."""
    arrays = law_arrays(law)
    _draw_support(axes, arrays, _projection(arrays)[0])


def projected(law: LawArrays, points: Array) -> Array:
    """Return points (m, d) as they are drawn, (m, 2)."""
    return points @ _projection(law)[0].T


def axes_labels(law: LawArrays) -> tuple[str, str]:
    """Return what stands along the two axes of data."""
    across, up = _projection(law)[1]
    return f"{across} (units of the data)", f"{up} (units of the data)" if up else ""


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure to a file of a kind in `FORMATS`, whole or not at all.

    The bytes are the same on every run: there are no dates in them and no random ids.
    """
    check_figure_path(path)
    kind = path.suffix.lower()
    with written_beside(path) as temporary:
        if kind == ".svg":
            temporary.write_text(svg_text(figure) + "\n", encoding="utf-8")
        else:
            undated: dict[str, Any] = {"CreationDate": None} if kind == ".pdf" else {}
            figure.savefig(temporary, dpi=150, metadata=undated)


def svg_text(figure: Figure) -> str:
    """Return a figure as an SVG element, the same bytes every time."""
    buffer = io.StringIO()
    with rc_context({"svg.hashsalt": "sae-theory", "svg.fonttype": "path"}):
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=nothing)
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def _projection(law: LawArrays) -> tuple[Array, tuple[str, str]]:
    """Return a (2, d) projection of the data and the names of its two coordinates."""
    d = law.dimension
    if d == 1:
        return np.array([[1.0], [0.0]]), ("$x$", "")
    if d == 2:
        return np.eye(2), ("$x_1$", "$x_2$")
    _, directions = np.linalg.eigh(law.second_moment)
    largest: Array = directions[:, ::-1][:, :2].T
    # Of the two signs that which the data lie towards.
    largest = largest * np.where(largest @ law.mean < 0, -1.0, 1.0)[:, None]
    return largest, ("direction of largest second moment", "direction of second largest")


def _draw_support(axes: Axes, law: LawArrays, projection: Array) -> None:
    """Draw points, segments, parallelograms and cubes, each kind with its legend entry."""
    labels = ["data: point", "data: segment", "data: parallelogram", "data: cube of 3 or more"]
    # Of a kind the first is named.
    named: set[str] = set()
    for normals in law.normals:
        _draw_normals(axes, projection @ normals.mean.T, projection @ normals.factor)
    for cubes in law.cubes:
        k = cubes.cube_dimension
        # Flat components first, so that segments and points are not hidden under them.
        layer = 2 - 0.5 * min(k, 3)
        for affine in projection @ cubes.affine:
            label = labels[min(k, 3)] if labels[min(k, 3)] not in named else None
            corners = (
                affine[:, 0] + np.array(list(product((0.0, 1.0), repeat=k))) @ affine[:, 1:].T
            )
            if k == 0:
                axes.plot(*corners[0], "o", color="0.45", markersize=7, label=label, zorder=layer)
            elif k == 1 or _is_flat(affine[:, 1:]):
                # A parallelogram seen edge-on is as wide as its corners.
                ends = corners[
                    [np.argmin(corners @ [1.0, 1e-3]), np.argmax(corners @ [1.0, 1e-3])]
                ]
                axes.plot(*ends.T, color="0.6", linewidth=5, label=label, zorder=layer,
                          solid_capstyle="butt")  # fmt: skip
            else:
                outline = corners[ConvexHull(corners).vertices] if k > 2 else corners[[0, 2, 3, 1]]
                axes.add_patch(
                    Polygon(
                        outline,
                        facecolor="0.88" if k == 2 else "0.95",
                        edgecolor="0.6",
                        hatch=".." if k == 2 else None,
                        label=label,
                        zorder=layer,
                    )
                )
                axes.update_datalim(outline)
            named.add(labels[min(k, 3)])


def _draw_normals(axes: Axes, means: Array, factors: Array) -> None:
    """Draw the ellipse of two standard deviations about the mean of each component."""
    around = np.linspace(0, 2 * np.pi, 73)
    circle = np.array([np.cos(around), np.sin(around)])
    for place, (mean, factor) in enumerate(zip(means.T, factors, strict=True)):
        axes_of, sizes, _ = np.linalg.svd(factor, full_matrices=False)
        sizes = np.pad(sizes, (0, max(0, 2 - len(sizes))))[:2]
        axes_of = np.pad(axes_of, ((0, 0), (0, max(0, 2 - axes_of.shape[1]))))[:, :2]
        outline = mean + 2.0 * (axes_of * sizes @ circle).T
        label = None if place else "data: normal, two standard deviations"
        axes.add_patch(
            Polygon(outline, facecolor="0.92", edgecolor="0.6", label=label, zorder=1.2)
        )
        axes.plot(*mean, ".", color="0.45", markersize=4, zorder=1.3)
        axes.update_datalim(outline)


def _is_flat(edges: Array) -> bool:
    """Tell whether the columns, projected, span no area to speak of."""
    sizes = np.linalg.svd(edges, compute_uv=False)
    return bool(sizes[-1] <= 1e-9 * sizes[0])
