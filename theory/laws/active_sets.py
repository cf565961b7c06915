"""Laws of features with magnitudes: which features are active together, and how large each is.

    x = Σ_{i active} m_i v_i + σ ε,    m_i constant, uniform or normal, independently

Given the active set, x is an affine image of a base variable with one dimension for every active
feature whose magnitude is random. How likely each active set is, the activity, may be given in
full, or be made of features that fire independently, below parents, exclusively, or in
correlation (`theory.laws.copula`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import sympy

from theory.exact.annotations import checked
from theory.exact.arguments import check_list, check_whole
from theory.exact.errors import InputError
from theory.exact.numbers import Number, exact_number, number_rows, within
from theory.exact.symbols import CUBE
from theory.laws.copula import correlated_activity
from theory.laws.features import NORMAL, UNIFORM, Magnitude, Remainder
from theory.laws.firing_rules import Activity, every_active_set, likely_active_sets, units_of
from theory.laws.law import Component, Law

MOST_FEATURES = 1000
#: One magnitude for every feature: 1.
ONE: Mapping[str, Number] = {"constant": 1}

_ROUNDING = sympy.Rational(1, 10**9)


@checked
def from_active_sets(
    features: int,
    active: Sequence[Mapping[str, object]],
    *,
    magnitude: object = ONE,
    embedding: Sequence[Sequence[Number]] | None = None,
    bias: Sequence[Number] | None = None,
    noise: Number = 0,
    name: str = "law",
) -> Law:
    """Return the law of features whose active sets are given with their probabilities.

    Parameters
    ----------
    features : int from 1 to 1000
        How many there are; they are numbered from 0.
    active : sequence of {"features": [i, ...], "probability": p}
        Every active set once; the probabilities sum to 1.
    magnitude : mapping, or one for each feature
        {"constant": c}, {"uniform": [low, high]} or {"normal": [mean, standard deviation]}.
        Features that are active together are not uniform the one and normal the other.
    embedding : (features, d) array, optional
        Feature directions; by default the unit vectors.
    bias : (d,) array, optional
        Added to every x.
    noise : number ≥ 0
        Standard deviation of isotropic normal noise on x; not with uniform magnitudes.
    name : str
        How messages call the law.

    Raises
    ------
    InputError
        Naming the argument, its value and what was expected.

    Examples
    --------
    A parent fires alone, or with its child:

    >>> law = from_active_sets(2, [{"features": [0], "probability": "3/4"},
    ...                            {"features": [0, 1], "probability": "1/4"}])
    >>> [(part.probability, part.point) for part in law.components]
    [(3/4, (1, 0)), (1/4, (1, 1))]
    """
    count = check_whole("features", features, 1, MOST_FEATURES)
    given = check_list("active", active, "a list of active sets")
    activity: Activity = {}
    for place, entry in enumerate(given):
        where = f"active[{place}]"
        if not isinstance(entry, Mapping) or set(entry) != {"features", "probability"}:
            raise InputError(where, '{"features": [i, ...], "probability": p}', entry)
        members = check_list(f"{where}.features", entry["features"], "a list of features")
        found = [
            check_whole(f"{where}.features[{i}]", m, 0, count - 1) for i, m in enumerate(members)
        ]
        chosen = tuple(sorted(set(found)))
        if len(chosen) < len(found) or chosen in activity:
            what = "every feature once" if len(chosen) < len(found) else "every active set once"
            raise InputError(f"{where}.features", what, entry["features"])
        activity[chosen] = exact_number(entry["probability"], f"{where}.probability")
        if activity[chosen].is_negative:
            raise InputError(f"{where}.probability", "a number ≥ 0", entry["probability"])
    total = sympy.Add(*activity.values())
    # Decimals cannot hold thirds: what sums to 1 to nine digits is rescaled.
    if total.is_number and not abs(total - 1) <= _ROUNDING:
        raise InputError("active", "probabilities that sum to 1", float(total))
    if total != 1:
        activity = {chosen: chance / total for chosen, chance in activity.items()}
    sizes, directions = _sizes(magnitude, count), _directions(embedding, count)
    return _with(_law(activity, sizes, directions, name), bias, noise)


@checked
def firing_features(
    features: int,
    firing: object,
    *,
    parents: Mapping[str, int] | Mapping[int, int] | None = None,
    exclusive: Sequence[Sequence[int]] = (),
    correlation: object = None,
    magnitude: object = ONE,
    embedding: Sequence[Sequence[Number]] | None = None,
    bias: Sequence[Number] | None = None,
    noise: Number = 0,
    name: str = "law",
) -> Law:
    """Return the law of features that fire independently, below parents, or exclusively.

    Of more than 16,384 active sets, or with more than 8 uniform magnitudes at a time, the
    likely ones have components and the others are the law's `remainder`.

    Parameters
    ----------
    features : int from 1 to 1000
    firing : number in [0, 1], or one for each feature
        The probability that it fires; of a child, given that its parent fires.
    parents : mapping from feature to feature, optional
        A child fires only with its parent.
    exclusive : sequence of groups of features, optional
        Of a group at most one fires, each with its probability; they sum to 1 at most, and all
        have the same parent or none.
    correlation : number or (features, features) table, optional
        Feature i fires where a standard normal g_i is above the threshold that `firing` says,
        and these are the correlations of the g_i (a Gaussian copula); without parents and
        exclusive groups, and of at most 8 features.
    magnitude, embedding, bias, noise, name
        As for `from_active_sets`.

    Raises
    ------
    InputError
        Naming the argument, its value and what was expected.

    Examples
    --------
    Feature 1 fires in a quarter of the cases in which feature 0 does:

    >>> law = firing_features(2, ["1/2", "1/4"], parents={1: 0})
    >>> [(part.probability, part.point) for part in law.components]
    [(1/2, (0, 0)), (3/8, (1, 0)), (1/8, (1, 1))]
    """
    count = check_whole("features", features, 1, MOST_FEATURES)
    chances = [within(p, label, 0, 1) for label, p in _one_each(firing, "firing", count)]
    sizes, directions = _sizes(magnitude, count), _directions(embedding, count)
    if correlation is not None:
        for key, value in (("parents", parents), ("exclusive", exclusive)):
            if value:
                raise InputError(key, "no such key beside 'correlation'", value)
        activity, error = correlated_activity(chances, correlation)
        law = _with(_law(activity, sizes, directions, name), bias, noise)
        return replace(law, probability_error=error)
    units = tuple(units_of(chances, parents or {}, exclusive))
    every = every_active_set(units, sizes)
    if every is not None:
        return _with(_law(every, sizes, directions, name), bias, noise)
    likely = likely_active_sets(units, sizes)
    rest = Remainder(1 - sympy.Add(*likely.values()), units, tuple(sizes))
    if len({m.base for m in sizes if not m.is_constant}) > 1:
        expected = "one kind of random magnitude in so large a law"
        raise InputError("magnitude", expected, magnitude)
    return _with(_law(likely, sizes, directions, name, rest), bias, noise)


def _with(law: Law, bias: Sequence[Number] | None, noise: Number) -> Law:
    return (law if bias is None else law.shifted(bias)).with_noise(noise)


def independent_features(
    features: int,
    firing: object,
    *,
    magnitude: object = ONE,
    embedding: Sequence[Sequence[Number]] | None = None,
    noise: Number = 0,
    name: str = "law",
) -> Law:
    """Return the law of features that fire independently; see `firing_features`.

    Examples
    --------
    >>> len(independent_features(3, 0.5).components)
    8
    """
    return firing_features(features, firing, magnitude=magnitude, embedding=embedding,
                           noise=noise, name=name)  # fmt: skip


def tree(
    features: int,
    firing: object,
    parents: Mapping[str, int] | Mapping[int, int],
    *,
    exclusive: Sequence[Sequence[int]] = (),
    magnitude: object = ONE,
    embedding: Sequence[Sequence[Number]] | None = None,
    noise: Number = 0,
    name: str = "law",
) -> Law:
    """Return the law of features that fire only with their parents; see `firing_features`.

    Examples
    --------
    A parent with two children, of which at most one fires:

    >>> law = tree(3, [1, "1/2", "1/2"], {1: 0, 2: 0}, exclusive=[[1, 2]])
    >>> [part.point for part in law.components]
    [(1, 1, 0), (1, 0, 1)]
    """
    return firing_features(features, firing, parents=parents, exclusive=exclusive,
                           magnitude=magnitude, embedding=embedding, noise=noise,
                           name=name)  # fmt: skip


def _one_each(given: object, name: str, count: int) -> list[tuple[str, Number]]:
    """Return a value for each feature and what messages call it; one stands for all."""
    if isinstance(given, str | Mapping) or not hasattr(given, "__len__"):
        return [(name, given)] * count
    values = check_list(name, given, f"one value, or {count}, one for each feature")
    if len(values) != count:
        expected = f"one value, or {count}, one for each feature"
        raise InputError(name, expected, hint=f"there are {len(values)}")
    return [(f"{name}[{i}]", value) for i, value in enumerate(values)]


def _sizes(magnitude: object, count: int) -> list[Magnitude]:
    return [Magnitude.of(m, label) for label, m in _one_each(magnitude, "magnitude", count)]


def _directions(
    embedding: Sequence[Sequence[Number]] | None, count: int
) -> sympy.ImmutableDenseMatrix:
    if embedding is None:
        return sympy.ImmutableMatrix(sympy.eye(count))
    return sympy.ImmutableMatrix(number_rows(embedding, "embedding", [(count, -1)]))


def _law(
    activity: Activity,
    sizes: Sequence[Magnitude],
    directions: sympy.ImmutableDenseMatrix,
    name: str,
    remainder: Remainder | None = None,
) -> Law:
    # Of many features nearly all entries are 0, and need no arithmetic.
    entries: list[dict[int, sympy.Expr]] = [{} for _ in sizes]
    for (row, column), entry in directions.todok().items():
        entries[row][column] = entry
    components, magnitudes = [], []
    ordered = sorted(activity, key=lambda found: (len(found), found))
    for chosen in ordered:
        random = [i for i in chosen if not sizes[i].is_constant]
        base = _base_of(chosen, random, sizes)
        offset = [sympy.S.Zero] * directions.cols
        matrix = [[sympy.S.Zero] * len(random) for _ in range(directions.cols)]
        for i in chosen:
            for axis, entry in entries[i].items():
                offset[axis] += sizes[i].offset * entry
        for column, i in enumerate(random):
            for axis, entry in entries[i].items():
                matrix[axis][column] = sizes[i].scale * entry
        flat = [entry for row in matrix for entry in row]
        components.append(
            Component(
                activity[chosen],
                sympy.ImmutableDenseMatrix(directions.cols, len(random), flat),
                sympy.ImmutableDenseMatrix(directions.cols, 1, offset),
                base,
            )
        )
        rows_of = ([sizes[i].scale if i == j else sympy.S.Zero for j in random] for i in chosen)
        sized = zip(chosen, rows_of, strict=True)
        magnitudes.append(tuple((sizes[i].offset, *row) for i, row in sized))
    rows = tuple((tuple(directions[row, :]),) for row in range(len(sizes)))
    return Law(tuple(components), name, rows, tuple(ordered), tuple(magnitudes), remainder)


def _base_of(chosen: tuple[int, ...], random: Sequence[int], sizes: Sequence[Magnitude]) -> str:
    """Return the base of what is active together; one component has one."""
    bases = {sizes[i].base for i in random}
    hint = f"features {list(chosen)} are active together"
    if len(bases) > 1:
        raise InputError(
            "magnitude", "uniform or normal ones in an active set, not both", hint=hint
        )
    if bases == {UNIFORM} and len(random) > len(CUBE):
        expected = f"at most {len(CUBE)} features of uniform magnitude in one active set"
        raise InputError("magnitude", expected, hint=hint)
    return NORMAL if bases == {NORMAL} else UNIFORM
