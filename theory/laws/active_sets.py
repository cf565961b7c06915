"""Laws of features with magnitudes: which features are active together, and how large each is.

    x = Σ_{i active} m_i v_i + σ ε,    m_i constant, uniform or normal, independently

Given the active set, x is an affine image of a base variable with one dimension for every active
feature whose magnitude is random. How likely each active set is, the activity, may be given in
full, or be made of features that fire independently, below parents, exclusively, or in
correlation (`theory.laws.copula`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import sympy

from theory.exact.annotations import checked
from theory.exact.arguments import check_list, check_whole
from theory.exact.errors import InputError
from theory.exact.numbers import Number, exact_number, number_rows, within
from theory.exact.symbols import CUBE
from theory.laws.copula import correlated_activity
from theory.laws.features import NORMAL, UNIFORM, Magnitude, Remainder, Unit
from theory.laws.law import Component, Law
from theory.laws.one_hot_sets import MOST_ACTIVE_SETS

MOST_FEATURES = 1000
#: One magnitude for every feature: 1.
ONE: Mapping[str, Number] = {"constant": 1}

#: Of more active sets than `MOST_ACTIVE_SETS`, those at least as likely as this have components.
LIKELY = sympy.Rational(1, 2**10)
#: And of those, the ones of at most so many uniform magnitudes.
MOST_UNIFORM = 3

_ROUNDING = sympy.Rational(1, 10**9)

_Activity = dict[tuple[int, ...], sympy.Expr]


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
    activity: _Activity = {}
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
    units = tuple(_units(chances, parents or {}, exclusive))
    every = _activity(units, sizes, MOST_ACTIVE_SETS)
    if every is not None:
        return _with(_law(every, sizes, directions, name), bias, noise)
    likely = _likely_activity(units, sizes)
    rest = Remainder(1 - sympy.Add(*likely.values()), units, tuple(sizes))
    if len({m.base for m in sizes if not m.is_constant}) > 1:
        expected = "one kind of random magnitude in so large a law"
        raise InputError("magnitude", expected, magnitude)
    return _with(_law(likely, sizes, directions, name, rest), bias, noise)


def _with(law: Law, bias: Sequence[Number] | None, noise: Number) -> Law:
    return (law if bias is None else law.shifted(bias)).with_noise(noise)


def _activity(units: Sequence[Unit], sizes: Sequence[Magnitude], most: int) -> _Activity | None:
    """Return every active set with its probability, or None if it is too much."""
    activity: _Activity = {(): sympy.S.One}
    uniform = {i for i, size in enumerate(sizes) if size.is_uniform}
    for unit in units:
        activity = dict(_grown(activity, unit))
        solid = len(uniform) > len(CUBE) and any(
            len(uniform.intersection(chosen)) > len(CUBE) for chosen in activity
        )
        if len(activity) > most or solid:
            return None
    return {tuple(sorted(chosen)): p for chosen, p in activity.items()}


def _likely_activity(units: Sequence[Unit], sizes: Sequence[Magnitude]) -> _Activity:
    """Return the active sets at least as likely as `LIKELY`, of few uniform magnitudes."""
    activity: _Activity = {(): sympy.S.One}
    for unit in units:
        # What more features do to a set makes it no likelier, and no smaller.
        activity = {
            chosen: p
            for chosen, p in _grown(activity, unit)
            if p >= LIKELY and _uniform(chosen, sizes) <= MOST_UNIFORM
        }
    return {tuple(sorted(chosen)): p for chosen, p in activity.items()}


def _uniform(chosen: tuple[int, ...], sizes: Sequence[Magnitude]) -> int:
    return sum(sizes[i].is_uniform for i in chosen)


def _grown(activity: _Activity, unit: Unit) -> Iterator[tuple[tuple[int, ...], sympy.Expr]]:
    """Yield what becomes of the active sets by one more unit."""
    outcomes = unit.outcomes
    for chosen, probability in activity.items():
        if unit.parent is not None and unit.parent not in chosen:
            yield chosen, probability
        else:
            for more, chance in outcomes:
                yield chosen + more, probability * chance


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


def _units(
    chances: Sequence[sympy.Expr],
    parents: Mapping[str, int] | Mapping[int, int],
    exclusive: object,
) -> Iterator[Unit]:
    """Yield features and groups of them, each after its parent."""
    count = len(chances)
    parent_of = _parents(count, parents)
    groups = _groups(count, exclusive, parent_of)
    left = [*groups, *((i,) for i in range(count) if not any(i in group for group in groups))]
    left.sort()
    done: set[int] = set()
    while left:
        ready = [g for g in left if parent_of.get(g[0]) is None or parent_of[g[0]] in done]
        if not ready:
            raise InputError("parents", "parents without a circle", dict(parents))
        for group in ready:
            yield _unit(group, parent_of.get(group[0]), chances)
            done.update(group)
        left = [group for group in left if group not in ready]


def _unit(group: tuple[int, ...], parent: int | None, chances: Sequence[sympy.Expr]) -> Unit:
    total = sympy.Add(*(chances[i] for i in group))
    # Decimals cannot hold thirds: what sums to 1 to nine digits is rescaled.
    scale = 1 / total if total.is_number and abs(total - 1) <= _ROUNDING else sympy.S.One
    if (1 - scale * total).is_negative:
        hint = f"those of features {list(group)} sum to {float(total):.9g}"
        raise InputError("exclusive", "firing probabilities that sum to 1 at most", hint=hint)
    return Unit(group, parent, tuple(scale * chances[i] for i in group))


def _parents(count: int, parents: Mapping[str, int] | Mapping[int, int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for child, parent in parents.items():
        # Keys of a JSON object are texts.
        written = isinstance(child, str) and child.isascii() and child.isdecimal()
        key: object = int(child) if written and str(int(child)) == child else child
        index = check_whole("parents: child", key, 0, count - 1)
        if index in found:
            raise InputError(f"parents[{index}]", "one parent", hint="it is given twice")
        found[index] = check_whole(f"parents[{index}]", parent, 0, count - 1)
    return found


def _groups(count: int, exclusive: object, parents: Mapping[int, int]) -> list[tuple[int, ...]]:
    groups: list[tuple[int, ...]] = []
    seen: set[int] = set()
    for place, group in enumerate(check_list("exclusive", exclusive, "a list of groups")):
        name = f"exclusive[{place}]"
        members = [
            check_whole(f"{name}[{i}]", member, 0, count - 1)
            for i, member in enumerate(check_list(name, group, "a list of features"))
        ]
        if not members or len({*members}) < len(members) or seen & {*members}:
            raise InputError(name, "features that are in no other group, each once", group)
        if len({parents.get(member) for member in members}) > 1:
            raise InputError(name, "features of one parent", group)
        seen.update(members)
        groups.append(tuple(sorted(members)))
    return groups


def _sizes(magnitude: object, count: int) -> list[Magnitude]:
    return [Magnitude.of(m, label) for label, m in _one_each(magnitude, "magnitude", count)]


def _directions(
    embedding: Sequence[Sequence[Number]] | None, count: int
) -> sympy.ImmutableDenseMatrix:
    if embedding is None:
        return sympy.ImmutableMatrix(sympy.eye(count))
    return sympy.ImmutableMatrix(number_rows(embedding, "embedding", [(count, -1)]))


def _law(
    activity: _Activity,
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
