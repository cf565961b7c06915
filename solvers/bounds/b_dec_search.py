"""A bound for every b_dec: branch and bound on squares of b_dec, each by closed paths of atoms.

For a dictionary D, and the larger D' that stands for a box of dictionaries, the loss is convex in
b_dec, so that for every b + c in a square about b (`solvers.bounds.sector_losses`)

    F(D, b + c) ≥ F(D', b) - 2 c·E P_Q'(x - b).

The right side is linear in c, so its least value over the square is at a corner; a closed-path
search with the four corners for tilts bounds all dictionaries and the whole square at once. A
square of half-width r loses O(r²) by it. One for which some dictionary's tangent is below the
goal is cut in four; the squares with the least bounds come first.

No loss is below the radial E h_λ(‖x - b‖), which by Jensen's inequality is at least h_λ at the
mean of x: more than g where ‖b - E x‖ > g/λ + λ/4, beyond the first square. Component by component
the inequality bounds a square before it is searched. Of quarters that a symmetry of the law maps
on each other one is searched; squares lie about E x, which every symmetry leaves where it is.
"""

import math
import time
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from solvers.bounds.dictionary_search import Budget, PathSearch, Progress
from solvers.bounds.sector_losses import SectorLosses
from solvers.laws.arrays import LawArrays
from solvers.laws.symmetries import symmetries

Array = NDArray[np.float64]

_STEP = 1e-5
# What one square may cost before it is cut; four quarters are cheaper than a long search.
_BOXES_A_SQUARE = 200_000
# Entries of a symmetry this close to 0 and ±1 are those.
_SIGNED = 1e-7
_AT_B = (0.0, 0.0)


@dataclass(order=True)
class _Square:
    """A square of b_dec about E x + middle, and a proven bound on every loss in it."""

    bound: float
    middle: tuple[float, float]
    half: float

    def quarters(self) -> "list[_Square]":
        """Return the quarters, with the same bound."""
        x, y = self.middle
        half = self.half / 2
        return [
            _Square(self.bound, (x + sign * half, y + other * half), half)
            for sign, other in product((-1, 1), repeat=2)
        ]

    @property
    def tilts(self) -> tuple[tuple[float, float], ...]:
        """No tilt, for the loss at the centre, and the corners."""
        ends = -self.half, self.half
        return (_AT_B, *((x, y) for x in ends for y in ends))


class EveryBDec:
    """The best dictionary and b_dec of a width, and a proven bound on all of them.

    Parameters
    ----------
    law : LawArrays
    l1 : float > 0
    n_atoms : int
    bound : float
        A bound that is proven already.

    Examples
    --------
    All mass at (2, 0): b_dec = (2, 0) loses nothing, so no bound can be above 0.

    >>> from theory.laws.law import Component, Law
    >>> import sympy
    >>> from solvers.laws.arrays import law_arrays
    >>> point = Component(sympy.Integer(1), sympy.zeros(2, 0), sympy.ImmutableMatrix([2, 0]))
    >>> search = EveryBDec(law_arrays(Law((point,))), 1.0, 1, 0.0)
    >>> search.seek(np.array([[0.0]]), np.array([[1.0, 0.0]]))
    >>> round(search.optimum, 9) + 0.0, search.b_dec.round(6).tolist(), search.proven
    (0.0, [2.0, 0.0], 0.0)
    """

    def __init__(self, law: LawArrays, l1: float, n_atoms: int, bound: float) -> None:
        self.law, self.l1, self.n_atoms = law, l1, n_atoms
        self.optimum = math.inf
        self.angles, self.b_dec = np.zeros(n_atoms), np.zeros(2)
        self.boxes = self.squares = 0
        self._least_settled = math.inf
        self._first_bound = bound
        self._open: list[_Square] = []
        self._symmetries = square_symmetries(law)

    @property
    def proven(self) -> float:
        """No dictionary with any b_dec loses less, rounding included."""
        if not self.squares:
            return self._first_bound
        return min([self._least_settled, *(square.bound for square in self._open[:1])])

    def seek(self, angles: Array, b_decs: Array) -> None:
        """Look for a better dictionary and b_dec by local minimisation from rows of both."""
        goal = 1e-10 * float(np.trace(self.law.second_moment))
        for start in np.hstack([angles, b_decs]):
            found = optimize.minimize(
                self._loss_and_gradient, start, jac=True, method="BFGS", options={"gtol": goal}
            )
            if found.fun < self.optimum:
                self.optimum = float(found.fun)
                self.angles, self.b_dec = np.split(found.x, [self.n_atoms])

    def run(self, gap: float, budget: Budget, progress: Progress | None = None) -> bool:
        """Search squares until no loss is proven to be below (1 - gap) · optimum.

        Returns whether that was reached; `proven` is a proven bound after every square, and
        the next call goes on from there.
        """
        ends = time.monotonic() + budget.seconds
        if not self.squares:
            self._open = self._first_squares()
        while self._open and self._open[0].bound < (1 - gap) * self.optimum:
            left = Budget(budget.boxes - self.boxes, ends - time.monotonic())
            if left.boxes <= 0 or left.seconds <= 0:
                return False
            self._examine(self._open[0], gap, left)
            if progress is not None:
                progress(min(self.boxes, budget.boxes), budget.boxes)
        return True

    def _examine(self, square: _Square, gap: float, left: Budget) -> None:
        """Settle the first open square, or put its quarters in its place."""
        x, y = (self.law.mean + square.middle).tolist()
        losses = SectorLosses(self.law, self.l1, (x, y), square.tilts)
        search = PathSearch(losses, self.n_atoms)
        goal = (1 - gap) * self.optimum
        boxes = min(_BOXES_A_SQUARE, left.boxes)
        settled = search.rises_to(goal, Budget(boxes, left.seconds))
        if search.optimum < self.optimum:
            self.seek(search.angles[None], np.array([[x, y]]))
        bound = max(square.bound, search.proven)
        quarters = [] if settled else self._distinct(replace(square, bound=bound).quarters())
        if settled:
            self._least_settled = min(self._least_settled, bound)
        # In one step, so that an interrupt loses no square.
        self._open = sorted([*self._open[1:], *quarters])
        self.boxes += search.boxes
        self.squares += 1

    def _first_squares(self) -> list[_Square]:
        half = self.optimum / self.l1 + self.l1 / 4
        return sorted(self._distinct(_Square(self._first_bound, _AT_B, half).quarters()))

    def _distinct(self, squares: list[_Square]) -> list[_Square]:
        """Keep one of those that the law cannot tell apart, with their radial bounds."""
        kept: dict[tuple[float, ...], _Square] = {}
        for square in squares:
            images = {tuple((image @ square.middle).tolist()) for image in self._symmetries}
            if not images & kept.keys():
                bound = max(square.bound, self._radial(square))
                kept[square.middle] = replace(square, bound=bound)
        return list(kept.values())

    def _radial(self, square: _Square) -> float:
        """Return a bound on E h_λ(‖x - b‖) in a square: Jensen's at the components' means."""
        bound = 0.0
        for cubes in self.law.groups:
            means = cubes.affine @ cubes.moments[0]
            apart = np.abs(means - self.law.mean - square.middle) - square.half
            distance = np.linalg.norm(np.maximum(apart, 0.0), axis=1)
            h = np.where(distance > self.l1 / 2, self.l1 * distance - self.l1**2 / 4, distance**2)
            bound += float(cubes.probability @ h)
        return bound - SectorLosses(self.law, self.l1).rounding

    def _loss_and_gradient(self, vector: Array) -> tuple[float, Array]:
        angles, (x, y) = np.split(vector, [self.n_atoms])
        losses = SectorLosses(self.law, self.l1, (float(x), float(y)), (_AT_B, (1, 0), (0, 1)))
        steps = _STEP * np.eye(self.n_atoms)
        values = losses.dictionaries(np.vstack([angles, angles + steps, angles - steps]))
        above, below = np.split(values[0, 1:], 2)
        # A tilt adds its product with the gradient in b_dec.
        in_b = values[1:, 0] - values[0, 0]
        return float(values[0, 0]), np.concatenate([(above - below) / (2 * _STEP), in_b])


def square_symmetries(law: LawArrays) -> list[Array]:
    """Return those symmetries about E x that map squares on squares: signed permutations."""
    return [
        np.round(g) for g in symmetries(law, law.mean) if np.abs(g - np.round(g)).max() <= _SIGNED
    ]
