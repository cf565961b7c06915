"""Architectures other than ReLU: JumpReLU, TopK, Gated. Each is affine in x between its `breaks`.

At x where one of those affine functions vanishes, the documented libraries differ or leave the
choice to the hardware; here a comparison that ties is false, and among equal pre-activations
TopK keeps the first.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.autoencoder import Array, Autoencoder, Sae, distinct_differences
from solvers.runtime.arguments import check_type, check_whole, finite_array
from theory.exact.errors import InputError

# Paths whose directions differ by less than this are tied.
_TIED = 1e-12


@dataclass(frozen=True, eq=False)
class JumpReluSae(Autoencoder):
    """f_i = p_i if p_i > θ_i, else 0, with θ_i ≥ 0 [Rajamanoharan2024b].

    BatchTopK at inference is the same with one θ for all latents.

    Parameters
    ----------
    base : Sae
        W_enc, b_enc, W_dec and b_dec.
    threshold : (d_sae,) array
        θ; negative entries count as 0, as ReLU(p_i) is 0 there anyway.

    Examples
    --------
    >>> base = Sae([[1.0, 1.0]], [0, 0], [[1.0], [1.0]], [0])
    >>> JumpReluSae(base, [0.5, 2.0]).activations([[1.0], [3.0]]).tolist()
    [[1.0, 0.0], [3.0, 3.0]]
    """

    threshold: Array = field(init=False)

    def __init__(self, base: Sae, threshold: ArrayLike) -> None:
        _take_over(self, base)
        theta = _of_length("threshold", threshold, base.d_sae)
        object.__setattr__(self, "threshold", np.maximum(theta, 0.0))

    def moved(self, centre: ArrayLike, size: float) -> Self:
        """Return what this SAE is on data size · x + centre; see `Autoencoder`."""
        twin = super().moved(centre, size)
        object.__setattr__(twin, "threshold", self.threshold * size)
        return twin

    @property
    def architecture(self) -> str:
        """What the architecture is called in the literature."""
        return "JumpReLU"

    @property
    def arrays(self) -> dict[str, Array]:
        """Those of all SAEs, and the threshold; see `Autoencoder`."""
        return {**super().arrays, "threshold": self.threshold}

    @property
    def breaks(self) -> tuple[Array, Array]:
        """p_i - θ_i; see `Autoencoder`."""
        return self.W_enc, self.b_enc - self.threshold

    def fires_where(self, signs: Array) -> NDArray[np.bool_]:
        """Tell who fires, (N, d_sae); see `Autoencoder`."""
        return signs > 0


@dataclass(frozen=True, eq=False)
class TopKSae(Autoencoder):
    """f_i = ReLU(p_i) for the k largest p_i, else 0 [Gao2024].

    Parameters
    ----------
    base : Sae
        W_enc, b_enc, W_dec and b_dec.
    k : int from 1 to d_sae

    Examples
    --------
    >>> base = Sae([[1.0, 2.0, -1.0]], [0, 0, 0], [[1.0], [1.0], [1.0]], [0])
    >>> TopKSae(base, 1).activations([[1.0], [-1.0]]).tolist()
    [[0.0, 2.0, 0.0], [0.0, 0.0, 1.0]]
    """

    k: int = field(init=False)

    def __init__(self, base: Sae, k: int) -> None:
        _take_over(self, base)
        object.__setattr__(self, "k", check_whole("k", k, 1, base.d_sae))

    @property
    def architecture(self) -> str:
        """What the architecture is called in the literature."""
        return "TopK"

    @property
    def arrays(self) -> dict[str, Array]:
        """Those of all SAEs, and k; see `Autoencoder`."""
        return {**super().arrays, "k": np.array(self.k)}

    @cached_property
    def _pairs(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        return np.triu_indices(self.d_sae, 1)

    @property
    def breaks(self) -> tuple[Array, Array]:
        """p_i, then p_i - p_j for i < j; see `Autoencoder`."""
        first, second = self._pairs
        weights = self.W_enc[:, first] - self.W_enc[:, second]
        offsets = self.b_enc[first] - self.b_enc[second]
        return np.hstack([self.W_enc, weights]), np.concatenate([self.b_enc, offsets])

    def nudges(self) -> Array:
        """Return what to lower each break by; see `Autoencoder`. The p_i are lowered."""
        first, second = self._pairs
        each = distinct_differences(self.d_sae)
        return np.concatenate([each, each[first] - each[second]])

    def to_encoder(self, to_weights: Array, to_offsets: Array) -> tuple[Array, Array]:
        """Return derivatives in W_enc and b_enc; see `Autoencoder`."""
        n = self.d_sae
        first, second = self._pairs
        to_W_enc, to_b_enc = to_weights[:, :n].copy(), to_offsets[:n].copy()
        for latent, sign in ((first, 1.0), (second, -1.0)):
            np.add.at(to_W_enc.T, latent, sign * to_weights[:, n:].T)
            np.add.at(to_b_enc, latent, sign * to_offsets[n:])
        return to_W_enc, to_b_enc

    def breaks_beside(self, signs: Array) -> NDArray[np.bool_]:
        """Who is positive, and if more than k are, who of the k largest may be overtaken."""
        n = self.d_sae
        first, second = self._pairs
        positive = signs[:n] > 0
        if positive.sum() <= self.k:
            return np.arange(len(signs)) < n
        kept = self._place(signs[None])[0] < self.k
        return np.concatenate([kept, kept[first] != kept[second]])

    def fires_where(self, signs: Array) -> NDArray[np.bool_]:
        """Tell who fires, (N, d_sae); see `Autoencoder`."""
        kept: NDArray[np.bool_] = (self._place(signs) < self.k) & (signs[:, : self.d_sae] > 0)
        return kept

    def _place(self, signs: Array) -> NDArray[np.intp]:
        """Return how many latents are ahead of each, (N, d_sae)."""
        n = self.d_sae
        first, second = self._pairs
        # Of a pair, the first is ahead unless the second is larger.
        ahead = signs[:, n:] >= 0
        beats = np.zeros((len(signs), n, n), dtype=bool)
        beats[:, first, second] = ahead
        beats[:, second, first] = ~ahead
        place: NDArray[np.intp] = beats.sum(axis=1)
        return place


@dataclass(frozen=True, eq=False)
class GatedSae(Autoencoder):
    """f_i = ReLU(p_i) if π_i > 0, else 0, with a gate π = x W_gate + b_gate [Rajamanoharan2024a].

    Parameters
    ----------
    base : Sae
        The magnitude path, whose pre-activation is p, and the decoder.
    W_gate, b_gate : (d_in, d_sae) and (d_sae,) arrays

    Examples
    --------
    >>> base = Sae([[1.0]], [1.0], [[1.0]], [0])
    >>> GatedSae(base, [[1.0]], [-2.0]).activations([[1.0], [3.0]]).tolist()
    [[0.0], [4.0]]
    """

    W_gate: Array = field(init=False)
    b_gate: Array = field(init=False)

    def __init__(self, base: Sae, W_gate: ArrayLike, b_gate: ArrayLike) -> None:
        _take_over(self, base)
        # The gate path is an SAE of its own; its arrays are checked as such.
        gate = Sae(W_gate, b_gate, base.W_dec, base.b_dec)
        object.__setattr__(self, "W_gate", gate.W_enc)
        object.__setattr__(self, "b_gate", gate.b_enc)

    @property
    def architecture(self) -> str:
        """What the architecture is called in the literature."""
        return "Gated"

    def moved(self, centre: ArrayLike, size: float) -> Self:
        """Return what this SAE is on data size · x + centre; see `Autoencoder`."""
        twin = super().moved(centre, size)
        b_gate = self.b_gate * size - np.asarray(centre) @ self.W_gate
        object.__setattr__(twin, "b_gate", b_gate)
        return twin

    @property
    def arrays(self) -> dict[str, Array]:
        """Those of all SAEs, and the gate; see `Autoencoder`."""
        return {**super().arrays, "W_gate": self.W_gate, "b_gate": self.b_gate}

    @property
    def gate(self) -> Sae:
        """The gate path as a ReLU SAE with the same decoder: training reconstructs from it too."""
        return Sae(self.W_gate, self.b_gate, self.W_dec, self.b_dec)

    def gate_scale(self) -> Array | None:
        """Return c > 0, (d_sae,), if π_i reads c_i times what p_i reads, else None.

        So it is wherever training ties the two paths [Rajamanoharan2024a], section 3.2; a latent
        that reads nothing counts as c = 1.
        """
        norms = np.linalg.norm(self.W_enc, axis=0), np.linalg.norm(self.W_gate, axis=0)
        reads = norms[0] > 0
        scale = np.where(reads, norms[1] / np.where(reads, norms[0], 1.0), 1.0)
        apart = np.abs(self.W_gate - scale * self.W_enc).max(axis=0)
        tied = (apart <= _TIED * norms[1]) & (scale > 0)
        return scale if tied.all() else None

    def as_jump_relu(self) -> JumpReluSae | None:
        """Return the same function as a JumpReLU SAE, if the paths are tied, else None.

        With π_i = c_i (p_i - b_i) + b_gate,i the gate opens where p_i > b_i - b_gate,i/c_i, so
        that θ_i = max(0, b_i - b_gate,i/c_i) [Rajamanoharan2024a], section 3.2.

        Examples
        --------
        >>> gated = GatedSae(Sae([[2.0]], [1.0], [[1.0]], [0]), [[1.0]], [-2.0])
        >>> gated.as_jump_relu().threshold.tolist()
        [5.0]
        """
        scale = self.gate_scale()
        if scale is None:
            return None
        theta = self.b_enc - self.b_gate / scale
        return JumpReluSae(self.base, theta)

    @property
    def breaks(self) -> tuple[Array, Array]:
        """p_i, then π_i; see `Autoencoder`."""
        return np.hstack([self.W_enc, self.W_gate]), np.concatenate([self.b_enc, self.b_gate])

    def fires_where(self, signs: Array) -> NDArray[np.bool_]:
        """Tell who fires, (N, d_sae); see `Autoencoder`."""
        n = self.d_sae
        on: NDArray[np.bool_] = (signs[:, :n] > 0) & (signs[:, n:] > 0)
        return on


def _take_over(sae: Autoencoder, base: Sae) -> None:
    check_type("base", base, Sae)
    for name in ("W_enc", "b_enc", "W_dec", "b_dec", "origin"):
        object.__setattr__(sae, name, getattr(base, name))


def _of_length(name: str, value: ArrayLike, length: int) -> Array:
    array = finite_array(name, value)
    if array.shape != (length,):
        raise InputError(name, f"shape ({length},)", array.shape)
    return array


def architecture_of(sae: Autoencoder) -> Architecture:
    """Return what a trained SAE is an instance of.

    A JumpReLU SAE whose file says that its threshold stands for BatchTopK is one of BatchTopK.

    Examples
    --------
    >>> base = Sae([[1.0, 2.0]], [0, 0], [[1.0], [1.0]], [0])
    >>> architecture_of(TopKSae(base, 1)), architecture_of(base)
    (Architecture(name='topk', k=1), Architecture(name='relu', k=None))
    """
    if isinstance(sae, TopKSae):
        return Architecture("topk", sae.k)
    if isinstance(sae, GatedSae):
        return Architecture("gated")
    if not isinstance(sae, JumpReluSae):
        return Architecture()
    batch_k = sae.origin.batch_k
    return Architecture("jumprelu") if batch_k is None else Architecture("batchtopk", batch_k)
