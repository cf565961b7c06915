"""The exact loss of SAEs of an architecture as a function of one vector, with its gradient.

The vector is that of `solvers.losses.parameters.LossOfVector`, for JumpReLU and Gated SAEs
followed by t, whose squares are the thresholds, so that these stay ≥ 0. A Gated SAE whose two
paths read the same is a JumpReLU SAE with θ_i = max(0, b_i - b_gate,i) [Rajamanoharan2024a],
section 3.2, and every JumpReLU SAE is one, so that both have the same optima.

The threshold of BatchTopK follows from the other parameters (`solvers.losses.batch_threshold`),
and with it the loss: where E #{p_i > θ} = k,

    dL = ∂L - (∂L/∂θ) ∂E#/(∂E#/∂θ).

On points, where E # is constant but for jumps, θ stays.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.architectures import GatedSae, JumpReluSae, TopKSae
from solvers.autoencoders.autoencoder import Autoencoder, Sae
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import LawArrays
from solvers.losses.batch_threshold import batch_threshold, slopes_of_firing
from solvers.losses.loss_parts import Gradient, jump_loss_parts, piecewise_loss_parts
from solvers.losses.parameters import LossOfVector

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ArchitectureLoss(ABC):
    """The loss of a law under an objective as a function of an SAE's parameters.

    Parameters
    ----------
    relu : LossOfVector
        Of the ReLU SAE with the same arrays: how they are a vector, and the law and objective.
    """

    relu: LossOfVector

    @property
    def law(self) -> LawArrays:
        """The law."""
        return self.relu.law

    @property
    def objective(self) -> Objective:
        """What is charged."""
        return self.relu.objective

    def __call__(self, vector: Array) -> tuple[float, Array]:
        """Return the loss and its gradient."""
        total, gradient, further = self._loss(vector)
        return total, np.concatenate([self.relu.packed(gradient, self.arrays(vector)), further])

    def arrays(self, vector: Array) -> Array:
        """Return the part of the vector that stands for the four arrays."""
        return vector

    def base(self, vector: Array) -> Sae:
        """Return the ReLU SAE of the same arrays."""
        return self.relu.sae(self.arrays(vector))

    @abstractmethod
    def sae(self, vector: Array) -> Autoencoder:
        """Return the SAE that a vector stands for."""

    @abstractmethod
    def vector(self, base: Sae, threshold: Array) -> Array:
        """Return the vector that stands for arrays, and thresholds where there are such."""

    @abstractmethod
    def _loss(self, vector: Array) -> tuple[float, Gradient, Array]:
        """Return the loss, and its derivatives in the arrays and in the rest of the vector."""

    def vector_of_arrays(self, base: Sae) -> Array:
        """Return the part of a vector that stands for these arrays."""
        return self.relu.vector(base.W_enc, base.b_enc, base.W_dec, base.b_dec)


@dataclass(frozen=True, eq=False)
class JumpReluLoss(ArchitectureLoss):
    """Of JumpReLU SAEs; the vector ends with t, θ = t²."""

    def arrays(self, vector: Array) -> Array:
        """Return the part of the vector that stands for the four arrays."""
        return vector[: -self.relu.n_latents]

    def sae(self, vector: Array) -> Autoencoder:
        """Return the SAE that a vector stands for."""
        return JumpReluSae(self.base(vector), self.threshold(vector))

    def threshold(self, vector: Array) -> Array:
        """Return θ."""
        t: Array = vector[-self.relu.n_latents :]
        return t * t

    def vector(self, base: Sae, threshold: Array) -> Array:
        """Return the vector that stands for arrays and thresholds."""
        return np.concatenate([self.vector_of_arrays(base), np.sqrt(threshold)])

    def _loss(self, vector: Array) -> tuple[float, Gradient, Array]:
        base, t = self.base(vector), vector[-self.relu.n_latents :]
        parts, gradient = jump_loss_parts(
            self.law, base.W_enc, base.b_enc, t * t, base.W_dec, base.b_dec,
            self.objective,
        )  # fmt: skip
        assert gradient.threshold is not None
        return parts.total, gradient, 2.0 * t * gradient.threshold


@dataclass(frozen=True, eq=False)
class GatedLoss(JumpReluLoss):
    """Of Gated SAEs, as JumpReLU SAEs."""

    def sae(self, vector: Array) -> Autoencoder:
        """Return the SAE that a vector stands for, the two paths of one scale."""
        base = self.base(vector)
        return GatedSae(base, base.W_enc, base.b_enc - self.threshold(vector))


@dataclass(frozen=True, eq=False)
class TopKLoss(ArchitectureLoss):
    """Of TopK SAEs.

    Parameters
    ----------
    k : int
    """

    k: int

    def sae(self, vector: Array) -> Autoencoder:
        """Return the SAE that a vector stands for."""
        return TopKSae(self.base(vector), self.k)

    def vector(self, base: Sae, threshold: Array) -> Array:
        """Return the vector that stands for arrays."""
        del threshold
        return self.vector_of_arrays(base)

    def _loss(self, vector: Array) -> tuple[float, Gradient, Array]:
        found = piecewise_loss_parts(self.law, self.sae(vector), self.objective)
        parts, gradient = found
        return parts.total, gradient, np.zeros(0)


@dataclass(frozen=True, eq=False)
class BatchTopKLoss(ArchitectureLoss):
    """Of BatchTopK SAEs, in expectation over batches.

    Parameters
    ----------
    k : float
    """

    k: float

    def sae(self, vector: Array) -> Autoencoder:
        """Return the SAE that a vector stands for, with its threshold."""
        base = self.base(vector)
        theta = batch_threshold(self.law, base.W_enc, base.b_enc, self.k)
        return JumpReluSae(base, np.full(base.d_sae, theta))

    def vector(self, base: Sae, threshold: Array) -> Array:
        """Return the vector that stands for arrays."""
        del threshold
        return self.vector_of_arrays(base)

    def _loss(self, vector: Array) -> tuple[float, Gradient, Array]:
        law, base = self.law, self.base(vector)
        theta = batch_threshold(law, base.W_enc, base.b_enc, self.k)
        every = np.full(base.d_sae, theta)
        parts, gradient = jump_loss_parts(
            law, base.W_enc, base.b_enc, every, base.W_dec, base.b_dec, self.objective
        )
        if theta > 0:
            assert gradient.threshold is not None
            to_W_enc, to_b_enc, to_theta = slopes_of_firing(law, base.W_enc, base.b_enc, theta)
            if to_theta < 0:
                share = float(gradient.threshold.sum()) / to_theta
                gradient = gradient._replace(
                    W_enc=gradient.W_enc - share * to_W_enc,
                    b_enc=gradient.b_enc - share * to_b_enc,
                )
        return parts.total, gradient, np.zeros(0)


def architecture_loss(relu: LossOfVector, architecture: Architecture) -> ArchitectureLoss:
    """Return the loss of SAEs of an architecture other than ReLU.

    Examples
    --------
    TopK with k = 1 and the four features as atoms leaves out E min(a, b)² = 1/6:

    >>> from solvers.autoencoders.frames import frame_sae
    >>> from solvers.autoencoders.objective import Objective
    >>> from solvers.laws.arrays import law_arrays
    >>> from theory import load_law
    >>> relu = LossOfVector(law_arrays(load_law("independent")), Objective(0.0), 4)
    >>> loss = architecture_loss(relu, Architecture("topk", 1))
    >>> round(loss(loss.vector(frame_sae(0.0), np.zeros(4)))[0], 12)
    0.166666666667
    """
    if architecture.name == "topk":
        assert architecture.k is not None
        return TopKLoss(relu, int(architecture.k))
    if architecture.name == "batchtopk":
        assert architecture.k is not None
        return BatchTopKLoss(relu, architecture.k)
    return GatedLoss(relu) if architecture.name == "gated" else JumpReluLoss(relu)
