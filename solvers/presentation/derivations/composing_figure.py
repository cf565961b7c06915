"""The figure of the derivation "Is composing a matter of L1?": cost against angle, by sparsity."""

from collections.abc import Callable
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from solvers.autoencoders.objective import Objective
from solvers.losses.expected_loss import expected_loss
from solvers.presentation.figures import Axes, Figure, grid
from solvers.studies.claims.composing_evidence import hard_threshold_frame, top_k_frame
from solvers.studies.claims.evidence import exact_cost
from theory.laws.law import Law
from theory.laws.presets import preset

Array = NDArray[np.float64]

#: λ₀ of the panels under l0, small enough to tell its ties from those under l1.
L0 = 0.01
#: The one-hot probability of the dashed curves: above the tie under l0 on the second data set, and
#: below every other tie.
ONEHOT = sympy.Rational(1, 7)

_CURVES: tuple[tuple[sympy.Rational, str, dict[str, Any]], ...] = (
    (sympy.S.Zero, "two features in every sample (q = 0)",
     {"color": "black", "linestyle": "-", "linewidth": 1.5}),
    (ONEHOT, "one alone in one sample of seven (q = 1/7)",
     {"color": "0.4", "linestyle": (0, (4, 2)), "linewidth": 1.5}),
)  # fmt: skip
# Closer to where thresholds and data meet.
_DEGREES = np.unique(np.concatenate([np.linspace(0, 90, 61), np.linspace(38, 52, 29)]))
_NEAR = 1e-9


def _under_l1(law: Law, angle: float) -> float:
    return exact_cost(law, angle)


def _under_l0(law: Law, angle: float) -> float:
    sae, objective = hard_threshold_frame(angle, float(np.sqrt(L0))), Objective(l1=0.0, l0=L0)
    return expected_loss(law, sae, objective).total / L0


def _top_1(law: Law, angle: float) -> float:
    return expected_loss(law, top_k_frame(angle, 1), Objective(l1=0.0)).total


def _top_2(law: Law, angle: float) -> float:
    return expected_loss(law, top_k_frame(angle, 2), Objective(l1=0.0)).total


_COLUMNS: tuple[tuple[str, str, Callable[[Law, float], float], tuple[float, float]], ...] = (
    ("L1, λ → 0", "E Σ f (units of A)", _under_l1, (0.66, 1.04)),
    (f"L0, λ₀ = {L0:g} A²", "loss / λ₀", _under_l0, (0.8, 2.08)),
    ("TopK, k = 1", "E ‖x - x̂‖² (units of A²)", _top_1, (-0.02, 0.37)),
    ("TopK, k = 2", "E ‖x - x̂‖² (units of A²)", _top_2, (-0.02, 0.37)),
)


def composing() -> Figure:
    """Cost of four atoms against their angle under l1, l0 and TopK, both data sets."""
    figure, panels = grid(2, 4, 8, 10.4, 5.6)
    for row, name in enumerate(("shared", "independent")):
        laws = [preset(name, onehot_probability=q) for q, _, _ in _CURVES]
        for axes, (title, label, cost, limits) in zip(panels[4 * row :], _COLUMNS, strict=False):
            flat = True
            for law, (_, said, style) in zip(laws, _CURVES, strict=True):
                values = np.array([cost(law, angle) for angle in np.radians(_DEGREES)])
                axes.plot(_DEGREES, values, label=said, **style)
                least = values <= values.min() + _NEAR
                flat = flat and bool(least.all())
                if not least.all():
                    axes.plot(_DEGREES[least], values[least], "o", color=style["color"],
                              markersize=5, clip_on=False, zorder=5)  # fmt: skip
            if flat:
                axes.text(45, 0.03, "0 at every angle", ha="center", fontsize="small")
            _dress(axes, limits)
            axes.set_ylabel(label, fontsize="small")
            if row == 0:
                axes.set_title(title, fontsize="medium")
        panels[4 * row].annotate(
            f"{name} magnitudes", (-0.42, 0.5), xycoords="axes fraction", rotation=90,
            ha="center", va="center", fontweight="bold",
        )  # fmt: skip
    handles, labels = panels[0].get_legend_handles_labels()
    (dot,) = panels[0].plot([], [], "o", color="0.2", markersize=5, label="least")
    figure.legend([*handles, dot], [*labels, "least cost of a curve"], frameon=False, ncols=3,
                  loc="outside lower center")  # fmt: skip
    return figure


def _dress(axes: Axes, limits: tuple[float, float]) -> None:
    """Mark and name the angles of the true features and of the composed."""
    axes.set_xlim(0, 90)
    axes.set_ylim(*limits)
    for angle in (0, 45, 90):
        axes.axvline(angle, color="0.8", linewidth=0.8, zorder=0)
    axes.set_xticks([0, 45, 90], ["0°\ntrue", "45°\ncomposed", "90°\ntrue"], fontsize="small")
    axes.tick_params(axis="y", labelsize="small")
