"""A phase diagram as a picture: phases, ties, closed-form boundary, what no code reaches."""

import numpy as np
import sympy
from numpy.typing import NDArray

from solvers.presentation.figures import Artist, Axes, Figure, Patch, panels
from solvers.studies.phase import PhaseDiagram
from solvers.studies.phase_axis import Axis
from solvers.studies.phase_point import OPTIMUM
from theory.codes.code import axis_aligned, diagonal
from theory.exact.symbols import L1
from theory.laws.law_files import LawSpec, load_law
from theory.laws.two_features import TwoFeatures, checked_numbers
from theory.losses.closed_forms import tie_probability_for_every_l1
from theory.two_features.boundaries import absorption_onset
from theory.two_features.gains import (
    BOTH_LENGTH,
    FEATURE_TANGENT,
    SECOND_TANGENT,
    both_active_length,
)

Array = NDArray[np.float64]

# Told apart in grey by shade and hatch.
_FILLS = (("0.95", None), ("0.72", "//"), ("0.5", ".."), ("0.35", "xx"), ("0.85", "\\\\"))
_LABELS = {
    "l1": "λ (units of the data)",
    "weight_decay": "weight decay μ",
    "latents": "number of latents",
    "onehot_probability": "one-hot probability q",
    "magnitude_correlation": "magnitude correlation f",
    "sign_correlation": "sign correlation ρ",
    "angle": "angle between the features (degrees)",
    "amplitude": "amplitude A (units of the data)",
    "first_alone": "probability of the first feature alone",
    "second_alone": "probability of the second feature alone",
    "both": "probability of both features",
}
# What is not proven, nor found twice, stands out from the cells of any fill.
_MARKS = {"unsure phase": "x", "unsure optimum": "+"}
_SAMPLES = 400


def phase_figure(diagram: PhaseDiagram) -> Figure:
    """Return a figure of the phases and of the optimum's distance below the best code."""
    family = diagram.family
    figure, (left, right) = panels(2, width=10.5, height=5.2)
    pairs = [point.pair for point in diagram.points]
    by_pair = None not in pairs
    names = [str(pair) for pair in pairs] if by_pair else [p.phase for p in diagram.points]
    handles = _draw_phases(left, diagram, names)
    curve = onset_of_absorption(diagram) if by_pair else closed_form_boundary(diagram)
    if curve is not None:
        (handles["closed-form boundary"],) = left.plot(*curve, color="black", linewidth=1.6)
    if diagram.ties and not by_pair:
        (handles["computed ties"],) = left.plot(
            [tie.x for tie in diagram.ties], [tie.y for tie in diagram.ties], "o", color="black",
            markerfacecolor="white", markersize=5,
        )  # fmt: skip
    for axes, name, unsure in (
        (left, "unsure phase", [p.phase_is_unsure and not by_pair for p in diagram.points]),
        (right, "unsure optimum", [OPTIMUM in p.unsure for p in diagram.points]),
    ):
        marked = [p for p, doubtful in zip(diagram.points, unsure, strict=True) if doubtful]
        if marked:
            (handles[name],) = axes.plot(
                [p.x for p in marked], [p.y for p in marked], _MARKS[name], color="black",
                markersize=5, linestyle="none",
            )  # fmt: skip
    columns, rows = _borders(family.x, family.y)
    title = "optimal pair of atoms, best activations" if by_pair else "code of least loss"
    left.set_title(title, fontsize="medium")
    shortfall = [100 * (1 - point.optimum / point.loss) for point in diagram.points]
    mesh = right.pcolormesh(
        columns, rows, np.reshape(shortfall, (family.y.count, family.x.count)), cmap="Greys",
        vmin=0.0, vmax=max(*shortfall, 0.1),
    )  # fmt: skip
    figure.colorbar(mesh, ax=right, label="best SAE found below the best code (%)")
    right.set_title("what no named code reaches", fontsize="medium")
    for axes in (left, right):
        axes.set(xlim=(family.x.low, family.x.high), ylim=(family.y.low, family.y.high))
        axes.set_xlabel(_LABELS.get(family.x.name, family.x.name))
        axes.set_ylabel(_LABELS.get(family.y.name, family.y.name))
    figure.suptitle(_title(diagram), fontsize="medium", parse_math=False)
    figure.legend(
        list(handles.values()), list(handles), loc="outside lower center", ncols=4, frameon=False
    )
    return figure


def closed_form_boundary(diagram: PhaseDiagram) -> tuple[Array, Array] | None:
    """Return the curve q*(λ) in the diagram's axes, where theory has it.

    That is for the one-hot probability against λ on the two data sets, squared reconstruction.
    """
    family, objective = diagram.family, diagram.family.objective
    names = {family.x.name: family.x, family.y.name: family.y}
    plain = (objective.reconstruction, objective.weight_decay) == ("squared", 0.0)
    if set(names) != {"l1", "onehot_probability"} or not plain:
        return None
    correlation = _plain_pairs(family.spec)
    if correlation is None:
        return None
    chambers = tie_probability_for_every_l1(axis_aligned(), diagonal(), correlation)
    l1 = np.linspace(max(names["l1"].low, 1e-9), names["l1"].high, _SAMPLES)
    q = np.full(_SAMPLES, np.nan)
    for chamber in chambers:
        inside = (l1 > float(chamber.low)) & (l1 <= float(chamber.high))
        q[inside] = sympy.lambdify(L1, chamber.value)(l1[inside])
    return (q, l1) if family.x.name == "onehot_probability" else (l1, q)


def onset_of_absorption(diagram: PhaseDiagram) -> tuple[Array, Array] | None:
    """Return the curve on which a partly absorbed latent begins to fire on both features.

    In the axes `second_alone` and λ, with point amplitudes: the end of "first feature partly
    absorbed", unless a distant pair is cheaper before it.
    """
    family = diagram.family
    if {family.x.name, family.y.name} != {"l1", "second_alone"}:
        return None
    given = TwoFeatures.of(dict(family.spec.given))
    if given.is_uniform:
        return None
    _, _, both, theta = checked_numbers(0, 0, given.both, given.angle)
    t = float(sympy.tan(theta / 4))
    onset = absorption_onset()
    values = {FEATURE_TANGENT: t, BOTH_LENGTH: both_active_length().subs(FEATURE_TANGENT, t)}
    w = np.linspace(0, t, _SAMPLES + 2)[1:-1]
    l1, share = (
        np.array(sympy.lambdify(SECOND_TANGENT, part.subs(values))(w), dtype=np.float64)
        for part in onset
    )
    # λ rises to a largest value; behind it the curve is no boundary.
    rising = slice(0, int(np.argmax(l1)) + 1)
    b = float(both) * share[rising]
    return (b, l1[rising]) if family.x.name == "second_alone" else (l1[rising], b)


def _plain_pairs(spec: LawSpec) -> int | None:
    """Return f if a law is one of the two data sets up to q, else None."""
    law = spec.with_settings({"onehot_probability": 0}).law
    for name, correlation in (("shared", 1), ("independent", 0)):
        plain = load_law(name)
        if [(p.probability, p.point) for p in plain.components] == [
            (p.probability, p.point) for p in law.components
        ]:
            return correlation
    return None


def _title(diagram: PhaseDiagram) -> str:
    family, objective = diagram.family, diagram.family.objective
    parts = [
        family.law,
        f"{objective.reconstruction} reconstruction, {objective.sparsity} sparsity",
    ]
    for name, text in (
        ("latents", f"{family.n_latents} latents"),
        ("l1", f"λ = {objective.l1:g}"),
        ("weight_decay", f"μ = {objective.weight_decay:g}" if objective.weight_decay else ""),
    ):
        if text and name not in (family.x.name, family.y.name):
            parts.append(text)
    return "; ".join(parts)


def _borders(x: Axis, y: Axis) -> tuple[Array, Array]:
    """Return the borders of the cells around the axes' values."""
    borders = []
    for axis in (x, y):
        half = (axis.high - axis.low) / (axis.count - 1) / 2
        borders.append(np.linspace(axis.low - half, axis.high + half, axis.count + 1))
    return borders[0], borders[1]


def _draw_phases(axes: Axes, diagram: PhaseDiagram, names: list[str]) -> dict[str, Artist]:
    """Fill every cell by the name of its phase; return what the legend shows."""
    x, y = _borders(diagram.family.x, diagram.family.y)
    handles: dict[str, Artist] = {}
    for number, name in enumerate(dict.fromkeys(names)):
        color, hatch = _FILLS[number % len(_FILLS)]
        for index, here in enumerate(names):
            if here == name:
                row, column = divmod(index, diagram.family.x.count)
                axes.fill(
                    x[[column, column + 1, column + 1, column]], y[[row, row, row + 1, row + 1]],
                    facecolor=color, hatch=hatch, edgecolor="0.6", linewidth=0.0,
                )  # fmt: skip
        handles[name] = Patch(facecolor=color, hatch=hatch, edgecolor="0.3")
    return handles
