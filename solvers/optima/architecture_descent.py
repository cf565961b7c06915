"""From weights down the exact loss of an architecture other than ReLU: BFGS with exact gradients.

The gradient holds the boundary terms (`solvers.losses.jump_sums`, `piecewise_sums`). Random starts
are those of ReLU SAEs, thresholds uniform up to √λ₀, or λ/2 without an l0 penalty.

On a law of points who fires is constant nearly everywhere, so that no gradient says what another
threshold would bring, and a search that only follows it stands still. Where thresholds decide, a
random start therefore first descends on points that are blurred by normal noise of a falling
deviation, on which the loss is exact and smooth, and then on the points themselves. That is a
continuation: it does not stand still, and it guarantees nothing. For TopK there is no such law;
there what is found on points is as good as the best start.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.architectures import GatedSae, JumpReluSae
from solvers.autoencoders.autoencoder import Autoencoder
from solvers.autoencoders.initialisation import initial_weights
from solvers.autoencoders.objective import Objective
from solvers.losses.architecture_loss import ArchitectureLoss, architecture_loss
from solvers.losses.parameters import ScaledProblem
from solvers.optima.descent import Rest
from solvers.optima.optimum import Start
from solvers.optima.valley import valley_dimension
from theory.exact.errors import InputError

Array = NDArray[np.float64]

#: A descent has converged if no component of its gradient is larger.
TOLERANCE = 1e-7
_ITERATIONS = 2000
# BFGS is begun at most so often, and anew only if that made the loss smaller by such a share:
# where planes come to lie on edges it may stop early.
_BEGINNINGS = 3
_LOWER = 1e-9
# Size of the push that tells whether a descent that stopped has come to rest.
_PUSH = 1e-4
# Deviations of the noise, in units of the data, and how well each descent on it is ended.
_NOISE = (0.3, 0.1, 0.03, 0.01)
_ROUGH = 1e-4
_ROUGH_ITERATIONS = 200
# Points times pairs of latents on which a descent with noise takes seconds.
_MOST_PAIRS = 30_000
# Differences of the gradient in more parameters than this take longer than they are worth.
_LONGEST = 100


@dataclass(frozen=True, eq=False)
class ArchitectureDescent:
    """Descents of a problem's loss for an architecture, to be sent to other processes.

    Parameters
    ----------
    problem : ScaledProblem
    architecture : Architecture
    """

    problem: ScaledProblem
    architecture: Architecture

    @cached_property
    def loss(self) -> ArchitectureLoss:
        """The loss, in units of the data."""
        return architecture_loss(self.problem.loss, self.architecture)

    def __call__(self, seed: np.random.SeedSequence) -> tuple[Start, Array]:
        """Return where the descent from a seed's weights ends."""
        vector = self._drawn(seed)
        noisy = self._noisy()
        with np.errstate(all="ignore"):
            for loss in noisy:
                vector = optimize.minimize(
                    loss, vector, jac=True, method="BFGS",
                    options={"maxiter": _ROUGH_ITERATIONS, "gtol": _ROUGH},
                ).x  # fmt: skip
        return self.descend(vector)

    def descend(self, vector: Array) -> tuple[Start, Array]:
        """Return the end of the descent from a vector, as a `Start` and its vector."""
        steps, before = 0, np.inf
        with np.errstate(all="ignore"):
            for _ in range(_BEGINNINGS):
                found = optimize.minimize(
                    self.loss, vector, jac=True, method="BFGS",
                    options={"maxiter": _ITERATIONS, "gtol": TOLERANCE / 10},
                )  # fmt: skip
                vector, steps = found.x, steps + int(found.nit)
                if found.success or not found.fun < before - _LOWER * abs(found.fun):
                    break
                before = found.fun
            total, slope = self.loss(vector)
        largest = float(np.abs(slope).max())
        total *= self.problem.loss_unit
        return Start(total, largest <= TOLERANCE, largest, steps, str(found.message)), vector

    def rest(self, seed: np.random.SeedSequence) -> Rest:
        """Return where the descent from a seed's weights comes to rest.

        Where the gradient does not vanish it has come to rest in a kink if descent after a small
        push finds nothing lower.
        """
        end, vector = self(seed)
        smooth = np.zeros((0, len(vector)))
        if end.converged:
            return Rest(vector, end.gradient, smooth)
        push = np.random.default_rng(seed).normal(size=vector.shape) * _PUSH
        beyond, further = self.descend(vector + push * (1 + np.abs(vector)))
        lower = end.total - beyond.total
        if beyond.converged and lower > -_LOWER * abs(end.total):
            return Rest(further, beyond.gradient, smooth)
        settled = abs(lower) <= _LOWER * abs(end.total)
        best = further if lower > 0 else vector
        return Rest(best, end.gradient, np.zeros((1, len(vector))), bool(settled))

    def sae(self, vector: Array) -> Autoencoder:
        """Return the SAE that a vector stands for, in the units of the data."""
        return self.problem.in_units_of_data(self.loss.sae(vector))

    def valley(self, sae: Autoencoder) -> int:
        """Return the dimension of the valley that a converged SAE lies in, 0 for a wide one."""
        vector = self.vector(sae)
        return valley_dimension(self.loss, vector) if len(vector) <= _LONGEST else 0

    def vector(self, sae: Autoencoder) -> Array:
        """Return the vector that stands for an SAE in the units of the data.

        Raises
        ------
        InputError
            For a Gated SAE whose paths read different directions.
        """
        scaled = self.problem.scaled(sae)
        if isinstance(scaled, GatedSae):
            tied = scaled.as_jump_relu()
            if tied is None:
                raise InputError("W_gate", "the directions of W_enc, for an optimum", "others")
            scaled = tied
        threshold = scaled.threshold if isinstance(scaled, JumpReluSae) else np.zeros(sae.d_sae)
        return self.loss.vector(scaled.base, threshold)

    def _drawn(self, seed: np.random.SeedSequence) -> Array:
        relu, rng = self.problem.loss, np.random.default_rng(seed)
        drawn = initial_weights("uniform", rng, 1, relu.law.dimension, relu.n_latents)
        height = np.sqrt(relu.objective.l0) or relu.objective.l1 / 2
        threshold = height * rng.random(relu.n_latents)
        start = self.problem.start(*(array[0] for array in drawn))
        return self.loss.vector(relu.sae(start), threshold)

    def _noisy(self) -> list[ArchitectureLoss]:
        relu = self.problem.loss
        law, n = relu.law, relu.n_latents
        points = law.component_count
        if self.architecture.name == "topk" or law.normals or law.cubes[-1].cube_dimension:
            return []
        if points * n * n > _MOST_PAIRS:
            return []
        return [replace(self.loss, relu=replace(relu, law=law.blurred(size))) for size in _NOISE]


def check_objective(architecture: Architecture, objective: Objective, n_latents: int) -> None:
    """Raise `InputError` unless SAEs of the architecture and width have this loss."""
    architecture.check_width(n_latents)
    objective.check_has_minimum()
    if architecture.name == "relu":
        return
    kind = f"architecture {architecture.name!r}"
    if objective.reconstruction != "squared":
        raise InputError("reconstruction", f"'squared' for {kind}", objective.reconstruction)
    if objective.weight_decay:
        raise InputError("weight_decay", f"0 for {kind}", objective.weight_decay)
