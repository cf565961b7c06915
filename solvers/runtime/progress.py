"""Progress on standard error, for work that takes longer than two seconds."""

import sys
import time
from typing import TextIO


class ProgressLine:
    """Says on standard error how far a long run is; silent for the first two seconds.

    Parameters
    ----------
    label : str
        What is being done.
    stream : text stream, optional
        Standard error by default. On a terminal one line is rewritten; elsewhere a line is
        written every five seconds.

    Examples
    --------
    >>> import io
    >>> stream = io.StringIO()
    >>> ProgressLine("starts", stream)(1, 4)  # under two seconds: nothing
    >>> stream.getvalue()
    ''
    """

    quiet_seconds = 2.0
    seconds_between_lines = 5.0

    def __init__(self, label: str, stream: TextIO | None = None) -> None:
        self.label = label
        self.stream = sys.stderr if stream is None else stream
        self.started = time.monotonic()
        self.last_line = -float("inf")

    def __call__(self, done: int, total: int) -> None:
        """Report that `done` of `total` parts are finished."""
        elapsed = time.monotonic() - self.started
        if elapsed < self.quiet_seconds:
            return
        text = f"{self.label}: {done}/{total}, {elapsed:.0f} s"
        if self.stream.isatty():
            self.stream.write(f"\r\x1b[K{text}" + ("\n" if done == total else ""))
        elif elapsed - self.last_line >= self.seconds_between_lines or done == total:
            self.last_line = elapsed
            self.stream.write(text + "\n")
        self.stream.flush()
