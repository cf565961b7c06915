"""JSON read strictly: exact decimals, no NaN, no key twice, and errors that say what is wrong."""

import json
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from theory.exact.errors import InputError

# A law file or a checkpoint's configuration is a few kilobytes; far more is something else.
LARGEST_FILE = 10_000_000
_LONGEST_INT = 300


def read_json(path: Path) -> Any:
    """Return the JSON document at `path`, with every non-integer number as a `Decimal`.

    Raises
    ------
    InputError
        If the file cannot be read, is too large, or is not strict JSON. The message does not
        name the file; the caller knows what it was reading it for.
    """
    return parse_json(read_text(path))


def read_text(path: Path) -> str:
    """Return the text of a JSON file; raises as `read_json` does."""
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise InputError(f"expected a JSON file under {LARGEST_FILE} bytes")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise _no_json() from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}") from None


def parse_json(text: str) -> Any:
    """Return what a text of strict JSON says; raises as `read_json` does.

    Examples
    --------
    >>> parse_json('{"amplitude": 0.1}')
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
    except json.JSONDecodeError as error:
        raise InputError(f"expected JSON, but {error}") from None
    except (RecursionError, InvalidOperation):
        raise _no_json() from None


def _no_json() -> InputError:
    return InputError("expected JSON, but this is something else")


def _whole_number(digits: str) -> int | Decimal:
    # Unlike int, Decimal does not spend quadratic time on a hostile million digits.
    return int(digits) if len(digits) < _LONGEST_INT else Decimal(digits)


def _no_constant(constant: str) -> None:
    raise InputError(f"expected finite numbers, got {constant}")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in document if keys.count(key) > 1)
        raise InputError(f"{twice}: this key is given twice")
    return document
