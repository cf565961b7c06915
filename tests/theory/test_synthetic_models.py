"""SAELens' folders of synthetic models: the laws they are, and what is refused.

`tests/data/synthetic_models` was written by SAELens 6.54. Expected activities come from throwing
every coin as SAELens does, level by level, and tensors are read by the library of their format.
"""

import json
import math
import struct
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy
from safetensors.numpy import load_file, save_file

from tests.theory.synthetic_model_cases import (
    CONFIG,
    HIERARCHY,
    SAVED,
    TENSORS,
    Node,
    activity,
    as_saelens_draws,
    copied,
    features_of,
    marginals,
    model,
    node,
    packed,
    tensor_file,
    tensors_of,
)
from theory import InputError, Law, load_law


def test_independent_firing() -> None:
    law, tensors = load_law(SAVED / "saved_plain"), load_file(SAVED / "saved_plain" / TENSORS)
    assert law.name == "saved_plain"
    assert law.probability_error == 0
    three, seven = Fraction(3, 10), Fraction(7, 10)
    assert activity(law) == {
        chosen: three**size * seven ** (6 - size)
        for size in range(7)
        for chosen in combinations(range(6), size)
    }
    # Decimals of the fewest digits, which are the same numbers in the file's precision.
    np.testing.assert_array_equal(features_of(law), tensors["feature_vectors"])
    singles = [
        rows for chosen, rows in zip(law.active, law.magnitudes, strict=True) if len(chosen) == 1
    ]
    assert singles == [((1, sympy.Rational(3, 20)),)] * 6


def test_given_as_a_text_it_is_the_same_law() -> None:
    folder = SAVED / "saved_tree"
    assert load_law(str(folder)) == load_law(folder)
    assert load_law(f"{folder}/") == load_law(folder)


def test_tree() -> None:
    """Features 0 and 1 are roots; 2 and 3 are exclusive children of 0, 4 and 5 children of 1."""
    law = load_law(SAVED / "saved_tree")
    found = activity(law)
    tensors = load_file(SAVED / "saved_tree" / TENSORS)
    np.testing.assert_array_equal(features_of(law), tensors["feature_vectors"])
    # SAELens wrote 0.24 with an error of rounding; NumPy too shows the fewest digits.
    firing = [Fraction(str(p)) for p in tensors["firing_probabilities"]]
    assert [float(p) for p in firing] == [0.4, 0.36, 0.32, 0.28, 0.24000001, 0.2]
    expected = [Fraction(text) for text in ("0.4", "0.36", "0.11008", "0.09408")]
    # 0.4 · 0.32 (1 - 0.28/2) and 0.4 · 0.28 (1 - 0.32/2); 0.36 · 0.24 and 0.36 · 0.2.
    expected += [Fraction("0.0864") + Fraction("0.36") / 10**8, Fraction("0.072")]
    assert marginals(found, 6) == expected
    for chosen in found:
        assert not {2, 3} <= set(chosen)
        assert 0 in chosen or not {2, 3} & set(chosen)
        assert 1 in chosen or not {4, 5} & set(chosen)
    roots = json.loads((SAVED / "saved_tree" / HIERARCHY).read_text())["roots"]
    assert found == as_saelens_draws(firing, roots)


@pytest.mark.slow
def test_correlated_model() -> None:
    """Its integration takes seconds, so that one test looks at all of it."""
    law = load_law(SAVED / "saved_correlated")
    check_correlated_firing(law)
    check_bias_and_magnitudes(law)


def check_correlated_firing(correlated: Law) -> None:
    """Marginals are the tensor's, and pairs those of two normals of the tensors' correlation."""
    tensors = load_file(SAVED / "saved_correlated" / TENSORS)
    firing = tensors["firing_probabilities"].astype(float)
    found, error = activity(correlated), float(correlated.probability_error)
    assert 0 < error < 1e-4
    np.testing.assert_allclose(
        [float(p) for p in marginals(found, 6)], firing, rtol=0, atol=2**5 * error
    )
    factor = tensors["correlation_factor"].astype(float)
    table = factor @ factor.T + np.diag(tensors["correlation_diag"].astype(float))
    for i, j in ((0, 1), (0, 3), (1, 5)):
        s, t = (mpmath.sqrt(2) * mpmath.erfinv(1 - 2 * p) for p in (firing[i], firing[j]))
        r = table[i, j]
        rest = math.sqrt(1 - r * r)
        both = mpmath.quad(
            lambda g, t=t, r=r, rest=rest: mpmath.npdf(g) * mpmath.ncdf((r * g - t) / rest),
            [s, t / r, 12] if s < t / r < 12 else [s, s + 2, 12],
        )
        together = sum(float(p) for chosen, p in found.items() if {i, j} <= set(chosen))
        assert abs(together - both) <= 2**4 * error + 1e-6
        # It is far from independent, so that the table matters.
        assert abs(both - firing[i] * firing[j]) > 2**6 * error


def check_bias_and_magnitudes(correlated: Law) -> None:
    tensors = load_file(SAVED / "saved_correlated" / TENSORS)
    assert correlated.active[0] == ()
    offset = np.array([float(entry) for entry in correlated.components[0].offset])
    np.testing.assert_array_equal(offset.astype(np.float32), tensors["bias"])
    assert np.linalg.norm(offset) == pytest.approx(1, abs=1e-6)
    for i in range(6):
        place = correlated.active.index((i,))
        ((mean, deviation),) = correlated.magnitudes[place]
        # Linear from 1 to 2.
        assert (Fraction(str(mean)), Fraction(str(deviation))) == (
            1 + Fraction(i, 5),
            Fraction(3, 20),
        )
        at_mean = np.array([float(entry) for entry in correlated.components[place].offset])
        expected = offset + (1 + i / 5) * tensors["feature_vectors"][i].astype(float)
        np.testing.assert_allclose(at_mean, expected, atol=1e-7)


@pytest.mark.parametrize(
    ("name", "file", "key", "message"),
    [
        (
            "saved_tree_compensated",
            CONFIG,
            "std_firing_magnitudes.generator_name",
            "generator 'constant', 'linear' or 'exponential', got 'folded_normal'",
        ),
        (
            "saved_tree_custom",
            HIERARCHY,
            "roots[0].scale_children_by_parent",
            "false, or a constant parent, got True; a child's magnitude would be a product",
        ),
    ],
)
def test_what_a_law_cannot_hold(name: str, file: str, key: str, message: str) -> None:
    folder = SAVED / name
    with pytest.raises(InputError) as caught:
        load_law(folder)
    text = str(caught.value)
    assert text.startswith(f"{folder}: {file}: {key}: expected ")
    assert message in text
    assert "\n" not in text


@pytest.mark.parametrize(
    ("firing", "roots"),
    [
        # A chain, and features in no tree.
        (["0.5", "0.25", "0.3", "0.1"], [node(2, node(0, node(3)))]),
        # Three exclusive ones, of which two are likely.
        (["0.5", "0.9", "0.9", "0.2"], [node(0, node(1), node(2), node(3), exclusive=True)]),
        # Nodes that only order: exclusive roots, of which one has exclusive children.
        (
            ["0.5", "0.4", "0.3", "0.7", "0.8"],
            [node(None, node(0, node(2), node(3), exclusive=True), node(1), exclusive=True)],
        ),
        # Of exclusive children one is an ordering node, which does not count; nor do one's own.
        (
            ["0.5", "0.4", "0.3", "0.7", "0.8"],
            [node(0, node(1), node(None, node(2), node(3)), node(4), exclusive=True)],
        ),
        # Always or never on.
        (["1", "1", "1", "0"], [node(0, node(1), node(2), node(3), exclusive=True)]),
    ],
)
def test_trees_by_throwing_every_coin(
    tmp_path: Path, firing: list[str], roots: list[Node]
) -> None:
    law = load_law(model(tmp_path, [float(p) for p in firing], roots))
    assert activity(law) == as_saelens_draws([Fraction(p) for p in firing], roots)


def test_many_exclusive_children(tmp_path: Path) -> None:
    """Of n that fire with p each, all alike, one stays with (1 - (1-p)^n) / n."""
    for n, text in ((20, "0.1"), (20, "0.1234567")):
        children = [node(i) for i in range(n)]
        law = load_law(model(tmp_path, [float(text)] * n, [node(None, *children, exclusive=True)]))
        none = (1 - float(text)) ** n
        assert len(law.active) == n + 1
        for chosen, p in activity(law).items():
            assert len(chosen) < 2
            assert float(p) == pytest.approx((1 - none) / n if chosen else none, rel=1e-12)


def test_children_scaled_by_a_constant_parent(tmp_path: Path) -> None:
    """They are scaled by parent / (parent's mean), which is 1."""
    firing, children = [0.5, 0.25, 0.125], (node(1), node(2))
    tree = node(0, *children, scale_children_by_parent=True)
    scaled = load_law(
        model(tmp_path / "a", firing, [tree], std_firing_magnitudes=0, mean_firing_magnitudes=2)
    )
    assert marginals(activity(scaled), 3) == [Fraction(1, 2), Fraction(1, 8), Fraction(1, 16)]
    assert {row for rows in scaled.magnitudes for row in rows} == {(2,)}
    plain = model(
        tmp_path / "b",
        firing,
        [node(0, *children)],
        std_firing_magnitudes=0,
        mean_firing_magnitudes=2,
    )
    assert scaled.components == load_law(plain).components


def test_scaling_without_a_parent_says_nothing(tmp_path: Path) -> None:
    tree = [
        node(None, node(1), scale_children_by_parent=True),
        node(0, scale_children_by_parent=True),
    ]
    law = load_law(model(tmp_path, [0.5, 0.25], tree))
    assert activity(law) == activity(load_law({"features": 2, "firing": ["1/2", "1/4"]}))


@pytest.mark.parametrize(
    ("generator", "expected"),
    [
        (3, ["3", "3", "3"]),
        ({"generator_name": "constant", "value": 0.5}, ["0.5", "0.5", "0.5"]),
        ({"generator_name": "linear", "start": 0.2, "end": 0.5}, ["0.2", "0.35", "0.5"]),
        ({"generator_name": "exponential", "start": 0.25, "end": 4}, ["0.25", "1", "4"]),
    ],
)
def test_magnitudes_that_a_generator_draws(
    tmp_path: Path, generator: Any, expected: list[str]
) -> None:
    for key, place in (("mean_firing_magnitudes", 0), ("std_firing_magnitudes", 1)):
        law = load_law(model(tmp_path, [0.5] * 3, **{key: generator}))
        found = [law.magnitudes[law.active.index((i,))][0][place] for i in range(3)]
        assert [Fraction(str(size)) for size in found] == [Fraction(text) for text in expected]


def test_magnitudes_that_no_key_gives_are_1(tmp_path: Path) -> None:
    folder = model(tmp_path, [0.5])
    (folder / CONFIG).write_text('{"num_features": 1}')
    assert load_law(folder).magnitudes == ((), ((1,),))


def test_a_bias_of_zeros_is_none(tmp_path: Path) -> None:
    law = load_law(model(tmp_path, [0.5, 0.5]))
    assert (
        law.components
        == load_law(
            {"features": 2, "firing": 0.5, "magnitude": {"normal": [1, "0.15"]}}
        ).components
    )


def bfloat16(x: float) -> bytes:
    """Return the upper half of a float32, for numbers that it holds."""
    return struct.pack("<f", x)[2:]


@pytest.mark.parametrize(
    ("dtype", "pack"),
    [
        ("F16", lambda x: struct.pack("<e", x)),
        ("BF16", bfloat16),
        ("F64", lambda x: struct.pack("<d", x)),
    ],
)
def test_other_precisions(tmp_path: Path, dtype: str, pack: Callable[[float], bytes]) -> None:
    vectors, firing = [1.5, -0.25, 0.0, 3.0, 1.0, -96.0], [0.5, 0.375]
    tensors = {
        "feature_vectors": (dtype, [2, 3], b"".join(map(pack, vectors))),
        "bias": (dtype, [3], b"".join(map(pack, [0.0, 0.0, -2.0]))),
        "firing_probabilities": (dtype, [2], b"".join(map(pack, firing))),
    }
    folder = model(tmp_path, firing)
    (folder / TENSORS).write_bytes(tensor_file(tensors))
    law = load_law(folder)
    assert features_of(law).ravel().tolist() == vectors
    assert marginals(activity(law), 2) == [Fraction(1, 2), Fraction(3, 8)]
    assert [float(entry) for entry in law.components[0].offset] == [0, 0, -2]


def test_three_tenths_in_every_precision(tmp_path: Path) -> None:
    """The number that the law has is, in the file's precision, the file's."""
    folder = model(tmp_path, [0.3])
    nearest = struct.unpack("<f", b"\0\0" + b"\x9a\x3e")[0]
    for dtype, raw, expected in (
        ("F64", struct.pack("<d", 0.3), Fraction(3, 10)),
        ("F32", packed(0.3), Fraction(3, 10)),
        ("F16", struct.pack("<e", 0.3), Fraction(3, 10)),
        ("BF16", b"\x9a\x3e", None),
    ):
        tensors = tensors_of([0.3]) | {"firing_probabilities": (dtype, [1], raw)}
        (folder / TENSORS).write_bytes(tensor_file(tensors))
        (found,) = marginals(activity(load_law(folder)), 1)
        if expected is None:
            # bfloat16 steps by 2⁻⁹ here.
            assert abs(found - Fraction(nearest)) < Fraction(1, 2**10)
        else:
            assert found == expected


def test_largest_numbers_of_a_precision(tmp_path: Path) -> None:
    folder = model(tmp_path, [0.5])
    largest_half, largest_single = 65504.0, float(np.finfo(np.float32).max)
    for dtype, raw, expected in (
        ("F32", packed(largest_single), largest_single),
        ("F32", packed(1e-45), float(np.float32(1e-45))),
        ("F16", struct.pack("<e", largest_half), largest_half),
        ("F16", struct.pack("<e", 6e-8), float(np.float16(6e-8))),
    ):
        tensors = tensors_of([0.5]) | {"feature_vectors": (dtype, [1, 1], raw)}
        (folder / TENSORS).write_bytes(tensor_file(tensors))
        ((found,),) = load_law(folder).features[0]
        kind = np.float16 if dtype == "F16" else np.float32
        assert kind(float(found)) == kind(expected)


def test_metadata_is_no_tensor(tmp_path: Path) -> None:
    folder = copied("saved_plain", tmp_path)
    save_file(load_file(folder / TENSORS), folder / TENSORS, metadata={"format": "pt"})
    assert load_law(folder).components == load_law(SAVED / "saved_plain").components
