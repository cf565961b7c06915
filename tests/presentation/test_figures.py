"""Figures are drawn for every kind of law, in every format, in grey, and the same every time."""

import os
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from solvers import InputError, Objective, Search, minimize_loss
from solvers.presentation.figures import FORMATS, draw_optimum
from theory import load_law, one_hot_sets
from theory.laws.presets import shared_amplitudes

LAWS = {
    "segments": load_law("shared"),
    "parallelograms and segments": load_law("independent:onehot_probability=0.5"),
    "points": shared_amplitudes([("1/2", 0, 0), ("1/2", 1, 1)]),
    "four dimensions": one_hot_sets((2, 2), embedding=np.eye(4).astype(int).tolist()),
    "cubes": load_law({"features": 3, "firing": 0.5, "magnitude": {"uniform": [0, 1]}}),
    "one dimension": one_hot_sets((1, 1), embedding=[[1], [-2]]),
}


@pytest.mark.parametrize("name", LAWS)
def test_every_kind_of_law_in_grey(tmp_path: Path, name: str) -> None:
    law = LAWS[name]
    best = minimize_loss(law, 3, Objective(l1=0.2), Search(starts=1, limit=1))
    path = tmp_path / "figure.png"
    draw_optimum(law, best, path)
    pixels = matplotlib.image.imread(path)[..., :3]
    assert pixels.std() > 0.05
    assert np.ptp(pixels, axis=2).max() < 1e-6


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<svg"), (".pdf", b"%PDF")]
)
def test_formats(tmp_path: Path, suffix: str, start: bytes) -> None:
    law = LAWS["segments"]
    best = minimize_loss(law, 2, Objective(l1=0.2), Search(starts=1, limit=1))
    path = tmp_path / f"figure{suffix}"
    draw_optimum(law, best, path)
    assert path.read_bytes().startswith(start)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_wrong_suffix_or_folder(tmp_path: Path) -> None:
    law = LAWS["segments"]
    best = minimize_loss(law, 2, Objective(l1=0.2), Search(starts=1, limit=1))
    with pytest.raises(InputError, match="expected a figure ending in"):
        draw_optimum(law, best, tmp_path / "figure.bmp")
    with pytest.raises(InputError, match="cannot be written"):
        draw_optimum(law, best, tmp_path / "no" / "figure.png")


WRITE_ALL = """
import sys
from pathlib import Path
from solvers import Objective, Search, cross_check, minimize_loss
from solvers.autoencoders.frames import frame_sae
from solvers.optima.landscape import landscape
from solvers.presentation.check_page import check_page
from solvers.presentation.derivations.documents import pages_of, write_pages
from solvers.presentation.figures import FORMATS, draw_optimum, write_figure
from solvers.presentation.landscape_figure import landscape_figure
from theory import load_law

folder, law, objective = Path(sys.argv[1]), load_law("shared"), Objective(l1=0.2)
best = minimize_loss(law, 2, objective, Search(1, limit=1))
check = cross_check(law, frame_sae(0.1, 0.05), objective, Search(1, limit=1))
points = landscape_figure(landscape(law, 1, objective, Search(starts=1)))
for suffix in FORMATS:
    draw_optimum(law, best, folder / f"optimum{suffix}")
    check.plot(folder / f"check{suffix}")
    write_figure(points, folder / f"landscape{suffix}")
(folder / "check.html").write_text(check_page(check, "sae.npz", "sae-theory check"))
for form in ("md", "html", "tex"):
    write_pages(pages_of(("exact-loss",)), form, folder / form)
"""


@pytest.mark.slow
def test_every_writer_writes_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    """Also where sets of strings are ordered otherwise, and another figure came before."""
    written = []
    for seed in ("1", "2"):
        folder = tmp_path / seed
        folder.mkdir()
        subprocess.run([sys.executable, "-c", WRITE_ALL, str(folder)], check=True,
                       env={**os.environ, "PYTHONHASHSEED": seed})  # fmt: skip
        written.append({
            str(file.relative_to(folder)): file.read_bytes()
            for file in folder.rglob("*") if file.is_file()
        })  # fmt: skip
    one, other = written
    assert len(one) >= 14
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


def test_nothing_else_writes_figures() -> None:
    """`write_figure` and `svg_text` leave dates and random ids out; nobody passes them by."""
    solvers = Path(__file__).parents[2] / "solvers"
    writers = {
        file.relative_to(solvers).as_posix()
        for file in solvers.rglob("*.py")
        if ".savefig(" in file.read_text(encoding="utf-8")
    }
    assert writers == {"presentation/figures.py"}


def test_a_figure_has_the_same_bytes_again(tmp_path: Path) -> None:
    """Also after another one; other processes are tried in the slow tests."""
    law, objective = load_law("shared"), Objective(l1=0.2)
    best = minimize_loss(law, 1, objective, Search(1, limit=1))
    for suffix in FORMATS:
        first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
        draw_optimum(law, best, first)
        draw_optimum(load_law("independent"), best, tmp_path / f"other{suffix}")
        draw_optimum(law, best, second)
        assert first.read_bytes() == second.read_bytes()
