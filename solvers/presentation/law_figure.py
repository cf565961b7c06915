"""A law as a picture: its support and its true features, by number."""

from solvers.laws.arrays import law_arrays
from solvers.laws.description import LawDescription
from solvers.presentation.figures import (
    FancyArrowPatch,
    Figure,
    axes_labels,
    draw_support,
    panels,
    projected,
)

#: More features than this are not told apart in a picture.
MOST_FEATURES = 50


def law_figure(found: LawDescription) -> Figure:
    """Return a figure of the support, and of every true feature from the origin.

    Data of more than two dimensions are projected on the two directions of largest second moment.

    Examples
    --------
    >>> from solvers.laws.description import describe
    >>> from theory import load_law
    >>> figure = law_figure(describe(load_law("shared")))
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['0', '1', '2', '3']
    """
    figure, (axes,) = panels(width=5.6, height=5.8)
    law, arrays = found.law, law_arrays(found.law)
    draw_support(axes, law)
    tips = projected(arrays, found.features[:MOST_FEATURES])
    for number, tip in enumerate(tips):
        axes.add_patch(
            FancyArrowPatch((0.0, 0.0), tuple(tip), shrinkA=0, shrinkB=0, arrowstyle="-|>",
                            color="black", linewidth=1.8, mutation_scale=14, zorder=4)
        )  # fmt: skip
        axes.annotate(str(number), tuple(tip), textcoords="offset points", xytext=(6, 5),
                      zorder=5)  # fmt: skip
    axes.update_datalim([*tips, (0.0, 0.0)])
    if len(tips):
        axes.plot([], [], color="black", linewidth=1.8, label="true feature, by number")
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.1)
    across, up = axes_labels(arrays)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    left = len(found.features) - len(tips)
    more = f"; {left} more features are not drawn" if left else ""
    axes.set_title(f"{law.name}{more}", fontsize="medium", parse_math=False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure
