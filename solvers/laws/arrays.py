"""A law's components as float arrays, grouped by the dimension of their cubes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from theory.exact.errors import InputError
from theory.laws.law import Law

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cubes:
    """The components of one cube dimension k: x = affine · ũ with ũ = (1, u).

    Parameters
    ----------
    probability : (C,) array
    affine : (C, d, 1+k) array
        Offset first, then the columns of the matrix.
    """

    probability: Array
    affine: Array

    @property
    def cube_dimension(self) -> int:
        """k."""
        return int(self.affine.shape[2]) - 1

    @property
    def moments(self) -> Array:
        """E ũ ũᵀ over the whole cube, shape (1+k, 1+k)."""
        half = np.full(1 + self.cube_dimension, 0.5)
        half[0] = 1.0
        moments = np.outer(half, half)
        moments[np.diag_indices_from(moments)] = 1.0 / 3.0
        moments[0, 0] = 1.0
        return moments


@dataclass(frozen=True, eq=False)
class LawArrays:
    """A law in floats.

    Parameters
    ----------
    groups : tuple of Cubes
        One for each cube dimension that occurs.
    mean : (d,) array
        E x.
    second_moment : (d, d) array
        E x xᵀ.
    spread : float
        E ‖x - E x‖², computed about the mean, so that it is accurate far from 0 too.
    """

    groups: tuple[Cubes, ...]
    mean: Array
    second_moment: Array
    spread: float

    @property
    def dimension(self) -> int:
        """d."""
        return len(self.mean)

    def moved(self, centre: Array, factor: float) -> "LawArrays":
        """Return the law of factor · (x - centre)."""
        groups = []
        for cubes in self.groups:
            affine = cubes.affine.copy()
            affine[:, :, 0] -= centre
            groups.append(Cubes(cubes.probability, factor * affine))
        return LawArrays(
            tuple(groups),
            factor * (self.mean - centre),
            _second_moment(groups, np.zeros(self.dimension)),
            factor**2 * self.spread,
        )


@lru_cache(maxsize=64)
def law_arrays(law: Law) -> LawArrays:
    """Return the law in floats; the result is kept, for laws are immutable.

    Raises
    ------
    InputError
        If an entry of the law still holds a symbol.

    Examples
    --------
    >>> from theory import load_law
    >>> law_arrays(load_law("shared")).second_moment.round(12).tolist()
    [[0.333333333333, 0.0], [0.0, 0.333333333333]]
    """
    by_dimension: dict[int, list[tuple[float, Array]]] = {}
    for part in law.components:
        symbols = part.matrix.free_symbols | part.offset.free_symbols
        symbols |= getattr(part.probability, "free_symbols", set())
        if symbols:
            raise InputError(law.name, "numbers", hint=f"it holds the symbols {symbols}")
        affine = np.array(
            part.offset.row_join(part.matrix).evalf(20).tolist(), dtype=np.float64
        ).reshape(law.dimension, 1 + part.cube_dimension)
        by_dimension.setdefault(part.cube_dimension, []).append((float(part.probability), affine))
    groups = tuple(
        Cubes(np.array([p for p, _ in parts]), np.stack([affine for _, affine in parts]))
        for _, parts in sorted(by_dimension.items())
    )
    mean = np.zeros(law.dimension)
    for cubes in groups:
        mean += np.einsum("c,cdk,k->d", cubes.probability, cubes.affine, cubes.moments[0])
    spread = float(np.trace(_second_moment(groups, mean)))
    return LawArrays(groups, mean, _second_moment(groups, np.zeros(law.dimension)), spread)


def _second_moment(groups: Sequence[Cubes], centre: Array) -> Array:
    """Return E (x - centre)(x - centre)ᵀ."""
    total = np.zeros((len(centre), len(centre)))
    for cubes in groups:
        affine = cubes.affine.copy()
        affine[:, :, 0] -= centre
        total += np.einsum("c,cdk,kl,cel->de", cubes.probability, affine, cubes.moments, affine)
    return total
