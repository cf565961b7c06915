"""The commands as a user types them: output, exit status, and one line for wrong input."""

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from solvers import Objective, Sae, expected_loss, load_checkpoint
from solvers.cli.main import main
from theory import load_law

DATA = Path(__file__).parents[1] / "data"
SAELENS = str(DATA / "trained/saelens/saelens_standard_D1_d4_l10.1_s3")
GATED = str(DATA / "trained/saelens/saelens_gated_D2_d8_l10.1_s1")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "weights.npz"
    frame = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    Sae(frame.T, np.zeros(4), frame, np.zeros(2)).save(path)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def run_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    status, out, err = run(capsys, *arguments, "--json")
    assert (status, err) == (0, "")
    document: dict[str, Any] = json.loads(out)
    return document


def test_loss_json(capsys: pytest.CaptureFixture[str], weights: Path) -> None:
    document = run_json(capsys, "loss", "shared", weights, "--l1", "0.1", "--weight-decay", "0.25")
    assert list(document) == [
        "total", "reconstruction", "sparsity", "weight_decay", "l1", "l0", "firing",
    ]  # fmt: skip
    assert document["l1"] == pytest.approx(1, rel=1e-14)
    assert document["sparsity"] == pytest.approx(0.1, rel=1e-14)
    assert document["weight_decay"] == 0.25 * 8
    assert document["firing"] == [0.5] * 4
    assert document["total"] == pytest.approx(2.1, rel=1e-14)


def test_loss_of_a_trained_sae_in_its_own_convention(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("loss", "shared", SAELENS, "--l1", 0.1, "--sparsity", "decoder-norm")
    document = run_json(capsys, *arguments)
    manifest = json.loads((DATA / "trained/manifest.json").read_text())
    sampled = manifest[0]["sampled"]["total"]
    assert abs(document["total"] - sampled["mean"]) < 4 * sampled["standard_error"]
    status, out, _ = run(capsys, *arguments)
    assert status == 0
    assert f"{document['total']:.15g}" in out
    assert "the encoder subtracts b_dec; folded into b_enc" in out


def test_optimum_json_saves_and_plots(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    saved, plot = tmp_path / "best.npz", tmp_path / "best.png"
    document = run_json(
        capsys, "optimum", "shared", "--latents", 4, "--l1", 0.1, "--starts", 8, "--seed", 3,
        "--save", saved, "--plot", plot,
    )  # fmt: skip
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


def test_optimum_text_shows_angles(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "optimum", "shared", "--latents", 4, "--l1", 0.1, "--starts", 8)
    assert status == 0
    for angle in ("at 45.0000°", "at 135.0000°", "at -45.0000°", "at -135.0000°"):
        assert angle in out


def test_optimum_says_when_it_has_not_converged(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from solvers.cli import commands  # noqa: PLC0415

    original = commands.minimize_loss
    monkeypatch.setattr(
        commands, "minimize_loss", lambda *a, **k: original(*a, **{**k, "max_iterations": 1})
    )
    _, out, _ = run(capsys, "optimum", "shared", "--latents", 4, "--l1", 0.1, "--starts", 2)
    assert "the best start has not converged" in out


def test_a_law_file_is_a_law(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path
) -> None:
    law = tmp_path / "law.json"
    law.write_text('{"sets": [2, 2], "magnitude_correlation": 1.0}')
    from_file = run_json(capsys, "loss", law, weights, "--l1", 0.1)
    assert from_file == run_json(capsys, "loss", "shared", weights, "--l1", 0.1)


BAD = [
    (["loss", "sharde", "{w}", "--l1", "0.1"], "law: expected a preset, one of shared"),
    (
        ["loss", "shared:amp=1", "{w}", "--l1", "0.1"],
        "setting: expected one of onehot",
    ),
    (["loss", "{dir}/bad.json", "{w}", "--l1", "0.1"], "bad.json: key: expected one of sets"),
    (["loss", "shared", "{dir}/none.npz", "--l1", "0.1"], "none.npz: no such file"),
    (["loss", "shared", "{dir}/cut.npz", "--l1", "0.1"], "cut.npz: expected an .npz file"),
    (["loss", "shared", GATED, "--l1", "0.1", "--reconstruction", "relative"], "for a Gated SAE"),
    (["loss", "shared", "{w}"], "the following arguments are required: --l1"),
    (["loss", "shared", "{w}", "--l1", "-0.1"], "--l1: expected a finite number ≥ 0, got -0.1"),
    (["loss", "shared", "{w}", "--l1", "nan"], "--l1: expected a finite number ≥ 0, got nan"),
    (["loss", "shared", "{w}", "--l1", "x"], "argument --l1: invalid float value: 'x'"),
    (["loss", "shared", "{w}", "--l1", "1", "--weight-decay", "-1"], "--weight-decay: expected"),
    (["loss", "shared", "{w}", "--l1", "1", "--sparsity", "l2"], "--sparsity: expected one of l1"),
    (["loss", "shared", "{w}", "--l1", "1", "--reconstruction", "x"], "--reconstruction: exp"),
    (["loss", "shared", "{w}", "--l1", "1", "--decoder", "x"], "--decoder: expected one of unit"),
    (["loss", "{dir}/d3.json", "{w}", "--l1", "1"], "W_enc: expected d_in = 3, the dimension"),
    (["optimum", "shared", "--l1", "0.1"], "required: --latents"),
    (
        ["optimum", "shared", "--l1", "0.1", "--latents", "0"],
        "--latents: expected a whole number from 1",
    ),
    (["optimum", "shared", "--l1", "0.1", "--latents", "2.5"], "argument --latents: invalid int"),
    (["optimum", "shared", "--l1", "-1", "--latents", "2"], "--l1: expected a finite number"),
    (
        ["optimum", "shared", "--l1", "1", "--latents", "2", "--starts", "0"],
        "--starts: expected a whole number from 1 to 1000000000, got 0",
    ),
    (
        ["optimum", "shared", "--l1", "1", "--latents", "2", "--seed", "-1"],
        "--seed: expected a whole number from 0 to 1000000000, got -1",
    ),
    (
        ["optimum", "shared", "--l1", "1", "--latents", "2", "--decoder", "free"],
        "the loss has no minimum",
    ),
    (
        ["optimum", "shared", "--l1", "1", "--latents", "2", "--save", "{dir}/best.pt"],
        "best.pt: expected a file ending in .npz",
    ),
    (
        ["optimum", "shared", "--l1", "1", "--latents", "2", "--save", "{dir}/no/best.npz"],
        "cannot be written: no folder",
    ),
    (
        ["optimum", "shared", "--l1", "1", "--latents", "2", "--plot", "{dir}/best.bmp"],
        "best.bmp: expected a figure ending in .png, .svg, .pdf",
    ),
    (
        ["loss", "shared", "", "--l1", "1"],
        "WEIGHTS: expected a file or folder; this",
    ),
    (["loss", "shared", "/dev/null", "--l1", "1"], "/dev/null: expected a file or a folder"),
    (["optimum", "shared", "--l1", "1", "--latents", "9999999999"], "--latents: expected a whole"),
    (
        ["optimum", "shared", "--l1", "1", "--latents", "100000"],
        "--latents: expected a whole number from 1 to 5000",
    ),
    (
        [
            "optimum",
            "shared",
            "--l1",
            "1",
            "--latents",
            "2",
            "--save",
            "{dir}/" + 300 * "a" + ".npz",
        ],
        "cannot be written: File name too long",
    ),
    (["loss", "shared", "{w}", "--js", "--l1", "1"], "unrecognized arguments: --js"),
    (["verify", "no-such-claim"], "claim: expected one of two-dimensional"),
    (["veryfy"], "invalid choice: 'veryfy'"),
    ([], "required: COMMAND"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda value: str(value)[:40])
def test_bad_input_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    weights: Path,
    arguments: list[str],
    message: str,
) -> None:
    (tmp_path / "bad.json").write_text('{"sets": [2, 2], "set": 1}')
    (tmp_path / "d3.json").write_text('{"sets": [1, 2]}')
    (tmp_path / "cut.npz").write_bytes(weights.read_bytes()[:100])
    before = sorted(path.name for path in tmp_path.iterdir())
    filled = [argument.format(dir=tmp_path, w=weights) for argument in arguments]
    status, out, err = run(capsys, *filled)
    assert (status, out) == (2, "")
    assert message in err
    assert err.startswith("sae-theory: error: ")
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("arguments", [["--help"], ["loss", "--help"], ["optimum", "--help"]])
def test_help(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 0
    assert "usage: sae-theory" in capsys.readouterr().out


def test_the_installed_command(weights: Path) -> None:
    command = Path(sys.executable).with_name("sae-theory")
    done = subprocess.run(
        [command, "loss", "shared", weights, "--l1", "0.1", "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["total"] == pytest.approx(0.1, rel=1e-14)
    assert done.stderr == ""


def test_a_terminal_without_greek_letters_shows_something(weights: Path) -> None:
    command = Path(sys.executable).with_name("sae-theory")
    done = subprocess.run(
        [command, "loss", "shared", weights, "--l1", "0.1"],
        capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert b"total" in done.stdout
    assert done.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line(weights: Path) -> None:
    command = Path(sys.executable).with_name("sae-theory")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [command, "loss", "shared", weights, "--l1", "0.1"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "No space left" in done.stderr


def test_an_infinite_loss_is_null_with_its_reason(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "off.npz"
    Sae([[1.0], [0.0]], [0.5], [[1.0, 0.0]], [0.0, 0.0]).save(path)
    arguments = ("loss", "shared", path, "--l1", 0.1, "--reconstruction", "relative")
    document = run_json(capsys, *arguments)
    assert document["total"] is None
    assert document["reconstruction"] is None
    assert "x̂(0) = [0.5, 0.0] is not 0" in document["infinite"]
    _, out, _ = run(capsys, *arguments)
    assert "infinite: the law reaches x = 0" in out


def test_a_reader_that_stops_early_causes_no_traceback(weights: Path) -> None:
    command = Path(sys.executable).with_name("sae-theory")
    line = f'"{command}" loss shared "{weights}" --l1 0.1 | true'
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interrupt_prints_the_best_so_far_and_ends_with_130() -> None:
    import signal  # noqa: PLC0415

    command = Path(sys.executable).with_name("sae-theory")
    process = subprocess.Popen(
        [command, "optimum", "independent", "--latents", "12", "--l1", "0.1",
         "--starts", "10000", "--json"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    assert "starts:" in process.stderr.readline()  # progress, so some starts are done
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    document = json.loads(out)
    assert process.returncode == 130
    assert document["interrupted"]
    assert 0 < len(document["starts"]) < 10000


ABSORBED = str(DATA / "trained/saelens/saelens_standard_D1_d4_l10.1_s0")
POST = str(DATA / "trained/anders2024/post_a_d4_l10.1_lr0.001_b0.9_raw_n16M")


def test_check_json(capsys: pytest.CaptureFixture[str]) -> None:
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


def test_check_text_says_what_was_found(capsys: pytest.CaptureFixture[str]) -> None:
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


def test_check_several_and_the_instances_of_a_file(
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
    one = run_json(capsys, "check", "shared", weights, "--instance", 2, "--l1", 0.1)
    loss = run_json(capsys, "loss", "shared", weights, "--instance", 2, "--l1", 0.1)
    assert loss["total"] == one["loss"]["total"]


def test_check_writes_one_page_with_nothing_from_outside(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    texts = []
    for _ in range(2):
        assert run(capsys, "check", "shared", ABSORBED, "--report", page)[0] == 0
        texts.append(page.read_text(encoding="utf-8"))
    assert texts[0] == texts[1], "the same bytes every time"
    text = texts[0]
    assert "sae-theory check shared" in text
    assert "<script" not in text
    for namespace in ("http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"):
        text = text.replace(f'"{namespace}"', "")
    assert not [start for start in ("http:", "https:", "@import", "url(") if start in text.replace(
        "url(#", "")]  # fmt: skip


BAD_CHECKS = [
    (["{w}"], "--l1: expected λ, which this file does not hold"),
    (["{dir}"], "or .pt); found none"),
    (["{dir}/none.npz"], "none.npz: no such file"),
    (["{w}", "--l1", "0.1", "--report", "{dir}/page.pdf"], "expected a page ending in .html"),
    (["{w}", "--l1", "0.1", "--report", "{dir}/no/page.html"], "page.html: cannot be written"),
    (["{w}", "--l1", "0.1", "--starts", "0"], "--starts: expected a whole number from 1 to"),
    (["{w}", "--l1", "0.1", "--sampled", "-1"], "--sampled: expected a whole number from 0 to"),
    (["{w}", "--l1", "0.1", "--seed", "-1"], "--seed: expected a whole number from 0 to"),
    (["{w}", "--l1", "-1"], "l1: expected a finite number ≥ 0"),
    (
        ["{w}", "--l1", "0.1", "--instance", "3"],
        "a whole number from 0 to 0, got 3",
    ),
    (["{w}", "--l1", "0.1", "--weight-decay", "x"], "argument --weight-decay: invalid float"),
    (["{w}", "--l1", "0.1", "--sparsity", "l2"], "sparsity: expected one of l1, decoder-norm"),
    (["{w}", "{bomb}", "--l1", "0.1"], "expected at most 1073741824 bytes of arrays"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_CHECKS, ids=lambda value: str(value)[:40])
def test_bad_checks_are_one_line_and_status_2(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    weights: Path,
    arguments: list[str],
    message: str,
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    bomb = tmp_path / "bomb.npz"
    if "{bomb}" in arguments:
        with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in ("W_enc", "b_enc", "W_dec", "b_dec"):
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    for _ in range(300):
                        member.write(bytes(2**20))
    filled = [argument.format(dir=folder, w=weights, bomb=bomb) for argument in arguments]
    status, out, err = run(capsys, "check", "shared", *filled)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert list(folder.iterdir()) == []


def test_check_of_another_dimension_says_which_law_to_pass(
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


def test_an_interrupt_keeps_the_checks_that_were_finished(tmp_path: Path, weights: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.npz").write_bytes(weights.read_bytes())
    command = [sys.executable, "-m", "solvers.cli.main", "check", "shared", folder, "--l1", "0.1"]
    # The first SAE's starts are kept for the others, so the first is what takes long.
    slow = [*command, "--starts", "100000"]
    process = subprocess.Popen(slow, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(4)
    process.send_signal(2)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert "interrupted" in err


def test_train_makes_its_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    arguments = ("--latents", 2, "--l1", 0.1, "--samples", 2048, "--save", folder)
    assert run(capsys, "train", "shared", *arguments)[0] == 0
    assert [path.name for path in folder.iterdir()] == ["sae_0.npz"]
