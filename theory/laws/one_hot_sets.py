"""Laws of one-hot sets of features: of every set at most one feature is active."""

from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from math import prod

import sympy

from theory.exact.arguments import check_list, check_type, check_whole
from theory.exact.errors import InputError
from theory.exact.numbers import Number, exact_number, number_rows, within
from theory.exact.symbols import CUBE
from theory.laws.law import Component, Law

#: x1 = e1, x2 = -e1, y1 = e2, y2 = -e2: two sets of two features in the plane.
ANTIPODAL_PAIRS: tuple[tuple[int, int], ...] = ((1, 0), (-1, 0), (0, 1), (0, -1))

_LARGEST_SET = 100
_MOST_SETS = 100
#: A law of more active sets would take minutes to build.
MOST_ACTIVE_SETS = 2**14


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
    """Return the law of one-hot sets of features, any number of them.

    With every set active, feature v_j of set j, magnitudes are A a_1 in the first set and
    A ((1-f) a_j + f a_1) in the others, a_j independent uniform on [0, 1]. Features of a set are
    equally likely. With probability q one of all features, each equally likely, is active alone,
    its magnitude uniform on [0, A] whatever f.

    Parameters
    ----------
    sets : ints from 1 to 100
        Sizes of the sets.
    magnitude_correlation, onehot_probability : number in [0, 1]
        f and q.
    amplitude : number > 0
        A.
    probabilities : (m, n) or (m+1, n+1) table summing to 1, optional
        For two sets: P_ij given that both are active, by default uniform; or the whole joint
        law, whose last row and column are "none of this set"; q is then in the table, and may
        be repeated.
    embedding : (features, d) array, optional
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
    >>> one_hot_sets((1, 1, 1), magnitude_correlation="1/2").components[0].point
    (u1, u1/2 + u2/2, u1/2 + u3/2)
    """
    check_type("name", name, str)
    sizes = _set_sizes(sets)
    f = within(magnitude_correlation, "magnitude_correlation", 0, 1)
    q = within(onehot_probability, "onehot_probability", 0, 1)
    size = exact_number(amplitude, "amplitude")
    if size.is_nonpositive:
        raise InputError("amplitude", "a number > 0", amplitude)
    if len(sizes) == 2:
        table = _table(probabilities, *sizes, q)
        activity: list[tuple[tuple[int, ...], sympy.Expr]] = [
            ((row, column), entry)
            for row, entries in enumerate(table.tolist())
            for column, entry in enumerate(entries)
        ]
    elif probabilities is not None:
        hint = "what is active together in more sets, `features` and `active` say"
        raise InputError("probabilities", "two sets", hint=hint)
    else:
        activity = list(_equally_likely(sizes, q))
    if len(sizes) > len(CUBE) and f != 1 and q != 1:
        expected = f"at most {len(CUBE)} sets unless magnitude_correlation is 1"
        raise InputError("sets", expected, hint=f"there are {len(sizes)}")
    directions = _directions(embedding, sizes)
    rows = [tuple(directions[row, :]) for row in range(directions.rows)]
    starts = [sum(sizes[:j]) for j in range(len(sizes) + 1)]
    features = tuple(tuple(rows[start:end]) for start, end in pairwise(starts))
    scaled = [[size * sympy.Matrix(feature) for feature in group] for group in features]
    nothing = sympy.ImmutableMatrix(sympy.zeros(directions.cols, 1))
    components, active_sets, magnitudes = [], [], []
    for chosen, probability in activity:
        if probability == 0:
            continue
        # In every set the last index is none of it.
        active = [scaled[j][i] for j, i in enumerate(chosen) if i < sizes[j]]
        if active and f != 0:
            # What all magnitudes share is the first set's.
            together = active[0] + f * sum(active[1:], sympy.zeros(directions.cols, 1))
            active = [together, *((1 - f) * other for other in active[1:] if f != 1)]
        matrix = sympy.Matrix.hstack(*active) if active else sympy.zeros(directions.cols, 0)
        components.append(Component(probability, sympy.ImmutableMatrix(matrix), nothing))
        active_sets.append(tuple(starts[j] + i for j, i in enumerate(chosen) if i < sizes[j]))
        magnitudes.append(_magnitudes(len(active_sets[-1]), matrix.cols, size, f))
    return Law(tuple(components), name, features, tuple(active_sets), tuple(magnitudes))


def _magnitudes(
    count: int, cubes: int, size: sympy.Expr, f: sympy.Expr
) -> tuple[tuple[sympy.Expr, ...], ...]:
    """Return the magnitudes of the active features as affine functions of u, constant first."""
    rows = []
    for j in range(count):
        row = [sympy.S.Zero] * (1 + cubes)
        row[1] = size * f
        if j == 0 or f != 1:
            row[1 + j] = size * (1 if j == 0 else 1 - f)
        rows.append(tuple(row))
    return tuple(rows)


def _set_sizes(sets: Sequence[int]) -> tuple[int, ...]:
    expected = f"whole numbers from 1 to {_LARGEST_SET}, one for each set"
    sizes = check_list("sets", sets, expected)
    if not sizes:
        raise InputError("sets", expected, sets)
    found = tuple(check_whole(f"sets[{i}]", m, 1, _LARGEST_SET) for i, m in enumerate(sizes))
    if len(found) > _MOST_SETS:
        raise InputError("sets", f"at most {_MOST_SETS} sets", hint=f"there are {len(found)}")
    if prod(found) > MOST_ACTIVE_SETS:
        limit = f"sets whose sizes have a product of at most {MOST_ACTIVE_SETS:,}"
        raise InputError("sets", limit, sets)
    return found


def _equally_likely(
    sizes: tuple[int, ...], q: sympy.Expr
) -> Iterator[tuple[tuple[int, ...], sympy.Expr]]:
    """Yield which feature of each set is active, the size for none, and how likely that is."""
    for chosen in product(*map(range, sizes)):
        yield chosen, (1 - q) / prod(sizes)
    for j, size in enumerate(sizes):
        for i in range(size):
            yield (*sizes[:j], i, *sizes[j + 1 :]), q / sum(sizes)


def _table(
    probabilities: Sequence[Sequence[Number]] | None, m: int, n: int, q: sympy.Expr
) -> sympy.Matrix:
    """Return the joint law of the two sets as an (m+1, n+1) table, "none" last."""
    if probabilities is None:
        given = sympy.ones(m, n) / (m * n)
    else:
        given = number_rows(probabilities, "probabilities", [(m, n), (m + 1, n + 1)])
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


def _directions(
    embedding: Sequence[Sequence[Number]] | None, sizes: tuple[int, ...]
) -> sympy.Matrix:
    if embedding is not None:
        return number_rows(embedding, "embedding", [(sum(sizes), -1)])
    if sizes == (2, 2):
        return sympy.Matrix(ANTIPODAL_PAIRS)
    return sympy.eye(sum(sizes))
