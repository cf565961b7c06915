"""Samples by their seed: the same ones, batches of them, and counts that are refused."""

import sys
from collections.abc import Callable
from itertools import islice
from typing import Any

import numpy as np
import pytest
import sympy
import torch

from solvers import batches, sample, sample_features
from solvers.laws.samples import Sampler
from tests.laws.test_samples import MANY_MEAN, agrees, many
from theory import Component, InputError, Law, load_law


def components() -> Law:
    document = {"features": 2, "firing": 0.5, "magnitude": {"normal": [1, 1]}, "noise": 1}
    return load_law(document)


LAWS: dict[str, Callable[[], Law]] = {
    "components": components,
    "remainder": lambda: many("uniform"),
}


@pytest.mark.parametrize("name", LAWS)
def test_a_seed_gives_the_same_samples(name: str) -> None:
    law = LAWS[name]()
    np.testing.assert_array_equal(sample(law, 100, seed=7), sample(law, 100, seed=7))
    np.testing.assert_array_equal(sample(law, 100), sample(law, 100, seed=0))
    assert np.all(np.any(sample(law, 100, seed=7) != sample(law, 100, seed=8), axis=0))
    for first, second in zip(
        sample_features(law, 100, seed=7), sample_features(law, 100, seed=7), strict=True
    ):
        np.testing.assert_array_equal(first, second)
    assert np.any(sample_features(law, 100, seed=7)[0] != sample_features(law, 100, seed=8)[0])


@pytest.mark.parametrize("name", LAWS)
def test_sampler_draws_on(name: str) -> None:
    """Of one generator every draw is new; and `sample` is one draw."""
    law = LAWS[name]()
    sampler, rng = Sampler(law), np.random.default_rng(3)
    first, second = sampler(rng, 100), sampler(rng, 100)
    np.testing.assert_array_equal(first, sample(law, 100, seed=3))
    assert not {*map(tuple, first)} & {*map(tuple, second)}
    assert sampler(rng, 1).shape == (1, law.dimension)


def test_many_samples() -> None:
    """They are drawn in blocks, which do not repeat and are of the law as well."""
    law = load_law({"features": 2, "firing": 1, "magnitude": {"uniform": [0, 1]}})
    for count in (2**16, 2**16 + 1, 2**17 + 5):
        x = sample(law, count)
        assert x.shape == (count, 2)
        assert len(np.unique(x[:, 0])) > 0.999 * count
        agrees(x, 1 / 2)
    x, magnitudes = sample_features(law, 70_000)
    assert x.shape == magnitudes.shape == (70_000, 2)
    x = sample(many("uniform"), 70_000)
    assert x.shape == (70_000, 4)
    agrees(x, MANY_MEAN)


def test_batches_are_tensors_that_do_not_repeat() -> None:
    law = components()
    drawn = list(islice(batches(law, 64, seed=2), 5))
    for batch in drawn:
        assert isinstance(batch, torch.Tensor)
        assert batch.dtype == torch.float32
        assert batch.shape == (64, 2)
        assert not batch.requires_grad
    assert len({tuple(row.tolist()) for batch in drawn for row in batch}) == 5 * 64
    again = list(islice(batches(law, 64, seed=2), 5))
    assert all(torch.equal(a, b) for a, b in zip(drawn, again, strict=True))
    assert not torch.equal(drawn[0], next(batches(law, 64, seed=3)))
    np.testing.assert_array_equal(drawn[0].numpy(), sample(law, 64, seed=2).astype(np.float32))


def test_batches_of_a_law_with_a_remainder() -> None:
    x = torch.cat(list(islice(batches(many("uniform"), 500), 20))).double().numpy()
    agrees(x, MANY_MEAN)


def test_batches_without_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(InputError, match=r"torch: expected PyTorch installed: pip install"):
        batches(load_law("shared"), 3)


def point(*entries: int) -> Law:
    """Return a law that is given by its components alone."""
    offset = sympy.ImmutableMatrix(entries)
    part = Component(sympy.Integer(1), sympy.ImmutableMatrix(len(entries), 0, []), offset)
    return Law((part,), "point")


def test_a_law_without_features_has_samples_but_no_magnitudes() -> None:
    law = point(3, 4)
    assert sample(law, 2).tolist() == [[3, 4], [3, 4]]
    assert next(batches(law, 1)).tolist() == [[3, 4]]
    with pytest.raises(
        InputError, match="law: expected a law that is given by features, got 'point'"
    ):
        sample_features(law, 2)


@pytest.mark.parametrize("count", [0, -1, 2.5, "3", True])
def test_wrong_counts_are_refused(count: Any) -> None:
    law = load_law("shared")
    for draw in (sample, sample_features):
        with pytest.raises(InputError, match="samples: expected a whole number"):
            draw(law, count)
    with pytest.raises(InputError, match="batch_size: expected a whole number"):
        batches(law, count)


def test_wrong_seeds_are_refused() -> None:
    law = load_law("shared")
    for draw in (sample, sample_features, batches):
        with pytest.raises(InputError, match="seed: expected a whole number ≥ 0"):
            draw(law, 3, -1)
