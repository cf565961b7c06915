"""Writes derivations as documents: one page a topic and an index, figures beside them.

`python -m solvers.presentation.derivations.documents` writes docs/derivations/; given a folder,
every format.
"""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from solvers.presentation.derivations.figures import FIGURES
from solvers.presentation.derivations.html import html, html_index
from solvers.presentation.derivations.latex import latex
from solvers.presentation.derivations.markdown import file_name, markdown, markdown_index
from solvers.presentation.derivations.pages import FigureBlock, Page, page_of
from solvers.presentation.figures import Figure, svg_text, write_figure
from solvers.runtime.arguments import check_choice
from solvers.runtime.files import written_beside
from solvers.runtime.progress import ProgressLine
from theory.derivations.own import OWN_FIGURE
from theory.derivations.topics import FORMATS, TOPICS
from theory.exact.errors import UnwritableFileError

FOLDER = Path("docs/derivations")

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
        check_choice("topic", topic, TOPICS, hint="a law's own derivation needs a code, too")
    # Reading order, whatever order they were asked for in.
    chosen = [topic for topic in TOPICS if topic in chosen]
    pages = []
    for number, topic in enumerate(chosen, start=1):
        pages.append(page_of(TOPICS[topic]()))
        if progress is not None:
            progress(number, len(chosen))
    return pages


def write_pages(
    pages: Sequence[Page], form: str, folder: Path, own: Callable[[], Figure] | None = None
) -> list[Path]:
    """Write pages in one format and return the files.

    Parameters
    ----------
    pages : sequence of Page
    form : {"md", "html", "tex"}
    folder : Path
        Made if it is missing.
    own : callable, optional
        Draws the figure of a derivation of one's own.
    """
    check_choice("format", form, FORMATS)
    names = [block.name for page in pages for block in page.blocks
             if isinstance(block, FigureBlock)]  # fmt: skip
    draw = {**FIGURES, **({OWN_FIGURE: own} if own is not None else {})}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if form != "html" and names:
            (folder / "figures").mkdir(exist_ok=True)
    except OSError as error:
        raise UnwritableFileError.because(folder, error) from None
    texts = _texts(pages, form, {name: draw[name] for name in names})
    drawn = []
    for name in names if form == "tex" else ():
        drawn.append(folder / "figures" / f"{name}.pdf")
        write_figure(draw[name](), drawn[-1])
    for name, text in texts.items():
        with written_beside(folder / name) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return sorted([*drawn, *(folder / name for name in texts)])


def _texts(
    pages: Sequence[Page], form: str, draw: Mapping[str, Callable[[], Figure]]
) -> dict[str, str]:
    """Return the contents of the text files, by their names below the folder."""
    if form == "tex":
        return {f"{'derivations' if len(pages) > 1 else pages[0].id}.tex": latex(pages)}
    if form == "html":
        drawn = {name: _svg(make) for name, make in draw.items()}
        texts = {f"{file_name(page, pages)}.html": html(page, pages, drawn) for page in pages}
        index = html_index(pages)
    else:
        texts = {f"{file_name(page, pages)}.md": markdown(page, pages) for page in pages}
        texts |= {f"figures/{name}.svg": _svg(make) + "\n" for name, make in draw.items()}
        index = markdown_index(pages)
    return {**texts, **({f"index.{form}": index} if len(pages) > 1 else {})}


@cache
def _svg(make: Callable[[], Figure]) -> str:
    """Return a figure as SVG, drawn once for Markdown and HTML."""
    return svg_text(make())


def main(arguments: Sequence[str] | None = None) -> None:
    """Write all topics as Markdown below docs/, or in every format below a given folder."""
    given = sys.argv[1:] if arguments is None else arguments
    pages = pages_of(progress=ProgressLine("derivations"))
    if not given:
        write_pages(pages, "md", FOLDER)
    for folder in given:
        for form in FORMATS:
            write_pages(pages, form, Path(folder) / form)


if __name__ == "__main__":
    main()
