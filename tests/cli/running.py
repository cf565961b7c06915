"""Running a command in this process, and what every wrong one must answer."""

import json
from typing import Any

import pytest

from solvers.cli.dispatch import commands
from solvers.cli.main import main
from solvers.runtime.progress import ProgressLine


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Return status, standard output and standard error, without progress: no clock matters."""
    texts = [str(argument) for argument in arguments]
    quiet = ["--quiet"] if texts and texts[0] in commands() else []
    capsys.readouterr()
    status = main(texts + quiet)
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def run_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """Return the document that a command prints with --json."""
    status, out, err = run(capsys, *arguments, "--json")
    assert (status, err) == (0, "")
    document: dict[str, Any] = json.loads(out)
    return document


def refused(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    """Assert that a command line is refused in one line with a message, and status 2."""
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert err.startswith("sae-theory: error: ")
    assert err.count("\n") == 1


def interrupt_when(monkeypatch: pytest.MonkeyPatch, done: int) -> None:
    """Let Ctrl-C arrive when so many parts of a run are reported as finished."""

    def report(line: ProgressLine, finished: int, total: int) -> None:
        if finished == done:
            raise KeyboardInterrupt

    monkeypatch.setattr(ProgressLine, "__call__", report)
