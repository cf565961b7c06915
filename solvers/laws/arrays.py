"""A law's components as float arrays: cubes grouped by their dimension, normals, drawn points."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import sympy
from numpy.typing import NDArray
from scipy.stats import qmc

from solvers.laws.remainder import drawn_remainder
from theory.exact.errors import InputError
from theory.laws.features import NORMAL
from theory.laws.law import Law

Array = NDArray[np.float64]

# Points that stand for solid cubes, of all together and of one at least, as powers of two.
_POINTS = 13
_FEWEST_POINTS = 5


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
class Normals:
    """The normal components: x = mean + factor · (standard normal in R^k).

    Parameters
    ----------
    probability : (C,) array
    mean : (C, d) array
    factor : (C, d, k) array
        Of the covariance factor · factorᵀ; columns that a component does not need are 0.
    """

    probability: Array
    mean: Array
    factor: Array

    @property
    def arrays(self) -> tuple[Array, Array, Array]:
        """Probabilities, means and factors."""
        return self.probability, self.mean, self.factor


@dataclass(frozen=True, eq=False)
class LawArrays:
    """A law in floats.

    Parameters
    ----------
    cubes : tuple of Cubes
        One for each cube dimension that occurs, in increasing order.
    normals : tuple of Normals
        One, if the law has normal components.
    mean : (d,) array
        E x.
    second_moment : (d, d) array
        E x xᵀ.
    spread : float
        E ‖x - E x‖², computed about the mean, so that it is accurate far from 0 too.
    exact : bool
        Whether all of it is exact to rounding; else points that were drawn stand for a part,
        and what is computed has a standard error (`solvers.losses.standard_error`).
    """

    cubes: tuple[Cubes, ...]
    normals: tuple[Normals, ...]
    mean: Array
    second_moment: Array
    spread: float
    exact: bool = True

    @classmethod
    def of(
        cls, cubes: Sequence[Cubes], normals: Sequence[Normals], exact: bool = True
    ) -> "LawArrays":
        """Return the law of these components, which make it up."""
        groups: tuple[Cubes | Normals, ...] = (*cubes, *normals)
        mean = np.sum([_mean(group) for group in groups], axis=0)
        spread = float(np.trace(_second_moment(groups, mean)))
        about_zero = _second_moment(groups, np.zeros_like(mean))
        return cls(tuple(cubes), tuple(normals), mean, about_zero, spread, exact)

    @property
    def groups(self) -> tuple[Cubes, ...]:
        """The cubes, of a law that is made of such.

        Raises
        ------
        InputError
            If the law has normal components.
        """
        if self.normals:
            raise InputError("law", "constant or uniform magnitudes here", "normal ones")
        return self.cubes

    @property
    def dimension(self) -> int:
        """d."""
        return len(self.mean)

    @property
    def component_count(self) -> int:
        """How many components there are, drawn points included."""
        groups: tuple[Cubes | Normals, ...] = (*self.cubes, *self.normals)
        return sum(len(group.probability) for group in groups)

    @property
    def component_means(self) -> Array:
        """The mean of each component, (C, d)."""
        of_cubes = [cubes.affine @ cubes.moments[0] for cubes in self.cubes]
        return np.concatenate([*of_cubes, *(normals.mean for normals in self.normals)])

    @property
    def in_plane_cells(self) -> bool:
        """Whether all components are points, segments and parallelograms."""
        return not self.normals and self.cubes[-1].cube_dimension <= 2

    @cached_property
    def coarse(self) -> "LawArrays | None":
        """The law with points for its cubes of three dimensions or more, if it has any.

        On it a descent comes near the end that it has on the law, at a small part of the cost.
        """
        solid = [cubes for cubes in self.cubes if cubes.cube_dimension > 2]
        if not solid:
            return None
        count = sum(len(cubes.probability) for cubes in solid)
        along = 2 ** max(_FEWEST_POINTS, _POINTS - int(np.log2(count)))
        points = []
        for cubes in solid:
            sobol = qmc.Sobol(cubes.cube_dimension, rng=np.random.default_rng(0))
            u = np.hstack([np.ones((along, 1)), sobol.random(along)])
            x = np.einsum("nk,cdk->cnd", u, cubes.affine).reshape(-1, self.dimension, 1)
            points.append(Cubes(np.repeat(cubes.probability / along, along), x))
        flat = [cubes for cubes in self.cubes if cubes.cube_dimension <= 2]
        return LawArrays.of([*points, *flat], self.normals, exact=False)

    def blurred(self, deviation: float) -> "LawArrays":
        """Return the law of x and independent isotropic normal noise, of a law of points.

        Raises
        ------
        InputError
            If it has other components.
        """
        points = self.groups[0]
        if self.cubes[-1].cube_dimension:
            raise InputError("law", "points to blur", f"{self.cubes[-1].cube_dimension}-cubes")
        count = len(points.probability)
        noise = np.broadcast_to(
            deviation * np.eye(self.dimension), (count, self.dimension, self.dimension)
        )
        normals = Normals(points.probability, points.affine[:, :, 0], noise)
        return LawArrays.of([], [normals], self.exact)

    def moved(self, centre: Array, factor: float) -> "LawArrays":
        """Return the law of factor · (x - centre)."""
        cubes, normals = [], []
        for group in self.cubes:
            affine = group.affine.copy()
            affine[:, :, 0] -= centre
            cubes.append(Cubes(group.probability, factor * affine))
        for part in self.normals:
            normals.append(
                Normals(part.probability, factor * (part.mean - centre), factor * part.factor)
            )
        return LawArrays(
            tuple(cubes),
            tuple(normals),
            factor * (self.mean - centre),
            _second_moment((*cubes, *normals), np.zeros(self.dimension)),
            factor**2 * self.spread,
            self.exact,
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
    normal: list[tuple[float, Array]] = []
    for part in law.components:
        affine = np.zeros((law.dimension, 1 + part.base_dimension))
        # Of a law of many features nearly all entries are 0.
        for first, matrix in ((0, part.offset), (1, part.matrix)):
            for (row, column), entry in matrix.todok().items():
                affine[row, first + column] = number(entry, law.name)
        probability = number(sympy.sympify(part.probability), law.name)
        if part.base == NORMAL:
            normal.append((probability, affine))
        else:
            by_dimension.setdefault(part.base_dimension, []).append((probability, affine))
    if law.remainder is not None:
        for weight, x in zip(*drawn_remainder(law, False), strict=True):
            points = zip(np.full(len(x), weight), x[:, :, None], strict=True)
            by_dimension.setdefault(0, []).extend(points)
    cubes = [
        Cubes(np.array([p for p, _ in parts]), np.stack([affine for _, affine in parts]))
        for _, parts in sorted(by_dimension.items())
    ]
    return LawArrays.of(cubes, [_normals(normal)] if normal else [], law.remainder is None)


def exact_arrays(law: Law) -> LawArrays:
    """Return the law in floats, of a law that is exact.

    Raises
    ------
    InputError
        If points stand for a part of it.

    Examples
    --------
    >>> from theory import load_law
    >>> exact_arrays(load_law("shared")).exact
    True
    """
    if law.remainder is not None:
        hint = f"only {len(law.components):,} of this law's have components"
        raise InputError("law", "a law of few enough active sets to be exact", hint=hint)
    return law_arrays(law)


def _normals(parts: list[tuple[float, Array]]) -> Normals:
    """Return normal components with factors of one width, at most d."""
    d = len(parts[0][1])
    factors = [affine[:, 1:] for _, affine in parts]
    # A factor of more columns than rows has a square one of the same covariance.
    factors = [f if f.shape[1] <= d else np.linalg.qr(f.T).R.T for f in factors]
    width = max(f.shape[1] for f in factors)
    return Normals(
        np.array([p for p, _ in parts]),
        np.stack([affine[:, 0] for _, affine in parts]),
        np.stack([np.pad(f, ((0, 0), (0, width - f.shape[1]))) for f in factors]),
    )


def number(value: sympy.Expr, name: str) -> float:
    """Return an exact number as the nearest float."""
    if isinstance(value, sympy.Rational):
        return int(value.p) / int(value.q)
    if value.free_symbols:
        raise InputError(name, "numbers", hint=f"it holds the symbols {value.free_symbols}")
    return float(value.evalf(20))


def _mean(group: Cubes | Normals) -> Array:
    if isinstance(group, Normals):
        mean: Array = group.probability @ group.mean
    else:
        mean = group.probability @ (group.affine @ group.moments[0])
    return mean


def _second_moment(groups: Sequence[Cubes | Normals], centre: Array) -> Array:
    """Return E (x - centre)(x - centre)ᵀ."""
    total = np.zeros((len(centre), len(centre)))
    for group in groups:
        if isinstance(group, Normals):
            away = group.mean - centre
            total += (group.probability[:, None] * away).T @ away
            weighted = group.probability[:, None, None] * group.factor
            total += np.tensordot(weighted, group.factor, axes=([0, 2], [0, 2]))
            continue
        moved = group.affine.copy()
        moved[:, :, 0] -= centre
        weighted = group.probability[:, None, None] * (moved @ group.moments)
        total += np.tensordot(weighted, moved, axes=([0, 2], [0, 2]))
    return total
