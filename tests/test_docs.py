"""Every block of code in docs/ runs: Python page by page, commands as they are typed.

What a block shows below its commands is what they print; in the tutorial, what a comment behind
a `print` says is what it prints.
"""

import re
import shlex
from pathlib import Path

import pytest

from solvers.autoencoders.frames import frame_sae
from solvers.cli.main import main
from tests.shown_output import assert_shown

DOCS = Path(__file__).parent.parent / "docs"
BLOCK = re.compile(r"^```(python|console)\n(.*?)^```$", flags=re.DOTALL | re.MULTILINE)
PAGES = [page for page in sorted(DOCS.glob("*.md")) if BLOCK.search(page.read_text("utf-8"))]


def test_the_pages_with_code_are_found() -> None:
    assert {"tutorial", "commands"} <= {page.stem for page in PAGES}


#: Pages whose code takes more than a few seconds.
LONG = ("landscape", "tutorial")


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.slow if page.stem in LONG else (), id=page.stem)
        for page in PAGES
    ],
)
def test_code_runs(
    page: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    frame_sae(0.1, 0.05).save("sae.npz")
    names: dict[str, object] = {}
    for kind, code in BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "python":
            exec(compile(code, str(page), "exec"), names)
            comments = re.findall(r"^print\(.*\)  # (.*)$", code, flags=re.MULTILINE)
            shown = "\n".join(comments) if page.stem == "tutorial" else ""
        else:
            commands = [line[2:] for line in code.splitlines() if line.startswith("$ ")]
            assert commands
            for command in commands:
                name, *arguments = shlex.split(command)
                assert name == "sae-theory"
                assert main(arguments) == 0, capsys.readouterr().err
            shown = "\n".join(line for line in code.splitlines() if not line.startswith("$ "))
        printed = capsys.readouterr().out
        if shown:
            # Trained weights differ from machine to machine in the last digits of a sum.
            assert_shown(shown, printed, rel=1e-3, within=1e-5)
    if page.stem == "tutorial":
        assert (tmp_path / "trained.html").exists()
        assert len(list((tmp_path / "mine").glob("*.md"))) == 1
