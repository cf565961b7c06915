"""Which features fire together by a rule: independently, below parents, or exclusively.

Units of features, each after its parent, are taken one after the other: an active set grows by
what may fire of the next unit. Of too many active sets only the likely ones are made.
"""

from collections.abc import Iterator, Mapping, Sequence

import sympy

from theory.exact.arguments import check_list, check_whole
from theory.exact.errors import InputError
from theory.exact.symbols import CUBE
from theory.laws.features import Magnitude, Unit
from theory.laws.one_hot_sets import MOST_ACTIVE_SETS

#: Of more active sets than `MOST_ACTIVE_SETS`, those at least as likely as this have components.
LIKELY = sympy.Rational(1, 2**10)
#: And of those, the ones of at most so many uniform magnitudes.
MOST_UNIFORM = 3


_ROUNDING = sympy.Rational(1, 10**9)

Activity = dict[tuple[int, ...], sympy.Expr]


def every_active_set(units: Sequence[Unit], sizes: Sequence[Magnitude]) -> Activity | None:
    """Return every active set with its probability, or None if it is too much.

    Examples
    --------
    >>> half, one = sympy.S.Half, Magnitude("uniform", sympy.S.One, sympy.S.Zero)
    >>> every_active_set([Unit((0,), None, (half,)), Unit((1,), 0, (half,))], [one, one])
    {(): 1/2, (0,): 1/4, (0, 1): 1/4}
    """
    activity: Activity = {(): sympy.S.One}
    uniform = {i for i, size in enumerate(sizes) if size.is_uniform}
    for unit in units:
        activity = dict(_grown(activity, unit))
        solid = len(uniform) > len(CUBE) and any(
            len(uniform.intersection(chosen)) > len(CUBE) for chosen in activity
        )
        if len(activity) > MOST_ACTIVE_SETS or solid:
            return None
    return {tuple(sorted(chosen)): p for chosen, p in activity.items()}


def likely_active_sets(units: Sequence[Unit], sizes: Sequence[Magnitude]) -> Activity:
    """Return the active sets at least as likely as `LIKELY`, of few uniform magnitudes.

    Examples
    --------
    >>> rare, one = sympy.Rational(1, 2000), Magnitude("uniform", sympy.S.One, sympy.S.Zero)
    >>> likely_active_sets([Unit((0,), None, (rare,))], [one])
    {(): 1999/2000}
    """
    activity: Activity = {(): sympy.S.One}
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


def _grown(activity: Activity, unit: Unit) -> Iterator[tuple[tuple[int, ...], sympy.Expr]]:
    """Yield what becomes of the active sets by one more unit."""
    outcomes = unit.outcomes
    for chosen, probability in activity.items():
        if unit.parent is not None and unit.parent not in chosen:
            yield chosen, probability
        else:
            for more, chance in outcomes:
                yield chosen + more, probability * chance


def units_of(
    chances: Sequence[sympy.Expr],
    parents: Mapping[str, int] | Mapping[int, int],
    exclusive: object,
) -> Iterator[Unit]:
    """Yield features and groups of them, each after its parent.

    Raises
    ------
    InputError
        For parents in a circle, groups that overlap or are of several parents, or chances of a
        group that sum to more than 1.

    Examples
    --------
    >>> [unit.features for unit in units_of([sympy.S.Half] * 3, {0: 2}, [])]
    [(1,), (2,), (0,)]
    """
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
