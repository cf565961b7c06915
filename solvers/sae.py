"""The SAE's parameters, validated once."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from solvers.files import written_beside
from theory.errors import InputError

Array = NDArray[np.float64]

PARAMETERS = ("W_enc", "b_enc", "W_dec", "b_dec")


@dataclass(frozen=True, eq=False)
class Sae:
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
    notes : tuple of str, optional
        What a reader did to a file's arrays, for people.

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

    W_enc: Array
    b_enc: Array
    W_dec: Array
    b_dec: Array
    notes: tuple[str, ...] = ()

    def __init__(
        self,
        W_enc: ArrayLike,
        b_enc: ArrayLike,
        W_dec: ArrayLike,
        b_dec: ArrayLike,
        notes: tuple[str, ...] = (),
    ) -> None:
        object.__setattr__(self, "notes", notes)
        given = {"W_enc": W_enc, "b_enc": b_enc, "W_dec": W_dec, "b_dec": b_dec}
        arrays = {name: _finite(name, value) for name, value in given.items()}
        if arrays["W_enc"].ndim != 2 or arrays["W_enc"].size == 0:
            raise InputError(f"W_enc: expected shape (d_in, d_sae), got {arrays['W_enc'].shape}")
        d_in, d_sae = arrays["W_enc"].shape
        expected = {"b_enc": (d_sae,), "W_dec": (d_sae, d_in), "b_dec": (d_in,)}
        for name, shape in expected.items():
            if arrays[name].shape != shape:
                raise InputError(
                    f"{name}: expected shape {shape} beside W_enc {(d_in, d_sae)}, "
                    f"got {arrays[name].shape}"
                )
        for name, array in arrays.items():
            array.setflags(write=False)
            object.__setattr__(self, name, array)

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

    def with_notes(self, *notes: str) -> "Sae":
        """Return the same SAE with notes."""
        return Sae(self.W_enc, self.b_enc, self.W_dec, self.b_dec, notes)

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

    def activations(self, x: ArrayLike) -> Array:
        """Return f(x), shape (N, d_sae), for samples of shape (N, d_in)."""
        return np.maximum(np.asarray(x, dtype=np.float64) @ self.W_enc + self.b_enc, 0.0)

    def reconstruction(self, x: ArrayLike) -> Array:
        """Return x̂, shape (N, d_in), for samples of shape (N, d_in)."""
        return self.activations(x) @ self.W_dec + self.b_dec

    def save(self, path: str | Path) -> None:
        """Write the four arrays to an .npz file, whole or not at all."""
        with written_beside(Path(path)) as temporary, temporary.open("wb") as file:
            np.savez(file, W_enc=self.W_enc, b_enc=self.b_enc, W_dec=self.W_dec, b_dec=self.b_dec)


def _finite(name: str, value: ArrayLike) -> Array:
    try:
        raw = np.asarray(value)
    except ValueError:
        raise InputError(f"{name}: expected an array of real numbers, got uneven rows") from None
    if raw.dtype.kind not in "fiu":
        raise InputError(f"{name}: expected an array of real numbers, got {raw.dtype}")
    with np.errstate(over="ignore"):
        array = np.array(raw, dtype=np.float64)
    bad = ~np.isfinite(array)
    if bad.any():
        where = [int(i) for i in np.argwhere(bad)[0]]
        raise InputError(f"{name}: expected finite numbers, got {array[bad][0]} at {where}")
    return array
