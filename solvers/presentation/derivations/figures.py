"""The figures of the derivations, by name; each is drawn from the package's own numbers."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray

from solvers.autoencoders.autoencoder import Sae
from solvers.autoencoders.frames import frame_atoms, frame_sae
from solvers.autoencoders.objective import Objective
from solvers.laws.samples import Sampler
from solvers.losses.best_activations import best_activation_loss
from solvers.losses.expected_loss import expected_loss
from solvers.presentation.derivations.composing_figure import composing
from solvers.presentation.figures import Axes, Figure, draw_support, panels
from solvers.studies.claims.evidence import exact_cost
from theory.claims.loss_proofs import SAMPLE_DECAY, decayed_optimum
from theory.codes.code import Code, axis_aligned, diagonal
from theory.exact.symbols import L1
from theory.laws.law import Law
from theory.laws.moments import covariance, fourth_cumulant
from theory.laws.one_hot_sets import one_hot_sets
from theory.laws.presets import preset
from theory.losses.closed_forms import Chamber, tie_probability_for_every_l1

Array = NDArray[np.float64]

_NAMES = ("shared", "independent")
# Two curves are told apart in grey by their dashes.
_LINES: dict[str, dict[str, Any]] = {
    "shared": {"color": "black", "linestyle": "-"},
    "independent": {"color": "0.35", "linestyle": "--"},
}


def gauges() -> Figure:
    """Unit circles of both gauges."""
    figure, (axes,) = panels(height=4.4)
    square = np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [1, 0]])
    axes.plot(*square.T, color="black", label="axis-aligned: Σ f = 1")
    turned = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1], [1, 1]]) / np.sqrt(2)
    axes.plot(*turned.T, color="0.35", linestyle="--", label="diagonal: Σ f = 1")
    axes.plot([1], [1], "o", color="black")
    axes.annotate("(1, 1)", (1, 1), textcoords="offset points", xytext=(6, 4))
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
    return _plane(figure, axes)


def atoms() -> Figure:
    """Support of both data sets and the atoms of both codes."""
    figure, both = panels(2, 6.4, 3.9)
    for axes, name in zip(both, _NAMES, strict=True):
        draw_support(axes, preset(name))
        for angle, label, color in (
            (0.0, "axis-aligned", "0.35"),
            (np.pi / 4, "diagonal", "black"),
        ):
            for i, atom in enumerate(frame_atoms(angle)):
                axes.annotate("", atom, (0, 0), arrowprops={"arrowstyle": "-|>", "color": color,
                              "linestyle": "--" if angle == 0 else "-"})  # fmt: skip
                if i == 0:
                    axes.plot([], [], color=color, label=label,
                              linestyle="--" if angle == 0 else "-")  # fmt: skip
        axes.set_title(name, fontsize="medium")
        axes.set_aspect("equal")
        axes.set_xlim(-1.25, 1.25)
        axes.set_ylim(-1.25, 1.25)
        axes.set_xlabel("$x$ (units of A)")
    both[0].set_ylabel("$y$ (units of A)")
    entries: dict[str, Any] = {}
    for axes in both:
        handles, labels = axes.get_legend_handles_labels()
        entries |= dict(zip(labels, handles, strict=True))
    figure.legend(handles=list(entries.values()), loc="outside lower center", ncols=2)
    return figure


def cost_against_angle() -> Figure:
    """Cost of the frame at θ, both data sets."""
    figure, (axes,) = panels()
    degrees = np.linspace(0, 90, 181)
    for name in _NAMES:
        costs = [exact_cost(preset(name), np.radians(angle)) for angle in degrees]
        axes.plot(degrees, costs, label=name, **_LINES[name])
    axes.axvline(45, color="0.7", linewidth=0.8)
    return _curve(figure, axes, "angle θ of the frame (degrees)", "cost E Σ f (units of A)")


def moments_by_direction() -> Figure:
    """Variance and fourth cumulant along each direction."""
    figure, both = panels(2, 6.4, 3.3)
    phi = np.linspace(0, np.pi, 181)
    w = np.column_stack([np.cos(phi), np.sin(phi)])
    symbol = sympy.Symbol("phi", real=True)
    for name in _NAMES:
        spread = np.array(covariance(preset(name)), dtype=np.float64)
        variance = np.einsum("nd,de,ne->n", w, spread, w)
        both[0].plot(np.degrees(phi), variance, label=name, **_LINES[name])
        cumulant = fourth_cumulant(preset(name), (sympy.cos(symbol), sympy.sin(symbol)))
        values = sympy.lambdify(symbol, cumulant)(phi)
        both[1].plot(np.degrees(phi), values, label=name, **_LINES[name])
    both[0].set_ylim(0, 0.5)
    _curve(figure, both[0], "direction φ (degrees)", "variance (units of A²)")
    return _curve(figure, both[1], "direction φ (degrees)", "fourth cumulant (units of A⁴)")


def thresholds() -> Figure:
    """q*(λ) on both data sets."""
    figure, (axes,) = panels()
    for name, f in (("shared", 1), ("independent", 0)):
        l1s, ties = [], []
        for chamber in _ties(f):
            # Beyond the last chamber's end both codes are the zero code.
            ends = float(chamber.low), float(chamber.high)
            inside = np.linspace(*ends, 60)[1:-1]
            l1s.append(inside)
            ties.append(sympy.lambdify(L1, chamber.value)(inside) * np.ones_like(inside))
        axes.plot(np.concatenate(l1s), np.concatenate(ties), label=name, **_LINES[name])
    axes.set_ylim(0, 1)
    axes.text(0.15, 0.05, "diagonal cheaper below", fontsize="small")
    axes.text(0.15, 0.92, "axis-aligned cheaper above", fontsize="small")
    return _curve(figure, axes, "λ (units of A)", "threshold q*")


@cache
def _ties(f: int) -> tuple[Chamber, ...]:
    return tie_probability_for_every_l1(axis_aligned(), diagonal(), f)


def pairs() -> Figure:
    """Gain of composing k pairs, and its price in latents."""
    figure, both = panels(2, 6.4, 3.3)
    k = np.arange(1, 17)
    both[0].plot(k, np.sqrt(k), label="shared amplitude: √k", **_LINES["shared"])
    both[0].plot(k, (k + 1) / (2 * np.sqrt(k)), label="independent: (k + 1)/(2√k)",
                 **_LINES["independent"])  # fmt: skip
    both[1].semilogy(k, 2.0**k, label="composed: $2^k$", **_LINES["shared"])
    both[1].semilogy(k, 2 * k, label="axis-aligned: 2k", **_LINES["independent"])
    _curve(figure, both[0], "pairs k", "gain over the axis-aligned code")
    return _curve(figure, both[1], "pairs k", "latents")


def rhombic() -> Figure:
    """Cost of the code (±cos φ, ±sin φ) for three magnitude correlations."""
    figure, (axes,) = panels()
    small, degrees = Objective(l1=1e-5), np.linspace(40, 50, 81)
    for f, style in ((0.0, "--"), (0.5, "-"), (1.0, ":")):
        law = one_hot_sets(magnitude_correlation=sympy.Rational(str(f)))
        costs = []
        for phi in np.radians(degrees):
            c, s = np.cos(phi), np.sin(phi)
            rows = np.array([[c, s], [-c, s], [-c, -s], [c, -s]])
            sae = Sae(rows.T, np.zeros(4), rows, np.zeros(2))
            costs.append(best_activation_loss(law, sae, small) / small.l1)
        relative = np.array(costs) / costs[40] - 1
        axes.plot(degrees, 100 * relative, color="black", linestyle=style, label=f"f = {f:g}")
    axes.axvline(45, color="0.7", linewidth=0.8)
    return _curve(
        figure, axes, "angle φ of the first atom (degrees)", "cost above that at 45° (%)"
    )


def loss_against_l1() -> Figure:
    """Optimal loss of both codes against λ."""
    figure, both = panels(2, 6.4, 3.3)
    l1s = np.linspace(0.01, 3.2, 120)
    for axes, name in zip(both, _NAMES, strict=True):
        for angle, label, style in ((0.0, "axis-aligned", "--"), (np.pi / 4, "diagonal", "-")):
            losses = [
                expected_loss(preset(name), frame_sae(angle, l1 / 2), Objective(l1)).total
                for l1 in l1s
            ]
            axes.plot(l1s, losses, color="black", linestyle=style, label=label)
        axes.axhline(2 / 3, color="0.6", linewidth=0.8, label="zero code")
        axes.set_title(name, fontsize="medium")
        _curve(figure, axes, "λ (units of A)", "loss (units of A²)")
    return figure


def loss_contours() -> Figure:
    """Loss of two antipodal pairs of atoms at two angles, best activations."""
    figure, (axes,) = panels(height=4.2)
    law, objective = preset("shared"), Objective(l1=0.1)
    degrees = np.linspace(0, 180, 46)
    losses = np.empty((len(degrees), len(degrees)))
    for i, one in enumerate(np.radians(degrees)):
        for j, two in enumerate(np.radians(degrees[: i + 1])):
            u = np.array([[np.cos(a), np.sin(a)] for a in (one, two)])
            rows = np.vstack([u, -u])
            sae = Sae(rows.T, np.zeros(4), rows, np.zeros(2))
            losses[i, j] = losses[j, i] = best_activation_loss(law, sae, objective)
    levels = np.array([0.0683, 0.07, 0.075, 0.08, 0.09, 0.1, 0.15, 0.2, 0.3])
    drawn = axes.contour(degrees, degrees, losses, levels=levels, colors="black", linewidths=0.8)
    axes.clabel(drawn, fontsize="x-small", fmt="%g")
    axes.plot([45, 135], [135, 45], "o", color="black", markersize=5)
    axes.set_aspect("equal")
    axes.set_xlabel("angle of one pair of atoms (degrees)")
    axes.set_ylabel("angle of the other pair (degrees)")
    return figure


def balance() -> Figure:
    """Norms of encoder and decoder against λ under weight decay."""
    figure, (axes,) = panels()
    l1s = np.linspace(0.005, 0.2, 14)
    solved = np.array(
        [[float(x) for x in decayed_optimum(sympy.Float(l1, 30), SAMPLE_DECAY)[:2]] for l1 in l1s]
    )
    axes.plot(l1s, solved[:, 1], color="black", label="decoder ‖d‖")
    axes.plot(l1s, solved[:, 0], color="0.35", linestyle="--", label="encoder ‖w‖")
    return _curve(figure, axes, "λ (units of A)", f"norm, μ = {float(SAMPLE_DECAY):g}")


@cache
def _decayed(l1: float) -> tuple[float, float]:
    w, d, _ = decayed_optimum(sympy.Float(l1, 30), SAMPLE_DECAY)
    return float(w), float(d)


def sample_means() -> Figure:
    """Running means of the relative loss of an SAE with x̂(0) ≠ 0."""
    figure, both = panels(2, 6.4, 3.3)
    counts = np.unique(np.logspace(2, 5.5, 60).astype(int))
    for axes, name in zip(both, _NAMES, strict=True):
        sampler = Sampler(preset(name))
        for seed, color in ((0, "black"), (1, "0.4"), (2, "0.65")):
            x = sampler(np.random.default_rng(seed), int(counts[-1]))
            # What x̂(0) = e with ‖e‖ = 1/10 adds near 0: ‖e‖²/‖x‖².
            losses = 0.01 / (x**2).sum(axis=1)
            axes.loglog(counts, np.cumsum(losses)[counts - 1] / counts, color=color)
        axes.set_title(name, fontsize="medium")
        axes.set_xlabel("samples")
        axes.set_ylabel("mean of 0.01/‖x‖²")
    return figure


def cut_square() -> Figure:
    """The square, two lines and the facets that count."""
    figure, (axes,) = panels(height=4.0)
    axes.plot([0, 1, 1, 0, 0], [0, 0, 1, 1, 0], color="0.6", linewidth=1)
    # u2 = 1/8 + u1/2 and u1 = 0.71 - 0.52 u2 meet here.
    meeting = np.linalg.solve([[-0.5, 1.0], [1.0, 0.52]], [0.125, 0.71])
    corners = np.array([meeting, [1.0, 0.625], [1.0, 1.0], [0.19, 1.0]])
    axes.fill(*corners.T, color="0.9", hatch="..", edgecolor="0.6", label="both latents on")
    for start, end, label, style in (
        ((0.0, 0.125), (1.0, 0.625), "line of latent i", "-"),
        ((0.71, 0.0), (0.19, 1.0), "line of latent j", "--"),
    ):
        axes.plot(*np.array([start, end]).T, color="black", linestyle=style, label=label)
    for piece in ([meeting, [1.0, 0.625]], [meeting, [0.19, 1.0]], [[1, 0.625], [1, 1]]):
        axes.plot(*np.array(piece).T, color="black", linewidth=4, alpha=0.6)
    axes.plot([0.19, 1], [1, 1], color="black", linewidth=4, alpha=0.6, label="edges that count")
    axes.set_aspect("equal")
    axes.set_xlabel("$u_1$")
    axes.set_ylabel("$u_2$")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def law_and_code(law: Law, code: Code) -> Figure:
    """Support of a law in the plane and the atoms of a code."""
    figure, (axes,) = panels(height=4.8)
    draw_support(axes, law)
    for atom in np.array(code.atoms, dtype=np.float64):
        axes.annotate("", atom, (0, 0), arrowprops={"arrowstyle": "-|>", "color": "black"})
        axes.update_datalim([atom])
    axes.plot([], [], color="black", label="atoms")
    return _plane(figure, axes)


def _curve(figure: Figure, axes: Axes, x: str, y: str) -> Figure:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.legend(frameon=False, fontsize="small")
    return figure


def _plane(figure: Figure, axes: Axes) -> Figure:
    axes.set_aspect("equal")
    axes.set_xlabel("$x_1$ (units of the data)")
    axes.set_ylabel("$x_2$ (units of the data)")
    axes.margins(0.12)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


#: What derivations name.
FIGURES: dict[str, Callable[[], Figure]] = {
    "gauges": gauges,
    "atoms": atoms,
    "cost-against-angle": cost_against_angle,
    "moments-by-direction": moments_by_direction,
    "thresholds": thresholds,
    "pairs": pairs,
    "rhombic": rhombic,
    "loss-against-l1": loss_against_l1,
    "loss-contours": loss_contours,
    "balance": balance,
    "sample-means": sample_means,
    "cut-square": cut_square,
    "composing": composing,
}
