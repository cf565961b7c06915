"""The command optimum, with and without a certificate."""

import json
from pathlib import Path
from typing import Any

import pytest

from solvers import Objective, expected_loss, load_checkpoint
from solvers.bounds.b_dec_search import EveryBDec
from solvers.optima import best_known
from tests.cli.running import interrupt_when, refused, run, run_json
from theory import load_law

PLAIN = ("optimum", "shared", "--latents", 4, "--l1", 0.1, "--starts", 8)
CERTIFIED = ("optimum", "independent", "--latents", 4, "--l1", 0.1, "--starts", 4, "--certify",
             "--gap", 0.04)  # fmt: skip


def test_json_saves_and_plots(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    saved, plot = tmp_path / "best.npz", tmp_path / "best.png"
    document = run_json(capsys, *PLAIN, "--seed", 3, "--save", saved, "--plot", plot)
    assert {"total", "decoder", "lower_bound", "starts", "firing", "l0"} <= set(document)
    assert len(document["starts"]) == 8
    assert set(document["starts"][0]) == {"total", "converged"}
    assert min(start["total"] for start in document["starts"]) == pytest.approx(
        document["total"], abs=1e-12
    )
    sae = load_checkpoint(saved)
    assert sae.W_dec.tolist() == document["decoder"]
    again = expected_loss(load_law("shared"), sae, Objective(l1=0.1)).total
    assert again == pytest.approx(document["total"], rel=1e-15)
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best.npz", "best.png"]


def test_text_shows_angles(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, *PLAIN)
    assert status == 0
    for angle in ("at 45.0000°", "at 135.0000°", "at -45.0000°", "at -135.0000°"):
        assert angle in out


@pytest.mark.slow
def test_the_number_of_workers_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("optimum", "shared", "--latents", 2, "--l1", 0.1, "--starts", 3)
    assert run(capsys, *arguments, "--workers", 2) == run(capsys, *arguments, "--workers", 1)


def test_it_says_when_it_has_not_converged(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = best_known.minimize_loss
    monkeypatch.setattr(
        best_known, "minimize_loss", lambda *a, **k: original(*a, **{**k, "max_iterations": 1})
    )
    monkeypatch.setattr(best_known, "code_saes", lambda *_: iter(()))
    _, out, _ = run(capsys, "optimum", "shared", "--latents", 4, "--l1", 0.1, "--starts", 2)
    assert "the best start has not converged" in out


def test_an_interrupt_prints_the_best_so_far(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from solvers.cli.main import main  # noqa: PLC0415

    interrupt_when(monkeypatch, done=5)
    assert main([*map(str, PLAIN), "--json"]) == 130
    document = json.loads(capsys.readouterr().out)
    assert document["interrupted"]
    assert len(document["starts"]) == 3


def test_certificate(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, *CERTIFIED, "--claimed", "0.0893977137", "--json")
    certificate = json.loads(out)["certificate"]
    assert status == 0
    assert certificate["relative_gap"] <= 0.04
    assert certificate["lower_bound"] <= certificate["optimum"]
    # The axis-aligned dictionary's loss is claimed to be the least.
    status, out, _ = run(capsys, *CERTIFIED, "--claimed", "0.0950833333")
    assert status == 1
    assert "REFUTED" in out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "least", "by"),
    [
        (["jumprelu", "--sparsity", "l0", "--l0", "0.1"], 0.08509288015, "the l0 bound"),
        (["topk", "--k", "1"], 0.0, "0, below which no loss is,"),
    ],
    ids=["l0", "topk"],
)
def test_a_certificate_where_latents_are_counted(
    capsys: pytest.CaptureFixture[str], architecture: list[str], least: float, by: str
) -> None:
    arguments = ("optimum", "shared", "--latents", 4, "--starts", 1, "--certify",
                 "--architecture", *architecture)  # fmt: skip
    status, out, _ = run(capsys, *arguments)
    assert status == 0
    assert f"{by} is attained: no width and no encoder does better" in out
    _, out, _ = run(capsys, *arguments, "--json")
    document = json.loads(out)
    assert document["total"] == pytest.approx(least, abs=1e-9)
    assert document["certificate"]["lower_bound"] == pytest.approx(least, abs=1e-9)
    assert document["certificate"]["attained_radial"]


@pytest.mark.slow
def test_an_interrupted_certificate(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(EveryBDec, "run", stop)
    status, out, _ = run(capsys, *CERTIFIED, "--any-b-dec")
    assert status == 130
    assert "proven for every b_dec, the radial bound" in out
    assert "NOT COMPLETE" in out


def test_a_law_of_nothing_has_a_certificate(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    law = tmp_path / "nothing.json"
    law.write_text('{"sets": [1, 1], "probabilities": [[0, 0], [0, 1]]}')
    status, out, _ = run(capsys, "optimum", law, "--latents", 2, "--l1", 0.1,
                         "--starts", 1, "--certify")  # fmt: skip
    assert status == 0
    assert "certificate" in out


TWO = ["--l1", "1", "--latents", "2"]
L0 = ["--sparsity", "l0", "--l0", "0.1", "--latents", "2", "--architecture", "jumprelu",
      "--starts", "1"]  # fmt: skip
BAD = [
    (["--l1", "0.1"], "required: --latents"),
    (["--l1", "0.1", "--latents", "0"], "--latents: expected a whole number from 1"),
    (["--l1", "0.1", "--latents", "2.5"], "--latents: expected a whole number, got '2.5'"),
    (["--l1", "-1", "--latents", "2"], "--l1: expected a finite number"),
    ([*TWO, "--starts", "0"], "--starts: expected a whole number from 1 to 1000000000, got 0"),
    ([*TWO, "--seed", "-1"], "--seed: expected a whole number from 0 to 1000000000, got -1"),
    ([*TWO, "--workers", "0"], "--workers: expected a whole number"),
    ([*TWO, "--decoder", "free"], "the loss has no minimum"),
    ([*TWO, "--save", "{dir}/best.pt"], "best.pt: expected a file ending in .npz"),
    ([*TWO, "--save", "{dir}/no/best.npz"], "cannot be written: no folder"),
    ([*TWO, "--save", "{dir}/" + 300 * "a" + ".npz"], "cannot be written: File name too long"),
    ([*TWO, "--plot", "{dir}/best.bmp"], "best.bmp: expected a figure ending in .png, .svg, .pdf"),
    (["--l1", "1", "--latents", "9999999999"], "--latents: expected a whole"),
    (["--l1", "1", "--latents", "100000"], "--latents: expected a whole number from 1 to 5000"),
    ([*TWO, "--gap", "0.1"], "--gap: expected beside --certify only"),
    ([*TWO, "--any-b-dec"], "--any-b-dec: expected beside --certify only"),
    ([*TWO, "--claimed", "0"], "--claimed: expected beside --certify only"),
    (
        ["--latents", "2", "--architecture", "topk", "--k", "2", "--certify"],
        "--certify: --k: expected 1 of TopK, or a penalty, for a certificate, got 2",
    ),
    (
        [*L0, "--certify", "--any-b-dec"],
        "--certify: --any-b-dec: expected False where latents are counted",
    ),
    ([*TWO, "--certify", "--gap", "nan"], "--certify: --gap: expected a number between 0 and 1"),
    (["--latents", "2", "--l1", "0", "--certify"], "--certify: --l1: expected"),
    (
        ["--latents", "65", "--l1", "1", "--certify"],
        "--certify: --latents: expected a whole number from 1 to 64, got 65",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda value: str(value)[-40:])
def test_bad_input(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], message: str
) -> None:
    filled = [argument.format(dir=tmp_path) for argument in arguments]
    refused(capsys, ["optimum", "shared", *filled], message)
    assert not list(tmp_path.iterdir())
