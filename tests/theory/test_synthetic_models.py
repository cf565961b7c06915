"""SAELens' folders of synthetic models: the laws they are, and what is refused.

`tests/data/synthetic_models` was written by SAELens 6.54. Expected activities come from throwing
every coin as SAELens does, level by level, and tensors are read by the library of their format.
"""

import json
import math
import shutil
import struct
from collections import defaultdict
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import combinations, product
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from tests.cli.running import refused, run_json
from theory import InputError, Law, load_law

SAVED = Path(__file__).parents[1] / "data" / "synthetic_models"
CONFIG, TENSORS = "synthetic_model_config.json", "synthetic_model.safetensors"
HIERARCHY = "hierarchy.json"

Node = dict[str, Any]
Activity = dict[tuple[int, ...], Fraction]
Damage = Callable[[Path], object]


def activity(law: Law) -> Activity:
    """Return the probability of each active set."""
    return {
        chosen: Fraction(int(part.probability.p), int(part.probability.q))
        for chosen, part in zip(law.active, law.components, strict=True)
    }


def marginals(found: Activity, count: int) -> list[Fraction]:
    return [
        sum((p for chosen, p in found.items() if i in chosen), Fraction()) for i in range(count)
    ]


def node(feature: int | None, *children: Node, exclusive: bool = False, **more: Any) -> Node:
    return {
        "feature_index": feature,
        "mutually_exclusive_children": exclusive,
        "scale_children_by_parent": False,
        "feature_id": None,
        "children": list(children),
        **more,
    }


def as_saelens_draws(firing: Sequence[Fraction], roots: Sequence[Node]) -> Activity:
    """Return the activity of throwing a coin for every feature, then walking down the trees.

    A node whose feature is off, or is below one that is off, turns off all below it; of exclusive
    children that are on, each is as likely to stay.
    """
    found: Activity = defaultdict(Fraction)
    for on in product((False, True), repeat=len(firing)):
        chance = math.prod(
            (p if fires else 1 - p for p, fires in zip(firing, on, strict=True)), start=Fraction(1)
        )
        states = [(frozenset(i for i, fires in enumerate(on) if fires), chance)]
        level = list(roots)
        while level:
            # All nodes of a level before the next one; what is chosen there splits the states.
            for one in level:
                group = [child["feature_index"] for child in one["children"]]
                group = [i for i in group if i is not None]
                if one["mutually_exclusive_children"] and len(group) > 1:
                    states = [
                        (left, p / ways)
                        for active, p in states
                        for left, ways in survivors(active, group)
                    ]
            level = [child for one in level for child in one["children"]]
        for active, p in states:
            found[tuple(sorted(gated(active, roots)))] += p
    return {chosen: p for chosen, p in found.items() if p}


def survivors(active: frozenset[int], group: list[int]) -> list[tuple[frozenset[int], int]]:
    among = [i for i in group if i in active]
    if len(among) < 2:
        return [(active, 1)]
    return [(active - set(among) | {i}, len(among)) for i in among]


def gated(active: frozenset[int], roots: Sequence[Node]) -> set[int]:
    """Return what is left of an active set when children go with their parents."""
    left = set(active)

    def visit(one: Node, above: bool) -> None:
        feature = one["feature_index"]
        on = above if feature is None else above and feature in active
        if feature is not None and not on:
            left.discard(feature)
        for child in one["children"]:
            visit(child, on)

    for root in roots:
        visit(root, True)
    return left


def packed(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


def tensor_file(tensors: dict[str, tuple[str, list[Any], bytes]]) -> bytes:
    """Return a safetensors file, written by hand."""
    header, data = {}, b""
    for name, (dtype, shape, raw) in tensors.items():
        ends = [len(data), len(data) + len(raw)]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": ends}
        data += raw
    return with_header(json.dumps(header), data)


def with_header(header: str, data: bytes) -> bytes:
    return struct.pack("<Q", len(header.encode())) + header.encode() + data


def tensors_of(firing: Sequence[float]) -> dict[str, tuple[str, list[Any], bytes]]:
    """Return the tensors of a model whose features are the unit vectors."""
    n = len(firing)
    return {
        "feature_vectors": ("F32", [n, n], packed(*np.eye(n).ravel())),
        "bias": ("F32", [n], packed(*[0.0] * n)),
        "firing_probabilities": ("F32", [n], packed(*firing)),
    }


def model(
    folder: Path, firing: Sequence[float], roots: Sequence[Node] | None = None, **config: Any
) -> Path:
    """Return a folder as SAELens writes it, of features that are the unit vectors."""
    folder.mkdir(exist_ok=True)
    document = {
        "num_features": len(firing),
        "hidden_dim": len(firing),
        "hierarchy": None,
        "correlation": None,
        "std_firing_magnitudes": 0.15,
        "mean_firing_magnitudes": 1.0,
        **config,
    }
    (folder / CONFIG).write_text(json.dumps(document))
    (folder / TENSORS).write_bytes(tensor_file(tensors_of(firing)))
    if roots is not None:
        (folder / HIERARCHY).write_text(json.dumps({"roots": roots}))
    return folder


def features_of(law: Law) -> NDArray[np.float32]:
    return np.array([[float(entry) for entry in row] for (row,) in law.features], dtype=np.float32)


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


def copied(name: str, folder: Path) -> Path:
    return Path(shutil.copytree(SAVED / name, folder / name))


def configured(**changes: Any) -> Damage:
    def change(folder: Path) -> None:
        config = json.loads((folder / CONFIG).read_text())
        (folder / CONFIG).write_text(json.dumps({**config, **changes}))

    return change


def written(name: str, text: str) -> Damage:
    return lambda folder: (folder / name).write_text(text)


def removed(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def with_tensor(name: str, tensor: NDArray[Any] | None) -> Damage:
    """Put another tensor into the file by its library, or leave it out."""

    def change(folder: Path) -> None:
        tensors = {**load_file(folder / TENSORS), name: tensor}
        kept = {key: value for key, value in tensors.items() if value is not None}
        save_file(kept, folder / TENSORS)

    return change


def with_bytes(change: Callable[[bytes], bytes]) -> Damage:
    return lambda folder: (folder / TENSORS).write_bytes(change((folder / TENSORS).read_bytes()))


def with_entry(key: str, value: Any) -> Damage:
    """Change what the header of the tensors says of the feature vectors."""

    def change(raw: bytes) -> bytes:
        (length,) = struct.unpack_from("<Q", raw)
        header = json.loads(raw[8 : 8 + length])
        header["feature_vectors"][key] = value
        return with_header(json.dumps(header), raw[8 + length :])

    return with_bytes(change)


def with_roots(roots: Any) -> Damage:
    return written(HIERARCHY, json.dumps({"roots": roots}))


NAN = np.array([[math.nan, *[0.0] * 7], *[[1.0] * 8] * 5], dtype=np.float32)
CUT = "a whole safetensors file; it is damaged or cut off"
AGAIN = "expected a feature from 0 to 5, in one place of the tree, got"

DAMAGED: list[tuple[Damage, str]] = [
    (removed(TENSORS), f"{TENSORS}: expected this file beside the others"),
    (with_bytes(lambda raw: raw[:5]), f"{TENSORS}: expected {CUT}"),
    (with_bytes(lambda raw: raw[:40]), f"{TENSORS}: expected {CUT}"),
    (with_bytes(lambda raw: raw[:-1]), f"{TENSORS}: expected {CUT}"),
    (with_bytes(lambda _: b""), f"{TENSORS}: expected {CUT}"),
    (with_bytes(lambda raw: struct.pack("<Q", 2**63) + raw[8:]), f"{TENSORS}: expected {CUT}"),
    (
        with_bytes(lambda raw: struct.pack("<Q", len(raw) - 7) + raw[8:]),
        f"{TENSORS}: expected {CUT}",
    ),
    (with_bytes(lambda _: with_header("[1]", b"")), f"{TENSORS}: expected {CUT}"),
    (with_bytes(lambda _: with_header("[" * 100_000, b"")), f"{TENSORS}: expected {CUT}"),
    (with_bytes(lambda _: with_header('{"bias": 1}', b"")), f"{TENSORS}: expected {CUT}"),
    (with_bytes(lambda _: with_header("{}", b"")), f"{TENSORS}: feature_vectors: expected this"),
    (
        with_entry("shape", [6, 7]),
        f"{TENSORS}: feature_vectors: expected numbers of shape (6, 7); it is damaged or cut off",
    ),
    (with_entry("shape", ["a"]), f"{TENSORS}: expected {CUT}"),
    (with_entry("shape", [math.inf, 8]), f"{TENSORS}: expected {CUT}"),
    (with_entry("data_offsets", [0, 192_000]), f"{TENSORS}: expected {CUT}"),
    (with_entry("data_offsets", [-192, 0]), f"{TENSORS}: expected {CUT}"),
    (with_entry("data_offsets", [192, 0]), f"{TENSORS}: expected {CUT}"),
    (with_entry("data_offsets", [0]), f"{TENSORS}: expected {CUT}"),
    (with_entry("data_offsets", [0, math.inf]), f"{TENSORS}: expected {CUT}"),
    (
        with_entry("dtype", "F8_E4M3"),
        f"{TENSORS}: feature_vectors: expected F64, F32, F16 or BF16 numbers, got 'F8_E4M3'",
    ),
    (with_tensor("bias", None), f"{TENSORS}: bias: expected this tensor"),
    (with_tensor("firing_probabilities", None), f"{TENSORS}: firing_probabilities: expected this"),
    (
        with_tensor("feature_vectors", np.ones((5, 8), dtype=np.float32)),
        f"{TENSORS}: feature_vectors: expected shape (6, d), got (5, 8)",
    ),
    (
        with_tensor("feature_vectors", np.ones(6, dtype=np.float32)),
        f"{TENSORS}: feature_vectors: expected shape (6, d), got (6,)",
    ),
    (
        with_tensor("feature_vectors", np.ones((6, 0), dtype=np.float32)),
        f"{TENSORS}: feature_vectors: expected shape (6, d), got (6, 0)",
    ),
    (
        with_tensor("bias", np.zeros(7, dtype=np.float32)),
        f"{TENSORS}: bias: expected shape (8,), got (7,)",
    ),
    (
        with_tensor("firing_probabilities", np.ones((6, 1), dtype=np.float32)),
        f"{TENSORS}: firing_probabilities: expected shape (6,), got (6, 1)",
    ),
    (
        with_tensor("correlation_factor", np.ones((6, 2), dtype=np.float32)),
        "expected no hierarchy beside correlated firing",
    ),
    (with_tensor("feature_vectors", NAN), f"{TENSORS}: feature_vectors: expected a finite number"),
    (
        with_tensor("bias", np.full(8, -math.inf, dtype=np.float32)),
        f"{TENSORS}: bias: expected a finite number",
    ),
    (
        with_tensor("firing_probabilities", np.full(6, 1.5, dtype=np.float32)),
        "firing[0]: expected a number from 0 to 1",
    ),
    (written(CONFIG, "[1]"), f"{CONFIG}: expected a JSON object, got [1]"),
    (written(CONFIG, "{"), f"{CONFIG}: expected JSON"),
    (written(CONFIG, '{"seed": NaN}'), f"{CONFIG}: expected finite numbers; NaN is none"),
    (written(CONFIG, "[" * 100_000), f"{CONFIG}: expected JSON; this is something else"),
    (written(CONFIG, '{"a":' * 100_000), f"{CONFIG}: expected JSON; this is something else"),
    (lambda folder: (folder / CONFIG).write_bytes(b"\xff\xfe"), f"{CONFIG}: expected JSON"),
    (
        configured(num_features=20_000),
        f"{CONFIG}: num_features: expected a whole number from 1 to",
    ),
    (configured(num_features=20_000), "as many as a law can have, got 20000"),
    (configured(num_features=True), f"{CONFIG}: num_features: expected a whole number"),
    (configured(num_features=6.0), f"{CONFIG}: num_features: expected a whole number"),
    (configured(num_features=None), f"{CONFIG}: num_features: expected a whole number"),
    (
        configured(num_features=5),
        f"{TENSORS}: firing_probabilities: expected shape (5,), got (6,)",
    ),
    (configured(mean_firing_magnitudes="x"), "mean_firing_magnitudes: expected a number, got 'x'"),
    (configured(mean_firing_magnitudes=None), f"{CONFIG}: mean_firing_magnitudes: expected a"),
    (
        configured(std_firing_magnitudes={"generator_name": "linear", "start": 1}),
        f"{CONFIG}: std_firing_magnitudes.end: expected a number, got None",
    ),
    (
        configured(std_firing_magnitudes={"generator_name": "exponential", "start": 0, "end": 1}),
        f"{CONFIG}: std_firing_magnitudes: expected start and end above 0",
    ),
    (configured(std_firing_magnitudes=-1), "standard deviation ≥ 0"),
    (
        removed(HIERARCHY),
        f"{HIERARCHY}: expected this file, for the configuration has a hierarchy",
    ),
    (written(HIERARCHY, "3"), f"{HIERARCHY}: expected a JSON object, got 3"),
    (written(HIERARCHY, "{}"), f"{HIERARCHY}: expected a list of roots, got None"),
    (written(HIERARCHY, "[" * 100_000), f"{HIERARCHY}: expected JSON; this is something else"),
    (with_roots({"0": node(0)}), f"{HIERARCHY}: expected a list of roots, got "),
    (with_roots("roots"), f"{HIERARCHY}: expected a list of roots, got 'roots'"),
    (with_roots([3]), f"{HIERARCHY}: roots[0]: expected a node, an object, got 3"),
    (with_roots([node(0), node(0)]), f"{HIERARCHY}: roots[1].feature_index: {AGAIN} 0"),
    (
        with_roots([node(1, node(2), node(None, node(1)))]),
        f"{HIERARCHY}: roots[0].children[1].children[0].feature_index: {AGAIN} 1",
    ),
    (with_roots([node(6)]), f"{HIERARCHY}: roots[0].feature_index: {AGAIN} 6"),
    (with_roots([node(-1)]), f"{HIERARCHY}: roots[0].feature_index: {AGAIN} -1"),
    (with_roots([{**node(0), "feature_index": "0"}]), f"roots[0].feature_index: {AGAIN} '0'"),
    (with_roots([{**node(0), "feature_index": True}]), f"roots[0].feature_index: {AGAIN} True"),
    (
        with_roots([{**node(0), "children": 5}]),
        f"{HIERARCHY}: roots[0].children: expected a list of nodes, got 5",
    ),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGED, ids=[text for _, text in DAMAGED])
def test_damaged_folders_are_refused(tmp_path: Path, damage: Damage, message: str) -> None:
    folder = copied("saved_tree", tmp_path)
    damage(folder)
    with pytest.raises(InputError) as caught:
        load_law(folder)
    text = str(caught.value)
    assert text.startswith(f"{folder}: ")
    assert message in text
    assert "\n" not in text
    assert len(text) < len(str(folder)) + 400


def test_a_tree_as_deep_as_json_may_be(tmp_path: Path) -> None:
    """It is read, or refused in words, whatever the interpreter's own limits are."""
    for depth in (90, 400, 490, 2000, 20_000):
        folder = model(tmp_path, [0.5])
        deep = '{"feature_index":null,"children":[' * depth + '{"feature_index":0}' + "]}" * depth
        (folder / HIERARCHY).write_text(f'{{"roots":[{deep}]}}')
        try:
            assert len(load_law(folder).components) == 2
        except InputError as error:
            assert HIERARCHY in str(error)  # noqa: PT017
            assert depth > 90


def test_a_correlation_without_its_tensor_is_refused(tmp_path: Path) -> None:
    """As a hierarchy without its file: SAELens would draw what is in no file."""
    correlation = {"rank": 1, "correlation_scale": 0.5, "seed": None}
    with pytest.raises(InputError, match="correlation_factor"):
        load_law(model(tmp_path, [0.5, 0.5], correlation=correlation))


def test_a_correlation_of_another_shape_is_refused(tmp_path: Path) -> None:
    folder = copied("saved_plain", tmp_path)
    for shape in ((5, 2), (6,)):
        with_tensor("correlation_factor", np.full(shape, 0.5, dtype=np.float32))(folder)
        with pytest.raises(InputError, match=rf"{TENSORS}: correlation_factor: .* \(6, d\), got"):
            load_law(folder)


def test_more_correlated_features_than_can_be_integrated(tmp_path: Path) -> None:
    folder = model(tmp_path, [0.5] * 9)
    tensors = tensors_of([0.5] * 9) | {"correlation_factor": ("F32", [9, 1], packed(*[0.5] * 9))}
    (folder / TENSORS).write_bytes(tensor_file(tensors))
    with pytest.raises(InputError, match="correlation: expected at most 8 features beside it"):
        load_law(folder)


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a law file; this is not one, nor SAELens'"):
        load_law(tmp_path)


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    found = run_json(capsys, "law", SAVED / "saved_tree")
    np.testing.assert_allclose(found["firing"], [0.4, 0.36, 0.11008, 0.09408, 0.0864, 0.072])
    assert found["l0"] == pytest.approx(1.12256)
    assert found["remainder"] == 0
    vectors = load_file(SAVED / "saved_tree" / TENSORS)["feature_vectors"].astype(float)
    np.testing.assert_allclose(found["features"], vectors, atol=1e-7)
    # All magnitudes have mean 1, and one in 38 billion is below 0.
    np.testing.assert_allclose(found["mean"], found["firing"] @ vectors, atol=1e-7)
    below = math.erfc(1 / 0.15 / math.sqrt(2)) / 2
    assert found["clipped"] == pytest.approx(1.12256 * below, rel=1e-9)
    exactly = {tuple(s["features"]): s["exactly"] for s in found["active_sets"]}
    # Neither root.
    assert exactly[()] == "48/125"


def test_command_refuses_in_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = copied("saved_tree", tmp_path)
    (folder / TENSORS).unlink()
    message = f"{folder}: {TENSORS}: expected this file beside the others"
    refused(capsys, ["law", str(folder)], message)
    refused(capsys, ["law", str(SAVED / "saved_tree_custom")], "scale_children_by_parent")
