"""The loss as a convention: what is summed, what is penalised, what is held fixed.

    L = E[reconstruction] + λ E[sparsity] + λ₀ E #{f_i > 0} + μ (‖W_enc‖² + ‖W_dec‖²)

With `prefixes` m_1 < ... < m_r = d_sae the reconstruction is that of a Matryoshka SAE
[Bussmann2025], Σ_s v_s ‖x - b_dec - Σ_{i ≤ m_s} f_i d_i‖².

No factor ½ and no division by d; biases are not decayed. `solvers.autoencoders.conventions` has
what others minimise, by the names of those who use it.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from solvers.runtime.arguments import (
    check_choice,
    check_fields,
    check_number,
    check_whole,
)
from theory.exact.errors import InputError

Array = NDArray[np.float64]

RECONSTRUCTIONS: Final = ("squared", "relative")
SPARSITIES: Final = ("l1", "decoder-norm")
PREFIX_WEIGHTS: Final = ("sum", "mean")
DECODERS: Final = ("unit", "free")

_STOPPED = (
    "weights may be given one by one; where the gradient stops at an inner prefix, training "
    "minimises no loss"
)


@dataclass(frozen=True)
class Objective:
    """The convention of a loss.

    Parameters
    ----------
    l1 : float ≥ 0
        λ, the coefficient of the sparsity penalty.
    reconstruction : {"squared", "relative"}
        ‖x - x̂‖², summed over the d coordinates; or ‖x - x̂‖²/‖x‖², x = 0 counting 0.
    sparsity : {"l1", "decoder-norm"}
        Σ f_i, or Σ f_i ‖d_i‖ [Anthropic2024].
    decoder : {"unit", "free"}
        Whether `minimize_loss` keeps every ‖d_i‖ = 1. The loss of given weights is the
        same for both.
    weight_decay : float ≥ 0
        μ.
    l0 : float ≥ 0
        λ₀, what every latent that fires costs.
    prefixes : tuple of int, optional
        Numbers m of latents, increasing, whose reconstructions are charged; the last is the
        width. By default only that of all latents.
    prefix_weights : "sum", "mean" or tuple of float > 0
        v: 1 each, 1/r each, or these. Prefixes that are drawn at random count with their
        probabilities, in expectation.

    Raises
    ------
    InputError
        Naming the field, its value and what was expected.

    Examples
    --------
    >>> Objective(l1=0.1)
    Objective(l1=0.1, reconstruction='squared', sparsity='l1', decoder='unit', weight_decay=0.0,
              l0=0.0, prefixes=(), prefix_weights='sum')
    """

    l1: float
    reconstruction: str = "squared"
    sparsity: str = "l1"
    decoder: str = "unit"
    weight_decay: float = 0.0
    l0: float = 0.0
    prefixes: tuple[int, ...] = ()
    prefix_weights: str | tuple[float, ...] = "sum"

    def __post_init__(self) -> None:
        for name in ("l1", "weight_decay", "l0"):
            check_number(name, getattr(self, name), least=0)
        for name, options in (
            ("reconstruction", RECONSTRUCTIONS),
            ("sparsity", SPARSITIES),
            ("decoder", DECODERS),
        ):
            check_choice(name, getattr(self, name), options)
        check_fields(self)
        if self.l0 > 0 and self.reconstruction != "squared":
            raise InputError("l0", "0 beside the relative reconstruction", self.l0)
        self._check_prefixes()

    def _check_prefixes(self) -> None:
        object.__setattr__(self, "prefixes", tuple(self.prefixes))
        for prefix in self.prefixes:
            check_whole("prefixes", prefix, 1)
        if any(after <= before for before, after in pairwise(self.prefixes)):
            raise InputError("prefixes", "increasing numbers of latents", self.prefixes)
        weights = self.prefix_weights
        if isinstance(weights, str):
            check_choice("prefix_weights", weights, PREFIX_WEIGHTS, hint=_STOPPED)
        else:
            numbers = tuple(check_number("prefix_weights", one, above=0) for one in weights)
            if len(numbers) != len(self.prefixes):
                expected = f"{len(self.prefixes)} numbers, one a prefix"
                raise InputError("prefix_weights", expected, weights)
            object.__setattr__(self, "prefix_weights", numbers)
        if self.prefixes and self.reconstruction != "squared":
            raise InputError("prefixes", "none beside the relative reconstruction", self.prefixes)

    @property
    def measure(self) -> tuple[object, ...]:
        """What two losses must share to be compared; how the decoder is held is no part of it."""
        return (self.l1, self.reconstruction, self.sparsity, self.weight_decay, self.l0,
                self.prefixes, self.prefix_weights if self.prefixes else "sum")  # fmt: skip

    def weights_of_prefixes(self) -> tuple[float, ...]:
        """Return v, one number a prefix; empty without prefixes.

        Examples
        --------
        >>> Objective(0.1, prefixes=(1, 2), prefix_weights="mean").weights_of_prefixes()
        (0.5, 0.5)
        """
        if isinstance(self.prefix_weights, tuple):
            return self.prefix_weights
        each = 1.0 if self.prefix_weights == "sum" else 1.0 / max(len(self.prefixes), 1)
        return (each,) * len(self.prefixes)

    def latent_prefixes(self, n_latents: int) -> Array | None:
        """Return for every latent the weight of the prefixes that hold it, None without prefixes.

        Those that hold i and j are those that hold the later of the two: the smaller weight.

        Raises
        ------
        InputError
            If the last prefix is not the width.

        Examples
        --------
        >>> Objective(0.1, prefixes=(1, 3)).latent_prefixes(3).tolist()
        [2.0, 1.0, 1.0]
        """
        if not self.prefixes:
            return None
        if self.prefixes[-1] != n_latents:
            expected = f"the width {n_latents} as the last prefix"
            raise InputError("prefixes", expected, self.prefixes)
        held = np.arange(n_latents)[:, None] < np.array(self.prefixes)
        weights: Array = held @ np.array(self.weights_of_prefixes())
        return weights

    @property
    def has_minimum(self) -> bool:
        """Whether the loss attains a minimum.

        With free atoms and a plain penalty, larger atoms and smaller activations make the
        penalty vanish, so that without weight decay the infimum is not attained.
        """
        shrinks = self.decoder == "free" and self.sparsity == "l1"
        return not (shrinks and self.l1 > 0 and self.weight_decay == 0)

    def latent_weights(self, W_dec: Array) -> Array:
        """Return what the penalty charges an activation of 1 of each latent, without λ.

        Parameters
        ----------
        W_dec : (..., n, d) array
            Atoms, of one SAE or of several.

        Returns
        -------
        (..., n) array
            ‖d_i‖ for the decoder-norm penalty, else 1.

        Examples
        --------
        >>> atoms = np.array([[3.0, 4.0], [0.0, 1.0]])
        >>> Objective(0.1, sparsity="decoder-norm").latent_weights(atoms).tolist()
        [5.0, 1.0]
        >>> Objective(0.1).latent_weights(atoms).tolist()
        [1.0, 1.0]
        """
        if self.sparsity == "decoder-norm":
            norms: Array = np.linalg.norm(W_dec, axis=-1)
            return norms
        return np.ones(W_dec.shape[:-1])

    def check_has_minimum(self) -> None:
        """Raise `InputError` unless the loss attains a minimum."""
        if not self.has_minimum:
            raise InputError(
                "decoder",
                "'unit', sparsity 'decoder-norm' or weight_decay > 0",
                hint="with free atoms and a plain l1 penalty the loss has no minimum",
            )

    def check_no_l0(self, where: str) -> None:
        """Raise `InputError` if there is an l0 penalty."""
        if self.l0 > 0:
            raise InputError("l0", f"0 for {where}", self.l0)

    def check_no_prefixes(self, where: str) -> None:
        """Raise `InputError` if prefixes are charged."""
        if self.prefixes:
            raise InputError("prefixes", f"none for {where}", self.prefixes)

    def check_comparable(self, other: "Objective") -> None:
        """Raise `InputError` unless losses under both objectives measure the same thing."""
        names = ("l1", "reconstruction", "sparsity", "weight_decay", "l0", "prefixes",
                 "prefix_weights")  # fmt: skip
        for name, mine, theirs in zip(names, self.measure, other.measure, strict=True):
            if mine != theirs:
                hint = "convert_l1 converts λ between conventions"
                expected = "losses of one convention to compare"
                raise InputError(name, expected, (mine, theirs), hint=hint)
