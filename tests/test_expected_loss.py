"""The exact expected loss against exact rational arithmetic, and its gradient."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from solvers.expected_loss import expected_loss
from solvers.objectives import Objective
from solvers.sae import Sae
from tests.oracles import components_from_specification, exact_expectations
from tests.random_cases import random_sae, random_specification
from theory import law_from_dict

CASES = 240


def cases() -> Iterator[tuple[dict[str, Any], tuple[Any, ...]]]:
    rng = np.random.default_rng(20240314)
    for case in range(CASES):
        specification = random_specification(rng)
        d = len(specification["embedding"][0])
        n = 16 if case % 24 == 0 else int(rng.integers(2, 9))
        yield specification, random_sae(rng, d, n)


@pytest.mark.parametrize("part", range(8))
def test_agrees_with_exact_rational_arithmetic(part: int) -> None:
    for specification, weights in list(cases())[part::8]:
        truth = exact_expectations(components_from_specification(specification), *weights)
        loss = expected_loss(law_from_dict(specification), Sae(*weights), Objective(l1=0.125))
        l1 = sum(truth.activations)
        total = truth.reconstruction + Fraction(1, 8) * l1
        assert abs(Fraction(loss.total) - total) <= Fraction(1e-12) * total
        assert abs(Fraction(loss.reconstruction) - truth.reconstruction) <= Fraction(1e-12) * total
        assert loss.l1 == pytest.approx(float(l1), rel=1e-12, abs=1e-14)
        assert loss.firing == pytest.approx([float(p) for p in truth.firing], rel=0, abs=1e-13)
        assert loss.l0 == pytest.approx(float(sum(truth.firing)), rel=1e-12, abs=1e-13)
