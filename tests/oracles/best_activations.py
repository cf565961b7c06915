"""Oracle for the expected loss with the best activations: every support, every line, no search.

The best of ``|x - f D|^2 + 2 sum_i h_i f_i`` over ``f >= 0`` has a support of independent atoms
on which it is stationary. So it is the least of those over all such supports whose ``f`` is
``>= 0``: a finite list. Along a component ``x = M u + o`` each is a quadratic, and another takes
over only where an activation of some support vanishes, on a line known beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, pairwise

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# Singular values below this are none, relative to the largest.
_RANK = 1e-9
# Rounding of an activation that vanishes.
_ZERO = 1e-12


class Supports:
    """All independent supports of atoms ``(n, d)`` with halved penalties ``h``."""

    def __init__(self, atoms: FloatArray, h: FloatArray) -> None:
        n, d = atoms.shape
        self.atoms, self.h = atoms, h
        self.maps: list[tuple[list[int], FloatArray, FloatArray]] = []
        for size in range(min(n, d) + 1):
            for chosen in map(list, combinations(range(n), size)):
                rows = atoms[chosen]
                values = np.linalg.svd(rows, compute_uv=False)
                if size and values[-1] <= _RANK * np.abs(atoms).max():
                    continue
                # f = inverse x - shift, from the normal equations.
                inverse = np.linalg.pinv(rows.T)
                self.maps.append((chosen, inverse, inverse @ inverse.T @ h[chosen]))

    def losses(self, x: FloatArray) -> FloatArray:
        """Return the least loss at every x, ``(N, d)``."""
        least = np.full(len(x), np.inf)
        for chosen, inverse, shift in self.maps:
            f = x @ inverse.T - shift
            loss = ((x - f @ self.atoms[chosen]) ** 2).sum(axis=1) + 2 * f @ self.h[chosen]
            possible = (f >= -_ZERO).all(axis=1)
            least = np.where(possible, np.minimum(least, loss), least)
        return least

    def lines(self, moved: FloatArray) -> FloatArray:
        """Return the activations as functions of ``(1, u)`` where ``x = moved (1, u)``."""
        found = [np.zeros((0, moved.shape[1]))]
        for _, inverse, shift in self.maps:
            line = inverse @ moved
            line[:, 0] -= shift
            found.append(line)
        lines = np.vstack(found)
        slopes = np.abs(lines[:, 1:]).max(axis=1, initial=0.0)
        return lines[slopes > _ZERO * np.abs(moved).max()]


def _grid(roots: Sequence[float] | FloatArray) -> FloatArray:
    inside = [r for r in np.asarray(roots, dtype=np.float64) if 0 < r < 1]
    return np.unique([0.0, *inside, 1.0])


def _strip(lines: FloatArray, v: float) -> FloatArray:
    """Return where, at ``u_2 = v``, lines cross, between 0 and 1."""
    sloped = lines[lines[:, 1] != 0]
    return _grid(-(sloped[:, 0] + v * sloped[:, 2]) / sloped[:, 1])


def _simpson(ends: FloatArray) -> tuple[FloatArray, FloatArray]:
    low, high = ends[:-1], ends[1:]
    nodes = np.concatenate([low, (low + high) / 2, high])
    return nodes, np.concatenate([(high - low) * share for share in (1 / 6, 2 / 3, 1 / 6)])


def exact_best_loss(
    components: Sequence[tuple[float, FloatArray]],
    atoms: FloatArray,
    h: FloatArray,
    b_dec: FloatArray,
) -> float:
    """Return the expectation over components ``(probability, (o, M))``, M of 0 to 2 columns.

    Between the heights ``u_2`` at which two lines meet, or one meets a side of the square, the
    integral over ``u_1`` is a cubic polynomial of ``u_2``: two Gauss points are exact.
    """
    supports, total = Supports(atoms, h), 0.0
    for probability, affine in components:
        moved = np.array(affine, dtype=np.float64)
        moved[:, 0] -= b_dec
        lines = supports.lines(moved)
        if moved.shape[1] == 1:
            total += probability * float(supports.losses(moved.T)[0])
        elif moved.shape[1] == 2:
            u, weight = _simpson(_grid(-lines[:, 0] / lines[:, 1]))
            total += probability * float(weight @ supports.losses(_at(moved, u[:, None])))
        else:
            total += probability * _square(supports, moved, lines)
    return total


def _at(moved: FloatArray, u: FloatArray) -> FloatArray:
    x: FloatArray = moved[:, 0] + u @ moved[:, 1:].T
    return x


def _square(supports: Supports, moved: FloatArray, lines: FloatArray) -> float:
    sides = np.array([[0.0, 1, 0], [-1.0, 1, 0]])
    heights = [-line[0] / line[2] for line in lines if line[2] != 0]
    for one, two in combinations(np.vstack([lines, sides]), 2):
        cross = one[1] * two[2] - one[2] * two[1]
        if cross != 0:
            heights.append((one[0] * two[1] - one[1] * two[0]) / cross)
    ends = _grid(heights)
    total = 0.0
    for low, high in pairwise(ends):
        if high - low < 1e-14:
            continue
        for place in (0.5 - 3**-0.5 / 2, 0.5 + 3**-0.5 / 2):
            v = low + (high - low) * place
            u, weight = _simpson(_strip(lines, v))
            points = np.column_stack([u, np.full(len(u), v)])
            total += (high - low) / 2 * float(weight @ supports.losses(_at(moved, points)))
    return total
