"""Samples of a law."""

import numpy as np
from numpy.typing import NDArray

from solvers.laws.arrays import LawArrays

Array = NDArray[np.float64]


class Sampler:
    """Draws samples of a law.

    Parameters
    ----------
    law : LawArrays

    Examples
    --------
    >>> from solvers.laws.arrays import law_arrays
    >>> from theory import load_law
    >>> x = Sampler(law_arrays(load_law("shared")))(np.random.default_rng(0), 5)
    >>> bool(np.all(np.abs(x[:, 0]) == np.abs(x[:, 1])))
    True
    """

    def __init__(self, law: LawArrays) -> None:
        self.cubes = max(group.cube_dimension for group in law.groups)
        self.probability = np.concatenate([group.probability for group in law.groups])
        self.probability = self.probability / self.probability.sum()
        padded = []
        for group in law.groups:
            missing = self.cubes - group.cube_dimension
            padded.append(np.pad(group.affine, ((0, 0), (0, 0), (0, missing))))
        self.affine = np.concatenate(padded)

    def __call__(self, rng: np.random.Generator, count: int) -> Array:
        """Return samples of shape (count, d)."""
        chosen = self.affine[rng.choice(len(self.probability), size=count, p=self.probability)]
        u = rng.random((count, self.cubes))
        x: Array = chosen[:, :, 0] + np.einsum("ndk,nk->nd", chosen[:, :, 1:], u)
        return x
