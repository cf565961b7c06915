"""Points of a phase diagram: the named code is the best, and neighbours help each other."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from solvers import Objective, Sae
from solvers.studies.phase import phase_diagram
from solvers.studies.phase_axis import Axis
from solvers.studies.phase_family import Family
from solvers.studies.phase_point import AskNeighbours, ExplorePoint, Known
from tests.optima.test_held_codes import MISSED, random_numbers
from tests.oracles.held_codes import least_held_loss, named_atoms
from tests.oracles.two_features import Numbers


def explored(numbers: Numbers) -> Known:
    """The point alone of a law of two features."""
    a, b, c, angle, l1 = numbers
    family = Family(
        f"two-features:second_alone={b},both={c},angle={angle}",
        Axis("first_alone", a, a + 1e-4, 2), Axis("l1", l1, 2 * l1, 2), 2, Objective(1.0),
        starts=1,
    )  # fmt: skip
    return Known.of(ExplorePoint(family)((0, a, l1)))


def check_phase(numbers: Numbers) -> str:
    """Compare a point with the convex programmes of every code, and return its phase."""
    point = explored(numbers).point
    losses = {
        name: least_held_loss(numbers, atoms) for name, atoms in named_atoms(numbers[3]).items()
    }
    assert point.losses == pytest.approx(losses, abs=1e-7), numbers
    assert not point.phase_is_unsure
    assert point.optimum <= point.loss * (1 + 1e-9)
    names = point.losses if point.phase == "tied" else [point.phase]
    assert min(losses[name] for name in names) <= min(losses.values()) + 1e-7, numbers
    # Whatever is clearly apart is in order.
    if point.phase != "tied" and point.runner_up is not None and point.margin > 1e-6:
        assert losses[point.runner_up] - losses[point.phase] == pytest.approx(point.margin)
    return point.phase


@pytest.mark.parametrize(("numbers", "phase", "loss"), MISSED)
def test_points_that_were_called_by_another_code(
    numbers: Numbers, phase: str, loss: float
) -> None:
    known = explored(numbers).point
    assert known.phase == check_phase(numbers) == phase
    assert known.loss == pytest.approx(loss, abs=1e-6)


def test_random_laws_are_in_the_right_phase() -> None:
    rng = np.random.default_rng(1)
    for _ in range(1):
        check_phase(random_numbers(rng))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_two_hundred_random_laws_are_in_the_right_phase(seed: int) -> None:
    rng = np.random.default_rng(seed)
    phases = Counter(check_phase(random_numbers(rng)) for _ in range(25))
    assert len(phases) >= 3


def test_a_code_that_contains_another_counts_as_the_other() -> None:
    # The second latent of both absorbed codes is of no use.
    point = explored(MISSED[2][0]).point
    assert point.losses["first feature absorbed"] == pytest.approx(point.loss)
    assert (point.phase, point.runner_up) == ("diagonal", "axis-aligned")


FAMILY = Family(
    "two-features:first_alone=0.4,both=0.4,angle=90", Axis("second_alone", 0.05, 0.15, 3),
    Axis("l1", 0.2, 0.25, 2), 2, Objective(1.0), starts=4,
)  # fmt: skip


@pytest.mark.slow
def test_the_optimum_has_the_symmetry_of_the_laws() -> None:
    # The reflection y → 1 - y exchanges 0 with v2 and v1 with v1 + v2, and thereby the laws in
    # which v2 is alone with probabilities b and 1/5 - b.
    points = phase_diagram(FAMILY).points
    for left, right in ((points[0], points[2]), (points[3], points[5])):
        assert left.optimum == pytest.approx(right.optimum, rel=1e-7)


def test_neighbours_lead_to_a_better_optimum() -> None:
    good, near = (
        Known.of(ExplorePoint(FAMILY)((index, x, 0.2))) for index, x in enumerate((0.05, 0.1))
    )
    # As if every start had ended in reconstructing nothing.
    silent = Sae(np.zeros((2, 2)), [-1.0, -1.0], near.optimum.W_dec, near.optimum.b_dec)
    poor = Known(replace(near.point, optimum=0.41), silent, 1, near.codes)
    alone = Known.of(AskNeighbours(FAMILY)((poor, [])))
    assert alone.point.unsure == ("optimum",)
    helped = Known.of(AskNeighbours(FAMILY)((poor, [good])))
    assert helped.point.optimum < 0.9 * poor.point.optimum
    assert helped.found == 0
    # One neighbour alone is one witness; a second makes sure.
    assert helped.point.unsure == ("optimum",)
    assert Known.of(AskNeighbours(FAMILY)((poor, [good, good]))).point.unsure == ()


def test_a_narrower_neighbour_is_a_start_and_a_wider_one_none() -> None:
    family = Family(
        "shared", Axis("l1", 0.1, 0.2, 2), Axis("latents", 4, 5, 2), 4, Objective(1.0), starts=1
    )
    four, five = (
        Known.of(ExplorePoint(family)((index, 0.1, width))) for index, width in enumerate((4, 5))
    )
    assert Known.of(AskNeighbours(family)((five, [four]))).optimum.d_sae == 5
    assert Known.of(AskNeighbours(family)((four, [five]))).optimum.d_sae == 4


def test_what_no_bound_excludes_is_unsure() -> None:
    # The axis-aligned code has an amortisation gap here, and the diagonal's loss lies within it.
    family = Family(
        "independent", Axis("angle", 60, 80, 2), Axis("l1", 0.1, 0.2, 2), 4, Objective(1.0),
        starts=1,
    )  # fmt: skip
    known = Known.of(ExplorePoint(family)((0, 60.0, 0.2)))
    bound = known.point.bounds["axis-aligned"]
    assert bound is not None
    assert bound < known.point.losses["axis-aligned"]
    assert known.point.unsure == ()
    losses = {**known.point.losses, "diagonal": (bound + known.point.losses["axis-aligned"]) / 2}
    bounds = {**known.point.bounds, "diagonal": losses["diagonal"]}
    doubtful = replace(known.point, losses=losses, bounds=bounds, unsure=("axis-aligned",))
    again = Known.of(AskNeighbours(family)((replace(known, point=doubtful), [known]))).point
    assert again.unsure[0] == "axis-aligned"
    assert again.phase_is_unsure
