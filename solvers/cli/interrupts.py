"""Ctrl-C while modules are imported: the process ends at once, with status 130.

An import that is interrupted halfway may end in anything: C extensions report the interrupt as an
error of their own, and callbacks print it as ignored. Nothing is half-written yet, so nothing is
lost by leaving.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

INTERRUPTED = 130


@contextmanager
def leaving_on_interrupt() -> Iterator[None]:
    """Let Ctrl-C end the process at once meanwhile, instead of raising KeyboardInterrupt.

    Where Ctrl-C is not Python's own affair, as in a process in the background, in a thread or
    under a program that handles it, nothing is changed.

    Examples
    --------
    >>> before = signal.getsignal(signal.SIGINT)
    >>> with leaving_on_interrupt():
    ...     import fractions
    >>> signal.getsignal(signal.SIGINT) is before
    True
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    try:
        signal.signal(signal.SIGINT, _leave)
    except ValueError:
        # Only the main thread may say what a signal does.
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _leave(*_: object) -> NoReturn:
    os.write(2, b"sae-theory: interrupted\n")
    os._exit(INTERRUPTED)
