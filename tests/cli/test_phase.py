"""The command phase."""

import json
from pathlib import Path

import pytest

from solvers.cli.main import main
from tests.cli.running import interrupt_when, refused, run

SMALL = [
    "phase", "shared", "--x", "l1=0.1:0.2:2", "--y", "onehot_probability=0.5:0.7:2",
    "--latents", "4", "--starts", "1", "--workers", "1",
]  # fmt: skip


@pytest.mark.slow
def test_phase(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    table, plot = tmp_path / "phase.json", tmp_path / "phase.svg"
    status, out, err = run(capsys, *SMALL, "--out", table, "--plot", plot, "--json")
    assert (status, err) == (0, "")
    assert json.loads(out) == json.loads(table.read_text(encoding="utf-8"))
    assert {point["phase"] for point in json.loads(out)["points"]} == {"axis-aligned", "diagonal"}
    assert plot.read_text(encoding="utf-8").startswith("<svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["phase.json", "phase.svg"]


def test_an_interrupted_phase_says_how_to_go_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_when(monkeypatch, done=1)
    table = tmp_path / "phase.csv"
    assert main([*SMALL, "--out", str(table)]) == 130
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"what was finished is in {table}.partial" in printed.err
    assert [path.name for path in tmp_path.iterdir()] == ["phase.csv.partial"]


OUT = ["--out", "x.csv"]
BAD = [
    ([*SMALL, *OUT, "--l1", "1"], "--l1: expected either a number or l1 as an axis"),
    ([*SMALL, "--out", "x.txt"], "x.txt: expected a file ending in .csv or .json"),
    ([*SMALL, "--out", "no/folder.csv"], "no/folder.csv: cannot be written: no folder no"),
    ([*SMALL, *OUT, "--workers", "-1"], "--workers: expected a whole number"),
    ([*SMALL[:3], "l1", *SMALL[4:], *OUT], "--x: expected NAME=LOW:HIGH:COUNT"),
    ([*SMALL[:3], "l1=1:0:2", *SMALL[4:], *OUT], "--x: l1: expected LOW below HIGH"),
    ([*SMALL[:5], "l1=0:1:2", *SMALL[6:], *OUT], "--y: expected another axis than --x, got 'l1'"),
    ([*SMALL[:5], "beta=0:1:2", *SMALL[6:], *OUT], "--y: expected one of onehot"),
    ([*SMALL[:6], *OUT], "--latents: expected either a number or latents as an axis"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda value: str(value)[-40:])
def test_bad_input(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(capsys, arguments, message)
    assert not list(tmp_path.iterdir())
