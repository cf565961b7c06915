"""The numbers beside the claims about composing under l0, TopK and Matryoshka prefixes.

The SAEs that theory speaks of, as weights: rotated frames with hard thresholds, frames of which
TopK keeps k latents, and frames that b_dec moves.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from scipy import optimize

from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.architectures import JumpReluSae, TopKSae
from solvers.autoencoders.autoencoder import Sae
from solvers.autoencoders.frames import frame_atoms, frame_sae
from solvers.autoencoders.objective import Objective
from solvers.losses.expected_loss import expected_loss
from solvers.optima.best_known import best_known
from solvers.optima.minimize import minimize_loss
from solvers.optima.search import Search
from solvers.runtime.arguments import checked
from solvers.studies.claims.evidence import (
    AXES,
    DIAGONAL,
    QUADRATURE,
    STARTS,
    Array,
    Routes,
    direction,
    least_value,
)
from solvers.studies.claims.quadrature import Pointwise, quadrature_expectation
from theory.claims.composing import (
    SAMPLE_ANGLES,
    SAMPLE_HEIGHT,
    SAMPLE_HEIGHTS,
    SAMPLE_ONEHOT,
)
from theory.claims.cost_proofs import SAMPLE_L1
from theory.exact.symbols import PHI, THETA
from theory.laws.law import Law
from theory.laws.presets import preset
from theory.losses.prefixes import PREFIXES, prefix_counts

_NAMES = ("shared", "independent")
# Of segments, unlike of squares, a finer quadrature costs nothing.
_FINER = 1e-10
# Starts of the JumpReLU search, among them the law's codes.
_JUMP_STARTS = 4
_RECONSTRUCTION = Objective(l1=0.0, prefixes=PREFIXES)


@checked
def hard_threshold_frame(angle: float, height: float) -> JumpReluSae:
    """Return the frame at an angle with f = u·x where u·x > height.

    Examples
    --------
    >>> hard_threshold_frame(0.0, 0.5).activations([[2.0, 0.4]]).tolist()
    [[2.0, 0.0, 0.0, 0.0]]
    """
    return JumpReluSae(frame_sae(angle), np.full(4, height))


@checked
def top_k_frame(angle: float, k: int) -> TopKSae:
    """Return the frame at an angle, of which the k largest projections are kept.

    Examples
    --------
    >>> top_k_frame(0.0, 1).activations([[2.0, 0.4]]).tolist()
    [[2.0, 0.0, 0.0, 0.0]]
    """
    return TopKSae(frame_sae(angle), k)


@checked
def shifted_frame(angle: float, shift: float) -> Sae:
    """Return the frame with its first axis at an angle that b_dec has moved; see theory's words.

    The first latent keeps all of u·x while ‖x‖ < 2, the second v·x from -shift on, the third what
    is left; the fourth never fires there.

    Examples
    --------
    >>> sae = shifted_frame(0.0, 0.25)
    >>> sae.reconstruction([[-1.0, 0.5]]).tolist(), sae.activations([[-1.0, 0.5]]).tolist()
    ([[-1.0, 0.5]], [[1.0, 0.75, 0.0, 0.0]])
    """
    plus, minus, up, down = frame_atoms(angle)
    atoms = np.array([plus, up, down, minus])
    return Sae(atoms.T, [2.0, shift, -shift, -2.0], atoms, -2.0 * plus - shift * up)


@checked
def prefix_frame(angle: float, l1: float) -> Sae:
    """Return the frame with thresholds λ/(2 n_i), n_i the number of prefixes that hold latent i.

    Examples
    --------
    >>> prefix_frame(0.0, 0.6).b_enc.round(2).tolist()
    [-0.1, -0.15, -0.3, -0.3]
    """
    atoms = frame_atoms(angle)
    counts = np.array(prefix_counts(PREFIXES, len(atoms)))
    return Sae(atoms.T, -l1 / (2 * counts), atoms, np.zeros(2))


def _by_quadrature(law: Law, function: Pointwise) -> Routes:
    """Return the independent route alone, to be completed with `replace`."""
    segments = all(part.cube_dimension <= 1 for part in law.every_component)
    tolerance = _FINER if segments else QUADRATURE
    value, error = quadrature_expectation(law, function, tolerance=tolerance)
    return Routes(None, None, value, error)


def _l0_loss(law: Law, angle: float, height: float) -> float:
    objective = Objective(l1=0.0, l0=height**2)
    return expected_loss(law, hard_threshold_frame(angle, height), objective).total


def _least_of_l0(angle: float, height: float) -> Pointwise:
    """Return x ↦ the least over which latents fire of error plus λ₀ for each, by enumeration."""
    u, v = direction(angle), direction(angle + np.pi / 2)

    def loss(x: Array) -> Array:
        costs = [np.minimum((x @ axis) ** 2, height**2) for axis in (u, v)]
        total: Array = costs[0] + costs[1]
        return total

    return loss


def _l0_optimum() -> list[Routes]:
    law, routes = preset("shared"), []
    for value in SAMPLE_HEIGHTS:
        height = float(value)

        def bound(x: Array, height: float = height) -> Array:
            least: Array = np.minimum((x * x).sum(axis=1), height**2)
            return least

        search = Search(_JUMP_STARTS, limit=_JUMP_STARTS)
        best = best_known(
            law, 4, Objective(l1=0.0, l0=height**2), search, architecture=Architecture("jumprelu")
        )
        routes.append(
            replace(
                _by_quadrature(law, bound),
                exact=_l0_loss(law, DIAGONAL, height),
                optimised=best.total,
            )
        )
    return routes


def _l0_rotations() -> list[Routes]:
    height, routes = float(SAMPLE_HEIGHT), []
    for name in _NAMES:
        loss = partial(_l0_loss, preset(name), height=height)

        def gain(angle: float, loss: Callable[[float], float] = loss) -> float:
            return -loss(angle)

        extremes = (
            least_value(loss, 0.0, np.pi / 2),
            -least_value(gain, -np.pi / 4, np.pi / 4),
        )
        for angle, found in zip((DIAGONAL, AXES), extremes, strict=True):
            pointwise = _least_of_l0(angle, height)
            routes.append(
                replace(
                    _by_quadrature(preset(name), pointwise),
                    exact=loss(angle),
                    optimised=found,
                )
            )
    return routes


def _tie(
    magnitude_correlation: float,
    loss: Callable[[Law, float], float],
    pointwise: Callable[[float], Pointwise],
) -> Routes:
    """Return the one-hot probability at which axes and diagonals tie; losses are linear in q."""
    both, alone = (
        preset("independent", magnitude_correlation=magnitude_correlation, onehot_probability=q)
        for q in (0, 1)
    )

    def advantage(q: float) -> float:
        together, apart = (loss(law, AXES) - loss(law, DIAGONAL) for law in (both, alone))
        return (1 - q) * together + q * apart

    axes, diagonal = pointwise(AXES), pointwise(DIAGONAL)
    at_0, at_1 = (_by_quadrature(law, lambda x: axes(x) - diagonal(x)) for law in (both, alone))
    saved, lost = at_0.independent or 0.0, at_1.independent or 0.0
    together, apart = advantage(0.0), advantage(1.0)
    return Routes(
        together / (together - apart),
        float(optimize.brentq(advantage, 0.0, 1.0, xtol=1e-14)),
        saved / (saved - lost),
        independent_error=(at_0.independent_error + at_1.independent_error) / abs(saved - lost),
    )


def _l0_persistence() -> list[Routes]:
    height = float(SAMPLE_HEIGHT)
    return [
        _tie(f, lambda law, angle: _l0_loss(law, angle, height),
             lambda angle: _least_of_l0(angle, height))
        for f in (1.0, 0.0, 0.5)
    ]  # fmt: skip


def _top_k_loss(law: Law, angle: float, k: int = 1) -> float:
    return expected_loss(law, top_k_frame(angle, k), Objective(l1=0.0)).total


def _one_term(angle: float) -> Pointwise:
    """Return x ↦ the least error that one atom of the frame leaves."""
    atoms = frame_atoms(angle)

    def loss(x: Array) -> Array:
        kept = np.maximum(x @ atoms.T, 0.0)
        errors = np.square(x[:, None] - kept[:, :, None] * atoms).sum(axis=2)
        least: Array = errors.min(axis=1)
        return least

    return loss


def _topk_one() -> list[Routes]:
    routes = []
    for name, angle, sign in (
        ("independent", DIAGONAL, 1),
        ("independent", AXES, -1),
        ("shared", DIAGONAL, 1),
    ):
        law = preset(name)

        def signed(at: float, law: Law = law, sign: int = sign) -> float:
            return sign * _top_k_loss(law, at)

        routes.append(
            replace(
                _by_quadrature(law, _one_term(angle)),
                exact=_top_k_loss(law, angle),
                optimised=sign * least_value(signed, angle - np.pi / 8, angle + np.pi / 8),
            )
        )
    routes.append(_tie(0.5, _top_k_loss, _one_term))
    onehot = preset("shared", onehot_probability=SAMPLE_ONEHOT)
    q = float(SAMPLE_ONEHOT)
    best = float(np.arctan2(2 * (1 - q), q)) / 2
    least = least_value(partial(_top_k_loss, onehot), 0.0, np.pi / 4)
    return [*routes, replace(_by_quadrature(onehot, _one_term(best)),
                             exact=_top_k_loss(onehot, best), optimised=least)]  # fmt: skip


@checked
def oblique_pairs(one: float, other: float) -> TopKSae:
    """Return atoms at two angles and their negatives, read by the dual basis, k = 2.

    Examples
    --------
    >>> oblique_pairs(0.1, 1.2).reconstruction([[3.0, -4.0]]).round(12).tolist()
    [[3.0, -4.0]]
    """
    first, second = direction(one), direction(other)
    dual = np.linalg.inv(np.array([first, second]))
    reads = np.column_stack([dual[:, 0], -dual[:, 0], dual[:, 1], -dual[:, 1]])
    atoms = np.array([first, -first, second, -second])
    return TopKSae(Sae(reads, np.zeros(4), atoms, np.zeros(2)), 2)


def _topk_two() -> list[Routes]:
    one, other = (float(SAMPLE_ANGLES[symbol]) for symbol in (THETA, PHI))
    sae, routes = oblique_pairs(one, other), []

    def error(x: Array) -> Array:
        squared: Array = np.square(x - sae.reconstruction(x)).sum(axis=1)
        return squared

    for name in _NAMES:
        law = preset(name)

        def gain(angle: float, law: Law = law) -> float:
            return -expected_loss(law, oblique_pairs(one, angle), Objective(l1=0.0)).total

        routes.append(
            replace(
                _by_quadrature(law, error),
                exact=-gain(other),
                # The dearest: all cost nothing.
                optimised=-least_value(gain, 1.0, 2.0),
            )
        )
    return routes


def _prefix_errors(sae: Sae, l1: float) -> Pointwise:
    """Return x ↦ Σ_m ‖x - x̂_m‖² + λ Σ f_i, straight from the definition."""

    def loss(x: Array) -> Array:
        activations = sae.activations(x)
        total: Array = l1 * activations.sum(axis=1)
        for m in PREFIXES:
            reconstruction = sae.b_dec + activations[:, :m] @ sae.W_dec[:m]
            total = total + np.square(x - reconstruction).sum(axis=1)
        return total

    return loss


def _matryoshka() -> list[Routes]:
    l1, routes = float(SAMPLE_L1), []
    objective = Objective(l1=l1, prefixes=PREFIXES)
    for name in _NAMES:
        law = preset(name)

        def of_frame(angle: float, law: Law = law) -> float:
            return expected_loss(law, prefix_frame(angle, l1), objective).total

        def moved(shift: float, angle: float, law: Law = law) -> float:
            sae = shifted_frame(angle, shift)
            return expected_loss(law, sae, _RECONSTRUCTION).total

        routes.append(
            replace(
                _by_quadrature(law, _prefix_errors(prefix_frame(DIAGONAL, l1), l1)),
                exact=of_frame(DIAGONAL),
                optimised=least_value(of_frame, 0.0, np.pi / 2),
            )
        )
        search = Search(STARTS, limit=STARTS)
        # Along the axes nothing better is known, of any four latents; along diagonals there is.
        for angle, best in (
            (AXES, minimize_loss(law, 4, _RECONSTRUCTION, search).total),
            (DIAGONAL, least_value(partial(moved, angle=DIAGONAL), 0.0, 0.5)),
        ):
            shift = _best_shift(law, angle)
            routes.append(
                replace(
                    _by_quadrature(law, _prefix_errors(shifted_frame(angle, shift), 0.0)),
                    exact=moved(shift, angle),
                    optimised=best,
                )
            )
    return routes


def _best_shift(law: Law, angle: float) -> float:
    """Return the shift at which the loss, which is convex in it, has no slope."""
    step = 1e-4

    def slope(shift: float) -> float:
        after, before = (
            expected_loss(law, shifted_frame(angle, shift + by), _RECONSTRUCTION).total
            for by in (step, -step)
        )
        return after - before

    root: float = optimize.brentq(slope, 0.05, 0.4, xtol=1e-12)
    return root


#: The numeric routes of each claim's quantities, by the claim's id.
COMPOSING_ROUTES: dict[str, Callable[[], list[Routes]]] = {
    "l0-optimum": _l0_optimum,
    "l0-rotations": _l0_rotations,
    "l0-persistence": _l0_persistence,
    "topk-one": _topk_one,
    "topk-two": _topk_two,
    "matryoshka-prefixes": _matryoshka,
}
