"""Laws of the data: finite mixtures of affine images of unit cubes, in exact numbers.

Component c has probability p_c, and given it x = M_c u + o_c with u uniform on [0, 1]^k.
k = 0 is a point mass, k = 1 a segment (shared amplitude), k = 2 a parallelogram.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import sympy

from theory.exact.annotations import check_fields
from theory.exact.arguments import check_list, check_type, check_whole
from theory.exact.errors import InputError
from theory.exact.numbers import Number, exact_number
from theory.exact.symbols import CUBE

#: x1 = e1, x2 = -e1, y1 = e2, y2 = -e2: two sets of two features in the plane.
ANTIPODAL_PAIRS: tuple[tuple[int, int], ...] = ((1, 0), (-1, 0), (0, 1), (0, -1))

_LARGEST_SET = 100


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
        if self.probability.is_negative:
            raise InputError("component", "probability ≥ 0", self.probability)

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
        The feature directions of each one-hot set, if the law is made of such.

    Raises
    ------
    InputError
        If there is no component, dimensions differ, or the probabilities do not sum to 1.

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
        )


def one_hot_sets(
    sets: Sequence[int] = (2, 2),
    *,
    magnitude_correlation: Number = 0,
    onehot_probability: Number = 0,
    amplitude: Number = 1,
    probabilities: Sequence[Sequence[Number]] | None = None,
    embedding: Sequence[Sequence[Number]] | None = None,
    name: str = "law",
) -> Law:
    """Return the law of two one-hot sets of features.

    With both sets active, feature i of the first and j of the second (chance P_ij) give
    x = A a1 e_i + A ((1-f) a2 + f a1) e_j with a1, a2 independent uniform on [0, 1]. With
    probability q one of the m + n features, each equally likely, is active alone, its
    amplitude uniform on [0, A] whatever f.

    Parameters
    ----------
    sets : two ints ≥ 1
        Sizes m and n of the sets.
    magnitude_correlation, onehot_probability : number in [0, 1]
        f and q.
    amplitude : number > 0
        A.
    probabilities : (m, n) or (m+1, n+1) table summing to 1, optional
        P_ij given that both sets are active, by default uniform; or the whole joint law,
        whose last row and column are "none of this set"; q is then in the table, and may
        be repeated.
    embedding : (m+n, d) array, optional
        Feature directions, first set first; by default antipodal pairs for two sets of two,
        else the identity.
    name : str
        How messages call the law.

    Raises
    ------
    InputError
        Naming the argument, its value and what was expected.

    Examples
    --------
    >>> law = one_hot_sets(magnitude_correlation=1)
    >>> len(law.components), law.components[0].point
    (4, (u1, u1))
    """
    check_type("name", name, str)
    m, n = _set_sizes(sets)
    f = within(magnitude_correlation, "magnitude_correlation", 0, 1)
    q = within(onehot_probability, "onehot_probability", 0, 1)
    size = exact_number(amplitude, "amplitude")
    if size.is_nonpositive:
        raise InputError("amplitude", "a number > 0", amplitude)
    table = _table(probabilities, m, n, q)
    directions = _directions(embedding, m, n)
    zero = sympy.zeros(directions.cols, 1)
    features = [size * directions[row, :].T for row in range(m + n)]
    firsts, seconds = (*features[:m], zero), (*features[m:], zero)
    probability, none = table.tolist(), sympy.ImmutableMatrix(zero)

    components = []
    for row in range(table.rows):
        for column in range(table.cols):
            first, second = firsts[row], seconds[column]
            both = row < m and column < n
            if both and f != 1:
                matrix = sympy.Matrix.hstack(first + f * second if f else first, (1 - f) * second)
            elif row < m or column < n:
                matrix = first + second
            else:
                matrix = sympy.zeros(directions.cols, 0)
            components.append(
                Component(probability[row][column], sympy.ImmutableMatrix(matrix), none)
            )
    rows = [tuple(directions[row, :]) for row in range(m + n)]
    return Law(tuple(components), name, (tuple(rows[:m]), tuple(rows[m:])))


def _set_sizes(sets: Sequence[int]) -> tuple[int, int]:
    expected = f"two whole numbers from 1 to {_LARGEST_SET}"
    sizes = check_list("sets", sets, expected)
    if len(sizes) != 2:
        raise InputError("sets", expected, sets)
    m, n = (check_whole(f"sets[{i}]", size, 1, _LARGEST_SET) for i, size in enumerate(sizes))
    return m, n


def within(value: Number, name: str, low: int, high: int) -> sympy.Expr:
    """Return `value` exactly, unless it is provably outside [low, high].

    Examples
    --------
    >>> within(0.25, "onehot_probability", 0, 1)
    1/4
    """
    number = exact_number(value, name)
    if (number - low).is_negative or (number - high).is_positive:
        raise InputError(name, f"a number from {low} to {high}", value)
    return number


def _rows(value: object, name: str, shapes: Sequence[tuple[int, int]]) -> sympy.Matrix:
    expected = " or ".join(str(shape) for shape in shapes).replace("-1", "d")
    given = check_list(name, value, f"a list of rows of shape {expected}")
    entries = [
        check_list(f"{name}[{r}]", row, "a row, a list of numbers") for r, row in enumerate(given)
    ]
    lengths = [len(row) for row in entries]
    width = lengths[0] if lengths else 0
    fits = any(len(entries) == rows and columns in (width, -1) for rows, columns in shapes)
    if width == 0 or lengths.count(width) < len(lengths) or not fits:
        hint = f"it has {len(entries)} rows of lengths {lengths}"
        raise InputError(name, f"shape {expected}", hint=hint)
    return sympy.Matrix(
        [
            [exact_number(entry, f"{name}[{r}][{c}]") for c, entry in enumerate(row)]
            for r, row in enumerate(entries)
        ]
    )


def _table(
    probabilities: Sequence[Sequence[Number]] | None, m: int, n: int, q: sympy.Expr
) -> sympy.Matrix:
    """Return the joint law of the two sets as an (m+1, n+1) table, "none" last."""
    if probabilities is None:
        given = sympy.ones(m, n) / (m * n)
    else:
        given = _rows(probabilities, "probabilities", [(m, n), (m + 1, n + 1)])
        for (row, column), entry in _entries(given):
            if entry.is_negative:
                raise InputError(f"probabilities[{row}][{column}]", "a number ≥ 0", entry)
        total = sympy.simplify(sum(given))
        # Decimals cannot hold thirds, so a table that sums to 1 to nine digits is rescaled.
        if total.is_number and not abs(total - 1) <= sympy.Rational(1, 10**9):
            raise InputError("probabilities", "a table that sums to 1", float(total))
        given = given / total
    if given.shape == (m + 1, n + 1):
        # The table says it already; the key may only repeat it.
        alone = sum(given[:m, n]) + sum(given[m, :n])
        apart = sympy.simplify(q - alone)
        if q != 0 and not (apart.is_number and abs(apart) <= sympy.Rational(1, 10**9)):
            raise InputError(
                "onehot_probability",
                f"{alone}, the chance in the table that one set is active alone (its "
                '"none" row and column), or no such key',
                q,
            )
        return given
    table = sympy.zeros(m + 1, n + 1)
    table[:m, :n] = (1 - q) * given
    table[:m, n] = sympy.ones(m, 1) * q / (m + n)
    table[m, :n] = sympy.ones(1, n) * q / (m + n)
    return table


def _entries(matrix: sympy.Matrix) -> list[tuple[tuple[int, int], sympy.Expr]]:
    return [((r, c), matrix[r, c]) for r in range(matrix.rows) for c in range(matrix.cols)]


def _directions(embedding: Sequence[Sequence[Number]] | None, m: int, n: int) -> sympy.Matrix:
    if embedding is not None:
        return _rows(embedding, "embedding", [(m + n, -1)])
    if (m, n) == (2, 2):
        return sympy.Matrix(ANTIPODAL_PAIRS)
    return sympy.eye(m + n)
