"""Laws of the data: finite mixtures of affine images of a base variable, in exact numbers.

Component c has probability p_c, and given it x = M_c u + o_c with u uniform on [0, 1]^k, or
standard normal in R^k. k = 0 is a point mass; of uniform ones k = 1 is a segment (shared
amplitude), k = 2 a parallelogram.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import sympy

from theory.exact.annotations import check_fields
from theory.exact.arguments import check_choice, check_list, check_type
from theory.exact.errors import InputError
from theory.exact.numbers import Number, exact_number, number_rows
from theory.exact.symbols import CUBE, standard_normals
from theory.laws.features import NORMAL, UNIFORM, Remainder


@dataclass(frozen=True)
class Component:
    """One affine image of a base variable: x = matrix · u + offset.

    Parameters
    ----------
    probability : sympy.Expr
        p_c ≥ 0.
    matrix : sympy.Matrix, shape (d, k)
    offset : sympy.Matrix, shape (d, 1)
    base : {"uniform", "normal"}
        What u is: uniform on [0, 1]^k, or standard normal in R^k. A point, k = 0, is "uniform".

    Raises
    ------
    InputError
        If the shapes disagree, an entry is not finite, or the probability is negative.
    """

    probability: sympy.Expr
    matrix: sympy.ImmutableDenseMatrix
    offset: sympy.ImmutableDenseMatrix
    base: str = UNIFORM

    def __post_init__(self) -> None:
        object.__setattr__(self, "probability", exact_number(self.probability, "probability"))
        for name in ("matrix", "offset"):
            object.__setattr__(self, name, _exact_matrix(getattr(self, name), name))
        if self.offset.shape != (self.matrix.rows, 1) or self.matrix.rows < 1:
            shapes = (self.matrix.shape, self.offset.shape)
            expected = "matrix (d, k) and offset (d, 1) with d ≥ 1"
            raise InputError("component", expected, shapes)
        check_choice("base", self.base, (UNIFORM, NORMAL))
        if self.matrix.cols == 0:
            object.__setattr__(self, "base", UNIFORM)
        if self.base == UNIFORM and self.matrix.cols > len(CUBE):
            raise InputError("component", f"k ≤ {len(CUBE)} cube dimensions", self.matrix.cols)
        p = self.probability
        if p.p < 0 if isinstance(p, sympy.Rational) else p.is_negative:
            raise InputError("component", "probability ≥ 0", p)

    @property
    def base_dimension(self) -> int:
        """k, the dimension of the base variable."""
        return int(self.matrix.cols)

    @property
    def cube_dimension(self) -> int:
        """k, the dimension of the cube; normal components have none, which is an `InputError`."""
        if self.base == NORMAL:
            raise InputError("law", "constant or uniform magnitudes here", "normal ones")
        return self.base_dimension

    @property
    def coordinates(self) -> tuple[sympy.Symbol, ...]:
        """The base variable's coordinates u, k symbols."""
        if self.base == NORMAL:
            return standard_normals(self.base_dimension)
        return tuple(CUBE[: self.base_dimension])

    @cached_property
    def point(self) -> tuple[sympy.Expr, ...]:
        """x as affine expressions in u, length d."""
        column = self.matrix * sympy.Matrix(self.base_dimension, 1, self.coordinates) + self.offset
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
    magnitudes : tuple of tuples of tuples, optional
        For each component and each feature of its active set, in the same order, the magnitude
        as an affine function of u: its constant, then k coefficients.
    remainder : Remainder, optional
        What the components leave out, if there are too many active sets. Its probability and
        theirs sum to 1.
    probability_error : sympy.Expr
        How far each component's probability may be from what it stands for; 0 if it is exact.

    Raises
    ------
    InputError
        If there is no component, dimensions differ, the probabilities do not sum to 1, or an
        active set or its magnitudes are of no component or name no feature.

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
    magnitudes: tuple[tuple[tuple[sympy.Expr, ...], ...], ...] = ()
    remainder: Remainder | None = None
    probability_error: sympy.Expr = sympy.S.Zero

    def __post_init__(self) -> None:
        check_fields(self)
        for part in check_list("components", self.components, "a sequence of Component"):
            check_type("components", part, Component)
        present = tuple(part for part in self.components if part.probability != 0)
        rest, error = self.remainder, exact_number(self.probability_error, "probability_error")
        object.__setattr__(self, "probability_error", error)
        if not present and not (rest is not None and self.features):
            raise InputError(self.name, "at least one component of probability > 0")
        if len({part.matrix.rows for part in present}) > 1:
            raise InputError(self.name, "components of one dimension d")
        total = sympy.Add(*(part.probability for part in present))
        if rest is not None:
            total += rest.probability
        if total != 1 and sympy.simplify(total) != 1:
            raise InputError(self.name, "probabilities that sum to 1", total)
        if self.active:
            count = sum(len(group) for group in self.features)
            if len(self.active) != len(self.components):
                raise InputError("active", "one active set for each component", len(self.active))
            if not all(i in range(count) for chosen in self.active for i in chosen):
                raise InputError("active", f"features from 0 to {count - 1}", self.active)
        if self.magnitudes and [len(rows) for rows in self.magnitudes] != [
            len(chosen) for chosen in self.active
        ]:
            raise InputError("magnitudes", "one for each feature of each active set")
        for name in ("active", "magnitudes"):
            kept = zip(getattr(self, name), self.components, strict=False)
            of_present = tuple(entry for entry, part in kept if part.probability != 0)
            object.__setattr__(self, name, of_present)
        object.__setattr__(self, "components", present)

    def __hash__(self) -> int:
        # Equal laws have equal ones; to hash every component of thousands at every look-up of
        # what is kept under a law would cost more than what is saved.
        return hash((len(self.components), self.components[:1], self.components[-1:]))

    @property
    def dimension(self) -> int:
        """d, the dimension of the data."""
        return int(self.components[0].matrix.rows) if self.components else len(self.features[0][0])

    @property
    def every_component(self) -> tuple[Component, ...]:
        """The components, of a law that they make up.

        Raises
        ------
        InputError
            If the law has a remainder, over which nothing is exact.
        """
        if self.remainder is not None:
            hint = f"only {len(self.components):,} of this law's have components"
            raise InputError("law", "a law of few enough active sets to be exact", hint=hint)
        return self.components

    def at(self, values: Mapping[sympy.Symbol, Number]) -> "Law":
        """Return the law with symbols replaced by `values`."""
        exact = {symbol: exact_number(value, str(symbol)) for symbol, value in values.items()}
        components = tuple(
            replace(
                part,
                probability=sympy.sympify(part.probability).subs(exact),
                matrix=part.matrix.subs(exact),
                offset=part.offset.subs(exact),
            )
            for part in self.components
        )
        magnitudes = tuple(
            tuple(tuple(sympy.sympify(entry).subs(exact) for entry in row) for row in rows)
            for rows in self.magnitudes
        )
        return replace(self, components=components, magnitudes=magnitudes)

    def with_noise(self, standard_deviation: Number) -> "Law":
        """Return the law of x + σ ε, ε standard normal in R^d and independent of x.

        Parameters
        ----------
        standard_deviation : number ≥ 0
            σ, in the units of the data.

        Raises
        ------
        InputError
            If σ is negative, or a magnitude uniform: what is uniform plus normal is neither.

        Examples
        --------
        >>> from theory.laws.active_sets import independent_features
        >>> independent_features(1, 1).with_noise("1/2").components[0].point
        (z1/2 + 1,)
        """
        sigma = exact_number(standard_deviation, "noise")
        if sigma.is_negative:
            raise InputError("noise", "a number ≥ 0", standard_deviation)
        if sigma == 0:
            return self
        rest = self.remainder
        uniform = any(part.base == UNIFORM and part.base_dimension for part in self.components)
        if uniform or (rest is not None and any(m.is_uniform for m in rest.magnitudes)):
            raise InputError("noise", "constant or normal magnitudes beside it", "uniform ones")
        d = self.dimension
        isotropic = sympy.ImmutableDenseMatrix(sigma * sympy.eye(d))
        return replace(
            self,
            components=tuple(
                replace(part, matrix=part.matrix.row_join(isotropic), base=NORMAL)
                for part in self.components
            ),
            magnitudes=tuple(
                tuple((*row, *[sympy.S.Zero] * d) for row in rows) for rows in self.magnitudes
            ),
            remainder=rest and replace(rest, noise=sympy.sqrt(rest.noise**2 + sigma**2)),
        )

    def shifted(self, bias: Sequence[Number]) -> "Law":
        """Return the law of x + bias.

        Parameters
        ----------
        bias : (d,) array

        Raises
        ------
        InputError
            For another length, or an entry that is no finite number.

        Examples
        --------
        >>> from theory.laws.active_sets import independent_features
        >>> independent_features(2, 1).shifted([0, "1/2"]).components[0].point
        (1, 3/2)
        """
        expected = f"{self.dimension} numbers, one for each dimension"
        entries = check_list("bias", bias, expected)
        if len(entries) != self.dimension:
            raise InputError("bias", expected, hint=f"there are {len(entries)}")
        row = [exact_number(entry, f"bias[{i}]") for i, entry in enumerate(entries)]
        moved = sympy.Matrix(row)
        rest = self.remainder
        if rest is not None:
            before = rest.bias or (sympy.S.Zero,) * self.dimension
            rest = replace(rest, bias=tuple(a + b for a, b in zip(before, row, strict=True)))
        return replace(
            self,
            components=tuple(
                replace(part, offset=sympy.ImmutableDenseMatrix(part.offset + moved))
                for part in self.components
            ),
            remainder=rest,
        )

    def embedded(self, matrix: Sequence[Sequence[Number]]) -> "Law":
        """Return the law of the rows x · matrix; its features are embedded alike.

        Parameters
        ----------
        matrix : (d, m) array

        Raises
        ------
        InputError
            For a matrix of another shape, or noise in a remainder, which would not stay isotropic.

        Examples
        --------
        Two features that are written into one dimension:

        >>> from theory.laws.active_sets import independent_features
        >>> law = independent_features(2, 1).embedded([[1], [-2]])
        >>> law.components[0].point, law.features
        ((-1,), (((1,),), ((-2,),)))
        """
        given = matrix.tolist() if isinstance(matrix, sympy.MatrixBase) else matrix
        rows = number_rows(given, "matrix", [(self.dimension, -1)])
        if self.remainder is not None and self.remainder.noise != 0:
            raise InputError("matrix", "no noise in a remainder", hint="embed before the noise")
        rest = self.remainder
        if rest is not None and rest.bias:
            rest = replace(rest, bias=tuple(sympy.Matrix([rest.bias]) * rows))
        return replace(
            self,
            remainder=rest,
            components=tuple(
                replace(
                    part,
                    matrix=sympy.ImmutableDenseMatrix(rows.T * part.matrix),
                    offset=sympy.ImmutableDenseMatrix(rows.T * part.offset),
                )
                for part in self.components
            ),
            features=tuple(
                tuple(tuple(sympy.Matrix([feature]) * rows) for feature in group)
                for group in self.features
            ),
        )
