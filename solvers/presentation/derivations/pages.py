"""A derivation as a page of blocks, whatever the format: paragraphs, formulas, tables, a figure.

Making the page runs every check; one that fails stops it, naming the step.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias

import sympy

from solvers.studies.claims.derivation_evidence import SEED, Compared, run_checks
from theory.claims.claim import Claim
from theory.claims.ledger import LEDGER
from theory.derivations.derivation import Check, Decided, Derivation, Numeric, Symbolic, readable


@dataclass(frozen=True)
class Heading:
    """A section's heading."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Prose. `kind` is "", "summary", "check" or "verdict"."""

    text: str
    kind: str = ""


@dataclass(frozen=True)
class Formula:
    """A displayed formula."""

    expression: sympy.Basic


@dataclass(frozen=True)
class Items:
    """A list."""

    entries: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table with a header; first column symbols, if they are sympy's."""

    header: tuple[str, ...]
    rows: tuple[tuple[str | sympy.Basic, ...], ...]


@dataclass(frozen=True)
class FigureBlock:
    """A figure of `solvers.presentation.derivations.figures`, by name."""

    name: str
    caption: str


Block: TypeAlias = Heading | Paragraph | Formula | Items | Table | FigureBlock


@dataclass(frozen=True)
class Page:
    """One derivation, ready to be rendered.

    Parameters
    ----------
    id, title : str
    blocks : tuple of Block
    """

    id: str
    title: str
    blocks: tuple[Block, ...]


def page_of(derivation: Derivation) -> Page:
    """Run a derivation's checks and return its page.

    Raises
    ------
    ProofError
        Naming the derivation and the step, if a check fails.
    """
    outcomes = run_checks(derivation)
    blocks: list[Block] = [Paragraph(derivation.summary, "summary")]
    if derivation.figure:
        blocks.append(FigureBlock(derivation.figure, derivation.caption))
    blocks += [Heading("What is assumed"), Items(derivation.assumptions)]
    blocks.append(Paragraph(f"Convention: {derivation.convention}."))
    if derivation.symbols:
        rows = tuple((entry.symbol, entry.meaning, entry.domain) for entry in derivation.symbols)
        blocks.append(Table(("symbol", "meaning", "range"), rows))
    blocks.append(Heading("Step by step"))
    for number, (step, compared) in enumerate(
        zip(derivation.steps, outcomes, strict=True), start=1
    ):
        blocks.append(Paragraph(f"{number}. {step.prose}"))
        if step.display is not None:
            blocks.append(Formula(step.display))
        told = [f"By: {step.rule}." if step.rule else "", _checked(step.check, compared, number)]
        if any(told):
            blocks.append(Paragraph(" ".join(filter(None, told)), "check"))
    blocks += [
        Heading("Result"),
        Paragraph(derivation.result),
        Paragraph(f"Where it holds: {derivation.validity}"),
        Paragraph(f"What would show it wrong: {derivation.falsified_by}"),
    ]
    for claim in LEDGER:
        if claim.id in derivation.claims:
            blocks += _verdict(claim)
    if derivation.sources:
        blocks += [Heading("Sources"), Items(derivation.sources)]
    return Page(derivation.id, derivation.title, tuple(blocks))


def _verdict(claim: Claim) -> list[Block]:
    finding = claim.prove()
    explanation = f": {readable(finding.explanation)}" if finding.explanation else ""
    return [
        Heading(f"The claim {claim.id}"),
        Paragraph(f"“{claim.statement}” ({claim.place})"),
        Paragraph(f"Verdict: {finding.verdict.value}{explanation}.", "verdict"),
    ]


def _checked(check: Check | None, compared: tuple[Compared, ...], number: int) -> str:
    """Say what was checked when the page was made."""
    if check is None:
        return ""
    if isinstance(check, Symbolic):
        return f"Checked: the difference from {check.by} simplifies to 0."
    if isinstance(check, Decided):
        return f"Checked: {check.by}."
    digits = _digits(check)
    told = []
    for outcome in compared:
        where = ", ".join(f"{_plain(key)} = {value:g}" for key, value in outcome.values.items())
        number_there = f"{outcome.derived + 0.0:.{digits}g}"
        told.append(f"{number_there} at {where}" if where else number_there)
    seed = f" (seed {SEED + number})" if check.domain else ""
    return (
        f"Checked: {check.by} gives the same, to {check.tolerance * check.unit:.0e}: "
        f"{'; '.join(told)}{seed}."
    )


def _digits(check: Numeric) -> int:
    """Return how many digits may be shown: those that every machine agrees on."""
    return max(2, min(9, math.floor(-math.log10(check.tolerance)) - 1))


_GREEK = {"lambda": "λ", "theta": "θ", "phi": "φ", "rho": "ρ", "mu": "μ"}


def _plain(name: str) -> str:
    return _GREEK.get(name, name)
