"""Folders that SAELens' `SyntheticModel.save` wrote, as law files.

Such a folder holds `synthetic_model_config.json`, `synthetic_model.safetensors` and, of a model
with a hierarchy, `hierarchy.json`. SAELens (6.54, sae_lens/synthetic/) draws which features
fire, independently or by a Gaussian copula; gives each the magnitude ReLU(normal); sets children
whose parent is off to 0, and of mutually exclusive children that fire keeps one, each with the
same chance; and returns activations · feature_vectors + bias. That is the law

    firing of a child: given its parent;   of exclusive ones: p_i E[1/(1 + others that fire)],

but for the ReLU, whose share of clipped magnitudes `sae-theory law` reports.
"""

import json
import math
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import sympy

from theory.exact.arguments import check_list
from theory.exact.errors import InputError
from theory.exact.numbers import exact_number
from theory.exact.strict_json import parse_json, read_text

CONFIG = "synthetic_model_config.json"
TENSORS = "synthetic_model.safetensors"
HIERARCHY = "hierarchy.json"
#: More features would take a table of more entries than a law file can bear.
MOST_FEATURES = 1000

_MOST_BYTES = 2**26
_HEADER = struct.Struct("<Q")
_FORMATS = {"F64": "d", "F32": "f", "F16": "e"}
_PRECISE = 17
# Levels of a hierarchy; and digits of a fraction, and what is left of a longer one.
_DEEPEST = 100
_LONGEST, _DIGITS = 90, 40


def is_synthetic_model(folder: Path) -> bool:
    """Return whether a folder is of SAELens' making."""
    return (folder / CONFIG).is_file()


def synthetic_model_law(folder: Path) -> dict[str, Any]:
    """Return what a law file of the same distribution holds.

    Raises
    ------
    InputError
        If a file is missing or damaged, or the model is one that a law cannot hold; the message
        names the file and the key.
    """
    config = _object(folder / CONFIG)
    count = config.get("num_features")
    if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= MOST_FEATURES:
        expected = f"a whole number from 1 to {MOST_FEATURES:,}, as many as a law can have"
        raise InputError(f"{CONFIG}: num_features", expected, count)
    tensors = _tensors(folder / TENSORS)
    for name in ("feature_vectors", "bias", "firing_probabilities"):
        if name not in tensors:
            raise InputError(f"{TENSORS}: {name}", "this tensor")
    firing = _shaped(tensors, "firing_probabilities", (count,))
    magnitudes = [
        _magnitudes(config, key, default, count)
        for key, default in (("mean_firing_magnitudes", 1), ("std_firing_magnitudes", 0))
    ]
    law: dict[str, Any] = {
        "features": count,
        "firing": firing,
        "magnitude": [{"normal": [m, s]} for m, s in zip(*magnitudes, strict=True)],
        "embedding": _shaped(tensors, "feature_vectors", (count, -1)),
    }
    bias = _shaped(tensors, "bias", (len(law["embedding"][0]),))
    if any(bias):
        law["bias"] = bias
    if (folder / HIERARCHY).is_file():
        if "correlation_factor" in tensors:
            raise InputError(HIERARCHY, "no hierarchy beside correlated firing")
        roots = check_list(HIERARCHY, _object(folder / HIERARCHY).get("roots"), "a list of roots")
        law |= _Tree(firing, magnitudes[1]).read(roots)
    elif config.get("hierarchy") is not None:
        raise InputError(HIERARCHY, "this file, for the configuration has a hierarchy")
    if config.get("correlation") is not None and "correlation_factor" not in tensors:
        hint = "the configuration has a correlation"
        raise InputError(f"{TENSORS}: correlation_factor", "this tensor", hint=hint)
    if "correlation_factor" in tensors:
        factor = _shaped(tensors, "correlation_factor", (count, -1))
        law["correlation"] = [
            [
                1 if i == j else sum(a * b for a, b in zip(one, other, strict=True))
                for j, other in enumerate(factor)
            ]
            for i, one in enumerate(factor)
        ]
    return law


class _Tree:
    """Reads the nodes of a hierarchy into the keys `parents`, `exclusive` and `firing`."""

    def __init__(self, firing: Sequence[sympy.Expr], deviations: Sequence[sympy.Expr]) -> None:
        self.firing = list(firing)
        self.deviations = deviations
        self.parents: dict[str, int] = {}
        self.exclusive: list[list[int]] = []
        self.seen: set[int] = set()

    def read(self, roots: Sequence[object]) -> dict[str, Any]:
        for place, root in enumerate(roots):
            self._node(root, None, f"{HIERARCHY}: roots[{place}]")
        return {"firing": self.firing, "parents": self.parents, "exclusive": self.exclusive}

    def _node(self, node: object, parent: int | None, where: str) -> int | None:
        """Read a node and what is below it; return its feature."""
        if where.count(".children") > _DEEPEST:
            raise InputError(HIERARCHY, f"a tree of at most {_DEEPEST} levels")
        if not isinstance(node, Mapping):
            raise InputError(where, "a node, an object", node)
        feature = self._feature(node, where)
        if feature is not None and parent is not None:
            self.parents[str(feature)] = parent
        above = parent if feature is None else feature
        children = check_list(f"{where}.children", node.get("children") or [], "a list of nodes")
        scaled = bool(node.get("scale_children_by_parent"))
        if scaled and children and above is not None and self.deviations[above] != 0:
            hint = "a child's magnitude would be a product of normal ones"
            raise InputError(
                f"{where}.scale_children_by_parent", "false, or a constant parent", True, hint=hint
            )
        below = [
            self._node(child, above, f"{where}.children[{place}]")
            for place, child in enumerate(children)
        ]
        # What only orders the tree is not among those that exclude each other.
        group = [child for child in below if child is not None]
        if node.get("mutually_exclusive_children") and len(group) > 1:
            self._exclude(group)
        return feature

    def _feature(self, node: Mapping[str, object], where: str) -> int | None:
        given = node.get("feature_index")
        if given is None:
            return None
        name, count = f"{where}.feature_index", len(self.firing)
        expected = f"a feature from 0 to {count - 1}, in one place of the tree"
        if isinstance(given, bool) or not isinstance(given, int):
            raise InputError(name, expected, given)
        if not 0 <= given < count or given in self.seen:
            raise InputError(name, expected, given)
        self.seen.add(given)
        return given

    def _exclude(self, group: list[int]) -> None:
        """Take the chances that each is the one that stays."""
        chances = [self.firing[i] for i in group]
        for place, feature in enumerate(group):
            # How many of the others fire.
            others = [sympy.S.One]
            for p in (*chances[:place], *chances[place + 1 :]):
                stay = [q * (1 - p) for q in others] + [sympy.S.Zero]
                more = [sympy.S.Zero] + [q * p for q in others]
                others = [a + b for a, b in zip(stay, more, strict=True)]
            stays = sum(q / (1 + m) for m, q in enumerate(others))
            self.firing[feature] = _not_too_long(chances[place] * stays)
        self.exclusive.append(sorted(group))


def _object(path: Path) -> dict[str, Any]:
    try:
        document = parse_json(read_text(path, path.name), path.name)
    except OSError:
        raise InputError(path.name, "this file beside the others") from None
    if not isinstance(document, dict):
        raise InputError(path.name, "a JSON object", document)
    return document


def _magnitudes(config: Mapping[str, Any], key: str, default: int, count: int) -> list[sympy.Expr]:
    """Return the numbers that a configuration's number or generator gives the features."""
    name, given = f"{CONFIG}: {key}", config.get(key, default)
    if not isinstance(given, Mapping):
        return [exact_number(given, name)] * count
    kind = given.get("generator_name")
    if kind == "constant":
        return [exact_number(given.get("value"), f"{name}.value")] * count
    if kind not in ("linear", "exponential"):
        hint = "what this one draws is in no file"
        expected = "a number, or a generator 'constant', 'linear' or 'exponential'"
        raise InputError(f"{name}.generator_name", expected, kind, hint=hint)
    start, end = (exact_number(given.get(part), f"{name}.{part}") for part in ("start", "end"))
    steps = [sympy.Rational(i, max(count - 1, 1)) for i in range(count)]
    if kind == "linear":
        return [start + (end - start) * step for step in steps]
    if not (start > 0 and end > 0):
        raise InputError(f"{name}", "start and end above 0", [str(start), str(end)])
    grown = (start * (end / start) ** step for step in steps)
    return [exact_number(float(size.evalf(_PRECISE)), name) for size in grown]


def _tensors(path: Path) -> dict[str, tuple[tuple[int, ...], bytes, str]]:
    """Return the tensors of a safetensors file, read without its library, for theory has none."""
    if not path.is_file():
        raise InputError(path.name, "this file beside the others")
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(path.name, f"at most {_MOST_BYTES:,} bytes", path.stat().st_size)
    raw = path.read_bytes()
    damaged = InputError(path.name, "a whole safetensors file", hint="it is damaged or cut off")
    if len(raw) < _HEADER.size or _HEADER.unpack_from(raw)[0] > len(raw) - _HEADER.size:
        raise damaged
    start = _HEADER.size + _HEADER.unpack_from(raw)[0]
    try:
        header = json.loads(raw[_HEADER.size : start].decode())
        found = {}
        for name, entry in header.items():
            if name == "__metadata__":
                continue
            shape = tuple(int(length) for length in entry["shape"])
            first, last = (start + int(offset) for offset in entry["data_offsets"])
            if not start <= first <= last <= len(raw):
                raise damaged
            found[name] = shape, raw[first:last], str(entry["dtype"])
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise damaged from None
    return found


def _numbers(raw: bytes, dtype: str, name: str) -> list[float]:
    if dtype == "BF16":
        # The upper half of a float32.
        raw = b"".join(b"\0\0" + raw[i : i + 2] for i in range(0, len(raw), 2))
        dtype = "F32"
    if dtype not in _FORMATS:
        raise InputError(f"{TENSORS}: {name}", "F64, F32, F16 or BF16 numbers", dtype)
    code = _FORMATS[dtype]
    return list(struct.unpack(f"<{len(raw) // struct.calcsize(code)}{code}", raw))


def _shaped(
    tensors: Mapping[str, tuple[tuple[int, ...], bytes, str]],
    name: str,
    shape: tuple[int, ...],
) -> list[Any]:
    """Return a tensor as exact numbers, each the shortest decimal that is the same float."""
    given, raw, dtype = tensors[name]
    numbers = _numbers(raw, dtype, name)
    if len(numbers) != math.prod(given):
        hint = "it is damaged or cut off"
        raise InputError(f"{TENSORS}: {name}", f"numbers of shape {given}", hint=hint)
    fits = len(given) == len(shape) and all(
        b in (-1, a) for a, b in zip(given, shape, strict=True)
    )
    if not fits or not numbers:
        expected = f"shape {shape}".replace("-1", "d")
        raise InputError(f"{TENSORS}: {name}", expected, given)
    exact = [exact_number(_shortest(x, dtype), f"{TENSORS}: {name}") for x in numbers]
    if len(shape) == 1:
        return exact
    width = given[1]
    return [exact[i : i + width] for i in range(0, len(exact), width)]


def _shortest(x: float, dtype: str) -> float | str:
    if dtype == "F64" or not math.isfinite(x):
        return x
    for digits in range(1, 10):
        text = f"{x:.{digits}g}"
        with suppress(OverflowError):
            if _rounded(float(text), dtype) == x:
                return text
    return x


def _rounded(x: float, dtype: str) -> float:
    """Return the nearest number of a format."""
    if dtype != "BF16":
        code = _FORMATS[dtype]
        nearest: float = struct.unpack(code, struct.pack(code, x))[0]
        return nearest
    (bits,) = struct.unpack("<I", struct.pack("<f", x))
    upper = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16 << 16
    return float(struct.unpack("<f", struct.pack("<I", upper & 0xFFFFFFFF))[0])


def _not_too_long(chance: sympy.Expr) -> sympy.Expr:
    """Return a number as it is, or of 40 digits if its fraction is beyond what law files take."""
    digits = max(len(str(chance.p)), len(str(chance.q)))
    return chance if digits < _LONGEST else exact_number(str(chance.evalf(_DIGITS)), "firing")
