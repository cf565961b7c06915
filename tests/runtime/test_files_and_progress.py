"""Files whole or not at all; progress after two seconds, on standard error."""

import io
from pathlib import Path

import pytest

from solvers import InputError
from solvers.runtime.files import check_writable, written_beside
from solvers.runtime.progress import ProgressLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "result.txt"
    path.write_text("before")

    def fail() -> None:
        with written_beside(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "before"
    with written_beside(path) as temporary:
        temporary.write_text("after")
        assert path.read_text() == "before"
    assert path.read_text() == "after"
    assert [entry.name for entry in tmp_path.iterdir()] == ["result.txt"]


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected a file; this is a folder"):
        check_writable(tmp_path)
    with pytest.raises(InputError, match="no folder"):
        check_writable(tmp_path / "no" / "file")
    with (
        pytest.raises(InputError, match="cannot be written"),
        written_beside(tmp_path / "no" / "f"),
    ):
        pass


def test_progress_is_silent_at_first(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    stream, terminal = io.StringIO(), Terminal()
    lines = ProgressLine("starts", stream), ProgressLine("starts", terminal)
    for now, done in [(1.9, 1), (3.0, 2), (4.0, 3), (8.5, 4), (8.6, 5)]:  # noqa: B007
        for line in lines:
            line(done, 5)
    assert stream.getvalue().splitlines() == [
        "starts: 2/5, 3 s", "starts: 4/5, 8 s", "starts: 5/5, 9 s",
    ]  # fmt: skip
    assert terminal.getvalue().count("\r") == 4
    assert terminal.getvalue().endswith("5/5, 9 s\n")
