"""Weights that many commands read."""

from pathlib import Path

import numpy as np
import pytest

from solvers import Sae


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Return a file of the axis-aligned SAE: x̂ = x, activations |x1| + |x2|."""
    path = tmp_path / "weights.npz"
    frame = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    Sae(frame.T, np.zeros(4), frame, np.zeros(2)).save(path)
    return path
