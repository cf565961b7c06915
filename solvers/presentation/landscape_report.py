"""A landscape as text and as JSON: what `sae-theory landscape` prints."""

import textwrap
from dataclasses import asdict
from typing import Any

from solvers.autoencoders.initialisation import INITIALISATIONS
from solvers.optima.landscape import Landscape, StationaryPoint
from solvers.optima.matching import CLOSE
from solvers.presentation.results import WIDTH, convention_text, loss_document

_DYNAMICS = {
    "l-bfgs": "L-BFGS, then Newton steps",
    "flow": "the gradient flow, then Newton steps",
    "bfgs": "BFGS",
}
#: A basin of this share is what the report speaks of as missed.
SMALL_SHARE = 0.01


def landscape_document(found: Landscape) -> dict[str, Any]:
    """Return the keys of the command `landscape`."""
    return {
        "law": found.law.name,
        "objective": asdict(found.objective),
        "starts": found.starts,
        "seed": found.seed,
        "initialisation": found.initialisation,
        "dynamics": found.dynamics,
        "symmetries": found.symmetries,
        "points": [_point_document(point) for point in found.points],
        "unsettled": list(found.unsettled),
        "chance_of_missing": found.chance_of_missing(SMALL_SHARE),
        "chance_of_missing_any": found.chance_of_missing_any(SMALL_SHARE),
        "interrupted": found.interrupted,
    }


def _point_document(point: StationaryPoint) -> dict[str, Any]:
    return {
        **loss_document(point.loss),
        "kind": point.kind,
        "share": point.share,
        "share_error": point.share_error,
        "count": point.count,
        "closest_code": None if point.closest_code is None else asdict(point.closest_code),
        "absorbed": None if point.absorbed is None else asdict(point.absorbed),
        "dead": point.dead,
        "gradient": point.gradient,
        "eigenvalues": list(point.eigenvalues),
        "flat": point.flat,
        "decoder": point.sae.W_dec.tolist(),
        "b_dec": point.sae.b_dec.tolist(),
        "W_enc": point.sae.W_enc.tolist(),
        "b_enc": point.sae.b_enc.tolist(),
    }


def code_name(point: StationaryPoint) -> str:
    """Return the name of the code that a point's atoms are close to, or how far it is.

    Examples
    --------
    >>> from solvers.optima.landscape import landscape
    >>> from solvers.optima.search import Search
    >>> from solvers.autoencoders.objective import Objective
    >>> from theory.laws.presets import preset
    >>> code_name(landscape(preset("shared"), 4, Objective(l1=0.1), Search(starts=8)).points[0])
    'diagonal'
    """
    match = point.closest_code
    if match is None:
        return "none"
    far = match.mean_angle > CLOSE
    if far:
        return f"none ({match.code} {match.mean_angle:.0f}° off)"
    return match.code if match.mean_angle < 0.05 else f"{match.code}, {match.mean_angle:.1f}° off"


def absorbed_name(point: StationaryPoint) -> str:
    """Return the part of the data that b_dec has absorbed, or "-"."""
    if point.absorbed is None:
        return "-"
    return "(" + ", ".join(f"{entry:.3g}" for entry in point.absorbed.towards) + ")"


def landscape_text(found: Landscape) -> str:
    """Return the catalogue as a table and what can be said of basins that were missed."""
    width = len(found.points[0].sae.b_enc) if found.points else 0
    live = "1 latent" if width == 1 else f"{width} latents"
    drawn = INITIALISATIONS[found.initialisation].description
    column = 2 + max([len("b_dec absorbs"), *(len(absorbed_name(p)) for p in found.points)])
    lines = [
        *_wrapped(
            f"{found.law.name}; {live}, {convention_text(found.objective)}; {found.starts} "
            f"starts, seed {found.seed}"
        ),
        *_wrapped(f"initialisation {found.initialisation}: {drawn}"),
        *_wrapped(
            f"dynamics {found.dynamics}: {_DYNAMICS[found.dynamics]}; points are counted once "
            f"modulo the {found.symmetries} symmetries of the law, permuted, dead and duplicate "
            "latents, and rescalings"
        ),
        "",
        f"{'':>3}{'loss':>15}{'share of starts':>19}  {'kind':<9}{'flat':>5}{'dead':>5}"
        f"  {'b_dec absorbs':<{column}}closest code",
    ]
    for number, point in enumerate(found.points, start=1):
        share = f"{100 * point.share:.1f} ± {100 * point.share_error:.1f} %"
        lines.append(
            f"{number:>3}{point.loss.total:>15.10f}{share:>19}  {point.kind:<9}{point.flat:>5}"
            f"{point.dead:>5}  {absorbed_name(point):<{column}}{code_name(point)}"
        )
    lines.append("")
    lines += _wrapped(_missed(found))
    if found.unsettled:
        lines += _wrapped(
            f"{len(found.unsettled)} of {found.starts} starts did not come to rest and are not "
            f"in the table; their losses are from {found.unsettled[0]:.9g} to "
            f"{found.unsettled[-1]:.9g}"
        )
    if any(point.kind == "kink" for point in found.points):
        lines += _wrapped(
            "kink: a minimum at which the loss has no gradient, because a latent's pre-activation "
            "vanishes on a whole component of the law"
        )
    return "\n".join(lines)


def _missed(found: Landscape) -> str:
    return (
        f"a basin of share {100 * SMALL_SHARE:g} % is missed by {found.starts} starts with "
        f"probability {found.chance_of_missing(SMALL_SHARE):.2g}, some basin of at least that "
        f"share with probability at most {found.chance_of_missing_any(SMALL_SHARE):.2g}"
    )


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, width=WIDTH, subsequent_indent="    ")
