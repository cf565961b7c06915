"""Damaged folders of SAELens, and what a law cannot hold: one line that names file and key."""

import math
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.cli.running import refused, run_json
from tests.theory.synthetic_model_cases import (
    CONFIG,
    HIERARCHY,
    SAVED,
    TENSORS,
    Damage,
    configured,
    copied,
    model,
    node,
    packed,
    removed,
    tensor_file,
    tensors_of,
    with_bytes,
    with_entry,
    with_header,
    with_roots,
    with_tensor,
    written,
)
from theory import InputError, load_law

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
        if depth <= 100:
            assert len(load_law(folder).components) == 2
        else:
            with pytest.raises(InputError, match=HIERARCHY):
                load_law(folder)


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
