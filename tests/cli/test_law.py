"""The command law: what is printed, drawn and sampled."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.cli.running import refused, run

TREE = {"features": 3, "firing": [0.5, 0.25, 0.25], "parents": {"1": 0, "2": 0},
        "exclusive": [[1, 2]], "embedding": [[1, 0], [0, 1], [1, 1]]}  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    path = tmp_path / "tree.json"
    path.write_text(json.dumps(TREE))
    return path


def test_json_is_the_law(capsys: pytest.CaptureFixture[str], tree: Path) -> None:
    status, out, _ = run(capsys, "law", tree, "--json")
    found = json.loads(out)
    assert status == 0
    assert found["sets"] == [[0], [1], [2]]
    assert found["firing"] == [0.5, 0.125, 0.125]
    assert found["l0"] == 0.75
    active = [(s["features"], s["exactly"], s["random_magnitudes"]) for s in found["active_sets"]]
    assert active == [
        ([], "1/2", 0), ([0], "1/4", 0), ([0, 1], "1/8", 0), ([0, 2], "1/8", 0)
    ]  # fmt: skip
    # x is (0, 0), (1, 0), (1, 1) or (2, 1).
    p, x = np.array([4, 2, 1, 1]) / 8, np.array([[0, 0], [1, 0], [1, 1], [2, 1]])
    mean = p @ x
    covariance = (x - mean).T @ np.diag(p) @ (x - mean)
    np.testing.assert_allclose(found["mean"], mean)
    np.testing.assert_allclose(found["covariance"], covariance)
    vectors, variances = np.array(found["principal_components"]), np.array(found["variances"])
    np.testing.assert_allclose(vectors.T @ np.diag(variances) @ vectors, covariance, atol=1e-15)
    assert variances[0] >= variances[1]


def test_text(capsys: pytest.CaptureFixture[str], tree: Path) -> None:
    status, out, _ = run(capsys, "law", tree)
    assert status == 0
    assert out.startswith("tree.json: 4 components in 2 dimensions, 3 features\n")
    assert "\n0 1               0.125                  0\n" in out
    status, out, _ = run(capsys, "law", "shared")
    assert "none: the covariance is 0.333333 times the identity" in out
    assert "one-hot sets of 2 × 2" in out


def test_of_many_the_likeliest(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "many.json"
    path.write_text('{"features": 10, "firing": 0.1}')
    _, out, _ = run(capsys, "law", path)
    assert "… and 1,000 more in JSON" in out
    assert len(out.splitlines()) < 60


def test_samples_and_picture(
    capsys: pytest.CaptureFixture[str], tree: Path, tmp_path: Path
) -> None:
    out, figure = tmp_path / "x.npz", tmp_path / "law.png"
    for _ in range(2):
        status, *_ = run(capsys, "law", tree, "--sample", "1e4", "--out", out, "--plot", figure)
        assert status == 0
        x = np.load(out)["x"]
        assert x.shape == (10_000, 2)
        # Four standard errors of E x = (5/8, 1/4), whose standard deviations are below 1.
        np.testing.assert_allclose(x.mean(axis=0), [5 / 8, 1 / 4], atol=0.04)
    assert figure.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sample", "10"], "--sample: expected --out beside it"),
        (["--sample", "1e13", "--out", "x.npz"], "--sample: expected as many as fit in memory"),
        (["--out", "x.npz"], "--out: expected --sample beside it"),
        (["--sample", "0", "--out", "x.npz"], "--sample: expected a whole number ≥ 1"),
        (["--sample", "5", "--out", "x.txt"], "x.txt: expected"),
        (["--sample", "5", "--out", "none/x.npz"], "none"),
        (["--plot", "x.txt"], "expected a figure"),
    ],
)
def test_wrong_input(
    capsys: pytest.CaptureFixture[str], tree: Path, arguments: list[str], message: str
) -> None:
    refused(capsys, ["law", tree, *arguments], message)
