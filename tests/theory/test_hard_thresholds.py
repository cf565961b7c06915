"""Frames under an l0 penalty in closed form, against the exact loss of JumpReLU SAEs."""

import numpy as np
import pytest
import sympy

from solvers import Objective, Sae, expected_loss
from solvers.autoencoders.architectures import JumpReluSae
from theory import Law, one_hot_sets
from theory.codes.code import Code, axis_aligned, diagonal
from theory.exact.symbols import HEIGHT, L0, ONEHOT_PROBABILITY
from theory.losses.closed_forms import NoFrameError
from theory.losses.hard_thresholds import hard_threshold_loss, hard_threshold_tie, in_l0

FIFTH = sympy.Rational(1, 5)
CODES = {
    "axis-aligned": axis_aligned(),
    "diagonal": diagonal(),
    "3-4-5": Code("3-4-5", [(3 * FIFTH, 4 * FIFTH), (-3 * FIFTH, -4 * FIFTH),
                            (-4 * FIFTH, 3 * FIFTH), (4 * FIFTH, -3 * FIFTH)]),
}  # fmt: skip


def sae_of(code: Code, height: float) -> JumpReluSae:
    atoms = np.array(code.atoms, dtype=float)
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    return JumpReluSae(Sae(atoms.T, np.zeros(4), atoms, np.zeros(2)), np.full(4, height))


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize(
    ("f", "q", "height"),
    [("0", "0", "1/7"), ("1", "0", "2/5"), ("1/3", "1/4", "3/11"), ("0", "1/2", "9/10"),
     ("1", "2/3", "4/3"), ("3/4", "1", "1/100")],
)  # fmt: skip
def test_the_formula_is_the_exact_loss(name: str, f: str, q: str, height: str) -> None:
    law: Law = one_hot_sets(magnitude_correlation=f, onehot_probability=q)
    tau = sympy.Rational(height)
    found = hard_threshold_loss(CODES[name], law, {HEIGHT: tau})
    assert found.holds_at({HEIGHT: tau})
    value = float(found.value.subs(HEIGHT, tau))
    exact = expected_loss(law, sae_of(CODES[name], float(tau)), Objective(0, l0=float(tau) ** 2))
    assert value == pytest.approx(exact.total, rel=1e-12)


def test_the_second_data_set_in_closed_form() -> None:
    """2λ₀ - (4√2/3) λ₀^{3/2} + λ₀²/2 for the diagonal: t is a triangle's density on [-√2, √2]."""
    law = one_hot_sets()
    found = in_l0(hard_threshold_loss(diagonal(), law, {HEIGHT: sympy.Rational(1, 5)}).value)
    closed = 2 * L0 - 4 * sympy.sqrt(2) / 3 * L0 ** sympy.Rational(3, 2) + L0**2 / 2
    assert sympy.simplify(found - closed) == 0


def test_beyond_the_data_nothing_is_worth_a_latent() -> None:
    law = one_hot_sets(magnitude_correlation=1)
    assert hard_threshold_loss(
        diagonal(), law, {HEIGHT: sympy.Integer(2)}
    ).value == sympy.Rational(2, 3)


@pytest.mark.parametrize("f", ["0", "1/2", "1"])
@pytest.mark.parametrize("height", ["1/10", "2/5"])
def test_at_the_tie_both_cost_the_same(f: str, height: str) -> None:
    tie = hard_threshold_tie(axis_aligned(), diagonal(), f, height)
    q = tie.subs(HEIGHT, sympy.Rational(height))
    assert 0 < q < 1
    law = one_hot_sets(magnitude_correlation=f, onehot_probability=q)
    tau = float(sympy.Rational(height))
    one, two = (
        expected_loss(law, sae_of(code, tau), Objective(0, l0=tau**2)).total
        for code in (axis_aligned(), diagonal())
    )
    assert one == pytest.approx(two, rel=1e-12)


def test_series_of_the_ties() -> None:
    """f = 1: 1/2 at λ₀ = 0. f < 1: composing gains at order λ₀^{3/2} only, the tie goes to 0."""
    slopes = {}
    for f in ("1", "1/2", "0"):
        tie = hard_threshold_tie(axis_aligned(), diagonal(), f)
        at_zero = sympy.limit(tie, HEIGHT, 0)
        slopes[f] = sympy.limit((tie - at_zero) / HEIGHT, HEIGHT, 0)
        assert at_zero == (sympy.Rational(1, 2) if f == "1" else 0)
    assert sympy.simplify(slopes["0"] - 4 * (sympy.sqrt(2) - 1) / 3) == 0


def test_symbols_may_stay_in_the_law() -> None:
    law = one_hot_sets(onehot_probability=ONEHOT_PROBABILITY)
    at = {ONEHOT_PROBABILITY: sympy.Rational(1, 2), HEIGHT: sympy.Rational(1, 4)}
    value = hard_threshold_loss(axis_aligned(), law, at).value
    each = HEIGHT**2 - 2 * HEIGHT**3 / 3
    assert sympy.expand(value - each * (2 - ONEHOT_PROBABILITY)) == 0


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(NoFrameError):
        hard_threshold_loss(Code("one", [(1, 0)]), one_hot_sets(), {HEIGHT: sympy.S.One})
