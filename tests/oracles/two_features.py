"""The oracle of two features and two latents: the loss from its definition, searched globally.

It knows no phase: it enumerates the four sets of active latents at every point, searches all
pairs of angles on a grid over the whole circle, and polishes by Nelder and Mead.
"""

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]
#: a, b, c, θ in degrees, λ.
Numbers = tuple[float, float, float, float, float]

# Atoms closer than a milliradian are not fired together: 1/(1 - g²) would magnify rounding.
CLOSE = 1e-6


def gains(x: Array, first: Array, second: Array, l1: float) -> Array:
    """The largest ‖x‖² - loss over the four sets of active latents; x has the shape (2, ...)."""
    p, q = (x[0] * np.cos(phi) + x[1] * np.sin(phi) - l1 / 2 for phi in (first, second))
    best = np.maximum(np.maximum(p, 0) ** 2, np.maximum(q, 0) ** 2)
    g = np.cos(first - second)
    with np.errstate(all="ignore"):
        f1, f2 = (p - g * q) / (1 - g * g), (q - g * p) / (1 - g * g)
        feasible = (1 - g * g > CLOSE) & (f1 >= 0) & (f2 >= 0)
        return np.where(feasible, np.maximum(best, f1 * p + f2 * q), best)


def point_losses(x: Array, first: Array, second: Array, l1: float) -> Array:
    """The losses of points x, shape (2, points, 1), for pairs of angles: (points, pairs)."""
    return (x**2).sum(axis=0) - gains(x, first, second, l1)


def ray_losses(x: Array, first: Array, second: Array, l1: float) -> Array:
    """Their means over s x, s uniform, by Gauss quadrature between the ends of activity."""
    k1, k2 = (x[0] * np.cos(phi) + x[1] * np.sin(phi) for phi in (first, second))
    g = np.cos(first - second)
    with np.errstate(all="ignore"):
        ends = [l1 / 2 / k1, l1 / 2 / k2]
        ends += [(1 - g) * l1 / 2 / (k1 - g * k2), (1 - g) * l1 / 2 / (k2 - g * k1)]
    inside = [np.clip(np.where(np.isfinite(end), end, 0), 0, 1) for end in ends]
    cuts = np.sort(np.stack([0 * k1, *inside, 1 + 0 * k1]), axis=0)
    total = np.zeros_like(k1)
    for low, high in pairwise(cuts):
        for node in (-1 / math.sqrt(3), 1 / math.sqrt(3)):
            s = (low + high) / 2 + (high - low) / 2 * node
            total += (high - low) / 2 * point_losses(s * x, first, second, l1)
    return total


def searched_loss(numbers: Numbers, uniform: bool, cells: int = 40, polished: int = 4) -> float:
    """The least loss over all pairs of unit atoms, as far as the search finds it."""
    *probabilities, degrees, l1 = numbers
    half = math.radians(degrees) / 2
    v1 = np.array([math.cos(half), math.sin(half)])
    v2 = v1 * [1, -1]
    points = np.stack([v1, v2, v1 + v2], axis=1)[:, :, None]

    def loss(first: Array, second: Array) -> Array:
        losses = (ray_losses if uniform else point_losses)(points, first, second, l1)
        return np.array(probabilities) @ losses

    angles = np.union1d(
        np.linspace(-math.pi, math.pi, cells), np.linspace(-1.05 * half, 1.05 * half, cells)
    )
    lower, upper = np.tril_indices(len(angles))
    grid = np.full((len(angles) + 2,) * 2, np.inf)
    grid[1 + lower, 1 + upper] = loss(angles[lower], angles[upper])
    inner = grid[1:-1, 1:-1]
    shifts = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    around = [np.roll(grid, shift, axis=(0, 1))[1:-1, 1:-1] for shift in shifts]
    minima = np.argwhere((inner <= np.min(around, axis=0)) & np.isfinite(inner))
    starts = sorted(minima.tolist(), key=lambda ij: inner[tuple(ij)])[:polished]

    def at(pair: Array) -> float:
        return float(loss(pair[:1], pair[1:])[0])

    best = math.inf
    for i, j in starts:
        start = np.array([angles[i], angles[j]])
        simplex = start + half / cells * np.array([[0, 0], [1, 0], [0, 1]])
        options = {"xatol": 1e-6, "fatol": 1e-12, "maxiter": 400, "initial_simplex": simplex}
        best = min(best, minimize(at, start, method="Nelder-Mead", options=options).fun)
    return best
