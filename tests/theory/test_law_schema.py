"""The law file's schema against its reader: what it allows, refuses and cannot say.

Documents are read from files, as numbers in a file are decimals.
"""

import json
import re
from collections.abc import Callable
from inspect import signature
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from theory import InputError, Law, firing_features, from_active_sets, load_law, one_hot_sets
from theory.exact.numbers import exact_number
from theory.laws.law_files import KEYS

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA: dict[str, Any] = json.loads((DOCS / "law.schema.json").read_text(encoding="utf-8"))
PARTS: dict[str, Any] = SCHEMA["$defs"]
#: The part of the schema that is about a kind of law, and the functions that build it.
FORMS: dict[str, str] = {"sets": "one_hot_sets", "features": "features"}
BUILDERS: dict[str, tuple[Callable[..., Law], ...]] = {
    "sets": (one_hot_sets,),
    "features": (from_active_sets, firing_features),
}


def schema_accepts(document: object, part: str = "") -> bool:
    """Return whether the schema, or a part of it, allows a document."""
    schema = {"$defs": PARTS, "$ref": f"#/$defs/{part}"} if part else SCHEMA
    return bool(Draft202012Validator(schema).is_valid(document))


def written(document: object, folder: Path) -> Path:
    path = folder / "law.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_it_is_a_schema_with_a_version() -> None:
    assert SCHEMA["$schema"] == Draft202012Validator.META_SCHEMA["$id"]
    assert SCHEMA["$id"] == "urn:sae-theory:law:1"
    Draft202012Validator.check_schema(SCHEMA)


def test_it_has_the_keys_of_the_reader() -> None:
    assert {kind: set(PARTS[form]["properties"]) for kind, form in FORMS.items()} == {
        kind: set(keys) for kind, keys in KEYS.items()
    }
    for kind, form in FORMS.items():
        assert PARTS[form]["required"] == [kind]
        assert PARTS[form]["additionalProperties"] is False


def test_every_key_is_described_with_examples() -> None:
    for name, part in PARTS.items():
        for key, described in part.get("properties", {}).items():
            assert re.fullmatch(r"[A-Z].*\.", described["description"]), key
            assert described["examples"], key
            for example in described["examples"]:
                assert schema_accepts(example, f"{name}/properties/{key}"), (key, example)


def test_defaults_are_those_of_the_reader() -> None:
    said = {
        (kind, key): described["default"]
        for kind, form in FORMS.items()
        for key, described in PARTS[form]["properties"].items()
        if "default" in described
    }
    assert len(said) == 5
    for (kind, key), default in said.items():
        for build in BUILDERS[kind]:
            assert signature(build).parameters[key].default == default


#: Decimals, and what is nearly one.
DECIMALS = [
    sign + digits + exponent
    for sign in ("", "+", "-")
    for digits in ("", "0", "1", "10", ".0", "0.", "0.05", ".", "1.0.0")
    for exponent in ("", "e-2")
]
TEXTS = [
    *DECIMALS,
    *("/".join(two) for two in product(DECIMALS, repeat=2)),
    *(
        " 1 / 4 ", "\t-1\n", "1/ -4", "-1 /-4", "- 1", "1 2", "1e+2", "1E2", "1e 2", "1e2.5",
        "1/2/3", "1_0", "0x1", "\u0661", "nan", "inf", "-Infinity", "one", "1,5", "½", "", " ",
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("part", "allows"),
    [
        ("number", lambda number: True),
        ("non_negative_number", lambda number: number >= 0),
        ("positive_number", lambda number: number > 0),
    ],
)
def test_numbers_in_texts_are_those_of_the_reader(
    part: str, allows: Callable[[Any], bool]
) -> None:
    validator = Draft202012Validator({"$defs": PARTS, "$ref": f"#/$defs/{part}"})
    for text in TEXTS:
        try:
            expected = bool(allows(exact_number(text, part)))
        except InputError:
            expected = False
        assert validator.is_valid(text) == expected, repr(text)


GOOD: list[dict[str, Any]] = [
    *SCHEMA["examples"],
    {"sets": [1]},
    {"sets": [2, 2, 2], "magnitude_correlation": 1, "onehot_probability": "1/4"},
    {"sets": [1] * 20, "magnitude_correlation": "1.0"},
    {"sets": [1, 2], "amplitude": "1e-3", "embedding": [[1], ["-1/2"], [0.5]]},
    {"sets": [1, 2], "probabilities": [["1/3", "2/3"]]},
    {"sets": [1, 1], "probabilities": [["1/2", "1/4"], ["1/4", 0]], "onehot_probability": 0.5},
    {"features": 2, "active": [{"features": [], "probability": 1}]},
    {
        "features": 3,
        "active": [
            {"features": [2, 0], "probability": 0.333333333},
            {"features": [1], "probability": 0.666666667},
        ],
        "magnitude": [{"uniform": [0, "1/2"]}, {"normal": [1, 0.5]}, {"constant": 2}],
        "embedding": [[1, 0], [0, 1], [1, 1]],
        "bias": [-1, "1/2"],
        "noise": 0,
    },
    {"features": 1, "active": [{"features": [0], "probability": 1.0000000001}]},
    {"features": 3, "firing": 1},
    {"features": 3, "firing": "1/3", "noise": "1/10"},
    {"features": 2, "firing": [0, "1"], "magnitude": {"normal": [1, 0]}},
    {"features": 11, "firing": 0.01, "parents": {"10": 9, "9": 0}, "exclusive": [[1, 2], [3]]},
    {"features": 3, "firing": 0.25, "parents": {}, "exclusive": []},
    {"features": 2, "firing": 0.5, "correlation": "-1/2"},
    {"features": 2, "firing": 0.5, "correlation": 0, "parents": {}, "exclusive": []},
    {"features": 2, "firing": [0.5, 0.25], "correlation": [[1, "1/2"], [0.5, 1]]},
]


@pytest.mark.parametrize("document", GOOD)
def test_a_law_is_accepted_by_both(document: dict[str, Any], tmp_path: Path) -> None:
    assert schema_accepts(document)
    assert load_law(written(document, tmp_path)).components


def test_the_examples_use_every_key() -> None:
    for kind, keys in KEYS.items():
        used = {key for example in SCHEMA["examples"] if kind in example for key in example}
        assert used == set(keys)


def test_laws_in_the_documentation_are_accepted_by_both(tmp_path: Path) -> None:
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    blocks = re.findall(r'^```json\n(\{"(?:sets|features)".*?)^```$', page, re.DOTALL | re.M)
    assert blocks
    for block in blocks:
        assert schema_accepts(json.loads(block))
        assert load_law(written(json.loads(block), tmp_path)).components


FIRES: dict[str, Any] = {"features": 2, "firing": 0.5}
WHOLE: dict[str, Any] = {"features": 2, "active": [{"features": [0], "probability": 1}]}

BAD: list[Any] = [
    # No law, two kinds of law, or keys of the other kind.
    {},
    [],
    "shared",
    1,
    None,
    {"noise": 1},
    {"features": 2},
    {"firing": 0.5},
    {"sets": [2, 2], "features": 4},
    {"sets": [2, 2], "firing": 0.5},
    {"sets": [2, 2], "noise": 0},
    {"sets": [2, 2], "magnitude": {"constant": 1}},
    {**FIRES, "amplitude": 1},
    {**FIRES, "probabilities": [[1]]},
    {**FIRES, "magnitud": {"constant": 1}},
    {**FIRES, "name": "mine"},
    {**FIRES, "$schema": "law.schema.json"},
    {**FIRES, **WHOLE},
    {**WHOLE, "parents": {"1": 0}},
    {**WHOLE, "parents": {}},
    {**WHOLE, "exclusive": [[0, 1]]},
    {**WHOLE, "correlation": 0.5},
    {**FIRES, "correlation": 0.5, "parents": {"1": 0}},
    {**FIRES, "correlation": 0.5, "exclusive": [[0, 1]]},
    # One-hot sets.
    {"sets": []},
    {"sets": 2},
    {"sets": "22"},
    {"sets": [2, 0]},
    {"sets": [2, "2"]},
    {"sets": [2, 1.5]},
    {"sets": [True]},
    {"sets": [101]},
    {"sets": [1] * 101, "magnitude_correlation": 1},
    {"sets": None},
    {"sets": [2, 2], "amplitude": None},
    {"sets": [2, 2], "amplitude": 0},
    {"sets": [2, 2], "amplitude": "-0.0"},
    {"sets": [2, 2], "amplitude": "1/-2"},
    {"sets": [2, 2], "amplitude": [1]},
    {"sets": [2, 2], "magnitude_correlation": 1.5},
    {"sets": [2, 2], "magnitude_correlation": True},
    {"sets": [2, 2], "onehot_probability": -0.1},
    {"sets": [2, 2], "onehot_probability": "-1/10"},
    {"sets": [2, 2], "onehot_probability": "1/0"},
    {"sets": [1, 1], "probabilities": []},
    {"sets": [1, 1], "probabilities": [[]]},
    {"sets": [1, 1], "probabilities": [1]},
    {"sets": [1, 1], "probabilities": [[2, -1], [0, 0]]},
    {"sets": [1, 1], "probabilities": [["2", "-1"], [0, 0]]},
    {"sets": [1, 1, 1], "probabilities": [[1]]},
    {"sets": [1, 1], "embedding": []},
    {"sets": [1, 1], "embedding": [[], []]},
    {"sets": [1, 1], "embedding": [1, 1]},
    {"sets": [1, 1], "embedding": [["x"], [1]]},
    # Features.
    {**FIRES, "features": 0},
    {**FIRES, "features": 1001},
    {**FIRES, "features": 1.5},
    {**FIRES, "features": "2"},
    {**FIRES, "features": [2]},
    {**FIRES, "firing": None},
    {**FIRES, "firing": "nan"},
    {**FIRES, "firing": "often"},
    {**FIRES, "firing": -0.5},
    {**FIRES, "firing": 1.5},
    {**FIRES, "firing": []},
    {**FIRES, "firing": [0.5, 2]},
    {**FIRES, "firing": [0.5, None]},
    {**FIRES, "firing": {"0": 0.5}},
    {**FIRES, "firing": True},
    {**WHOLE, "active": []},
    {**WHOLE, "active": {"features": [0], "probability": 1}},
    {**WHOLE, "active": [[0]]},
    {**WHOLE, "active": [{"features": [0]}]},
    {**WHOLE, "active": [{"features": [0], "probability": 1, "noise": 0}]},
    {**WHOLE, "active": [{"features": 0, "probability": 1}]},
    {**WHOLE, "active": [{"features": [-1], "probability": 1}]},
    {**WHOLE, "active": [{"features": [0, 0], "probability": 1}]},
    {
        **WHOLE,
        "active": [{"features": [0], "probability": 2}, {"features": [], "probability": -1}],
    },
    {**WHOLE, "active": [{"features": [0], "probability": "inf"}]},
    {**FIRES, "parents": [0]},
    {**FIRES, "parents": {"x": 0}},
    {**FIRES, "parents": {"01": 0}},
    {**FIRES, "parents": {"-1": 0}},
    {**FIRES, "parents": {"1": "0"}},
    {**FIRES, "parents": {"1": None}},
    {**FIRES, "parents": None},
    {**FIRES, "exclusive": {}},
    {**FIRES, "exclusive": [0, 1]},
    {**FIRES, "exclusive": [[]]},
    {**FIRES, "exclusive": [[0, 0]]},
    {**FIRES, "correlation": 1.5},
    {**FIRES, "correlation": -2},
    {**FIRES, "correlation": "much"},
    {**FIRES, "correlation": [[]]},
    {**FIRES, "correlation": {"0": 1}},
    {"features": 9, "firing": 0.5, "correlation": 0},
    # Magnitudes, bias and noise.
    {**FIRES, "magnitude": 1},
    {**FIRES, "magnitude": {}},
    {**FIRES, "magnitude": []},
    {**FIRES, "magnitude": {"poisson": 1}},
    {**FIRES, "magnitude": {"constant": 1, "uniform": [0, 1]}},
    {**FIRES, "magnitude": [{"constant": 1}, {"constant": 1, "normal": [1, 1]}]},
    {**FIRES, "magnitude": {"constant": 0}},
    {**FIRES, "magnitude": {"constant": [1]}},
    {**FIRES, "magnitude": {"constant": None}},
    {**FIRES, "magnitude": {"uniform": 1}},
    {**FIRES, "magnitude": {"uniform": [1]}},
    {**FIRES, "magnitude": {"uniform": [0, 0.5, 1]}},
    {**FIRES, "magnitude": {"uniform": [-1, 1]}},
    {**FIRES, "magnitude": {"uniform": [0, 0]}},
    {**FIRES, "magnitude": {"normal": [0, 1]}},
    {**FIRES, "magnitude": {"normal": [1, -1]}},
    {**FIRES, "magnitude": {"normal": [1, "-1/2"]}},
    {**FIRES, "magnitude": {"normal": [1, "nan"]}},
    {**FIRES, "bias": []},
    {**FIRES, "bias": 0},
    {**FIRES, "bias": [[0, 0]]},
    {**FIRES, "bias": [0, "x"]},
    {**FIRES, "noise": -1},
    {**FIRES, "noise": "-1"},
    {**FIRES, "noise": "nan"},
    {**FIRES, "noise": None},
    {**FIRES, "noise": [0, 0]},
]


@pytest.mark.parametrize("document", BAD)
def test_what_is_no_law_is_refused_by_both(document: Any, tmp_path: Path) -> None:
    assert not schema_accepts(document)
    with pytest.raises(InputError):
        load_law(written(document, tmp_path))


#: What the schema cannot say, each with the reader's message.
READERS: list[tuple[dict[str, Any], str]] = [
    ({"sets": [1, 1], "probabilities": [[0.5]]}, "probabilities: expected a table that sums to 1"),
    ({"sets": [1, 2], "probabilities": [[1]]}, "probabilities: expected shape"),
    (
        {"sets": [1, 1], "probabilities": [[1, 0], [0, 0]], "onehot_probability": 0.5},
        "onehot_probability: expected 0, the chance in the table",
    ),
    ({"sets": [1, 1], "embedding": [[1, 0]]}, "embedding: expected shape"),
    ({"sets": [1, 1], "embedding": [[1, 0], [1]]}, "embedding: expected shape"),
    ({"sets": [2, 2], "onehot_probability": "3/2"}, "onehot_probability: expected a number from"),
    ({"sets": [100, 100, 100]}, "sets: expected sets whose sizes have a product of at most"),
    ({"sets": [1] * 9}, "sets: expected at most 8 sets unless magnitude_correlation is 1"),
    # To JSON Schema 2.0 is an integer.
    ({"sets": [2.0, 2]}, "expected a whole number from 1 to 100"),
    ({"sets": [2, 2], "amplitude": "1e999"}, "amplitude: expected a finite number, 0 or from"),
    (
        {**WHOLE, "active": [{"features": [0], "probability": 0.5}]},
        "active: expected probabilities that sum to 1",
    ),
    (
        {**WHOLE, "active": [{"features": [0, 1], "probability": 0.5},
                             {"features": [1, 0], "probability": 0.5}]},
        "expected every active set once",
    ),
    ({**WHOLE, "active": [{"features": [2], "probability": 1}]}, "expected a whole number from 0"),
    ({**FIRES, "firing": [0.5]}, "firing: expected one value, or 2"),
    ({**FIRES, "parents": {"1": 2}}, "expected a whole number from 0 to 1"),
    ({**FIRES, "parents": {"0": 1, "1": 0}}, "parents: expected parents without a circle"),
    ({**FIRES, "firing": 0.75, "exclusive": [[0, 1]]}, "exclusive: expected firing probabilities"),
    ({**FIRES, "exclusive": [[0], [0]]}, "expected features that are in no other group"),
    ({**FIRES, "parents": {"1": 0}, "exclusive": [[0, 1]]}, "expected features of one parent"),
    ({**FIRES, "correlation": [[1]]}, "correlation: expected shape"),
    ({**FIRES, "correlation": [[1, 0], [1, 1]]}, "correlation: expected a symmetric table"),
    ({**FIRES, "correlation": [[1, 2], [2, 1]]}, "correlation: expected a positive semidefinite"),
    ({**FIRES, "magnitude": {"uniform": [2, 1]}}, "magnitude.uniform: expected two numbers, 0 ≤"),
    ({**FIRES, "magnitude": [{"constant": 1}]}, "magnitude: expected one value, or 2"),
    (
        {**FIRES, "magnitude": [{"uniform": [0, 1]}, {"normal": [1, 1]}]},
        "magnitude: expected uniform or normal ones in an active set, not both",
    ),
    (
        {**FIRES, "magnitude": {"uniform": [0, 1]}, "noise": 1},
        "noise: expected constant or normal magnitudes beside it",
    ),
    ({**FIRES, "bias": [1]}, "bias: expected 2 numbers"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "message"), READERS)
def test_what_only_the_reader_refuses(
    document: dict[str, Any], message: str, tmp_path: Path
) -> None:
    assert schema_accepts(document)
    with pytest.raises(InputError, match=re.escape(message)):
        load_law(written(document, tmp_path))


@pytest.mark.parametrize(
    "text", ['{"features": 1, "firing": NaN}', '{"features": 1, "firing": 1, "firing": 0}', "{"]
)
def test_what_is_no_strict_json_is_refused_by_the_reader(text: str, tmp_path: Path) -> None:
    path = tmp_path / "law.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError):
        load_law(path)
