"""Arguments and fields checked against what their annotations say, in one place for all.

A signature says already that `law` is a `Law` and `starts` a whole number. `checked` holds a
function to that, `check_fields` a dataclass; limits, choices and shapes are checked by
`theory.exact.arguments` where they matter.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache, wraps
from inspect import Parameter, signature
from numbers import Integral, Real
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from theory.exact.arguments import check_list, plain, with_article
from theory.exact.errors import InputError

P = ParamSpec("P")
R = TypeVar("R")

#: What messages call the kinds of the standard library; a class of ours is called by its name.
_CALLED: dict[object, str] = {
    NoneType: "None",
    bool: "True or False",
    int: "a whole number",
    float: "a finite number",
    str: "a text",
    Path: "a path",
    Callable: "a function",
    **dict.fromkeys((Sequence, Iterable, list, tuple), "a sequence"),
    **dict.fromkeys((Mapping, dict), "a mapping"),
}


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Return the function that refuses, by name, an argument that its annotation does not allow.

    Numbers of NumPy reach the function as numbers of Python.

    Examples
    --------
    >>> @checked
    ... def half(count: int) -> float:
    ...     return count / 2
    >>> half("4")
    Traceback (most recent call last):
    ...
    theory.exact.errors.InputError: count: expected a whole number, got '4'
    """
    named = signature(function)
    several = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    single = {name for name, one in named.parameters.items() if one.kind not in several}

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            given = named.bind(*args, **kwargs)
        except TypeError:
            # Python says best which argument is missing, or unknown.
            return function(*args, **kwargs)
        hints = _hints(function)
        # `self` has no annotation.
        for name in given.arguments.keys() & single & hints.keys():
            given.arguments[name] = check_annotated(name, given.arguments[name], hints[name])
        return function(*given.args, **given.kwargs)

    return call


def check_fields(record: Any) -> None:
    """Hold a frozen dataclass to the annotations of its fields; for its `__post_init__`.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Width:
    ...     latents: int
    ...     def __post_init__(self) -> None:
    ...         check_fields(self)
    >>> Width(True)
    Traceback (most recent call last):
    ...
    theory.exact.errors.InputError: latents: expected a whole number, got True
    """
    kind: Any = type(record)
    for name, hint in _hints(kind).items():
        if name in vars(record):
            object.__setattr__(record, name, check_annotated(name, getattr(record, name), hint))


@cache
def _hints(annotated: Any) -> dict[str, Any]:
    hints = get_type_hints(annotated)
    hints.pop("return", None)
    return hints


def check_annotated(name: str, value: object, annotation: Any) -> Any:
    """Return a value that an annotation allows; a number as one of Python.

    What is nothing to check at a glance, as an array or an expression of sympy, is let through:
    those who read it check it.

    Raises
    ------
    InputError
        For anything else.

    Examples
    --------
    >>> check_annotated("l1", None, float | None)
    >>> check_annotated("l1", "x", float | None)
    Traceback (most recent call last):
    ...
    theory.exact.errors.InputError: l1: expected a finite number or None, got 'x'
    """
    union = get_origin(annotation) in (Union, UnionType)
    options = get_args(annotation) if union else (annotation,)
    if not any(_allows(option, value) for option in options):
        called = dict.fromkeys(_called(option) for option in options)
        raise InputError(name, " or ".join(called), value)
    kinds = [option for option in options if option is not NoneType]
    if kinds in ([int], [float], [bool]) and value is not None:
        return kinds[0](plain(value))
    return value


def _allows(option: Any, value: object) -> bool:  # noqa: PLR0911  # one answer a kind
    kind, number = get_origin(option) or option, plain(value)
    if kind is int:
        return isinstance(number, Integral) and not isinstance(number, bool)
    if kind is float:
        return (
            isinstance(number, Real | Decimal) and not isinstance(number, bool) and _is_in(number)
        )
    if kind is bool:
        return isinstance(number, bool)
    if kind is Literal:
        return value in get_args(option)
    if kind is Callable or kind is getattr(Callable, "__origin__", None):
        return callable(value)
    if kind in (Sequence, list, tuple):
        return _is_sequence(value) and _holds(option, value)
    if kind is Iterable:
        text = isinstance(value, str | bytes)
        return isinstance(value, Iterable) and not text and _holds(option, value)
    if not isinstance(kind, type) or kind.__module__.startswith("sympy"):
        return True
    try:
        return isinstance(value, kind)
    except TypeError:
        # A protocol that says nothing at run time.
        return True


def _is_in(number: Any) -> bool:
    """Tell whether a number is in the range of doubles; limits, and NaN, are others' to check."""
    try:
        float(number)
    except (OverflowError, ValueError):
        return False
    return True


def _is_sequence(value: object) -> bool:
    try:
        check_list("value", value, "")
    except InputError:
        return False
    return True


def _element(option: Any) -> type | None:
    """Return the class that every element of a sequence has to be of; None if any will do."""
    arguments = [one for one in get_args(option) if one is not Ellipsis]
    element = arguments[0] if len(arguments) == 1 else None
    if not isinstance(element, type) or get_origin(element) is not None:
        return None
    # Numbers are read, and expressions too, by those who use them.
    number = element in (bool, int, float, object) or element.__module__.startswith("sympy")
    return None if number else element


def _holds(option: Any, value: Any) -> bool:
    """Tell whether a sequence's elements are of the class it says; an iterator is not used up."""
    element = _element(option)
    if element is None or isinstance(value, Iterator):
        return True
    return all(isinstance(one, element) for one in value)


def _called(option: Any) -> str:
    kind, element = get_origin(option) or option, _element(option)
    if element is not None and _CALLED.get(kind) == "a sequence":
        return f"a sequence of {element.__name__}"
    if kind is Literal:
        return f"one of {', '.join(repr(value) for value in get_args(option))}"
    return _CALLED.get(kind) or with_article(getattr(kind, "__name__", str(kind)))
