"""Numbers beside the formulas of derivations, each computed another way than it was derived.

A route gets the check's settings and the values drawn for the formula's symbols, by name, and
returns a number. Values that only the route can know, such as a mean activation at a minimum
that it found, it adds to the values.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy import integrate, optimize

from solvers.autoencoders.autoencoder import Sae
from solvers.autoencoders.frames import frame_atoms, frame_sae
from solvers.autoencoders.objective import Objective
from solvers.bounds.radial_bound import lower_bound
from solvers.laws.arrays import law_arrays
from solvers.laws.half_space_moments import pair_moments
from solvers.losses.best_activations import best_activation_loss
from solvers.losses.expected_loss import expected_loss, expected_loss_and_gradient
from solvers.losses.piecewise_loss import piecewise_parts
from solvers.optima.minimize import minimize_loss
from solvers.studies.claims.evidence import exact_cost
from solvers.studies.claims.quadrature import pointwise_gauge, quadrature_expectation
from theory.claims.claim import ProofError
from theory.claims.cost_proofs import SAMPLE_L1, sign_correlated
from theory.claims.loss_proofs import SAMPLE_DECAY
from theory.codes.code import Code
from theory.derivations.derivation import Derivation, Numeric
from theory.laws.law import Law, one_hot_sets
from theory.laws.presets import preset

Values = dict[str, float]
Route = Callable[[tuple[Any, ...], Values], float]

#: Seed of the values at which formulas are compared.
SEED = 20240314
_DRAWS = 3


@dataclass(frozen=True)
class Compared:
    """A formula and a number at the same values.

    Parameters
    ----------
    values : dict of str to float
    derived, computed : float
    """

    values: Values
    derived: float
    computed: float


def run_checks(derivation: Derivation) -> list[tuple[Compared, ...]]:
    """Run every step's check; return what each numeric one compared, and () for the others.

    Raises
    ------
    ProofError
        Naming the derivation and the step, if a check fails.
    """
    outcomes: list[tuple[Compared, ...]] = []
    for number, step in enumerate(derivation.steps, start=1):
        name = derivation.step_name(number)
        if isinstance(step.check, Numeric):
            outcomes.append(compare(step.check, name, SEED + number))
        else:
            if step.check is not None:
                step.check.require(name)
            outcomes.append(())
    return outcomes


def compare(check: Numeric, name: str, seed: int) -> tuple[Compared, ...]:
    """Compare a formula with its route, at random values if it has symbols.

    Raises
    ------
    ProofError
        Naming the step, if the two differ by more than the check's tolerance.
    """
    rng = np.random.default_rng(seed)
    compared = []
    for _ in range(_DRAWS if check.domain else 1):
        drawn = {str(symbol): float(np.round(rng.uniform(*interval), 4))
                 for symbol, interval in check.domain.items()}  # fmt: skip
        values = dict(drawn)
        computed = ROUTES[check.route](check.settings, values)
        formula = sympy.sympify(check.formula)
        at = {symbol: sympy.Float(values[str(symbol)], 25) for symbol in formula.free_symbols}
        derived = float(sympy.N(formula.subs(at), 20))
        if not abs(derived - computed) <= check.tolerance:
            where = ", ".join(f"{key} = {value:.6g}" for key, value in values.items())
            raise ProofError(
                f"{name}: derived {derived:.12g}, but {check.by} gives {computed:.12g}"
                + (f" at {where}" if where else "")
            )
        compared.append(Compared(values, derived, computed))
    return tuple(compared)


def _radians(degrees: float) -> float:
    return float(np.radians(degrees))


def _amplitude(values: Values) -> float:
    return values["A"] if "A" in values else values["a"]


def _least_activation(settings: tuple[Any, ...], values: Values) -> float:
    point = np.full((1, 2), _amplitude(values))
    return _least_total(frame_atoms(_radians(settings[0])), point[0])


def _least_total(atoms: Any, point: Any) -> float:
    found = optimize.linprog(np.ones(len(atoms)), A_eq=atoms.T, b_eq=point)
    if found.fun is None:
        raise ArithmeticError(f"linear programming: {found.message}")
    return float(found.fun)


def _scaled_activation(settings: tuple[Any, ...], values: Values) -> float:
    angle, reading = settings
    gain = values["s"] if reading == "decoder" else values["s"] ** 2
    return _least_total(gain * frame_atoms(_radians(angle)), np.full(2, values["A"]))


def _law(setting: Law | str) -> Law:
    return setting if isinstance(setting, Law) else preset(setting)


def _atoms(setting: Code | float) -> Any:
    """Return the atoms of a code, or of the frame at an angle in degrees."""
    if isinstance(setting, Code):
        return np.array(setting.atoms, dtype=np.float64)
    return frame_atoms(_radians(setting))


def _cost_by_quadrature(settings: tuple[Any, ...], values: Values) -> float:
    law, code = settings
    return quadrature_expectation(_law(law), pointwise_gauge(_atoms(code)))[0]


def _along(law: Law) -> NDArray[np.float64]:
    return np.arange(1.0, law.dimension + 1)


def _mean_along(settings: tuple[Any, ...], values: Values) -> float:
    return float(_along(settings[0]) @ law_arrays(settings[0]).mean)


def _variance_along(settings: tuple[Any, ...], values: Values) -> float:
    arrays, w = law_arrays(settings[0]), _along(settings[0])
    return float(w @ arrays.second_moment @ w - (w @ arrays.mean) ** 2)


def _best_activations_at(settings: tuple[Any, ...], values: Values) -> float:
    law, code, l1 = settings
    atoms = _atoms(code)
    sae = Sae(atoms.T, np.zeros(len(atoms)), atoms, np.zeros(atoms.shape[1]))
    return best_activation_loss(law, sae, Objective(float(l1)))


def _loss_of_frame(settings: tuple[Any, ...], values: Values) -> float:
    law, code = settings
    atoms, l1 = _atoms(code), values["lambda"]
    sae = Sae(atoms.T, np.full(len(atoms), -l1 / 2), atoms, np.zeros(atoms.shape[1]))
    return expected_loss(law, sae, Objective(l1)).total


def _bound_at(settings: tuple[Any, ...], values: Values) -> float:
    law, l1 = settings
    return lower_bound(law, Objective(float(l1)), 4).value


def _cost_of_rotated_code(settings: tuple[Any, ...], values: Values) -> float:
    return exact_cost(preset(settings[0]), values["theta"])


def _variance_split(settings: tuple[Any, ...], values: Values) -> float:
    law = sign_correlated(settings[0], sympy.Rational(str(values["rho"])))
    second = law_arrays(law).second_moment
    return float(second[0, 1] + second[1, 0])


def _onehot(name: str, q: float) -> Law:
    return preset(name, onehot_probability=sympy.Rational(f"{q:.12f}"))


def _cost_with_onehot(settings: tuple[Any, ...], values: Values) -> float:
    name, angle = settings
    return exact_cost(_onehot(name, values["q"]), _radians(angle))


def _tie(difference: Callable[[float], float]) -> float:
    """Return the q at which a difference that is linear in q vanishes."""
    root: float = optimize.brentq(difference, 0.01, 0.99, xtol=1e-12)
    return root


def _tie_of_costs(settings: tuple[Any, ...], values: Values) -> float:
    return _tie(
        lambda q: (
            exact_cost(_onehot(settings[0], q), 0.0)
            - exact_cost(_onehot(settings[0], q), np.pi / 4)
        )
    )


def _tie_in_between(settings: tuple[Any, ...], values: Values) -> float:
    f = sympy.Rational(str(values["f"]))

    def difference(q: float) -> float:
        law = one_hot_sets(magnitude_correlation=f, onehot_probability=sympy.Rational(f"{q:.12f}"))
        return exact_cost(law, 0.0) - exact_cost(law, np.pi / 4)

    return _tie(difference)


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

    def feasible(l1: float) -> bool:
        found = optimize.linprog(
            np.zeros(k), A_ub=np.array(others), b_ub=np.full(len(others), l1 / 2),
            A_eq=first[None] / np.sqrt(k), b_eq=[1.0], bounds=(None, None),
        )  # fmt: skip
        return bool(found.status == 0)

    low, high = 0.0, 4.0
    while high - low > 1e-8:
        middle = (low + high) / 2
        low, high = (low, middle) if feasible(middle) else (middle, high)
    return high


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


def _pointwise(values: Values) -> Any:
    r, l1 = values["r"], values["lambda"]
    return optimize.minimize_scalar(
        lambda f: (r - f) ** 2 + l1 * f, bounds=(0.0, r), method="bounded",
        options={"xatol": 1e-12},
    )  # fmt: skip


def _loss_of_rotated_code(settings: tuple[Any, ...], values: Values) -> float:
    name, angle = settings
    l1 = values["lambda"]
    return expected_loss(preset(name), frame_sae(_radians(angle), l1 / 2), Objective(l1)).total


def _norm_of_reconstruction(settings: tuple[Any, ...], values: Values) -> float:
    name, angle = settings
    sae = frame_sae(_radians(angle), values["lambda"] / 2)
    return piecewise_parts(law_arrays(preset(name)), sae).norm


def _tie_of_losses(settings: tuple[Any, ...], values: Values) -> float:
    l1 = values["lambda"]

    def loss(q: float, angle: float) -> float:
        law = _onehot(settings[0], q)
        return expected_loss(law, frame_sae(angle, l1 / 2), Objective(l1)).total / l1

    return _tie(lambda q: loss(q, 0.0) - loss(q, np.pi / 4))


def _optimised_loss(settings: tuple[Any, ...], values: Values) -> float:
    return minimize_loss(preset(settings[0]), 4, Objective(values["lambda"]), starts=32).total


def _decayed() -> tuple[Sae, tuple[float, ...]]:
    objective = Objective(float(SAMPLE_L1), decoder="free", weight_decay=float(SAMPLE_DECAY))
    best = minimize_loss(preset("shared"), 4, objective, starts=16)
    means = piecewise_parts(law_arrays(preset("shared")), best.sae).activation
    return best.sae, tuple(float(mean) for mean in means)


def _imbalance(settings: tuple[Any, ...], values: Values) -> float:
    sae, means = _decayed()
    values.update({"lambda": float(SAMPLE_L1), "mu": float(SAMPLE_DECAY), "m": means[0]})
    return float((sae.W_dec[0] ** 2).sum() - (sae.W_enc[:, 0] ** 2).sum())


def _decayed_norm(settings: tuple[Any, ...], values: Values) -> float:
    return float(_decayed()[0].decoder_norms.mean())


def _divergence(settings: tuple[Any, ...], values: Values) -> float:
    (k,) = settings
    least = 1e-4
    mass, _ = integrate.quad(lambda r: r ** (k - 3), least, 1.0, limit=400)
    return float(mass * least if k == 1 else mass / np.log(1 / least))


def _best_gain(settings: tuple[Any, ...], values: Values) -> float:
    l1, cost = values["lambda"], values["C"]
    found = optimize.minimize_scalar(lambda a: (1 - a) ** 2 + l1 * a * cost, bounds=(0.0, 1.0),
                                     method="bounded", options={"xatol": 1e-12})  # fmt: skip
    return float(found.x)


def _relative_frame(angle: float, gain: float, bias: float = 0.0) -> Sae:
    atoms = frame_atoms(angle)
    return Sae(gain * atoms.T, np.full(4, bias), atoms, np.zeros(2))


def _relative_loss(settings: tuple[Any, ...], values: Values) -> float:
    # On the first data set the cost at θ is cos θ.
    l1, cost = values["lambda"], values["C"]
    sae = _relative_frame(float(np.arccos(cost)), 1 - l1 * cost / 2)
    return expected_loss(preset(settings[0]), sae, Objective(l1, "relative")).total


def _slope_in_bias(settings: tuple[Any, ...], values: Values) -> float:
    l1, cost, step = values["lambda"], 2 * np.sqrt(2) / 3, 1e-7
    law, objective = preset("independent"), Objective(l1, "relative")
    gain = 1 - l1 * cost / 2
    at_0, at_step = (
        expected_loss(law, _relative_frame(np.pi / 4, gain, bias), objective).total
        for bias in (0.0, step)
    )
    return (at_step - at_0) / step


def _triangle(settings: tuple[Any, ...], values: Values) -> float:
    (moments,) = pair_moments(np.array([[[1.0, -1.0, -1.0]]]))[0, 0, :, 0][None]
    # 1, u1, u2, u1², u1 u2, u2²: the upper triangle of ũ ũᵀ, row by row.
    return float(moments[3])


def _gradient_error(settings: tuple[Any, ...], values: Values) -> float:
    rng = np.random.default_rng(SEED)
    law, objective, step = preset("independent"), Objective(0.2), 1e-5
    shapes = ((2, 4), (4,), (4, 2), (2,))
    arrays = [rng.normal(size=shape) for shape in shapes]
    ways = [rng.normal(size=shape) for shape in shapes]

    def moved(sign: float) -> float:
        W_enc, b_enc, W_dec, b_dec = (
            a + sign * step * w for a, w in zip(arrays, ways, strict=True)
        )
        return expected_loss(law, Sae(W_enc, b_enc, W_dec, b_dec), objective).total

    W_enc, b_enc, W_dec, b_dec = arrays
    sae = Sae(W_enc, b_enc, W_dec, b_dec)
    gradient = expected_loss_and_gradient(law, sae, objective).gradient
    along = sum(float(np.vdot(g, w)) for g, w in zip(gradient, ways, strict=True))
    return along - (moved(1.0) - moved(-1.0)) / (2 * step)


#: What checks name.
ROUTES: dict[str, Route] = {
    "least activation": _least_activation,
    "scaled activation": _scaled_activation,
    "cost by quadrature": _cost_by_quadrature,
    "mean along": _mean_along,
    "variance along": _variance_along,
    "best activations at": _best_activations_at,
    "loss of a frame": _loss_of_frame,
    "bound at": _bound_at,
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
    "best activation": lambda settings, values: float(_pointwise(values).x),
    "least pointwise loss": lambda settings, values: float(_pointwise(values).fun),
    "loss of a rotated code": _loss_of_rotated_code,
    "norm of the reconstruction": _norm_of_reconstruction,
    "tie of the losses": _tie_of_losses,
    "lower bound": lambda settings, values: (
        lower_bound(preset(settings[0]), Objective(values["lambda"]), 4).value
    ),
    "optimised loss": _optimised_loss,
    "imbalance at a minimum": _imbalance,
    "decayed decoder norm": _decayed_norm,
    "divergence at the origin": _divergence,
    "best gain": _best_gain,
    "relative loss of a frame": _relative_loss,
    "slope in a common bias": _slope_in_bias,
    "moment of a triangle": _triangle,
    "gradient error": _gradient_error,
}
