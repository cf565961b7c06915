"""The topics of the derivations, in reading order, and the formats they are written in."""

from typing import Final

from theory.derivations.composing import composing
from theory.derivations.costs import (
    activation_costs,
    cost_and_angle,
    onehot_threshold,
    the_setting,
)
from theory.derivations.derivation import Maker
from theory.derivations.exact_loss import exact_expectation
from theory.derivations.losses import radial_optimality, shrunken_optimum
from theory.derivations.other_losses import decay_balance, relative_expectation
from theory.derivations.structure import (
    magnitudes_in_between,
    many_pairs,
    principal_directions,
)

FORMATS: Final = ("md", "html", "tex")

#: Every topic, in reading order.
TOPICS: Final[dict[str, Maker]] = {
    "setting": the_setting,
    "activation-cost": activation_costs,
    "cost-against-angle": cost_and_angle,
    "principal-components": principal_directions,
    "onehot-threshold": onehot_threshold,
    "shrinkage": shrunken_optimum,
    "radial-bound": radial_optimality,
    "weight-decay": decay_balance,
    "relative-loss": relative_expectation,
    "many-pairs": many_pairs,
    "in-between": magnitudes_in_between,
    "exact-loss": exact_expectation,
    "composing": composing,
}
