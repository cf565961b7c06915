"""Solutions, and the zero code against its definition."""

import numpy as np
import pytest

from solvers import Objective, Sae, Solution, expected_loss
from solvers.laws.arrays import law_arrays
from solvers.laws.samples import Sampler
from solvers.losses.solution import zero_code
from tests.plane_cases import plane_law
from theory import load_law
from theory.laws.presets import shared_amplitudes


def test_a_solution_is_weights_and_their_loss() -> None:
    law, objective = load_law("shared"), Objective(0.1)
    sae = Sae([[1.0], [0.0]], [0.0], [[1.0, 0.0]], [0.0, 0.0])
    found = Solution.of(law, sae, objective)
    assert found.sae is sae
    assert found.loss == expected_loss(law, sae, objective)


@pytest.mark.parametrize("seed", range(4))
def test_the_zero_code_is_the_mean(seed: int) -> None:
    law = plane_law(np.random.default_rng(seed))
    arrays = law_arrays(law)
    nothing = zero_code(law, 3, Objective(0.7))
    np.testing.assert_allclose(nothing.sae.b_dec, arrays.mean, atol=1e-12)
    assert nothing.loss.total == pytest.approx(arrays.spread, rel=1e-12)
    assert nothing.loss.firing == (0.0, 0.0, 0.0)
    free = Objective(0.7, decoder="free", weight_decay=0.1)
    assert zero_code(law, 3, free).loss.weight_decay == 0.0
    held = Objective(0.7, weight_decay=0.1)
    assert zero_code(law, 3, held).loss.weight_decay == pytest.approx(0.3)


def test_the_zero_code_of_the_relative_loss() -> None:
    relative = Objective(0.7, "relative")
    # The law reaches 0, so b_dec = 0: E ‖x‖²/‖x‖² = 1.
    nothing = zero_code(load_law("shared"), 2, relative)
    assert nothing.loss.total == pytest.approx(1.0, abs=1e-14)
    assert not nothing.sae.b_dec.any()
    # One that does not, and is not symmetric: by samples, in the sense of least squares.
    law = load_law("two-features:first_alone=0.5,second_alone=0.3,both=0.2,angle=60")
    x = Sampler(law)(np.random.default_rng(0), 100_000)
    weight = 1 / (x**2).sum(axis=1)
    b = (weight[:, None] * x).sum(axis=0) / weight.sum()
    sampled = (((x - b) ** 2).sum(axis=1) * weight).mean()
    assert zero_code(law, 2, relative).loss.total == pytest.approx(sampled, abs=5e-3)


@pytest.mark.parametrize("amplitude", ["1e-6", "1e60"])
def test_units_do_not_matter(amplitude: str) -> None:
    law = load_law(f"independent:amplitude={amplitude}")
    expected = float(amplitude) ** 2 * 2 / 3
    assert zero_code(law, 2, Objective(0.1)).loss.total == pytest.approx(expected, rel=1e-13)


def test_a_law_at_one_point_costs_nothing() -> None:
    law = shared_amplitudes([(1, 0, 0)])
    assert zero_code(law, 1, Objective(0.1)).loss.total == 0.0
