"""Bounds on boxes of b_dec, cells of laws, and closed-form means of the profile."""

import numpy as np
import pytest

from solvers.bounds.box_search import least_over_boxes
from solvers.bounds.l0_boxes import CellBoxes, CornerBoxes
from solvers.bounds.law_cells import law_cells
from solvers.bounds.profile_means import HardThresholdProfile, profile_means
from solvers.bounds.radial_bound import expectation_of_profile
from solvers.laws.arrays import law_arrays
from tests.random_cases import random_specification
from theory import Law, independent_features, law_from_dict, load_law


@pytest.mark.parametrize("l1", [0.0, 0.1, 2.0])
@pytest.mark.parametrize("seed", range(8))
def test_means_of_the_profile_against_quadrature(seed: int, l1: float) -> None:
    """Of random laws, at b beside them, on their offsets, and on the lines of their edges."""
    rng = np.random.default_rng(seed)
    law = law_arrays(law_from_dict(random_specification(rng)))
    b = np.vstack([rng.normal(size=(2, law.dimension)), law.component_means[:2],
                   np.zeros((1, law.dimension)), law.cubes[-1].affine[0].sum(axis=1)])  # fmt: skip
    for l0 in (0.01, 0.5, 4.0):
        profile = HardThresholdProfile(l0, l1)
        found, error = profile_means(law, b, profile)
        for row, value, rounding in zip(b, found, error, strict=True):
            quadrature = expectation_of_profile(law, row, profile)
            assert abs(value - quadrature.value) <= rounding + quadrature.error + 1e-14


LAWS = [
    load_law("independent:onehot_probability=1/3"),
    load_law({"sets": [2, 2], "probabilities": [["1/2", 0], [0, "1/2"]]}),
    load_law("two-features:both=1/2,first_alone=1/4"),
    load_law({"sets": [2, 3], "embedding": [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0],
                                             [0, -1, 0.5]]}),
]  # fmt: skip


@pytest.mark.parametrize("l1", [0.0, 0.3])
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.name)
def test_no_b_of_a_box_is_below_its_bound(law: Law, l1: float) -> None:
    arrays, rng = law_arrays(law), np.random.default_rng(0)
    d = law.dimension
    middle, half = rng.normal(scale=0.6, size=(200, d)), 10.0 ** rng.uniform(-3, 0.3, (200, d))
    inside = middle + half * rng.uniform(-1, 1, size=(20, 200, d))
    for l0 in (0.02, 0.4, 3.0):
        profile = HardThresholdProfile(l0, l1)
        values, error = profile_means(arrays, inside.reshape(-1, d), profile)
        least = (values + error).reshape(20, 200).min(axis=0)
        for boxes in (CornerBoxes(arrays, profile), CellBoxes(law_cells(arrays, 300), profile)):
            bounds = boxes.bounds(middle, half)
            assert (bounds <= least + 1e-12).all()
            # Boxes that shrink lose nothing but what the cells do.
            at_points = boxes.bounds(middle, 1e-9 * half)
            exact = profile_means(arrays, middle, profile)[0]
            loss = 1e-7 if isinstance(boxes, CornerBoxes) else 0.2 * exact + 1e-7
            assert (at_points >= exact - loss).all()


def test_cells_of_points_lose_nothing() -> None:
    """And the search ends with no gap at all where the balls about points do not overlap."""
    arrays, profile = law_arrays(LAWS[2]), HardThresholdProfile(0.1)
    boxes = CellBoxes(law_cells(arrays, 100), profile)
    b = np.random.default_rng(0).normal(size=(50, 2))
    assert boxes.values(b) == pytest.approx(profile_means(arrays, b, profile)[0], rel=1e-12)
    least = least_over_boxes(boxes, 1e-5, 10**6)
    assert least.proven == pytest.approx(least.value, rel=1e-12)


@pytest.mark.parametrize(
    "law",
    [
        load_law("independent:onehot_probability=1/3"),
        load_law({"sets": [1, 1, 1]}),
        independent_features(2, "1/2", magnitude={"normal": [1, "1/5"]}),
    ],
    ids=["squares", "cubes", "normals"],
)
def test_cells_have_the_moments_and_the_reach_of_their_law(law: Law) -> None:
    arrays, cells = law_arrays(law), law_cells(law_arrays(law), 400)
    assert cells.probability.sum() == pytest.approx(1.0, abs=1e-7)
    assert cells.probability @ cells.mean == pytest.approx(arrays.mean, abs=1e-7)
    # The spread within cells is what the means lack; it is below the radius squared.
    lacking = np.trace(arrays.second_moment) - cells.probability @ (cells.mean**2).sum(axis=1)
    assert 0 < lacking < cells.probability @ cells.radius**2 + 1e-7
