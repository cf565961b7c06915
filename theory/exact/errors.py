"""The one exception for bad input: what is wrong, what was expected there, and what came instead.

It has fields, not a text, so that the command line can say `--latents` where Python says
`n_latents`, and so that nobody ever has to take a message apart.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Final


class _Nothing(Enum):
    """Where nothing came, or what came is not worth saying."""

    NOTHING = ""


NOTHING: Final = _Nothing.NOTHING

_LONGEST = 80


class InputError(ValueError):
    """Bad input.

    Parameters
    ----------
    what : str or Path
        The argument, or the key or file that is wrong.
    expected : str
        What was expected there.
    got : object, optional
        What came instead: text is shown in quotes, so that '0.1' is not 0.1.
    where : str or Path, optional
        The file, law or object that `what` is a part of.

    Examples
    --------
    >>> error = InputError("starts", "a whole number ≥ 1", "0.1")
    >>> str(error)
    "starts: expected a whole number ≥ 1, got '0.1'"
    >>> str(error.inside("law.json"))
    "law.json: starts: expected a whole number ≥ 1, got '0.1'"
    >>> error.what, error.got
    ('starts', '0.1')
    """

    def __init__(
        self,
        what: str | Path,
        expected: str = "",
        got: object = NOTHING,
        where: str | Path = "",
    ) -> None:
        # All of them are arguments, so that the exception survives a process pool.
        super().__init__(what, expected, got, where)
        self.what = str(what)
        self.expected = expected
        self.got = got
        self.where = str(where)

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        expected = f": expected {self.expected}" if self.expected else ""
        got = "" if self.got is NOTHING else f", got {_shown(self.got)}"
        return f"{place}{self.what}{expected}{got}"

    def inside(self, where: str | Path) -> "InputError":
        """Return the same error, said of a part of a file, law or object."""
        place = f"{where}: {self.where}" if self.where else where
        return type(self)(self.what, self.expected, self.got, place)

    def named(self, what: str) -> "InputError":
        """Return the same error under another name, as of an option instead of an argument."""
        return type(self)(what, self.expected, self.got, self.where)


def _shown(got: object) -> str:
    if isinstance(got, type):
        return got.__name__
    # Of numbers of NumPy, of Decimal and of sympy the value is meant, not the constructor.
    text = repr(got) if isinstance(got, str) else str(got)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def one_of(options: Iterable[object], got: object = NOTHING) -> str:
    """Return what is expected of a name: one of the options, and the likeliest one, if it is near.

    Examples
    --------
    >>> one_of(["shared", "independent"], "sharde")
    "one of shared, independent (did you mean 'shared'?)"
    """
    known = [str(option) for option in options]
    near = get_close_matches(got, known, n=1) if isinstance(got, str) else []
    return f"one of {', '.join(known)}" + (f" (did you mean {near[0]!r}?)" if near else "")
