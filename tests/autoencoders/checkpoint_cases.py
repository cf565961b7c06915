"""Files of trained SAEs that the readers' tests share: real ones, arrays, and a hostile object."""

import json
from pathlib import Path
from typing import Any

import numpy as np

TRAINED = Path(__file__).parents[1] / "data" / "trained"
MANIFEST = json.loads((TRAINED / "manifest.json").read_text())
STANDARD = [entry for entry in MANIFEST if entry["name"].startswith("saelens_standard")]
ONE = TRAINED / STANDARD[0]["path"]
RELU = [entry for entry in MANIFEST if entry["architecture"] == "relu"]


def weights_of(entry: dict[str, Any], form: str = "") -> Path:
    """Return what to load: the folder, or the post's one file of weights in it."""
    folder: Path = TRAINED / entry["path"] / form
    if entry["path"].startswith("dictionary_learning"):
        return folder / "trainer_0"
    return next(folder.glob("weights_*.pt"), folder)


def good() -> dict[str, Any]:
    """Return arrays that are an SAE."""
    return {
        "W_enc": np.ones((2, 3)),
        "b_enc": np.zeros(3),
        "W_dec": np.ones((3, 2)),
        "b_dec": np.zeros(2),
    }


class Hostile:
    """Unpickling this creates a file."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.trace,)
