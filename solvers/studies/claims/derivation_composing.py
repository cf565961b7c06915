"""Routes to the numbers of the derivation about composing; see `derivation_costs`."""

from typing import Any

import numpy as np
import sympy

from solvers.autoencoders.objective import Objective
from solvers.losses.expected_loss import expected_loss
from solvers.optima.minimize import minimize_loss
from solvers.optima.search import Search
from solvers.studies.claims.composing_evidence import (
    hard_threshold_frame,
    oblique_pairs,
    prefix_frame,
    shifted_frame,
    top_k_frame,
)
from solvers.studies.claims.derivation_costs import Route, Values, onehot, tie
from solvers.studies.claims.evidence import AXES, DIAGONAL, STARTS, least_value
from theory.laws.law import Law
from theory.laws.one_hot_sets import one_hot_sets
from theory.laws.presets import preset
from theory.losses.prefixes import PREFIXES

_RECONSTRUCTION = Objective(l1=0.0)
_PREFIXES = Objective(l1=0.0, prefixes=PREFIXES)


def _l0(law: Law, angle: float, height: float) -> float:
    objective = Objective(l1=0.0, l0=height**2)
    return expected_loss(law, hard_threshold_frame(angle, height), objective).total


def _l0_at_angle(settings: tuple[Any, ...], values: Values) -> float:
    return _l0(preset(settings[0]), values["theta"], values["tau"])


def _l0_of_frame(settings: tuple[Any, ...], values: Values) -> float:
    name, angle = settings
    return _l0(preset(name), float(np.radians(angle)), float(np.sqrt(values["lambda_0"])))


def _tie_of_l0(settings: tuple[Any, ...], values: Values) -> float:
    both, alone = (onehot(settings[0], q) for q in (0.0, 1.0))
    together, apart = (
        _l0(law, AXES, values["tau"]) - _l0(law, DIAGONAL, values["tau"]) for law in (both, alone)
    )
    # In units in which the difference is about 1; linear in q.
    return tie(lambda q: ((1 - q) * together + q * apart) / abs(together - apart))


def _top_k_at_angle(settings: tuple[Any, ...], values: Values) -> float:
    law = onehot(settings[0], values["q"])
    return expected_loss(law, top_k_frame(values["theta"], 1), _RECONSTRUCTION).total


def _tie_of_top_k(settings: tuple[Any, ...], values: Values) -> float:
    f = sympy.Rational(str(values["f"]))

    def difference(q: float) -> float:
        law = one_hot_sets(magnitude_correlation=f, onehot_probability=sympy.Rational(f"{q:.12f}"))
        axes, diagonal = (
            expected_loss(law, top_k_frame(angle, 1), _RECONSTRUCTION)
            for angle in (AXES, DIAGONAL)
        )
        return axes - diagonal

    return tie(difference)


def _oblique(settings: tuple[Any, ...], values: Values) -> float:
    sae = oblique_pairs(values["theta"], values["phi"])
    return expected_loss(preset(settings[0]), sae, _RECONSTRUCTION).total


def _with_prefixes(settings: tuple[Any, ...], values: Values) -> float:
    name, angle = settings
    l1 = values["lambda"]
    sae = prefix_frame(float(np.radians(angle)), l1)
    return expected_loss(preset(name), sae, Objective(l1, prefixes=PREFIXES)).total


def _moved(settings: tuple[Any, ...], values: Values) -> float:
    name, angle = settings
    sae = shifted_frame(float(np.radians(angle)), values["B"])
    return expected_loss(preset(name), sae, _PREFIXES).total


def _least_moved(settings: tuple[Any, ...], values: Values) -> float:
    return least_value(lambda shift: _moved(settings, {"B": shift}), 0.0, 0.5)


def _least_with_prefixes(settings: tuple[Any, ...], values: Values) -> float:
    return minimize_loss(preset(settings[0]), 4, _PREFIXES, Search(STARTS, limit=STARTS)).total


#: What checks name.
COMPOSING_STEPS: dict[str, Route] = {
    "l0 loss at an angle": _l0_at_angle,
    "l0 loss of a frame": _l0_of_frame,
    "tie of l0 losses": _tie_of_l0,
    "TopK loss at an angle": _top_k_at_angle,
    "tie of TopK losses": _tie_of_top_k,
    "TopK loss of oblique pairs": _oblique,
    "loss with prefixes": _with_prefixes,
    "loss of a moved frame": _moved,
    "least loss of a moved frame": _least_moved,
    "least loss with prefixes": _least_with_prefixes,
}
