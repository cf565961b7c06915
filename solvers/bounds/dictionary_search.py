"""Longest closed paths round the circle: a bound on all dictionaries of a width.

The gain of a dictionary is a sum over neighbouring atoms (`solvers.bounds.sector_losses`), so the
best dictionary of N atoms is a longest closed path that goes round once in N steps, and no search
in N dimensions. `PathSearch` is branch and bound on the steps:

1. Cut the turn into cells. A path of cells stands for all dictionaries with an atom in each; the
   gains of its gaps and cells bound theirs from above, and add up. A cell may be repeated, and
   neighbouring cells may follow each other, with no gap to gain from.
2. For every step i → j find the longest closed path through it, by max-plus products. A path
   passes the first cell's start in exactly one of its steps, which is kept apart from the
   others, so that no path closes without going round.
3. Steps that no dictionary of less than (1 - gap) · incumbent can take are discarded, and the
   cells of the others halved. The least bound of all that remain or were discarded is proven.

Cells of width w cost O(w) in the bound, but only steps within O(√w) of the optimum remain.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from solvers.bounds.sector_losses import SectorLosses

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Progress = Callable[[int, int], None]

TURN = 2 * math.pi
_FIRST_CELLS = 32
# Where the first cell starts, in its own width: irrational, so that no cell of any level ends on
# a ray of the law whose angle is a fraction of the turn. It would count for both neighbours.
_ORIGIN = (math.sqrt(5) - 1) / 2
# Central differences of a loss that is good to 1e-15.
_STEP = 1e-5
# The steps of all tilts and their max-plus powers may take this many numbers.
_LARGEST_POWERS = 4 * 10**7


class Steps(NamedTuple):
    """Something for every step i → j between sorted cells, (n, n) arrays.

    `direct` for i ≤ j; `across` for those that pass the first cell's start, j ≤ i.
    """

    direct: Array
    across: Array


@dataclass(frozen=True)
class Budget:
    """What a search may spend: pairs of cells, and seconds."""

    boxes: int
    seconds: float


class PathSearch:
    """The best dictionary of a width, and a proven bound on all of them.

    Parameters
    ----------
    losses : SectorLosses
        If it has several tilts, `proven` holds for all of them, `optimum` for the first.
    n_atoms : int
        N.

    Examples
    --------
    All mass at (2, 0), λ = 2: an atom along it loses 4 - (2 - 1)², and no atom less.

    >>> from theory.laws.law import Component, Law
    >>> import sympy
    >>> from solvers.laws.arrays import law_arrays
    >>> point = Component(sympy.Integer(1), sympy.zeros(2, 0), sympy.ImmutableMatrix([2, 0]))
    >>> search = PathSearch(SectorLosses(law_arrays(Law((point,))), l1=2.0), 1)
    >>> search.seek(np.array([[1.0]]))
    >>> search.run(1e-3, Budget(10**5, 60.0))
    True
    >>> round(search.optimum, 9), 2.997 <= search.proven <= 3
    (3.0, True)
    """

    def __init__(self, losses: SectorLosses, n_atoms: int) -> None:
        self.losses = losses
        self.n_atoms = n_atoms
        # Each step is at most six expectations.
        self.margin = (1 + 6 * n_atoms) * losses.rounding
        self.optimum = float(losses.without_atoms[0])
        self.angles = np.zeros(n_atoms)
        self.proven = -math.inf
        self.boxes = self.levels = 0
        self.interrupted = False
        self._cells = np.arange(_FIRST_CELLS)
        self._count = _FIRST_CELLS
        every = np.ones((_FIRST_CELLS, _FIRST_CELLS), dtype=bool)
        self._alive = np.triu(every), np.tril(every)
        self._discarded = math.inf
        self._bounds = Steps(np.zeros((0, 0)), np.zeros((0, 0)))

    def seek(self, starts: Array) -> None:
        """Look for a better dictionary by local minimisation from rows of N angles."""
        for start in starts:
            goal = 1e-10 * self.losses.without_atoms[0]
            found = optimize.minimize(
                self._loss_and_gradient, start, jac=True, method="BFGS", options={"gtol": goal}
            )
            if found.fun < self.optimum:
                self.optimum = float(found.fun)
                self.angles = np.sort(np.mod(found.x, TURN))

    def run(self, gap: float, budget: Budget, progress: Progress | None = None) -> bool:
        """Halve cells until no dictionary is proven to lose less than (1 - gap) · optimum.

        Returns whether that was reached. `proven` is a proven bound after every level.
        """
        ends = time.monotonic() + budget.seconds
        try:
            while True:
                middles = self._level()
                if self.losses.dictionaries(middles)[0, 0] < self.optimum:
                    self.seek(middles)
                goal = (1 - gap) * self.optimum
                if progress is not None:
                    progress(self.boxes, budget.boxes)
                if self.proven >= goal:
                    return True
                self._discard(goal)
                if self._spent(budget.boxes, ends):
                    return False
        except KeyboardInterrupt:
            if not self.levels:
                raise
            self.interrupted = True
            return False

    def rises_to(self, goal: float, budget: Budget) -> bool:
        """Tell whether every dictionary is proven to lose at least `goal`, with every tilt.

        Stops at the first dictionary that does not; `optimum` and `angles` are the last of
        those tried, with the first tilt.
        """
        ends = time.monotonic() + budget.seconds
        while True:
            middles = self._level()
            if self.proven >= goal:
                return True
            losses = self.losses.dictionaries(middles)[:, 0]
            self.optimum, self.angles = float(losses[0]), middles[0]
            self._discard(goal)
            if losses.min() < goal or self._spent(budget.boxes, ends):
                return False

    def _level(self) -> Array:
        """Bound the steps between the present cells; return the middles of the best path."""
        best = math.inf
        bounds = []
        for gains, nothing in zip(self._gains(), self.losses.without_atoms, strict=True):
            through, path = longest_paths(gains, self.n_atoms)
            bounds.append([nothing - part - self.margin for part in through])
            least = float(bounds[-1][1].min())
            if least < best:
                best, middles = least, self._angles_of(self._cells[path] + 0.5)
        self._bounds = Steps(*(np.min(parts, axis=0) for parts in zip(*bounds, strict=True)))
        self.proven = max(self.proven, min(best, self._discarded))
        self.levels += 1
        return middles[None]

    def _discard(self, goal: float) -> None:
        """Keep the steps that may be part of a dictionary below the goal, and halve cells."""
        keep = [part < goal for part in self._bounds]
        for part, kept in zip(self._bounds, keep, strict=True):
            least = float(np.min(part[~kept], initial=math.inf))
            self._discarded = min(self._discarded, least)
        self._halve(*keep)

    def _spent(self, max_boxes: int, ends: float) -> bool:
        """Tell whether the next level would be too much, or too late."""
        ahead = self.boxes + sum(int(part.sum()) for part in self._alive)
        numbers = len(self._cells) ** 2 * (self.n_atoms + 2 * len(self.losses.tilts))
        return ahead > max_boxes or numbers > _LARGEST_POWERS or time.monotonic() > ends

    def _loss_and_gradient(self, angles: Array) -> tuple[float, Array]:
        steps = _STEP * np.eye(self.n_atoms)
        values = self.losses.dictionaries(np.vstack([angles, angles + steps, angles - steps]))[0]
        above, below = np.split(values[1:], 2)
        return float(values[0]), (above - below) / (2 * _STEP)

    def _angles_of(self, positions: NDArray[np.number]) -> Array:
        """Return the angles at positions counted in cells of the present level."""
        origin = _ORIGIN * TURN / _FIRST_CELLS
        return origin + np.asarray(positions, dtype=np.float64) * (TURN / self._count)

    def _gains(self) -> list[Steps]:
        """Return bounds on what steps gain, for every tilt.

        A step i → j gains its gap, and cell j unless that is i again.
        """
        low, high = self._angles_of(self._cells), self._angles_of(self._cells + 1)
        inside = self.losses.cells(low, high)
        right, left = self.losses.sides(high, 1), self.losses.sides(low, -1)
        parts = []
        for alive, wrap in zip(self._alive, (0, 1), strict=True):
            i, j = np.nonzero(alive)
            between = self._cells[j] - self._cells[i] - 1 + wrap * self._count
            gain = np.where(between >= 0, inside[:, j], 0.0)
            (apart,) = np.nonzero(between > 0)
            start, end = i[apart], j[apart]
            gain[:, apart] += right[:, start] + left[:, end]
            gain[:, apart] += self.losses.corners(high[start], low[end] + wrap * TURN)
            full = np.full((len(gain), *alive.shape), -math.inf)
            full[:, i, j] = gain
            parts.append(full)
            self.boxes += len(i)
        return [Steps(*both) for both in zip(*parts, strict=True)]

    def _halve(self, direct: Mask, across: Mask) -> None:
        """Replace every cell by its halves, and drop those that no step uses."""
        cells = (2 * self._cells[:, None] + np.arange(2)).ravel()
        halves = np.ones((2, 2), dtype=bool)
        direct, across = np.triu(np.kron(direct, halves)), np.tril(np.kron(across, halves))
        either = direct | across
        used = either.any(axis=0) & either.any(axis=1)
        self._cells, self._count = cells[used], 2 * self._count
        self._alive = direct[np.ix_(used, used)], across[np.ix_(used, used)]


def longest_paths(gains: Steps, n_steps: int) -> tuple[Steps, list[int]]:
    """Return the gain of the longest closed path through each step, and the longest of all.

    The first is -∞ where there is none; the second is n cells from the smallest angle on.

    Examples
    --------
    Two cells, two steps: from one to the other and across back, or twice in one cell.

    >>> direct = np.array([[0.0, 5.0], [-np.inf, 0.0]])
    >>> across = np.array([[1.0, -np.inf], [2.0, 1.0]])
    >>> through, path = longest_paths(Steps(direct, across), 2)
    >>> through.across.tolist(), path
    ([[1.0, -inf], [7.0, 1.0]], [0, 1])
    """
    direct = _direct_powers(gains.direct, n_steps)
    # All but the step itself: n - 1 steps from j back to i, across exactly if it is not.
    rest = np.full_like(gains.direct, -math.inf)
    for power in direct[:-1]:
        rest = np.maximum(_product(rest, gains.direct), _product(power, gains.across))
    through = Steps(gains.direct + rest.T, gains.across + direct[-1].T)

    last, here = divmod(int(through.across.argmax()), len(rest))
    path = [here]
    for power in direct[-2::-1]:
        path.append(int((gains.direct[path[-1]] + power[:, last]).argmax()))
    return through, path


def _direct_powers(direct: Array, count: int) -> list[Array]:
    """Return the longest paths of 0, 1, ..., count - 1 direct steps between all cells."""
    powers = [np.where(np.eye(len(direct), dtype=bool), 0.0, -math.inf)]
    for _ in range(count - 1):
        powers.append(_product(powers[-1], direct))
    return powers


def _product(first: Array, second: Array) -> Array:
    """Return max_k first_ik + second_kj, row by row to keep memory small."""
    longest = np.full_like(first, -math.inf)
    for row, into in zip(first, longest, strict=True):
        finite = row > -math.inf
        if finite.any():
            np.max(row[finite, None] + second[finite], axis=0, out=into)
    return longest
