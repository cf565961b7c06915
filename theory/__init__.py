"""States and proves: laws, codes, activation costs and losses in exact numbers (sympy only).

Its names are imported when they are first asked for.
"""

from typing import TYPE_CHECKING

from theory.exact.late import late_names

if TYPE_CHECKING:
    from theory.claims.claim import Claim as Claim
    from theory.claims.claim import ProofError as ProofError
    from theory.claims.ledger import LEDGER as LEDGER
    from theory.codes.code import Code as Code
    from theory.codes.code import axis_aligned as axis_aligned
    from theory.codes.code import codes_of as codes_of
    from theory.codes.code import diagonal as diagonal
    from theory.codes.code import gauge as gauge
    from theory.codes.code import rhombic as rhombic
    from theory.codes.code import rotated as rotated
    from theory.codes.code_files import load_code as load_code
    from theory.codes.costs import CostAgainstAngle as CostAgainstAngle
    from theory.codes.costs import activation_cost as activation_cost
    from theory.codes.costs import cost_against_angle as cost_against_angle
    from theory.codes.costs import tie_probability as tie_probability
    from theory.codes.many_pairs import hadamard_frame as hadamard_frame
    from theory.derivations.derivation import Derivation as Derivation
    from theory.derivations.own import own_derivation as own_derivation
    from theory.exact.errors import InputError as InputError
    from theory.laws.active_sets import firing_features as firing_features
    from theory.laws.active_sets import from_active_sets as from_active_sets
    from theory.laws.active_sets import independent_features as independent_features
    from theory.laws.active_sets import tree as tree
    from theory.laws.integration import Expectation as Expectation
    from theory.laws.integration import expectation as expectation
    from theory.laws.law import Component as Component
    from theory.laws.law import Law as Law
    from theory.laws.law_files import LawSpec as LawSpec
    from theory.laws.law_files import law_from_dict as law_from_dict
    from theory.laws.law_files import load_law as load_law
    from theory.laws.moments import covariance as covariance
    from theory.laws.moments import mean as mean
    from theory.laws.moments import principal_components as principal_components
    from theory.laws.one_hot_sets import one_hot_sets as one_hot_sets
    from theory.laws.presets import preset as preset
    from theory.laws.presets import shared_amplitudes as shared_amplitudes
    from theory.losses.attained_bound import bound_attained_from as bound_attained_from
    from theory.losses.best_terms import one_term_loss as one_term_loss
    from theory.losses.best_terms import one_term_tie as one_term_tie
    from theory.losses.closed_forms import frame_loss_for_every_l1 as frame_loss_for_every_l1
    from theory.losses.closed_forms import orthogonal_frame_loss as orthogonal_frame_loss
    from theory.losses.closed_forms import (
        tie_probability_for_every_l1 as tie_probability_for_every_l1,
    )
    from theory.losses.hard_thresholds import hard_threshold_loss as hard_threshold_loss
    from theory.losses.hard_thresholds import hard_threshold_tie as hard_threshold_tie
    from theory.losses.hard_thresholds import (
        hard_threshold_tie_series as hard_threshold_tie_series,
    )
    from theory.losses.prefixes import prefix_losses as prefix_losses
    from theory.losses.radial_bound import radial_bound as radial_bound
    from theory.two_features.phases import OptimalPair as OptimalPair
    from theory.two_features.phases import optimal_pair as optimal_pair

_HOMES = {
    "theory.losses.prefixes": "prefix_losses",
    "theory.losses.best_terms": "one_term_loss one_term_tie",
    "theory.claims.claim": "Claim ProofError",
    "theory.claims.ledger": "LEDGER",
    "theory.codes.code": "Code axis_aligned codes_of diagonal gauge rhombic rotated",
    "theory.codes.code_files": "load_code",
    "theory.codes.costs": "CostAgainstAngle activation_cost cost_against_angle tie_probability",
    "theory.codes.many_pairs": "hadamard_frame",
    "theory.derivations.derivation": "Derivation",
    "theory.derivations.own": "own_derivation",
    "theory.exact.errors": "InputError",
    "theory.laws.integration": "Expectation expectation",
    "theory.laws.law": "Component Law",
    "theory.laws.one_hot_sets": "one_hot_sets",
    "theory.laws.active_sets": "firing_features from_active_sets independent_features tree",
    "theory.laws.law_files": "LawSpec law_from_dict load_law",
    "theory.laws.moments": "covariance mean principal_components",
    "theory.laws.presets": "preset shared_amplitudes",
    "theory.losses.attained_bound": "bound_attained_from",
    "theory.losses.hard_thresholds": (
        "hard_threshold_loss hard_threshold_tie hard_threshold_tie_series"
    ),
    "theory.losses.closed_forms": (
        "frame_loss_for_every_l1 orthogonal_frame_loss tie_probability_for_every_l1"
    ),
    "theory.losses.radial_bound": "radial_bound",
    "theory.two_features.phases": "OptimalPair optimal_pair",
}

_late = late_names(__name__, _HOMES)
__all__ = list(_late.names)
__dir__ = _late.list_names
if not TYPE_CHECKING:
    # Hidden from type checkers, for which a module with __getattr__ has every name.
    __getattr__ = _late.get
