"""The command verify."""

import pytest

from tests.cli.running import refused, run, run_json


def test_one_claim(capsys: pytest.CaptureFixture[str]) -> None:
    (claim,) = run_json(capsys, "verify", "ratio")["claims"]
    assert (claim["id"], claim["passed"]) == ("ratio", True)
    assert "1 of 1 claims passed" in run(capsys, "verify", "ratio")[1]


def test_an_unknown_claim(capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, ["verify", "no-such-claim"],
            "claim: expected one of two-dimensional")  # fmt: skip
