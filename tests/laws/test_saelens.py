"""A law handed to SAELens: what its generator draws, and what it cannot draw.

Tests of what is drawn run where sae-lens is installed, and are left out elsewhere.
"""

import importlib
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy
from numpy.typing import NDArray

from solvers import describe, to_saelens
from theory import Component, InputError, Law, load_law

Array = NDArray[np.float64]

SAVED = Path(__file__).parents[1] / "data" / "synthetic_models"

COUNT = 100_000
ERRORS = 5
# SAELens computes in single precision.
SINGLE = 1e-5

LAWS: dict[str, dict[str, Any]] = {
    "independent": {
        "features": 3,
        "firing": [0.5, 0.25, 0.125],
        "embedding": [[1, 0], [1, 1], [-1, 2]],
        "bias": [3, 4],
    },
    "tree": {
        "features": 4,
        "firing": [0.5, 0.25, 0.5, 0.75],
        "parents": {"1": 0, "2": 0},
        "exclusive": [[1, 2]],
        "magnitude": [
            {"uniform": [1, 2]},
            {"constant": 3},
            {"uniform": [0, "1/2"]},
            {"constant": 1},
        ],
    },
    "normal": {
        "features": 3,
        "firing": [0.5, 0.25, 0.125],
        "magnitude": {"normal": [1, 0.1]},
        "embedding": [[1, 2, 0, 0], [0, 1, 0, -1], [0, 1, 1, 1]],
        "bias": [1, 2, 3, 4],
    },
    "correlated": {"features": 2, "firing": 0.5, "correlation": 0.5},
    "one-hot sets": {
        "sets": [2, 3],
        "magnitude_correlation": 0.5,
        "onehot_probability": 0.25,
        "amplitude": 2,
    },
    "remainder": {
        "features": 20,
        "firing": 0.3,
        "magnitude": {"normal": [1, 0.1]},
        "bias": [0.5] * 20,
    },
    "never": {"features": 2, "firing": 0, "bias": [1, 2]},
}


@pytest.fixture
def torch() -> Any:
    """PyTorch, where SAELens is there as well."""
    pytest.importorskip("sae_lens")
    return pytest.importorskip("torch")


def drawn(torch: Any, law: Law, count: int = COUNT, seed: int = 0) -> tuple[Array, Array]:
    """Return samples and magnitudes as a training of SAELens meets them."""
    torch.manual_seed(seed)
    data = to_saelens(law)
    magnitudes = data.generator.sample(count)
    with torch.no_grad():
        x = data.dictionary(magnitudes)
    assert magnitudes.dtype == x.dtype == torch.float32
    return x.double().numpy(), magnitudes.double().numpy()


def agrees(values: Array, expected: Any) -> None:
    """Assert that a mean over rows is the expected one, to a few standard errors."""
    error = values.std(axis=0) / np.sqrt(len(values))
    assert np.all(np.abs(values.mean(axis=0) - expected) <= ERRORS * error + SINGLE)


@pytest.mark.parametrize("name", LAWS)
def test_moments_are_the_laws(torch: Any, name: str) -> None:
    law = load_law(LAWS[name])
    found = describe(law)
    x, magnitudes = drawn(torch, law)
    assert x.shape == (COUNT, law.dimension)
    assert magnitudes.shape == (COUNT, len(found.features))
    agrees((magnitudes > 0).astype(float), found.firing)
    agrees(x, found.mean)
    away = x - found.mean
    agrees((away[:, :, None] * away[:, None, :]).reshape(COUNT, -1), found.covariance.ravel())


@pytest.mark.parametrize("name", [name for name in LAWS if name != "remainder"])
def test_active_sets_are_the_laws(torch: Any, name: str) -> None:
    law = load_law(LAWS[name])
    _, magnitudes = drawn(torch, law)
    found = Counter(tuple(np.nonzero(row)[0].tolist()) for row in magnitudes)
    assert set(found) == set(law.active)
    for chosen, part in zip(law.active, law.components, strict=True):
        p = float(part.probability)
        assert abs(found[chosen] / COUNT - p) <= ERRORS * np.sqrt(p * (1 - p) / COUNT)


def test_numbers_by_hand(torch: Any) -> None:
    """Magnitudes 1, directions and bias whole numbers: x is one of four points."""
    law = load_law({"features": 2, "firing": [0.5, 0.25], "embedding": [[1, 2], [0, -3]],
                    "bias": [5, 7]})  # fmt: skip
    x, magnitudes = drawn(torch, law)
    assert set(magnitudes.ravel()) == {0.0, 1.0}
    found = Counter(map(tuple, x.tolist()))
    expected = {(5, 7): 0.375, (6, 9): 0.375, (5, 4): 0.125, (6, 6): 0.125}
    assert set(found) == set(expected)
    for point, p in expected.items():
        assert abs(found[point] / COUNT - p) <= ERRORS * np.sqrt(p * (1 - p) / COUNT)


def test_magnitudes_are_the_laws(torch: Any) -> None:
    """Uniform ones, one shared by both sets of a law: SAELens itself knows neither."""
    _, magnitudes = drawn(torch, load_law("shared"))
    first, second = magnitudes[:, :2].sum(axis=1), magnitudes[:, 2:].sum(axis=1)
    np.testing.assert_array_equal(first, second)
    agrees(np.column_stack([first, first**2, first < 0.25]), [1 / 2, 1 / 3, 1 / 4])


def test_negative_magnitudes_are_clipped(torch: Any) -> None:
    """In the share that the law's description reports, Φ(-1) here."""
    law = load_law({"features": 1, "firing": 1, "magnitude": {"normal": [1, 1]}})
    _, magnitudes = drawn(torch, law)
    assert magnitudes.min() == 0
    agrees((magnitudes == 0).astype(float), 0.158655253931457)
    assert describe(law).clipped == pytest.approx(0.158655253931457)


def test_pytorchs_seed_decides(torch: Any) -> None:
    law = load_law(LAWS["tree"])
    first, again = drawn(torch, law, 100, seed=4), drawn(torch, law, 100, seed=4)
    np.testing.assert_array_equal(first, again)
    assert np.any(first[0] != drawn(torch, law, 100, seed=5)[0])
    data = to_saelens(law)
    assert not torch.equal(data.generator.sample(100), data.generator.sample(100))


@pytest.mark.parametrize("name", ["saved_plain", "saved_tree", "saved_correlated"])
def test_laws_of_saved_models_are_what_saelens_draws(torch: Any, name: str) -> None:
    """The other way: a folder of SAELens, read as a law, against its own samples."""
    synthetic = importlib.import_module("sae_lens.synthetic")
    model = synthetic.SyntheticModel.load_from_disk(SAVED / name)
    found = describe(load_law(SAVED / name))
    torch.manual_seed(0)
    with torch.no_grad():
        magnitudes = model.activation_generator.sample(COUNT)
        x = model.feature_dict(magnitudes).double().numpy()
    agrees((magnitudes.numpy() > 0).astype(float), found.firing)
    agrees(x, found.mean)
    away = x - found.mean
    agrees((away[:, :, None] * away[:, None, :]).reshape(COUNT, -1), found.covariance.ravel())


@pytest.mark.parametrize(
    "document",
    [
        {"features": 2, "firing": 0.5, "noise": 0.1},
        {"features": 2, "firing": 0.5, "magnitude": {"normal": [1, 0.1]}, "noise": 0.1},
        {"features": 1, "firing": 1, "magnitude": {"normal": [1, 0.1]}, "noise": 0.1},
        {"features": 2, "firing": 0, "noise": 0.1},
        {"features": 20, "firing": 0.3, "noise": 0.1},
    ],
    ids=["constant", "normal", "always", "alone", "remainder"],
)
def test_noise_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="noise: expected a law without noise, for SAELens"):
        to_saelens(load_law(document))


def test_a_law_without_features_is_refused() -> None:
    part = Component(
        sympy.Integer(1), sympy.ImmutableMatrix(2, 0, []), sympy.ImmutableMatrix([3, 4])
    )
    with pytest.raises(InputError, match="law: expected a law that is given by features, got 'po"):
        to_saelens(Law((part,), "point"))
    features = (((sympy.Integer(1), sympy.Integer(0)),),)
    with pytest.raises(InputError, match="law: expected a law that is given by features"):
        # It does not say how large they are.
        to_saelens(Law((part,), "point", features))


@pytest.mark.parametrize("name", ["independent", "normal", "one-hot sets"])
def test_sae_lens_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for module in ("sae_lens", "sae_lens.synthetic"):
        monkeypatch.setitem(sys.modules, module, None)
    message = r"saelens: expected sae-lens 6 installed: pip install 'sae-theory\[saelens\]'"
    with pytest.raises(InputError, match=message):
        to_saelens(load_law(LAWS[name]))
