"""Closed forms of frames under l0 and TopK, against exact losses of the SAEs they name.

Random rational parameters; the ties against roots of differences of exact losses.
"""

from collections.abc import Callable

import numpy as np
import pytest
import sympy
from scipy import optimize

from solvers import Objective, Sae, Search, expected_loss
from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.architectures import JumpReluSae, TopKSae
from solvers.bounds.hard_threshold_bound import hard_threshold_bound as bound_in_floats
from solvers.optima.best_known import best_known
from theory import InputError, Law, one_hot_sets, preset
from theory.claims.composing import slope_written_positive
from theory.codes.code import Code, axis_aligned, diagonal
from theory.exact.symbols import (
    HEIGHT,
    MAGNITUDE_CORRELATION,
    ONEHOT_PROBABILITY,
    THETA,
)
from theory.losses.best_terms import (
    one_term_loss,
    one_term_tie,
    rotated_one_term_loss,
    two_term_encoder,
)
from theory.losses.hard_threshold_bound import hard_threshold_bound, is_attained
from theory.losses.hard_thresholds import (
    hard_threshold_loss,
    hard_threshold_loss_for_every_height,
    hard_threshold_tie,
    hard_threshold_tie_series,
)
from theory.losses.prefixes import prefix_losses
from theory.losses.rotated_codes import Sector, rotated_hard_threshold_loss

F, Q = MAGNITUDE_CORRELATION, ONEHOT_PROBABILITY
NAMES = {"shared": 1, "independent": 0}
CODES = {"axis-aligned": (axis_aligned(), 0.0), "diagonal": (diagonal(), np.pi / 4)}


def rationals(seed: int, count: int, low: str, high: str) -> list[sympy.Rational]:
    """Return random rationals of small denominators in an open interval."""
    rng = np.random.default_rng(seed)
    start, end = sympy.Rational(low), sympy.Rational(high)
    parts = rng.integers(1, 97, size=count)
    return [start + (end - start) * sympy.Rational(int(part), 97) for part in parts]


def frame(angle: float) -> Sae:
    """Return ±u, ±v, read by themselves: written out, not the package's own."""
    c, s = np.cos(angle), np.sin(angle)
    atoms = np.array([[c, s], [-c, -s], [-s, c], [s, -c]])
    return Sae(atoms.T, np.zeros(4), atoms, np.zeros(2))


def l0_loss(law: Law, angle: float, tau: float) -> float:
    sae = JumpReluSae(frame(angle), np.full(4, tau))
    return expected_loss(law, sae, Objective(0, l0=tau**2)).total


def top_1(law: Law, angle: float) -> float:
    return expected_loss(law, TopKSae(frame(angle), 1), Objective(0)).total


def in_sector(sectors: tuple[Sector, ...], values: dict[sympy.Symbol, sympy.Expr]) -> float:
    theta, tau = values[THETA], values[HEIGHT]
    (sector,) = [s for s in sectors if float(s.low) <= theta < float(s.high)]
    (chamber,) = [
        c
        for c in sector.chambers
        if sympy.N(c.low.subs(values)) <= tau < sympy.N(c.high.subs(values))
    ]
    return float(sympy.N(chamber.value.subs(values), 30))


@pytest.mark.parametrize("name", ["shared", pytest.param("independent", marks=pytest.mark.slow)])
def test_l0_losses_at_every_angle_and_height(name: str) -> None:
    sectors = rotated_hard_threshold_loss(preset(name))
    reached = set()
    for theta, tau in zip(rationals(0, 25, "0", "3/4"), rationals(1, 25, "0", "3/2"), strict=True):
        exact = l0_loss(preset(name), float(theta), float(tau))
        found = in_sector(sectors, {THETA: theta, HEIGHT: tau})
        assert found == pytest.approx(exact, abs=1e-12)
        reached.add(sum(float(tau) > np.cos(float(theta)) + s * np.sin(float(theta))
                        for s in (-1, 1)))  # fmt: skip
    assert reached == {0, 1, 2}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_l0_losses_at_every_angle_with_one_hot_samples(name: str) -> None:
    third = {Q: sympy.Rational(1, 3)}
    sectors = rotated_hard_threshold_loss(preset(name, onehot_probability=Q), third)
    assert [float(s.high) for s in sectors] == pytest.approx([np.arctan(0.5), np.pi / 4])
    for theta, tau, q in zip(
        rationals(2, 30, "0", "3/4"), rationals(3, 30, "0", "3/2"), rationals(4, 30, "0", "1"),
        strict=True,
    ):  # fmt: skip
        exact = l0_loss(preset(name, onehot_probability=q), float(theta), float(tau))
        found = in_sector(sectors, {THETA: theta, HEIGHT: tau, Q: q})
        assert found == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("name", NAMES)
def test_every_height_of_the_two_codes(code: str, name: str) -> None:
    atoms, angle = CODES[code]
    law = preset(name, onehot_probability=Q)
    chambers = hard_threshold_loss_for_every_height(atoms, law, {Q: sympy.Rational(1, 3)})
    assert chambers[-1].high is sympy.oo
    for tau, q in zip(rationals(5, 12, "0", "3/2"), rationals(6, 12, "0", "1"), strict=True):
        (value,) = [c.value for c in chambers if c.low < tau <= c.high]
        exact = l0_loss(preset(name, onehot_probability=q), angle, float(tau))
        assert float(value.subs({HEIGHT: tau, Q: q})) == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("code", CODES)
def test_l0_losses_for_every_q_and_f_at_small_heights(code: str) -> None:
    atoms, angle = CODES[code]
    third = sympy.Rational(1, 3)
    law = one_hot_sets(magnitude_correlation=F, onehot_probability=Q)
    found = hard_threshold_loss(atoms, law, {F: third, Q: third, HEIGHT: sympy.Rational(1, 100)})
    for f, q, share in zip(
        rationals(7, 8, "1/20", "19/20"), rationals(8, 8, "0", "1"), rationals(9, 8, "0", "1"),
        strict=True,
    ):  # fmt: skip
        # Below every corner of every component.
        tau = share * min(f, 1 - f) / 2
        at = {F: f, Q: q, HEIGHT: tau}
        assert found.holds_at(at)
        numeric = one_hot_sets(magnitude_correlation=f, onehot_probability=q)
        exact = l0_loss(numeric, angle, float(tau))
        assert float(sympy.N(found.value.subs(at), 30)) == pytest.approx(exact, abs=1e-12)


def root_in_q(f: sympy.Expr, loss: Callable[[Law, float], float]) -> float:
    """Return the q at which the exact losses of axes and diagonals are equal."""

    def difference(q: float) -> float:
        law = one_hot_sets(magnitude_correlation=f, onehot_probability=sympy.Rational(q))
        return loss(law, 0.0) - loss(law, np.pi / 4)

    found: float = optimize.brentq(difference, 0.0, 1.0, xtol=1e-12)
    return found


@pytest.mark.parametrize("f", ["0", "2/7", "1"])
def test_ties_under_l0_are_roots_of_the_exact_losses(f: str) -> None:
    height = sympy.Rational(1, 11)
    tie = hard_threshold_tie(axis_aligned(), diagonal(), f, height).subs(HEIGHT, height)
    root = root_in_q(sympy.Rational(f), lambda law, angle: l0_loss(law, angle, float(height)))
    assert float(tie) == pytest.approx(root, abs=1e-9)


@pytest.mark.slow
def test_the_tie_for_every_f() -> None:
    """Within its conditions the symbolic tie is that of each f; at f = 0 it is another one."""
    tie = hard_threshold_tie(axis_aligned(), diagonal(), F)
    for f in rationals(10, 4, "1/10", "9/10"):
        height = min(f, 1 - f) / 5
        own = hard_threshold_tie(axis_aligned(), diagonal(), f, height)
        assert sympy.simplify((tie.subs(F, f) - own).subs(HEIGHT, height)) == 0
    near = hard_threshold_tie_series(axis_aligned(), diagonal(), F, 2)
    slope = sympy.simplify(sympy.diff(near, HEIGHT))
    assert sympy.simplify(slope - (4 * sympy.sqrt(2) - 2 + 2 * F) / (3 * (1 - F))) == 0


def test_series_of_ties_are_the_ties_at_small_heights() -> None:
    for f in (0, 1):
        tie = hard_threshold_tie(axis_aligned(), diagonal(), f)
        series = hard_threshold_tie_series(axis_aligned(), diagonal(), f, 3)
        small = sympy.Rational(1, 1000)
        assert float((tie - series).subs(HEIGHT, small)) == pytest.approx(0, abs=1e-8)
        assert float(tie.subs(HEIGHT, small)) != pytest.approx(float(series.subs(HEIGHT, 0)))


@pytest.mark.slow
def test_the_optimiser_beside_the_tie_on_the_first_data_set() -> None:
    """Within 1e-3 of the tie what the search finds is no worse than the better of the codes."""
    tau = sympy.Rational(1, 10)
    tie = hard_threshold_tie(axis_aligned(), diagonal(), 1).subs(HEIGHT, tau)
    for by, name in ((-1, "diagonal"), (1, "axis-aligned")):
        q = sympy.Rational(round(float(tie), 6)) + sympy.Rational(by, 1000)
        law = preset("shared", onehot_probability=q)
        losses = {code: l0_loss(law, angle, float(tau)) for code, (_, angle) in CODES.items()}
        assert min(losses, key=lambda code: losses[code]) == name
        found = best_known(
            law,
            4,
            Objective(0, l0=float(tau) ** 2),
            Search(4, limit=4),
            architecture=Architecture("jumprelu"),
        )
        assert found.total <= losses[name] + 1e-12


@pytest.mark.parametrize("name", ["shared", pytest.param("independent", marks=pytest.mark.slow)])
@pytest.mark.parametrize("chamber", [0, 1])
def test_the_slope_written_positive_is_a_difference_quotient(name: str, chamber: int) -> None:
    angle, tau = 0.4, (0.3, 0.9)[chamber]
    assert slope_written_positive(name, chamber).is_positive
    across, step = np.cos(angle) - np.sin(angle), 1e-5
    numbers = {"w": across, "s": np.sin(angle), "e": tau - across,
               "r": across + 2 * np.sin(angle) - tau, "tau": tau}  # fmt: skip
    written = slope_written_positive(name, chamber)
    value = float(written.subs({s: numbers[s.name] for s in written.free_symbols}))
    law = preset(name)
    quotient = (l0_loss(law, angle - step, tau) - l0_loss(law, angle + step, tau)) / (2 * step)
    assert value == pytest.approx(quotient, rel=1e-6)


@pytest.mark.parametrize("height", ["1/10", "9/10", "3/2"])
def test_the_bound_in_numbers_and_in_floats(height: str) -> None:
    tau = sympy.Rational(height)
    law = preset("shared", onehot_probability="1/3")
    exact = hard_threshold_bound(law, {HEIGHT: tau}).value.subs(HEIGHT, tau)
    numeric = bound_in_floats(law, Objective(0, l0=float(tau) ** 2))
    assert float(exact) == pytest.approx(numeric.value, abs=1e-12)
    rng = np.random.default_rng(11)
    for _ in range(20):
        angle, b = rng.uniform(0, np.pi / 2), rng.normal(size=2) / 3
        base = frame(angle)
        sae = JumpReluSae(Sae(base.W_enc, -b @ base.W_enc, base.W_dec, b), np.full(4, float(tau)))
        loss = expected_loss(law, sae, Objective(0, l0=float(tau) ** 2)).total
        assert loss >= float(exact) - 1e-12


def test_the_bound_is_attained_where_the_data_lie_on_the_atoms() -> None:
    assert is_attained(preset("shared"), diagonal())
    assert is_attained(preset("shared", onehot_probability=1), axis_aligned())
    assert not is_attained(preset("shared", onehot_probability="1/2"), diagonal())
    assert not is_attained(preset("independent"), diagonal())


@pytest.mark.parametrize("name", ["independent", "lopsided"])
def test_the_bound_is_refused_where_another_b_may_do_better(name: str) -> None:
    lopsided = one_hot_sets(
        magnitude_correlation=1, probabilities=[["1/2", "1/6"], ["1/6", "1/6"]]
    )
    law = preset(name) if name in NAMES else lopsided
    with pytest.raises(InputError, match="segments from the origin, alike under x → -x"):
        hard_threshold_bound(law, {HEIGHT: sympy.S.One})


@pytest.mark.parametrize("name", NAMES)
def test_top_1_at_every_angle(name: str) -> None:
    found = rotated_one_term_loss(NAMES[name])
    for theta, q in zip(rationals(12, 12, "0", "3/4"), rationals(13, 12, "0", "1"), strict=True):
        exact = top_1(preset(name, onehot_probability=q), float(theta))
        value = float(sympy.N(found.subs({THETA: theta, Q: q}), 30))
        assert value == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize(
    ("code", "closed"),
    [
        ("axis-aligned", (1 - Q) * (2 + F + F**2) / 12),
        ("diagonal", ((1 - Q) * (1 - F) ** 2 + 2 * Q) / 12),
    ],
)
def test_top_1_for_every_q_and_f(code: str, closed: sympy.Expr) -> None:
    atoms, angle = CODES[code]
    third = sympy.Rational(1, 3)
    law = one_hot_sets(magnitude_correlation=F, onehot_probability=Q)
    found = one_term_loss(atoms, law, {F: third, Q: third}).value
    assert sympy.expand(found - closed) == 0
    for f, q in zip(rationals(14, 5, "0", "1"), rationals(15, 5, "0", "1"), strict=True):
        exact = top_1(one_hot_sets(magnitude_correlation=f, onehot_probability=q), angle)
        assert float(found.subs({F: f, Q: q})) == pytest.approx(exact, abs=1e-12)


def test_top_1_at_a_rational_frame_in_between() -> None:
    fifth = sympy.Rational(1, 5)
    code = Code("3-4-5", [(3 * fifth, 4 * fifth), (-3 * fifth, -4 * fifth),
                          (-4 * fifth, 3 * fifth), (4 * fifth, -3 * fifth)])  # fmt: skip
    law = one_hot_sets(magnitude_correlation="1/3", onehot_probability="1/7")
    value = one_term_loss(code, law).value
    assert value.is_Rational
    assert float(value) == pytest.approx(top_1(law, np.arctan2(4, 3)), abs=1e-12)


@pytest.mark.parametrize("f", ["0", "3/8", "1"])
def test_ties_with_one_latent_at_a_time(f: str) -> None:
    tie = one_term_tie(axis_aligned(), diagonal(), F).subs(F, sympy.Rational(f))
    assert float(tie) == pytest.approx(root_in_q(sympy.Rational(f), top_1), abs=1e-9)


def test_with_two_latents_any_two_atoms_do() -> None:
    rng = np.random.default_rng(16)
    for _ in range(6):
        one, other = rng.uniform(0, np.pi, size=2)
        rows = [(np.cos(a), np.sin(a)) for a in (one, other)]
        atoms = np.array([rows[0], np.negative(rows[0]), rows[1], np.negative(rows[1])])
        exact = [[sympy.Rational(entry) for entry in row] for row in atoms]
        W_enc = np.array(two_term_encoder(Code("oblique", exact)), dtype=float)
        law = one_hot_sets(magnitude_correlation="1/3", onehot_probability="1/7")
        sae = TopKSae(Sae(W_enc, np.zeros(4), atoms, np.zeros(2)), 2)
        size = float(np.abs(W_enc).max()) ** 2
        assert expected_loss(law, sae, Objective(0)).total == pytest.approx(0, abs=1e-14 * size)


BAD_CODES = [
    (one_term_loss, Code("long", [(2, 0), (-2, 0)]), "atoms of norm 1 with their negatives"),
    (one_term_loss, Code("half", [(1, 0), (0, 1)]), "atoms of norm 1 with their negatives"),
    (lambda code, _: two_term_encoder(code), Code("three", [(1, 0), (-1, 0), (0, 1)]), "d1, -d1"),
    (lambda code, _: two_term_encoder(code), Code("line", [(1, 0), (-1, 0)] * 2), "independent"),
    (prefix_losses, Code("half", [(1, 0), (0, 1)]), "orthogonal antipodal pairs"),
]


@pytest.mark.parametrize(("made", "code", "message"), BAD_CODES)
def test_codes_that_are_no_such_codes_are_refused(
    made: Callable[[Code, Law], object], code: Code, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        made(code, preset("shared"))
