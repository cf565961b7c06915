"""A certificate as text and as JSON: what `sae-theory optimum --certify` adds."""

import math
import textwrap
from dataclasses import asdict
from typing import Any

from solvers.bounds.certificate import Certificate
from solvers.presentation.results import WIDTH


def certificate_document(certificate: Certificate) -> dict[str, Any]:
    """Return the key "certificate" of the command `optimum`."""
    return {
        **asdict(certificate),
        "decoder": certificate.decoder,
        "any_b_dec_gap": certificate.any_b_dec_gap,
    }


def certificate_text(certificate: Certificate, total: float) -> str:
    """Return what is proven, and how far above it the best SAE that was found is.

    Parameters
    ----------
    certificate : Certificate
    total : float
        The loss of the best SAE found.

    Examples
    --------
    >>> from solvers.bounds.certificate import certify
    >>> from solvers.autoencoders.objective import Objective
    >>> from theory.laws.presets import preset
    >>> proven = certify(preset("shared"), 4, Objective(l1=0.1))
    >>> certificate_text(proven, proven.optimum).splitlines()[1]
    'best dictionary 0.0682401409012        its loss with the best activations, b_dec = 0'
    """
    angles = " ".join(f"{math.degrees(angle) % 360:.4f}°" for angle in certificate.angles)
    lines = [
        "certificate",
        f"{'best dictionary':<16}{certificate.optimum:<23.12g}"
        "its loss with the best activations, b_dec = 0",
        f"{'atoms at':<16}{angles}",
        f"{'proven bound':<16}{certificate.lower_bound:<23.12g}"
        "no dictionary of this width has a smaller loss, b_dec = 0",
        f"{'relative gap':<16}{certificate.relative_gap:<23.3g}between the two",
        f"{'best SAE':<16}{total - certificate.optimum:<+23.3g}"
        "its loss, b_dec free, above that of the best dictionary",
        f"{'any b_dec':<16}{certificate.any_b_dec_bound:<23.12g}proven for every b_dec"
        + (
            f"; best found {certificate.any_b_dec_optimum:.12g}, "
            f"relative gap {certificate.any_b_dec_gap:.3g}"
            if certificate.searched_b_dec
            else f", {_known(certificate).rstrip(',')}"
        ),
        f"{'boxes examined':<16}{certificate.boxes:<23}on {certificate.levels} levels",
    ]
    if not certificate.complete:
        lines.append("NOT COMPLETE: the gap that was asked for is not reached everywhere")
    if certificate.attained_radial:
        lines.append(f"{_known(certificate)} is attained: no width and no encoder does better")
    if certificate.refuted:
        lines.append("REFUTED: the claimed loss is not the least")
    lines += textwrap.wrap(certificate.covers, width=WIDTH, subsequent_indent="    ")
    return "\n".join(lines)


def _known(certificate: Certificate) -> str:
    by = certificate.any_b_dec_by
    return "0, below which no loss is," if by == "trivial" else f"the {by}"
