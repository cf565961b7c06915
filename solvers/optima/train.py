"""A small trainer: Adam on minibatches sampled from a law, many instances at once, seeded.

It trains as libraries do, so that what training finds can be set beside the exact optimum. The
post's code [Anders2024] draws Kaiming-uniform weights, normalises the decoder before every
step, removes the gradient's part along each atom, uses β1 = 0, and warms the rate up over the
first tenth of the steps and down over the last fifth. Its ghost gradients are left out, and so are
the auxiliary losses that revive dead latents in TopK, BatchTopK and JumpReLU SAEs.

`solvers.optima.sampled_gradients` has the gradients of every architecture. As SAELens has it, the
thresholds of JumpReLU are parameters of their own, put back to 0 where they fall below, and that
of BatchTopK is a running average of the smallest activation kept in a batch, which takes the
batch's place afterwards.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.architectures import JumpReluSae, TopKSae
from solvers.autoencoders.autoencoder import Autoencoder, Sae
from solvers.autoencoders.initialisation import INITIALISATIONS, Weights, initial_weights
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import law_arrays
from solvers.laws.samples import Sampler
from solvers.losses.expected_loss import ExpectedLoss, expected_loss
from solvers.losses.relative_loss import tied_b_dec
from solvers.losses.solution import Solution
from solvers.optima.sampled_gradients import BANDWIDTH, sampled_gradient
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

#: The architectures that it trains.
TRAINED: Final = ("relu", "jumprelu", "topk", "batchtopk")
#: The initialisations that it offers, that of the post first.
TRAINED_FROM: Final = sorted(
    (name for name, one in INITIALISATIONS.items() if one.trained_from),
    key=lambda name: name != "kaiming",
)
_EPSILON = 1e-8
_REPORT_EVERY = 100
_RELU = Architecture()


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
        Keep b_dec = -Σ ReLU(b_i) d_i, the set on which the relative loss is finite; of ReLU SAEs.
    initial_threshold : float ≥ 0
        θ of every latent at the start, of JumpReLU SAEs.
    bandwidth : float > 0
        ε of the estimators of their gradient in θ, in the units of the data.
    threshold_rate : float in (0, 1]
        Weight of the newest batch in the running average that is the threshold of BatchTopK.

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
    initial_threshold: float = 0.01
    bandwidth: float = BANDWIDTH
    threshold_rate: float = 0.01

    def __post_init__(self) -> None:
        for name in ("samples", "batch"):
            check_whole(name, getattr(self, name), 1)
        check_number("rate", self.rate, above=0)
        for name in ("beta1", "beta2"):
            check_number(name, getattr(self, name), least=0, below=1)
        for name in ("warmup", "cooldown"):
            check_number(name, getattr(self, name), least=0, most=1)
        check_number("initial_threshold", self.initial_threshold, least=0)
        check_number("bandwidth", self.bandwidth, above=0)
        check_number("threshold_rate", self.threshold_rate, above=0, most=1)
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
    saes : tuple of Autoencoder
        A `JumpReluSae` of one threshold where BatchTopK was trained.
    losses : tuple of ExpectedLoss
        Exact, on the law that the samples came from.
    steps : int
        Steps that were taken.
    interrupted : bool
        Whether training was stopped before its last step.
    """

    saes: tuple[Autoencoder, ...]
    losses: tuple[ExpectedLoss, ...]
    steps: int
    interrupted: bool

    @property
    def solutions(self) -> tuple[Solution, ...]:
        """Each SAE with its loss."""
        return tuple(map(Solution, self.saes, self.losses))


@checked
def train(
    law: Law,
    n_latents: int,
    objective: Objective,
    schedule: Schedule | None = None,
    *,
    architecture: Architecture = _RELU,
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
        With prefixes, of Matryoshka SAEs. An l0 penalty is for JumpReLU only.
    schedule : Schedule, optional
    architecture : Architecture, optional
        Any but Gated; by default ReLU.
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
        For a number out of range, an architecture that it does not train or whose exact loss the
        law does not allow, or a rate at which the weights overflow.

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
    check_whole("instances", instances, 1)
    check_whole("seed", seed, 0)
    _check(n_latents, objective, schedule, architecture)
    arrays = law_arrays(law)
    rng = np.random.default_rng(seed)
    weights = initial_weights(schedule.initialisation, rng, instances, arrays.dimension, n_latents)
    run = _Run(weights, objective, schedule, architecture)
    if architecture.name != "relu":
        # Where there is no exact loss, that is said before hours of training.
        expected_loss(law, run.sae(0), objective)
    sampler = Sampler(law)
    interrupted = False
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            while run.steps < schedule.steps:
                run.step(sampler(rng, schedule.batch))
                done = run.steps
                if progress is not None and (done % _REPORT_EVERY == 0 or done == schedule.steps):
                    progress(done, schedule.steps)
    except KeyboardInterrupt:
        interrupted = True
    if not all(np.isfinite(array).all() for array in run.parameters):
        raise InputError("rate", "one at which training is stable", schedule.rate)
    run.constrain()
    saes = tuple(run.sae(i) for i in range(instances))
    losses = tuple(expected_loss(law, sae, objective) for sae in saes)
    return Training(saes, losses, run.steps, interrupted)


def _check(
    n_latents: int, objective: Objective, schedule: Schedule, architecture: Architecture
) -> None:
    """Raise `InputError` unless these can be trained together."""
    name = check_choice("architecture", architecture.name, TRAINED)
    architecture.check_width(n_latents)
    objective.latent_prefixes(n_latents)
    if name != "jumprelu":
        objective.check_no_l0("training without thresholds")
    if name != "relu" and schedule.tie_b_dec:
        raise InputError("tie_b_dec", "False but for ReLU SAEs", True)
    if name == "batchtopk" and int((architecture.k or 0) * schedule.batch) < 1:
        raise InputError(
            "batch", "samples enough that one latent of a batch fires", schedule.batch
        )


class _Run:
    """All instances while they are trained, with Adam's averages; everything changes in place."""

    def __init__(
        self,
        weights: Weights,
        objective: Objective,
        schedule: Schedule,
        architecture: Architecture,
    ) -> None:
        self.weights, self.architecture = weights, architecture
        self.objective, self.schedule = objective, schedule
        self.parameters: list[Array] = list(weights)
        self.threshold: Array | None = None
        if architecture.name == "jumprelu":
            self.threshold = np.full_like(weights.b_enc, schedule.initial_threshold)
            self.parameters.append(self.threshold)
        # Of BatchTopK; no parameter, for no gradient moves it.
        self.least_kept = np.zeros(len(weights.b_enc))
        self.first = [np.zeros_like(array) for array in self.parameters]
        self.second = [np.zeros_like(array) for array in self.parameters]
        self.steps = 0

    def sae(self, instance: int) -> Autoencoder:
        """Return one of the SAEs."""
        base = Sae(*(array[instance] for array in self.weights))
        if self.architecture.name == "topk":
            return TopKSae(base, int(self.architecture.k or 0))
        if self.architecture.name == "batchtopk":
            return JumpReluSae(base, np.full(base.d_sae, self.least_kept[instance]))
        return base if self.threshold is None else JumpReluSae(base, self.threshold[instance])

    def constrain(self) -> None:
        """Put the parameters on the constraints."""
        weights = self.weights
        if self.objective.decoder == "unit":
            norms = np.linalg.norm(weights.W_dec, axis=2, keepdims=True)
            weights.W_dec[:] = weights.W_dec / np.where(norms > 0, norms, 1.0)
        if self.threshold is not None:
            np.maximum(self.threshold, 0.0, out=self.threshold)
        if self.schedule.tie_b_dec:
            for i, b_dec in enumerate(weights.b_dec):
                b_dec[:] = tied_b_dec(weights.b_enc[i], weights.W_dec[i])

    def step(self, x: Array) -> None:
        """Take one step of Adam."""
        self.constrain()
        sampled = sampled_gradient(
            self.weights, x, self.objective, self.architecture, self.threshold,
            self.schedule.bandwidth,
        )  # fmt: skip
        self._along_constraints(sampled.weights)
        if sampled.least_kept is not None:
            share = self.schedule.threshold_rate
            # Where no latent fires the average stays as it is.
            newest = np.where(np.isfinite(sampled.least_kept), sampled.least_kept, self.least_kept)
            self.least_kept += share * (newest - self.least_kept)
        slopes = list(sampled.weights)
        if sampled.threshold is not None:
            slopes.append(sampled.threshold)
        self._move(slopes)

    def _along_constraints(self, gradient: Weights) -> None:
        weights = self.weights
        if self.schedule.tie_b_dec:
            # b_dec = -Σ ReLU(b_i) d_i carries its derivative to b_enc and W_dec.
            on = np.maximum(weights.b_enc, 0.0)
            along = np.einsum("ind,id->in", weights.W_dec, gradient.b_dec)
            gradient.b_enc[:] -= along * (weights.b_enc > 0)
            gradient.W_dec[:] -= on[:, :, None] * gradient.b_dec[:, None, :]
            gradient.b_dec[:] = 0.0
        if self.objective.decoder == "unit":
            radial = np.einsum("ind,ind->in", gradient.W_dec, weights.W_dec)
            gradient.W_dec[:] -= radial[:, :, None] * weights.W_dec

    def _move(self, slopes: list[Array]) -> None:
        schedule, rate = self.schedule, self.schedule.rate_at(self.steps)
        self.steps += 1
        for value, slope, mean, square in zip(
            self.parameters, slopes, self.first, self.second, strict=True
        ):
            mean[:] = schedule.beta1 * mean + (1 - schedule.beta1) * slope
            square[:] = schedule.beta2 * square + (1 - schedule.beta2) * slope * slope
            unbiased = mean / (1 - schedule.beta1**self.steps)
            size = np.sqrt(square / (1 - schedule.beta2**self.steps)) + _EPSILON
            value[:] = value - rate * unbiased / size
