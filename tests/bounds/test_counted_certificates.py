"""Certificates where latents are counted: l0 penalties, TopK with k = 1, and what is refused."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import sympy

from solvers import InputError, Objective, Search
from solvers.autoencoders.architecture import Architecture
from solvers.bounds import certificate
from solvers.bounds.certificate import Certificate, certify
from solvers.bounds.dictionary_search import TURN
from solvers.bounds.hard_sector_losses import HardSectorLosses
from solvers.laws.arrays import law_arrays
from solvers.optima.certified import certified_optimum
from tests.bounds.test_hard_sector_losses import least
from tests.plane_cases import plane_law
from theory import Component, Law, load_law

ONE = Architecture("topk", 1)
JUMP = Architecture("jumprelu")


def independent(objective: Objective, n: int = 4, **settings: Any) -> Certificate:
    """Return a certificate that no slow machine leaves incomplete."""
    settings = {"max_seconds": 1e9, **settings}
    return certify(load_law("independent"), n, objective, **settings)


@pytest.mark.slow
@pytest.mark.parametrize("l0", [0.01, 0.1, 0.5])
def test_the_diagonals_are_best_under_an_l0_penalty(l0: float) -> None:
    found = independent(Objective(0, l0=l0))
    closed = 2 * l0 - 4 * math.sqrt(2) / 3 * l0**1.5 + l0**2 / 2
    assert found.complete
    assert found.optimum == pytest.approx(closed, abs=1e-9)
    assert found.relative_gap <= 1e-3
    assert found.any_b_dec_bound < found.lower_bound <= found.optimum
    assert (found.attained_radial, found.any_b_dec_by) == (False, "l0 bound")
    assert "any norm" in found.covers


@pytest.mark.slow
def test_the_diagonals_are_best_for_one_latent_at_a_time() -> None:
    found = independent(Objective(0), architecture=ONE)
    assert found.complete
    assert found.optimum == pytest.approx(1 / 12, abs=1e-9)
    assert found.lower_bound >= (1 - 1e-3) / 12
    assert "one latent at a time" in found.covers


@pytest.fixture
def few_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificate, "_starts", lambda _, n, __: np.arange(n)[None] * 2.0)


@pytest.mark.usefixtures("few_starts")
def test_a_rough_certificate_refutes_what_is_claimed() -> None:
    """The axes' loss under l0, 2λ₀ - (4/3) λ₀^{3/2}, is claimed to be the least."""
    axes = 0.2 - 4 / 3 * 0.1**1.5
    settings: dict[str, Any] = {"gap": 0.4, "max_boxes": 1}
    assert independent(Objective(0, l0=0.1), claimed=axes, **settings).refuted
    assert not independent(Objective(0, l0=0.1), claimed=0.1453715206, **settings).refuted


@pytest.mark.usefixtures("few_starts")
def test_on_rays_the_bound_of_every_width_is_attained_at_once() -> None:
    """Whatever the architecture, and beside an l1 penalty."""
    law = load_law("shared")
    for objective, architecture in (
        (Objective(0, l0=0.1), JUMP),
        (Objective(0.1, l0=0.05), JUMP),
        (Objective(0, l0=0.1, decoder="free"), ONE),
        (Objective(0), ONE),
    ):
        found = certify(law, 4, objective, architecture=architecture)
        assert (found.attained_radial, found.boxes, found.complete) == (True, 0, True)
        assert found.lower_bound == found.optimum == found.any_b_dec_bound


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("one", [True, False])
def test_both_sides_on_random_laws(seed: int, one: bool) -> None:
    """The bound is within the gap of a dictionary, and no dictionary of a grid is below it."""
    rng = np.random.default_rng(seed)
    law, n = plane_law(rng), 2
    while any(part.cube_dimension == 2 and not part.matrix.det() for part in law.components):
        law = plane_law(rng)
    l0 = 0.1 * float(np.trace(law_arrays(law).second_moment)) * (not one)
    architecture = ONE if one else JUMP
    found = certify(law, n, Objective(0, l0=l0), architecture=architecture, gap=0.05,
                    max_boxes=20_000)  # fmt: skip
    grid = np.array(list(itertools.combinations_with_replacement(np.arange(24) * TURN / 24, n)))
    losses = HardSectorLosses(law_arrays(law), 0.0, l0=l0, pairs=not one).dictionaries(grid)
    assert found.lower_bound <= min(losses.min(), found.optimum) + 1e-12
    assert found.optimum <= losses.min() * (1 + 1e-3)


@pytest.mark.usefixtures("few_starts")
def test_two_atoms_all_but_opposite() -> None:
    """They reconstruct a half-plane for 2λ₀; opposite they do not, and none attains it."""
    found = independent(Objective(0, l0=0.02), n=2, gap=0.2, max_boxes=1)
    apart = abs(found.angles[1] - found.angles[0])
    assert min(apart, TURN - apart) < math.pi
    opposite = HardSectorLosses(law_arrays(load_law("independent")), 0.0, l0=0.02)
    at = np.array([[found.angles[0], found.angles[0] + math.pi]])
    assert found.optimum < 0.7 * opposite.dictionaries(at).item()


def test_the_loss_is_not_convex_in_b_dec() -> None:
    """Why squares of b_dec are not searched: two points, each of which is free as b_dec.

    At (±2, 0), λ₀ = 1, two atoms: with b at either one the other costs 1, half of the time; in the
    middle both do.
    """
    x = np.array([[2.0, 0.0], [-2.0, 0.0]])
    angles = np.array([0.0, math.pi])
    left, middle, right = (
        least(x - b, angles, 0.0, 1.0, 2).mean() for b in ([-2, 0], [0, 0], [2, 0])
    )
    assert (left, middle, right) == (0.5, 1.0, 0.5)
    assert middle > (left + right) / 2
    with pytest.raises(InputError, match="any_b_dec: expected False where latents are counted"):
        certify(load_law("shared"), 4, Objective(0, l0=0.1), any_b_dec=True)


@pytest.mark.usefixtures("few_starts")
def test_the_optimum_and_its_certificate() -> None:
    best, proven = certified_optimum(
        load_law("independent"), 4, Objective(0, l0=0.1), Search(starts=1, limit=1),
        architecture=JUMP, gap=0.3,
    )  # fmt: skip
    assert proven is not None
    assert proven.complete
    assert best.total == pytest.approx(proven.optimum, abs=1e-9)
    assert best.lower_bound == pytest.approx(proven.any_b_dec_bound, rel=1e-12)
    assert best.lower_bound < proven.lower_bound < best.total


SOLID = load_law({"sets": [1, 1, 1], "embedding": [[1, 0], [0, 1], [1, 1]]})
THIN = Law(
    (Component(sympy.Integer(1), sympy.ImmutableMatrix([[1, 2], [1, 2]]), sympy.zeros(2, 1)),)
)


@pytest.mark.parametrize(
    ("law", "objective", "architecture", "message"),
    [
        (SOLID, Objective(0, l0=0.1), JUMP, "^law: expected points, segments and parallelograms"),
        (THIN, Objective(0, l0=0.1), JUMP, "^law: expected points, segments and parallelograms"),
        (load_law("shared"), Objective(0), Architecture("topk", 2), "^k: expected 1 of TopK"),
        (load_law("shared"), Objective(0), Architecture("batchtopk", 1), "^k: expected 1 of TopK"),
        (load_law("shared"), Objective(0), JUMP, "^l1: expected a number between 0"),
        (load_law("shared"), Objective(0.1, prefixes=(2, 4)), JUMP, "^prefixes: expected none"),
        (load_law("shared"), Objective(0.1, l0=0.1, decoder="free"), JUMP, "^decoder: expected"),
        (load_law("shared"), Objective(0.1), Architecture("topk", 5), "^k: expected at most 4"),
    ],
)
def test_what_has_no_certificate_is_named(
    law: Law, objective: Objective, architecture: Architecture, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        certify(law, 4, objective, architecture=architecture)


@pytest.mark.usefixtures("few_starts")
def test_one_latent_at_a_time_on_solid_cubes() -> None:
    """No circle is needed, so every law of the plane is covered."""
    for law in (SOLID, THIN):
        found = certify(law, 2, Objective(0), architecture=ONE, gap=0.4, max_boxes=1)
        assert 0 <= found.lower_bound <= found.optimum
