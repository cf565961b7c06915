"""Points that stand for the active sets a law has no components for: scrambled Sobol points.

Which features fire, and how large they are, is read off a point of the unit cube, one coordinate
for each unit of the firing rule, each magnitude and each coordinate of the noise. Points whose
active set has a component of its own are left out; the others share the remainder's
probability. The seed is fixed, so that a loss stays a deterministic function of the weights. As
many scramblings as `REPLICATES`, independent of each other, give a standard error.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import special
from scipy.stats import qmc

from theory.exact.errors import InputError
from theory.laws.features import NORMAL, Remainder
from theory.laws.law import Law

Array = NDArray[np.float64]

#: Independent scramblings, and points of each, if they are of few dimensions.
REPLICATES = 8
POINTS = 2**10
# Coordinates of x and of the unit cube that are drawn at once, at most.
_COORDINATES = 2**22
_SEED = 20261125
_LEAST = 2.0**-53
# Batches of points that are drawn before those outside are few enough to do without more.
_MOST_ROUNDS = 64


class FiringRule:
    """Draws active sets and magnitudes by a remainder's rule, from uniform numbers.

    Parameters
    ----------
    remainder : Remainder
    dimension : int
        d, of x.

    Examples
    --------
    >>> from sympy import S
    >>> from theory.laws.features import Magnitude, Unit
    >>> one = S.One
    >>> rule = FiringRule(Remainder(one, (Unit((0,), None, (one / 2,)),),
    ...                             (Magnitude("uniform", one, one),)), 1)
    >>> rule.magnitudes(np.array([[0.25, 0.5, 0.5], [0.75, 0.5, 0.5]])).tolist()
    [[1.5], [0.0]]
    """

    def __init__(self, remainder: Remainder, dimension: int) -> None:
        self.units = remainder.units
        self.chances = [np.array([float(p) for p in unit.chances]) for unit in self.units]
        sizes = remainder.magnitudes
        self.offset = np.array([float(m.offset) for m in sizes])
        self.scale = np.array([float(m.scale) for m in sizes])
        self.normal = np.array([m.base == NORMAL for m in sizes])
        self.noise = float(remainder.noise)
        self.bias = np.array([float(entry) for entry in remainder.bias or [0] * dimension])
        self.dimension = dimension

    @property
    def coordinates(self) -> int:
        """How many uniform numbers a draw takes."""
        return len(self.units) + len(self.offset) + self.dimension * (self.noise > 0)

    def active(self, uniform: Array) -> NDArray[np.bool_]:
        """Return which features fire, (N, n)."""
        fires = np.zeros((len(uniform), len(self.offset)), dtype=bool)
        for column, (unit, chances) in enumerate(zip(self.units, self.chances, strict=True)):
            chosen = np.searchsorted(np.cumsum(chances), uniform[:, column], side="right")
            for place, feature in enumerate(unit.features):
                fires[:, feature] = chosen == place
                if unit.parent is not None:
                    fires[:, feature] &= fires[:, unit.parent]
        return fires

    def magnitudes(self, uniform: Array) -> Array:
        """Return the features' magnitudes, 0 of those that do not fire, (N, n)."""
        start = len(self.units)
        base = uniform[:, start : start + len(self.offset)]
        base = np.where(self.normal, special.ndtri(np.maximum(base, _LEAST)), base)
        return np.where(self.active(uniform), self.offset + self.scale * base, 0.0)

    def points(self, uniform: Array, directions: Array) -> Array:
        """Return x, (N, d), for feature directions (n, d)."""
        x: Array = self.magnitudes(uniform) @ directions + self.bias
        if self.noise > 0:
            last = uniform[:, -self.dimension :]
            x += self.noise * special.ndtri(np.maximum(last, _LEAST))
        return x


@lru_cache(maxsize=16)
def drawn_remainder(law: Law, fresh: bool = False) -> tuple[tuple[float, ...], tuple[Array, ...]]:
    """Return for each replicate what a point weighs, and its points (N, d).

    Fresh ones are of other scramblings: weights have not been fitted to them. The weights of all
    replicates sum to the remainder's probability.

    Raises
    ------
    InputError
        If a law has so many features that no points fit, or what has no components is so rare
        that no point falls on it.
    """
    assert law.remainder is not None
    rule = FiringRule(law.remainder, law.dimension)
    directions = np.array(
        [[float(entry) for entry in row] for group in law.features for row in group]
    )
    wide = max(rule.coordinates, law.dimension)
    if wide > qmc.Sobol.MAXDIM:
        limit = f"at most {qmc.Sobol.MAXDIM:,} features and dimensions, to draw points"
        raise InputError("features", limit, wide)
    count = min(POINTS, 2 ** int(np.log2(_COORDINATES / wide / REPLICATES)))
    own = {np.isin(np.arange(len(directions)), chosen).tobytes() for chosen in law.active}
    seeds = np.random.SeedSequence(_SEED + fresh).spawn(REPLICATES)
    weights, points = [], []
    for seed in seeds:
        sobol = qmc.Sobol(rule.coordinates, rng=np.random.default_rng(seed))
        kept = np.zeros((0, rule.coordinates))
        # A small remainder is met seldom.
        for _ in range(_MOST_ROUNDS):
            uniform = sobol.random(count)
            fires = rule.active(uniform)
            outside = [row.tobytes() not in own for row in fires]
            kept = np.concatenate([kept, uniform[outside]])
            if len(kept) >= count // 2:
                break
        if not len(kept):
            hint = f"in {_MOST_ROUNDS * count:,} draws none of the rarer ones comes up"
            raise InputError("law", "its active sets listed under 'active'", hint=hint)
        x = rule.points(kept, directions)
        points.append(x)
        weights.append(float(law.remainder.probability) / REPLICATES / len(x))
    return tuple(weights), tuple(points)
