"""Cross-checks as one self-contained HTML page: no script, no network, readable on a phone."""

from collections.abc import Sequence
from html import escape

from solvers.presentation.check_report import (
    ATOM_COLUMNS,
    VERDICTS,
    atom_row,
    facts_of,
    kind_text,
    losses_of,
    number_text,
)
from solvers.presentation.comparison import Comparison, comparison_table, shared_notes
from solvers.presentation.figures import atoms_figure, gap_figure, scatter_figure, svg_text
from solvers.presentation.page_style import document, figure
from solvers.studies.cross_check import CrossCheck
from theory.laws.law import Law


def check_page(check: CrossCheck, name: str, command: str) -> str:
    """Return the page of one SAE.

    Parameters
    ----------
    check : CrossCheck
    name : str
        What the SAE is called, such as its file.
    command : str
        The command that made the page.
    """
    body = [
        f"<p class=verdict>{escape(VERDICTS[check.verdict].capitalize())}.</p>",
        _conventions(check),
        "<h2>Losses</h2>",
        _table(
            ("", "loss", ""),
            [
                [label, number_text(value, 9), meaning]
                for label, value, meaning in losses_of(check)
            ],
            "text",
        ),
        _gap_bar(check),
        "<h2>What the gaps mean</h2>",
        "<ul>" + "".join(f"<li>{escape(text)}.</li>" for text in check.sentences) + "</ul>",
        "<h2>Atoms</h2>",
        _picture(check),
        _table(ATOM_COLUMNS, [atom_row(atom) for atom in check.atoms]),
        "<h2>Everything else</h2>",
        _table(("", ""), [[label, phrase] for label, phrase in facts_of(check)], "text"),
        "<h2>Which latents fire together</h2>",
        "<p>P(both fire); on the diagonal, P(fires).</p>",
        _table(
            ("", *(str(i) for i in range(len(check.co_firing)))),
            [[str(i), *(f"{p:.4f}" for p in row)] for i, row in enumerate(check.co_firing)],
        ),
    ]
    if check.notes:
        notes = "".join(f"<li>{escape(note)}.</li>" for note in check.notes)
        body += ["<h2>Notes</h2>", f"<ul>{notes}</ul>"]
    return _page(f"{name} on {check.law.name}", body, command)


def comparison_page(law: Law, comparison: Comparison, command: str) -> str:
    """Return the page of several SAEs of one law: a row each, and loss against angle."""
    checks = comparison.checks
    points = [
        (number, check.closest_code.mean_angle, check.judged.total)
        for number, (_, check) in enumerate(checks, start=1)
        if check.closest_code is not None
    ]
    optima = [check.optimum.total for _, check in checks if check.optimum is not None]
    alike = len({check.objective for _, check in checks}) == 1
    columns, rows = comparison_table(comparison)
    table = _table(columns, rows)
    for _, name, *_ in rows:
        table = table.replace(f"<td>{escape(name)}</td>", f"<td class=name>{escape(name)}</td>")
    refused = "".join(
        f"<tr><td>{number}</td><td class=name>{escape(name)}</td>"
        f"<td class=name colspan={len(columns) - 2}>not checked: {escape(reason)}</td></tr>"
        for number, name, reason in comparison.numbered_reasons
    )
    table = table.replace("</tbody>", f"{refused}</tbody>")
    meanings = [
        f"<li><b>{verdict}</b>: {escape(meaning)}.</li>"
        for verdict, meaning in VERDICTS.items()
        if verdict and any(check.verdict == verdict for _, check in checks)
    ]
    body = [table, f"<ul>{''.join(meanings)}</ul>" if meanings else ""]
    if points:
        best = min(optima) if optima and alike else None
        body += [
            "<h2>Loss against angle</h2>",
            figure(
                svg_text(scatter_figure(points, best)),
                "Numbers are those of the table's first column."
                + ("" if alike else " The SAEs have different objectives; their losses do not "
                   "measure the same thing."),
            ),
        ]  # fmt: skip
    items = "".join(
        f"<li>{escape(note)} ({numbers}).</li>" for note, numbers in shared_notes(checks)
    )
    if items:
        body += ["<h2>Notes</h2>", f"<ul>{items}</ul>"]
    number = len(checks) + len(comparison.refused)
    return _page(f"{number} SAEs on {law.name}", body, command)


def _conventions(check: CrossCheck) -> str:
    objective = check.objective
    error = "‖x − x̂‖²" if objective.reconstruction == "squared" else "‖x − x̂‖²/‖x‖²"
    penalty = "Σ f" if objective.sparsity == "l1" else "Σ f ‖d‖"
    mu = objective.weight_decay
    decay = f" + {mu:g} (‖W_enc‖² + ‖W_dec‖²)" if mu else ""
    exact = "Every figure is exact unless it says that it is sampled."
    if check.loss.standard_error:
        exact = (
            f"No figure is exact: points stand for the rarer active sets, and the loss has a "
            f"standard error of {check.loss.standard_error:.2g}."
        )
    elif not check.loss.exact:
        exact = f"The law's probabilities are known to {check.loss.probability_error:.1g}."
    fires = f" + {objective.l0:g} E #{{f > 0}}" if objective.l0 else ""
    nested = ""
    if objective.prefixes:
        nested = f", the errors of the first {', '.join(map(str, objective.prefixes))} latents"
    return (
        f"<p>{escape(kind_text(check.sae))} SAE of {check.sae.d_sae} latents. The loss is "
        f"E {error} + λ E {penalty}{fires}{decay} with λ = {objective.l1:g}{nested}: the square "
        f"is summed over coordinates, without a factor ½. {exact}</p>"
    )


def _gap_bar(check: CrossCheck) -> str:
    losses = {label: value for label, value, _ in losses_of(check)}
    now = losses.get("judged", losses["now"])
    if not {"polished", "optimum", "lower bound"} <= losses.keys():
        return ""
    marks = [
        ("lower bound", losses["lower bound"]),
        ("bound: open", losses["optimum"]),
        ("basin", losses["polished"]),
        ("training", now),
    ]
    caption = "From 0 to the SAE's loss: what cannot be avoided, what is open, and the two gaps."
    return figure(svg_text(gap_figure(marks)), caption)


def _picture(check: CrossCheck) -> str:
    svg = svg_text(atoms_figure(check.law, check.layers(), check.law.name))
    return figure(svg, "The law's support, and the atoms drawn from b_dec; dead latents dotted.")


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]], style: str = "wide") -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    cells = (
        "<tr>" + "".join(f"<td>{escape(entry)}</td>" for entry in row) + "</tr>" for row in rows
    )
    heading = f"<thead><tr>{head}</tr></thead>" if any(columns) else ""
    return f"<div class={style}><table>{heading}<tbody>{''.join(cells)}</tbody></table></div>"


def _page(title: str, body: Sequence[str], command: str) -> str:
    foot = f"<p>Made by <code>{escape(command)}</code></p>\n"
    return document(title, body, foot=foot)
