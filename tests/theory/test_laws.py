"""Laws from presets, settings, dictionaries and files, against an independent builder."""

import json
import pickle
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy

from tests.oracles.laws import components_from_specification
from tests.random_cases import random_specification
from theory import Component, InputError, Law, law_from_dict, load_law, one_hot_sets, preset
from theory.exact.symbols import AMPLITUDE, MAGNITUDE_CORRELATION
from theory.laws.law_files import LawSpec
from theory.laws.presets import shared_amplitudes


def fraction(value: sympy.Expr) -> Fraction:
    return Fraction(int(value.p), int(value.q))


def as_fractions(law: Law) -> Counter[Any]:
    return Counter(
        (
            fraction(part.probability),
            tuple(tuple(map(fraction, row)) for row in part.matrix.tolist())
            if part.cube_dimension
            else ((),) * law.dimension,
            tuple(map(fraction, part.offset)),
        )
        for part in law.components
    )


@pytest.mark.parametrize("seed", range(60))
def test_components_equal_an_independent_construction(seed: int) -> None:
    specification = random_specification(np.random.default_rng(seed))
    expected = Counter(
        (part.probability, part.matrix, part.offset)
        for part in components_from_specification(specification)
    )
    assert as_fractions(law_from_dict(specification)) == expected


@pytest.mark.parametrize(
    ("text", "specification"),
    [
        ("shared", {"magnitude_correlation": 1}),
        ("independent", {}),
        (
            "independent:onehot_probability=0.25,amplitude=2",
            {"onehot_probability": 0.25, "amplitude": 2},
        ),
        (
            "shared:onehot_probability=1/3",
            {"magnitude_correlation": 1, "onehot_probability": "1/3"},
        ),
        ("independent:magnitude_correlation=0.1", {"magnitude_correlation": "0.1"}),
    ],
)
def test_presets(text: str, specification: dict[str, Any]) -> None:
    expected = components_from_specification({"sets": [2, 2], **specification})
    assert as_fractions(load_law(text)) == Counter(
        (part.probability, part.matrix, part.offset) for part in expected
    )
    assert load_law(text).name == text


def test_a_law_file_says_the_same_as_its_dictionary(tmp_path: Path) -> None:
    specification = {
        "sets": [2, 3],
        "magnitude_correlation": 0.3,
        "onehot_probability": 0.2,
        "amplitude": 1.5,
        "probabilities": [["1/3", 0.25, 0], ["1/4", 0, "1/6"]],
        "embedding": [[1, 0], [0, 1], [-0.5, 0.1], [2, 2], [0, -1]],
    }
    path = tmp_path / "law.json"
    path.write_text(json.dumps(specification))
    assert as_fractions(load_law(path)) == as_fractions(law_from_dict(specification))
    assert as_fractions(load_law(str(path))) == as_fractions(law_from_dict(specification))


def test_decimals_are_read_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "law.json"
    path.write_text('{"sets": [1, 1], "amplitude": 0.1, "magnitude_correlation": 1}')
    assert load_law(path).components[0].matrix[0] == sympy.Rational(1, 10)


def test_thirds_in_decimals_are_a_table_that_sums_to_one(tmp_path: Path) -> None:
    path = tmp_path / "law.json"
    path.write_text(
        '{"sets": [1, 3], "probabilities": [[0.3333333333, 0.3333333333, 0.3333333333]]}'
    )
    assert [part.probability for part in load_law(path).components] == [sympy.Rational(1, 3)] * 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not json", "expected JSON; Expecting value"),
        ("", "expected JSON; Expecting value"),
        ("[" * 100_000, "expected JSON"),
        ("[1, 2]", "expected a JSON object with the key 'sets' or 'features'"),
        ("{}", "key: expected 'sets' or 'features'; a law has one of the two"),
        (
            '{"sets": [2, 2], "amplitud": 1}',
            r"key: expected one of sets.*'amplitude'\?\), got 'amplitud'",
        ),
        ('{"sets": [2, 2], "sets": [2, 2]}', "sets: expected this key once; it is given twice"),
        ('{"sets": [101]}', r"sets\[0\]: expected a whole number from 1 to 100, got 101"),
        ('{"sets": [2, 0]}', r"sets\[1\]: expected a whole number from 1 to 100, got 0"),
        ('{"sets": [2, 2.5]}', r"sets\[1\]: expected a whole number"),
        ('{"sets": [2, 1000000000]}', r"sets\[1\]: expected a whole number"),
        ('{"sets": "22"}', "sets: expected whole numbers from 1 to 100, one for each set"),
        ('{"sets": [2, true]}', r"sets\[1\]: expected a whole number"),
        ('{"sets": [2, 2], "amplitude": NaN}', "expected finite numbers; NaN is none"),
        ('{"sets": [2, 2], "amplitude": Infinity}', "expected finite numbers; Infinity is none"),
        ('{"sets": [2, 2], "amplitude": 1e999999999}', "amplitude: expected a finite number"),
        ('{"sets": [2, 2], "amplitude": 1' + "0" * 5000 + "}", "amplitude: expected a"),
        ('{"sets": [2, 2], "amplitude": 1e150}', "amplitude: expected a finite number, 0 or from"),
        ('{"sets": [2, 2], "amplitude": "1e80/1e-80"}', "amplitude: expected a finite number"),
        ('{"sets": [2, 2], "amplitude": "1_0"}', "amplitude: expected a number"),
        ('{"sets": [2, 2], "embedding": null}', "embedding: expected a value, or no such key"),
        ('{"sets": [2, 2], "amplitude": "1/0"}', "amplitude: expected a finite number"),
        ('{"sets": [2, 2], "amplitude": "__import__"}', "amplitude: expected a number"),
        (
            '{"sets": [2, 2], "amplitude": null}',
            "amplitude: expected a value, or no such key; it is null",
        ),
        ('{"sets": [2, 2], "amplitude": 0}', "amplitude: expected a number > 0, got 0"),
        ('{"sets": [2, 2], "amplitude": -1}', "amplitude: expected a number > 0, got -1"),
        (
            '{"sets": [2, 2], "magnitude_correlation": 1.5}',
            "magnitude_correlation: expected a number from 0 to 1, got 1.5",
        ),
        ('{"sets": [2, 2], "onehot_probability": -0.1}', "onehot_probability: expected a number"),
        (
            '{"sets": [2, 2], "probabilities": [[0.25, 0.25], [0.25, 0.2]]}',
            "probabilities: expected a table that sums to 1, got 0.95",
        ),
        (
            '{"sets": [2, 2], "probabilities": [[0.5, 0.75], [-0.25, 0]]}',
            r"probabilities\[1\]\[0\]: expected a number ≥ 0, got -1/4",
        ),
        (
            '{"sets": [2, 2], "probabilities": [[1, 0]]}',
            r"probabilities: expected shape \(2, 2\) or \(3, 3\); it has 1 rows of lengths \[2\]",
        ),
        ('{"sets": [2, 2], "probabilities": [[1, 0], [0]]}', r"probabilities: expected shape"),
        ('{"sets": [2, 2], "probabilities": 1}', "probabilities: expected a list of rows"),
        ('{"sets": [2, 2], "probabilities": []}', "probabilities: expected shape"),
        (
            '{"sets": [1, 1], "probabilities": [[1, 0], [0, 0]], "onehot_probability": 0.5}',
            "onehot_probability: expected 0, the chance in the table that one set is active alone",
        ),
        (
            '{"sets": [2, 2], "embedding": [[1, 0], [0, 1]]}',
            r"embedding: expected shape \(4, d\); it has 2 rows",
        ),
        ('{"sets": [1, 1], "embedding": [[1, 0], [0]]}', r"embedding: expected shape \(2, d\)"),
        ('{"sets": [1, 1], "embedding": [[], []]}', r"embedding: expected shape \(2, d\)"),
        ('{"sets": [1, 1], "embedding": [[1], ["x"]]}', r"embedding\[1\]\[0\]: expected a number"),
    ],
)
def test_a_malformed_law_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "law.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        load_law(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 500 + len(str(path))


def test_onehot_probability_may_repeat_what_the_table_says(tmp_path: Path) -> None:
    eighth, quarter = "1/16", "3/16"
    table = [[eighth, eighth, quarter], [eighth, eighth, quarter], [quarter, quarter, 0]]
    path = tmp_path / "law.json"
    expected = preset("independent", onehot_probability="3/4").components
    for q in (0, "3/4"):
        law = {"sets": [2, 2], "probabilities": table, "onehot_probability": q}
        path.write_text(json.dumps(law))
        for part, other in zip(load_law(path).components, expected, strict=True):
            assert part.probability == other.probability
            assert part.matrix == other.matrix


def test_a_law_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "law.json"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(InputError, match="expected JSON; this is something else"):
        load_law(path)


def test_a_huge_law_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "law.json"
    with path.open("wb") as file:
        file.truncate(20_000_000)
    with pytest.raises(InputError, match="expected a JSON file under"):
        load_law(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "sharde",
            r"law: expected a preset, one of shared, independent, .* 'shared'\?\).* got 'sharde'",
        ),
        ("no/such/file.json", r"^no/such/file.json: no such file; expected a law file"),
        ("bad\0name", "expected a preset"),
        ("", "expected a preset"),
        ("tests", "tests: expected a law file; this is not one, nor SAELens' folder"),
        ("x" * 5000, "expected a preset"),
        (
            "shared:amplitud=1",
            r"setting: expected one of onehot_.* 'amplitude'\?\), got 'amplitud'",
        ),
        ("shared:probabilities=1", "setting: expected one of .* got 'probabilities'"),
        ("shared:amplitude", "setting: expected key=value, got 'amplitude'"),
        ("shared:", "setting: expected key=value, got ''"),
        ("shared:amplitude=1,amplitude=2", "amplitude: expected this setting once; it is given"),
        ("shared:amplitude=nan", "amplitude: expected a finite number"),
        ("shared:amplitude=one", "amplitude: expected a number, got 'one'"),
        ("shared:onehot_probability=2", "onehot_probability: expected a number from 0 to 1"),
    ],
)
def test_bad_law_text_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_law(text)


def test_python_constructors_refuse_too() -> None:
    with pytest.raises(InputError, match="expected one of shared, independent"):
        preset("both")
    with pytest.raises(InputError, match="amplitude: expected a finite number"):
        preset("shared", amplitude=float("nan"))
    with pytest.raises(InputError, match="amplitude: expected a finite real number"):
        preset("shared", amplitude=sympy.oo)
    with pytest.raises(InputError, match="amplitude: expected a number, got True"):
        preset("shared", amplitude=True)
    eye = sympy.ImmutableMatrix(sympy.eye(2))
    with pytest.raises(InputError, match="sum to 1, got 1/2"):
        Law((Component(sympy.Rational(1, 2), eye, sympy.zeros(2, 1)),))
    with pytest.raises(InputError, match="probability ≥ 0, got -1"):
        Component(sympy.Integer(-1), eye, sympy.zeros(2, 1))
    with pytest.raises(InputError, match=r"expected matrix \(d, k\) and offset \(d, 1\)"):
        Component(sympy.Integer(1), eye, sympy.zeros(3, 1))
    with pytest.raises(InputError, match="at least one component"):
        Law(())
    point = Component(sympy.Rational(1, 2), sympy.zeros(1, 0), sympy.zeros(1, 1))
    with pytest.raises(InputError, match="one dimension d"):
        Law((Component(sympy.Rational(1, 2), eye, sympy.zeros(2, 1)), point))


def test_symbols_stand_for_a_family_of_laws() -> None:
    family = one_hot_sets(magnitude_correlation=MAGNITUDE_CORRELATION, amplitude=AMPLITUDE)
    member = family.at({MAGNITUDE_CORRELATION: "1/3", AMPLITUDE: 2})
    assert as_fractions(member) == as_fractions(
        load_law("independent:magnitude_correlation=1/3,amplitude=2")
    )


def test_shared_amplitudes_reproduce_the_preset() -> None:
    assert as_fractions(shared_amplitudes([(1, 0, 1)])) == as_fractions(preset("shared"))


def test_a_spec_is_parsed_once_and_varied(tmp_path: Path) -> None:
    path = tmp_path / "law.json"
    path.write_text('{"sets": [2, 2], "amplitude": 0.1, "magnitude_correlation": 1}')
    spec = LawSpec.parse(str(path))
    again = LawSpec.parse(str(path))
    assert (spec, hash(spec)) == (again, hash(again))
    assert pickle.loads(pickle.dumps(spec)) == spec
    # What the file says later is not the spec's.
    path.write_text("{}")
    assert as_fractions(spec.law) == as_fractions(load_law("shared:amplitude=0.1"))
    varied = spec.with_settings({"amplitude": 2}).with_settings({"onehot_probability": "1/3"})
    assert varied.name == spec.name
    assert as_fractions(varied.law) == as_fractions(
        load_law("shared:amplitude=2,onehot_probability=1/3")
    )


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("shared", {"onehot_probability": 0.25}),
        ("independent:amplitude=3", {"amplitude": 2, "sign_correlation": "1/2"}),
        ("two-features:both=1/2,angle=60", {"both": "1/4", "first_alone": 0.5}),
    ],
)
def test_a_spec_with_settings_is_the_text_with_settings(
    text: str, settings: dict[str, Any]
) -> None:
    name, _, own = text.partition(":")
    both = {**dict(item.split("=") for item in own.split(",") if item), **settings}
    written = f"{name}:" + ",".join(f"{key}={value}" for key, value in both.items())
    found = LawSpec.parse(text).with_settings(settings)
    assert found.name == text
    for part, other in zip(found.law.components, load_law(written).components, strict=True):
        assert (part.probability, part.point) == (other.probability, other.point)


def test_settings_of_laws() -> None:
    def varied(text: str, **settings: Any) -> Law:
        return LawSpec.parse(text).with_settings(settings).law

    assert varied("shared", angle=60, sign_correlation=1).components[0].point[1] != 0
    law = load_law("independent:sign_correlation=0.5")
    assert [float(part.probability) for part in law.components] == [0.375, 0.125, 0.125, 0.375]
    with pytest.raises(InputError, match="sign_correlation: expected a number from -1 to 1"):
        varied("shared", sign_correlation=2)
    with pytest.raises(InputError, match="angle: expected degrees between 0 and 180"):
        varied("shared", angle=180)
    with pytest.raises(InputError, match="two-features:q=1: setting: expected one of first_alone"):
        load_law("two-features:q=1")
    with pytest.raises(InputError, match="both: expected this probability"):
        load_law("two-features")
    with pytest.raises(InputError, match=r"setting: expected one of first_alone.*, got 'uniform'"):
        varied("two-features:both=1", uniform=1)
    with pytest.raises(InputError, match="uniform: expected 0"):
        load_law("two-features:both=1,uniform=2")
    with pytest.raises(InputError, match=r"did you mean 'amplitude'\?"):
        load_law("shared:amplitud=1")


@pytest.mark.parametrize("key", ["sets", "embedding", "amplitud"])
def test_a_law_file_varies_in_its_settings_only(tmp_path: Path, key: str) -> None:
    path = tmp_path / "law.json"
    path.write_text('{"sets": [2, 2]}')
    with pytest.raises(InputError, match=f"law.json: setting: expected one of .*, got '{key}'"):
        LawSpec.parse(path).with_settings({key: 1})
