"""The numbers beside the symbolic values of the claims about losses."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy import optimize

from solvers.autoencoders.autoencoder import Sae
from solvers.autoencoders.frames import frame_atoms, frame_sae
from solvers.autoencoders.objective import Objective
from solvers.losses.expected_loss import expected_loss
from solvers.optima.minimize import minimize_loss
from solvers.optima.search import Search
from solvers.studies.claims.evidence import (
    AXES,
    DIAGONAL,
    QUADRATURE,
    STARTS,
    Array,
    Routes,
    exact_cost,
    least_loss,
    least_value,
    quadrature_route,
)
from solvers.studies.claims.quadrature import pointwise_loss
from theory.claims.cost_proofs import POST_ONEHOT, SAMPLE_L1
from theory.claims.loss_proofs import SAMPLE_DECAY, decayed_optimum
from theory.laws.law import Law
from theory.laws.presets import preset


def _weight_decay() -> list[Routes]:
    l1, decay = float(SAMPLE_L1), float(SAMPLE_DECAY)
    law, objective = preset("shared"), Objective(l1=l1, decoder="free", weight_decay=decay)
    w, d, threshold = (float(value) for value in decayed_optimum(SAMPLE_L1, SAMPLE_DECAY))
    atoms = frame_atoms(DIAGONAL)
    sae = Sae(w * atoms.T, np.full(4, -w * threshold), d * atoms, np.zeros(2))
    # Norms, unlike losses, are as far off as the gradient is from 0.
    best = minimize_loss(law, 4, objective, Search(STARTS, limit=STARTS), tolerance=1e-10).sae
    imbalance = best.decoder_norms**2 - (best.W_enc**2).sum(axis=0)
    factor = l1 / (2 * decay) / 4

    def total(x: Array) -> Array:
        activations: Array = factor * sae.activations(x).sum(axis=1)
        return activations

    return [
        replace(
            quadrature_route(law, total),
            exact=factor * expected_loss(law, sae, objective).l1,
            optimised=float(imbalance.mean()),
        )
    ]


def _onehot_three_quarters() -> list[Routes]:
    law = preset("independent", onehot_probability=POST_ONEHOT)

    def exact(l1: float) -> float:
        axes, diagonal = (frame_sae(angle, l1 / 2) for angle in (AXES, DIAGONAL))
        objective = Objective(l1=l1)
        return expected_loss(law, axes, objective) - expected_loss(law, diagonal, objective)

    def by_quadrature(l1: float) -> float:
        axes, diagonal = (
            pointwise_loss(frame_sae(angle, l1 / 2), l1) for angle in (AXES, DIAGONAL)
        )
        return quadrature_route(law, lambda x: axes(x) - diagonal(x)).independent or 0.0

    root = float(optimize.brentq(exact, 0.5, 2.0, xtol=1e-14))
    slope = abs(exact(root + 1e-4) - exact(root - 1e-4)) / 2e-4
    independent = float(optimize.brentq(by_quadrature, root - 0.05, root + 0.05, xtol=1e-9))
    tie = Routes(root, None, independent, independent_error=QUADRATURE / slope)
    return [tie, least_loss(law, AXES)]


def _relative_expectation() -> list[Routes]:
    l1 = float(SAMPLE_L1)
    objective = Objective(l1=l1, reconstruction="relative")
    atoms = frame_atoms(DIAGONAL)
    routes = []
    for name in ("shared", "independent"):
        law = preset(name)

        def loss(gain: float, law: Law = law) -> float:
            sae = Sae(gain * atoms.T, np.zeros(4), atoms, np.zeros(2))
            return expected_loss(law, sae, objective).total

        cost = exact_cost(law, DIAGONAL)
        gain = 1 - l1 * cost / 2
        sae = Sae(gain * atoms.T, np.zeros(4), atoms, np.zeros(2))

        def relative(x: Array, sae: Sae = sae) -> Array:
            squared = np.square(x - sae.reconstruction(x)).sum(axis=1)
            result: Array = squared / (x * x).sum(axis=1) + l1 * sae.activations(x).sum(axis=1)
            return result

        routes.append(
            replace(
                quadrature_route(law, relative),
                exact=loss(gain),
                optimised=least_value(loss, 0.5, 1.0),
            )
        )
    return routes


#: The numeric routes of each claim's quantities, by the claim's id.
LOSS_ROUTES: dict[str, Callable[[], list[Routes]]] = {
    "weight-decay": _weight_decay,
    "onehot-three-quarters": _onehot_three_quarters,
    "relative-expectation": _relative_expectation,
}
