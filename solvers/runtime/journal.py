"""Results of long work, kept as they come, so that a killed run goes on where it was.

A journal is a file of one JSON value a line: first what the work is, then [index, result] of
every finished piece, each forced to the disk before the next. A line that a kill has cut short
is dropped. Work that is done differently is another work: its journal is refused, not mixed.
"""

import json
import os
from pathlib import Path
from typing import Any

from theory.exact.errors import InputError, UnwritableFileError

_OTHER = "it holds something else"


class Journal:
    """The finished pieces of one work, on disk.

    Parameters
    ----------
    path : Path
        Made if it does not exist.
    work : dict
        What the work is, in JSON's types.

    Raises
    ------
    InputError
        If the file holds other work, is no journal, or cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Journal(Path(folder) / "partial", {"points": 3}).add(0, 0.5)
    ...     Journal(Path(folder) / "partial", {"points": 3}).finished
    {0: 0.5}
    """

    def __init__(self, path: Path, work: dict[str, Any]) -> None:
        self.path = path
        self.finished: dict[int, Any] = {}
        try:
            kept = path.read_bytes() if path.exists() else b""
            # What follows the last end of line was not finished.
            whole = kept[: kept.rfind(b"\n") + 1]
            if kept and not whole and not json.dumps(work).encode().startswith(kept):
                raise InputError(path, "the partial results of a run", hint=_OTHER)
            if whole:
                self._read(whole, work)
            with path.open("r+b" if path.exists() else "w+b") as stream:
                stream.truncate(len(whole))
            if not whole:
                self._append(work)
        except OSError as error:
            raise UnwritableFileError.because(path, error) from None

    def _read(self, whole: bytes, work: dict[str, Any]) -> None:
        try:
            first, *lines = [json.loads(line) for line in whole.decode().splitlines()]
            finished = {int(index): result for index, result in lines}
        except (ValueError, TypeError, RecursionError):
            raise InputError(self.path, "the partial results of a run", hint=_OTHER) from None
        if first != json.loads(json.dumps(work)):
            raise InputError(
                self.path,
                "the partial results of this very run",
                hint="it holds those of another, so finish that one, delete the file or write "
                "elsewhere",
            )
        self.finished = finished

    def add(self, index: int, result: Any) -> None:
        """Keep the result of a piece, in JSON's types."""
        self._append([index, result])
        self.finished[index] = result

    def _append(self, value: object) -> None:
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(value, allow_nan=False) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
