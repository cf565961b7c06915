"""Sectors where latents are counted: against the least over all sets of atoms, point by point."""

from itertools import combinations, product

import numpy as np
import pytest
import sympy

from solvers.bounds.dictionary_search import TURN, Budget, PathSearch
from solvers.bounds.hard_sector_losses import HardSectorLosses
from solvers.bounds.sector_losses import SectorLosses
from solvers.laws.arrays import law_arrays
from tests.bounds.test_certificate import step_sums
from tests.plane_cases import plane_law, random_angles
from theory import Component, Law, load_law

Array = np.ndarray
PENALTIES = [(0.0, 0.0), (0.0, 0.05), (0.0, 0.6), (0.4, 0.1), (1.0, 0.5), (0.3, 0.0)]


def least(x: Array, angles: Array, l1: float, l0: float, most: int) -> Array:
    """Over every set of at most so many atoms, by the normal equations where f ≥ 0."""
    atoms = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    best = (x**2).sum(axis=1)
    for size in range(1, most + 1):
        for chosen in combinations(range(len(angles)), size):
            D = atoms[list(chosen)]
            gram = D @ D.T
            if abs(np.linalg.det(gram)) < 1e-12:
                continue
            f = (x @ D.T - l1 / 2) @ np.linalg.inv(gram)
            loss = ((x - f @ D) ** 2).sum(axis=1) + l1 * f.sum(axis=1) + l0 * size
            best = np.where((f >= 0).all(axis=1), np.minimum(best, loss), best)
    return best


def points_law(x: Array) -> Law:
    each = sympy.Rational(1, len(x))
    quarters = [sympy.ImmutableMatrix([int(4 * v) for v in row]) / 4 for row in x]
    return Law(tuple(Component(each, sympy.zeros(2, 0), point) for point in quarters))


@pytest.mark.parametrize(("l1", "l0"), PENALTIES)
@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_only_neighbours_count_at_every_point(n: int, pairs: bool, l1: float, l0: float) -> None:
    """Of points that often lie on atoms, bisectors and the rays at 45° to atoms."""
    rng = np.random.default_rng(n)
    x = rng.integers(-8, 9, size=(40, 2)) / 4
    losses = HardSectorLosses(law_arrays(points_law(x)), l1, l0=l0, pairs=pairs)
    turns = rng.integers(0, 8, size=(6, n)) * TURN / 8
    rows = np.vstack([turns, [random_angles(rng, n) for _ in range(12)]])
    for angles in rows:
        # Opposite atoms, to rounding, may be on either side of π.
        apart = np.abs(np.mod(angles[:, None] - angles + np.pi / 2, np.pi) - np.pi / 2)
        if pairs and n > 1 and (apart[np.triu_indices(n, 1)] < 1e-9).any():
            continue
        expected = least(x, angles, l1, l0, 2 if pairs else 1).mean()
        assert losses.dictionaries(angles[None]).item() == pytest.approx(expected, abs=1e-12)


def test_three_latents_at_once_are_of_no_use() -> None:
    """Sets of any size, unit atoms, against sets of two."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    for l1, l0 in PENALTIES[1:]:
        angles = rng.uniform(0, TURN, 5)
        two = least(x, angles, l1, l0, 2)
        atoms = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        for _ in range(50):
            f = np.maximum(rng.normal(0.3, 0.5, size=(200, 5)), 0)
            loss = (
                ((x - f @ atoms) ** 2).sum(axis=1) + l1 * f.sum(axis=1) + l0 * (f > 0).sum(axis=1)
            )
            assert (loss >= two - 1e-12).all()


@pytest.mark.parametrize("seed", range(12))
def test_segments_and_parallelograms_against_a_grid(seed: int) -> None:
    rng = np.random.default_rng(seed)
    law = plane_law(rng)
    while any(part.cube_dimension == 2 and not part.matrix.det() for part in law.components):
        law = plane_law(rng)
    b, n = rng.normal(size=2) * rng.choice([0.0, 0.3]), int(rng.choice([1, 2, 3, 4]))
    angles = random_angles(rng, n)
    l1, l0 = PENALTIES[seed % len(PENALTIES)]
    for pairs in (True, False):
        expected = 0.0
        for part in law.components:
            k, N = part.cube_dimension, 120
            u = np.array(list(product((np.arange(N) + 0.5) / N, repeat=k))).reshape(N**k, k)
            matrix = np.array(part.matrix, dtype=float).reshape(2, k)
            x = u @ matrix.T + np.array(part.offset, dtype=float).ravel() - b
            expected += float(part.probability) * least(x, angles, l1, l0, 1 + pairs).mean()
        losses = HardSectorLosses(law_arrays(law), l1, (b[0], b[1]), l0=l0, pairs=pairs)
        found = losses.dictionaries(angles[None]).item()
        assert found == pytest.approx(expected, rel=2e-3, abs=1e-3)
        if pairs and l1 and not l0:
            same = SectorLosses(law_arrays(law), l1, (b[0], b[1])).dictionaries(angles[None])
            assert found == pytest.approx(same.item(), abs=1e-13)


def test_the_wedge_of_a_wide_sector_by_hand() -> None:
    """Two axes, a uniform square: the quadrant between them is exact beyond r² = 2λ₀ and √λ₀.

    With 2h = π/2 the wedge is empty; tilt one atom by 45° and the diagonal's octant lies in it.
    """
    law = law_arrays(load_law("independent"))
    tau, c = 0.25, 0.125
    losses = HardSectorLosses(law, 0.0, l0=tau**2)
    # In the octant 45° to 90° from an atom at 0 with its neighbour at 135°, r² - 2τ² counts.
    x = (np.stack(np.meshgrid(*[np.arange(800)] * 2), -1).reshape(-1, 2) + 0.5) / 800
    single = np.where(x[:, 0] > tau, x[:, 0] ** 2 - tau**2, 0)
    both = np.maximum((x**2).sum(axis=1) - c, 0)
    gain = np.maximum(single, both).mean()
    first, second = np.array([0.0]), np.array([3 * np.pi / 4])
    alone = losses.sides(first, 1) + losses.sides(second, -1) + losses.corners(first, second)
    # Beyond the y axis, 45° of the sector are left, the mirror image of the lower octant.
    lower = x[x[:, 1] <= x[:, 0]]
    along = lower.sum(axis=1) / np.sqrt(2)
    rest = np.maximum(np.where(along > tau, along**2 - tau**2, 0),
                      np.maximum((lower**2).sum(axis=1) - c, 0)).mean() / 2  # fmt: skip
    assert alone.item() == pytest.approx((gain + rest) / 4, abs=2e-4)


@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize("n", [1, 2, 4])
def test_no_dictionary_in_a_box_is_below_its_bound(n: int, pairs: bool) -> None:
    rng = np.random.default_rng(n)
    for name, (l1, l0) in zip(
        ("independent", "shared", "independent:onehot_probability=1/3"),
        [(0.0, 0.1), (0.2, 0.05), (0.0, 0.0)],
        strict=True,
    ):
        losses = HardSectorLosses(law_arrays(load_law(name)), l1, l0=l0, pairs=pairs)
        search = PathSearch(losses, n)
        origin = search._angles_of(np.zeros(1))[0]
        for _ in range(2):
            angles = origin + np.sort(rng.uniform(0, 1, (100, n))) * TURN
            # Nearly opposite atoms, where the loss jumps.
            angles[:20, -1] = np.minimum(angles[:20, 0] + np.pi - 1e-9, origin + TURN)
            angles.sort(axis=1)
            bounds, values = step_sums(search, angles), losses.dictionaries(angles)[0]
            assert (bounds <= values).all()
            every = np.ones_like(search._alive[0])
            search._halve(every, every)


@pytest.mark.slow
def test_the_diagonals_are_best_under_l0_and_for_one_latent() -> None:
    """2λ₀ - (4√2/3)λ₀^{3/2} + λ₀²/2, and 1/12, of all dictionaries of four atoms, b_dec = 0."""
    law = law_arrays(load_law("independent"))
    closed = 0.2 - 4 * np.sqrt(2) / 3 * 0.1**1.5 + 0.005
    for losses, value in (
        (HardSectorLosses(law, 0.0, l0=0.1), closed),
        (HardSectorLosses(law, 0.0, pairs=False), 1 / 12),
    ):
        search = PathSearch(losses, 4)
        search.seek(np.array([[0.7, 2.3, 4.0, 5.6]]))
        assert search.run(1e-3, Budget(10**7, 1e9))
        assert search.optimum == pytest.approx(value, abs=1e-9)
        assert search.proven >= (1 - 1e-3) * value
