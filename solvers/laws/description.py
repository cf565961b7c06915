"""What a law is, in numbers: who is active with whom, mean, covariance, principal components."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.laws.arrays import LawArrays, law_arrays
from solvers.laws.samples import Sampler
from solvers.runtime.arguments import check_whole, checked
from theory.laws.law import Law

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LawDescription:
    """A law in numbers.

    Parameters
    ----------
    law : Law
    features : (n, d) array
        Directions; of a law without features, no row.
    firing : (n,) array
        Probability that each feature is active.
    l0 : float or None
        Expected number of active features; None of a law without features.
    mean : (d,) array
    covariance : (d, d) array
    variances : (d,) array
        Of the principal components, largest first.
    principal_components : (d, d) array
        One a row, its largest entry positive.
    """

    law: Law
    features: Array
    firing: Array
    l0: float | None
    mean: Array
    covariance: Array
    variances: Array
    principal_components: Array


@checked
def describe(law: Law) -> LawDescription:
    """Return what a law is in numbers.

    Examples
    --------
    >>> from theory import load_law
    >>> found = describe(load_law({"features": 2, "firing": [0.5, 0.25]}))
    >>> found.firing.tolist(), found.l0, found.variances.tolist()
    ([0.5, 0.25], 0.75, [0.25, 0.1875])
    """
    arrays = law_arrays(law)
    rows = [feature for group in law.features for feature in group]
    features = np.array([[float(entry) for entry in row] for row in rows], dtype=np.float64)
    firing = np.zeros(len(rows))
    for chosen, part in zip(law.active, law.components, strict=False):
        firing[list(chosen)] += float(part.probability)
    covariance = _covariance(arrays)
    variances, columns = np.linalg.eigh(covariance)
    directions = columns.T[::-1]
    # Of the two signs that whose largest entry is positive.
    largest = np.take_along_axis(directions, np.abs(directions).argmax(axis=1)[:, None], axis=1)
    directions = directions * np.where(largest < 0, -1.0, 1.0)
    return LawDescription(
        law,
        features.reshape(len(rows), arrays.dimension),
        firing,
        float(firing.sum()) if law.active else None,
        arrays.mean,
        covariance,
        np.maximum(variances[::-1], 0.0),
        directions,
    )


def _covariance(arrays: LawArrays) -> Array:
    # About the mean, so that it is accurate far from 0 too.
    return arrays.moved(arrays.mean, 1.0).second_moment


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
    return Sampler(law_arrays(law))(np.random.default_rng(seed), samples)
