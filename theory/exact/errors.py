"""The one exception for bad input: what is wrong, what was expected there, and what came instead.

It has fields, not a text, so that the command line can say `--latents` where Python says
`n_latents`, and so that nobody ever has to take a message apart. Where a caller does something
else about one kind of bad input, that kind is a class of its own.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from enum import Enum
from pathlib import PurePath
from typing import Final, Self


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
        The argument, or the key or file that is wrong; "" is the whole of `where`.
    expected : str
        What was expected there.
    got : object, optional
        What came instead: text is shown in quotes, so that '0.1' is not 0.1.
    where : str or Path, optional
        The file, law or object that `what` is a part of.
    hint : str, optional
        What else helps: the reason of the limit, or what to do.

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
        what: str | PurePath,
        expected: str,
        got: object = NOTHING,
        where: str | PurePath = "",
        hint: str = "",
    ) -> None:
        # All of them are arguments, so that the exception survives a process pool.
        super().__init__(str(what), expected, got, str(where), hint)
        self.what = str(what)
        self.expected = expected
        self.got = got
        self.where = str(where)
        self.hint = hint

    @property
    def problem(self) -> str:
        """What is wrong, without what it is wrong with."""
        got = "" if self.got is NOTHING else f", got {_shown(self.got)}"
        return f"expected {self.expected}{got}" + (f"; {self.hint}" if self.hint else "")

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.what, self.problem) if part)

    def inside(self, where: str | PurePath) -> Self:
        """Return the same error, said of a part of a file, law or object.

        Examples
        --------
        >>> str(InputError("", "a JSON object").inside("law.json"))
        'law.json: expected a JSON object'
        """
        if not self.what:
            return self.named(where)
        place = f"{where}: {self.where}" if self.where else where
        return type(self)(self.what, self.expected, self.got, place, self.hint)

    def outside(self, where: str | PurePath) -> Self:
        """Return the same error for somebody who knows the file: `inside` undone.

        Examples
        --------
        >>> error = InputError("starts", "a whole number ≥ 1", "0.1", where="law.json")
        >>> str(error.outside("law.json"))
        "starts: expected a whole number ≥ 1, got '0.1'"
        """
        what = "" if self.what == str(where) else self.what
        place = "" if self.where == str(where) else self.where.removeprefix(f"{where}: ")
        return type(self)(what, self.expected, self.got, place, self.hint)

    def named(self, what: str | PurePath) -> Self:
        """Return the same error under another name, as of an option instead of an argument."""
        return type(self)(what, self.expected, self.got, self.where, self.hint)


class MissingFileError(InputError):
    """A file or folder that is not there.

    Examples
    --------
    >>> str(MissingFileError("law.json", "a law file"))
    'law.json: no such file; expected a law file'
    """

    @property
    def problem(self) -> str:
        """What is wrong, without what it is wrong with."""
        hint = f"; {self.hint}" if self.hint else ""
        return f"no such file; expected {self.expected}{hint}"


class UnreadableFileError(InputError):
    """A file that is there and cannot be read; the hint is the operating system's reason.

    Examples
    --------
    >>> str(UnreadableFileError.because("law.json", PermissionError(13, "Permission denied")))
    'law.json: cannot be read: Permission denied'
    """

    #: What the file cannot be.
    cannot = "read"

    @property
    def problem(self) -> str:
        """What is wrong, without what it is wrong with."""
        return f"cannot be {self.cannot}: {self.hint}"

    @classmethod
    def because(cls, path: str | PurePath, error: OSError) -> Self:
        """Return the error for a path that the operating system refused."""
        # A few errors of libraries that open files carry a text only.
        reason = error.strerror or str(error)
        return cls(path, f"a file that can be {cls.cannot}", hint=reason)


class UnwritableFileError(UnreadableFileError):
    """A file or folder that cannot be written; the hint is the operating system's reason."""

    cannot = "written"


class MissingPackageError(InputError):
    """A package that reading this kind of file needs is not installed."""


def _shown(got: object) -> str:
    """Return what came, in one line: text in quotes, a number plain, nothing at length.

    Examples
    --------
    >>> [_shown(got) for got in ("0.1", 0.1, None, True, b"0", int, [1, "a"])]
    ["'0.1'", '0.1', 'None', 'True', "b'0'", 'int', "[1, 'a']"]
    """
    if isinstance(got, type):
        return got.__name__
    if isinstance(got, str | PurePath):
        text = str(got)
        return repr(text) if len(text) <= _LONGEST else f"{text[:_LONGEST]!r}..."
    try:
        # Of numbers of NumPy, of Decimal and of sympy the value is meant, not the constructor.
        text = " ".join(str(got).split())
    except ValueError:
        # A whole number of thousands of digits is not written out.
        text = ""
    # An address in memory tells nobody anything.
    if not text or f" at {hex(id(got))}" in text:
        return f"something of type {type(got).__name__}"
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def one_of(options: Iterable[object], got: object = NOTHING) -> str:
    """Return what is expected of a name: one of the options, and the likeliest one, if it is near.

    Examples
    --------
    >>> one_of(["shared", "independent"], "Sharde")
    "one of shared, independent (did you mean 'shared'?)"
    >>> one_of(["onehot_probability", "amplitude"], "onehot")
    "one of onehot_probability, amplitude (did you mean 'onehot_probability'?)"
    """
    known = {str(option).casefold(): str(option) for option in options}
    near = []
    if isinstance(got, str) and got:
        begun = [name for name in known if name.startswith(got.casefold())]
        near = get_close_matches(got.casefold(), known, n=1) or begun[: len(begun) == 1]
    meant = f" (did you mean {known[near[0]]!r}?)" if near else ""
    return f"one of {', '.join(known.values())}{meant}"
