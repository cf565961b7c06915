"""Moments of cubes cut by two half-spaces against exact rational arithmetic, ties included."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import qmc

from solvers.laws.cut_cube import cut_cube_moments
from solvers.laws.half_space_moments import pair_moments, triangle_index
from tests.oracles.cut_cubes import cut_moments

Array = NDArray[np.float64]


def exact(p: Array, q: Array) -> Array:
    k = len(p) - 1
    found = cut_moments(k, [Fraction(float(a)) for a in p], [Fraction(float(a)) for a in q])
    return np.array([[float(entry) for entry in row] for row in found])


def pairs(k: int, count: int, seed: int) -> tuple[Array, Array]:
    """Return random planes, and the others as each of the ways in which two can lie."""
    rng = np.random.default_rng([k, seed])
    p = rng.normal(size=(count, 1 + k))
    p[:, 0] = -0.5 * p[:, 1:].sum(axis=1) + 0.3 * rng.normal(size=count)
    q = np.roll(p, 1, axis=0)
    for i in range(count):
        away = 10.0 ** rng.uniform(-16, -1) * rng.normal(size=1 + k)
        kind = i % 8
        if kind == 0:
            q[i] = rng.choice([2.0, -3.0]) * p[i]
        elif kind == 1:
            q[i] = rng.choice([1.0, -1.0]) * p[i] + away
        elif kind == 2:
            # Parallel planes.
            q[i] = rng.choice([1.0, -1.0]) * p[i]
            q[i, 0] += away[0]
        elif kind == 3:
            # Planes through corners and edges.
            p[i], q[i] = rng.integers(-1, 2, size=(2, 1 + k))
        elif kind == 4:
            # Planes that all but are a face of the cube, or two of them.
            p[i] = np.eye(1 + k)[1 + rng.integers(k)]
            p[i, 0] = -float(rng.integers(0, 2))
            p[i] = rng.choice([1.0, -1.0]) * p[i] + away
            q[i] = rng.choice([1.0, -1.0]) * p[i] + away[::-1]
        elif kind == 5:
            # Latents that see one coordinate, or none; always or never on.
            p[i, rng.permutation(k)[1:] + 1] = 0.0
            q[i] = rng.choice([1.0, -1.0, 0.0]) * np.eye(1 + k)[0]
    return p, q


@pytest.mark.parametrize("k", [2, 3])
def test_agrees_with_exact_rational_arithmetic(k: int) -> None:
    compare(*pairs(k, 48, 0))


def test_agrees_in_four_dimensions() -> None:
    compare(*pairs(4, 6, 0))


@pytest.mark.slow
@pytest.mark.parametrize(("k", "count"), [(2, 800), (3, 400), (4, 30), (5, 4)])
@pytest.mark.parametrize("seed", [1, 2])
def test_agrees_exhaustively(k: int, count: int, seed: int) -> None:
    compare(*pairs(k, count, seed))


def compare(p: Array, q: Array) -> None:
    found, swapped = cut_cube_moments(p, q), cut_cube_moments(q, p)
    for i in range(len(p)):
        truth = exact(p[i], q[i])
        np.testing.assert_allclose(found[i], truth, rtol=0, atol=3e-15, err_msg=f"{p[i]}, {q[i]}")
        np.testing.assert_allclose(swapped[i], truth, rtol=0, atol=3e-15)


def test_is_the_square_kernel_in_two_dimensions() -> None:
    rng = np.random.default_rng(0)
    a = np.round(rng.normal(size=(60, 6, 3)))
    a[:, 1] = a[:, 0] + 1e-13 * rng.normal(size=(60, 3))
    a[:, 2] = -a[:, 0]
    squares = pair_moments(a)[:, :, triangle_index(3)].transpose(0, 1, 4, 2, 3).reshape(-1, 3, 3)
    p, q = (np.repeat(side, 6, axis).reshape(-1, 3) for side, axis in ((a[:, :, None], 2),
                                                                     (a[:, None], 1)))  # fmt: skip
    np.testing.assert_allclose(cut_cube_moments(p, q), squares, rtol=0, atol=2e-15)


@pytest.mark.parametrize("k", [3, 4, 5])
def test_latents_share_out_the_cube(k: int) -> None:
    """P(i) + P(not i) is 1, P(i and not i) 0, in any order, for scales 1e-200 and 1e200."""
    rng = np.random.default_rng(k)
    plane = rng.normal(size=(4, 1 + k))
    plane[:, 0] = -plane[:, 1:].sum(axis=1) / 2
    a = np.concatenate([plane, -plane, 1e-200 * plane, 1e200 * plane])[None]
    areas = pair_moments(a)[0, :, 0, :]
    for i in range(4):
        assert areas[i, i] + areas[4 + i, 4 + i] == pytest.approx(1, abs=1e-15)
        assert areas[i, 4 + i] == pytest.approx(0, abs=1e-15)
        assert areas[i, 8 + i] == pytest.approx(areas[i, i], abs=1e-15)
        assert areas[8 + i, 12 + i] == pytest.approx(areas[i, i], abs=1e-15)


@pytest.mark.slow
def test_agrees_with_sobol_points_in_five_dimensions() -> None:
    u: Any = qmc.Sobol(5, seed=0).random_base2(20)
    extended = np.hstack([np.ones((len(u), 1)), u])
    p, q = pairs(5, 24, 3)
    found = cut_cube_moments(p, q)
    for i in range(len(p)):
        inside = extended[(extended @ p[i] > 0) & (extended @ q[i] > 0)]
        np.testing.assert_allclose(found[i], inside.T @ inside / len(u), rtol=0, atol=2e-3)
