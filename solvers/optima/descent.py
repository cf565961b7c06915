"""From a start down the exact loss to a stationary point, along a stated dynamics.

"l-bfgs" is scipy's L-BFGS-B; "flow" is the gradient flow θ' = -∇L(θ) on the constraint manifold,
what training with a vanishing rate and no noise does, integrated by scipy's BDF, for it is stiff.
Both end in Newton steps with the exact Hessian on the manifold, which make the gradient vanish
to rounding without leaving the basin.
"""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import integrate, optimize

from solvers.autoencoders.initialisation import initial_weights
from solvers.losses.hessian import curvature, kinks
from solvers.losses.parameters import LossOfVector, ScaledProblem

Array = NDArray[np.float64]

DYNAMICS: Final = ("l-bfgs", "flow")
#: A point is stationary if no component of its gradient is larger, in units of the data's size.
STATIONARY = 1e-8

# Here Newton's method takes over: close enough for it to stay in the basin.
_NEARLY = 1e-6
_ITERATIONS = 2000
_NEWTON_STEPS = 12
_DOWNWARD_STEPS = 100
_HALVINGS = 30
# A descent that has brought a pre-activation this close to 0 on a whole component is going for
# the kink there; one that has arrived has it this close.
_NEAR_KINK = 1e-4
IN_KINK = 1e-9
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
    return _down_by_newton(loss, vector) if _size(loss(vector)[1]) > _NEARLY else vector


def _down_by_newton(loss: LossOfVector, vector: Array, equations: Array | None = None) -> Array:
    """Return where Newton steps come to rest that take every curvature for a positive one.

    They leave saddles, never raise the loss, and keep the equations of a kink.
    """
    total = loss(vector)[0]
    for _ in range(_DOWNWARD_STEPS):
        bend = curvature(loss, vector, equations)
        values, directions = np.linalg.eigh(bend.hessian)
        steep = np.abs(values) > FLAT * np.abs(values).max()
        along = directions[:, steep]
        step = -bend.basis @ (along @ ((along.T @ bend.gradient) / np.abs(values[steep])))
        length = float(np.linalg.norm(step))
        if not 0 < length < np.inf:
            return vector
        step *= min(1.0, _LONGEST_STEP / length)
        for halvings in range(_HALVINGS):
            moved = on_manifold(loss, vector + step / 2**halvings)
            below = loss(moved)[0]
            if below < total:
                break
        else:
            return vector
        vector, total = moved, below
        if _size(bend.gradient) <= _NEARLY:
            break
    return vector


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
        The largest component of the gradient on the constraints, in units of the data's size.
    kinks : (m, P) array
        Equations of the kink that it rests in, none if the loss is smooth there.
    """

    vector: Array
    gradient: float
    kinks: Array


def settle(loss: LossOfVector, vector: Array) -> Rest:
    """Return the stationary point next to a vector, by Newton's method.

    If there is none where the loss is smooth, the nearest kink is tried: there the gradient
    vanishes along the kink and jumps across it.
    """
    smooth = _newton(loss, vector, np.zeros((0, len(vector))))
    if smooth.gradient <= STATIONARY:
        return smooth
    equations = kinks(loss, vector, _NEAR_KINK)
    if not len(equations):
        return smooth
    onto = vector - np.linalg.pinv(equations) @ (equations @ vector)
    kinked = _newton(loss, _down_by_newton(loss, onto, equations), equations)
    return kinked if kinked.gradient <= STATIONARY else smooth


def _newton(loss: LossOfVector, vector: Array, equations: Array) -> Rest:
    bend = curvature(loss, vector, equations)
    largest = _size(bend.gradient)
    for _ in range(_NEWTON_STEPS):
        if largest <= STATIONARY / 100 or not np.isfinite(largest):
            break
        values, directions = np.linalg.eigh(bend.hessian)
        steep = np.abs(values) > FLAT * np.abs(values).max()
        along = directions[:, steep]
        step = -bend.basis @ (along @ ((along.T @ bend.gradient) / values[steep]))
        if not np.linalg.norm(step) <= _LONGEST_STEP:
            break
        moved = on_manifold(loss, vector + step)
        beyond = curvature(loss, moved, equations)
        size = _size(beyond.gradient)
        if not size < largest:
            break
        vector, largest, bend = moved, size, beyond
    return Rest(vector, largest, equations)
