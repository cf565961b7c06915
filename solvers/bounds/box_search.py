"""Branch and bound over boxes of b_dec: the least value of a function, proven from below.

A box is halved along its longest side while its bound is below the goal; the boxes with the least
bounds come first, many at a time. What is proven is the least bound of the boxes that are left
and of those that were put aside, and holds whenever the search stops.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_AT_ONCE = 2048


class BoxBounds(Protocol):
    """A function of b, and bounds on it in boxes."""

    @property
    def box(self) -> tuple[Array, Array]:
        """The lowest and highest corner of a box that holds a minimum, (d,) each."""

    @property
    def floor(self) -> float:
        """What the function is not below anywhere."""

    @property
    def cost(self) -> int:
        """What one box costs, in numbers that are computed."""

    def starts(self) -> Array:
        """Return rows b where the function may be small."""

    def values(self, b: Array) -> Array:
        """Return the function at rows b."""

    def bounds(self, middle: Array, half: Array) -> Array:
        """Return what the function is at least in boxes, for rows of middles and half widths."""


@dataclass(frozen=True)
class Least:
    """The least value of a function of b.

    Parameters
    ----------
    proven : float
        It is not below this.
    value : float
        The least that was found.
    b : (d,) array
        Where.
    boxes : int
        How many were looked at.
    """

    proven: float
    value: float
    b: Array
    boxes: int


def least_over_boxes(function: BoxBounds, gap: float, budget: int) -> Least:
    """Return the least value of a function, proven up to a relative gap or as the budget allows.

    Parameters
    ----------
    function : BoxBounds
    gap : float in (0, 1)
    budget : int
        How many numbers may be computed, about.

    Examples
    --------
    The distance from the point 1/3 on a line, by intervals:

    >>> class Distance:
    ...     box, floor, cost = (np.array([0.0]), np.array([1.0])), 0.0, 1
    ...     def starts(self): return np.zeros((0, 1))
    ...     def values(self, b): return 1 + np.abs(b[:, 0] - 1 / 3)
    ...     def bounds(self, middle, half): return np.maximum(self.values(middle) - half[:, 0], 1)
    >>> least = least_over_boxes(Distance(), 1e-6, 1000)
    >>> least.proven, bool(least.value < 1 + 1e-6), least.boxes < 100
    (1.0, True, True)
    """
    low, high = function.box
    middle, half = (low + high)[None] / 2, (high - low)[None] / 2
    tried = np.vstack([function.starts(), middle])
    values = function.values(tried)
    best = int(values.argmin())
    value, b = float(values[best]), tried[best]
    bounds = np.maximum(function.bounds(middle, half), function.floor)
    aside, boxes = np.inf, 1
    while len(bounds):
        open_ = bounds < (1 - gap) * value
        aside = min(aside, float(np.min(bounds[~open_], initial=np.inf)))
        middle, half, bounds = middle[open_], half[open_], bounds[open_]
        if not len(bounds) or boxes * function.cost >= budget:
            break
        order = np.argsort(bounds, kind="stable")
        first, rest = order[:_AT_ONCE], order[_AT_ONCE:]
        parts = _halves(middle[first], half[first])
        values = function.values(parts[0])
        if values.min() < value:
            value, b = float(values.min()), parts[0][values.argmin()]
        # A part is not below what the whole is not below.
        inherited = np.tile(bounds[first], 2)
        found = np.maximum(function.bounds(*parts), inherited)
        middle = np.vstack([parts[0], middle[rest]])
        half = np.vstack([parts[1], half[rest]])
        bounds = np.concatenate([found, bounds[rest]])
        boxes += len(found)
    return Least(min(aside, float(np.min(bounds, initial=np.inf))), value, b, boxes)


def _halves(middle: Array, half: Array) -> tuple[Array, Array]:
    """Return boxes cut in two along their longest sides."""
    rows, longest = np.arange(len(half)), half.argmax(axis=1)
    smaller = half.copy()
    smaller[rows, longest] /= 2
    step = np.zeros_like(half)
    step[rows, longest] = smaller[rows, longest]
    return np.vstack([middle - step, middle + step]), np.vstack([smaller, smaller])
