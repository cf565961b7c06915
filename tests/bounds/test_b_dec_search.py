"""Bounds for every b_dec against grids, SAEs at work, an exact case, and symmetries."""

import itertools
import math

import numpy as np
import pytest
import sympy

from solvers import Objective, Search, minimize_loss
from solvers.bounds.b_dec_search import EveryBDec, square_symmetries
from solvers.bounds.certificate import certify
from solvers.bounds.dictionary_search import TURN, Budget
from solvers.bounds.sector_losses import SectorLosses
from solvers.laws.arrays import law_arrays
from tests.plane_cases import best_loss, plane_law, random_angles
from theory import Component, Law, load_law


@pytest.mark.slow
def test_the_bound_for_every_b_dec() -> None:
    """With three atoms b_dec ≠ 0 is better; no dictionary, b_dec or SAE beats the bound."""
    law, objective = load_law("shared"), Objective(l1=0.5)
    found = certify(law, 3, objective, gap=0.1, any_b_dec=True, max_seconds=1e9)
    assert found.complete
    assert found.any_b_dec_optimum < 0.999 * found.optimum
    assert 0.9 * found.any_b_dec_optimum <= found.any_b_dec_bound <= found.any_b_dec_optimum
    assert found.any_b_dec_bound > certify(law, 3, objective, gap=0.2).any_b_dec_bound
    assert "search over b_dec" in found.covers
    angles, b_dec = np.array(found.any_b_dec_angles), np.array(found.best_b_dec)
    assert best_loss(law, angles, 0.5, b_dec) == pytest.approx(found.any_b_dec_optimum, abs=1e-12)
    rng = np.random.default_rng(0)
    for _ in range(20):
        near = found.any_b_dec_angles + 0.1 * rng.normal(size=3), b_dec + 0.1 * rng.normal(size=2)
        assert best_loss(law, near[0], 0.5, near[1]) > found.any_b_dec_bound
    trained = minimize_loss(law, 3, objective, Search(starts=4, seed=1))
    assert all(start.total > found.any_b_dec_bound for start in trained.starts)


def test_a_lopsided_law_is_absorbed_by_b_dec() -> None:
    """One segment along a line through b_dec: its atom and b_dec leave only the penalty."""
    segment = Component(
        sympy.Integer(1), sympy.ImmutableMatrix([1, 0]), sympy.ImmutableMatrix([0, 1])
    )
    found = certify(
        Law((segment,)), 1, Objective(l1=0.2), gap=0.05, any_b_dec=True, max_seconds=1e9
    )
    assert found.complete
    assert found.any_b_dec_optimum < found.optimum / 2
    # b_dec = (s, 1) and a latent for x > s: λ (1 - s)²/2 less its shrinkage, s³/3 before.
    s = np.linspace(0, 1, 2001)
    t = np.maximum(1 - s - 0.1, 0)
    by_hand = s**3 / 3 + 0.1**3 / 3 + 0.2 * t**2 / 2 + 0.01 * t
    assert found.any_b_dec_optimum == pytest.approx(by_hand.min(), rel=1e-5)


@pytest.mark.parametrize(
    "seed", [6, *(pytest.param(s, marks=pytest.mark.slow) for s in (0, 1, 2, 3, 4, 5, 7))]
)
def test_both_sides_for_every_b_dec_on_random_laws(seed: int) -> None:
    """No dictionary and b_dec of a grid is below the bound, and the best found is near it."""
    rng = np.random.default_rng(seed)
    law, n = plane_law(rng), int(rng.integers(1, 3))
    arrays = law_arrays(law)
    l1 = 0.5 * math.sqrt(np.trace(arrays.second_moment))
    found = certify(law, n, Objective(l1=l1), gap=0.05, max_seconds=20, any_b_dec=True)
    bound, best = found.any_b_dec_bound, found.any_b_dec_optimum
    assert bound <= best <= found.optimum
    assert not found.complete or bound >= 0.95 * best
    grid = np.array(list(itertools.combinations_with_replacement(np.arange(16) * TURN / 16, n)))
    for corner in itertools.product(np.linspace(-1.5, 1.5, 13), repeat=2):
        x, y = (arrays.mean + math.sqrt(arrays.spread) * np.array(corner)).tolist()
        losses = SectorLosses(arrays, l1, (x, y)).dictionaries(grid)
        assert losses.min() >= max(bound, best - 1e-9)


def test_an_interrupt_among_squares_loses_none() -> None:
    law = law_arrays(load_law("independent"))
    search = EveryBDec(law, 1.0, 2, 0.1)
    search.seek(np.array([[0.0, 2.0]]), np.zeros((1, 2)))

    def stop(boxes: int, of: int) -> None:
        del boxes, of
        raise KeyboardInterrupt

    assert search.proven == 0.1
    for squares in (1, 2, 3):
        with pytest.raises(KeyboardInterrupt):
            search.run(1e-6, Budget(10**6, 60.0), stop)
        assert search.squares == squares
        assert 0.1 <= search.proven <= search.optimum
    assert not search.run(1e-6, Budget(1, 60.0))


@pytest.mark.slow
def test_a_claim_about_every_b_dec_is_held_against_that_search() -> None:
    law, objective = load_law("shared"), Objective(l1=0.5)
    found = certify(law, 3, objective, gap=0.1, any_b_dec=True, max_seconds=1e9)
    for claimed, every, refuted in (
        (found.optimum, False, False),
        (found.optimum, True, True),
        (found.any_b_dec_optimum, True, False),
    ):
        again = certify(law, 3, objective, gap=0.1, any_b_dec=every, claimed=claimed)
        assert again.refuted is refuted


@pytest.mark.parametrize(("turned", "count"), [(False, 4), (True, 8)])
def test_quarters_without_their_images_still_cover_the_square(turned: bool, count: int) -> None:
    """A law with the quarter turns alone for symmetries, and one with all eight."""
    corner = sympy.ImmutableMatrix([2, 0 if turned else 1])
    quarter_turn = sympy.ImmutableMatrix([[0, -1], [1, 0]])
    points = [quarter_turn**power * corner for power in range(4)]
    part = sympy.Rational(1, 4)
    law = law_arrays(Law(tuple(Component(part, sympy.zeros(2, 0), point) for point in points)))
    group = square_symmetries(law)
    assert len(group) == count
    search = EveryBDec(law, 0.5, 2, 0.0)
    search.seek(np.array([[0.0, 1.0]]), np.zeros((1, 2)))
    squares = search._first_squares()
    for _ in range(3):
        squares = [part for square in squares for part in search._distinct(square.quarters())]
    middles = {tuple((image @ square.middle).tolist()) for square in squares for image in group}
    assert len(middles) == 4**4
    assert len(squares) < 4**4 / 2


@pytest.mark.slow
def test_the_diagonals_are_best_whatever_b_dec() -> None:
    found = certify(load_law("independent"), 4, Objective(l1=0.1), any_b_dec=True, max_seconds=1e9)
    assert found.complete
    assert found.any_b_dec_optimum == pytest.approx(found.optimum, rel=1e-9)
    assert found.any_b_dec_bound >= 0.999 * found.optimum


@pytest.mark.parametrize("seed", range(4))
def test_symmetric_laws_are_bounded_by_twice_the_atoms(seed: int) -> None:
    """F(D, b) ≥ F(D ∪ -D, 0) if x and -x have the same law."""
    rng = np.random.default_rng(seed)
    law, angles, b = load_law("independent"), random_angles(rng, 3), rng.normal(size=2) * 0.3
    losses = SectorLosses(law_arrays(law), 0.3)
    both = losses.dictionaries(np.concatenate([angles, angles + np.pi])[None]).item()
    assert both <= best_loss(law, angles, 0.3, b) + 1e-12
