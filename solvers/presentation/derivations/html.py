"""Pages as HTML: MathML by sympy, figures inside, no script, no network."""

import re
from collections.abc import Mapping, Sequence
from html import escape

import sympy
from sympy.printing.mathml import mathml

from solvers.presentation.derivations.markdown import file_name
from solvers.presentation.derivations.pages import (
    Block,
    FigureBlock,
    Formula,
    Heading,
    Items,
    Page,
    Paragraph,
    Table,
)
from solvers.presentation.page_style import document, figure


def html(page: Page, pages: Sequence[Page], figures: Mapping[str, str]) -> str:
    """Return one page with navigation.

    Parameters
    ----------
    page : Page
    pages : sequence of Page
        All of them, in reading order.
    figures : mapping from name to SVG text
    """
    body = [_block(block, figures) for block in page.blocks]
    return document(page.title, body, _navigation(page, pages))


def html_index(pages: Sequence[Page]) -> str:
    """Return the page that lists all others."""
    items = []
    for page in pages:
        summary = page.blocks[0].text if isinstance(page.blocks[0], Paragraph) else ""
        link = f'<a href="{file_name(page, pages)}.html">{_text(page.title)}</a>'
        items.append(f"<li>{link}. {_text(summary)}</li>")
    return document("Derivations", [f"<ol>{''.join(items)}</ol>"], "")


def _navigation(page: Page, pages: Sequence[Page]) -> str:
    if len(pages) == 1:
        return ""
    links = ['<a href="index.html">all derivations</a>']
    for other in pages:
        link = f'<a href="{file_name(other, pages)}.html">{_text(other.title)}</a>'
        links.append(f"<b>{_text(other.title)}</b>" if other is page else link)
    return f"<nav>{' · '.join(links)}</nav>"


def _block(block: Block, figures: Mapping[str, str]) -> str:
    match block:
        case Heading(text):
            return f"<h2>{_text(text)}</h2>"
        case Paragraph(text, kind):
            return f'<p class="{kind or "prose"}">{_text(text)}</p>'
        case Formula(expression):
            return f'<div class="formula">{_math(expression, "block")}</div>'
        case Items(entries):
            return "<ul>" + "".join(f"<li>{_text(entry)}</li>" for entry in entries) + "</ul>"
        case Table(header, rows):
            head = "".join(f"<th>{_text(entry)}</th>" for entry in header)
            cells = "".join(
                "<tr>" + "".join(f"<td>{_cell(entry)}</td>" for entry in row) + "</tr>"
                for row in rows
            )
            return (
                f'<div class="text"><table><thead><tr>{head}</tr></thead>'
                f"<tbody>{cells}</tbody></table></div>"
            )
        case FigureBlock(name, caption):
            return figure(figures[name], caption)


def _math(expression: sympy.Basic, display: str) -> str:
    inner = mathml(expression, printer="presentation")
    return f'<math display="{display}">{inner}</math>'


def _cell(entry: str | sympy.Basic) -> str:
    return _text(entry) if isinstance(entry, str) else _math(entry, "inline")


def _text(text: str) -> str:
    """Escape, and set indices and exponents of the plain text's formulas."""
    safe = escape(text)
    safe = re.sub(r"\b([A-Za-zκλ])_([A-Za-z0-9]+)\b", r"\1<sub>\2</sub>", safe)
    return re.sub(r"(\w|\))\^(\w+)", r"\1<sup>\2</sup>", safe)
