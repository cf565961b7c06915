"""Files appear whole or not at all."""

from pathlib import Path

import pytest

from solvers import InputError
from solvers.runtime.files import check_writable, written_beside


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
