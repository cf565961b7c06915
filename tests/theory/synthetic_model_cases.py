"""Folders as SAELens' `SyntheticModel.save` writes them, made, copied and damaged for tests."""

import json
import math
import shutil
import struct
from collections import defaultdict
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from theory import Law

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
