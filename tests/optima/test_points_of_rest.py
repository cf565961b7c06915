"""No listed point has a slope, one-sided differences say, unless it is said to be a kink.

And none is listed twice: the attack in small. The differences are of `expected_loss`, along the
coordinates and along random directions; they share no code with the descents.
"""

from collections.abc import Iterator

import numpy as np
import pytest

from solvers import Objective, Sae, Search, expected_loss
from solvers.laws.arrays import law_arrays
from solvers.losses.parameters import LossOfVector, ScaledProblem, pack
from solvers.optima.descent import settle
from solvers.optima.landscape import Landscape, landscape
from solvers.optima.one_sided_slopes import kink_at, one_sided_slope
from theory import load_law

L = 0.1
STEP = 1e-6
# Curvatures are below 10, the losses' rounding below 1e-15.
NO_SLOPE = 1e-5
# A saddle of old, in a kink with a way down: latent 1 should fire less.
IN_A_KINK = Sae(
    np.array([[-0.72381, 0.5889, 0.14717, 0.73195], [0.68344, -0.5889, -0.10708, 0.73435]]),
    [-0.0412, 0.0, -0.05555, 0.61391],
    [[-0.63487, 0.77262], [0.78971, -0.61348], [0.6609, -0.75047], [0.70711, 0.70711]],
    [-0.50176, -0.50108],
)


def one_sided_differences(found: Landscape, sae: Sae, draws: int) -> Iterator[float]:
    """Yield (L(θ + h v) - L(θ))/h along ± every coordinate and along random v."""
    rng = np.random.default_rng(0)
    vector, (d, n) = pack(sae), sae.W_enc.shape
    total = expected_loss(found.law, sae, found.objective).total
    directions = rng.normal(size=(draws, len(vector)))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    for v in [*np.eye(len(vector)), *-np.eye(len(vector)), *directions]:
        W_enc, b_enc, W_dec, b_dec = np.split(vector + STEP * v, np.cumsum([d * n, n, n * d]))
        atoms = W_dec.reshape(n, d)
        if found.objective.decoder == "unit":
            atoms = atoms / np.linalg.norm(atoms, axis=1, keepdims=True)
        moved = Sae(W_enc.reshape(d, n), b_enc, atoms, b_dec)
        yield (expected_loss(found.law, moved, found.objective).total - total) / STEP


CASES = [
    ("shared", 4, Objective(L), "kaiming"),
    pytest.param(
        "shared",
        4,
        Objective(L, sparsity="decoder-norm", decoder="free"),
        "uniform",
        marks=pytest.mark.slow,
    ),
    pytest.param(
        "shared",
        3,
        Objective(L, decoder="free", weight_decay=0.01),
        "uniform",
        marks=pytest.mark.slow,
    ),
    ("independent", 3, Objective(0.5), "uniform"),
    ("two-features:first_alone=0.4,second_alone=0.1,both=0.4", 2, Objective(L), "kaiming"),
]


@pytest.mark.parametrize(("text", "n", "objective", "initialisation"), CASES)
def test_slopes_at_every_listed_point(
    text: str, n: int, objective: Objective, initialisation: str
) -> None:
    found = landscape(load_law(text), n, objective, Search(20), initialisation=initialisation)
    assert found.points
    for point in found.points:
        slopes = np.array([*one_sided_differences(found, point.sae, 60)])
        assert slopes.min() > -NO_SLOPE
        assert (slopes.max() > NO_SLOPE) == (point.kind == "kink")


@pytest.mark.slow
@pytest.mark.parametrize(("text", "n", "objective", "initialisation"), CASES)
def test_slopes_at_every_point_of_a_whole_landscape(
    text: str, n: int, objective: Objective, initialisation: str
) -> None:
    for seed in (0, 1):
        found = landscape(
            load_law(text), n, objective, Search(80, seed), initialisation=initialisation
        )
        for point in found.points:
            slopes = np.array([*one_sided_differences(found, point.sae, 500)])
            assert slopes.min() > -NO_SLOPE
            assert (slopes.max() > NO_SLOPE) == (point.kind == "kink")


def test_from_a_kink_with_a_way_down_descent_goes_on() -> None:
    law = load_law("shared")
    problem = ScaledProblem.of(law_arrays(law), Objective(L), 4)
    start = problem.vector(IN_A_KINK)
    rest = settle(problem.loss, start)
    assert rest.settled
    assert not len(rest.kinks)
    before = expected_loss(law, problem.sae(start), Objective(L)).total
    assert before == pytest.approx(0.1262964921, abs=1e-8)
    after = expected_loss(law, problem.sae(rest.vector), Objective(L)).total
    assert after < before - 1e-6


@pytest.mark.parametrize("text", ["shared", "two-features:first_alone=0.4,both=0.4"])
def test_one_sided_slopes_are_limits_of_differences(text: str) -> None:
    """A latent that vanishes on a whole component, pushed along all its directions."""
    rng = np.random.default_rng(0)
    loss = LossOfVector(law_arrays(load_law(text)), Objective(0.3), 2)
    # Silent on one diagonal of the first data set, and on all of the other: its line is 0.
    line = np.array([1.0, 1.0, 0.0]) if text == "shared" else np.zeros(3)
    vector = loss.vector(
        np.column_stack([line[:2], [0.4, -0.9]]), np.array([line[2], 0.1]), np.eye(2),
        np.array([0.1, 0.2]),
    )  # fmt: skip
    for _ in range(30):
        v = rng.normal(size=len(vector))
        differences = [(loss(vector + h * v)[0] - loss(vector)[0]) / h for h in (1e-5, 2e-5)]
        assert one_sided_slope(loss, vector, v) == pytest.approx(
            2 * differences[0] - differences[1], abs=1e-7
        )
    kink = kink_at(loss, vector)
    assert len(kink.equations) >= 3
    assert kink.way_down is not None
    least = one_sided_slope(loss, vector, kink.way_down)
    for _ in range(200):
        # In the pushed latent's own directions nothing random is steeper.
        v = np.zeros(len(vector))
        v[[0, 2, 4]] = rng.normal(size=3)
        along = kink.equations.T @ np.linalg.pinv(kink.equations.T) @ v
        if np.linalg.norm(along) > 1e-9:
            slope = one_sided_slope(loss, vector, along / np.linalg.norm(along))
            assert slope > least - 1e-6


@pytest.mark.slow
@pytest.mark.parametrize("l1", [0.05, 0.1, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("name", ["shared", "independent"])
def test_nothing_is_listed_twice(name: str, l1: float) -> None:
    """Two points of one loss are further apart than any copy ever was.

    Copies of old differed by up to 1e-9; true neighbours, as on the first data set at λ = 1
    those in which a latent that is nearly constant gains what a dead one does not, by 2e-8.
    """
    found = landscape(load_law(name), 4, Objective(l1))
    assert len(found.unsettled) < 0.1 * found.starts
    square = np.linspace(-1, 1, 21)
    x = (
        np.array([[t, s * t] for t in square for s in (-1, 1)])
        if name == "shared"
        else (np.stack(np.meshgrid(square, square), axis=-1).reshape(-1, 2))
    )
    turns = [np.diag(signs) @ swap for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1))
             for swap in (np.eye(2), np.eye(2)[::-1])]  # fmt: skip
    for k, point in enumerate(found.points):
        assert point.gradient < 1e-10
        own = point.sae.reconstruction(x)
        for other in found.points[:k]:
            if abs(point.loss.total - other.loss.total) > 5e-9 * point.loss.total:
                continue
            apart = min(np.abs(other.sae.reconstruction(x @ g.T) @ g - own).max() for g in turns)
            assert apart > 5e-3
