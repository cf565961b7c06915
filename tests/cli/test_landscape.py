"""The command landscape."""

import json
from pathlib import Path

import pytest

from solvers.cli.main import main
from tests.cli.running import interrupt_when, refused, run

SMALL = ("landscape", "shared", "--latents", 4, "--l1", 0.1, "--starts", 8, "--workers", 1)


def test_landscape(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plot = tmp_path / "points.png"
    status, out, err = run(capsys, *SMALL, "--plot", plot)
    assert (status, err) == (0, "")
    assert "0.0682401409" in out
    assert plot.read_bytes().startswith(b"\x89PNG")
    status, out, _ = run(capsys, *SMALL, "--plot", plot, "--json")
    document = json.loads(out)
    assert document["points"][0]["kind"] == "minimum"
    assert {"share", "share_error", "eigenvalues", "decoder", "b_dec", "total", "firing"} <= set(
        document["points"][0]
    )


def test_an_interrupt_prints_the_points_so_far(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupt_when(monkeypatch, done=3)
    assert main([*map(str, SMALL), "--json"]) == 130
    printed = capsys.readouterr()
    assert json.loads(printed.out)["interrupted"]
    assert "interrupted: 3 of 8 starts were finished" in printed.err


TWO = ["shared", "--latents", "2", "--l1", "1"]
BAD = [
    (["two-features", *TWO[1:]], "both: expected this probabil"),
    (["shared", "--l1", "0.1"], "required: --latents"),
    (["shared", "--latents", "2", "--l1", "x"], "invalid float value"),
    (["shared", "--latents", "0", "--l1", "1"], "--latents: expected a whole number"),
    ([*TWO, "--starts", "0"], "--starts: expected"),
    ([*TWO, "--workers", "0"], "--workers: expec"),
    ([*TWO, "--dynamics", "x"], "--dynamics: exp"),
    ([*TWO, "--dynamics", "flaw"], "did you mean 'flow'?"),
    (
        [*TWO, "--initialisation", "x"],
        "--initialisation: expected one of uniform, tied, kaiming, saelens, got 'x'",
    ),
    ([*TWO, "--plot", "x.txt"], "x.txt: expected"),
    (
        [*TWO, "--decoder", "free"],
        "--decoder: expected 'unit', sparsity 'decoder-norm' or weight_decay > 0",
    ),
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
    refused(capsys, ["landscape", *arguments], message)
    assert not list(tmp_path.iterdir())
