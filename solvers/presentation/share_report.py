"""How many trained SAEs reached the best known loss, as text and as JSON."""

from typing import Any

from solvers.studies.trained_shares import REACHED, TrainedShare


def share_document(share: TrainedShare) -> dict[str, Any]:
    """Return the key `compared` of the command `train`."""
    return {
        "best": share.best.total,
        "found": share.best.found,
        "nothing": share.nothing,
        "instances": share.instances,
        "reached": share.reached,
        "share": share.share,
        "standard_error": share.standard_error,
    }


def share_text(share: TrainedShare) -> str:
    """Return the best known loss, and how many reached it, as lines.

    Examples
    --------
    >>> from solvers.autoencoders.architecture import Architecture
    >>> from solvers.optima.train import Training
    >>> from solvers.studies.trained_shares import Reference
    >>> none = Training((), (), 0, False)
    >>> print(share_text(TrainedShare(none, Architecture(), Reference(0.5, "a code"), 1.0)))
    best known      0.5                   a code
    reached         0 of 0                to 1 % of the 0.5 that can be gained
    """
    gain = share.nothing - share.best.total
    counted = f"{share.reached} of {share.instances}"
    lines = [
        f"{'best known':<16}{share.best.total:<22.12g}{share.best.found}",
        f"{'reached':<16}{counted:<22}to {100 * REACHED:g} % of the {gain:.6g} that can be gained",
    ]
    if share.instances:
        chance = f"{100 * share.share:.0f} ± {100 * share.standard_error:.0f} %"
        lines.append(f"{'share':<16}{chance}")
    return "\n".join(lines)
