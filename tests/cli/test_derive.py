"""The command derive; its documents are tested with the derivations."""

import json
from pathlib import Path

import pytest

from tests.cli.running import refused, run

OWN = ("derive", "shared", "--code")


def test_it_says_what_was_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, out, err = run(capsys, *OWN, "diagonal", "--out", tmp_path / "mine", "--json")
    assert (status, err) == (0, "")
    document = json.loads(out)
    assert sorted(document["written"]) == sorted(
        str(path) for path in (tmp_path / "mine").rglob("*") if path.is_file()
    )
    assert len(document["topics"]) == 1


BAD = [
    (["derive", "setting", "--format", "htm"], "--format: expected one of md, html, tex"),
    (["derive", "setting", "--format", "htm"], "did you mean 'html'?"),
    (["derive", "setting", "--l1", "0.1"], "--l1: expected beside --code only"),
    (["derive", "--code", "diagonal"], "--code: expected one LAW before it"),
    ([*OWN, "diagonal", "--l1", "x"], "--l1: expected a number, got 'x'"),
    (["derive", "setting", "--out", "{dir}/file"], "file: expected a folder, this is a file"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda value: str(value)[-40:])
def test_bad_input(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "file").touch()
    refused(capsys, [argument.format(dir=tmp_path) for argument in arguments], message)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
