"""The exception for bad input: its fields, its text, its kinds, and its way through a pool."""

import pickle
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy

from theory.exact.errors import (
    InputError,
    MissingFileError,
    MissingPackageError,
    UnreadableFileError,
    UnwritableFileError,
    one_of,
)

KINDS = [
    InputError,
    MissingFileError,
    MissingPackageError,
    UnreadableFileError,
    UnwritableFileError,
]


def fields_of(error: InputError) -> tuple[Any, ...]:
    return type(error), error.what, error.expected, error.got, error.where, error.hint, str(error)


def refuse(kind: type[InputError]) -> None:
    raise kind("k", "a whole number", "x", where=Path("file"), hint="why").inside("folder")


@pytest.mark.parametrize("kind", KINDS)
def test_it_survives_pickling(kind: type[InputError]) -> None:
    for error in (kind("k", "a number"), kind("k", "a number", 3, "file", "why").named("--k")):
        assert fields_of(pickle.loads(pickle.dumps(error))) == fields_of(error)


def test_it_comes_back_from_a_process_pool() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        for kind in KINDS:
            error = executor.submit(refuse, kind).exception()
            assert isinstance(error, InputError)
            told = kind("k", "a whole number", "x", "folder: file", "why")
            assert fields_of(error) == fields_of(told)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (InputError("k", "a number"), "k: expected a number"),
        (InputError("k", "a number", hint="or none"), "k: expected a number; or none"),
        (InputError("k", "a number", None), "k: expected a number, got None"),
        (InputError("k", "a number", "1", "f", "why"), "f: k: expected a number, got '1'; why"),
        (InputError("", "JSON").inside("f").inside("g"), "g: f: expected JSON"),
        (InputError("k", "x").inside("f").inside("g"), "g: f: k: expected x"),
        (MissingFileError("f", "a law"), "f: no such file; expected a law"),
        (UnwritableFileError("f", "a file", hint="full"), "f: cannot be written: full"),
        (
            UnreadableFileError("", "a file", hint="locked").inside("f"),
            "f: cannot be read: locked",
        ),
        (UnreadableFileError.because("f", OSError("odd")), "f: cannot be read: odd"),
    ],
)
def test_texts(error: InputError, text: str) -> None:
    assert str(error) == text


@pytest.mark.parametrize(
    ("got", "shown"),
    [
        ("0.1", "'0.1'"),
        ("", "''"),
        ("a\nb\0", r"'a\nb\x00'"),
        (np.str_("x"), "'x'"),
        (Path("a/b"), "'a/b'"),
        (b"x", "b'x'"),
        (0.1, "0.1"),
        (np.float64(0.1), "0.1"),
        (np.float32(0.1), "0.1"),
        (np.int64(3), "3"),
        (Decimal("0.10"), "0.10"),
        (Fraction(1, 3), "1/3"),
        (sympy.sqrt(2) / 2, "sqrt(2)/2"),
        (True, "True"),
        (None, "None"),
        (["1", 2], "['1', 2]"),
        (np.eye(2), "[[1. 0.] [0. 1.]]"),
        (sympy.eye(2), "Matrix([[1, 0], [0, 1]])"),
        (float, "float"),
        ("x" * 200, "'" + "x" * 80 + "'..."),
        (list(range(100)), str(list(range(100)))[:80] + "..."),
        (10**5000, "something of type int"),
        (object(), "something of type object"),
        (KINDS.append, None),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_what_came_is_shown_in_one_line(got: object, shown: str | None) -> None:
    text = str(InputError("k", "a number", got))
    assert "\n" not in text
    if shown is not None:
        assert text == f"k: expected a number, got {shown}"


def test_a_name_nearby_is_offered() -> None:
    assert "(did you mean 'amplitude'?)" in one_of(["amplitude", "angle"], "amplitud")
    assert "(did you mean 'TopK'?)" in one_of(["ReLU", "TopK"], "topk")
    # The beginning of one name, though not of two, is near.
    assert "(did you mean 'amplitude'?)" in one_of(["amplitude", "angle"], "am")
    for far in ("zzz", "a", "", 3, None):
        assert one_of(["amplitude", "angle"], far) == "one of amplitude, angle"
