"""Where straight-through training brings the thresholds of a code, and what that costs.

For an orthonormal frame and its negatives, coordinates t of density ρ on the reals that are read
without a bias and hard-thresholded at one θ cost E Σ (t² 1{t² < θ²} + λ₀ 1{t² > θ²}), least at
θ = √λ₀. As long as no latent's slab reaches the readings of others, θ > ε/2, the rectangle
kernel of bandwidth ε has instead, each latent,

    ∂/∂θ = -(1/ε) (λ₀ ∫_{θ-ε/2}^{θ+ε/2} ρ dt - 2 θ ∫_{θ-ε/2}^{θ} t ρ dt),

which on a constant density vanishes at θ = ε/8 + √(λ₀ + ε²/64): training at ε settles there.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import optimize

from solvers.autoencoders.architectures import JumpReluSae
from solvers.autoencoders.autoencoder import Sae
from solvers.autoencoders.objective import Objective
from solvers.losses.expected_loss import expected_loss
from solvers.losses.straight_through import (
    StraightThrough,
    exact_gradient,
    straight_through_gradient,
)
from solvers.runtime.arguments import check_number
from theory.exact.errors import InputError
from theory.laws.law import Law

# So many thresholds are looked at before the first change of sign is narrowed down.
_LOOKED_AT = 32


@dataclass(frozen=True, eq=False)
class ThresholdBias:
    """A code with one threshold for all latents, as it is trained and as it is best.

    Parameters
    ----------
    law : Law
    base : Sae
        The code's weights.
    objective : Objective
    highest : float > 0
        No larger threshold is looked at.

    Examples
    --------
    On the first data set, with λ₀ = 1/10, training at ε = 1/2 settles above √λ₀:

    >>> from solvers.autoencoders.frames import frame_sae
    >>> from theory import load_law
    >>> bias = ThresholdBias(load_law("shared"), frame_sae(np.pi / 4), Objective(0, l0=0.1), 1)
    >>> round(bias.best, 6), round(bias.settled(0.5), 6)
    (0.316228, 0.384845)
    """

    law: Law
    base: Sae
    objective: Objective
    highest: float

    def __post_init__(self) -> None:
        check_number("highest", self.highest, above=0)

    def at(self, theta: float) -> JumpReluSae:
        """Return the SAE with this threshold."""
        return JumpReluSae(self.base, np.full(self.base.d_sae, theta))

    def estimate(self, theta: float, bandwidth: float, to_input: bool = False) -> StraightThrough:
        """Return both gradients at a threshold."""
        return straight_through_gradient(
            self.law, self.at(theta), self.objective, bandwidth, to_input=to_input
        )

    def slope(self, theta: float, bandwidth: float | None = None) -> float:
        """Return the derivative in the one threshold; without a bandwidth the exact one."""
        if bandwidth is None:
            exact = exact_gradient(self.law, self.at(theta), self.objective)
            return float(exact.threshold.sum())
        return float(self.estimate(theta, bandwidth).gradient.threshold.sum())

    def settled(self, bandwidth: float | None = None) -> float:
        """Return where a threshold that grows from 0 against `slope` comes to rest.

        Where the slope jumps from negative to positive, at an edge of the slab, it rests there.

        Raises
        ------
        InputError
            If it grows beyond `highest`.
        """
        thetas = np.linspace(0.0, self.highest, _LOOKED_AT + 1)[1:]
        before = 0.0
        for theta in thetas.tolist():
            if self.slope(theta, bandwidth) > 0:
                found = optimize.bisect(self.slope, before, theta, args=(bandwidth,), xtol=1e-13)
                return float(found)
            before = theta
        raise InputError("highest", "a threshold beyond which none grows", self.highest)

    @cached_property
    def best(self) -> float:
        """Where the exact slope settles."""
        return self.settled()

    @cached_property
    def least(self) -> float:
        """The loss there."""
        return expected_loss(self.law, self.at(self.best), self.objective).total

    def excess(self, theta: float) -> float:
        """Return the loss at a threshold less `least`."""
        return expected_loss(self.law, self.at(theta), self.objective).total - self.least
