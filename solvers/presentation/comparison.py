"""Several SAEs of one law side by side: a row each, as text and as CSV.

What a sweep varies is in columns: architecture, width, λ, λ₀ and, where files hold it, the seed.
Rows are sorted by the excess over the best known loss; what could not be checked comes last.
"""

import csv
import io
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass

from solvers.optima.matching import CLOSE
from solvers.presentation.check_report import (
    VERDICTS,
    aligned,
    kind_text,
    number_text,
    with_error,
)
from solvers.presentation.results import certainty_text, finite_or_none, wrapped
from solvers.studies.cross_check import CrossCheck

COLUMNS = (
    "", "SAE", "architecture", "latents", "λ", "λ₀", "seed", "verdict", "now", "judged",
    "polished", "optimum", "excess", "training", "basin", "amortisation", "code", "angle",
)  # fmt: skip

#: Excesses that differ by less are those of the same optimum, and keep the order of their files.
_TIED_DIGITS = 12


@dataclass(frozen=True)
class Comparison:
    """What is known of several SAEs.

    Parameters
    ----------
    checks : tuple of (str, CrossCheck)
        With the name of each SAE.
    refused : tuple of (str, str)
        Names, and the reason why there is no check.
    """

    checks: tuple[tuple[str, CrossCheck], ...]
    refused: tuple[tuple[str, str], ...] = ()

    @classmethod
    def by_excess(
        cls, checks: Sequence[tuple[str, CrossCheck]], refused: Sequence[tuple[str, str]] = ()
    ) -> "Comparison":
        """Return the SAEs in the order of their excess; those without an optimum come later."""
        ordered = sorted(checks, key=lambda named: _place(named[1]))
        return cls(tuple(ordered), tuple(refused))

    @property
    def short_names(self) -> list[str]:
        """The names of checks and refused, without the folder that all are in."""
        names = [name for name, _ in (*self.checks, *self.refused)]
        return _without_common_folder(names)

    @property
    def numbered_reasons(self) -> list[tuple[str, str, str]]:
        """Number, short name and reason of what was refused, counted on from the checks."""
        first = len(self.checks)
        names = self.short_names[first:]
        return [
            (str(number), name, reason)
            for number, (name, (_, reason)) in enumerate(
                zip(names, self.refused, strict=True), start=first + 1
            )
        ]


def _place(check: CrossCheck) -> float:
    return math.inf if check.excess is None else round(check.excess, _TIED_DIGITS)


def comparison_table(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    """Return columns and a row for every check, numbered from 1.

    What all names begin with is left out, and so are a column that says nothing, and "judged" if
    it repeats "now".
    """
    rows = _rows(comparison)
    now, judged = COLUMNS.index("now"), COLUMNS.index("judged")
    optional = {COLUMNS.index(name) for name in ("λ", "λ₀", "seed")}
    kept = [
        c
        for c in range(len(COLUMNS))
        if not (c in optional and not any(row[c] for row in rows))
        and not (c == judged and all(row[now] == row[judged] for row in rows))
    ]
    return [COLUMNS[c] for c in kept], [[row[c] for c in kept] for row in rows]


def _rows(comparison: Comparison) -> list[list[str]]:
    rows = []
    numbered = enumerate(zip(comparison.short_names, comparison.checks, strict=False), start=1)
    for number, (name, (_, check)) in numbered:
        polished = None if check.polished is None else check.polished.total
        optimum = None if check.optimum is None else check.optimum.total
        seed, code = check.sae.origin.seed, check.closest_code
        close = code is not None and code.mean_angle <= CLOSE
        rows.append(
            [
                str(number),
                name,
                kind_text(check.sae),
                str(check.sae.d_sae),
                _coefficient(check.objective.l1),
                _coefficient(check.objective.l0),
                "" if seed is None else str(seed),
                check.verdict or VERDICTS[""],
                number_text(check.loss.total, 6),
                number_text(check.judged.total, 6),
                number_text(polished, 6),
                number_text(optimum, 6),
                number_text(check.excess, 2),
                number_text(check.gaps.training, 2),
                number_text(check.gaps.basin, 2),
                with_error(check.gaps.amortisation, check.gaps.amortisation_error),
                (code.code if close else f"({code.code})") if code else "",
                f"{code.mean_angle:.1f}°" if code else "",
            ]
        )
    return rows


def _coefficient(value: float) -> str:
    return f"{value:.6g}" if value else ""


def _without_common_folder(names: Sequence[str]) -> list[str]:
    folder = os.path.commonpath([os.path.dirname(name) or "." for name in names]) if names else ""
    if folder in ("", ".", "/"):
        return list(names)
    return [os.path.relpath(name, folder) for name in names]


def comparison_text(comparison: Comparison) -> str:
    """Return several SAEs' checks, a line each, those refused with the reason, and the notes."""
    checks = comparison.checks
    lines = []
    if checks:
        columns, rows = comparison_table(comparison)
        left = [c for c, name in enumerate(columns) if name in ("SAE", "architecture", "verdict")]
        lines += aligned([columns, *rows], left=left)
    for number, name, reason in comparison.numbered_reasons:
        lines += wrapped(f"{number}  {name}  ", f"not checked: {reason}", 4)
    for verdict, meaning in VERDICTS.items():
        if verdict and any(check.verdict == verdict for _, check in checks):
            lines += wrapped("", f"{verdict}: {meaning}", 4)
    for note, numbers in shared_notes(checks):
        lines += wrapped("note: ", f"{note} ({numbers})", 6)
    return "\n".join(lines)


def shared_notes(checks: Sequence[tuple[str, CrossCheck]]) -> list[tuple[str, str]]:
    """Return every note once, with the numbers of the rows that it is about."""
    rows: dict[str, list[int]] = {}
    for number, (_, check) in enumerate(checks, start=1):
        notes = list(check.notes)
        if check.optimum is not None and not check.optimum.sure:
            notes.append(f"the optimum: {certainty_text(check.optimum)}")
        for note in notes:
            rows.setdefault(note, []).append(number)
    everyone = len(checks)
    return [
        (note, "all" if len(numbers) == everyone else ", ".join(map(str, numbers)))
        for note, numbers in rows.items()
    ]


def comparison_csv(comparison: Comparison) -> str:
    """Return the comparison as CSV: a line an SAE, with the keys of the command's JSON.

    Numbers are written so that they read back as the same doubles; what there is none of, or is
    infinite, is empty.
    """
    entries = [_entry(name, check) for name, check in comparison.checks]
    entries += [{"weights": name, "error": reason} for name, reason in comparison.refused]
    written = io.StringIO()
    table = csv.DictWriter(written, _KEYS, restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(entries)
    return written.getvalue()


_KEYS = (
    "weights", "architecture", "latents", "l1", "l0", "reconstruction", "sparsity", "decoder",
    "weight_decay", "seed", "verdict", "loss", "judged", "polished", "optimum", "lower_bound",
    "excess", "training", "basin", "amortisation", "bound", "closest_code", "mean_angle", "error",
)  # fmt: skip


def _entry(name: str, check: CrossCheck) -> dict[str, object]:
    objective, gaps, code = check.objective, check.gaps, check.closest_code
    numbers = {
        "loss": check.loss.total,
        "judged": check.judged.total,
        "polished": None if check.polished is None else check.polished.total,
        "optimum": None if check.optimum is None else check.optimum.total,
        "lower_bound": check.lower_bound,
        "excess": check.excess,
        "training": gaps.training,
        "basin": gaps.basin,
        "amortisation": gaps.amortisation,
        "bound": gaps.bound,
        "mean_angle": None if code is None else code.mean_angle,
    }
    return {
        "weights": name,
        "architecture": kind_text(check.sae),
        "latents": check.sae.d_sae,
        "l1": objective.l1,
        "l0": objective.l0,
        "reconstruction": objective.reconstruction,
        "sparsity": objective.sparsity,
        "decoder": objective.decoder,
        "weight_decay": objective.weight_decay,
        "seed": check.sae.origin.seed,
        "verdict": check.verdict,
        "closest_code": "" if code is None else code.code,
        **{key: finite_or_none(value) for key, value in numbers.items()},
    }
