"""Solutions: an SAE and its exact loss, in one record, and that of the zero code."""

from dataclasses import dataclass

import numpy as np

from solvers.autoencoders.autoencoder import Autoencoder, Sae
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import law_arrays
from solvers.losses.expected_loss import (
    ExpectedLoss,
    expected_loss,
    expected_loss_and_gradient,
)
from theory.exact.errors import InputError
from theory.laws.law import Law


@dataclass(frozen=True, eq=False)
class Solution:
    """Weights and their exact loss.

    Parameters
    ----------
    sae : Autoencoder
    loss : ExpectedLoss
        Of these weights.
    """

    sae: Autoencoder
    loss: ExpectedLoss

    @property
    def relu(self) -> Sae:
        """The weights, of a ReLU SAE; of another architecture this is an `InputError`."""
        if not isinstance(self.sae, Sae):
            raise InputError("architecture", "a ReLU SAE here", self.sae.architecture)
        return self.sae

    @classmethod
    def of(cls, law: Law, sae: Autoencoder, objective: Objective) -> "Solution":
        """Return an SAE with its exact loss on a law; raises as `expected_loss`."""
        return cls(sae, expected_loss(law, sae, objective))


@dataclass(frozen=True, eq=False, kw_only=True)
class Solved:
    """What is said of one solution: the base of records that hold one.

    Parameters
    ----------
    solution : Solution
    """

    solution: Solution

    @property
    def sae(self) -> Autoencoder:
        """The weights."""
        return self.solution.sae

    @property
    def relu(self) -> Sae:
        """The weights, of a ReLU SAE; of another architecture this is an `InputError`."""
        return self.solution.relu

    @property
    def loss(self) -> ExpectedLoss:
        """Their exact loss."""
        return self.solution.loss

    @property
    def total(self) -> float:
        """The loss as one number."""
        return self.solution.loss.total

    @property
    def reconstruction(self) -> float:
        """Its part that is the reconstruction."""
        return self.solution.loss.reconstruction

    @property
    def sparsity(self) -> float:
        """Its part that is the penalty, as it enters the loss."""
        return self.solution.loss.sparsity

    @property
    def weight_decay(self) -> float:
        """Its part that is weight decay."""
        return self.solution.loss.weight_decay

    @property
    def l1(self) -> float:
        """E Σ f_i, not multiplied by its coefficient."""
        return self.solution.loss.l1

    @property
    def l0(self) -> float:
        """Expected number of latents that fire."""
        return self.solution.loss.l0

    @property
    def firing(self) -> tuple[float, ...]:
        """Probability that each latent fires."""
        return self.solution.loss.firing

    @property
    def objective(self) -> Objective:
        """The convention that the loss is in."""
        return self.solution.loss.objective

    @property
    def decoder(self) -> list[list[float]]:
        """The atoms, one a row."""
        rows: list[list[float]] = self.solution.sae.W_dec.tolist()
        return rows


def zero_code(law: Law, n_latents: int, objective: Objective) -> Solution:
    """Return the best SAE whose latents are all dead: what not to code at all costs.

    Its loss is min_b E ‖x - b‖², or min_b E ‖x - b‖²/‖x‖² for the relative reconstruction, and
    μ n for n unit atoms under weight decay. Both expectations are E_0 + g·b + h ‖b‖²,
    so that their values at 0 and at one other point give the minimum, b = -g/(2h). Where the law
    reaches x = 0 the relative one is infinite unless b = 0.

    Examples
    --------
    On the first data set E ‖x‖² = 2/3; every x̂ ≠ 0 is a gain of at most that:

    >>> from theory.laws.presets import preset
    >>> nothing = zero_code(preset("shared"), 4, Objective(l1=0.1))
    >>> round(nothing.loss.total, 12), nothing.loss.l0
    (0.666666666667, 0.0)
    """
    d = law.dimension
    W_dec = np.zeros((n_latents, d))
    if objective.decoder == "unit":
        W_dec[:, 0] = 1.0
    off = np.full(n_latents, -1.0)

    def at(b_dec: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Sae:
        return Sae(np.zeros((d, n_latents)), off, W_dec, b_dec)

    step = np.zeros(d)
    step[0] = float(np.sqrt(np.trace(law_arrays(law).second_moment))) or 1.0
    here, there = (expected_loss_and_gradient(law, at(b), objective) for b in (0 * step, step))
    if there.loss.reason:
        return Solution(at(0 * step), here.loss)
    slope = here.gradient.b_dec
    bend = (there.loss - here.loss - float(slope @ step)) / step[0] ** 2
    return Solution.of(law, at(-slope / (2 * bend)), objective)
