"""Laws from text: a preset with settings, or a JSON law file, checked to the last key.

shared
independent:onehot_probability=0.25,amplitude=2
two-features:first_alone=0.5,both=0.5,angle=60
path/to/law.json    {"sets": [2, 2], "magnitude_correlation": 0.5, ...}
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from theory.exact.annotations import checked
from theory.exact.arguments import check_choice
from theory.exact.errors import InputError, MissingFileError, one_of
from theory.exact.numbers import Number, exact_number
from theory.exact.strict_json import looks_like_path, read_json
from theory.laws.law import PRESET_SETTINGS, PRESETS, Law, one_hot_sets, preset
from theory.laws.two_features import two_features

KEYS = (
    "sets",
    "magnitude_correlation",
    "onehot_probability",
    "amplitude",
    "probabilities",
    "embedding",
)


#: The preset of `theory.two_features.gains`.
TWO_FEATURES = "two-features"


class TwoFeatures(NamedTuple):
    """The settings of two features; `uniform` is 0 (amplitudes are 1) or 1 (uniform on [0, 1])."""

    first_alone: Number = 0
    second_alone: Number = 0
    both: Number = 0
    angle: Number = 90
    uniform: Number = 0
    magnitude_correlation: Number = 1

    @classmethod
    def of(cls, settings: Mapping[str, Number]) -> "TwoFeatures":
        """Return the settings that a text or an axis gives.

        Raises
        ------
        InputError
            For an unknown setting, no probability, or `uniform` other than 0 and 1.

        Examples
        --------
        >>> TwoFeatures.of({"both": 1}).angle
        90
        """
        for key in settings:
            check_choice("setting", key, cls._fields)
        if not {"first_alone", "second_alone", "both"} & settings.keys():
            raise InputError("both", "this probability, first_alone or second_alone")
        given = cls(**settings)
        if exact_number(given.uniform, "uniform") not in (0, 1):
            raise InputError("uniform", "0 (amplitudes are 1) or 1", given.uniform)
        return given

    @property
    def is_uniform(self) -> bool:
        """Whether amplitudes are uniform on [0, 1]."""
        return bool(exact_number(self.uniform, "uniform") == 1)

    @property
    def is_shared(self) -> bool:
        """Whether both features, when active, share an amplitude; points always do."""
        correlation = exact_number(self.magnitude_correlation, "magnitude_correlation")
        return bool(correlation == 1) or not self.is_uniform

    @property
    def law(self) -> Law:
        """The law."""
        return two_features(
            self.first_alone,
            self.second_alone,
            self.both,
            self.angle,
            uniform=self.is_uniform,
            magnitude_correlation=self.magnitude_correlation,
        )


_PRESETS: dict[str, Callable[..., Law]] = {
    **{name: partial(preset, name) for name in PRESETS},
    TWO_FEATURES: lambda **settings: TwoFeatures.of(settings).law,
}
#: What of a law file a setting can change.
_FILE_SETTINGS = ("magnitude_correlation", "onehot_probability", "amplitude")


def settings_of(text: str) -> tuple[str, ...]:
    """Return the settings that the law of a text takes, as axes of a phase diagram may vary them.

    Examples
    --------
    >>> settings_of("shared")[:2]
    ('onehot_probability', 'amplitude')
    """
    name = text.partition(":")[0]
    if name == TWO_FEATURES:
        # Between 0 and 1 there is no `uniform`.
        return tuple(key for key in TwoFeatures._fields if key != "uniform")
    return PRESET_SETTINGS if name in PRESETS else _FILE_SETTINGS


def is_law_file(text: str) -> bool:
    """Tell whether a text names a law file rather than a preset.

    Examples
    --------
    >>> is_law_file("shared:amplitude=2")
    False
    """
    return text.partition(":")[0] not in _PRESETS


def preset_settings(text: str) -> tuple[str, dict[str, str]]:
    """Return a preset's name and the settings in its text.

    Examples
    --------
    >>> preset_settings("two-features:both=1")
    ('two-features', {'both': '1'})
    """
    name, colon, own = text.partition(":")
    return name, _settings(own, bool(colon))


def load_law_with(text: str, settings: Mapping[str, Number]) -> Law:
    """Return the law of a text with some settings, or keys of its file, replaced.

    Raises
    ------
    InputError
        As `load_law`, or for a setting that the law does not take.

    Examples
    --------
    >>> load_law_with("shared:amplitude=2", {"amplitude": 3}).components[0].point
    (3*u1, 3*u1)
    """
    allowed = settings_of(text)
    for key in settings:
        check_choice("setting", key, allowed, where=text)
    if not settings:
        return load_law(text)
    if not is_law_file(text):
        try:
            name, own = preset_settings(text)
            return _PRESETS[name](**{**own, **settings})
        except InputError as error:
            raise error.inside(text) from None
    return law_from_dict({**law_document(text), **settings}, name=Path(text).name)


def law_document(path: str | Path) -> dict[str, Any]:
    """Return the contents of a law file that holds a valid law.

    Raises
    ------
    InputError
        As `load_law`.
    """
    load_law(path)
    document: dict[str, Any] = read_json(Path(path))
    return document


@checked
def load_law(text_or_path: str | Path) -> Law:
    """Return the law that a text names: a preset with settings, or the path of a law file.

    Parameters
    ----------
    text_or_path : str or Path
        "shared", "independent:onehot_probability=0.25,amplitude=2", "two-features:both=1" or a
        JSON file's path.

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
    if not isinstance(text_or_path, Path) and name in _PRESETS:
        try:
            law = _PRESETS[name](**_settings(settings, bool(colon)))
        except InputError as error:
            raise error.inside(text) from None
        return replace(law, name=text)
    path = Path(text)
    try:
        exists = bool(text) and path.exists()
    except (OSError, ValueError):
        exists = False
    if not exists:
        raise _names_no_law(text_or_path)
    if not path.is_file():
        raise InputError(text, "a law file", hint="this is not a regular file")
    return law_from_file(path)


def _names_no_law(given: str | Path) -> InputError:
    """Return the error for a text that is no preset and at which there is no file."""
    text = str(given)
    # Settings may hold what a path holds, as 1/2.
    name = text.partition(":")[0]
    if isinstance(given, Path) or looks_like_path(name if "=" in text else text):
        return MissingFileError(text, "a law file")
    expected = f"a preset, {one_of(_PRESETS, name)}, with settings or without (shared:amplitude=2)"
    return InputError("law", f"{expected}, or the path of a law file", text)


def _settings(text: str, given: bool) -> dict[str, str]:
    settings: dict[str, str] = {}
    for item in text.split(",") if given else []:
        key, equals, value = item.partition("=")
        key = key.strip()
        if not equals or not key:
            raise InputError("setting", "key=value", item)
        if key in settings:
            raise InputError(key, "this setting once", hint="it is given twice")
        settings[key] = value
    return settings


def law_from_file(path: Path) -> Law:
    """Return the law in the JSON file at `path`; every error names the file and the key."""
    document = read_json(path)
    try:
        return law_from_dict(document, name=path.name)
    except InputError as error:
        raise error.inside(path) from None


@checked
def law_from_dict(document: object, name: str = "law") -> Law:
    """Return the law described by the keys of a law file.

    Examples
    --------
    >>> law_from_dict({"sets": [1, 3]}).dimension
    4
    """
    if not isinstance(document, Mapping):
        raise InputError("", "a JSON object with the key 'sets'", document)
    for key, value in document.items():
        check_choice("key", key, KEYS)
        if value is None:
            raise InputError(key, "a value, or no such key", hint="it is null")
    if "sets" not in document:
        raise InputError("sets", "two whole numbers, as [2, 2]", hint="this key is required")
    return one_hot_sets(**document, name=name)
