"""Routes to the numbers of derivations about the data and what codes cost.

A route gets the check's settings and the values drawn for the formula's symbols, by name, and
returns a number. Values that only the route can know, such as a mean activation at a minimum
that it found, it adds to the values.
"""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy import integrate, optimize

from solvers.autoencoders.autoencoder import Sae
from solvers.autoencoders.frames import frame_atoms
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import law_arrays
from solvers.losses.best_activations import best_activation_loss
from solvers.studies.claims.evidence import exact_cost
from solvers.studies.claims.quadrature import pointwise_gauge, quadrature_expectation
from theory.claims.data_proofs import sign_correlated
from theory.codes.code import Code
from theory.laws.law import Law
from theory.laws.one_hot_sets import one_hot_sets
from theory.laws.presets import preset

Values = dict[str, float]
Route = Callable[[tuple[Any, ...], Values], float]


def _radians(degrees: float) -> float:
    return float(np.radians(degrees))


def _amplitude(values: Values) -> float:
    return values["A"] if "A" in values else values["a"]


def _least_activation(settings: tuple[Any, ...], values: Values) -> float:
    point = np.full((1, 2), _amplitude(values))
    return _least_total(frame_atoms(_radians(settings[0])), point[0])


def _least_total(atoms: Any, point: Any) -> float:
    return _optimum_of(optimize.linprog(np.ones(len(atoms)), A_eq=atoms.T, b_eq=point))


def _optimum_of(found: optimize.OptimizeResult) -> float:
    if found.fun is None:
        raise ArithmeticError(f"linear programming: {found.message}")
    return float(found.fun)


def _scaled_activation(settings: tuple[Any, ...], values: Values) -> float:
    angle, reading = settings
    gain = values["s"] if reading == "decoder" else values["s"] ** 2
    return _least_total(gain * frame_atoms(_radians(angle)), np.full(2, values["A"]))


def law_of(setting: Law | str) -> Law:
    """Return a law, or the preset of a name."""
    return setting if isinstance(setting, Law) else preset(setting)


def atoms_of(setting: Code | float) -> Any:
    """Return the atoms of a code, or of the frame at an angle in degrees."""
    if isinstance(setting, Code):
        return np.array(setting.atoms, dtype=np.float64)
    return frame_atoms(_radians(setting))


def _cost_by_quadrature(settings: tuple[Any, ...], values: Values) -> float:
    law, code, *unit = settings
    gauge = pointwise_gauge(atoms_of(code))
    return quadrature_expectation(law_of(law), gauge, tolerance=1e-8 * sum(unit or [1.0]))[0]


def _along(law: Law) -> NDArray[np.float64]:
    return np.arange(1.0, law.dimension + 1)


def _mean_along(settings: tuple[Any, ...], values: Values) -> float:
    return float(_along(settings[0]) @ law_arrays(settings[0]).mean)


def _variance_along(settings: tuple[Any, ...], values: Values) -> float:
    arrays, w = law_arrays(settings[0]), _along(settings[0])
    return float(w @ arrays.second_moment @ w - (w @ arrays.mean) ** 2)


def _cost_of_rotated_code(settings: tuple[Any, ...], values: Values) -> float:
    return exact_cost(preset(settings[0]), values["theta"])


def _variance_split(settings: tuple[Any, ...], values: Values) -> float:
    law = sign_correlated(settings[0], sympy.Rational(str(values["rho"])))
    second = law_arrays(law).second_moment
    return float(second[0, 1] + second[1, 0])


def onehot(name: str, q: float) -> Law:
    """Return a preset with a one-hot probability."""
    return preset(name, onehot_probability=sympy.Rational(f"{q:.12f}"))


def _cost_with_onehot(settings: tuple[Any, ...], values: Values) -> float:
    name, angle = settings
    return exact_cost(onehot(name, values["q"]), _radians(angle))


def tie(difference: Callable[[float], float]) -> float:
    """Return the q at which a difference that is linear in q vanishes."""
    root: float = optimize.brentq(difference, 0.01, 0.99, xtol=1e-12)
    return root


def _tie_of_costs(settings: tuple[Any, ...], values: Values) -> float:
    return tie(
        lambda q: (
            exact_cost(onehot(settings[0], q), 0.0) - exact_cost(onehot(settings[0], q), np.pi / 4)
        )
    )


def _tie_in_between(settings: tuple[Any, ...], values: Values) -> float:
    f = sympy.Rational(str(values["f"]))

    def difference(q: float) -> float:
        law = one_hot_sets(magnitude_correlation=f, onehot_probability=sympy.Rational(f"{q:.12f}"))
        return exact_cost(law, 0.0) - exact_cost(law, np.pi / 4)

    return tie(difference)


def _cost_of_pairs(settings: tuple[Any, ...], values: Values) -> float:
    """Half the least activation at a corner, by linear programming: amplitudes are shared."""
    k, code = settings
    corners = np.array(list(product((-1.0, 1.0), repeat=k)))
    atoms = np.vstack([np.eye(k), -np.eye(k)]) if code == "axes" else corners / np.sqrt(k)
    return float(np.mean([_least_total(atoms, corner) for corner in corners])) / 2


def _encoder_of_corners(settings: tuple[Any, ...], values: Values) -> float:
    """Return the least λ at which one latent can have a corner's ray to itself, by bisection."""
    (k,) = settings
    first, *others = np.array(list(product((1.0, -1.0), repeat=k)))
    # The unknowns are w and the least excess e: w·y ≤ λ/2 + e for every other corner y.
    rows = np.column_stack([np.array(others), -np.ones(len(others))])
    along = np.append(first / np.sqrt(k), 0.0)[None]

    def excess(l1: float) -> float:
        found = optimize.linprog(
            np.append(np.zeros(k), 1.0), A_ub=rows, b_ub=np.full(len(others), l1 / 2),
            A_eq=along, b_eq=[1.0], bounds=(None, None),
        )  # fmt: skip
        return _optimum_of(found)

    least: float = optimize.bisect(excess, 0.0, 4.0, xtol=1e-8)
    return least


def _cost_of_independent_pairs(settings: tuple[Any, ...], values: Values) -> float:
    (k,) = settings

    def largest(u: NDArray[np.float64]) -> NDArray[np.float64]:
        cost: NDArray[np.float64] = np.sqrt(k) * u.max(axis=1)
        return cost

    found = integrate.cubature(largest, np.zeros(k), np.ones(k), atol=1e-6, rtol=0.0)
    return float(found.estimate)


def _rhombic_atoms(phi: float) -> Any:
    c, s = np.cos(phi), np.sin(phi)
    return np.array([[c, s], [-c, s], [-c, -s], [c, -s]])


def _cost_of_rhombic_code(settings: tuple[Any, ...], values: Values) -> float:
    law = one_hot_sets(magnitude_correlation=sympy.Rational(str(values["f"])))
    gauge = pointwise_gauge(_rhombic_atoms(values["phi"]))
    return quadrature_expectation(law, gauge)[0]


def _best_rhombic_angle(settings: tuple[Any, ...], values: Values) -> float:
    law = one_hot_sets(magnitude_correlation=sympy.Rational(1, 2))
    small = Objective(l1=1e-5)

    def loss(phi: float) -> float:
        atoms = _rhombic_atoms(phi)
        return best_activation_loss(law, Sae(atoms.T, np.zeros(4), atoms, np.zeros(2)), small)

    found = optimize.minimize_scalar(loss, bounds=(0.7, 0.85), method="bounded",
                                     options={"xatol": 1e-9})  # fmt: skip
    return float(np.degrees(found.x))


#: What checks name.
COST_ROUTES: dict[str, Route] = {
    "least activation": _least_activation,
    "scaled activation": _scaled_activation,
    "cost by quadrature": _cost_by_quadrature,
    "mean along": _mean_along,
    "variance along": _variance_along,
    "cost of a rotated code": _cost_of_rotated_code,
    "variance split": _variance_split,
    "cost with one-hot probability": _cost_with_onehot,
    "tie of the costs": _tie_of_costs,
    "tie of the costs in between": _tie_in_between,
    "cost of pairs": _cost_of_pairs,
    "encoder of corners": _encoder_of_corners,
    "cost of independent pairs": _cost_of_independent_pairs,
    "cost of a rhombic code": _cost_of_rhombic_code,
    "best rhombic angle": _best_rhombic_angle,
}
