"""A small trainer: Adam on minibatches sampled from a law, many instances at once, seeded.

It trains as libraries do, so that what training finds can be set beside the exact optimum. The
post's code [Anders2024] draws Kaiming-uniform weights, normalises the decoder before every
step, removes the gradient's part along each atom, uses β1 = 0, and warms the rate up over the
first tenth of the steps and down over the last fifth. Its ghost gradients are left out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.autoencoder import Sae
from solvers.autoencoders.initialisation import INITIALISATIONS, Weights, initial_weights
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import law_arrays
from solvers.laws.samples import Sampler
from solvers.losses.expected_loss import ExpectedLoss, expected_loss
from solvers.losses.relative_loss import tied_b_dec
from solvers.runtime.arguments import (
    check_choice,
    check_fields,
    check_number,
    check_whole,
    checked,
)
from theory.exact.errors import InputError
from theory.laws.law import Law

Array = NDArray[np.float64]
Progress = Callable[[int, int], None]

#: The initialisations that it offers, that of the post first.
TRAINED_FROM: Final = sorted(
    (name for name, one in INITIALISATIONS.items() if one.trained_from),
    key=lambda name: name != "kaiming",
)
_EPSILON = 1e-8
_REPORT_EVERY = 100


@dataclass(frozen=True)
class Schedule:
    """How to train.

    Parameters
    ----------
    samples : int ≥ 1
        Samples that each instance sees; all instances see the same.
    batch : int ≥ 1
        Samples a step.
    rate : float > 0
        Adam's learning rate after warm-up.
    beta1, beta2 : float in [0, 1)
    warmup, cooldown : float in [0, 1]
        Shares of the steps over which the rate rises from 0 and falls to 0, linearly.
    initialisation : {"kaiming", "tied", "saelens"}
        See `solvers.autoencoders.initialisation`.
    tie_b_dec : bool
        Keep b_dec = -Σ ReLU(b_i) d_i, the set on which the relative loss is finite.

    Raises
    ------
    InputError
        For a value out of range.

    Examples
    --------
    >>> Schedule(samples=10_000, batch=1000).steps
    10
    """

    samples: int = 1_000_000
    batch: int = 1024
    rate: float = 1e-3
    beta1: float = 0.0
    beta2: float = 0.999
    warmup: float = 0.1
    cooldown: float = 0.2
    initialisation: str = "kaiming"
    tie_b_dec: bool = False

    def __post_init__(self) -> None:
        for name in ("samples", "batch"):
            check_whole(name, getattr(self, name), 1)
        check_number("rate", self.rate, above=0)
        for name in ("beta1", "beta2"):
            check_number(name, getattr(self, name), least=0, below=1)
        for name in ("warmup", "cooldown"):
            check_number(name, getattr(self, name), least=0, most=1)
        check_choice("initialisation", self.initialisation, TRAINED_FROM)
        check_fields(self)

    @property
    def steps(self) -> int:
        """Number of steps."""
        return -(-self.samples // self.batch)

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        rising = (step + 1) / (self.warmup * self.steps) if self.warmup else 1.0
        falling = (self.steps - step) / (self.cooldown * self.steps) if self.cooldown else 1.0
        return self.rate * min(1.0, rising, falling)


@dataclass(frozen=True)
class Training:
    """Trained SAEs and their exact losses, one an instance.

    Parameters
    ----------
    saes : tuple of Sae
    losses : tuple of ExpectedLoss
        Exact, on the law that the samples came from.
    steps : int
        Steps that were taken.
    interrupted : bool
        Whether training was stopped before its last step.
    """

    saes: tuple[Sae, ...]
    losses: tuple[ExpectedLoss, ...]
    steps: int
    interrupted: bool


@checked
def train(
    law: Law,
    n_latents: int,
    objective: Objective,
    schedule: Schedule | None = None,
    *,
    instances: int = 1,
    seed: int = 0,
    progress: Progress | None = None,
) -> Training:
    """Train SAEs on samples of a law.

    Parameters
    ----------
    law : Law
    n_latents, instances : int ≥ 1
    objective : Objective
    schedule : Schedule, optional
    seed : int ≥ 0
        Fixes weights and samples.
    progress : callable, optional
        Called with the numbers of finished and of all steps.

    Returns
    -------
    Training
        After a KeyboardInterrupt: what the steps so far have made, `interrupted` true.

    Raises
    ------
    InputError
        For a number out of range, or a rate at which the weights overflow.

    Examples
    --------
    >>> from theory import load_law
    >>> short = Schedule(samples=20_000, rate=0.01)
    >>> result = train(load_law("shared"), 4, Objective(l1=0.1), short, instances=2)
    >>> len(result.saes), result.losses[0].total < 0.6
    (2, True)
    """
    schedule = Schedule() if schedule is None else schedule
    check_whole("n_latents", n_latents, 1)
    objective.check_no_l0("training")
    check_whole("instances", instances, 1)
    check_whole("seed", seed, 0)
    arrays = law_arrays(law)
    rng = np.random.default_rng(seed)
    weights = initial_weights(schedule.initialisation, rng, instances, arrays.dimension, n_latents)
    first = Weights(*(np.zeros_like(array) for array in weights))
    second = Weights(*(np.zeros_like(array) for array in weights))
    sampler = Sampler(law)
    done, interrupted = 0, False
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            while done < schedule.steps:
                _step(weights, first, second, sampler(rng, schedule.batch), objective, schedule,
                      done)  # fmt: skip
                done += 1
                if progress is not None and (done % _REPORT_EVERY == 0 or done == schedule.steps):
                    progress(done, schedule.steps)
    except KeyboardInterrupt:
        interrupted = True
    if not all(np.isfinite(array).all() for array in weights):
        raise InputError("rate", "one at which training is stable", schedule.rate)
    _constrain(weights, objective, schedule)
    saes = tuple(Sae(*(array[i] for array in weights)) for i in range(instances))
    losses = tuple(expected_loss(law, sae, objective) for sae in saes)
    return Training(saes, losses, done, interrupted)


def _constrain(weights: Weights, objective: Objective, schedule: Schedule) -> None:
    """Put the weights on the constraints, in place."""
    if objective.decoder == "unit":
        norms = np.linalg.norm(weights.W_dec, axis=2, keepdims=True)
        weights.W_dec[:] = weights.W_dec / np.where(norms > 0, norms, 1.0)
    if schedule.tie_b_dec:
        for i, b_dec in enumerate(weights.b_dec):
            b_dec[:] = tied_b_dec(weights.b_enc[i], weights.W_dec[i])


def _step(
    weights: Weights,
    first: Weights,
    second: Weights,
    x: Array,
    objective: Objective,
    schedule: Schedule,
    step: int,
) -> None:
    """Take one step of Adam, in place."""
    _constrain(weights, objective, schedule)
    gradient = sampled_gradient(weights, x, objective)
    if schedule.tie_b_dec:
        # b_dec = -Σ ReLU(b_i) d_i carries its derivative to b_enc and W_dec.
        on = np.maximum(weights.b_enc, 0.0)
        along = np.einsum("ind,id->in", weights.W_dec, gradient.b_dec)
        gradient.b_enc[:] -= along * (weights.b_enc > 0)
        gradient.W_dec[:] -= on[:, :, None] * gradient.b_dec[:, None, :]
        gradient.b_dec[:] = 0.0
    if objective.decoder == "unit":
        radial = np.einsum("ind,ind->in", gradient.W_dec, weights.W_dec)
        gradient.W_dec[:] -= radial[:, :, None] * weights.W_dec
    rate = schedule.rate_at(step)
    for value, slope, mean, square in zip(weights, gradient, first, second, strict=True):
        mean[:] = schedule.beta1 * mean + (1 - schedule.beta1) * slope
        square[:] = schedule.beta2 * square + (1 - schedule.beta2) * slope * slope
        unbiased = mean / (1 - schedule.beta1 ** (step + 1))
        size = np.sqrt(square / (1 - schedule.beta2 ** (step + 1))) + _EPSILON
        value[:] = value - rate * unbiased / size


def sampled_gradient(weights: Weights, x: Array, objective: Objective) -> Weights:
    """Return the gradient of the mean loss over samples, for every instance.

    Parameters
    ----------
    weights : Weights
    x : (N, d) array
    objective : Objective
    """
    count = len(x)
    f = x @ weights.W_enc + weights.b_enc[:, None, :]
    on = f > 0
    f *= on
    to_x_hat = f @ weights.W_dec
    to_x_hat += weights.b_dec[:, None, :]
    to_x_hat -= x
    if objective.reconstruction == "relative":
        squared = np.einsum("nd,nd->n", x, x)[:, None]
        # A sample x = 0 counts 0.
        to_x_hat *= np.where(squared > 0, 1.0 / np.where(squared > 0, squared, 1.0), 0.0)
    to_x_hat *= 2.0 / count
    to_W_dec = f.transpose(0, 2, 1) @ to_x_hat
    to_f = to_x_hat @ weights.W_dec.transpose(0, 2, 1)
    penalty = objective.l1 / count
    charged = objective.latent_weights(weights.W_dec)
    to_f += penalty * charged[:, None, :]
    if objective.sparsity == "decoder-norm":
        unit = weights.W_dec / np.where(charged > 0, charged, 1.0)[:, :, None]
        to_W_dec += penalty * f.sum(axis=1)[:, :, None] * unit
    to_f *= on
    to_W_enc = x.T @ to_f
    if objective.weight_decay:
        to_W_enc += 2.0 * objective.weight_decay * weights.W_enc
        to_W_dec += 2.0 * objective.weight_decay * weights.W_dec
    return Weights(to_W_enc, to_f.sum(axis=1), to_W_dec, to_x_hat.sum(axis=1))
