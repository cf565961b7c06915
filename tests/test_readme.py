"""What the README shows is what the commands print; its tables and code are current."""

import json
import re
import shlex
from functools import cache
from pathlib import Path

import pytest

from solvers import Objective, Search, expected_loss, load_checkpoint, minimize_loss
from solvers.cli.main import main
from solvers.studies.cross_check import objective_for
from tests.shown_output import assert_shown
from theory import law_from_dict

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONSOLE = re.findall(r"```console\n\$ sae-theory (.*?)\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize(("command", "shown"), CONSOLE)
def test_shown_output_is_printed(
    command: str,
    shown: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(shlex.split(command)) == 0
    assert_shown(shown, capsys.readouterr().out)


def test_all_three_jobs_are_shown() -> None:
    assert [command.split()[0] for command, _ in CONSOLE] == ["verify", "check", "derive"]


def test_the_two_commands_end_as_promised() -> None:
    lines = [line for line in README.splitlines() if line.startswith("python3 -m venv")]
    assert [line.split("/")[-1] for line in lines] == ["sae-theory verify", "pytest"]


PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


# To hold an SAE against the best there is takes its seconds.
EXAMPLES = [
    pytest.param(code, marks=[pytest.mark.slow] if "cross_check" in code else [])
    for code in PYTHON
]


@pytest.mark.parametrize("code", EXAMPLES)
def test_python_code_prints_what_its_comment_says(
    code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip() == code.strip().rsplit("# ", maxsplit=1)[1]


def test_the_table_of_saes_trained_on_features() -> None:
    manifest = json.loads((ROOT / "tests/data/features/manifest.json").read_text())
    entries = {entry["name"]: entry for entry in manifest}
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", README, flags=re.MULTILINE)
    cells = {name: text.split(" | ") for name, text in rows if name in entries}
    assert cells.keys() == entries.keys()
    for name, (_, sampled, exact, deviation, _) in cells.items():
        entry = entries[name]
        sae = load_checkpoint(ROOT / "tests/data/features" / entry["path"])
        loss = expected_loss(law_from_dict(entry["law"]), sae, objective_for(sae))
        mean, error = (entry["sampled"]["total"][key] for key in ("mean", "standard_error"))
        assert sampled == f"{mean:.6f} ± {error:.6f}"
        assert exact == f"{loss.total:.8f}"
        assert deviation == f"{(loss.total - mean) / error:+.1f}"


def test_the_table_of_trained_saes() -> None:
    entries = {
        entry["name"].removeprefix("saelens_standard_"): entry
        for entry in json.loads((ROOT / "tests/data/trained/manifest.json").read_text())
        if entry["name"].startswith("saelens_standard_")
    }
    rows = re.findall(r"^\| `(D\S+)` \| (.*) \|$", README, flags=re.MULTILINE)
    assert {name for name, _ in rows} == set(entries)

    @cache
    def best_of_eight(law: str, d_sae: int, objective: Objective) -> float:
        return minimize_loss(
            law_from_dict(json.loads(law)), d_sae, objective, Search(8, limit=8)
        ).total

    for name, cells in rows:
        sampled, exact, deviation, best, excess = cells.split(" | ")
        entry = entries[name]
        law = law_from_dict(entry["law"])
        sae = load_checkpoint(ROOT / "tests/data/trained" / entry["path"])
        objective = Objective(l1=entry["l1"], sparsity="decoder-norm", decoder="free")
        loss = expected_loss(law, sae, objective).total
        least = best_of_eight(json.dumps(entry["law"]), sae.d_sae, objective)
        total = entry["sampled"]["total"]
        assert sampled == f"{total['mean']:.6f} ± {total['standard_error']:.6f}"
        assert float(exact) == pytest.approx(loss, abs=6e-9)
        assert float(deviation) == pytest.approx(
            (loss - total["mean"]) / total["standard_error"], abs=0.051
        )
        assert float(best) == pytest.approx(least, abs=6e-9)
        assert float(excess.removesuffix(" %")) == pytest.approx(
            100 * (loss / least - 1), rel=0.1, abs=3e-6
        )
