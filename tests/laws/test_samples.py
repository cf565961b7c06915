"""Samples of laws: what they are made of, and that they are of the law.

Sampled numbers are compared with closed forms at five of their standard errors; seeds are fixed.
"""

from collections import Counter
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from solvers import sample, sample_features
from solvers.laws.samples import directions
from theory import Law, load_law

Array = NDArray[np.float64]

COUNT = 40_000
ERRORS = 5

#: Twenty features have a million active sets, of which most have no component.
MANY = 20
MANY_FIRING = [0.05 + 0.02 * i for i in range(MANY)]


#: It takes half a second to see that there are too many; `many` keeps the laws.
MANY_VECTORS = np.random.default_rng(5).integers(-2, 3, size=(MANY, 4)).astype(float)
MANY_BIAS = [1, 2, 3, 4]
MANY_MEAN = 2 * np.array(MANY_FIRING) @ MANY_VECTORS + MANY_BIAS


@cache
def many(kind: str) -> Law:
    """Return a law with a remainder, of magnitudes of mean 2."""
    magnitude = {"normal": [2, 0.5]} if kind == "normal" else {"uniform": [1, 3]}
    law = load_law(
        {
            "features": MANY,
            "firing": MANY_FIRING,
            "magnitude": magnitude,
            "embedding": MANY_VECTORS.tolist(),
            "bias": MANY_BIAS,
        }
    )
    assert law.remainder is not None
    return law


def agrees(values: NDArray[Any], expected: Any) -> None:
    """Assert that a mean over rows is the expected one, to a few standard errors."""
    error = values.std(axis=0) / np.sqrt(len(values))
    assert np.all(np.abs(values.mean(axis=0) - expected) <= ERRORS * error + 1e-12)


def moments_agree(x: Array, mean: Array, covariance: Array) -> None:
    agrees(x, mean)
    away = x - mean
    agrees((away[:, :, None] * away[:, None, :]).reshape(len(x), -1), covariance.ravel())


def both_ways(document: dict[str, Any] | str, count: int = COUNT) -> tuple[Array, Array]:
    """Return samples of a law as they are drawn alone and together with magnitudes."""
    law = load_law(document)
    return sample(law, count, seed=1), sample_features(law, count, seed=2)[0]


MADE_OF: list[dict[str, Any]] = [
    {"features": 3, "firing": [0.5, 0.25, 1], "embedding": [[1, 0], [1, 1], [-2, 3]]},
    {"features": 2, "firing": 0.5, "magnitude": {"constant": 2}, "bias": [3, -4]},
    {
        "features": 3,
        "firing": 0.5,
        "parents": {"1": 0},
        "magnitude": [{"uniform": [1, 3]}, {"constant": 2}, {"uniform": [0, "1/2"]}],
        "bias": [0, 0, 1],
    },
    {
        "features": 3,
        "firing": 0.5,
        "magnitude": [{"normal": [1, 0.5]}, {"constant": 1}, {"normal": [2, 1]}],
        "embedding": [[1, 0.25, 3, 0], [0, 1, 1, 1], [1, -1, 0.5, 2]],
        "bias": [1, 2, 3, 4],
    },
    {"features": 2, "firing": 0.3, "correlation": 0.5, "magnitude": {"uniform": [0, 1]}},
    {"sets": [2, 3, 1], "amplitude": 2},
    {"sets": [2, 2], "magnitude_correlation": 0.25, "onehot_probability": 0.5},
    {"features": 2, "firing": 0},
]


@pytest.mark.parametrize("document", MADE_OF, ids=", ".join)
def test_x_is_made_of_the_magnitudes(document: dict[str, Any]) -> None:
    law = load_law(document)
    x, magnitudes = sample_features(law, 1000)
    vectors = document.get("embedding") or np.eye(magnitudes.shape[1])
    if document.get("sets") == [2, 2]:
        vectors = [[1, 0], [-1, 0], [0, 1], [0, -1]]
    np.testing.assert_array_equal(directions(law), vectors)
    bias = document.get("bias", 0)
    np.testing.assert_allclose(x, magnitudes @ vectors + bias, rtol=1e-14, atol=1e-14)
    assert x.shape == (1000, law.dimension)
    assert x.dtype == magnitudes.dtype == np.float64


def test_x_is_made_of_the_magnitudes_of_many() -> None:
    law = many("normal")
    x, magnitudes = sample_features(law, 1000)
    np.testing.assert_array_equal(directions(law), MANY_VECTORS)
    np.testing.assert_allclose(x, magnitudes @ MANY_VECTORS + MANY_BIAS, rtol=1e-14, atol=1e-14)


def test_constant_magnitudes_are_exact() -> None:
    x, magnitudes = sample_features(load_law(MADE_OF[0]), 1000)
    assert set(magnitudes.ravel()) == {0.0, 1.0}
    np.testing.assert_array_equal(x, magnitudes @ np.array(MADE_OF[0]["embedding"]))


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            {"features": 2, "firing": [0.5, 0.25]},
            {(): 0.375, (0,): 0.375, (1,): 0.125, (0, 1): 0.125},
        ),
        # Two exclusive children of a feature.
        (
            {
                "features": 3,
                "firing": [0.5, 0.25, 0.5],
                "parents": {"1": 0, "2": 0},
                "exclusive": [[1, 2]],
            },
            {(): 0.5, (0,): 0.125, (0, 1): 0.125, (0, 2): 0.25},
        ),
        # One set alone in a quarter of the cases, either feature of it alike.
        (
            {"sets": [1, 2], "onehot_probability": 0.25},
            {(0, 1): 0.375, (0, 2): 0.375, (0,): 0.25 / 3, (1,): 0.25 / 3, (2,): 0.25 / 3},
        ),
        (
            {
                "features": 3,
                "active": [
                    {"features": [0, 2], "probability": 0.75},
                    {"features": [1], "probability": 0.25},
                ],
                "magnitude": {"normal": [1, 0.1]},
            },
            {(0, 2): 0.75, (1,): 0.25},
        ),
        # Two normals above 0 of correlation 1/2 are so in a third of the cases.
        (
            {"features": 2, "firing": 0.5, "correlation": 0.5},
            {(): 1 / 3, (0,): 1 / 6, (1,): 1 / 6, (0, 1): 1 / 3},
        ),
    ],
)
def test_frequencies_of_active_sets(
    document: dict[str, Any], expected: dict[tuple[int, ...], float]
) -> None:
    _, magnitudes = sample_features(load_law(document), COUNT)
    codes = (magnitudes != 0) @ (2 ** np.arange(magnitudes.shape[1]))
    found = Counter(codes.tolist())
    assert set(found) == {sum(2**i for i in chosen) for chosen in expected}
    for chosen, p in expected.items():
        frequency = found[sum(2**i for i in chosen)] / COUNT
        assert abs(frequency - p) < ERRORS * np.sqrt(p * (1 - p) / COUNT)


def test_of_each_one_hot_set_one_is_active() -> None:
    _, magnitudes = sample_features(load_law({"sets": [2, 3]}), COUNT)
    on = magnitudes > 0
    assert np.all(on[:, :2].sum(axis=1) == 1)
    assert np.all(on[:, 2:].sum(axis=1) == 1)
    agrees(on.astype(float), [1 / 2, 1 / 2, 1 / 3, 1 / 3, 1 / 3])


@pytest.mark.parametrize("f", [0, 0.5, 1])
def test_magnitude_correlation(f: float) -> None:
    """The second set's magnitude is A ((1-f) a2 + f a1), a1 that of the first."""
    amplitude = 2.0
    law = load_law({"sets": [2, 2], "magnitude_correlation": f, "amplitude": amplitude})
    _, magnitudes = sample_features(law, COUNT)
    a1, second = (
        magnitudes[:, :2].sum(axis=1) / amplitude,
        magnitudes[:, 2:].sum(axis=1) / amplitude,
    )
    rest = second - f * a1
    agrees(np.column_stack([a1, a1**2]), [1 / 2, 1 / 3])
    # The rest is uniform on [0, 1-f] and independent of a1.
    assert -1e-15 < rest.min() <= rest.max() < 1 - f + 1e-15
    agrees(np.column_stack([rest, rest**2]), [(1 - f) / 2, (1 - f) ** 2 / 3])
    agrees(a1 * second, (1 - f) / 4 + f / 3)
    correlation = np.corrcoef(a1, second)[0, 1]
    assert correlation == pytest.approx(f / np.hypot(f, 1 - f), abs=0.02)


def test_uniform_magnitudes() -> None:
    document = {"features": 2, "firing": [1, 0.5], "magnitude": {"uniform": [1, 3]}}
    _, magnitudes = sample_features(load_law(document), COUNT)
    first = magnitudes[:, 0]
    assert first.min() >= 1
    assert first.max() <= 3
    # A quarter in each half of each half, as is the mean of a square: (27 - 1) / (3 · 2).
    agrees(np.column_stack([first < 1.5, first < 2.5, first**2]), [0.25, 0.75, 13 / 3])
    on = magnitudes[:, 1] > 0
    agrees((first * magnitudes[:, 1])[on], 4)


def test_normal_magnitudes() -> None:
    """Below 0 too, for the law does not clip them."""
    document = {
        "features": 2,
        "firing": [1, 0.5],
        "magnitude": [{"normal": [1, 0.5]}, {"normal": [3, 0.25]}],
    }
    _, magnitudes = sample_features(load_law(document), COUNT)
    first, on = magnitudes[:, 0], magnitudes[:, 1] != 0
    second = magnitudes[on, 1]
    for values, mean, deviation in ((first, 1, 0.5), (second, 3, 0.25)):
        z = (values - mean) / deviation
        agrees(np.column_stack([z, z**2, z**3, z**4]), [0, 1, 0, 3])
    # Φ(-2).
    agrees(first < 0, 0.022750131948179)
    agrees((first[on] - 1) * (second - 3), 0)


@pytest.mark.parametrize(
    "features",
    [
        {"features": 3, "firing": 0.5},
        {"features": 3, "firing": 0.5, "magnitude": {"normal": [1, 0.5]}},
        {"features": MANY, "firing": MANY_FIRING},
    ],
    ids=["constant", "normal", "many"],
)
def test_noise(features: dict[str, Any]) -> None:
    """Beside the magnitudes there is noise, isotropic, normal, and independent of them."""
    d = int(features["features"])
    law = load_law({**features, "noise": 0.25, "bias": [2] * d})
    x, magnitudes = sample_features(law, COUNT)
    noise = (x - magnitudes - 2)[:, :3] / 0.25
    moments_agree(noise, np.zeros(3), np.eye(3))
    agrees(noise**4, 3)
    agrees(noise * (magnitudes[:, :3] - 1), 0)
    # There is noise where no feature is active, too.
    agrees(noise[np.all(magnitudes[:, :3] == 0, axis=1)] ** 2, 1)


def test_moments_of_independent_features() -> None:
    """E x = Σ p m v + bias; the covariance is Σ (p (m² + s²) - p² m²) v vᵀ + σ²."""
    p, m, s = np.array([0.5, 0.25, 0.75]), np.array([1.0, 2.0, 3.0]), np.array([0.5, 0.0, 1.0])
    vectors, bias = np.array([[1.0, 0.0], [1.0, 2.0], [-1.0, 1.0]]), np.array([5.0, -7.0])
    mean = (p * m) @ vectors + bias
    spread = p * (m**2 + s**2) - p**2 * m**2
    document = {
        "features": 3,
        "firing": p.tolist(),
        "magnitude": [{"normal": [a, b]} for a, b in zip(m, s, strict=True)],
        "embedding": vectors.tolist(),
        "bias": bias.tolist(),
    }
    for sigma in (0.0, 0.5):
        covariance = vectors.T @ np.diag(spread) @ vectors + sigma**2 * np.eye(2)
        for x in both_ways({**document, "noise": sigma}):
            moments_agree(x, mean, covariance)


def test_moments_of_different_components() -> None:
    """Points, segments and parallelograms, which are filled up to one width when drawn."""
    document = {
        "features": 2,
        "firing": [0.5, 0.25],
        "magnitude": [{"uniform": [0, 2]}, {"uniform": [1, 2]}],
        "bias": [1, 1],
    }
    # E m = 1 and 3/2, E m² = 4/3 and 7/3.
    mean = np.array([1.5, 1.375])
    spread = np.array([0.5 * 4 / 3 - 0.25, 0.25 * 7 / 3 - 0.375**2])
    for x in both_ways(document):
        moments_agree(x, mean, np.diag(spread))


def test_normal_samples() -> None:
    """Magnitude and noise together are normal again: all four moments."""
    document = {"features": 1, "firing": 1, "magnitude": {"normal": [1, 0.5]}, "noise": 0.25}
    for x in both_ways(document):
        z = (x - 1) / np.sqrt(0.5**2 + 0.25**2)
        agrees(np.hstack([z, z**2, z**3, z**4]), [0, 1, 0, 3])


def test_uniform_and_normal_magnitudes_in_one_law() -> None:
    """Each in components of its own: the one feature excludes the other, or none is active."""
    document = {
        "features": 2,
        "firing": [0.5, 0.25],
        "exclusive": [[0, 1]],
        "magnitude": [{"uniform": [0, 2]}, {"normal": [3, 0.5]}],
    }
    # E m = 1 and 3, E m² = 4/3 and 37/4.
    mean = np.array([0.5, 0.75])
    second = np.diag([0.5 * 4 / 3, 0.25 * 37 / 4])
    for x in both_ways(document):
        moments_agree(x, mean, second - np.outer(mean, mean))
        assert np.all(x[:, 0] * x[:, 1] == 0)
        assert x[:, 0].min() == 0
        assert x[:, 0].max() < 2
        agrees(x[x[:, 1] != 0, 1] < 3, 1 / 2)


def test_moments_of_presets() -> None:
    """Both have the covariance 1/3; of the first the two coordinates are of one size."""
    for name in ("shared", "independent"):
        for x in both_ways(name):
            moments_agree(x, np.zeros(2), np.eye(2) / 3)
            one_size = np.abs(np.abs(x[:, 0]) - np.abs(x[:, 1])) < 1e-15
            assert np.all(one_size) == np.any(one_size) == (name == "shared")


@pytest.mark.parametrize(("kind", "variance"), [("normal", 1 / 4), ("uniform", 1 / 3)])
def test_law_with_a_remainder(kind: str, variance: float) -> None:
    """All of it is sampled, not only the active sets that have no components."""
    p, law = np.array(MANY_FIRING), many(kind)
    x, magnitudes = sample_features(law, COUNT)
    on = magnitudes != 0
    agrees(on.astype(float), p)
    agrees(on[:, :1] & on[:, 1:], p[0] * p[1:])
    agrees(on.sum(axis=1), p.sum())
    # Likely active sets and unlikely ones: none at all, and the last two alone.
    agrees(~on.any(axis=1), np.prod(1 - p))
    agrees(~on[:, :-2].any(axis=1) & on[:, -2] & on[:, -1], np.prod(1 - p[:-2]) * p[-2] * p[-1])
    last = magnitudes[on[:, -1], -1]
    agrees(np.column_stack([last, (last - 2) ** 2]), [2, variance])
    covariance = MANY_VECTORS.T @ np.diag(p * (4 + variance) - 4 * p**2) @ MANY_VECTORS
    for drawn in (x, sample(law, COUNT, seed=3)):
        moments_agree(drawn, MANY_MEAN, covariance)


def test_remainder_of_a_tree() -> None:
    """Feature 0 has 18 children and an exclusive pair of them."""
    firing = [0.5, 0.25, 0.5, *[0.5] * 17]
    law = load_law(
        {
            "features": MANY,
            "firing": firing,
            "parents": {str(i): 0 for i in range(1, 19)},
            "exclusive": [[1, 2]],
        }
    )
    assert law.remainder is not None
    _, magnitudes = sample_features(law, COUNT)
    on = magnitudes > 0
    assert not np.any(on[:, 1:19] & ~on[:, :1])
    assert not np.any(on[:, 1] & on[:, 2])
    agrees(on.astype(float), [0.5, 0.125, 0.25, *[0.25] * 16, 0.5])
    agrees(on[:, 3] & on[:, 4], 0.125)
    agrees(on[:, 3] & on[:, 19], 0.125)
