"""Progress after a second, on standard error, by a clock that the tests turn."""

import io
import threading

from solvers.runtime.progress import ProgressLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Shows what it was set to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_silent_at_first_then_a_line_every_five_seconds() -> None:
    clock, stream, terminal = Clock(), io.StringIO(), Terminal()
    lines = [ProgressLine("starts", stream=out, clock=clock) for out in (stream, terminal)]
    for clock.now, done in [(0.9, 1), (3.0, 2), (4.0, 3), (8.5, 4), (8.6, 5)]:
        for line in lines:
            line(done, 5)
    assert stream.getvalue().splitlines() == [
        "starts: 2/5, 3 s", "starts: 4/5, 8 s", "starts: 5/5, 9 s",
    ]  # fmt: skip
    assert terminal.getvalue().count("\r") == 4
    assert terminal.getvalue().endswith("5/5, 9 s\n")


def test_it_speaks_while_no_part_ends() -> None:
    clock, stream = Clock(), io.StringIO()
    known = ProgressLine("starts", 1, stream=stream, clock=clock)
    unknown = ProgressLine("boxes", stream=stream, clock=clock)
    for clock.now in (0.9, 2.0, 3.0, 7.0, 8.0):
        known.beat()
        unknown.beat()
    assert stream.getvalue().splitlines() == [
        "starts: 0/1, 2 s", "boxes: working, 2 s", "starts: 0/1, 7 s", "boxes: working, 7 s",
    ]  # fmt: skip


def test_a_thread_keeps_it_speaking_until_the_end() -> None:
    spoken = threading.Event()

    class Heard(io.StringIO):
        def write(self, text: str) -> int:
            spoken.set()
            return super().write(text)

    # Always two seconds after its beginning.
    seconds = iter([0.0])
    stream = Heard()
    with ProgressLine("starts", 1, stream=stream, clock=lambda: next(seconds, 2.0)):
        assert spoken.wait()
    assert stream.getvalue() == "starts: 0/1, 2 s\n"


def test_an_unfinished_line_on_a_terminal_is_ended() -> None:
    clock, terminal = Clock(), Terminal()
    with ProgressLine("starts", stream=terminal, clock=clock) as line:
        clock.now = 3.0
        line(1, 4)
    assert terminal.getvalue().endswith("1/4, 3 s\n")


def test_a_reader_that_has_gone_ends_nothing() -> None:
    refused = threading.Event()

    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            refused.set()
            raise BrokenPipeError(text)

    seconds = iter([0.0])
    # An exception in the thread would be a warning, and so an error.
    with ProgressLine("starts", 1, stream=Gone(), clock=lambda: next(seconds, 2.0)):
        assert refused.wait()
