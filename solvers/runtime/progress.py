"""Progress on standard error, for work that takes longer than a second."""

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

_SECONDS_BETWEEN_LOOKS = 1.0


class ProgressLine:
    """Says on standard error how far a long run is; silent for the first second.

    Used as a context manager it speaks also while no part ends: a thread looks every second
    whether a line is due.

    Parameters
    ----------
    label : str
        What is being done.
    total : int, optional
        How many parts there are, if that is known before the first ends.
    stream : text stream, optional
        Standard error by default. On a terminal one line is rewritten; elsewhere a line is
        written every five seconds.
    clock : callable, optional
        Returns the seconds since some moment.

    Examples
    --------
    >>> import io
    >>> stream, seconds = io.StringIO(), iter([0.0, 0.9, 2.0, 9.4])
    >>> line = ProgressLine("starts", 4, stream=stream, clock=lambda: next(seconds))
    >>> line(1, 4)  # under a second: nothing
    >>> line.beat()
    >>> line(2, 4)
    >>> stream.getvalue().splitlines()
    ['starts: 1/4, 2 s', 'starts: 2/4, 9 s']
    """

    quiet_seconds = 1.0
    seconds_between_lines = 5.0

    def __init__(
        self,
        label: str,
        total: int | None = None,
        *,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.label = label
        self.done, self.total = 0, total
        self.stream = sys.stderr if stream is None else stream
        self.clock = clock
        self.started = clock()
        self._last_line = -float("inf")
        self._unfinished_line = False
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_speaking, daemon=True)

    def __call__(self, done: int, total: int) -> None:
        """Report that `done` of `total` parts are finished."""
        with self._lock:
            self.done, self.total = done, total
            self._say(last=done == total)

    def beat(self) -> None:
        """Say how far it is if a line is due, as while a long part is being worked on."""
        with self._lock:
            if self.done != self.total:
                self._say(last=False)

    def _say(self, *, last: bool) -> None:
        elapsed = self.clock() - self.started
        if elapsed < self.quiet_seconds:
            return
        far = "working" if self.total is None else f"{self.done}/{self.total}"
        text = f"{self.label}: {far}, {elapsed:.0f} s"
        if self.stream.isatty():
            self.stream.write(f"\r\x1b[K{text}" + ("\n" if last else ""))
            self._unfinished_line = not last
        elif elapsed - self._last_line >= self.seconds_between_lines or last:
            self._last_line = elapsed
            self.stream.write(text + "\n")
        self.stream.flush()

    def _keep_speaking(self) -> None:
        while not self._over.wait(_SECONDS_BETWEEN_LOOKS):
            try:
                self.beat()
            except (OSError, ValueError):
                # Nobody listens any longer: the stream is closed or its reader gone.
                return

    def __enter__(self) -> "ProgressLine":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()
        if self._unfinished_line:
            self.stream.write("\n")
