"""JSON read strictly: exact decimals, no NaN, no key twice, and errors that say what is wrong."""

import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from theory.exact.errors import InputError, MissingFileError, UnreadableFileError

# A law file or a checkpoint's configuration is a few kilobytes; far more is something else.
LARGEST_FILE = 10_000_000
_LONGEST_INT = 300


def looks_like_path(text: str) -> bool:
    """Tell whether a text that may also be a name looks like a path: a suffix, or a separator.

    Examples
    --------
    >>> [looks_like_path(text) for text in ("laws/mine", "mine.json", "shared")]
    [True, True, False]
    """
    return bool(Path(text).suffix) or "/" in text or "\\" in text


def read_json(path: Path, name: str = "") -> Any:
    """Return the JSON document at `path`, with every non-integer number as a `Decimal`.

    Parameters
    ----------
    path : Path
    name : str, optional
        What messages call the file; by default its path.

    Raises
    ------
    MissingFileError, UnreadableFileError
        If the file is not there, or cannot be read.
    InputError
        If it is too large, or is not strict JSON.
    """
    return parse_json(read_text(path, name), name or path)


def read_text(path: Path, name: str = "") -> str:
    """Return the text of a JSON file; takes and raises what `read_json` does."""
    called = name or path
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise InputError(called, f"a JSON file under {LARGEST_FILE} bytes", size)
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise _no_json(called) from None
    except FileNotFoundError:
        raise MissingFileError(called, "a JSON file") from None
    except OSError as error:
        raise UnreadableFileError.because(called, error) from None


def parse_json(text: str, name: str | Path) -> Any:
    """Return what a text of strict JSON says, which messages call by its name.

    Raises
    ------
    InputError
        If it is not strict JSON.

    Examples
    --------
    >>> parse_json('{"amplitude": 0.1}', "law.json")
    {'amplitude': Decimal('0.1')}
    """
    try:
        return json.loads(
            text,
            parse_float=Decimal,
            parse_int=_whole_number,
            parse_constant=_no_constant,
            object_pairs_hook=_no_duplicates,
        )
    except InputError as error:
        raise error.inside(name) from None
    except json.JSONDecodeError as error:
        raise InputError(name, "JSON", hint=str(error)) from None
    except (RecursionError, InvalidOperation):
        raise _no_json(name) from None


def _no_json(name: str | Path) -> InputError:
    return InputError(name, "JSON", hint="this is something else")


def _whole_number(digits: str) -> int | Decimal:
    # Unlike int, Decimal does not spend quadratic time on a hostile million digits.
    return int(digits) if len(digits) < _LONGEST_INT else Decimal(digits)


def _no_constant(constant: str) -> None:
    raise InputError("", "finite numbers", hint=f"{constant} is none")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in document if keys.count(key) > 1)
        raise InputError(twice, "this key once", hint="it is given twice")
    return document
