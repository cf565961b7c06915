"""The rotated code's least loss for every θ and λ against the exact loss of that very SAE."""

from itertools import pairwise

import numpy as np
import pytest
import sympy

from solvers import Objective, expected_loss
from solvers.autoencoders.frames import frame_sae
from theory import preset
from theory.exact.symbols import L1, ONEHOT_PROBABILITY, THETA
from theory.losses.rotated_codes import Sector, rotated_loss_for_every_l1

SECTORS = {
    "shared": (preset("shared"), {}),
    "independent": (preset("independent"), {}),
    "independent, one-hot with probability q": (
        preset("independent", onehot_probability=ONEHOT_PROBABILITY),
        {ONEHOT_PROBABILITY: sympy.Rational(1, 3)},
    ),
}


def value_at(sectors: tuple[Sector, ...], angle: float, l1: float, **others: object) -> float:
    """Return the formula's value, its sector and chamber found by their ends."""
    values = {THETA: sympy.Float(angle, 30), L1: sympy.Float(l1, 30)}
    values |= {ONEHOT_PROBABILITY: others.get("q", sympy.Integer(0))}
    (sector,) = [s for s in sectors if float(s.low) <= angle < float(s.high)]
    (chamber,) = [
        c
        for c in sector.chambers
        if sympy.N(c.low.subs(values)) <= l1 < sympy.N(c.high.subs(values))
    ]
    return float(chamber.value.subs(values))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["shared", *(pytest.param(name, marks=pytest.mark.slow) for name in list(SECTORS)[1:])]
)
def test_every_angle_and_every_l1(name: str) -> None:
    law, witness = SECTORS[name]
    sectors = rotated_loss_for_every_l1(law, witness)
    assert (sectors[0].low, sectors[-1].high) == (0, sympy.pi / 4)
    assert all(one.high == two.low for one, two in pairwise(sectors))
    for sector in sectors:
        assert (sector.chambers[0].low, sector.chambers[-1].high) == (0, sympy.oo)
        assert all(one.high == two.low for one, two in pairwise(sector.chambers))
        assert L1 not in sector.chambers[-1].value.free_symbols
    rng = np.random.default_rng(0)
    reached = set()
    for _ in range(40):
        angle, l1 = rng.uniform(0, np.pi / 4), rng.uniform(0, 3.2)
        q = sympy.Rational(int(rng.integers(0, 9)), 8) if witness else sympy.Integer(0)
        numeric = law.at({ONEHOT_PROBABILITY: q})
        exact = expected_loss(numeric, frame_sae(angle, l1 / 2), Objective(l1=l1)).total
        assert value_at(sectors, angle, l1, q=q) == pytest.approx(exact, abs=1e-12)
        reached.add(next(i for i, s in enumerate(sectors) if float(s.high) > angle))
    assert len(reached) == len(sectors)


@pytest.mark.slow
def test_a_law_in_other_units() -> None:
    """With A = 2, x is twice as large: L(λ; 2) = 4 L(λ/2; 1)."""
    once, twice = (
        rotated_loss_for_every_l1(preset("shared", amplitude=amplitude)) for amplitude in (1, 2)
    )
    for angle, l1 in ((0.1, 0.3), (0.5, 2.0), (0.7, 6.0)):
        assert value_at(twice, angle, l1) == pytest.approx(4 * value_at(once, angle, l1 / 2))
