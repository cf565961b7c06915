"""The look of every HTML page: self-contained, light and dark, narrow and wide, printable."""

from collections.abc import Sequence
from html import escape

STYLE = """
:root { color-scheme: light dark; --ink: #1b1b1b; --paper: #ffffff; --line: #c9c9c9; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --paper: #161616; --line: #444; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 76rem; padding: 1rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.5 system-ui, sans-serif; }
h1, code { overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; line-height: 1.25; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.verdict { font-size: 1.1rem; font-weight: 600; }
.wide, .text { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.wide td, .wide th, .text td:first-child { white-space: nowrap; }
.wide td.name { white-space: normal; overflow-wrap: anywhere; text-align: left; min-width: 15rem; }
td, th { border-bottom: 1px solid var(--line); padding: .25rem .6rem; text-align: right;
  vertical-align: top; }
th { font-weight: 600; } .text td, .text th { text-align: left; }
td, th { padding-left: 0; }
figure { margin: 1rem 0; max-width: 42rem; background: #fff; border-radius: .4rem; }
figure svg { display: block; width: 100%; height: auto; }
figcaption { padding: .3rem .6rem; color: #1b1b1b; font-size: .9rem; }
code { font-size: .9rem; }
@media (max-width: 30rem) { .text td:first-child { white-space: normal; }
  .wide td.name { min-width: 9rem; } }
nav { border-bottom: 1px solid var(--line); padding-bottom: .6rem; font-size: .9rem; }
a { color: inherit; }
.summary { font-size: 1.08rem; }
.check { font-size: .88rem; opacity: .8; margin-top: .2rem; }
.formula { overflow-x: auto; overflow-y: hidden; padding: .2rem 0 .2rem 1.5rem; }
math { font-size: 1.12rem; }
math[display=block] { text-align: left; }
@media print { body { max-width: none; } }
"""


def document(title: str, body: Sequence[str], navigation: str = "", foot: str = "") -> str:
    """Return a whole page of finished HTML parts."""
    return (
        "<!doctype html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
        '<meta name=viewport content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n"
        # Without it browsers ask the server for a favicon.
        '<link rel=icon href="data:,">\n</head>\n<body>\n'
        + (f"{navigation}\n" if navigation else "")
        + f"<h1>{escape(title)}</h1>\n"
        + "\n".join(part for part in body if part)
        + f"\n{foot}</body>\n</html>\n"
    )


def figure(svg: str, caption: str) -> str:
    """Return an SVG with its caption, which is also what a screen reader says."""
    labelled = svg.replace("<svg", f'<svg role="img" aria-label="{escape(caption)}"', 1)
    return f"<figure>{labelled}<figcaption>{escape(caption)}</figcaption></figure>"
