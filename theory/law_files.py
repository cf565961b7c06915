"""Laws from text: a preset with settings, or a JSON law file, checked to the last key.

shared
independent:onehot_probability=0.25,amplitude=2
path/to/law.json    {"sets": [2, 2], "magnitude_correlation": 0.5, ...}
"""

from dataclasses import replace
from pathlib import Path

from theory.errors import InputError
from theory.laws import PRESETS, Law, one_hot_sets, preset
from theory.strict_json import read_json

KEYS = (
    "sets",
    "magnitude_correlation",
    "onehot_probability",
    "amplitude",
    "probabilities",
    "embedding",
)


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
        try:
            law = preset(name, **_settings(name, settings, bool(colon)))
        except InputError as error:
            raise InputError(f"{text}: {error}") from None
        return replace(law, name=text)
    path = Path(text)
    try:
        exists = bool(text) and path.exists()
    except (OSError, ValueError):
        exists = False
    if exists and not path.is_file():
        raise InputError(f"{text}: expected a law file, this is not a regular file")
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
        return law_from_dict(read_json(path), name=path.name)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


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
        if document[key] is None:
            raise InputError(f"{key}: expected a value or no such key, got null")
    if "sets" not in document:
        raise InputError("sets: this key is required, for example [2, 2]")
    return one_hot_sets(**document, name=name)
