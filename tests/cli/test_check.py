"""The command check."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from solvers.cli.main import main
from tests.cli.running import interrupt_when, refused, run, run_json

DATA = Path(__file__).parents[1] / "data"
SAELENS = str(DATA / "trained/saelens/saelens_standard_D1_d4_l10.1_s3")

ABSORBED = str(DATA / "trained/saelens/saelens_standard_D1_d4_l10.1_s0")
POST = str(DATA / "trained/anders2024/post_a_d4_l10.1_lr0.001_b0.9_raw_n16M")


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    document = run_json(capsys, "check", "shared", ABSORBED)
    keys = {"loss", "optimum", "polished", "lower_bound", "gaps", "atoms", "closest_code"}
    assert keys <= document.keys()
    assert document["objective"]["l1"] == 0.1
    assert document["objective"]["sparsity"] == "decoder-norm"
    now, polished, best = (document[key]["total"] for key in ("loss", "polished", "optimum"))
    assert document["gaps"]["training"] == pytest.approx(now - polished, abs=1e-12)
    assert document["gaps"]["basin"] == pytest.approx(polished - best, abs=1e-12)
    assert document["verdict"] == "basin"
    assert len(document["atoms"]) == len(document["co_firing"]) == 4


def test_text_says_what_was_found(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "check", "shared", ABSORBED, "--sampled", 20_000)
    assert (status, err) == (0, "")
    text = " ".join(out.split())
    for phrase in (
        "verdict converged, in another basin than the optimum's",
        "the best known attains it, so it is the optimum",
        "has absorbed the data around (0.5, -0.5)",
        "from 20000 samples, seed 0",
        "note: SAELens, standard: the encoder subtracts b_dec",
    ):
        assert phrase in text


def test_several_and_the_instances_of_a_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    status, out, _ = run(
        capsys, "check", "shared", ABSORBED, POST, "--l1", 0.1, "--starts", 4, "--report", page
    )
    assert status == 0
    rows = [line for line in out.splitlines() if line.split()[0].isdigit()]
    assert len(rows) == 1 + 5
    assert "6 SAEs on shared" in page.read_text()
    document = run_json(capsys, "check", "shared", SAELENS, ABSORBED, "--starts", 2)
    assert [check["verdict"] for check in document["checks"]] == ["optimum", "basin"]
    weights = next(Path(POST).glob("weights_*.pt"))
    one = run_json(capsys, "check", "shared", weights, "--instance", 2, "--l1", 0.1, "--starts", 2)
    loss = run_json(capsys, "loss", "shared", weights, "--instance", 2, "--l1", 0.1)
    assert loss["total"] == one["loss"]["total"]


def test_it_writes_one_page_with_nothing_from_outside(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    texts = []
    for _ in range(2):
        assert run(capsys, "check", "shared", ABSORBED, "--starts", 2, "--report", page)[0] == 0
        texts.append(page.read_text(encoding="utf-8"))
    assert texts[0] == texts[1], "the same bytes every time"
    text = texts[0]
    assert "sae-theory check shared" in text
    assert "<script" not in text
    for namespace in ("http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"):
        text = text.replace(f'"{namespace}"', "")
    assert not [start for start in ("http:", "https:", "@import", "url(") if start in text.replace(
        "url(#", "")]  # fmt: skip


BAD = [
    (["{w}"], "l1: expected λ, which this file does not hold"),
    (["{dir}"], "or .pt); found none"),
    (["{dir}/none.npz"], "none.npz: no such file"),
    (
        ["{w}", "--l1", "0.1", "--report", "{dir}/page.pdf"],
        "page.pdf: expected a file ending in .html or .htm",
    ),
    (["{w}", "--l1", "0.1", "--report", "{dir}/no/page.html"], "page.html: cannot be written"),
    (["{w}", "--l1", "0.1", "--starts", "0"], "--starts: expected a whole number from 1 to"),
    (["{w}", "--l1", "0.1", "--sampled", "-1"], "--sampled: expected a whole number from 0 to"),
    (["{w}", "--l1", "0.1", "--seed", "-1"], "--seed: expected a whole number from 0 to"),
    (["{w}", "--l1", "-1"], "weights.npz: --l1: expected a finite number ≥ 0"),
    (["{w}", "--l1", "0.1", "--instance", "3"], "a whole number from 0 to 0, got 3"),
    (["{w}", "--l1", "0.1", "--weight-decay", "x"], "argument --weight-decay: invalid float"),
    (
        ["{w}", "--l1", "0.1", "--sparsity", "l2"],
        "weights.npz: --sparsity: expected one of l1, decoder-norm",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda value: str(value)[:40])
def test_bad_input(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    weights: Path,
    arguments: list[str],
    message: str,
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    filled = [argument.format(dir=folder, w=weights) for argument in arguments]
    refused(capsys, ["check", "shared", *filled], message)
    assert list(folder.iterdir()) == []


def test_a_file_that_is_too_large(
    capsys: pytest.CaptureFixture[str], weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("solvers.autoencoders.checkpoints.weight_files.LARGEST_WEIGHTS", 100)
    refused(capsys, ["check", "shared", str(weights), "--l1", "0.1"], "expected at most 100 bytes")


def test_another_dimension_says_which_law_to_pass(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path
) -> None:
    law = tmp_path / "law.json"
    law.write_text('{"sets": [1, 2]}')
    status, _, err = run(capsys, "check", law, weights, "--l1", 0.1)
    assert status == 2
    assert "expected d_in = 3, the dimension of the law" in err
    assert "pass the law that this SAE was trained on" in err


def test_names_that_are_no_text_or_no_mathematics(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path
) -> None:
    law = tmp_path / "a$\\frac$ & <b>.json"
    law.write_text('{"sets": [2, 2]}')
    odd = tmp_path / os.fsdecode(b"w\xff.npz")
    odd.write_bytes(weights.read_bytes())
    page = tmp_path / "page.html"
    status, _, err = run(capsys, "check", law, odd, "--l1", 0.1, "--starts", 1, "--report", page)
    assert (status, err) == (0, "")
    text = page.read_text(encoding="utf-8")
    assert "&lt;b&gt;" in text
    assert "<b>.json" not in text


def test_one_sample_has_no_standard_error(
    capsys: pytest.CaptureFixture[str], weights: Path
) -> None:
    arguments = ("check", "shared", weights, "--l1", 0.1, "--starts", 1, "--sampled")
    assert run_json(capsys, *arguments, 1)["sampled"]["standard_error"] is None
    assert run_json(capsys, *arguments, "1e3")["sampled"]["samples"] == 1000
    status, _, err = run(capsys, *arguments, "1.5")
    assert (status, err.count("\n")) == (2, 1)


def test_weights_that_overflow_are_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "params.npz"
    np.savez(path, W_enc=np.full((2, 1), 1e200), b_enc=[0.0], W_dec=np.full((1, 2), 1e200),
             b_dec=[0.0, 0.0], threshold=[0.0])  # fmt: skip
    status, out, err = run(capsys, "check", "shared", path, "--l1", 0.1)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "does not overflow a double" in err


def test_an_interrupt_keeps_the_checks_that_were_finished(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    weights: Path,
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.npz").write_bytes(weights.read_bytes())
    arguments = ["check", "shared", str(folder), "--l1", "0.1", "--starts", "1"]
    interrupt_when(monkeypatch, done=2)
    assert main([*arguments, "--json"]) == 130
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert document["interrupted"]
    assert [Path(row["weights"]).name for row in document["checks"]] == ["0.npz", "1.npz"]
    assert "interrupted: 2 of 3 SAEs were checked" in printed.err


def test_the_number_of_workers_changes_nothing(
    capsys: pytest.CaptureFixture[str], weights: Path
) -> None:
    arguments = ("check", "shared", weights, "--l1", 0.1, "--starts", 3)
    assert run(capsys, *arguments, "--workers", 2) == run(capsys, *arguments, "--workers", 1)
