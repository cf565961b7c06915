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
    called = name or path
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise InputError("", f"a JSON file under {LARGEST_FILE} bytes", size)
        return json.loads(
            path.read_text(encoding="utf-8"),
            parse_float=Decimal,
            parse_int=_whole_number,
            parse_constant=_no_constant,
            object_pairs_hook=_no_duplicates,
        )
    except InputError as error:
        raise error.inside(called) from None
    except json.JSONDecodeError as error:
        raise InputError(called, "JSON", hint=str(error)) from None
    except (UnicodeDecodeError, RecursionError, InvalidOperation):
        raise InputError(called, "JSON", hint="this is something else") from None
    except FileNotFoundError:
        raise MissingFileError(called, "a JSON file") from None
    except OSError as error:
        raise UnreadableFileError.because(called, error) from None


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
