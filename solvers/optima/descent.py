"""From a start down the exact loss to a stationary point, along a stated dynamics.

"l-bfgs" is scipy's L-BFGS-B; "flow" is the gradient flow θ' = -∇L(θ) on the constraint manifold,
what training with a vanishing rate and no noise does, integrated by scipy's BDF, for it is stiff.
Both end in Newton steps with the exact Hessian on the manifold, until the next one is rounding.
Where a gradient is small because the curvature is, the way down is followed to its end first, by
Newton's method in a trust region; a descent whose end is not reached so has not come to rest.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, optimize
from scipy.linalg import null_space, orth

from solvers.autoencoders.initialisation import initial_weights
from solvers.losses.hessian import Curvature, curvature, kinks, vector_hessian
from solvers.losses.parameters import LossOfVector, ScaledProblem
from solvers.optima.one_sided_slopes import kink_at

Array = NDArray[np.float64]

DYNAMICS: Final = ("l-bfgs", "flow")
#: L-BFGS stops where no component of the gradient is larger, in units of the data's size.
STATIONARY = 1e-8

# Here Newton's method takes over: close enough for it to stay in the basin.
_NEARLY = 1e-6
_ITERATIONS = 2000
_NEWTON_STEPS = 40
_DOWNWARD_STEPS = 300
_HALVINGS = 8
# Near a loss's rounding a trust region shrinks too far; it is opened again this often.
_DOWNWARD_TURNS = 4
# A descent that has brought a pre-activation this close to 0 on a whole component is going for
# the kink there.
_NEAR_KINK = 1e-4
# From a kink descent goes on at most this often; pushes that try it, their size, and what
# counts as lower.
_ESCAPES = 10
_PUSHES = 4
_PUSH = 1e-3
_LOWER = 1e-9
# Beyond this distance a stationary point is not the one that a vector is next to.
_CLOSE = 0.05
# Newton steps that are rounding: shorter ones, and along a gradient of this size.
_AT_REST = 1e-8
_GRADIENT_ROUNDING = {"squared": 1e-13, "relative": 1e-10}
# Equations of a kink are independent if their singular values are larger, relatively.
_INDEPENDENT = 1e-12
# A Newton step longer than this would leave the neighbourhood that the Hessian describes.
_LONGEST_STEP = 0.1
# Eigenvalues below this, relative to the largest, count as flat.
FLAT = 1e-7
# The flow is followed no longer than this, in units in which the Hessian is about 1.
_LONGEST_TIME = 3e3
_TIME_STEPS = 15
_FLOW_ACCURACY = 1e-6
# In a kink the flow would slide on in ever smaller steps.
_MOST_EVALUATIONS = 20_000


@dataclass(frozen=True, eq=False)
class Descent:
    """One way down from a seed to a stationary point, to be sent to another process.

    Parameters
    ----------
    problem : ScaledProblem
    initialisation : str
        See `solvers.autoencoders.initialisation`.
    dynamics : {"l-bfgs", "flow"}
    """

    problem: ScaledProblem
    initialisation: str
    dynamics: str

    def __call__(self, seed: np.random.SeedSequence) -> "Rest":
        """Return where the descent from a seed's weights comes to rest."""
        loss = self.problem.loss
        drawn = initial_weights(
            self.initialisation, np.random.default_rng(seed), 1, loss.law.dimension, loss.n_latents
        )
        vector = on_manifold(loss, self.problem.start(*(array[0] for array in drawn)))
        with np.errstate(all="ignore"):
            if self.dynamics == "flow":
                vector = follow_flow(loss, vector)
            else:
                vector = descend(loss, vector)
            return settle(loss, vector)


def on_manifold(loss: LossOfVector, vector: Array) -> Array:
    """Return the vector with its atoms on the constraints."""
    sae = loss.sae(vector)
    return loss.vector(sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec)


def descend(loss: LossOfVector, vector: Array) -> Array:
    """Return where L-BFGS comes to rest, led on by the Hessian where its line search gives up."""
    found = optimize.minimize(
        loss, vector, jac=True, method="L-BFGS-B",
        options={"maxiter": _ITERATIONS, "maxfun": 10 * _ITERATIONS,
                 "gtol": STATIONARY, "ftol": 0.0, "maxcor": 30},
    )  # fmt: skip
    vector = on_manifold(loss, found.x)
    return down_by_newton(loss, vector) if _size(loss(vector)[1]) > _NEARLY else vector


def _size(gradient: Array) -> float:
    return float(np.abs(gradient).max(initial=0.0))


def follow_flow(loss: LossOfVector, vector: Array) -> Array:
    """Return where the gradient flow comes to rest; after its longest time L-BFGS takes over.

    The vector holds the atoms at norm 1, where ∇L is tangent to their spheres, so that the flow
    of the vector is the flow on the constraint manifold.
    """
    evaluations = 0

    def velocity(_: float, at: Array) -> Array:
        nonlocal evaluations
        evaluations += 1
        if evaluations > _MOST_EVALUATIONS:
            raise _TooSlowError
        return -loss(at)[1]

    def bend(_: float, at: Array) -> Array:
        found = curvature(loss, on_manifold(loss, at))
        jacobian: Array = -(found.basis @ found.hessian @ found.basis.T)
        return jacobian

    start = 0.0
    # In growing pieces, so that it is seen when the flow has come to rest.
    with suppress(_TooSlowError):
        for end in np.geomspace(1.0, _LONGEST_TIME, _TIME_STEPS):
            piece = integrate.solve_ivp(
                velocity, (start, end), vector, method="BDF",
                jac=bend, rtol=_FLOW_ACCURACY, atol=_FLOW_ACCURACY,
            )  # fmt: skip
            vector, start = on_manifold(loss, piece.y[:, -1]), float(end)
            if _size(loss(vector)[1]) <= _NEARLY:
                return vector
    return descend(loss, vector)


class _TooSlowError(Exception):
    """The flow has taken as many evaluations as it may."""


class Rest(NamedTuple):
    """Where a descent came to rest.

    Parameters
    ----------
    vector : (P,) array
    gradient : float
        The largest component of the gradient on the constraints, in units of the data's size;
        in a kink, along it.
    kinks : (m, P) array
        Equations of the kink that it rests in, none if the loss is smooth there.
    settled : bool
        Whether it is a point of rest: along every eigenvector of the Hessian the next Newton
        step, or the gradient itself, is below rounding, and no one-sided slope is negative.
    """

    vector: Array
    gradient: float
    kinks: Array
    settled: bool = True


def settle(loss: LossOfVector, vector: Array, push: bool = True) -> Rest:
    """Return the point of rest that a vector next to one leads to.

    It is the stationary point where the loss is smooth; if there is none, the nearest kink is
    tried, in which the gradient vanishes along the kink and jumps across it. From a kink with
    a way down, and on demand from one below which descent after a small push ends, it goes on.
    """
    for _ in range(_ESCAPES):
        rest = _next_to(loss, vector)
        if not rest.settled:
            return rest
        kink = kink_at(loss, rest.vector)
        below = None
        if kink.way_down is not None:
            below = descend(loss, on_manifold(loss, rest.vector + _PUSH * kink.way_down))
        elif push and len(kink.equations):
            below = _below(loss, rest.vector)
        if below is None:
            return rest._replace(kinks=kink.equations)
        vector = below
    return rest._replace(settled=False)


def _next_to(loss: LossOfVector, vector: Array) -> Rest:
    smooth = newton(loss, vector)
    if smooth.settled:
        return smooth
    equations = kinks(loss, vector, _NEAR_KINK)
    if equations:
        rows = np.concatenate(equations)
        onto = on_manifold(loss, vector - np.linalg.pinv(rows) @ (rows @ vector))
        kinked = _led_down(loss, down_by_newton(loss, onto, rows), rows)
        if kinked.settled:
            return kinked
    return _led_down(loss, vector)


def _below(loss: LossOfVector, vector: Array) -> Array | None:
    """Return where descent from a small push ends, if it is lower."""
    rng = np.random.default_rng(0)
    total = loss(vector)[0]
    for _ in range(_PUSHES):
        pushed = on_manifold(loss, vector + _PUSH * rng.normal(size=vector.shape))
        end = _next_to(loss, descend(loss, pushed)).vector
        if loss(end)[0] < total - _LOWER:
            return end
    return None


def _led_down(loss: LossOfVector, vector: Array, equations: Array | None = None) -> Rest:
    """Return where Newton's method ends, the way down followed first if that is no rest.

    For where curvatures are small, a small gradient does not say that a point of rest is near.
    """
    rest = newton(loss, vector, equations)
    for _ in range(0 if loss.objective.reconstruction == "relative" else _DOWNWARD_TURNS):
        if rest.settled:
            break
        further = down_by_newton(loss, vector, equations, tolerance=0.0)
        if not np.linalg.norm(further - vector) > _AT_REST:
            break
        rest, vector = newton(loss, further, equations), further
    return rest


def newton(loss: LossOfVector, vector: Array, equations: Array | None = None) -> Rest:
    """Return where Newton steps for a vanishing gradient end, close to a vector.

    A step is halved until the gradient falls. Down a slope of hardly any, but negative,
    curvature there is no point of rest.
    """
    across = np.zeros((len(vector), 0)) if equations is None else orth(equations.T)

    def size(at: Array) -> float:
        """Return the norm of the gradient along the kink, for far less than its curvature."""
        gradient = loss(at)[1]
        return float(np.linalg.norm(gradient - across @ (across.T @ gradient)))

    start, bend = vector, curvature(loss, vector, equations)
    for _ in range(_NEWTON_STEPS):
        steps = _Steps.of(bend, _GRADIENT_ROUNDING[loss.objective.reconstruction])
        far = np.linalg.norm(vector - start) > _CLOSE
        if not steps.clipped.any() or steps.downhill or far:
            break
        before = size(vector)
        # At rest already, the last digits are worth a step, not a search.
        for halvings in range(1 if steps.settled else _HALVINGS):
            moved = on_manifold(loss, vector + steps.clipped / 2**halvings)
            if size(moved) < before:
                break
        else:
            break
        vector, bend = moved, curvature(loss, moved, equations)
    rows = np.zeros((0, len(vector))) if equations is None else equations
    return Rest(vector, _size(bend.gradient), rows, steps.settled and not far)


def down_by_newton(
    loss: LossOfVector, vector: Array, equations: Array | None = None, tolerance: float = _NEARLY
) -> Array:
    """Return where Newton's method in a trust region comes to rest, keeping a kink's equations.

    It leaves saddles and never raises the loss.
    """
    along = np.eye(len(vector)) if equations is None else null_space(equations, rcond=_INDEPENDENT)

    def total(y: Array) -> tuple[float, Array]:
        value, gradient = loss(vector + along @ y)
        return value, along.T @ gradient

    def bend(y: Array) -> Array:
        return np.asarray(along.T @ vector_hessian(loss, vector + along @ y) @ along)

    found = optimize.minimize(
        total, np.zeros(along.shape[1]), jac=True, hess=bend, method="trust-exact",
        options={"gtol": tolerance, "maxiter": _DOWNWARD_STEPS,
                 "initial_trust_radius": _LONGEST_STEP / 2, "max_trust_radius": _LONGEST_STEP},
    )  # fmt: skip
    return on_manifold(loss, vector + along @ found.x)


class _Steps(NamedTuple):
    """Newton's steps at a point, their components along eigenvectors at most `_LONGEST_STEP`.

    Each component is cut by itself: a direction of hardly any curvature does not hold up the
    others, as it would in a trust region.

    Parameters
    ----------
    clipped : (P,) array
        For a vanishing gradient.
    settled : bool
        Whether the whole step is rounding, or made of a gradient that is.
    downhill : bool
        Whether a gradient is left along hardly any, but negative, curvature.
    """

    clipped: Array
    settled: bool
    downhill: bool

    @classmethod
    def of(cls, bend: Curvature, rounding: float) -> "_Steps":
        """Return the steps for a gradient of which no more than `rounding` is to be trusted."""
        if not (np.isfinite(bend.hessian).all() and np.isfinite(bend.gradient).all()):
            return cls(np.zeros(len(bend.basis)), False, False)
        values, directions = np.linalg.eigh(bend.hessian)
        slopes = directions.T @ bend.gradient
        seen = np.abs(slopes) > rounding
        # Without any curvature a gradient that is none leads far.
        whole = np.where(seen, -slopes / np.where(values == 0, rounding, values), 0.0)
        largest = np.abs(values).max(initial=0.0)
        return cls(
            bend.basis @ (directions @ np.clip(whole, -_LONGEST_STEP, _LONGEST_STEP)),
            bool(np.abs(whole).max(initial=0.0) <= _AT_REST),
            bool((seen & (values < 0) & (values > -FLAT * largest)).any()),
        )
