"""Laws from text: a preset with settings, or a JSON law file, checked to the last key.

shared
independent:onehot_probability=0.25,amplitude=2
two-features:first_alone=0.5,both=0.5,angle=60
path/to/law.json    {"sets": [2, 2], ...} or {"features": 5, "firing": 0.3, ...}
path/to/folder      of SAELens' SyntheticModel.save

A text is parsed once, into a `LawSpec`, which makes the law and its variations.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from theory.exact.annotations import checked
from theory.exact.arguments import check_choice
from theory.exact.errors import InputError, MissingFileError, one_of
from theory.exact.numbers import Number
from theory.exact.strict_json import looks_like_path, parse_json, read_text
from theory.laws.active_sets import firing_features, from_active_sets
from theory.laws.law import Law
from theory.laws.one_hot_sets import one_hot_sets
from theory.laws.presets import PRESET_SETTINGS, PRESETS, preset
from theory.laws.synthetic_models import is_synthetic_model, synthetic_model_law
from theory.laws.two_features import TWO_FEATURES, TwoFeatures

#: What a law file may hold, by the key that says what kind of law it is.
KEYS: dict[str, tuple[str, ...]] = {
    "sets": (
        "sets", "magnitude_correlation", "onehot_probability", "amplitude", "probabilities",
        "embedding",
    ),
    "features": (
        "features", "active", "firing", "parents", "exclusive", "correlation", "magnitude",
        "embedding", "bias", "noise",
    ),
}  # fmt: skip

_PRESETS: dict[str, Callable[..., Law]] = {
    **{name: partial(preset, name) for name in PRESETS},
    TWO_FEATURES: lambda **settings: TwoFeatures.of(settings).law,
}
#: What of a preset, and of a law file (""), an axis can vary; between 0 and 1 is no `uniform`.
_SETTINGS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(PRESETS, PRESET_SETTINGS),
    TWO_FEATURES: tuple(key for key in TwoFeatures._fields if key != "uniform"),
    "": (
        "magnitude_correlation",
        "onehot_probability",
        "amplitude",
        "firing",
        "correlation",
        "noise",
    ),
}


@dataclass(frozen=True)
class LawSpec:
    """A law as a text gives it: a preset or a law file's contents, with settings.

    Small, hashable, and the same in every process; what happens to the file later is not its own.

    Parameters
    ----------
    name : str
        The text or path, by which messages, journals and results call the law.
    preset : str
        "" for a law file.
    given : tuple of (str, number)
        Settings of the preset, or keys that replace those of the file.
    contents : str
        Of the law file.

    Examples
    --------
    >>> spec = LawSpec.parse("shared:amplitude=2")
    >>> spec.with_settings({"amplitude": 3}).law.components[0].point
    (3*u1, 3*u1)
    """

    name: str
    preset: str = ""
    given: tuple[tuple[str, Number], ...] = ()
    contents: str = ""

    @classmethod
    def parse(cls, text_or_path: str | Path) -> "LawSpec":
        """Return what a text or a path says; whether it is a law, `law` tells.

        Raises
        ------
        InputError
            If there is no such preset or file, the settings are not key=value, or the file is not
            text.
        """
        text = str(text_or_path)
        name, colon, settings = text.partition(":")
        if not isinstance(text_or_path, Path) and name in _PRESETS:
            try:
                return cls(text, name, tuple(_settings(settings, bool(colon)).items()))
            except InputError as error:
                raise error.inside(text) from None
        path = Path(text)
        try:
            exists = bool(text) and path.exists()
        except (OSError, ValueError):
            exists = False
        if not exists:
            raise _names_no_law(text_or_path)
        if is_synthetic_model(path):
            try:
                document = synthetic_model_law(path)
            except InputError as error:
                raise error.inside(text) from None
            return cls(text, contents=json.dumps(document, default=str))
        if not path.is_file():
            raise InputError(text, "a law file", hint="this is not one, nor SAELens' folder")
        return cls(text, contents=read_text(path, text))

    @property
    def settings(self) -> tuple[str, ...]:
        """The names of the settings that can be varied.

        Examples
        --------
        >>> LawSpec("shared", "shared").settings[:2]
        ('onehot_probability', 'amplitude')
        """
        return _SETTINGS[self.preset]

    def with_settings(self, settings: Mapping[str, Number]) -> "LawSpec":
        """Return the same spec with some settings, or keys of its file, replaced.

        Raises
        ------
        InputError
            For a setting that cannot be varied.
        """
        for key in settings:
            check_choice("setting", key, self.settings, where=self.name)
        return replace(self, given=tuple({**dict(self.given), **settings}.items()))

    @property
    def law(self) -> Law:
        """The law.

        Raises
        ------
        InputError
            If the settings or the file's contents are those of no law; the message names the file
            and the key.
        """
        document = None if self.preset else parse_json(self.contents, self.name)
        try:
            if self.preset:
                return replace(_PRESETS[self.preset](**dict(self.given)), name=self.name)
            if isinstance(document, dict):
                for key, _ in self.given:
                    if isinstance(document.get(key), list):
                        raise InputError(
                            key, "one number in the file, to be varied", document[key]
                        )
                document |= dict(self.given)
            return law_from_dict(document, name=Path(self.name).name)
        except InputError as error:
            raise error.inside(self.name) from None


@checked
def load_law(text_or_path: str | Path | Mapping[str, object]) -> Law:
    """Return the law that a text names, a preset with settings or a file's path, or a dict gives.

    Parameters
    ----------
    text_or_path : str, Path or dict
        "shared", "independent:onehot_probability=0.25,amplitude=2", "two-features:both=1", a
        JSON file's path, or what such a file holds.

    Raises
    ------
    InputError
        If there is no such preset, setting or file, or the file is not a valid law; the
        message names the file and the key.

    Examples
    --------
    >>> load_law("shared:amplitude=2").components[0].point
    (2*u1, 2*u1)
    >>> load_law({"features": 2, "firing": 1}).components[0].point
    (1, 1)
    """
    if isinstance(text_or_path, Mapping):
        return law_from_dict(text_or_path)
    return LawSpec.parse(text_or_path).law


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


@checked
def law_from_dict(document: object, name: str = "law") -> Law:
    """Return the law described by the keys of a law file.

    Examples
    --------
    >>> law_from_dict({"sets": [1, 3]}).dimension
    4
    >>> len(law_from_dict({"features": 3, "firing": 0.5, "parents": {"2": 0}}).components)
    6
    """
    if not isinstance(document, Mapping):
        raise InputError("", "a JSON object with the key 'sets' or 'features'", document)
    every = tuple(dict.fromkeys(key for keys in KEYS.values() for key in keys))
    for key, value in document.items():
        check_choice("key", key, every)
        if value is None:
            raise InputError(key, "a value, or no such key", hint="it is null")
    kinds = [kind for kind in KEYS if kind in document]
    if not kinds:
        raise InputError("key", "'sets' or 'features'", hint="a law has one of the two")
    kind = kinds[0]
    for key in document:
        if key not in KEYS[kind]:
            raise InputError(key, f"no such key beside {kind!r}", document[key])
    if kind == "sets":
        return one_hot_sets(**document, name=name)
    ways = [key for key in ("active", "firing") if key in document]
    if len(ways) != 1:
        hint = "it says which features are active together"
        raise InputError("features", "exactly one of the keys active, firing", hint=hint)
    for key in ("parents", "exclusive", "correlation"):
        if key in document and ways == ["active"]:
            raise InputError(key, "no such key beside 'active'", document[key])
    build = from_active_sets if ways == ["active"] else firing_features
    return build(**document, name=name)
