"""Routes to the numbers of derivations about losses; what a route is says `derivation_costs`."""

from typing import Any

import numpy as np
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
from solvers.optima.search import Search
from solvers.studies.claims.derivation_costs import Route, Values, atoms_of, law_of, onehot, tie
from theory.claims.cost_proofs import SAMPLE_L1
from theory.claims.loss_proofs import SAMPLE_DECAY
from theory.laws.presets import preset

_SEED = 20240314


def _best_activations_at(settings: tuple[Any, ...], values: Values) -> float:
    law, code, l1 = settings
    atoms = atoms_of(code)
    sae = Sae(atoms.T, np.zeros(len(atoms)), atoms, np.zeros(atoms.shape[1]))
    return best_activation_loss(law, sae, Objective(float(l1)))


def _loss_of_frame(settings: tuple[Any, ...], values: Values) -> float:
    law, code = settings
    atoms, l1 = atoms_of(code), values["lambda"]
    sae = Sae(atoms.T, np.full(len(atoms), -l1 / 2), atoms, np.zeros(atoms.shape[1]))
    return expected_loss(law_of(law), sae, Objective(l1)).total


def _bound(settings: tuple[Any, ...], values: Values) -> float:
    law, *l1 = settings
    penalty = float(l1[0]) if l1 else values["lambda"]
    return lower_bound(law_of(law), Objective(penalty), 4).value


def _pointwise(values: Values) -> Any:
    r, l1 = values["r"], values["lambda"]
    return optimize.minimize_scalar(
        lambda f: (r - f) ** 2 + l1 * f, bounds=(0.0, r), method="bounded",
        options={"xatol": 1e-12},
    )  # fmt: skip


def _norm_of_reconstruction(settings: tuple[Any, ...], values: Values) -> float:
    name, angle = settings
    sae = frame_sae(np.radians(angle), values["lambda"] / 2)
    return piecewise_parts(law_arrays(preset(name)), sae).norm


def _tie_of_losses(settings: tuple[Any, ...], values: Values) -> float:
    l1 = values["lambda"]

    def loss(q: float, angle: float) -> float:
        law = onehot(settings[0], q)
        return expected_loss(law, frame_sae(angle, l1 / 2), Objective(l1)).total / l1

    return tie(lambda q: loss(q, 0.0) - loss(q, np.pi / 4))


def _optimised_loss(settings: tuple[Any, ...], values: Values) -> float:
    return minimize_loss(
        preset(settings[0]), 4, Objective(values["lambda"]), Search(32, limit=32)
    ).total


def _decayed() -> tuple[Sae, tuple[float, ...]]:
    objective = Objective(float(SAMPLE_L1), decoder="free", weight_decay=float(SAMPLE_DECAY))
    best = minimize_loss(preset("shared"), 4, objective, Search(16, limit=16))
    means = piecewise_parts(law_arrays(preset("shared")), best.sae).activation
    return best.relu, tuple(float(mean) for mean in means)


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
    rng = np.random.default_rng(_SEED)
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
LOSS_ROUTES: dict[str, Route] = {
    "best activations at": _best_activations_at,
    "loss of a frame": _loss_of_frame,
    "best activation": lambda settings, values: float(_pointwise(values).x),
    "least pointwise loss": lambda settings, values: float(_pointwise(values).fun),
    "norm of the reconstruction": _norm_of_reconstruction,
    "tie of the losses": _tie_of_losses,
    "lower bound": _bound,
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
