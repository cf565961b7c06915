"""A law as text and as JSON: features, active sets, moments."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.laws.description import LawDescription
from solvers.presentation.check_report import aligned
from theory.laws.law import Law

Array = NDArray[np.float64]

#: Rows of each table of the text; JSON has them all.
MOST_ROWS = 24
# Variances that differ by less, relative to the largest, are equal.
_EQUAL = 1e-12
_ROUNDING = 1e-12


def law_document(found: LawDescription) -> dict[str, Any]:
    """Return the keys of the command `law`.

    Examples
    --------
    >>> from solvers.laws.description import describe
    >>> from theory import load_law
    >>> document = law_document(describe(load_law({"features": 1, "firing": 0.25})))
    >>> document["l0"], document["active_sets"][1]
    (0.25, {'features': [0], 'probability': 0.25, 'exactly': '1/4', 'random_magnitudes': 0})
    """
    law = found.law
    exactly = float(law.probability_error) <= _ROUNDING
    sizes = [len(group) for group in law.features]
    starts = [sum(sizes[:j]) for j in range(len(sizes))]
    return {
        "dimension": law.dimension,
        "components": len(law.components),
        "features": found.features.tolist(),
        "sets": [
            list(range(start, start + size)) for start, size in zip(starts, sizes, strict=True)
        ],
        "firing": found.firing.tolist(),
        "l0": found.l0,
        "active_sets": [
            {
                "features": list(chosen),
                "probability": float(part.probability),
                "exactly": str(part.probability) if exactly else None,
                "random_magnitudes": random_magnitudes(law, c),
            }
            for c, (chosen, part) in enumerate(zip(law.active, law.components, strict=False))
        ],
        "remainder": 0.0 if law.remainder is None else float(law.remainder.probability),
        "probability_error": float(law.probability_error),
        "clipped": found.clipped,
        "reductions": [reduction._asdict() for reduction in found.reductions],
        "mean": found.mean.tolist(),
        "covariance": found.covariance.tolist(),
        "variances": found.variances.tolist(),
        "principal_components": found.principal_components.tolist(),
    }


def law_text(found: LawDescription) -> str:
    """Return what the law is: one-hot sets, features, the likeliest active sets, moments."""
    law, d = found.law, found.law.dimension
    parts = len(law.components)
    lines = [f"{law.name}: {_many(parts, 'component')} in {_many(d, 'dimension')}"]
    if law.features:
        lines[0] += f", {_many(len(found.features), 'feature')}"
        sizes = [len(group) for group in law.features]
        if max(sizes) > 1:
            lines[0] += f" in one-hot sets of {' × '.join(map(str, sizes))}"
    lines += ["", *aligned(_moments(found), left=(0, 1))]
    if len(found.features):
        rows = [["feature", "fires", "direction"]]
        for i in range(min(len(found.features), MOST_ROWS)):
            rows.append([str(i), f"{found.firing[i]:.6g}", _vector(found.features[i])])
        lines += ["", *aligned(rows, left=(2,)), *_left_out(len(found.features))]
    if law.active:
        order = sorted(range(parts), key=lambda c: (-law.components[c].probability, c))
        rows = [["active set", "probability", "random magnitudes"]]
        for c in order[:MOST_ROWS]:
            part = law.components[c]
            chosen = " ".join(map(str, law.active[c])) or "none"
            random = str(random_magnitudes(law, c))
            rows.append([chosen, f"{float(part.probability):.6g}", random])
        lines += ["", *aligned(rows, left=(0,)), *_left_out(parts)]
        if law.remainder is not None:
            share = float(law.remainder.probability)
            lines.append(f"all others, for which points stand: {share:.6g}")
    rows = [["", "exact", "how"]]
    rows += [[name, "yes" if exact else "no", how] for name, exact, how in found.reductions]
    lines += ["", *aligned(rows, left=(0, 1, 2))]
    return "\n".join(lines)


def random_magnitudes(law: Law, component: int) -> int:
    """Return how many random numbers the magnitudes of an active set are made of.

    Examples
    --------
    >>> from theory import load_law
    >>> random_magnitudes(load_law("shared"), 0), random_magnitudes(load_law("independent"), 0)
    (1, 2)
    """
    rows = law.magnitudes[component]
    return sum(any(entry != 0 for entry in column) for column in list(zip(*rows, strict=True))[1:])


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _moments(found: LawDescription) -> list[list[str]]:
    largest, least = found.variances[0], found.variances[-1]
    if found.law.dimension > 1 and largest - least <= _EQUAL * largest:
        components = f"none: the covariance is {largest:.6g} times the identity"
    else:
        components = (
            f"largest variance {largest:.6g} along {_vector(found.principal_components[0])}"
        )
    rows = [] if found.l0 is None else [["l0 of the truth", f"{found.l0:.6g}"]]
    if found.clipped:
        many = f"{found.clipped:.2g} a sample, which libraries clip at 0 and this law does not"
        rows.append(["magnitudes below 0", many])
    if found.law.probability_error:
        rows.append(["probabilities", f"± {float(found.law.probability_error):.1g}"])
    return [
        *rows,
        ["mean", _vector(found.mean)],
        ["E ‖x - E x‖²", f"{found.variances.sum():.6g}"],
        ["principal components", components],
    ]


def _vector(entries: Array) -> str:
    shown = ", ".join(f"{entry:.4g}" for entry in entries[:8] + 0.0)
    return f"({shown}{', …' if len(entries) > 8 else ''})"


def _left_out(count: int) -> list[str]:
    return [f"… and {count - MOST_ROWS:,} more in JSON"] if count > MOST_ROWS else []
