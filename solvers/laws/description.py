"""What a law is, in numbers: who is active with whom, mean, covariance, what is exact on it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from solvers.laws.arrays import LawArrays, law_arrays, number
from solvers.laws.samples import directions
from solvers.runtime.arguments import checked
from theory.laws.features import NORMAL, Remainder
from theory.laws.law import Law

Array = NDArray[np.float64]

_PLANE_CELLS = "points, segments and parallelograms only"
_REFUSED = "refused: laws of few enough active sets only"


class Reduction(NamedTuple):
    """What can be computed on a law, and how.

    Parameters
    ----------
    name : str
    exact : bool
        To rounding.
    how : str
        What is done, or what stands in the way.
    """

    name: str
    exact: bool
    how: str


@dataclass(frozen=True, eq=False)
class LawDescription:
    """A law in numbers, which are exact to rounding, whether or not a loss on it is.

    Parameters
    ----------
    law : Law
    features : (n, d) array
        Directions; of a law without features, no row.
    firing : (n,) array
        Probability that each feature is active.
    l0 : float or None
        Expected number of active features; None of a law without features.
    clipped : float
        Expected number of active features whose normal magnitude is below 0, a sample:
        libraries clip these at 0, and the law does not.
    mean : (d,) array
    covariance : (d, d) array
    variances : (d,) array
        Of the principal components, largest first.
    principal_components : (d, d) array
        One a row, its largest entry positive.
    reductions : tuple of Reduction
        What is exact on this law, and what is not.
    """

    law: Law
    features: Array
    firing: Array
    l0: float | None
    clipped: float
    mean: Array
    covariance: Array
    variances: Array
    principal_components: Array
    reductions: tuple[Reduction, ...]


@checked
def describe(law: Law) -> LawDescription:
    """Return what a law is in numbers.

    Examples
    --------
    >>> from theory import load_law
    >>> found = describe(load_law({"features": 2, "firing": [0.5, 0.25]}))
    >>> found.firing.tolist(), found.l0, found.variances.tolist()
    ([0.5, 0.25], 0.75, [0.25, 0.1875])
    >>> found.reductions[0]
    Reduction(name='loss and gradient', exact=True, how='moments of pairs')
    """
    arrays, features = law_arrays(law), directions(law)
    if law.remainder is None:
        firing = np.zeros(len(features))
        for chosen, part in zip(law.active, law.components, strict=False):
            firing[list(chosen)] += number(part.probability, law.name)
        mean = arrays.mean
        # About the mean, so that it is accurate far from 0 too.
        covariance = arrays.moved(arrays.mean, 1.0).second_moment
    else:
        firing, mean, covariance = _by_rule(law.remainder, features)
    variances, columns = np.linalg.eigh(covariance)
    axes = columns.T[::-1]
    # Of the two signs that whose largest entry is positive.
    largest = np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1)
    return LawDescription(
        law,
        features,
        firing,
        float(firing.sum()) if law.active or law.remainder is not None else None,
        float(firing @ _below_zero(law, len(features))),
        mean,
        covariance,
        np.maximum(variances[::-1], 0.0),
        axes * np.where(largest < 0, -1.0, 1.0),
        _reductions(law, arrays),
    )


def _by_rule(remainder: Remainder, features: Array) -> tuple[Array, Array, Array]:
    """Return firing probabilities, mean and covariance of a firing rule, exactly."""
    n = len(features)
    # What else fires wherever a feature does, itself included, and one unit's chance each.
    needs: dict[int, frozenset[int]] = {}
    chance, unit_of = np.zeros(n), np.zeros(n, dtype=int)
    for place, unit in enumerate(remainder.units):
        above = frozenset() if unit.parent is None else needs[unit.parent]
        for feature, p in zip(unit.features, unit.chances, strict=True):
            needs[feature] = above | {feature}
            chance[feature], unit_of[feature] = float(p), place
    both = np.zeros((n, n))
    for i in range(n):
        for j in range(i, n):
            together = list(needs[i] | needs[j])
            if len({unit_of[feature] for feature in together}) == len(together):
                both[i, j] = both[j, i] = float(np.prod(chance[together]))
    firing = np.diagonal(both)
    means = np.array([float(m.mean) for m in remainder.magnitudes])
    variances = np.array([float(m.variance) for m in remainder.magnitudes])
    second = both * np.outer(means, means) + np.diag(firing * variances)
    mean = (firing * means) @ features
    covariance = features.T @ (second - np.outer(firing * means, firing * means)) @ features
    covariance += float(remainder.noise) ** 2 * np.eye(features.shape[1])
    return firing, mean + np.array([float(b) for b in remainder.bias] or 0.0), covariance


def _below_zero(law: Law, count: int) -> Array:
    """Return the probability that each feature's magnitude is below 0, if it is active."""
    found = np.zeros(count)
    if law.remainder is not None:
        return np.array([float(m.clipped_at) for m in law.remainder.magnitudes])
    for chosen, rows, part in zip(law.active, law.magnitudes, law.components, strict=False):
        if part.base == NORMAL:
            for feature, (constant, *slopes) in zip(chosen, rows, strict=True):
                deviation = float(np.linalg.norm([float(slope) for slope in slopes]))
                if deviation > 0:
                    found[feature] = special.ndtr(-float(constant) / deviation)
    return found


def _reductions(law: Law, arrays: LawArrays) -> tuple[Reduction, ...]:
    exact, plane = arrays.exact, arrays.in_plane_cells
    cells = "cell by cell" if plane else f"refused: {_PLANE_CELLS}"
    lines = "line by line, with gradient" if plane else f"refused: {_PLANE_CELLS}"
    if not exact:
        cells = "with a standard error" if plane else cells
    certified = exact and not arrays.normals and arrays.dimension == 2
    found = "moments of pairs"
    if law.remainder is not None:
        share = float(law.remainder.probability)
        found = f"points stand for active sets of probability {share:.3g}: with a standard error"
    bound = "in closed form" if plane and exact else "from below by the midpoint rule"
    return (
        Reduction("loss and gradient", exact, found),
        Reduction(
            "second derivatives",
            plane and exact,
            "moments on boundaries" if plane else "central differences of the gradient",
        ),
        Reduction("radial bound", plane and exact, bound),
        Reduction("best activations", plane and exact, cells if exact else _REFUSED),
        Reduction("relative loss", plane and exact, cells),
        Reduction("TopK and Gated SAEs", plane and exact, lines),
        Reduction(
            "certificate",
            certified,
            "over all dictionaries"
            if certified
            else "refused: planar laws without normal magnitudes only",
        ),
    )
