"""x → c x with λ → c λ multiplies squared losses by c²; x → x + s only moves b_enc and b_dec."""

import numpy as np
import pytest
import sympy

from solvers import Objective, Sae, Search, expected_loss, minimize_loss
from solvers.bounds.certificate import certify
from solvers.bounds.radial_bound import lower_bound
from solvers.losses.best_activations import best_activation_loss
from solvers.optima.held_codes import held_code
from solvers.optima.landscape import landscape
from solvers.optima.polish import polish
from tests.law_maps import moved_law, moved_sae
from theory import Law, law_from_dict, load_law
from theory.codes.code import diagonal

L = 0.1
SHIFT = (100, -37)
SCALES = [sympy.Rational(1, 2**20), sympy.Integer(3), sympy.Integer(10) ** 6]
#: The last has its mean away from 0, and no symmetry.
LAWS = {
    "shared": load_law("shared"),
    "independent": load_law("independent:onehot_probability=0.3"),
    "lopsided": law_from_dict(
        {"sets": [1, 2], "embedding": [[1, 0], [0, 1], ["1/2", "-1/2"]],
         "probabilities": [["1/2", "1/4", "1/16"], ["1/8", "1/16", 0]]}
    ),
}  # fmt: skip


def random_sae(seed: int, n: int = 4) -> Sae:
    rng = np.random.default_rng(seed)
    W_dec = rng.normal(size=(n, 2))
    W_dec /= np.linalg.norm(W_dec, axis=1, keepdims=True)
    return Sae(rng.normal(size=(2, n)), 0.3 * rng.normal(size=n), W_dec, 0.3 * rng.normal(size=2))


@pytest.fixture(
    params=[
        pytest.param(name, marks=pytest.mark.slow if name == "independent" else ())
        for name in LAWS
    ],
    name="law",
)
def every_law(request: pytest.FixtureRequest) -> Law:
    return LAWS[request.param]


@pytest.mark.parametrize("scale", SCALES)
def test_losses_and_bounds_scale(law: Law, scale: sympy.Rational) -> None:
    c = float(scale)
    large, objective, scaled = moved_law(law, scale), Objective(L), Objective(L * c)
    sae = random_sae(1)
    along = moved_sae(sae, c)
    assert expected_loss(large, along, scaled).total == pytest.approx(
        c**2 * expected_loss(law, sae, objective).total, rel=1e-12
    )
    assert best_activation_loss(large, along, scaled) == pytest.approx(
        c**2 * best_activation_loss(law, sae, objective), rel=1e-12
    )
    bound, base = lower_bound(large, scaled, 4), lower_bound(law, objective, 4)
    assert bound.value == pytest.approx(c**2 * base.value, rel=1e-9)
    assert bound.error < c**2 * 1e-9
    relative = Objective(L, "relative")
    tied = Sae(sae.W_enc, sae.b_enc, sae.W_dec, -np.maximum(sae.b_enc, 0) @ sae.W_dec)
    assert expected_loss(
        large, moved_sae(tied, c), Objective(L / c, "relative")
    ).total == pytest.approx(expected_loss(law, tied, relative).total, rel=1e-10)


def test_losses_and_bounds_do_not_see_where_the_data_lie(law: Law) -> None:
    away, objective = moved_law(law, 1, SHIFT), Objective(L)
    sae = random_sae(2)
    along = moved_sae(sae, 1.0, SHIFT)
    assert expected_loss(away, along, objective).total == pytest.approx(
        expected_loss(law, sae, objective).total, rel=1e-10
    )
    assert best_activation_loss(away, along, objective) == pytest.approx(
        best_activation_loss(law, sae, objective), rel=1e-10
    )
    bound, base = lower_bound(away, objective, 4), lower_bound(law, objective, 4)
    # How far an iterative least b_dec may be off is part of the bound.
    assert abs(bound.value - base.value) <= bound.error + base.error
    assert bound.error < 1e-8


@pytest.mark.parametrize(
    "scale", [SCALES[0], *(pytest.param(c, marks=pytest.mark.slow) for c in SCALES[1:])]
)
def test_searches_scale(law: Law, scale: sympy.Rational) -> None:
    c = float(scale)
    large, objective, scaled = moved_law(law, scale), Objective(L), Objective(L * c)
    one, other = (
        minimize_loss(data, 3, at, Search(3, limit=3))
        for data, at in ((law, objective), (large, scaled))
    )
    assert other.total == pytest.approx(c**2 * one.total, rel=1e-9)
    assert other.lower_bound == pytest.approx(c**2 * one.lower_bound, rel=1e-9)
    assert [s.converged for s in one.starts] == [s.converged for s in other.starts]
    assert held_code(large, diagonal(), scaled).loss.total == pytest.approx(
        c**2 * held_code(law, diagonal(), objective).loss.total, rel=1e-9
    )
    ends = [polish(data, moved_sae(random_sae(3), by), at)
            for data, at, by in ((law, objective, 1.0), (large, scaled, c))]  # fmt: skip
    assert ends[1].loss.total == pytest.approx(c**2 * ends[0].loss.total, rel=1e-9)
    assert ends[1].saddle == ends[0].saddle


def test_searches_do_not_see_where_the_data_lie(law: Law) -> None:
    away, objective = moved_law(law, 1, SHIFT), Objective(L)
    for seed in range(3):
        one, other = (
            minimize_loss(data, 3, objective, Search(1, seed, limit=1)) for data in (law, away)
        )
        assert other.converged == one.converged
        assert other.total == pytest.approx(one.total, rel=1e-9)
        np.testing.assert_allclose(other.sae.b_dec, one.sae.b_dec + SHIFT, atol=1e-5)
        np.testing.assert_allclose(other.sae.W_dec, one.sae.W_dec, atol=1e-5)
    sae = random_sae(4)
    ends = [polish(data, moved_sae(sae, 1.0, by), objective)
            for data, by in ((law, (0, 0)), (away, SHIFT))]  # fmt: skip
    assert ends[1].loss.total == pytest.approx(ends[0].loss.total, rel=1e-9)
    np.testing.assert_allclose(ends[1].sae.b_dec, ends[0].sae.b_dec + SHIFT, atol=1e-5)


def test_far_from_zero_the_second_data_set_is_still_solved() -> None:
    away = moved_law(load_law("independent"), 1, (100, 100))
    best = minimize_loss(away, 4, Objective(L))
    # 2√2λ/3 - λ²/2 + √2λ³/12 - λ⁴/96.
    closed = 2 * 2**0.5 * L / 3 - L**2 / 2 + 2**0.5 * L**3 / 12 - L**4 / 96
    assert best.total == pytest.approx(closed, abs=1e-10)
    assert best.converged
    np.testing.assert_allclose(best.sae.b_dec, 100, atol=1e-6)


@pytest.mark.parametrize(("scale", "shift"), [(3, (0, 0)), (1, SHIFT)])
def test_the_landscape_is_carried_along(law: Law, scale: int, shift: tuple[int, int]) -> None:
    base = landscape(law, 2, Objective(L), Search(12))
    moved = landscape(moved_law(law, scale, shift), 2, Objective(L * scale), Search(12))
    assert moved.symmetries == base.symmetries
    assert [(p.kind, p.count, p.dead, p.flat) for p in moved.points] == [
        (p.kind, p.count, p.dead, p.flat) for p in base.points
    ]
    for one, other in zip(base.points, moved.points, strict=True):
        assert other.loss.total == pytest.approx(scale**2 * one.loss.total, rel=1e-9)


@pytest.mark.slow
def test_certificates_scale() -> None:
    law = load_law("shared")
    base = certify(law, 3, Objective(L), gap=0.05)
    large = certify(moved_law(law, 8), 3, Objective(8 * L), gap=0.05)
    assert large.optimum == pytest.approx(64 * base.optimum, rel=1e-8)
    assert large.lower_bound == pytest.approx(64 * base.lower_bound, rel=1e-2)
    assert large.lower_bound <= large.optimum
    assert large.any_b_dec_bound == pytest.approx(64 * base.any_b_dec_bound, rel=1e-9)


@pytest.mark.slow
def test_the_bound_for_every_b_dec_does_not_see_where_the_data_lie() -> None:
    law = load_law("shared")
    base, away = (
        certify(data, 3, Objective(L), gap=0.5) for data in (law, moved_law(law, 1, (5, -2)))
    )
    assert away.any_b_dec_bound == pytest.approx(base.any_b_dec_bound, abs=1e-9)
