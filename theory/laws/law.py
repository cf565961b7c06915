"""Laws of the data: finite mixtures of affine images of unit cubes, in exact numbers.

Component c has probability p_c, and given it x = M_c u + o_c with u uniform on [0, 1]^k.
k = 0 is a point mass, k = 1 a segment (shared amplitude), k = 2 a parallelogram.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import sympy

from theory.exact.annotations import check_fields
from theory.exact.arguments import check_list, check_type
from theory.exact.errors import InputError
from theory.exact.numbers import Number, exact_number
from theory.exact.symbols import CUBE


@dataclass(frozen=True)
class Component:
    """One affine image of a unit cube: x = matrix · u + offset, u uniform on [0, 1]^k.

    Parameters
    ----------
    probability : sympy.Expr
        p_c ≥ 0.
    matrix : sympy.Matrix, shape (d, k)
    offset : sympy.Matrix, shape (d, 1)

    Raises
    ------
    InputError
        If the shapes disagree, an entry is not finite, or the probability is negative.
    """

    probability: sympy.Expr
    matrix: sympy.ImmutableDenseMatrix
    offset: sympy.ImmutableDenseMatrix

    def __post_init__(self) -> None:
        object.__setattr__(self, "probability", exact_number(self.probability, "probability"))
        for name in ("matrix", "offset"):
            object.__setattr__(self, name, _exact_matrix(getattr(self, name), name))
        if self.offset.shape != (self.matrix.rows, 1) or self.matrix.rows < 1:
            shapes = (self.matrix.shape, self.offset.shape)
            expected = "matrix (d, k) and offset (d, 1) with d ≥ 1"
            raise InputError("component", expected, shapes)
        if self.matrix.cols > len(CUBE):
            raise InputError("component", f"k ≤ {len(CUBE)} cube dimensions", self.matrix.cols)
        p = self.probability
        if p.p < 0 if isinstance(p, sympy.Rational) else p.is_negative:
            raise InputError("component", "probability ≥ 0", p)

    @property
    def cube_dimension(self) -> int:
        """k, the dimension of the cube."""
        return int(self.matrix.cols)

    @property
    def coordinates(self) -> tuple[sympy.Symbol, ...]:
        """The cube's coordinates u, k symbols."""
        return tuple(CUBE[: self.cube_dimension])

    @cached_property
    def point(self) -> tuple[sympy.Expr, ...]:
        """x as affine expressions in u, length d."""
        column = self.matrix * sympy.Matrix(self.cube_dimension, 1, self.coordinates) + self.offset
        return tuple(sympy.expand(entry) for entry in column)


def _exact_matrix(value: object, name: str) -> sympy.ImmutableDenseMatrix:
    if isinstance(value, sympy.ImmutableDenseMatrix):
        # Zeros need no check, and of a law of many features nearly all entries are.
        for entry in {*value.todok().values()}:
            exact_number(entry, name)
        return value
    expected = "a matrix, a list of rows"
    rows = [check_list(name, row, expected) for row in check_list(name, value, expected)]
    if len({len(row) for row in rows}) > 1:
        raise InputError(name, expected, hint="its rows differ in length")
    entries = [exact_number(entry, name) for row in rows for entry in row]
    return sympy.ImmutableDenseMatrix(len(rows), len(rows[0]) if rows else 0, entries)


@dataclass(frozen=True)
class Law:
    """A finite mixture of `Component` records; the distribution of the data x in R^d.

    Laws are equal if all their fields are; so what is computed of a law can be kept under the
    law itself. Entries may be sympy expressions in the symbols of `theory.exact.symbols`, so
    that one law can stand for a family.

    Parameters
    ----------
    components : tuple of Component
        Their probabilities sum to 1; components of probability 0 are dropped.
    name : str
        How messages and figures call it.
    features : tuple of tuples of tuples, optional
        The feature directions of each one-hot set, if the law is made of such; in a law that
        is given by its active sets every feature is a set of its own. Features are numbered
        through, first set first.
    active : tuple of tuples of int, optional
        The active set of each component, features in increasing order.

    Raises
    ------
    InputError
        If there is no component, dimensions differ, the probabilities do not sum to 1, or an
        active set is of no component or names no feature.

    Examples
    --------
    A point mass at (3, 4):

    >>> Law((Component(sympy.Integer(1), sympy.ImmutableMatrix(2, 0, []),
    ...                sympy.ImmutableMatrix([3, 4])),), "point").dimension
    2
    """

    components: tuple[Component, ...]
    name: str = "law"
    features: tuple[tuple[tuple[sympy.Expr, ...], ...], ...] = ()
    active: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        check_fields(self)
        for part in check_list("components", self.components, "a sequence of Component"):
            check_type("components", part, Component)
        present = tuple(part for part in self.components if part.probability != 0)
        if not present:
            raise InputError(self.name, "at least one component of probability > 0")
        if len({part.matrix.rows for part in present}) > 1:
            raise InputError(self.name, "components of one dimension d")
        total = sympy.Add(*(part.probability for part in present))
        if total != 1 and sympy.simplify(total) != 1:
            raise InputError(self.name, "probabilities that sum to 1", total)
        if self.active:
            count = sum(len(group) for group in self.features)
            if len(self.active) != len(self.components):
                raise InputError("active", "one active set for each component", len(self.active))
            if not all(i in range(count) for chosen in self.active for i in chosen):
                raise InputError("active", f"features from 0 to {count - 1}", self.active)
            kept = zip(self.active, self.components, strict=True)
            active = tuple(chosen for chosen, part in kept if part.probability != 0)
            object.__setattr__(self, "active", active)
        object.__setattr__(self, "components", present)

    def __hash__(self) -> int:
        # Equal laws have equal ones; to hash every component of thousands at every look-up of
        # what is kept under a law would cost more than what is saved.
        return hash((len(self.components), self.components[0], self.components[-1]))

    @property
    def dimension(self) -> int:
        """d, the dimension of the data."""
        return int(self.components[0].matrix.rows)

    def at(self, values: Mapping[sympy.Symbol, Number]) -> "Law":
        """Return the law with symbols replaced by `values`."""
        exact = {symbol: exact_number(value, str(symbol)) for symbol, value in values.items()}
        return Law(
            tuple(
                Component(
                    sympy.sympify(part.probability).subs(exact),
                    part.matrix.subs(exact),
                    part.offset.subs(exact),
                )
                for part in self.components
            ),
            self.name,
            self.features,
            self.active,
        )
