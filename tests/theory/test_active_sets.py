"""Laws of features with magnitudes: what is active together, and what is refused."""

import json
from collections import defaultdict
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import sympy

from theory import (
    InputError,
    Law,
    codes_of,
    firing_features,
    from_active_sets,
    independent_features,
    load_law,
    one_hot_sets,
    tree,
)


def activity(law: Law) -> dict[tuple[int, ...], Fraction]:
    """Return the probability of each set of features, from a law of orthogonal ones."""
    found: dict[tuple[int, ...], Fraction] = defaultdict(Fraction)
    for part in law.components:
        middle = part.matrix * sympy.ones(part.cube_dimension, 1) / 2 + part.offset
        chosen = tuple(i for i, entry in enumerate(middle) if entry != 0)
        found[chosen] += Fraction(int(part.probability.p), int(part.probability.q))
    return dict(found)


def by_sampling_every_coin(
    firing: list[Fraction], parents: dict[int, int], groups: list[tuple[int, ...]]
) -> dict[tuple[int, ...], Fraction]:
    """Return the activity from a coin for every feature, and one of many sides for a group.

    All coins are thrown; a feature fires if its own says so and its ancestors fire.
    """
    single = [(i,) for i in range(len(firing)) if not any(i in group for group in groups)]
    units = [*groups, *single]
    sides = [(None, *unit) for unit in units]
    found: dict[tuple[int, ...], Fraction] = defaultdict(Fraction)
    for thrown in product(*sides):
        probability = Fraction(1)
        for unit, side in zip(units, thrown, strict=True):
            none = 1 - sum(firing[i] for i in unit)
            probability *= none if side is None else firing[side]

        def fires(i: int, thrown: tuple[int | None, ...] = thrown) -> bool:
            return i in thrown and (i not in parents or fires(parents[i]))

        found[tuple(i for i in range(len(firing)) if fires(i))] += probability
    return {chosen: p for chosen, p in found.items() if p}


@pytest.mark.parametrize(
    ("firing", "parents", "groups"),
    [
        (["1/2", "1/3", "1/5"], {}, []),
        (["1/2", "1/3", "1/5"], {1: 0, 2: 1}, []),
        (["1/2", "1/3", "1/5", "1/7"], {1: 3, 2: 3}, [(1, 2)]),
        (["1/2", "1/3", "2/3", "1/7", "1"], {3: 2, 4: 0}, [(1, 2)]),
        (["1", "0", "1/4"], {0: 2}, []),
    ],
)
def test_activity_is_that_of_throwing_every_coin(
    firing: list[str], parents: dict[int, int], groups: list[tuple[int, ...]]
) -> None:
    law = firing_features(len(firing), firing, parents=parents, exclusive=groups)
    expected = by_sampling_every_coin([Fraction(p) for p in firing], parents, groups)
    assert activity(law) == expected


def test_a_tree_whose_children_always_fire_is_its_parent() -> None:
    law = tree(3, ["1/3", 1, 1], {1: 0, 2: 0}, embedding=[[1, 0], [0, 2], [0, 3]])
    parent = firing_features(1, "1/3", embedding=[[1, 5]])
    assert [(p.probability, p.point) for p in law.components] == [
        (p.probability, p.point) for p in parent.components
    ]


def test_relabelled_features_are_the_same_law() -> None:
    law = tree(3, ["1/2", "1/3", "1/5"], {1: 0}, embedding=[[1, 0], [0, 1], [1, 1]])
    other = tree(3, ["1/5", "1/3", "1/2"], {1: 2}, embedding=[[1, 1], [0, 1], [1, 0]])
    assert {(p.probability, p.point) for p in law.components} == {
        (p.probability, p.point) for p in other.components
    }


def test_old_and_new_form_are_the_same_law() -> None:
    """Two features that fire together half of the time: sets of one, or active sets."""
    old = one_hot_sets((1, 1), onehot_probability="1/2", embedding=[[1, 0], [1, 1]])
    new = from_active_sets(
        2,
        [
            {"features": [0, 1], "probability": "1/2"},
            {"features": [0], "probability": "1/4"},
            {"features": [1], "probability": "1/4"},
        ],
        magnitude={"uniform": [0, 1]},
        embedding=[[1, 0], [1, 1]],
    )
    assert {(p.probability, p.point) for p in old.components} == {
        (p.probability, p.point) for p in new.components
    }
    assert [code.name for code in codes_of(new)] == [code.name for code in codes_of(old)]


def test_three_one_hot_sets_are_features_that_exclude_each_other() -> None:
    three = one_hot_sets((2, 1, 2))
    exclusive = firing_features(
        5, ["1/2", "1/2", 1, "1/2", "1/2"], exclusive=[[0, 1], [3, 4]],
        magnitude={"uniform": [0, 1]},
    )  # fmt: skip
    assert activity(three) == activity(exclusive)
    assert len(three.components) == 4
    assert three.features == tuple(
        tuple(tuple(sympy.eye(5)[i, :]) for i in group) for group in ([0, 1], [2], [3, 4])
    )
    assert one_hot_sets((3,)).components[2].point == one_hot_sets((3, 1)).components[2].point[:3]


def test_magnitudes_one_each() -> None:
    law = from_active_sets(
        3,
        [{"features": [0, 1, 2], "probability": 1}],
        magnitude=[{"constant": 2}, {"uniform": ["1/2", 1]}, {"constant": "1/3"}],
    )
    (part,) = law.components
    u = part.coordinates[0]
    assert part.point == (2, sympy.Rational(1, 2) + u / 2, sympy.Rational(1, 3))


def test_codes_of_many_features_are_the_true_ones() -> None:
    law = independent_features(3, 0.5, embedding=[[2, 0], [0, 1], [3, 4]])
    (code,) = codes_of(law)
    assert code.name == "true features"
    assert code.atoms == ((1, 0), (0, 1), (sympy.Rational(3, 5), sympy.Rational(4, 5)))


def test_a_file_and_a_dictionary_say_the_same(tmp_path: Path) -> None:
    document = {"features": 3, "firing": [0.5, 0.25, 0.125], "parents": {"1": 0},
                "exclusive": [[1]], "magnitude": {"uniform": [0, 0.5]}}  # fmt: skip
    path = tmp_path / "law.json"
    path.write_text(json.dumps(document))
    assert load_law(path).components == load_law(document).components
    assert len(load_law(f"{path}").components) == 6


def test_sixths_in_decimals_are_exclusive() -> None:
    """1/6 and 5/6 as doubles sum to a little more than 1; three thirds to a little less."""
    for firing in ([1 / 6, 5 / 6], [0.3333333333333333] * 3):
        law = load_law(
            {"features": len(firing), "firing": firing, "exclusive": [[*range(len(firing))]]}
        )
        assert [len(chosen) for chosen in law.active] == [1] * len(firing)
        assert sum(part.probability for part in law.components) == 1


def test_many_sets_of_one_shared_magnitude() -> None:
    (part,) = load_law({"sets": [1] * 20, "magnitude_correlation": 1}).components
    assert part.cube_dimension == 1


def test_active_sets_go_with_their_components() -> None:
    law = firing_features(3, ["1/2", "1/4", 0], parents={1: 0})
    assert law.active == ((), (0,), (0, 1))
    assert one_hot_sets((1, 2), onehot_probability="1/2").active == (
        (0, 1), (0, 2), (0,), (1,), (2,)
    )  # fmt: skip
    for active, message in ((((0,),), "one active set for each"), (((7,),) * 3, "from 0 to 2")):
        with pytest.raises(InputError, match=message):
            Law(law.components, "law", law.features, active)


BAD: list[tuple[dict[str, Any], str]] = [
    ({}, "key: expected 'sets' or 'features'"),
    ({"features": 2}, "features: expected exactly one of the keys active, firing"),
    ({"features": 2, "firing": 1, "active": []}, "exactly one of the keys"),
    ({"features": 0, "firing": 1}, "features: expected a whole number from 1 to 1000, got 0"),
    ({"features": 2.5, "firing": 1}, "features: expected a whole number"),
    ({"features": 2, "sets": [1]}, "features: expected no such key beside 'sets'"),
    ({"features": 2, "firing": 1, "amplitude": 2}, "amplitude: expected no such key beside"),
    ({"features": 2, "firing": 1, "magnitud": 2}, "did you mean 'magnitude'"),
    ({"features": 2, "firing": 1.5}, "firing: expected a number from 0 to 1, got 1.5"),
    ({"features": 2, "firing": [1, "x"]}, r"firing\[1\]: expected a number, got 'x'"),
    ({"features": 2, "firing": [1]}, "firing: expected one value, or 2, .*; there are 1"),
    ({"features": 2, "firing": []}, "firing: expected one value, or 2, .*; there are 0"),
    ({"features": 2, "firing": float("nan")}, "firing: expected a finite number"),
    ({"features": 2, "firing": {"a": 1}}, "firing: expected a number, got"),
    ({"features": 2, "firing": 1, "parents": {"1": 1}}, "parents: expected parents without"),
    ({"features": 2, "firing": 1, "parents": {"1": 2}}, r"parents\[1\]: expected a whole"),
    ({"features": 2, "firing": 1, "parents": {"x": 0}}, "parents: child: expected a whole .* 'x'"),
    ({"features": 3, "firing": 1, "parents": {"01": 0}}, "parents: child: expected a whole"),
    ({"features": 3, "firing": 1, "parents": {"\u0662": 0}}, "parents: child: expected a whole"),
    ({"features": 3, "firing": 1, "parents": {1: 0, "1": 2}}, "expected one parent; it is given"),
    ({"features": 2, "firing": 1, "parents": [0]}, "parents: expected a mapping or None"),
    ({"features": 2, "firing": 0.6, "exclusive": [[0, 1]]}, "exclusive: expected .* at most"),
    ({"features": 2, "firing": 0.1, "exclusive": [[0], [0]]}, r"exclusive\[1\]: expected"),
    ({"features": 2, "firing": 0.1, "exclusive": [[]]}, r"exclusive\[0\]: expected"),
    ({"features": 2, "firing": 0.1, "exclusive": [0]}, r"exclusive\[0\]: expected"),
    (
        {"features": 3, "firing": 0.1, "exclusive": [[1, 2]], "parents": {"1": 0}},
        r"exclusive\[0\]: expected features of one parent",
    ),
    ({"features": 2, "firing": 1, "magnitude": 1}, 'magnitude: expected {"constant": c}'),
    ({"features": 2, "firing": 1, "magnitude": {"poisson": 1}}, "magnitude: expected one"),
    (
        {"features": 2, "firing": 1, "magnitude": {"normal": [0, 0.1]}},
        "magnitude.normal: expected",
    ),
    ({"features": 2, "firing": 1, "magnitude": {"normal": [1, -1]}}, "magnitude.normal: expected"),
    ({"features": 2, "firing": 1, "magnitude": {"normal": [1]}}, "magnitude.normal: expected two"),
    (
        {"features": 1, "firing": 1, "magnitude": {"normal": [1, "nan"]}},
        r"magnitude.normal\[1\]: expected a finite number",
    ),
    (
        {"features": 2, "firing": 1, "magnitude": [{"normal": [1, 1]}, {"uniform": [0, 1]}]},
        "magnitude: expected uniform or normal ones in an active set",
    ),
    ({"features": 2, "firing": 1, "noise": -1}, "noise: expected a number ≥ 0, got -1"),
    ({"features": 2, "firing": 1, "noise": "nan"}, "noise: expected a finite number"),
    (
        {"features": 2, "firing": 1, "noise": 1, "magnitude": {"uniform": [0, 1]}},
        "noise: expected constant or normal magnitudes beside it",
    ),
    (
        {"features": 20, "firing": 0.01, "noise": 1, "magnitude": {"uniform": [0, 1]}},
        "noise: expected constant or normal magnitudes beside it",
    ),
    (
        {"features": 2, "firing": 1, "bias": [1]},
        "bias: expected 2 numbers, one for each dimension; there are 1",
    ),
    ({"features": 2, "firing": 1, "bias": [1, "inf"]}, r"bias\[1\]: expected a finite"),
    ({"sets": [2, 2], "noise": 1}, "noise: expected no such key beside 'sets'"),
    ({"features": 2, "firing": 0.5, "correlation": 2}, "correlation: expected a number from -1"),
    ({"features": 9, "firing": 0.5, "correlation": 0}, "correlation: expected at most 8 features"),
    (
        {"features": 2, "firing": 0.5, "correlation": [[1, 0.5], [0.4, 1]]},
        "correlation: expected a symmetric table with ones",
    ),
    (
        {"features": 2, "firing": 0.5, "correlation": [[2, 0], [0, 1]]},
        "correlation: expected a symmetric table with ones",
    ),
    ({"features": 2, "firing": 0.5, "correlation": [[1]]}, r"correlation: expected shape \(2, 2"),
    (
        {"features": 3, "firing": 0.5, "correlation": "-9/10"},
        "correlation: expected a positive semidefinite table",
    ),
    (
        {"features": 2, "firing": 0.5, "correlation": 0, "parents": {"1": 0}},
        "parents: expected no such key beside 'correlation'",
    ),
    (
        {"features": 2, "active": [], "correlation": 0},
        "correlation: expected no such key beside 'active'",
    ),
    ({"features": 2, "firing": 1, "magnitude": {"constant": 0}}, "magnitude.constant: expected"),
    ({"features": 2, "firing": 1, "magnitude": {"uniform": [1, 1]}}, "magnitude.uniform: exp"),
    ({"features": 2, "firing": 1, "magnitude": {"uniform": 1}}, "magnitude.uniform: expected"),
    ({"features": 2, "firing": 1, "magnitude": [{"constant": 1}]}, "there are 1"),
    ({"features": 2, "firing": 1, "embedding": [[1]]}, r"embedding: expected shape \(2, d\)"),
    ({"features": 2, "active": [], "parents": {}}, "parents: expected no such key beside"),
    ({"features": 2, "active": []}, "active: expected probabilities that sum to 1, got 0"),
    ({"features": 2, "active": [[0]]}, r"active\[0\]: expected {\"features\""),
    (
        {"features": 1, "active": [{"features": [1], "probability": 1}]},
        r"active\[0\].features\[0\]",
    ),
    ({"features": 1, "active": [{"features": [0], "probability": -1}]}, "probability: expected"),
    ({"features": 1, "active": [{"features": [0, 0], "probability": 1}]}, "every feature once"),
    (
        {"features": 1, "active": 2 * [{"features": [0], "probability": 0.5}]},
        "every active set once",
    ),
    ({"features": 10_000, "firing": 0.5}, "features: expected a whole number from 1 to 1000"),
    (
        {
            "features": 9,
            "active": [{"features": list(range(9)), "probability": 1}],
            "magnitude": {"uniform": [0, 1]},
        },
        "magnitude: expected at most 8 features of uniform magnitude",
    ),
    (
        {
            "features": 20,
            "firing": 0.5,
            "magnitude": [{"uniform": [0, 1]}, *19 * [{"normal": [1, 1]}]],
        },
        "magnitude: expected one kind of random magnitude in so large a law",
    ),
    ({"sets": [2, 2, 2], "probabilities": [[1]]}, "probabilities: expected two sets"),
    ({"sets": [100, 100, 100]}, "sets: expected sets whose sizes have a product of at most"),
    ({"sets": [1] * 9}, "sets: expected at most 8 sets unless magnitude_correlation is 1; there"),
    ({"sets": [1] * 2000}, "sets: expected at most 100 sets; there are 2000"),
    ({"sets": []}, "sets: expected whole numbers from 1 to 100"),
]


@pytest.mark.parametrize(("document", "message"), BAD)
def test_what_is_no_law_is_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_law(document)
