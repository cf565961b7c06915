"""The standard error of a loss on a law of too many active sets to be exact.

Points drawn in R independent scramblings stand for the active sets without components
(`solvers.laws.remainder`). With L_r the mean loss over the points of scrambling r and p the
remainder's probability,

    standard error = p √( Σ_r (L_r - L̄)² / (R (R - 1)) ).

Weights that were fitted to the same points are better there than elsewhere; that is not in it, and
`fresh_loss` says how much it is.
"""

import math
from typing import NamedTuple

import numpy as np

from solvers.autoencoders.autoencoder import Autoencoder
from solvers.autoencoders.objective import Objective
from solvers.laws.remainder import drawn_remainder
from solvers.losses.loss_at import loss_at
from theory.laws.law import Law


class FreshLoss(NamedTuple):
    """What weights cost on points that they were not fitted to.

    Parameters
    ----------
    total, standard_error : float
    """

    total: float
    standard_error: float


def standard_error(law: Law, sae: Autoencoder, objective: Objective) -> float:
    """Return the standard error of the loss; 0 if the law is exact.

    Examples
    --------
    >>> from solvers.autoencoders.frames import frame_sae
    >>> from theory import load_law
    >>> standard_error(load_law("shared"), frame_sae(0.0), Objective(l1=0.1))
    0.0
    """
    return 0.0 if law.remainder is None else _on_points(law, sae, objective, False)[1]


def fresh_loss(law: Law, sae: Autoencoder, objective: Objective, total: float) -> FreshLoss | None:
    """Return the loss with other points in place of those behind a total; None if it is exact.

    Examples
    --------
    >>> from solvers.autoencoders.frames import frame_sae
    >>> from theory import load_law
    >>> fresh_loss(load_law("shared"), frame_sae(0.0), Objective(l1=0.1), 0.1) is None
    True
    """
    if law.remainder is None:
        return None
    there, _ = _on_points(law, sae, objective, False)
    here, error = _on_points(law, sae, objective, True)
    return FreshLoss(total + here - there, error)


def _on_points(
    law: Law, sae: Autoencoder, objective: Objective, fresh: bool
) -> tuple[float, float]:
    """Return the remainder's part of the loss, and its standard error."""
    assert law.remainder is not None
    means = [float(loss_at(x, sae, objective).mean()) for x in drawn_remainder(law, fresh)[1]]
    share = float(law.remainder.probability)
    spread = np.std(means, ddof=1) / math.sqrt(len(means))
    return share * float(np.mean(means)), share * float(spread)
