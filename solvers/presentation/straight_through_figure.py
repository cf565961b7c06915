"""The bias of straight-through gradients as a picture: slopes in θ, their zeros, the cost."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from solvers.presentation.figures import Axes, Figure, grid
from solvers.studies.threshold_bias import ThresholdBias

Array = NDArray[np.float64]

# Told apart in grey by dash and shade; the exact slope is solid.
_DASHES: Final = ((0, (7, 2)), (0, (4, 1.5, 1, 1.5)), (0, (1, 1.2)))
_SHADES: Final = ("0.2", "0.35", "0.5")
_COSTS: Final = {"-": "black", "--": "0.45"}
_LOWEST: Final = 0.02


def straight_through_figure(
    biases: Mapping[str, ThresholdBias],
    slopes_at: Sequence[float],
    settled_at: Sequence[float],
    thresholds: int = 150,
) -> Figure:
    """Return a figure of the slopes of each code, then of where they vanish and what that costs.

    Parameters
    ----------
    biases : mapping of title to ThresholdBias
        Two, of one λ₀.
    slopes_at : sequence of float
        Up to three bandwidths, whose slopes are drawn beside the exact one.
    settled_at : sequence of float
        Bandwidths at which training is asked where it settles.
    thresholds : int
        So many are drawn.

    Examples
    --------
    >>> from solvers.autoencoders.frames import frame_sae
    >>> from solvers.autoencoders.objective import Objective
    >>> from theory.laws.presets import preset
    >>> bias = ThresholdBias(preset("shared"), frame_sae(np.pi / 4), Objective(0, l0=0.1), 1)
    >>> len(straight_through_figure({"one": bias, "two": bias}, [0.5], [0.5], 2).axes)
    4
    """
    figure, (*above, settled, cost) = grid(2, 2, 4, width=10.0, height=8.4)
    for axes, (title, bias) in zip(above, biases.items(), strict=True):
        _draw_slopes(axes, bias, slopes_at, thresholds)
        axes.set_title(f"{title}: slope in the threshold", fontsize="medium", parse_math=False)
    first = next(iter(biases.values()))
    bandwidths = np.array(settled_at)
    for (style, shade), (title, bias) in zip(_COSTS.items(), biases.items(), strict=True):
        ends = [bias.settled(bandwidth) for bandwidth in settled_at]
        settled.plot(bandwidths, ends, style, color=shade, linewidth=1.8, label=title)
        costs = [100 * bias.excess(end) / bias.least for end in ends]
        cost.plot(bandwidths, costs, style, color=shade, linewidth=1.8, label=title)
    settled.axhline(first.best, color="0.6", linewidth=1.0)
    settled.text(bandwidths[-1], first.best, r"exact: $\theta=\sqrt{\lambda_0}$", ha="right",
                 va="bottom", fontsize="small")  # fmt: skip
    settled.plot(bandwidths, bandwidths / 2, ":", color="0.6", linewidth=1.2,
                 label=r"$\theta=\epsilon/2$: the slab reaches 0")  # fmt: skip
    settled.set_ylim(0.9 * first.best, None)
    settled.set_ylabel(r"threshold $\theta$ (units of the data)")
    settled.set_title("where training settles: the zero of the slope", fontsize="medium")
    cost.set_yscale("log")
    cost.set_ylabel(r"loss above that of the best $\theta$ (%)")
    cost.set_title("what that costs", fontsize="medium")
    for axes in (settled, cost):
        axes.set_xlabel(r"bandwidth $\epsilon$ (units of the data)")
    settled.legend(frameon=False, fontsize="small", loc="upper left")
    cost.legend(frameon=False, fontsize="small", loc="lower right")
    handles, labels = above[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _draw_slopes(axes: Axes, bias: ThresholdBias, bandwidths: Sequence[float], count: int) -> None:
    thetas = np.linspace(_LOWEST, bias.highest, count)
    exact = np.array([bias.slope(theta) for theta in thetas])
    axes.axhline(0.0, color="0.8", linewidth=0.8)
    axes.plot(thetas, exact, color="black", linewidth=1.8, label="exact gradient")
    axes.plot(bias.best, 0.0, "o", color="black", markersize=6)
    axes.annotate(
        r"$\sqrt{\lambda_0}$", (bias.best, 0.0), textcoords="offset points", xytext=(-6, 8),
        ha="right",
    )  # fmt: skip
    for bandwidth, dashes, shade in zip(bandwidths, _DASHES, _SHADES, strict=False):
        slopes = np.array([bias.slope(theta, bandwidth) for theta in thetas])
        axes.plot(thetas, slopes, linestyle=dashes, color=shade, linewidth=1.6,
                  label=rf"straight-through, $\epsilon={bandwidth:g}$")  # fmt: skip
        axes.plot(bias.settled(bandwidth), 0.0, "o", color=shade, markerfacecolor="white",
                  markersize=6, zorder=3)  # fmt: skip
    low, high = float(exact.min()), float(exact.max())
    room = 0.1 * (high - low)
    # Where the slab takes in many latents that read 0 the slope falls out of the panel.
    axes.set_ylim(low - 3 * room, high + room)
    axes.set_xlabel(r"threshold $\theta$ of all latents (units of the data)")
    axes.set_ylabel(r"derivative of the loss in $\theta$")
