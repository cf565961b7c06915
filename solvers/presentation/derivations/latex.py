"""Pages as one LaTeX document of the article class; figures are PDF files in figures/."""

import re
from collections.abc import Sequence

import sympy

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

_PREAMBLE = r"""\documentclass[11pt,a4paper]{article}
\usepackage[utf8]{inputenc}
\usepackage[T1]{fontenc}
\usepackage{amsmath,amssymb,graphicx,array,tabularx}
\usepackage[margin=27mm]{geometry}
\emergencystretch=3em
\setlength{\parindent}{0pt}\setlength{\parskip}{4pt plus 1pt}
\begin{document}
"""

_MATH = {
    "λ": r"\lambda", "μ": r"\mu", "θ": r"\theta", "φ": r"\varphi", "ρ": r"\rho",
    "γ": r"\gamma", "κ": r"\kappa", "π": r"\pi", "ε": r"\varepsilon", "Σ": r"\Sigma",
    "‖": r"\|", "√": r"\surd", "∫": r"\int", "∞": r"\infty", "≤": r"\le", "≥": r"\ge",
    "≠": r"\ne", "→": r"\to", "≈": r"\approx", "±": r"\pm", "·": r"\cdot", "×": r"\times",
    "²": "^2", "³": "^3", "½": r"\tfrac12", "°": r"^\circ", "ᵀ": r"^{\mathsf T}",
    "₀": "_0", "₁": "_1", "₂": "_2", "₃": "_3", "₄": "_4", "₊": "_+", "ũ": r"\tilde u",
    "<": "<", ">": ">",
}  # fmt: skip
_PLAIN = {"“": "``", "”": "''", "–": "--", "—": "---", "’": "'", "…": r"\dots{}"}
_ESCAPED = {"&": r"\&", "%": r"\%", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}",
            "~": r"\textasciitilde{}", "\\": r"\textbackslash{}"}  # fmt: skip

# A longer formula is set smaller, and beyond that broken at its terms.
_WIDE = 95


def latex(pages: Sequence[Page]) -> str:
    """Return the document of all pages, a section each."""
    parts = [_PREAMBLE]
    if len(pages) > 1:
        parts.append("\\title{Derivations}\\date{}\\maketitle\\tableofcontents\n")
    for page in pages:
        parts.append(f"\\section{{{_text(page.title)}}}\n")
        parts += [_block(block) + "\n" for block in page.blocks]
    return "\n".join([*parts, "\\end{document}\n"])


def _block(block: Block) -> str:  # noqa: PLR0911 - one return a kind
    match block:
        case Heading(text):
            return f"\\subsection*{{{_text(text)}}}"
        case Paragraph(text, "check"):
            return f"{{\\small\\itshape {_text(text)}\\par}}"
        case Paragraph(text, "verdict"):
            return f"\\textbf{{{_text(text)}}}\\par"
        case Paragraph(text):
            return f"{_text(text)}\\par"
        case Formula(expression):
            return _formula(expression)
        case Items(entries):
            items = "\n".join(f"\\item {_text(entry)}" for entry in entries)
            return f"\\begin{{itemize}}\n{items}\n\\end{{itemize}}"
        case Table(header, rows):
            lines = [" & ".join(map(_text, header)) + r" \\ \hline"]
            lines += [" & ".join(map(_cell, row)) + r" \\" for row in rows]
            inside = "\n".join(lines)
            columns = "l" + ">{\\raggedright\\arraybackslash}X" * (len(header) - 1)
            begin = f"\\begin{{tabularx}}{{\\linewidth}}{{{columns}}}"
            return f"{begin}\n{inside}\n\\end{{tabularx}}\\par"
        case FigureBlock(name, caption):
            return (
                "\\begin{center}\n"
                f"\\includegraphics[width=0.72\\linewidth]{{figures/{name}.pdf}}\\\\\n"
                f"{{\\small {_text(caption)}}}\n\\end{{center}}"
            )


def _formula(expression: sympy.Basic) -> str:
    text = sympy.latex(expression)
    if len(sympy.sstr(expression)) <= _WIDE:
        return f"\\[ {text} \\]"
    if isinstance(expression, sympy.Eq) and isinstance(expression.rhs, sympy.Add):
        terms = [sympy.latex(term) for term in expression.rhs.args]
        lines = "".join(
            f" \\\\ &\\quad {'' if term.startswith('-') else '+ '}{term}" for term in terms[1:]
        )
        return (
            f"\\begin{{align*}} {sympy.latex(expression.lhs)} &= {terms[0]}{lines} \\end{{align*}}"
        )
    return f"\\[ \\resizebox{{\\linewidth}}{{!}}{{$\\displaystyle {text}$}} \\]"


def _cell(entry: str | sympy.Basic) -> str:
    return _text(entry) if isinstance(entry, str) else f"${sympy.latex(entry)}$"


def _text(text: str) -> str:
    """Return plain text with its symbols, indices and exponents as mathematics."""
    words = "".join(_ESCAPED.get(character, character) for character in text)
    words = words.replace("x\u0302", r"\(\hat x\)")
    words = re.sub(
        r"(?<![\w\\])([A-Za-zκλ])_([A-Za-z0-9]+)(?!\w)", r"\\(\1_{\\mathrm{\2}}\\)", words
    )
    words = re.sub(r"(\w|\))\^(\w+)", r"\\(\1^{\2}\\)", words)
    words = "".join(_PLAIN.get(character, character) for character in words)
    words = "".join(
        f"\\({_MATH[character]}\\)" if character in _MATH else character for character in words
    )
    # Inside a formula no second one may begin.
    words = re.sub(r"\\\(([^()]*?)\\\(([^()]*?)\\\)", r"\\(\1\2", words)
    # Neighbouring formulas become one.
    words = words.replace("\\)\\(", " ")
    return words.replace("_", r"\_") if "\\(" not in words else _escape_outside(words)


def _escape_outside(text: str) -> str:
    """Escape underscores and carets that are not inside a formula."""
    parts = re.split(r"(\\\(.*?\\\))", text)
    return "".join(
        part if part.startswith("\\(") else part.replace("_", r"\_").replace("^", r"\^{}")
        for part in parts
    )
