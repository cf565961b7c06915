r"""The gradient that straight-through estimation of JumpReLU has in expectation, and its bias.

The loss jumps where a latent starts to fire, so that its samples have no useful derivative in θ.
Training replaces the two that are needed by pseudo-derivatives, K being a kernel of bandwidth ε
[Rajamanoharan2024b, equations 11 and 12],

    ∂/∂θ p 1{p > θ} := -(θ/ε) K((p - θ)/ε),     ∂/∂θ 1{p > θ} := -(1/ε) K((p - θ)/ε),

and p passes on the derivative in the activation where the latent fires. K is the rectangle,
1 on (-1/2, 1/2). With `to_input` the kernel reaches the pre-activations too, with the sign turned
round [SAELens, `jumprelu_ste_to_input`]. Over a law the expectation of this estimator is exact
(`solvers.losses.slab_sums`), and so is its bias, the difference from the gradient of the loss
(`solvers.losses.jump_sums`).

**Proposition.** Let every p_i have, about θ_i, a density and a mean of x given p_i that are
continuous, no mass at θ_i, and no two latents the same plane p_i = θ_i. As ε → 0 the derivative
in θ tends to the exact one; W_dec and b_dec have no bias at any ε. W_enc and b_enc keep a bias
that does not depend on ε, minus the boundary terms of the exact gradient; with `to_input` it too
tends to 0.

*Proof.* E[S_i g]/ε tends to E[δ(φ_i) g] for g continuous about the plane φ_i = p_i - θ_i = 0. In
θ_i ∂_i + λ₀ only f_i is not: it is 0 below the plane and p_i above, each on half of the slab, so
that it counts as θ_i/2, and the limit is E[δ(φ_i) (θ_i² ‖d_i‖² - 2 θ_i d_i·(x - x̂_off) +
penalty_i θ_i + λ₀)], the boundary term. The estimator has it in θ, with `to_input` in the encoder
too; the rest of all derivatives is E ∂ℓ for both. ∎

On the upper half of the slab f_i is not θ_i but up to θ_i + ε/2, so that the bias in θ is of
first order in ε. On points the exact derivative in θ is 0 and the estimator's need not be: any
point within ε/2 of θ moves it.
"""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.architectures import JumpReluSae
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import LawArrays, exact_arrays
from solvers.losses.jump_sums import jump_sums_over
from solvers.losses.loss_parts import jump_loss_parts
from solvers.losses.slab_sums import slab_sums_over
from solvers.losses.sums import Weights
from solvers.runtime.arguments import check_choice, check_number, checked
from theory.exact.errors import InputError
from theory.laws.law import Law

Array = NDArray[np.float64]

KERNELS: Final = ("rectangle",)
_OTHERS = "moments of pairs give no other kernel; of several bandwidths a mean gives some"


@dataclass(frozen=True, eq=False)
class JumpGradient:
    """Derivatives with respect to the five parameters of a JumpReLU SAE, shaped like them.

    Two can be subtracted.
    """

    W_enc: Array
    b_enc: Array
    W_dec: Array
    b_dec: Array
    threshold: Array

    def __sub__(self, other: "JumpGradient") -> "JumpGradient":
        """Return the difference, array by array."""
        names = [field.name for field in fields(self)]
        return JumpGradient(*(getattr(self, name) - getattr(other, name) for name in names))


@dataclass(frozen=True, eq=False, kw_only=True)
class StraightThrough:
    """The straight-through gradient in expectation, beside the exact one.

    Parameters
    ----------
    gradient : JumpGradient
        What the estimator has in expectation.
    exact : JumpGradient
        The gradient of the expected loss.
    inside : (n,) array
        P(|p_i - θ_i| < ε/2): the share of samples from which θ_i hears at all.
    kernel : str
    bandwidth : float
        ε.
    to_input : bool
        Whether the kernel reaches the encoder.
    """

    gradient: JumpGradient
    exact: JumpGradient
    inside: Array
    kernel: str
    bandwidth: float
    to_input: bool

    @property
    def bias(self) -> JumpGradient:
        """`gradient` less `exact`."""
        return self.gradient - self.exact


@checked
def exact_gradient(law: Law, sae: JumpReluSae, objective: Objective) -> JumpGradient:
    """Return the gradient of the expected loss, with its boundary terms.

    On points the loss is piecewise constant in θ: there the derivative is 0, or does not exist.

    Raises
    ------
    InputError
        For another reconstruction than the squared one, weight decay, an SAE whose d_in is not
        the law's d, or a law that is not exact or would take minutes.

    Examples
    --------
    The hard-thresholding diagonal code on the first data set: each latent reads a quarter of the
    samples, uniformly on [0, √2], and its threshold is best at √λ₀.

    >>> from solvers.autoencoders.frames import frame_sae
    >>> from theory import load_law
    >>> law, objective = load_law("shared"), Objective(l1=0, l0=0.16)
    >>> for theta in (0.3, 0.4):
    ...     sae = JumpReluSae(frame_sae(np.pi / 4), [theta] * 4)
    ...     print(exact_gradient(law, sae, objective).threshold[0].round(9) + 0.0)
    -0.012374369
    0.0
    """
    return _exact(_arrays_for(law, sae, objective), sae, objective)


@checked
def straight_through_gradient(
    law: Law,
    sae: JumpReluSae,
    objective: Objective,
    bandwidth: float,
    kernel: str = "rectangle",
    to_input: bool = False,
) -> StraightThrough:
    """Return the straight-through gradient in expectation over a law, exactly, and its bias.

    Parameters
    ----------
    law : Law
    sae : JumpReluSae
    objective : Objective
        With a squared reconstruction and no weight decay. Every activation and every latent that
        fires is charged as it says; prefixes count.
    bandwidth : float > 0
        ε, in units of the pre-activations. [SAELens] takes 0.05 by default,
        [Lieberum2024] took 0.001.
    kernel : {"rectangle"}
    to_input : bool
        Whether the kernel reaches the pre-activations, and so W_enc and b_enc.

    Raises
    ------
    InputError
        As `exact_gradient` does, and for a bandwidth or a kernel that is none.

    Examples
    --------
    Training at ε = 1/5 would bring the thresholds of the code above to ε/8 + √(λ₀ + ε²/64):

    >>> from solvers.autoencoders.frames import frame_sae
    >>> from theory import load_law
    >>> sae = JumpReluSae(frame_sae(np.pi / 4), [0.025 + np.sqrt(0.16 + 0.04 / 64)] * 4)
    >>> found = straight_through_gradient(load_law("shared"), sae, Objective(l1=0, l0=0.16), 0.2)
    >>> bool(np.abs(found.gradient.threshold).max() < 1e-15)
    True
    >>> round(float(found.bias.threshold[0]), 6)
    -0.003763
    """
    check_number("bandwidth", bandwidth, above=0)
    check_choice("kernel", kernel, KERNELS, hint=_OTHERS)
    arrays = _arrays_for(law, sae, objective)
    exact = _exact(arrays, sae, objective)
    weights = Weights(
        sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec,
        objective.l1 * objective.latent_weights(sae.W_dec), sae.threshold,
        objective.latent_prefixes(sae.d_sae),
    )  # fmt: skip
    sums = jump_sums_over(arrays, weights, objective.l0)
    to_planes_x, to_planes = sums.to_breaks
    slabs = slab_sums_over(arrays, weights, objective.l0, bandwidth)
    passed = float(to_input)
    gradient = JumpGradient(
        sums.to_W_enc - to_planes_x + passed * slabs.passed_x,
        sums.to_b_enc - to_planes + passed * slabs.passed,
        exact.W_dec,
        exact.b_dec,
        -slabs.passed,
    )
    return StraightThrough(
        gradient=gradient,
        exact=exact,
        inside=slabs.mass,
        kernel=kernel,
        bandwidth=bandwidth,
        to_input=to_input,
    )


def _exact(law: LawArrays, sae: JumpReluSae, objective: Objective) -> JumpGradient:
    _, gradient = jump_loss_parts(
        law, sae.W_enc, sae.b_enc, sae.threshold, sae.W_dec, sae.b_dec, objective
    )
    assert gradient.threshold is not None
    return JumpGradient(*gradient, gradient.threshold)


def _arrays_for(law: Law, sae: JumpReluSae, objective: Objective) -> LawArrays:
    """Return the law in floats, if both gradients are known."""
    if objective.reconstruction != "squared":
        expected = "'squared' for a JumpReLU SAE"
        raise InputError("reconstruction", expected, objective.reconstruction)
    if objective.weight_decay:
        raise InputError("weight_decay", "0 for a JumpReLU SAE", objective.weight_decay)
    arrays = exact_arrays(law)
    if sae.d_in != arrays.dimension:
        expected = f"d_in = {arrays.dimension}, the dimension of the law {law.name!r}"
        raise InputError("W_enc", expected, sae.d_in)
    return arrays
