"""The commands landscape, phase and optimum --certify, as they are typed."""

import json
from pathlib import Path
from typing import Any

import pytest

from solvers.bounds.b_dec_search import EveryBDec
from solvers.cli import landscape_commands
from solvers.cli.main import main
from solvers.studies.phase import phase_diagram

SMALL = [
    "phase", "shared", "--x", "l1=0.1:0.2:2", "--y", "onehot_probability=0.5:0.7:2",
    "--latents", "4", "--starts", "1", "--workers", "1",
]  # fmt: skip


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main(arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_landscape(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    plot = tmp_path / "points.png"
    arguments = ("landscape", "shared", "--latents", "4", "--l1", "0.1", "--starts", "8",
                 "--workers", "1", "--plot", str(plot))  # fmt: skip
    status, out, err = run(capsys, *arguments)
    assert (status, err) == (0, "")
    assert "0.0682401409" in out
    assert plot.read_bytes().startswith(b"\x89PNG")
    status, out, _ = run(capsys, *arguments, "--json")
    document = json.loads(out)
    assert document["points"][0]["kind"] == "minimum"
    assert {"share", "share_error", "eigenvalues", "decoder", "b_dec", "total", "firing"} <= set(
        document["points"][0]
    )


def test_phase(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    table, plot = tmp_path / "phase.json", tmp_path / "phase.svg"
    status, out, err = run(capsys, *SMALL, "--out", str(table), "--plot", str(plot))
    assert (status, err) == (0, "")
    assert "diagonal" in out
    assert plot.read_text(encoding="utf-8").startswith("<svg")
    status, out, _ = run(capsys, *SMALL, "--out", str(table), "--json")
    assert json.loads(out) == json.loads(table.read_text(encoding="utf-8"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["phase.json", "phase.svg"]


def test_an_interrupted_phase_says_how_to_go_on(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: Any, **settings: Any) -> None:
        def stop(*_: int) -> None:
            raise KeyboardInterrupt

        phase_diagram(*arguments, **{**settings, "progress": stop})

    monkeypatch.setattr(landscape_commands, "phase_diagram", interrupted)
    table = tmp_path / "phase.csv"
    status, out, err = run(capsys, *SMALL, "--out", str(table))
    assert (status, out) == (130, "")
    assert f"what was finished is in {table}.partial" in err
    assert [path.name for path in tmp_path.iterdir()] == ["phase.csv.partial"]


def test_certificate(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("optimum", "independent", "--latents", "4", "--l1", "0.1", "--starts", "4",
                 "--certify")  # fmt: skip
    status, out, _ = run(capsys, *arguments, "--json")
    certificate = json.loads(out)["certificate"]
    assert status == 0
    assert certificate["relative_gap"] <= 1e-3
    assert certificate["lower_bound"] <= certificate["optimum"]
    # The axis-aligned dictionary's loss is claimed to be the least.
    status, out, _ = run(capsys, *arguments, "--claimed", "0.0950833333")
    assert status == 1
    assert "REFUTED" in out
    assert run(capsys, *arguments, "--claimed", "0.0893977137")[0] == 0


def test_an_interrupted_certificate(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(EveryBDec, "run", stop)
    arguments = ("optimum", "independent", "--latents", "4", "--l1", "0.1", "--starts", "2",
                 "--certify", "--any-b-dec")  # fmt: skip
    status, out, _ = run(capsys, *arguments)
    assert status == 130
    assert "proven for every b_dec, the radial bound" in out
    assert "NOT COMPLETE" in out


def test_a_law_of_nothing_has_a_certificate(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    law = tmp_path / "nothing.json"
    law.write_text('{"sets": [1, 1], "probabilities": [[0, 0], [0, 1]]}')
    status, out, _ = run(capsys, "optimum", str(law), "--latents", "2", "--l1", "0.1",
                         "--starts", "1", "--certify")  # fmt: skip
    assert status == 0
    assert "certificate" in out


BAD = [
    (
        ["optimum", "shared", "--latents", "2", "--l1", "1", "--gap", "0.1"],
        "--gap: expected besid",
    ),
    (
        ["optimum", "shared", "--latents", "65", "--l1", "1", "--certify"],
        "--certify: --latents: expected a whole number from 1 to 64, got 65",
    ),
    ([*SMALL, "--out", "x.csv", "--l1", "1"], "--l1: expected either a number or l1 as an axis"),
    (["landscape", "two-features", "--latents", "2", "--l1", "1"], "both: expected this probabil"),
    (["landscape", "shared", "--l1", "0.1"], "required: --latents"),
    (["landscape", "shared", "--latents", "2", "--l1", "x"], "invalid float value"),
    (["landscape", "shared", "--latents", "0", "--l1", "1"], "--latents: expected a whole number"),
    (
        ["landscape", "shared", "--latents", "2", "--l1", "1", "--starts", "0"],
        "--starts: expected",
    ),
    (["landscape", "shared", "--latents", "2", "--l1", "1", "--workers", "0"], "--workers: expec"),
    (["landscape", "shared", "--latents", "2", "--l1", "1", "--dynamics", "x"], "--dynamics: exp"),
    (
        ["landscape", "shared", "--latents", "2", "--l1", "1", "--initialisation", "x"],
        "--initialisation: expected one of uniform, tied, kaiming, saelens, got 'x'",
    ),
    (["landscape", "shared", "--latents", "2", "--l1", "1", "--plot", "x.txt"], "x.txt: expected"),
    (
        ["landscape", "shared", "--latents", "2", "--l1", "1", "--decoder", "free"],
        "--decoder: expected 'unit', sparsity 'decoder-norm' or weight_decay > 0",
    ),
    ([*SMALL, "--out", "x.txt"], "x.txt: expected a file ending in .csv or .json"),
    ([*SMALL, "--out", "no/folder.csv"], "no/folder.csv: cannot be written: no folder no"),
    ([*SMALL, "--out", "x.csv", "--workers", "-1"], "workers: expected a whole number from 1"),
    ([*SMALL[:3], "l1", *SMALL[4:], "--out", "x.csv"], "--x: expected NAME=LOW:HIGH:COUNT"),
    ([*SMALL[:5], "beta=0:1:2", *SMALL[6:], "--out", "x.csv"], "axis: expected one of onehot"),
    ([*SMALL[:6], "--out", "x.csv"], "--latents: expected either a number or latents as an axis"),
    (
        ["optimum", "shared", "--latents", "2", "--l1", "1", "--any-b-dec"],
        "expected beside --cert",
    ),
    (
        ["optimum", "shared", "--latents", "2", "--l1", "1", "--certify", "--gap", "nan"],
        "--certify: --gap: expected a number between 0 and 1, got nan",
    ),
    (
        ["optimum", "shared", "--latents", "2", "--l1", "0", "--certify"],
        "--certify: --l1:",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda value: str(value)[-40:])
def test_bad_input_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert message in err
    assert err.startswith("sae-theory: error: ")
    assert err.count("\n") == 1
    assert not list(tmp_path.iterdir())
