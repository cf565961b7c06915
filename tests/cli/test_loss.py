"""The command loss."""

import json
from pathlib import Path

import pytest

from solvers import Sae
from tests.cli.running import refused, run, run_json

DATA = Path(__file__).parents[1] / "data"
SAELENS = str(DATA / "trained/saelens/saelens_standard_D1_d4_l10.1_s3")
GATED = str(DATA / "trained/saelens/saelens_gated_D2_d8_l10.1_s1")


def test_json(capsys: pytest.CaptureFixture[str], weights: Path) -> None:
    document = run_json(capsys, "loss", "shared", weights, "--l1", "0.1", "--weight-decay", "0.25")
    assert list(document) == [
        "total", "reconstruction", "sparsity", "weight_decay", "l1", "l0", "firing",
        "exact", "standard_error", "probability_error",
    ]  # fmt: skip
    assert document["exact"] is True
    assert document["standard_error"] == 0
    assert document["l1"] == pytest.approx(1, rel=1e-14)
    assert document["sparsity"] == pytest.approx(0.1, rel=1e-14)
    assert document["weight_decay"] == 0.25 * 8
    assert document["firing"] == [0.5] * 4
    assert document["total"] == pytest.approx(2.1, rel=1e-14)


def test_a_trained_sae_in_its_own_convention(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("loss", "shared", SAELENS, "--l1", 0.1, "--sparsity", "decoder-norm")
    document = run_json(capsys, *arguments)
    manifest = json.loads((DATA / "trained/manifest.json").read_text())
    sampled = manifest[0]["sampled"]["total"]
    assert abs(document["total"] - sampled["mean"]) < 4 * sampled["standard_error"]
    status, out, _ = run(capsys, *arguments)
    assert status == 0
    assert f"{document['total']:.15g}" in out
    assert "the encoder subtracts b_dec; folded into b_enc" in out


def test_a_law_file_is_a_law(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, weights: Path
) -> None:
    law = tmp_path / "law.json"
    law.write_text('{"sets": [2, 2], "magnitude_correlation": 1.0}')
    from_file = run_json(capsys, "loss", law, weights, "--l1", 0.1)
    assert from_file == run_json(capsys, "loss", "shared", weights, "--l1", 0.1)


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


BAD = [
    (["sharde", "{w}", "--l1", "0.1"], "law: expected a preset, one of shared"),
    (["shared:amp=1", "{w}", "--l1", "0.1"], "setting: expected one of onehot"),
    (["{dir}/bad.json", "{w}", "--l1", "0.1"], "bad.json: key: expected one of sets"),
    (["shared", "{dir}/none.npz", "--l1", "0.1"], "none.npz: no such file"),
    (["shared", "{dir}/cut.npz", "--l1", "0.1"], "cut.npz: expected an .npz file"),
    (["shared", GATED, "--l1", "0.1", "--reconstruction", "relative"], "for a Gated SAE"),
    (["shared", "{w}"], "--l1: expected λ, the coefficient of the penalty"),
    (["shared", "{w}", "--l1", "-0.1"], "--l1: expected a finite number ≥ 0, got -0.1"),
    (["shared", "{w}", "--l1", "nan"], "--l1: expected a finite number ≥ 0, got nan"),
    (["shared", "{w}", "--l1", "x"], "argument --l1: invalid float value: 'x'"),
    (["shared", "{w}", "--l1", "1", "--weight-decay", "-1"], "--weight-decay: expected"),
    (["shared", "{w}", "--l1", "1", "--sparsity", "l2"], "--sparsity: expected one of l1"),
    (["shared", "{w}", "--l1", "1", "--sparsity", "l-1"], "did you mean 'l1'?"),
    (["shared", "{w}", "--l1", "1", "--reconstruction", "x"], "--reconstruction: exp"),
    (["shared", "{w}", "--l1", "1", "--decoder", "x"], "--decoder: expected one of unit"),
    (["shared", "{w}", "--l1", "1", "--instance", "x"], "--instance: expected a whole number"),
    (["{dir}/d3.json", "{w}", "--l1", "1"], "W_enc: expected d_in = 3, the dimension"),
    (["shared", "", "--l1", "1"], "WEIGHTS: expected a file or folder, not an empty name"),
    (["shared", "/dev/null", "--l1", "1"], "/dev/null: expected a file or a folder"),
    (["shared", "{w}", "--js", "--l1", "1"], "--js: expected one of --help"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda value: str(value)[:40])
def test_bad_input(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    weights: Path,
    arguments: list[str],
    message: str,
) -> None:
    (tmp_path / "bad.json").write_text('{"sets": [2, 2], "set": 1}')
    (tmp_path / "d3.json").write_text('{"sets": [1, 2]}')
    (tmp_path / "cut.npz").write_bytes(weights.read_bytes()[:100])
    filled = [argument.format(dir=tmp_path, w=weights) for argument in arguments]
    refused(capsys, ["loss", *filled], message)
