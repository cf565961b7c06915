"""Matryoshka prefixes of frames in closed form, against the exact losses of SAEs with prefixes."""

import numpy as np
import pytest
import sympy
from scipy import optimize

from solvers import Objective, Sae, Search, expected_loss, minimize_loss
from tests.theory.test_composing import CODES, NAMES, frame, rationals
from theory import InputError, preset
from theory.codes.code import Code, axis_aligned, diagonal, rotated
from theory.exact.symbols import L1, SHIFT, THETA
from theory.losses.prefixes import (
    best_shifted_frame,
    prefix_counts,
    prefix_frame_loss,
    prefix_losses,
    shifted_prefix_loss,
)

ROOT = sympy.sqrt(2) / 2
PREFIXES = (1, 2, 4)


@pytest.mark.parametrize("prefixes", [(1, 2), (2, 1, 4), (1, 1, 4), ()])
def test_prefixes_that_are_none_are_refused(prefixes: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="prefixes"):
        prefix_counts(prefixes, 4)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 2, 1, 3), (3, 0, 2, 1)])
def test_no_prefix_tells_angles_or_orders_apart(name: str, order: tuple[int, ...]) -> None:
    law = preset(name, onehot_probability="1/5")
    left = {prefix_losses(Code("sorted", [code.atoms[i] for i in order]), law)
            for code in (axis_aligned(), diagonal())}  # fmt: skip
    assert len(left) == 1
    (found,) = left
    for angle in (0.0, 0.3, np.pi / 4):
        base = frame(angle)
        sae = Sae(base.W_enc[:, order], np.zeros(4), base.W_dec[list(order)], np.zeros(2))
        summed = expected_loss(law, sae, Objective(0, prefixes=PREFIXES)).total
        assert float(found[1] + found[2] + found[4]) == pytest.approx(summed, abs=1e-12)


@pytest.mark.parametrize("prefixes", [(1, 2, 4), (2, 4), (4,)])
@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("name", NAMES)
def test_frames_with_prefixes(name: str, code: str, prefixes: tuple[int, ...]) -> None:
    atoms, angle = CODES[code]
    held = np.array([sum(i < m for m in prefixes) for i in range(4)])
    for l1, q in zip(rationals(17, 3, "0", "1"), rationals(18, 3, "0", "1"), strict=True):
        law = preset(name, onehot_probability=q)
        value = prefix_frame_loss(atoms, law, {L1: l1}, prefixes).value.subs(L1, l1)
        base = frame(angle)
        sae = Sae(base.W_enc, -float(l1) / (2 * held), base.W_dec, base.b_dec)
        exact = expected_loss(law, sae, Objective(float(l1), prefixes=prefixes)).total
        assert float(value) == pytest.approx(exact, abs=1e-12)


def test_a_frame_in_between_costs_as_much_with_prefixes() -> None:
    at = {L1: sympy.Rational(1, 9), THETA: sympy.Rational(1, 5)}
    value = prefix_frame_loss(rotated(THETA), preset("shared"), at).value.subs(at)
    base = frame(0.2)
    sae = Sae(base.W_enc, -1 / 18 / np.array([3, 2, 1, 1]), base.W_dec, base.b_dec)
    exact = expected_loss(preset("shared"), sae, Objective(1 / 9, prefixes=PREFIXES)).total
    assert float(sympy.N(value, 30)) == pytest.approx(exact, abs=1e-12)


def moved(angle: float, shift: float) -> Sae:
    """Return atoms u, v, -v, -u with b_dec = -2u - B v."""
    u, v = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    atoms = np.array([u, v, -v, -u])
    return Sae(atoms.T, [2, shift, -shift, -2], atoms, -2 * u - shift * v)


@pytest.mark.parametrize(
    ("axis", "angle"), [((sympy.S.Zero, sympy.S.One), 0.0), ((-ROOT, ROOT), np.pi / 4)]
)
@pytest.mark.parametrize("name", NAMES)
def test_frames_that_b_dec_moves(name: str, axis: tuple[sympy.Expr, ...], angle: float) -> None:
    objective = Objective(0, prefixes=PREFIXES)
    for shift in rationals(19, 4, "0", "7/10"):
        value = shifted_prefix_loss(axis, preset(name), {SHIFT: shift}).value.subs(SHIFT, shift)
        exact = expected_loss(preset(name), moved(angle, float(shift)), objective).total
        assert float(value) == pytest.approx(exact, abs=1e-12)
    best = best_shifted_frame(axis, preset(name))
    found = optimize.minimize_scalar(
        lambda shift: expected_loss(preset(name), moved(angle, shift), objective).total,
        bounds=(0.0, 0.7), method="bounded", options={"xatol": 1e-10},
    )  # fmt: skip
    assert float(sympy.N(best.loss, 30)) == pytest.approx(found.fun, abs=1e-12)
    assert float(sympy.N(best.shift, 30)) == pytest.approx(found.x, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_no_search_finds_better_prefixes_than_moved_axes(name: str) -> None:
    """16 starts over all SAEs of four latents as λ → 0; axes, not diagonals, at any angle."""
    best = best_shifted_frame((sympy.S.Zero, sympy.S.One), preset(name)).loss
    objective = Objective(0, prefixes=PREFIXES)
    found = minimize_loss(preset(name), 4, objective, Search(16, limit=16))
    assert found.total == pytest.approx(float(best), abs=1e-9)
    for angle in np.linspace(0.05, np.pi / 4, 5):
        losses = [
            expected_loss(preset(name), moved(angle, shift), objective).total
            for shift in np.linspace(0.1, 0.25, 16)
        ]
        assert min(losses) > float(best)
