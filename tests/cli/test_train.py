"""The command train."""

from pathlib import Path

import pytest

from tests.cli.running import refused, run, run_json

SMALL = ("train", "shared", "--latents", "2", "--l1", "0.1", "--samples", "2048")


def test_it_makes_its_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert run(capsys, *SMALL, "--save", folder)[0] == 0
    assert [path.name for path in folder.iterdir()] == ["sae_0.npz"]


def test_whole_numbers_may_have_an_exponent(capsys: pytest.CaptureFixture[str]) -> None:
    document = run_json(capsys, *SMALL[:-1], "1e3", "--batch", "1e2", "--instances", "2.0")
    assert (document["steps"], len(document["instances"])) == (10, 2)


BAD = [
    (["--samples", "1e3.5"], "--samples: expected a whole number, got '1e3.5'"),
    (["--samples", "0"], "--samples: expected a whole number ≥ 1, got 0"),
    (["--beta1", "1"], "--beta1: expected a number from 0 to below 1"),
    (["--initialisation", "kaming"], "--initialisation: expected one of kaiming, tied, saelens"),
    (["--initialisation", "kaming"], "did you mean 'kaiming'?"),
    (["--instances", "0"], "--instances: expected a whole number ≥ 1, got 0"),
    (["--latents", "0"], "--latents: expected a whole number"),
    (["--seed", "-1"], "--seed: expected a whole number ≥ 0, got -1"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda value: str(value)[-40:])
def test_bad_input(capsys: pytest.CaptureFixture[str], arguments: list[str], message: str) -> None:
    refused(capsys, [*SMALL, *arguments], message)
