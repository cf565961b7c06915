"""Laws from text: a preset with settings, or a JSON law file, checked to the last key.

    shared
    independent:onehot_probability=0.25,amplitude=2
    path/to/law.json    {"sets": [2, 2], "magnitude_correlation": 0.5, ...}
"""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

from theory.errors import InputError
from theory.laws import PRESETS, Law, one_hot_sets, preset

KEYS = (
    "sets",
    "magnitude_correlation",
    "onehot_probability",
    "amplitude",
    "probabilities",
    "embedding",
)
# A law file is a few hundred bytes; far more is some other file.
_LARGEST_FILE = 10_000_000


def load_law(text_or_path: str | Path) -> Law:
    """Return the law that a text names: a preset with settings, or the path of a law file.

    Parameters
    ----------
    text_or_path : str or Path
        "shared", "independent:onehot_probability=0.25,amplitude=2" or a JSON file's path.

    Raises
    ------
    InputError
        If there is no such preset, setting or file, or the file is not a valid law; the
        message names the file and the key.

    Examples
    --------
    >>> load_law("shared:amplitude=2").components[0].point
    (2*u1, 2*u1)
    """
    text = str(text_or_path)
    name, colon, settings = text.partition(":")
    if not isinstance(text_or_path, Path) and name in PRESETS:
        return preset(name, **_settings(name, settings, bool(colon)))
    path = Path(text)
    try:
        exists = path.is_file()
    except (OSError, ValueError):
        exists = False
    if not exists:
        raise InputError(
            f"{text}: expected a preset ({', '.join(PRESETS)}), with settings or without "
            "(shared:amplitude=2), or the path of a law file"
        )
    return law_from_file(path)


def _settings(name: str, text: str, given: bool) -> dict[str, str]:
    settings: dict[str, str] = {}
    for item in text.split(",") if given else []:
        key, equals, value = item.partition("=")
        key = key.strip()
        if not equals or not key:
            raise InputError(f"{name}: expected settings as key=value, got {item!r}")
        if key in settings:
            raise InputError(f"{name}: setting {key!r} is given twice")
        settings[key] = value
    return settings


def law_from_file(path: Path) -> Law:
    """Return the law in the JSON file at `path`; every error names the file and the key."""
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise InputError(f"expected a law file under {_LARGEST_FILE} bytes")
        document = json.loads(
            path.read_text(encoding="utf-8"),
            parse_float=Decimal,
            parse_int=_whole_number,
            parse_constant=_no_constant,
            object_pairs_hook=_no_duplicates,
        )
        return law_from_dict(document, name=path.name)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: expected JSON, but {error}") from None
    except (UnicodeDecodeError, RecursionError):
        raise InputError(f"{path}: expected a JSON law file, this is something else") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def law_from_dict(document: object, name: str = "law") -> Law:
    """Return the law described by the keys of a law file.

    Examples
    --------
    >>> law_from_dict({"sets": [1, 3]}).dimension
    4
    """
    if not isinstance(document, dict):
        raise InputError(f"expected a JSON object with the key 'sets', got {document!r:.60}")
    for key in document:
        if key not in KEYS:
            raise InputError(f"unknown key {key!r:.60}, expected one of {', '.join(KEYS)}")
    if "sets" not in document:
        raise InputError("sets: this key is required, for example [2, 2]")
    return one_hot_sets(**document, name=name)


def _whole_number(digits: str) -> int | Decimal:
    # Decimal, unlike int, does not spend quadratic time on a hostile million digits.
    return int(digits) if len(digits) < 300 else Decimal(digits)


def _no_constant(constant: str) -> None:
    raise InputError(f"expected finite numbers, got {constant}")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise InputError(f"{key}: this key is given twice")
    return dict(pairs)
