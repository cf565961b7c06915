"""The command train."""

from pathlib import Path

import pytest

from solvers import load_checkpoint
from tests.cli.running import refused, run, run_json

SMALL = ("train", "shared", "--latents", "2", "--l1", "0.1", "--samples", "2048")


def test_it_makes_its_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert run(capsys, *SMALL, "--save", folder)[0] == 0
    assert [path.name for path in folder.iterdir()] == ["sae_0.npz"]


def test_whole_numbers_may_have_an_exponent(capsys: pytest.CaptureFixture[str]) -> None:
    document = run_json(capsys, *SMALL[:-1], "1e3", "--batch", "1e2", "--instances", "2.0")
    assert (document["steps"], len(document["instances"])) == (10, 2)


@pytest.mark.parametrize(
    ("arguments", "architecture"),
    [
        (("--l1", "0.1"), "ReLU"),
        (("--architecture", "jumprelu", "--sparsity", "l0", "--l0", "0.1"), "JumpReLU"),
        (("--architecture", "topk", "--k", "1"), "TopK"),
        (("--architecture", "batchtopk", "--k", "0.5"), "JumpReLU"),
        (("--architecture", "matryoshka", "--k", "1", "--prefixes", "1,2"), "JumpReLU"),
        (("--architecture", "topk", "--k", "1", "--prefixes", "1,2", "--prefix-weights", "2,1"),
         "TopK"),
    ],
)  # fmt: skip
def test_every_architecture_is_saved(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: tuple[str, ...],
    architecture: str,
) -> None:
    command = ("train", "shared", "--latents", "2", "--samples", "2048", *arguments)
    document = run_json(capsys, *command, "--instances", "2", "--save", tmp_path)
    for number, one in enumerate(document["instances"]):
        sae = load_checkpoint(tmp_path / f"sae_{number}.npz")
        assert sae.architecture == one["architecture"] == architecture
        assert sae.W_dec.tolist() == one["decoder"]
        threshold = sae.arrays.get("threshold")
        assert one.get("threshold") == (None if threshold is None else threshold.tolist())


@pytest.mark.slow
def test_what_share_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    command = ("train", "shared", "--latents", "4", "--samples", "2048", "--architecture", "topk",
               "--k", "1", "--instances", "2", "--compare")  # fmt: skip
    document = run_json(capsys, *command)
    compared = document["compared"]
    assert (compared["instances"], compared["reached"], compared["share"]) == (2, 0, 0.0)
    assert (compared["best"], compared["nothing"]) == pytest.approx((0.0, 2 / 3), abs=1e-12)
    assert compared["found"] == "best of 32 starts"
    text = run(capsys, *command)[1]
    assert "reached         0 of 2                to 1 % of the 0.666667 that can be" in text


def test_matryoshka_is_batchtopk_with_prefixes(capsys: pytest.CaptureFixture[str]) -> None:
    rest = ("train", "shared", "--latents", "2", "--samples", "2048", "--k", "1", "--prefixes",
            "1,2", "--architecture")  # fmt: skip
    assert run_json(capsys, *rest, "matryoshka") == run_json(capsys, *rest, "batchtopk")


BAD = [
    (["--samples", "1e3.5"], "--samples: expected a whole number, got '1e3.5'"),
    (["--samples", "0"], "--samples: expected a whole number ≥ 1, got 0"),
    (["--beta1", "1"], "--beta1: expected a number from 0 to below 1"),
    (["--initialisation", "kaming"], "--initialisation: expected one of kaiming, tied, saelens"),
    (["--initialisation", "kaming"], "did you mean 'kaiming'?"),
    (["--instances", "0"], "--instances: expected a whole number ≥ 1, got 0"),
    (["--latents", "0"], "--latents: expected a whole number"),
    (["--k", "1"], "--k: expected none for the architecture 'relu', got 1"),
    (["--architecture", "topk"], "--k: expected a whole number ≥ 1 for the architecture 'topk'"),
    (["--architecture", "topk", "--k", "3"], "--k: expected at most 2, the number of latents"),
    (["--architecture", "topk", "--k", "1.5"], "--k: expected a whole number ≥ 1, got 1.5"),
    (["--architecture", "topk", "--k", "one"], "--k: expected a number, got 'one'"),
    (["--architecture", "batchtopk", "--k", "0"], "--k: expected a finite number > 0, got 0"),
    (["--architecture", "gated"], "--architecture: expected one of relu, jumprelu, topk"),
    (
        ["--architecture", "matryoshka", "--k", "1"],
        "--prefixes: expected numbers of latents beside --architecture matryoshka",
    ),
    (["--prefixes", "1"], "--prefixes: expected the width 2 as the last prefix, got (1,)"),
    (["--prefixes", "2,1"], "--prefixes: expected increasing numbers of latents"),
    (["--prefixes", "1,x"], "--prefixes: expected a whole number, got 'x'"),
    (["--prefixes", "1,2", "--prefix-weights", "1"], "--prefix-weights: expected 2 numbers"),
    (
        ["--prefixes", "1,2", "--prefix-weights", "detached"],
        "--prefix-weights: expected one of sum, mean",
    ),
    (["--bandwidth", "0"], "--bandwidth: expected a finite number > 0, got 0"),
    (["--l0", "0.1"], "--l0: expected 0 for training without thresholds, got 0.1"),
    (["--seed", "-1"], "--seed: expected a whole number ≥ 0, got -1"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda value: str(value)[-40:])
def test_bad_input(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    refused(capsys, [*SMALL, *arguments], message)
