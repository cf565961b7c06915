"""Expectations beyond a threshold: sums over corners against integrals of the definition."""

from itertools import product

import numpy as np
import pytest
import sympy

from theory.exact.symbols import RADIUS
from theory.laws.law import Component, Law
from theory.laws.thresholds import corner_values, expectation_beyond


def cube(slopes: list[int], offset: sympy.Expr) -> Law:
    part = Component(
        sympy.S.One, sympy.ImmutableMatrix([slopes]).reshape(1, len(slopes)),
        sympy.ImmutableMatrix([offset]),
    )  # fmt: skip
    return Law((part,), "cube")


@pytest.mark.parametrize("slopes", [[], [3], [0], [2, -3], [1, 1], [2, 0, -1], [1, 2, -4, 3]])
@pytest.mark.parametrize("power", [0, 1, 2])
def test_against_a_law_of_the_sum(slopes: list[int], power: int) -> None:
    """Each c u is a sum of a point of a fine grid and a small uniform number: Irwin-Hall by hand.

    The density of c·u is found by convolving boxes on a grid, a route without antiderivatives.
    """
    offset, threshold = sympy.Rational(1, 4), sympy.Rational(1, 3)
    law = cube(slopes, offset)
    found = expectation_beyond(law, (sympy.S.One,), RADIUS**power, threshold).value
    n = 240
    values, weights = np.array([0.25]), np.array([1.0])
    for slope in slopes:
        # Midpoints of n cells of the unit interval.
        steps = slope * (np.arange(n) + 0.5) / n
        sums = (values[:, None] + steps).ravel().round(9)
        values, inverse = np.unique(sums, return_inverse=True)
        weights = np.bincount(inverse.ravel(), (weights[:, None] / n * np.ones(n)).ravel())
    beyond = values > 1 / 3
    expected = float((weights * values**power)[beyond].sum())
    assert float(found) == pytest.approx(expected, abs=2e-2 if slopes else 1e-15)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_exactly_where_nothing_is_below(k: int) -> None:
    """Beyond a threshold under the whole law the mean of t² is that of its moments."""
    slopes = list(range(1, k + 1))
    law = cube(slopes, sympy.Integer(5))
    found = expectation_beyond(law, (sympy.S.One,), RADIUS**2, sympy.Integer(1)).value
    mean = 5 + sympy.Rational(sum(slopes), 2)
    assert found == mean**2 + sum(sympy.Rational(c**2, 12) for c in slopes)
    nothing = expectation_beyond(law, (sympy.S.One,), RADIUS**2, sympy.Integer(50)).value
    assert nothing == 0


def test_corners() -> None:
    law = cube([1, 2, 4], sympy.Integer(1))
    found = corner_values(law.components[0], (sympy.Integer(3),))
    assert found == [3 * (1 + a + 2 * b + 4 * c) for a, b, c in product((0, 1), repeat=3)]
