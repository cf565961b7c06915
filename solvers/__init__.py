"""Computes: the exact expected loss of an SAE on a known law, and its minima.

Its names are imported when they are first asked for.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from solvers.runtime.pictures import Picture, draw_with
from theory.exact.late import late_names

if TYPE_CHECKING:
    from solvers.autoencoders.architecture import Architecture as Architecture
    from solvers.autoencoders.architecture_conventions import (
        ArchitectureConvention as ArchitectureConvention,
    )
    from solvers.autoencoders.architecture_conventions import (
        architecture_convention as architecture_convention,
    )
    from solvers.autoencoders.architectures import GatedSae as GatedSae
    from solvers.autoencoders.architectures import JumpReluSae as JumpReluSae
    from solvers.autoencoders.architectures import TopKSae as TopKSae
    from solvers.autoencoders.autoencoder import Autoencoder as Autoencoder
    from solvers.autoencoders.autoencoder import Origin as Origin
    from solvers.autoencoders.autoencoder import Sae as Sae
    from solvers.autoencoders.checkpoints.live import as_sae as as_sae
    from solvers.autoencoders.checkpoints.load import find_checkpoints as find_checkpoints
    from solvers.autoencoders.checkpoints.load import load_checkpoint as load_checkpoint
    from solvers.autoencoders.checkpoints.load import load_checkpoints as load_checkpoints
    from solvers.autoencoders.conventions import Convention as Convention
    from solvers.autoencoders.conventions import convention as convention
    from solvers.autoencoders.conventions import convert_l1 as convert_l1
    from solvers.autoencoders.frames import frame_sae as frame_sae
    from solvers.autoencoders.objective import Objective as Objective
    from solvers.bounds.best_bound import best_bound as best_bound
    from solvers.bounds.certificate import Certificate as Certificate
    from solvers.bounds.certificate import certify as certify
    from solvers.bounds.radial_bound import LowerBound as LowerBound
    from solvers.bounds.radial_bound import lower_bound as lower_bound
    from solvers.laws.description import LawDescription as LawDescription
    from solvers.laws.description import describe as describe
    from solvers.laws.saelens import to_saelens as to_saelens
    from solvers.laws.samples import batches as batches
    from solvers.laws.samples import sample as sample
    from solvers.laws.samples import sample_features as sample_features
    from solvers.losses.best_activations import best_activation_loss as best_activation_loss
    from solvers.losses.best_k_terms import best_k_term_loss as best_k_term_loss
    from solvers.losses.expected_loss import ExpectedLoss as ExpectedLoss
    from solvers.losses.expected_loss import LossAndGradient as LossAndGradient
    from solvers.losses.expected_loss import co_firing as co_firing
    from solvers.losses.expected_loss import expected_loss as expected_loss
    from solvers.losses.expected_loss import (
        expected_loss_and_gradient as expected_loss_and_gradient,
    )
    from solvers.losses.loss_callback import ExactLossCallback as ExactLossCallback
    from solvers.losses.loss_callback import exact_loss_callback as exact_loss_callback
    from solvers.losses.loss_parts import Gradient as Gradient
    from solvers.losses.sampled_loss import SampledLoss as SampledLoss
    from solvers.losses.sampled_loss import sampled_loss as sampled_loss
    from solvers.losses.solution import Solution as Solution
    from solvers.losses.straight_through import JumpGradient as JumpGradient
    from solvers.losses.straight_through import StraightThrough as StraightThrough
    from solvers.losses.straight_through import exact_gradient as exact_gradient
    from solvers.losses.straight_through import (
        straight_through_gradient as straight_through_gradient,
    )
    from solvers.losses.training_loss import TrainingLoss as TrainingLoss
    from solvers.losses.training_loss import training_loss as training_loss
    from solvers.optima.best_known import best_known as best_known
    from solvers.optima.landscape import Landscape as Landscape
    from solvers.optima.landscape import StationaryPoint as StationaryPoint
    from solvers.optima.landscape import landscape as landscape
    from solvers.optima.minimize import minimize_loss as minimize_loss
    from solvers.optima.optimum import Optimum as Optimum
    from solvers.optima.optimum import Start as Start
    from solvers.optima.search import Search as Search
    from solvers.optima.train import Schedule as Schedule
    from solvers.optima.train import Training as Training
    from solvers.optima.train import train as train
    from solvers.studies.cross_check import CrossCheck as CrossCheck
    from solvers.studies.cross_check import cross_check as cross_check
    from solvers.studies.cross_check import cross_check_all as cross_check_all
    from solvers.studies.cross_check import objective_for as objective_for
    from solvers.studies.phase import PhaseDiagram as PhaseDiagram
    from solvers.studies.phase import Tie as Tie
    from solvers.studies.phase import phase_diagram as phase_diagram
    from solvers.studies.phase_axis import Axis as Axis
    from solvers.studies.phase_family import Family as Family
    from solvers.studies.phase_point import PhasePoint as PhasePoint
    from solvers.studies.verdicts import Gaps as Gaps
    from solvers.studies.verify import CheckedClaim as CheckedClaim
    from solvers.studies.verify import CheckedQuantity as CheckedQuantity
    from solvers.studies.verify import verify as verify
    from theory.exact.errors import InputError as InputError

_HOMES = {
    "solvers.losses.best_k_terms": "best_k_term_loss",
    "solvers.bounds.best_bound": "best_bound",
    "solvers.autoencoders.architecture_conventions": (
        "ArchitectureConvention architecture_convention"
    ),
    "solvers.autoencoders.architecture": "Architecture",
    "solvers.autoencoders.architectures": "GatedSae JumpReluSae TopKSae",
    "solvers.autoencoders.autoencoder": "Autoencoder Origin Sae",
    "solvers.autoencoders.checkpoints.live": "as_sae",
    "solvers.autoencoders.checkpoints.load": "find_checkpoints load_checkpoint load_checkpoints",
    "solvers.autoencoders.frames": "frame_sae",
    "solvers.autoencoders.conventions": "Convention convention convert_l1",
    "solvers.autoencoders.objective": "Objective",
    "solvers.bounds.certificate": "Certificate certify",
    "solvers.bounds.radial_bound": "LowerBound lower_bound",
    "solvers.laws.description": "LawDescription describe",
    "solvers.laws.saelens": "to_saelens",
    "solvers.laws.samples": "batches sample sample_features",
    "solvers.losses.best_activations": "best_activation_loss",
    "solvers.losses.expected_loss": (
        "ExpectedLoss LossAndGradient co_firing expected_loss expected_loss_and_gradient"
    ),
    "solvers.losses.loss_callback": "ExactLossCallback exact_loss_callback",
    "solvers.losses.loss_parts": "Gradient",
    "solvers.losses.sampled_loss": "SampledLoss sampled_loss",
    "solvers.losses.solution": "Solution",
    "solvers.losses.straight_through": (
        "JumpGradient StraightThrough exact_gradient straight_through_gradient"
    ),
    "solvers.losses.training_loss": "TrainingLoss training_loss",
    "solvers.optima.best_known": "best_known",
    "solvers.optima.landscape": "Landscape StationaryPoint landscape",
    "solvers.optima.minimize": "minimize_loss",
    "solvers.optima.optimum": "Optimum Start",
    "solvers.optima.search": "Search",
    "solvers.optima.train": "Schedule Training train",
    "solvers.studies.cross_check": "CrossCheck cross_check cross_check_all objective_for",
    "solvers.studies.phase": "PhaseDiagram Tie phase_diagram",
    "solvers.studies.phase_axis": "Axis",
    "solvers.studies.phase_point": "PhasePoint",
    "solvers.studies.phase_family": "Family",
    "solvers.studies.verdicts": "Gaps",
    "solvers.studies.verify": "CheckedClaim CheckedQuantity verify",
    "theory.exact.errors": "InputError",
}


def _draw(record: object, path: Path | None) -> Picture:
    # Matplotlib takes half a second to import; only pictures need it.
    from solvers.presentation.record_figures import draw_record  # noqa: PLC0415

    return draw_record(record, path)


draw_with(_draw)

_late = late_names(__name__, _HOMES)
__all__ = list(_late.names)
__dir__ = _late.list_names
if not TYPE_CHECKING:
    # Hidden from type checkers, for which a module with __getattr__ has every name.
    __getattr__ = _late.get
