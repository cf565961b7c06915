"""Pictures of records, drawn by a room that stands above the room of the record.

A record may offer its picture, but must not import what draws it. So it asks for it here, and
whoever can draw records says so with `draw_with`; `solvers/__init__.py` does.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol


class Picture(Protocol):
    """A figure of matplotlib, as far as a record knows it."""

    @property
    def savefig(self) -> Callable[..., Any]:
        """Writes the picture to a file."""


Painter = Callable[[object, Path | None], Picture]

_painters: list[Painter] = []


def draw_with(painter: Painter) -> None:
    """Let a painter draw every record from now on; it is given the record and a path or None.

    Examples
    --------
    See `picture`.
    """
    _painters[:] = [painter]


def picture(record: object, path: str | Path | None = None) -> Picture:
    """Return the picture of a record, and write it to a path if there is one.

    Examples
    --------
    >>> from solvers.autoencoders.frames import frame_sae
    >>> from solvers import Objective, cross_check
    >>> from theory import load_law
    >>> check = cross_check(load_law("shared"), frame_sae(0.0), Objective(0.0))
    >>> len(picture(check).axes)
    1
    """
    return _painters[0](record, None if path is None else Path(path))
