"""Nothing is imported before a command needs it: `sys.modules` says so, no clock does."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from solvers.cli.dispatch import commands

CODE = """
import json, sys
from solvers.cli.main import main
for arguments in json.loads(sys.argv[1]):
    try:
        main(arguments)
    except SystemExit:
        pass
print("imported", *sys.modules)
"""
HEAVY = {"numpy", "scipy", "sympy", "matplotlib", "torch", "safetensors"}


def imported(*lines: list[str]) -> set[str]:
    """Return the packages that a process has imported when it has run these command lines."""
    done = subprocess.run(
        [sys.executable, "-c", CODE, json.dumps(lines)], capture_output=True, text=True, check=True
    )
    names = done.stdout.splitlines()[-1].split()
    assert names[0] == "imported"
    return {name.split(".")[0] for name in names[1:]}


def test_help_and_wrong_usage_import_nothing() -> None:
    assert not imported(["--help"], ["--version"], [], ["losss"], ["--hlep"]) & HEAVY


def test_the_help_of_commands_draws_and_reads_nothing() -> None:
    lines = [[name, "--help"] for name in commands()]
    assert not imported(*lines) & {"matplotlib", "torch", "safetensors"}


@pytest.mark.parametrize("report", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_only_figures_import_matplotlib(report: bool, weights: Path, tmp_path: Path) -> None:
    law = ["shared", "--l1", "0.1"]
    lines = [
        ["loss", *law, str(weights)],
        ["optimum", *law, "--latents", "1", "--starts", "1"],
        ["check", *law, str(weights), "--starts", "1"],
        ["landscape", *law, "--latents", "1", "--starts", "1"],
        ["train", *law, "--latents", "1", "--samples", "1e3"],
        ["verify", "ratio"],
    ]
    page = [*lines[2], "--report", str(tmp_path / "page.html")]
    assert ("matplotlib" in imported(*([page] if report else lines))) == report
