"""The best SAE known for a law, width and objective: random starts, the law's codes, a guess."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.autoencoder import Sae
from solvers.autoencoders.objective import Objective
from solvers.losses.expected_loss import ExpectedLoss, expected_loss
from solvers.optima.minimize import minimize_loss
from solvers.optima.polish import Polished, polish
from theory.codes.code import codes_of
from theory.laws.law import Law

Array = NDArray[np.float64]

#: Random starts for the optimum; the relative loss takes seconds a start.
STARTS = {"squared": 32, "relative": 4}


@dataclass(frozen=True)
class Best:
    """The best SAE known for a law, width and objective.

    Parameters
    ----------
    sae : Sae
    loss : ExpectedLoss
    lower_bound : float
        No SAE of this width has a smaller loss.
    found : str
        What led to it.
    """

    sae: Sae
    loss: ExpectedLoss
    lower_bound: float
    found: str


#: Optima found before, by id of the law, width and objective.
Known: TypeAlias = dict[tuple[int, int, Objective], Best]


def best_known(
    law: Law,
    width: int,
    objective: Objective,
    polished: Polished | None,
    starts: int | None,
    seed: int,
    known: Known | None,
    progress: Callable[[int, int], None] | None = None,
    executor: Executor | None = None,
) -> Best:
    """Return the best of random starts, the law's codes, and an SAE's own stationary point.

    Parameters
    ----------
    law : Law
    width : int
        Number of latents.
    objective : Objective
    polished : Polished or None
        The stationary point of the SAE that is compared.
    starts : int or None
        Random starts; None for the default of the objective's reconstruction.
    seed : int
    known : Known or None
        Looked up first, and added to.
    progress : callable, optional
        Called with how many starts are done, and of how many.
    executor : concurrent.futures.Executor, optional
        Runs the starts.

    Raises
    ------
    KeyboardInterrupt
        If the starts were interrupted.
    """
    key = (id(law), width, objective)
    if known is not None and key in known:
        best = known[key]
    else:
        count = STARTS[objective.reconstruction] if starts is None else starts
        found = minimize_loss(law, width, objective, starts=count, seed=seed,
                              executor=executor, progress=progress)  # fmt: skip
        if found.interrupted:
            raise KeyboardInterrupt
        loss = expected_loss(law, found.sae, objective)
        best = Best(found.sae, loss, found.lower_bound, f"best of {count} starts")
        for code in codes_of(law):
            start = _code_sae(np.array(code.atoms, dtype=np.float64), width, objective.l1)
            if start is None:
                continue
            end = polish(law, start, objective)
            if end.loss.total < best.loss.total * (1 - 1e-12):
                best = Best(end.sae, end.loss, best.lower_bound, f"from the {code.name} code")
    # What agrees to rounding is no improvement.
    if polished is not None and polished.loss.total < best.loss.total * (1 - 1e-12):
        own = "the stationary point of an SAE that was checked"
        best = Best(polished.sae, polished.loss, best.lower_bound, own)
    if known is not None:
        known[key] = best
    return best


def _code_sae(atoms: Array, width: int, l1: float) -> Sae | None:
    """Return a soft-thresholding SAE of a code, filled up with its own atoms, or None."""
    if len(atoms) > width:
        return None
    filled = atoms[np.arange(width) % len(atoms)]
    share = np.bincount(np.arange(width) % len(atoms))[np.arange(width) % len(atoms)]
    # Latents of one atom share its activation.
    return Sae((filled / share[:, None]).T, -l1 / 2 / share, filled, np.zeros(atoms.shape[1]))
