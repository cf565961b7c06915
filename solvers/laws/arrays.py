"""A law's components as float arrays, grouped by the dimension of their cubes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy
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

    def scaled(self, factor: float) -> "LawArrays":
        """Return the law of factor · x."""
        groups = tuple(Cubes(cubes.probability, factor * cubes.affine) for cubes in self.groups)
        return LawArrays(
            groups, factor * self.mean, factor**2 * self.second_moment, factor**2 * self.spread
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
        affine = np.zeros((law.dimension, 1 + part.cube_dimension))
        # Of a law of many features nearly all entries are 0.
        for first, matrix in ((0, part.offset), (1, part.matrix)):
            for (row, column), entry in matrix.todok().items():
                affine[row, first + column] = _number(entry, law.name)
        probability = _number(sympy.sympify(part.probability), law.name)
        by_dimension.setdefault(part.cube_dimension, []).append((probability, affine))
    groups = tuple(
        Cubes(np.array([p for p, _ in parts]), np.stack([affine for _, affine in parts]))
        for _, parts in sorted(by_dimension.items())
    )
    mean = sum((cubes.probability @ (cubes.affine @ cubes.moments[0]) for cubes in groups),
               np.zeros(law.dimension))  # fmt: skip
    second_moment = _second_moment(groups, np.zeros(law.dimension))
    return LawArrays(groups, mean, second_moment, float(np.trace(_second_moment(groups, mean))))


def _number(value: sympy.Expr, name: str) -> float:
    """Return an exact number as the nearest float."""
    if isinstance(value, sympy.Rational):
        return float(value.p / value.q)
    if value.free_symbols:
        raise InputError(f"{name}: expected numbers, got the symbols {value.free_symbols}")
    return float(value.evalf(20))


def _second_moment(groups: Sequence[Cubes], centre: Array) -> Array:
    """Return E (x - centre)(x - centre)ᵀ."""
    total = np.zeros((len(centre), len(centre)))
    for cubes in groups:
        moved = cubes.affine.copy()
        moved[:, :, 0] -= centre
        weighted = cubes.probability[:, None, None] * (moved @ cubes.moments)
        total += np.tensordot(weighted, moved, axes=([0, 2], [0, 2]))
    return total
