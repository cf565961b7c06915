"""An SAE's parameters, validated once: what all architectures share, and the ReLU SAE."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.runtime.arguments import check_fields, check_number, checked, finite_array
from solvers.runtime.files import written_beside
from theory.exact.errors import InputError

Array = NDArray[np.float64]

PARAMETERS = ("W_enc", "b_enc", "W_dec", "b_dec")


@dataclass(frozen=True)
class Origin:
    """What a file says of the training behind its weights, and what its reader did to them.

    Parameters
    ----------
    library : str
    convention : str
        A name in `CONVENTIONS` of `solvers.autoencoders.conventions`; "" if it is none of them.
    loss : {"", "objective", "gated", "l0", "squared", "unexplained variance"}
        Which loss of `solvers.losses.training_loss` it was trained on, "" if the file does not say
        or it is none of them.
    l1, l0 : float or None
        The coefficients of that loss, if the file holds them.
    batch_k : float or None
        Of a BatchTopK SAE, whose threshold stands for it: latents a sample in training.
    prefixes, prefix_weights : tuple of int, and "sum", "mean" or tuple of float
        Of a Matryoshka SAE, as for `solvers.autoencoders.objective.Objective`.
    seed : int or None
        Of the training, if the file holds it.
    notes : tuple of str
        For people.
    """

    library: str = ""
    convention: str = ""
    loss: str = ""
    l1: float | None = None
    l0: float | None = None
    batch_k: float | None = None
    prefixes: tuple[int, ...] = ()
    prefix_weights: str | tuple[float, ...] = "sum"
    seed: int | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("l1", "l0", "batch_k"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), least=0)


@dataclass(frozen=True, eq=False)
class Autoencoder(ABC):
    """What sparse autoencoders of every architecture share: x̂ = f W_dec + b_dec.

    Each latent has a pre-activation p_i = x·w_i + b_i; the architecture says how f follows.

    Parameters
    ----------
    W_enc, b_enc, W_dec, b_dec : (d_in, d_sae), (d_sae,), (d_sae, d_in), (d_in,) arrays
        Row i of W_dec is the atom d_i.
    origin : Origin
    """

    W_enc: Array
    b_enc: Array
    W_dec: Array
    b_dec: Array
    origin: Origin = Origin()

    def _set_arrays(self, given: Mapping[str, ArrayLike]) -> None:
        """Validate the four arrays and keep them, read-only."""
        arrays = {name: finite_array(name, value) for name, value in given.items()}
        if arrays["W_enc"].ndim != 2 or arrays["W_enc"].size == 0:
            raise InputError("W_enc", "shape (d_in, d_sae)", arrays["W_enc"].shape)
        d_in, d_sae = arrays["W_enc"].shape
        expected = {"b_enc": (d_sae,), "W_dec": (d_sae, d_in), "b_dec": (d_in,)}
        for name, shape in expected.items():
            if arrays[name].shape != shape:
                raise InputError(
                    name, f"shape {shape} beside W_enc {(d_in, d_sae)}", arrays[name].shape
                )
        for name, array in arrays.items():
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def with_origin(self, origin: Origin) -> Self:
        """Return the same SAE with another origin."""
        twin = copy.copy(self)
        object.__setattr__(twin, "origin", origin)
        return twin

    def with_atoms(self, W_dec: ArrayLike) -> Self:
        """Return the same SAE with other atoms (d_sae, d_in).

        Examples
        --------
        >>> Sae([[1.0]], [0], [[1.0]], [0]).with_atoms([[2.0]]).reconstruction([[3.0]]).tolist()
        [[6.0]]
        """
        twin, atoms = copy.copy(self), finite_array("W_dec", W_dec)
        if atoms.shape != self.W_dec.shape:
            raise InputError("W_dec", f"shape {self.W_dec.shape}", atoms.shape)
        atoms.setflags(write=False)
        object.__setattr__(twin, "W_dec", atoms)
        return twin

    @property
    def base(self) -> "Sae":
        """The ReLU SAE of the same arrays."""
        return Sae(self.W_enc, self.b_enc, self.W_dec, self.b_dec, self.origin)

    def moved(self, centre: ArrayLike, size: float) -> Self:
        """Return what this SAE is on data size · x + centre: its x̂ is moved like x, f like size.

        Examples
        --------
        >>> sae = Sae([[1.0]], [-0.5], [[1.0]], [0.0]).moved([3.0], 2.0)
        >>> sae.b_enc.tolist(), sae.reconstruction([[5.0]]).tolist()
        ([-4.0], [[4.0]])
        """
        twin, away = copy.copy(self), np.asarray(centre, dtype=np.float64)
        b_enc = self.b_enc * size - away @ self.W_enc
        moved = {"b_enc": b_enc, "b_dec": self.b_dec * size + away}
        for name, array in moved.items():
            object.__setattr__(twin, name, array)
        return twin

    def of_prefix(self, prefix: int) -> Self:
        """Return the same SAE, but that only its first latents reconstruct: the others' d_i are 0.

        Examples
        --------
        >>> Sae([[1.0, 1.0]], [0, 0], [[1.0], [3.0]], [0]).of_prefix(1).W_dec.tolist()
        [[1.0], [0.0]]
        """
        W_dec = self.W_dec.copy()
        W_dec[prefix:] = 0.0
        return self.with_atoms(W_dec)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader did to a file's arrays, for people."""
        return self.origin.notes

    @property
    def arrays(self) -> dict[str, Array]:
        """The numbers that make the SAE what it is, by the names that files have for them."""
        return {name: getattr(self, name) for name in PARAMETERS}

    def save(self, path: str | Path) -> None:
        """Write the arrays to an .npz file, whole or not at all."""
        with written_beside(Path(path)) as temporary, temporary.open("wb") as file:
            # mypy takes the names for options of `savez`.
            np.savez(file, **self.arrays)  # type: ignore[arg-type]

    @property
    @abstractmethod
    def architecture(self) -> str:
        """What the architecture is called in the literature."""

    @property
    def d_in(self) -> int:
        """Dimension of the data."""
        return int(self.W_enc.shape[0])

    @property
    def d_sae(self) -> int:
        """Number of latents."""
        return int(self.W_enc.shape[1])

    @property
    def decoder_norms(self) -> Array:
        """‖d_i‖ of every atom, shape (d_sae,)."""
        norms: Array = np.linalg.norm(self.W_dec, axis=1)
        return norms

    @property
    def breaks(self) -> tuple[Array, Array]:
        """Weights (d_in, m) and offsets (m,) of the affine functions at whose zeros f changes."""
        return self.W_enc, self.b_enc

    def breaks_beside(self, signs: Array) -> NDArray[np.bool_]:
        """Tell which `breaks` bound the piece of f that has these signs (m,); by default all."""
        return np.ones(len(signs), dtype=bool)

    def nudges(self) -> Array:
        """Return by which multiples of a little to lower each break, (m,), so that none coincide.

        What ties there is then as `fires_where` has it.
        """
        return distinct_differences(len(self.breaks[1]))

    def to_encoder(self, to_weights: Array, to_offsets: Array) -> tuple[Array, Array]:
        """Return derivatives in W_enc and b_enc, given those in the weights and offsets of breaks.

        What an architecture has beyond W_enc and b_enc is left to it.
        """
        return to_weights[:, : self.d_sae], to_offsets[: self.d_sae]

    @abstractmethod
    def fires_where(self, signs: Array) -> NDArray[np.bool_]:
        """Tell who fires, (N, d_sae), given the signs (N, m) of the functions in `breaks`."""

    def activations_where(self, x: Array, signs: Array) -> Array:
        """Return f(x), (N, d_sae), given the signs (N, m) of the functions in `breaks` there."""
        return np.where(self.fires_where(signs), x @ self.W_enc + self.b_enc, 0.0)

    def fires(self, x: Array) -> NDArray[np.bool_]:
        """Tell who fires, (N, d_sae), for samples of shape (N, d_in)."""
        weights, offsets = self.breaks
        return self.fires_where(np.sign(x @ weights + offsets))

    def activations(self, x: ArrayLike) -> Array:
        """Return f(x), shape (N, d_sae), for samples of shape (N, d_in)."""
        samples = finite_array("x", x)
        if samples.ndim != 2 or samples.shape[1] != self.d_in:
            raise InputError("x", f"shape (N, {self.d_in}), one sample a row", samples.shape)
        return np.where(self.fires(samples), samples @ self.W_enc + self.b_enc, 0.0)

    def reconstruction(self, x: ArrayLike) -> Array:
        """Return x̂, shape (N, d_in), for samples of shape (N, d_in)."""
        return self.activations(x) @ self.W_dec + self.b_dec


@dataclass(frozen=True, eq=False)
class Sae(Autoencoder):
    """A one-layer ReLU sparse autoencoder: f = ReLU(x W_enc + b_enc), x̂ = f W_dec + b_dec.

    The encoder reads x itself; one that reads x - b_dec is the same function with b_enc
    replaced by b_enc - b_dec W_enc, see `from_centred_encoder`.

    Parameters
    ----------
    W_enc : (d_in, d_sae) array
    b_enc : (d_sae,) array
    W_dec : (d_sae, d_in) array
        Row i is the atom d_i.
    b_dec : (d_in,) array
    origin : Origin, optional

    Raises
    ------
    InputError
        If an array is empty, not numeric, not finite, or of a shape that does not fit.

    Examples
    --------
    >>> sae = Sae(W_enc=[[1.0, -1.0]], b_enc=[0, 0], W_dec=[[1.0], [-1.0]], b_dec=[0])
    >>> sae.d_in, sae.d_sae, sae.activations([[-2.0]]).tolist()
    (1, 2, [[0.0, 2.0]])
    """

    @checked
    def __init__(
        self,
        W_enc: ArrayLike,
        b_enc: ArrayLike,
        W_dec: ArrayLike,
        b_dec: ArrayLike,
        origin: Origin = Origin(),
    ) -> None:
        object.__setattr__(self, "origin", origin)
        self._set_arrays({"W_enc": W_enc, "b_enc": b_enc, "W_dec": W_dec, "b_dec": b_dec})

    @classmethod
    def from_centred_encoder(
        cls, W_enc: ArrayLike, b_enc: ArrayLike, W_dec: ArrayLike, b_dec: ArrayLike
    ) -> "Sae":
        """Return the SAE whose encoder, as trained, reads x - b_dec.

        Examples
        --------
        >>> Sae.from_centred_encoder([[2.0]], [0.5], [[1.0]], [3.0]).b_enc.tolist()
        [-5.5]
        """
        sae = cls(W_enc, b_enc, W_dec, b_dec)
        return cls(sae.W_enc, sae.b_enc - sae.b_dec @ sae.W_enc, sae.W_dec, sae.b_dec)

    @property
    def architecture(self) -> str:
        """What the architecture is called in the literature."""
        return "ReLU"

    def fires_where(self, signs: Array) -> NDArray[np.bool_]:
        """Tell who fires, (N, d_sae); see `Autoencoder`."""
        return signs > 0


@cache
def distinct_differences(count: int) -> Array:
    """Return increasing numbers whose differences are all different, and at least 1.

    They are whole: each is the least that repeats no difference [MianChowla1944].

    Examples
    --------
    >>> distinct_differences(7).tolist()
    [1.0, 2.0, 4.0, 8.0, 13.0, 21.0, 31.0]
    """
    chosen: list[int] = []
    differences: set[int] = set()
    candidate = 1
    while len(chosen) < count:
        new = {candidate - before for before in chosen}
        if not new & differences:
            chosen.append(candidate)
            differences |= new
        candidate += 1
    return np.array(chosen, dtype=np.float64)
