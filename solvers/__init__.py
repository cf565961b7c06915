"""Computes: the exact expected loss of an SAE on a known law, and its minima."""

from pathlib import Path

from solvers.autoencoders.autoencoder import Sae
from solvers.autoencoders.checkpoints.load import load_checkpoint, load_checkpoints
from solvers.autoencoders.objective import Objective
from solvers.losses.expected_loss import (
    ExpectedLoss,
    Gradient,
    LossAndGradient,
    expected_loss,
    expected_loss_and_gradient,
)
from solvers.losses.solution import Solution
from solvers.optima.best_known import best_known
from solvers.optima.minimize import minimize_loss
from solvers.optima.optimum import Optimum, Start
from solvers.optima.search import Search
from solvers.runtime.pictures import Picture, draw_with
from solvers.studies.cross_check import CrossCheck, cross_check
from theory.exact.errors import InputError


def _draw(record: object, path: Path | None) -> Picture:
    # Matplotlib takes half a second to import; only pictures need it.
    from solvers.presentation.record_figures import draw_record  # noqa: PLC0415

    return draw_record(record, path)


draw_with(_draw)

__all__ = [
    "CrossCheck",
    "ExpectedLoss",
    "Gradient",
    "InputError",
    "LossAndGradient",
    "Objective",
    "Optimum",
    "Sae",
    "Search",
    "Solution",
    "Start",
    "best_known",
    "cross_check",
    "expected_loss",
    "expected_loss_and_gradient",
    "load_checkpoint",
    "load_checkpoints",
    "minimize_loss",
]
