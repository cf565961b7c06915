"""Samples of a law, and of its features' magnitudes."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from solvers.laws.arrays import Cubes, Normals, law_arrays, number
from solvers.laws.remainder import FiringRule
from solvers.runtime.arguments import check_whole, checked
from theory.exact.errors import InputError
from theory.laws.features import NORMAL
from theory.laws.law import Law

Array = NDArray[np.float64]

# Samples at a time, where each takes its component's matrix along.
_BLOCK = 2**16


class Sampler:
    """Draws samples of a law.

    Parameters
    ----------
    law : Law

    Examples
    --------
    >>> from theory import load_law
    >>> x = Sampler(load_law("shared"))(np.random.default_rng(0), 5)
    >>> bool(np.all(np.abs(x[:, 0]) == np.abs(x[:, 1])))
    True
    """

    def __init__(self, law: Law) -> None:
        self.law = law
        if law.remainder is not None:
            self.rule = FiringRule(law.remainder, law.dimension)
            return
        arrays = law_arrays(law)
        self.cubes = max((group.cube_dimension for group in arrays.cubes), default=0)
        self.normals = max((group.factor.shape[2] for group in arrays.normals), default=0)
        groups: list[Cubes | Normals] = [*arrays.cubes, *arrays.normals]
        self.probability = np.concatenate([group.probability for group in groups])
        self.probability = self.probability / self.probability.sum()
        padded = []
        for cubes in arrays.cubes:
            missing = self.cubes - cubes.cube_dimension + self.normals
            padded.append(np.pad(cubes.affine, ((0, 0), (0, 0), (0, missing))))
        for normals in arrays.normals:
            between = np.zeros((*normals.mean.shape, self.cubes))
            padded.append(
                np.concatenate([normals.mean[:, :, None], between, normals.factor], axis=2)
            )
        self.affine = np.concatenate(padded)

    def __call__(self, rng: np.random.Generator, count: int) -> Array:
        """Return samples of shape (count, d)."""
        if self.law.remainder is not None:
            uniform = rng.random((count, self.rule.coordinates))
            return self.rule.points(uniform, directions(self.law))
        chosen = self.affine[rng.choice(len(self.probability), size=count, p=self.probability)]
        u = rng.random((count, self.cubes))
        if self.normals:
            u = np.hstack([u, rng.standard_normal((count, self.normals))])
        x: Array = chosen[:, :, 0] + np.einsum("ndk,nk->nd", chosen[:, :, 1:], u)
        return x


def directions(law: Law) -> Array:
    """Return the feature directions, one a row.

    Examples
    --------
    >>> from theory import load_law
    >>> directions(load_law("shared")).tolist()
    [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]
    """
    rows = [feature for group in law.features for feature in group]
    found = np.array([[number(entry, law.name) for entry in row] for row in rows])
    return found.reshape(len(rows), law.dimension)


@checked
def sample(law: Law, samples: int, seed: int = 0) -> Array:
    """Return samples of a law, (samples, d); a seed gives the same ones every time.

    Examples
    --------
    >>> from theory import load_law
    >>> sample(load_law({"features": 2, "firing": 1}), 3).tolist()
    [[1.0, 1.0], [1.0, 1.0], [1.0, 1.0]]
    """
    check_whole("samples", samples, 1)
    check_whole("seed", seed, 0)
    sampler, rng = Sampler(law), np.random.default_rng(seed)
    # All of it at once, so that what does not fit in memory is refused at once.
    x = np.empty((samples, law.dimension))
    for start in range(0, samples, _BLOCK):
        x[start : start + _BLOCK] = sampler(rng, min(_BLOCK, samples - start))
    return x


@checked
def sample_features(law: Law, samples: int, seed: int = 0) -> tuple[Array, Array]:
    """Return samples of a law, and the magnitudes of the features they are made of.

    Returns
    -------
    x : (samples, d) array
        magnitudes · (feature directions), plus the noise if the law has any.
    magnitudes : (samples, features) array
        0 where a feature is not active.

    Raises
    ------
    InputError
        If the law is not given by features.

    Examples
    --------
    >>> from theory import load_law
    >>> x, magnitudes = sample_features(load_law("shared"), 4)
    >>> bool(np.all(magnitudes @ [[1, 0], [-1, 0], [0, 1], [0, -1]] == x))
    True
    """
    check_whole("samples", samples, 1)
    check_whole("seed", seed, 0)
    return draw_features(law, np.random.default_rng(seed), samples)


def draw_features(law: Law, rng: np.random.Generator, samples: int) -> tuple[Array, Array]:
    """Return samples and the magnitudes of their features; see `sample_features`."""
    if law.remainder is not None:
        rule = FiringRule(law.remainder, law.dimension)
        uniform = rng.random((samples, rule.coordinates))
        return rule.points(uniform, directions(law)), rule.magnitudes(uniform)
    if not law.magnitudes:
        raise InputError("law", "a law that is given by features", law.name)
    chance = np.array([number(part.probability, law.name) for part in law.components])
    chosen = rng.choice(len(chance), size=samples, p=chance / chance.sum())
    x, drawn = np.zeros((samples, law.dimension)), np.zeros((samples, len(directions(law))))
    for c in np.unique(chosen):
        part, rows = law.components[c], np.nonzero(chosen == c)[0]
        shape = (len(rows), part.base_dimension)
        u = rng.standard_normal(shape) if part.base == NORMAL else rng.random(shape)
        matrix = np.array(part.matrix.tolist(), dtype=np.float64).reshape(law.dimension, shape[1])
        offset = np.array(part.offset.tolist(), dtype=np.float64)[:, 0]
        x[rows] = u @ matrix.T + offset
        sizes = np.array(law.magnitudes[c], dtype=np.float64).reshape(
            len(law.active[c]), 1 + part.base_dimension
        )
        if len(sizes):
            drawn[np.ix_(rows, law.active[c])] = sizes[:, 0] + u @ sizes[:, 1:].T
    return x, drawn


@checked
def batches(law: Law, batch_size: int, seed: int = 0) -> Iterator[Any]:
    """Yield samples of a law for a training loop of PyTorch, for as long as one asks.

    Parameters
    ----------
    law : Law
    batch_size : int ≥ 1
    seed : int ≥ 0

    Yields
    ------
    (batch_size, d) tensor of float32

    Raises
    ------
    InputError
        If PyTorch, the extra `torch`, is not installed.

    Examples
    --------
    >>> from theory import load_law
    >>> batch = next(batches(load_law("shared"), 3))
    >>> batch.shape, batch.dtype
    (torch.Size([3, 2]), torch.float32)
    """
    check_whole("batch_size", batch_size, 1)
    check_whole("seed", seed, 0)
    try:
        import torch  # noqa: PLC0415
    except ImportError:
        raise InputError("torch", "PyTorch installed: pip install 'sae-theory[torch]'") from None
    sampler, rng = Sampler(law), np.random.default_rng(seed)
    return (torch.from_numpy(sampler(rng, batch_size)).float() for _ in iter(int, 1))
