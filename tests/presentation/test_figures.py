"""Figures are drawn for every kind of law, in every format, and in grey."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from solvers import InputError, Objective, minimize_loss
from solvers.presentation.figures import draw_optimum
from theory import load_law, one_hot_sets
from theory.laws.presets import shared_amplitudes

LAWS = {
    "segments": load_law("shared"),
    "parallelograms and segments": load_law("independent:onehot_probability=0.5"),
    "points": shared_amplitudes([("1/2", 0, 0), ("1/2", 1, 1)]),
    "four dimensions": one_hot_sets((2, 2), embedding=np.eye(4).astype(int).tolist()),
    "one dimension": one_hot_sets((1, 1), embedding=[[1], [-2]]),
}


@pytest.mark.parametrize("name", LAWS)
def test_every_kind_of_law_in_grey(tmp_path: Path, name: str) -> None:
    law = LAWS[name]
    best = minimize_loss(law, 3, Objective(l1=0.2), starts=1)
    path = tmp_path / "figure.png"
    draw_optimum(law, best, path)
    pixels = matplotlib.image.imread(path)[..., :3]
    assert pixels.std() > 0.05
    assert np.ptp(pixels, axis=2).max() < 1e-6


@pytest.mark.parametrize(
    ("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")]
)
def test_formats(tmp_path: Path, suffix: str, start: bytes) -> None:
    law = LAWS["segments"]
    best = minimize_loss(law, 2, Objective(l1=0.2), starts=1)
    path = tmp_path / f"figure{suffix}"
    draw_optimum(law, best, path)
    assert path.read_bytes().startswith(start)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_wrong_suffix_or_folder(tmp_path: Path) -> None:
    law = LAWS["segments"]
    best = minimize_loss(law, 2, Objective(l1=0.2), starts=1)
    with pytest.raises(InputError, match="expected a figure ending in"):
        draw_optimum(law, best, tmp_path / "figure.bmp")
    with pytest.raises(InputError, match="cannot be written"):
        draw_optimum(law, best, tmp_path / "no" / "figure.png")
