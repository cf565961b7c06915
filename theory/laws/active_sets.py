"""Laws of features with magnitudes: which features are active together, and how large each is.

    x = Σ_{i active} m_i v_i,    m_i constant, or uniform on [low, high], independently

Given the active set, x is an affine image of a unit cube with one dimension for every active
feature whose magnitude is random. How likely each active set is, the activity, may be given in
full, or be made of features that fire independently, below parents, or exclusively.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sympy

from theory.exact.annotations import checked
from theory.exact.arguments import check_choice, check_list, check_whole
from theory.exact.errors import InputError
from theory.exact.numbers import Number, exact_number, number_rows, within
from theory.exact.symbols import CUBE
from theory.laws.law import Component, Law
from theory.laws.one_hot_sets import MOST_ACTIVE_SETS

MOST_FEATURES = 1000
#: One magnitude for every feature: 1.
ONE: Mapping[str, Number] = {"constant": 1}

_ROUNDING = sympy.Rational(1, 10**9)

_Activity = dict[tuple[int, ...], sympy.Expr]


@dataclass(frozen=True)
class Magnitude:
    """The size of an active feature: uniform on [low, high], constant where the two are equal.

    Examples
    --------
    >>> Magnitude.of({"uniform": [0, "1/2"]}, "magnitude")
    Magnitude(low=0, high=1/2)
    """

    low: sympy.Expr
    high: sympy.Expr

    @classmethod
    def of(cls, given: object, name: str) -> "Magnitude":
        """Return what {"constant": c} or {"uniform": [low, high]} says.

        Raises
        ------
        InputError
            For anything else, a constant that is not above 0, or an interval that is not
            0 ≤ low < high.
        """
        expected = '{"constant": c} or {"uniform": [low, high]}'
        if not isinstance(given, Mapping) or len(given) != 1:
            raise InputError(name, expected, given)
        ((kind, value),) = given.items()
        check_choice(name, kind, ("constant", "uniform"))
        if kind == "constant":
            size = exact_number(value, f"{name}.constant")
            if size.is_nonpositive:
                raise InputError(f"{name}.constant", "a number > 0", value)
            return cls(size, size)
        ends = check_list(f"{name}.uniform", value, "two numbers, 0 ≤ low < high")
        if len(ends) != 2:
            raise InputError(f"{name}.uniform", "two numbers, 0 ≤ low < high", value)
        low, high = (exact_number(end, f"{name}.uniform[{i}]") for i, end in enumerate(ends))
        if low.is_negative or (high - low).is_nonpositive:
            raise InputError(f"{name}.uniform", "two numbers, 0 ≤ low < high", value)
        return cls(low, high)

    @property
    def is_constant(self) -> bool:
        """Whether the magnitude is no random number."""
        return bool(self.low == self.high)


class _Unit(NamedTuple):
    """Features of which at most one fires, and only together with the parent, if there is one."""

    features: tuple[int, ...]
    parent: int | None


@checked
def from_active_sets(
    features: int,
    active: Sequence[Mapping[str, object]],
    *,
    magnitude: object = ONE,
    embedding: Sequence[Sequence[Number]] | None = None,
    name: str = "law",
) -> Law:
    """Return the law of features whose active sets are given with their probabilities.

    Parameters
    ----------
    features : int from 1 to 1000
        How many there are; they are numbered from 0.
    active : sequence of {"features": [i, ...], "probability": p}
        Every active set once; the probabilities sum to 1.
    magnitude : {"constant": c} or {"uniform": [low, high]}, or one for each feature
    embedding : (features, d) array, optional
        Feature directions; by default the unit vectors.
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
    return _law(count, activity, magnitude, embedding, name)


@checked
def firing_features(
    features: int,
    firing: object,
    *,
    parents: Mapping[str, int] | Mapping[int, int] | None = None,
    exclusive: Sequence[Sequence[int]] = (),
    magnitude: object = ONE,
    embedding: Sequence[Sequence[Number]] | None = None,
    name: str = "law",
) -> Law:
    """Return the law of features that fire independently, below parents, or exclusively.

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
    magnitude, embedding, name
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
    activity: _Activity = {(): sympy.S.One}
    for unit in _units(count, parents or {}, exclusive):
        total = sympy.Add(*(chances[i] for i in unit.features))
        # Decimals cannot hold thirds: what sums to 1 to nine digits is rescaled.
        scale = 1 / total if total.is_number and abs(total - 1) <= _ROUNDING else sympy.S.One
        if (1 - scale * total).is_negative:
            hint = f"those of features {list(unit.features)} sum to {float(total):.9g}"
            raise InputError("exclusive", "firing probabilities that sum to 1 at most", hint=hint)
        outcomes: list[tuple[tuple[int, ...], sympy.Expr]] = [((), 1 - scale * total)]
        outcomes += [((i,), scale * chances[i]) for i in unit.features]
        grown: _Activity = {}
        for chosen, probability in activity.items():
            if unit.parent is not None and unit.parent not in chosen:
                grown[chosen] = probability
                continue
            for more, chance in outcomes:
                if chance != 0:
                    grown[chosen + more] = probability * chance
        if len(grown) > MOST_ACTIVE_SETS:
            raise InputError(
                "features", f"features with at most {MOST_ACTIVE_SETS:,} active sets", count
            )
        activity = grown
    tidy = {tuple(sorted(chosen)): p for chosen, p in activity.items()}
    return _law(count, tidy, magnitude, embedding, name)


def independent_features(
    features: int,
    firing: object,
    *,
    magnitude: object = ONE,
    embedding: Sequence[Sequence[Number]] | None = None,
    name: str = "law",
) -> Law:
    """Return the law of features that fire independently; see `firing_features`.

    Examples
    --------
    >>> len(independent_features(3, 0.5).components)
    8
    """
    return firing_features(features, firing, magnitude=magnitude, embedding=embedding, name=name)


def tree(
    features: int,
    firing: object,
    parents: Mapping[str, int] | Mapping[int, int],
    *,
    exclusive: Sequence[Sequence[int]] = (),
    magnitude: object = ONE,
    embedding: Sequence[Sequence[Number]] | None = None,
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
                           magnitude=magnitude, embedding=embedding, name=name)  # fmt: skip


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
    count: int, parents: Mapping[str, int] | Mapping[int, int], exclusive: object
) -> Iterator[_Unit]:
    """Yield features and groups of them, each after its parent."""
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
            yield _Unit(group, parent_of.get(group[0]))
            done.update(group)
        left = [group for group in left if group not in ready]


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


def _law(
    count: int,
    activity: _Activity,
    magnitude: object,
    embedding: Sequence[Sequence[Number]] | None,
    name: str,
) -> Law:
    sizes = [Magnitude.of(m, label) for label, m in _one_each(magnitude, "magnitude", count)]
    if embedding is None:
        directions = sympy.eye(count)
    else:
        directions = number_rows(embedding, "embedding", [(count, -1)])
    directions = sympy.ImmutableMatrix(directions)
    # Of many features nearly all entries are 0, and need no arithmetic.
    entries: list[dict[int, sympy.Expr]] = [{} for _ in range(count)]
    for (row, column), entry in directions.todok().items():
        entries[row][column] = entry
    components = []
    ordered = sorted(activity, key=lambda found: (len(found), found))
    for chosen in ordered:
        random = [i for i in chosen if not sizes[i].is_constant]
        if len(random) > len(CUBE):
            raise InputError(
                "magnitude",
                f"at most {len(CUBE)} features of random magnitude in one active set",
                hint=f"features {list(chosen)} are active together",
            )
        offset = [sympy.S.Zero] * directions.cols
        matrix = [[sympy.S.Zero] * len(random) for _ in range(directions.cols)]
        for i in chosen:
            for axis, entry in entries[i].items():
                offset[axis] += sizes[i].low * entry
        for column, i in enumerate(random):
            for axis, entry in entries[i].items():
                matrix[axis][column] = (sizes[i].high - sizes[i].low) * entry
        flat = [entry for row in matrix for entry in row]
        components.append(
            Component(
                activity[chosen],
                sympy.ImmutableDenseMatrix(directions.cols, len(random), flat),
                sympy.ImmutableDenseMatrix(directions.cols, 1, offset),
            )
        )
    rows = tuple((tuple(directions[row, :]),) for row in range(count))
    return Law(tuple(components), name, rows, tuple(ordered))
