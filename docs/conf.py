"""Sphinx configuration: `sphinx-build -W docs build/site`.

Formulas become MathML, so that pages need no network and no script to show them.
"""

import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

sys.path.insert(0, str(Path(__file__).parent.parent))

project = "sae-theory"
author = "The sae-theory developers"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
source_suffix = [".md", ".rst"]
# Fields of two records may have one name.
suppress_warnings = ["ref.python"]
html_theme = "furo"
html_title = "sae-theory"
# Nothing is loaded from elsewhere.
html_math_renderer = "mathml"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_numpy_docstring = True
napoleon_google_docstring = False


def _inline(self: Any, node: nodes.math) -> None:
    self.body.append(convert(node.astext()))
    raise nodes.SkipNode


def _displayed(self: Any, node: nodes.math_block) -> None:
    self.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode


def _plain_bars(
    app: Any, what: str, name: str, thing: object, options: Any, lines: list[str]
) -> None:
    """Docstrings are plain text: bars and asterisks in formulas are no markup."""
    for i, line in enumerate(lines):
        if line.lstrip().startswith(">>>"):
            continue
        bullet = "* " if line.lstrip().startswith("* ") else ""
        indent = line[: len(line) - len(line.lstrip())] + bullet
        plain = line[len(indent) :].replace("|", "\\|").replace("*", "\\*")
        # A word that ends in an underscore would be a link.
        lines[i] = indent + re.sub(r"(?<=\w)_(?=\W|$)", r"\\_", plain)


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer of formulas."""
    app.add_html_math_renderer("mathml", (_inline, None), (_displayed, None))
    app.connect("autodoc-process-docstring", _plain_bars, priority=400)
    return {"parallel_read_safe": True}
