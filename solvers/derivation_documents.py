"""Writes derivations as documents: one page a topic and an index, figures beside them.

`python -m solvers.derivation_documents` writes docs/derivations/.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Final

from solvers.derivation_figures import FIGURES
from solvers.derivation_pages import FigureBlock, Page, page_of
from solvers.figures import Figure, svg_text, write_figure
from solvers.files import written_beside
from solvers.render_html import html, html_index
from solvers.render_latex import latex
from solvers.render_markdown import file_name, markdown, markdown_index
from theory.cost_derivations import (
    activation_costs,
    cost_and_angle,
    magnitudes_in_between,
    many_pairs,
    onehot_threshold,
    principal_directions,
    the_setting,
)
from theory.derivations import Maker
from theory.errors import InputError
from theory.loss_derivations import (
    decay_balance,
    exact_expectation,
    radial_optimality,
    relative_expectation,
    shrunken_optimum,
)

FORMATS: Final = ("md", "html", "tex")
FOLDER = Path("docs/derivations")

#: Every topic, in reading order.
TOPICS: Final[dict[str, Maker]] = {
    "setting": the_setting,
    "activation-cost": activation_costs,
    "cost-against-angle": cost_and_angle,
    "principal-components": principal_directions,
    "onehot-threshold": onehot_threshold,
    "shrinkage": shrunken_optimum,
    "radial-bound": radial_optimality,
    "weight-decay": decay_balance,
    "relative-loss": relative_expectation,
    "many-pairs": many_pairs,
    "in-between": magnitudes_in_between,
    "exact-loss": exact_expectation,
}

Progress = Callable[[int, int], None]


def pages_of(topics: Iterable[str] = (), progress: Progress | None = None) -> list[Page]:
    """Derive topics, check every step and return their pages.

    Parameters
    ----------
    topics : iterable of str
        Names in `TOPICS`; by default all.
    progress : callable, optional

    Raises
    ------
    InputError
        For an unknown topic.
    ProofError
        Naming the step, if a check fails.
    """
    chosen = list(topics) or list(TOPICS)
    for topic in chosen:
        if topic not in TOPICS:
            raise InputError(f"topic {topic!r}: expected one of {', '.join(TOPICS)}")
    # Reading order, whatever order they were asked for in.
    chosen = [topic for topic in TOPICS if topic in chosen]
    pages = []
    for number, topic in enumerate(chosen, start=1):
        pages.append(page_of(TOPICS[topic]()))
        if progress is not None:
            progress(number, len(chosen))
    return pages


def write_pages(pages: Sequence[Page], form: str, folder: Path) -> list[Path]:
    """Write pages in one format and return the files.

    Parameters
    ----------
    pages : sequence of Page
    form : {"md", "html", "tex"}
    folder : Path
        Made if it is missing.
    """
    if form not in FORMATS:
        raise InputError(f"format: expected one of {', '.join(FORMATS)}, got {form!r}")
    names = [block.name for page in pages for block in page.blocks
             if isinstance(block, FigureBlock)]  # fmt: skip
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if form != "html":
            (folder / "figures").mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {error.strerror}") from None
    figures = {name: _figure(name) for name in names}
    texts: dict[str, str] = {}
    if form == "html":
        drawn = {name: svg_text(figure) for name, figure in figures.items()}
        texts = {f"{file_name(page, pages)}.html": html(page, pages, drawn) for page in pages}
        if len(pages) > 1:
            texts["index.html"] = html_index(pages)
    elif form == "md":
        texts = {f"{file_name(page, pages)}.md": markdown(page, pages) for page in pages}
        if len(pages) > 1:
            texts["index.md"] = markdown_index(pages)
    else:
        name = "derivations" if len(pages) > 1 else pages[0].id
        texts = {f"{name}.tex": latex(pages)}
    written = []
    if form != "html":
        suffix = {"md": "svg", "tex": "pdf"}[form]
        for name, figure in figures.items():
            written.append(folder / "figures" / f"{name}.{suffix}")
            write_figure(figure, written[-1])
    for name, text in texts.items():
        written.append(folder / name)
        with written_beside(written[-1]) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return written


@cache
def _figure(name: str) -> Figure:
    """Return a figure, drawn once whatever the formats."""
    return FIGURES[name]()


def main() -> None:
    """Write all topics as Markdown below docs/."""
    write_pages(pages_of(), "md", FOLDER)


if __name__ == "__main__":
    main()
