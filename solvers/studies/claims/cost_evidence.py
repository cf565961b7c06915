"""The numbers beside the symbolic values of the claims about codes and their costs."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import sympy
from scipy import optimize

from solvers.autoencoders.autoencoder import Sae
from solvers.autoencoders.frames import frame_atoms, frame_sae
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import law_arrays
from solvers.losses.expected_loss import expected_loss
from solvers.optima.minimize import minimize_loss
from solvers.optima.search import Search
from solvers.studies.claims.evidence import (
    AXES,
    DIAGONAL,
    STARTS,
    STARTS_AT_LARGE_L1,
    Array,
    Routes,
    direction,
    exact_cost,
    least_loss,
    least_value,
    quadrature_route,
)
from solvers.studies.claims.quadrature import (
    Pointwise,
    pointwise_gauge,
    quadrature_expectation,
)
from theory.claims.cost_proofs import (
    POST_ONEHOT,
    SAMPLE_AMPLITUDES,
    SAMPLE_NORM,
    best_rhombic_angle,
)
from theory.claims.data_proofs import SAMPLE_CORRELATION, sign_correlated
from theory.claims.loss_proofs import SAMPLE_L1S
from theory.exact.symbols import AMPLITUDE, NORM
from theory.laws.law import Component, Law
from theory.laws.one_hot_sets import one_hot_sets
from theory.laws.presets import preset, shared_amplitudes


def _two_dimensional() -> list[Routes]:
    law = preset("shared")
    (segments,) = law_arrays(law).groups
    second = np.einsum(
        "cdk,kl,cel->cde", segments.affine, segments.moments, segments.affine
    )  # E x xᵀ on each component

    def off_lines(angle: float) -> float:
        normals = direction(angle), direction(angle + np.pi / 2)
        off = [np.einsum("d,cde,e->c", w, second, w) for w in normals]
        return float(segments.probability @ np.minimum(*off))

    def nearer(x: Array) -> Array:
        return np.minimum((x[:, 0] - x[:, 1]) ** 2, (x[:, 0] + x[:, 1]) ** 2) / 2

    independent = quadrature_route(law, nearer)
    best = least_value(off_lines, 0.0, np.pi / 2)
    return [replace(independent, exact=off_lines(DIAGONAL), optimised=best)]


def _total(angle: float, gain: float) -> Routes:
    """Return the least total activation for (A, A) with atoms of norm `gain`."""
    a = SAMPLE_NORM[AMPLITUDE]
    point = Law(
        (
            Component(
                sympy.Integer(1), sympy.ImmutableMatrix(2, 0, []), sympy.ImmutableMatrix([a, a])
            ),
        ),
        "point (A, A)",
    )
    atoms = gain * frame_atoms(angle)
    sae = Sae(np.linalg.pinv(atoms) * 2, np.zeros(4), atoms, np.zeros(2))
    loss = expected_loss(point, sae, Objective(l1=0.0))
    target = np.full(2, float(a))
    programme = optimize.linprog(np.ones(4), A_eq=atoms.T, b_eq=target)
    return Routes(
        # Only a total that reconstructs counts.
        exact=loss.l1 if loss.reconstruction < 1e-14 else np.nan,
        optimised=float(programme.fun or np.nan),
        independent=float(pointwise_gauge(atoms)(target[None])[0]),
    )


def _gains() -> tuple[float, float]:
    s = float(SAMPLE_NORM[NORM])
    return s, s * s


def _axis_aligned_total() -> list[Routes]:
    decoder, both = _gains()
    return [_total(AXES, both), _total(AXES, decoder)]


def _diagonal_total() -> list[Routes]:
    decoder, both = _gains()
    return [_total(DIAGONAL, both), _total(DIAGONAL, decoder)]


def _ratio() -> list[Routes]:
    return [_quotient(_total(AXES, gain), _total(DIAGONAL, gain)) for gain in _gains()]


def _quotient(top: Routes, bottom: Routes) -> Routes:
    def divided(a: float | None, b: float | None) -> float | None:
        return None if a is None or b is None else a / b

    return Routes(
        divided(top.exact, bottom.exact),
        divided(top.optimised, bottom.optimised),
        divided(top.independent, bottom.independent),
    )


def _lower_loss_first() -> list[Routes]:
    axes, diagonal = (pointwise_gauge(frame_atoms(angle)) for angle in (AXES, DIAGONAL))
    routes = []
    for amplitudes in SAMPLE_AMPLITUDES:
        law = shared_amplitudes(amplitudes)
        on_axes = exact_cost(law, AXES)
        least = least_value(partial(exact_cost, law), 0.0, np.pi / 2)
        routes.append(
            replace(
                quadrature_route(law, lambda x: axes(x) - diagonal(x)),
                exact=on_axes - exact_cost(law, DIAGONAL),
                optimised=on_axes - least,
            )
        )
    return routes


def _principal_components(name: str) -> list[Routes]:
    law, correlated = preset(name), sign_correlated(name, SAMPLE_CORRELATION)

    def variance(of: Law, angle: float) -> float:
        w = direction(angle)
        return float(w @ law_arrays(of).second_moment @ w)

    def product(i: int, j: int) -> Pointwise:
        return lambda x: x[:, i] * x[:, j]

    def extremes(function: Callable[[float], float]) -> tuple[float, float]:
        low = least_value(function, -np.pi / 8, 7 * np.pi / 8)
        return low, -least_value(lambda angle: -function(angle), -np.pi / 8, 7 * np.pi / 8)

    eigenvalues = np.linalg.eigvalsh(law_arrays(law).second_moment)
    least, most = extremes(lambda angle: variance(law, angle))
    moments = [quadrature_expectation(law, product(i, j)) for i, j in ((0, 0), (0, 1), (1, 1))]
    xx, xy, yy = (value for value, _ in moments)
    by_quadrature = np.linalg.eigvalsh(np.array([[xx, xy], [xy, yy]]))
    isotropy = Routes(
        float(eigenvalues[-1] / eigenvalues[0]),
        most / least,
        float(by_quadrature[-1] / by_quadrature[0]),
        independent_error=sum(error for _, error in moments) / xx,
    )

    least, most = extremes(lambda angle: variance(correlated, angle))
    split = replace(
        quadrature_route(correlated, lambda x: 2 * x[:, 0] * x[:, 1]),
        exact=variance(correlated, DIAGONAL) - variance(correlated, -DIAGONAL),
        optimised=most - least,
    )

    def cumulant(angle: float) -> float:
        return _fourth_moment(law, angle) - 3 * variance(law, angle) ** 2

    least, most = extremes(cumulant)
    # Both directions have the variance E x², so only fourth moments differ.
    fourth = quadrature_route(law, lambda x: (x[:, 0] + x[:, 1]) ** 4 / 4 - x[:, 0] ** 4)
    excess = replace(fourth, exact=cumulant(DIAGONAL) - cumulant(AXES), optimised=most - least)
    return [isotropy, split, excess]


def _fourth_moment(law: Law, angle: float) -> float:
    """Return E⟨x, w⟩⁴ by the three-point Gauss rule, exact up to degree 5 in each u."""
    nodes, weights = np.polynomial.legendre.leggauss(3)
    nodes, weights = (nodes + 1) / 2, weights / 2
    total = 0.0
    for cubes in law_arrays(law).groups:
        k = cubes.cube_dimension
        grid = np.stack(np.meshgrid(*[nodes] * k, indexing="ij"), axis=-1).reshape(-1, k)
        weight = np.prod(np.meshgrid(*[weights] * k, indexing="ij"), axis=0).ravel()
        along = np.einsum("cdk,d->ck", cubes.affine, direction(angle))
        values = (along[:, :1] + along[:, 1:] @ grid.T) ** 4
        total += float(cubes.probability @ values @ weight)
    return total


def _principal_components_first() -> list[Routes]:
    return _principal_components("shared")


def _principal_components_second() -> list[Routes]:
    return _principal_components("independent")


def _lower_loss_second() -> list[Routes]:
    law = preset("independent")

    def cost(angle: float) -> float:
        return exact_cost(law, angle)

    diagonal = replace(
        quadrature_route(law, pointwise_gauge(frame_atoms(DIAGONAL))),
        exact=cost(DIAGONAL),
        optimised=least_value(cost, 0.0, np.pi / 2),
    )
    axes = replace(
        quadrature_route(law, pointwise_gauge(frame_atoms(AXES))),
        exact=cost(AXES),
        optimised=-least_value(lambda angle: -cost(angle), -np.pi / 4, np.pi / 4),
    )
    return [diagonal, axes, least_loss(law, DIAGONAL)]


def _true_features() -> list[Routes]:
    # In between the best rotation is not the diagonal, so the tie is no optimiser's answer.
    ties = [_tie(1.0), _tie(0.0), _tie(0.5, optimised=False)]
    third = preset("independent", onehot_probability=POST_ONEHOT)
    return [*ties, least_loss(third, AXES)]


def _tie(magnitude_correlation: float, optimised: bool = True) -> Routes:
    """Return the one-hot probability at which axes and diagonals tie; costs are linear in q."""
    both, alone = (
        preset("independent", magnitude_correlation=magnitude_correlation, onehot_probability=q)
        for q in (0, 1)
    )

    def mixed(q: float, angle: float) -> float:
        return (1 - q) * exact_cost(both, angle) + q * exact_cost(alone, angle)

    def advantage(q: float) -> float:
        return mixed(q, AXES) - mixed(q, DIAGONAL)

    def best_advantage(q: float) -> float:
        near_axes = least_value(lambda angle: mixed(q, angle), -np.pi / 8, np.pi / 8)
        near_diagonal = least_value(lambda angle: mixed(q, angle), np.pi / 8, 3 * np.pi / 8)
        return near_axes - near_diagonal

    axes, diagonal = (pointwise_gauge(frame_atoms(angle)) for angle in (AXES, DIAGONAL))
    at_0, at_1 = (quadrature_route(law, lambda x: axes(x) - diagonal(x)) for law in (both, alone))
    saved, lost = at_0.independent or 0.0, at_1.independent or 0.0
    return Routes(
        float(optimize.brentq(advantage, 0.0, 1.0, xtol=1e-14)),
        float(optimize.brentq(best_advantage, 0.0, 1.0, xtol=1e-11)) if optimised else None,
        saved / (saved - lost),
        independent_error=(at_0.independent_error + at_1.independent_error) / abs(saved - lost),
    )


def _global_optimum() -> list[Routes]:
    law = preset("shared")
    routes = []
    for value in SAMPLE_L1S:
        l1 = float(value)

        def bound(x: Array, l1: float = l1) -> Array:
            r = np.linalg.norm(x, axis=1)
            t = np.maximum(r - l1 / 2, 0.0)
            loss: Array = (r - t) ** 2 + l1 * t
            return loss

        objective = Objective(l1=l1)
        starts = STARTS_AT_LARGE_L1 if value == 2 else STARTS
        routes.append(
            replace(
                quadrature_route(law, bound),
                exact=expected_loss(law, frame_sae(DIAGONAL, l1 / 2), objective).total,
                optimised=minimize_loss(law, 4, objective, Search(starts, limit=starts)).total,
            )
        )
    return routes


def _in_between() -> list[Routes]:
    whole = preset("independent", magnitude_correlation="1/2")
    # By symmetry one quadrant says it all: max(x/cos φ, y/sin φ) = x/cos φ + (y/sin φ - x/cos φ)₊
    # is the sum of two activations, so the exact solver has its mean.
    quadrant = one_hot_sets((1, 1), magnitude_correlation="1/2")

    def cost(angle: float) -> float:
        first, second = 1 / np.cos(angle), 1 / np.sin(angle)
        W_enc = [[first, -first], [0.0, second]]
        sae = Sae(W_enc, np.zeros(2), np.zeros((2, 2)), np.zeros(2))
        return expected_loss(quadrant, sae, Objective(l1=0.0)).l1

    def gauge(angle: float) -> Pointwise:
        x, y = np.cos(angle), np.sin(angle)
        return pointwise_gauge([[x, y], [x, -y], [-x, y], [-x, -y]])

    best = float(best_rhombic_angle(sympy.Rational(1, 2)))
    least = least_value(cost, np.pi / 8, 3 * np.pi / 8)
    return [
        replace(quadrature_route(whole, gauge(best)), exact=cost(best), optimised=least),
        replace(quadrature_route(whole, gauge(DIAGONAL)), exact=cost(DIAGONAL)),
    ]


#: The numeric routes of each claim's quantities, by the claim's id.
ROUTES: dict[str, Callable[[], list[Routes]]] = {
    "two-dimensional": _two_dimensional,
    "axis-aligned-total": _axis_aligned_total,
    "diagonal-total": _diagonal_total,
    "ratio": _ratio,
    "lower-loss-first": _lower_loss_first,
    "principal-components-first": _principal_components_first,
    "principal-components-second": _principal_components_second,
    "lower-loss-second": _lower_loss_second,
    "true-features": _true_features,
    "global-optimum": _global_optimum,
    "in-between": _in_between,
}
