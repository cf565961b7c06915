"""The command check on folders: what cannot be read is a row, sweeps are columns and a CSV."""

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from solvers import Objective, Sae, cross_check
from solvers.autoencoders.autoencoder import Origin
from solvers.autoencoders.frames import frame_sae
from solvers.presentation.comparison import Comparison, comparison_csv, comparison_table
from tests.cli.running import refused, run
from theory import load_law

SAELENS = Path(__file__).parents[1] / "data/architectures/saelens"
DICTIONARY = Path(__file__).parents[1] / "data/architectures/dictionary_learning"
FAST = ("--l1", 0.1, "--starts", 1)


def one_latent() -> Sae:
    return Sae([[0.5], [0.5]], [0.0], [[0.8, 0.6]], [0.0, 0.0])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two widths, a truncated file, one of objects and one of another dimension."""
    made = tmp_path / "saes"
    made.mkdir()
    one_latent().save(made / "a_narrow.npz")
    frame_sae(0.2).save(made / "c_wide.npz")
    (made / "b_damaged.npz").write_bytes((made / "c_wide.npz").read_bytes()[:100])
    np.savez(made / "d_objects.npz", W_enc=np.array([{}], dtype=object))
    Sae(np.ones((3, 1)), [0.0], np.ones((1, 3)), np.zeros(3)).save(made / "e_three.npz")
    return made


REASONS = {
    "b_damaged.npz": "it is damaged or truncated",
    "d_objects.npz": "it holds objects, which are never unpickled",
    "e_three.npz": "W_enc: expected d_in = 2, the dimension of the law",
}


def reason_of(name: str, reason: str) -> bool:
    if name == "b_damaged.npz":
        # Cut off, a zip archive has lost its list of contents and is none any more.
        return "truncated" in reason
    return REASONS[name] in reason


def test_json(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    status, out, err = run(capsys, "check", "shared", folder, *FAST, "--json")
    assert (status, err) == (1, "")
    document = json.loads(out)
    assert not document["interrupted"]
    checked = [row for row in document["checks"] if "error" not in row]
    failed = [row for row in document["checks"] if "error" in row]
    assert document["checks"] == checked + failed
    assert {Path(row["weights"]).name for row in checked} == {"a_narrow.npz", "c_wide.npz"}
    assert [Path(row["weights"]).name for row in failed] == sorted(REASONS)
    for row in failed:
        assert row.keys() == {"weights", "error"}
        assert reason_of(Path(row["weights"]).name, row["error"])
        assert str(folder) not in row["error"]
    assert {Path(row["weights"]).name: row["latents"] for row in checked} == {
        "a_narrow.npz": 1,
        "c_wide.npz": 4,
    }
    excesses = [row["judged"]["total"] - row["optimum"]["total"] for row in checked]
    assert [row["excess"] for row in checked] == excesses
    assert excesses == sorted(excesses)


def test_text_page_and_csv(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    page = folder.parent / "page.html"
    status, out, err = run(capsys, "check", "shared", folder, *FAST, "--report", page)
    assert (status, err) == (1, "")
    heading, *rows = out.splitlines()
    assert heading.split()[:4] == ["SAE", "architecture", "latents", "λ"]
    assert "seed" not in heading
    assert {row.split()[1]: row.split()[2:5] for row in rows[:2]} == {
        "a_narrow.npz": ["ReLU", "1", "0.1"],
        "c_wide.npz": ["ReLU", "4", "0.1"],
    }
    text = page.read_text()
    assert "5 SAEs on shared" in text
    joined = " ".join(out.split())
    for number, name in enumerate(sorted(REASONS), start=3):
        assert f"{number} {name} not checked: " in joined
        assert f"<tr><td>{number}</td><td class=name>{name}</td>" in text
    assert REASONS["e_three.npz"] in joined
    assert REASONS["e_three.npz"] in text
    with page.with_suffix(".csv").open() as file:
        entries = list(csv.DictReader(file))
    assert [Path(entry["weights"]).name for entry in entries][2:] == sorted(REASONS)
    for entry in entries[2:]:
        assert reason_of(Path(entry["weights"]).name, entry["error"])
        assert not any(value for key, value in entry.items() if key not in ("weights", "error"))
    _, printed, _ = run(capsys, "check", "shared", folder, *FAST, "--json")
    for entry, row in zip(entries, json.loads(printed)["checks"][:2], strict=False):
        assert entry["weights"] == row["weights"]
        assert float(entry["loss"]) == row["loss"]["total"]
        assert float(entry["optimum"]) == row["optimum"]["total"]
        assert entry["error"] == ""


def test_a_damaged_file_alone_in_its_folder_is_a_row(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    for path in folder.iterdir():
        if path.name != "b_damaged.npz":
            path.unlink()
    page = folder.parent / "page.html"
    status, out, err = run(capsys, "check", "shared", folder, *FAST, "--report", page)
    assert (status, err) == (1, "")
    assert "1 b_damaged.npz not checked: " in " ".join(out.split())
    assert "b_damaged.npz" in page.read_text()
    assert page.with_suffix(".csv").read_text().count("\n") == 2


def test_what_is_named_or_wrong_with_the_options_stays_an_error(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    for path in (folder / "b_damaged.npz", folder / "e_three.npz"):
        refused(capsys, ["check", "shared", str(path), "--l1", "0.1"], path.name)
    both = ["check", "shared", str(folder / "a_narrow.npz"), str(folder / "b_damaged.npz")]
    refused(capsys, [*both, "--l1", "0.1"], "b_damaged.npz")
    refused(capsys, ["check", "shared", str(folder)], "l1: expected λ, which this file does not")
    refused(capsys, ["check", "shared", str(folder), "--l1", "-1"], "--l1: expected a finite")
    page = folder / "page.html"
    page.with_suffix(".csv").mkdir()
    arguments = ["check", "shared", str(folder), "--l1", "0.1", "--report", str(page)]
    refused(capsys, arguments, "page.csv: expected a file; this is a folder")
    assert not page.exists()
    empty = folder.parent / "empty"
    empty.mkdir()
    refused(capsys, ["check", "shared", str(empty), "--l1", "0.1"], "found none")


def test_one_that_overflows_does_not_keep_the_rest_from_being_checked(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    for name in REASONS:
        (folder / name).unlink()
    Sae(np.full((2, 1), 1e200), [0.0], np.full((1, 2), 1e200), [0.0, 0.0]).save(folder / "b.npz")
    status, out, err = run(capsys, "check", "shared", folder, *FAST, "--json")
    assert (status, err) == (1, "")
    rows = json.loads(out)["checks"]
    assert [Path(row["weights"]).name for row in rows if "error" in row] == ["b.npz"]
    assert "does not overflow a double" in rows[-1]["error"]


def test_seed_and_architecture_of_a_sweep(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    sweep = tmp_path / "sweep"
    shutil.copytree(DICTIONARY / "jumprelu", sweep / "first")
    shutil.copytree(DICTIONARY / "jumprelu", sweep / "second")
    config = sweep / "second/trainer_0/config.json"
    changed = json.loads(config.read_text())
    changed["trainer"]["seed"] = 7
    config.write_text(json.dumps(changed))
    shutil.copytree(SAELENS / "standard/inference", sweep / "third")
    status, out, _ = run(capsys, "check", "shared", sweep, "--starts", 1)
    assert status == 0
    heading, *rows = out.splitlines()
    assert heading.split()[:6] == ["SAE", "architecture", "latents", "λ", "seed", "verdict"]
    cells = {line.split()[1]: line for line in rows[:3]}
    assert rows[0].split()[1] == "third", "the others have no optimum"
    assert "JumpReLU" in cells["first/trainer_0"]
    assert "ReLU" in cells["third"].split()
    seed = heading.index("seed")
    assert [cells[name][seed : seed + 4].strip() for name in (
        "first/trainer_0", "second/trainer_0", "third"
    )] == ["0", "7", ""]  # fmt: skip


def check_of(change: Callable[[Sae], Sae], l1: float) -> Any:
    law = load_law("shared")
    return cross_check(law, change(frame_sae(0.0)), Objective(l1))


def test_rows_are_in_the_order_of_the_excess_and_ties_in_that_of_the_files() -> None:
    good = check_of(lambda sae: frame_sae(np.pi / 4, 0.05), 0.1)
    bad = check_of(lambda sae: frame_sae(0.3, 0.0), 0.2)
    none = check_of(lambda sae: sae.with_origin(Origin(seed=3)), 0.0)
    given = [("x/none", none), ("x/bad", bad), ("x/good 2", good), ("x/good 1", good)]
    comparison = Comparison.by_excess(given, [("x/broken", 'it is, "damaged"')])
    assert none.excess is None
    assert good.excess < bad.excess
    columns, rows = comparison_table(comparison)
    assert [row[1] for row in rows] == ["good 2", "good 1", "bad", "none"]
    assert [row[columns.index("seed")] for row in rows] == ["", "", "", "3"]
    assert [row[columns.index("λ")] for row in rows] == ["0.1", "0.1", "0.2", ""]
    assert comparison.numbered_reasons == [("5", "broken", 'it is, "damaged"')]
    entries = list(csv.DictReader(comparison_csv(comparison).splitlines()))
    assert [entry["seed"] for entry in entries] == ["", "", "", "3", ""]
    assert entries[-1]["error"] == 'it is, "damaged"'
    for entry, check in zip(entries, (good, good, bad, none), strict=False):
        assert entry["excess"] == ("" if check.excess is None else repr(check.excess))
