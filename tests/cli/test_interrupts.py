"""Ctrl-C at chosen moments: status 130, one line, no traceback, nothing half-written.

A process interrupts itself when it begins to import a given module, or when a given part of its
work is reported as finished, so that no test waits for a moment to come.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from solvers.cli.dispatch import commands
from solvers.cli.main import main
from solvers.optima.best_known import code_saes
from solvers.runtime.progress import ProgressLine
from theory import load_law

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

BEGIN = """
import os, signal, sys
# A process in the background inherits that Ctrl-C is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
moment, *arguments = sys.argv[1:]
"""
WHILE_IMPORTING = (
    BEGIN
    + """
class Interrupting:
    def find_spec(self, name, path=None, target=None):
        if name == moment:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
from solvers.cli.main import main
sys.exit(main(arguments))
"""
)
WHILE_WORKING = (
    BEGIN
    + """
from solvers.cli.main import main

if __name__ == "__main__":
    from solvers.runtime.progress import ProgressLine

    def report(line, done, total):
        if done == int(moment):
            os.kill(os.getpid(), signal.SIGINT)

    ProgressLine.__call__ = report
    # Nothing else is said, however slow the machine is.
    ProgressLine.quiet_seconds = float("inf")
    sys.exit(main(arguments))
"""
)
OPTIMUM = ("optimum", "shared", "--latents", "2", "--l1", "0.1", "--starts", "4", "--quiet")
SMALL = {
    "check": ["shared", "{w}", "--l1", "0.1", "--report", "{out}/page.html"],
    "derive": ["setting", "--out", "{out}/mine"],
    "landscape": ["shared", "--latents", "2", "--l1", "0.1", "--plot", "{out}/x.png"],
    "law": ["shared", "--plot", "{out}/x.png"],
    "loss": ["shared", "{w}", "--l1", "0.1"],
    "optimum": ["shared", "--latents", "2", "--l1", "0.1", "--save", "{out}/x.npz"],
    "phase": ["shared", "--x", "l1=0.1:0.2:2", "--y", "onehot_probability=0:0.5:2",
              "--latents", "4", "--out", "{out}/x.csv"],
    "train": ["shared", "--latents", "2", "--l1", "0.1", "--save", "{out}"],
    "verify": ["ratio", "--json"],
}  # fmt: skip


def interrupted(code: str, moment: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, moment, *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("moment", [
    "solvers.cli.dispatch", "argparse", "solvers.cli.optimum", "numpy", "numpy.linalg",
    "scipy.optimize", "sympy", "sympy.core.numbers", "solvers.bounds.certificate",
    "matplotlib.figure",
])  # fmt: skip
def test_while_importing(moment: str, tmp_path: Path) -> None:
    done = interrupted(WHILE_IMPORTING, moment, *OPTIMUM, "--plot", str(tmp_path / "best.png"))
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "sae-theory: interrupted\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["derive", "setting"], ["check", "shared", "{w}", "--l1",
                                       "0.1", "--report", "{dir}/page.html"]])  # fmt: skip
def test_while_importing_what_draws(arguments: list[str], tmp_path: Path, weights: Path) -> None:
    filled = [argument.format(dir=tmp_path, w=weights) for argument in arguments]
    done = interrupted(WHILE_IMPORTING, "matplotlib", *filled, "--quiet")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "sae-theory: interrupted\n")
    assert [path.name for path in tmp_path.iterdir()] == [weights.name]


def test_every_command_is_here() -> None:
    assert SMALL.keys() == commands().keys()


@pytest.mark.parametrize("name", SMALL)
def test_while_working(
    name: str,
    tmp_path: Path,
    weights: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    enter = ProgressLine.__enter__

    def begin(line: ProgressLine) -> ProgressLine:
        if line.label == "law":
            return enter(line)
        raise KeyboardInterrupt

    monkeypatch.setattr(ProgressLine, "__enter__", begin)
    out = tmp_path / "out"
    out.mkdir()
    arguments = [argument.format(w=weights, out=out) for argument in SMALL[name]]
    assert main([name, *arguments]) == 130
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("sae-theory: interrupted")
    assert printed.err.count("\n") == 1
    assert not list(out.iterdir())


@pytest.mark.parametrize("workers", ["1", pytest.param("2", marks=pytest.mark.slow)])
def test_the_best_so_far_is_printed(workers: str) -> None:
    arguments = [argument for argument in OPTIMUM if argument != "--quiet"]
    # The descents from choices of the codes' atoms come first, and are counted too.
    descents = len(list(code_saes(load_law("shared"), 2, 0.1)))
    done = interrupted(
        WHILE_WORKING, str(descents + 2), *arguments, "--workers", workers, "--json"
    )
    assert done.returncode == 130
    assert done.stderr == ""
    document = json.loads(done.stdout)
    assert document["interrupted"]
    assert len(document["starts"]) == 2


def test_a_process_that_ignores_interrupts_goes_on() -> None:
    ignoring = WHILE_IMPORTING.replace("default_int_handler", "SIG_IGN")
    assert "SIG_IGN" in ignoring
    done = interrupted(ignoring, "sympy", *OPTIMUM, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(done.stdout)["starts"]) >= 4
