"""Where the radial bound is attained: the theorem against the optimiser, on both sides of λ₀."""

from itertools import product

import numpy as np
import pytest
import sympy
from scipy import optimize

from solvers import Objective, Sae, Search, expected_loss, minimize_loss
from solvers.optima.polish import polish
from theory import Component, InputError, Law, one_hot_sets, preset
from theory.codes.code import Code, axis_aligned, diagonal
from theory.exact.symbols import L1
from theory.laws.presets import shared_amplitudes
from theory.losses.attained_bound import bound_attained_from, gauge_of_points
from theory.losses.radial_bound import radial_bound


def rays(*ends: tuple[object, ...], start: object = 0) -> Law:
    """Return the law uniform on the segments from start·end to end, all equally likely."""
    parts = []
    for end in ends:
        column = sympy.ImmutableMatrix([sympy.sympify(entry) for entry in end])
        low = sympy.sympify(start)
        parts.append(Component(sympy.Rational(1, len(ends)), column * (1 - low), column * low))
    return Law(tuple(parts), "rays")


def star(n: int) -> Law:
    """Return n segments of length 1 at equal angles."""
    angles = [2 * sympy.pi * k / n for k in range(n)]
    return rays(*((sympy.cos(angle), sympy.sin(angle)) for angle in angles))


def soft_thresholding(law: Law, l1: float) -> Sae | None:
    """Return the SAE with one latent w·x - λ/2 a ray, w by linear programming, if there is one."""
    ends = np.array([[float(x) for x in part.matrix] for part in law.components])
    lengths = np.linalg.norm(ends, axis=1)
    atoms, W_enc = ends / lengths[:, None], []
    for i, atom in enumerate(atoms):
        if lengths[i] <= l1 / 2:
            W_enc.append(np.zeros_like(atom))
            continue
        others = np.delete(ends, i, axis=0)
        found = optimize.linprog(
            np.zeros_like(atom),
            A_ub=others,
            b_ub=np.full(len(others), l1 / 2),
            A_eq=atom[None],
            b_eq=[1.0],
            bounds=(None, None),
        )
        if found.status != 0:
            assert found.status == 2, "infeasible, not failed"
            return None
        W_enc.append(found.x)
    biases = np.full(len(atoms), -l1 / 2)
    return Sae(np.transpose(W_enc), biases, atoms, np.zeros(atoms.shape[1]))


def test_six_rays_are_too_many_at_small_l1() -> None:
    """Each ray of six is the sum of its two neighbours, so γ = 2 and λ₀ = 1."""
    assert bound_attained_from(star(4)) == 0
    assert bound_attained_from(star(6)) == 1


CORNERS = [(a, b, c) for a in (-1, 1) for b in (-1, 1) for c in (-1, 1)]
LAWS = {
    "shared": preset("shared"),
    "hexagon": star(6),
    "octagon": star(8),
    "three pairs": rays(*CORNERS),
    "uneven": rays((1, 0), (0, 2), (1, 1), (-1, sympy.Rational(1, 3)), (0, -1)),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=pytest.mark.slow) if n in ("octagon", "three pairs") else n
        for n in LAWS
    ],
)
def test_linear_programming_finds_the_encoder_from_there_on_and_not_before(name: str) -> None:
    law = LAWS[name]
    turn = float(bound_attained_from(law))
    assert name == "shared" or turn > 0.3
    for l1 in (0.05, 0.3, 0.98 * turn, 1.02 * turn, turn + 0.2, turn + 5.0):
        if l1 <= 0:
            continue
        sae = soft_thresholding(law, l1)
        assert (sae is not None) == (l1 > turn)
        if sae is None:
            continue
        bound = radial_bound(law, {L1: sympy.nsimplify(l1)}).value.subs(L1, l1)
        total = expected_loss(law, sae, Objective(l1=l1)).total
        assert total == pytest.approx(float(bound), rel=1e-9)


@pytest.mark.parametrize("n", [6, pytest.param(8, marks=pytest.mark.slow)])
def test_below_it_no_start_reaches_the_bound(n: int) -> None:
    law = star(n)
    turn = float(bound_attained_from(law))
    # With neighbours at ±2π/n, r = (y₁ + y₂)/(2 cos(2π/n)) and γ = 1/cos(2π/n).
    assert turn == pytest.approx(2 * np.cos(2 * np.pi / n))
    l1 = 0.5 * turn
    bound = float(radial_bound(law, {L1: sympy.nsimplify(l1)}).value.subs(L1, l1))
    above = soft_thresholding(law, 1.02 * turn)
    assert above is not None
    best = minimize_loss(law, n, Objective(l1=l1), Search(starts=20)).total
    from_above = polish(law, above, Objective(l1=l1)).loss.total
    assert min(best, from_above) > bound * (1 + 1e-4)


def test_composing_three_pairs_cannot_be_encoded_by_one_layer() -> None:
    """(1, 1, 1) is the sum of (1, 1, -1) and its two likes: no half-space has it alone."""
    assert bound_attained_from(rays(*CORNERS)) == 2 / sympy.sqrt(3)
    assert bound_attained_from(rays(*((a, b) for a, b, c in CORNERS if c > 0))) == 0


def test_the_more_pairs_are_composed_the_larger_l1_must_be() -> None:
    """(1, ..., 1)/√k is Σ y/(√k (k - 2)) over its k neighbours, so λ₀ = 2 (k - 2)/√k."""
    for k in (3, 4, 5):
        law = rays(*product((-1, 1), repeat=k))
        turn = 2 * (k - 2) / np.sqrt(k)
        assert soft_thresholding(law, 0.99 * turn) is None
        assert soft_thresholding(law, 1.01 * turn) is not None


def test_a_ray_among_others_wants_a_larger_l1() -> None:
    """e1 + e2 between e1 and e2: (λ/2)(1, 1)/√2 leaves their triangle at λ = √2."""
    law = rays((1, 0), (0, 1), (1, 1))
    assert bound_attained_from(law) == sympy.sqrt(2)
    short = rays((1, 0), (0, 1), (sympy.Rational(1, 2), sympy.Rational(1, 2)))
    assert bound_attained_from(short) == sympy.sqrt(2)
    shorter = rays((1, 0), (0, 1), (sympy.Rational(1, 4), sympy.Rational(1, 4)))
    assert bound_attained_from(shorter) == sympy.sqrt(2) / 2


def test_codes_that_lack_an_atom_wait_for_the_zero_code() -> None:
    law = preset("shared")
    assert bound_attained_from(law, diagonal()) == 0
    assert bound_attained_from(law, Code("more", (*diagonal().atoms, (1, 0)))) == 0
    assert bound_attained_from(law, axis_aligned()) == 2 * sympy.sqrt(2)
    assert bound_attained_from(rays((3, 4)), Code("one", [("3/5", "4/5")])) == 0


def test_one_hot_cases_and_parallelograms() -> None:
    half = preset("shared", onehot_probability="1/2")
    # e1 lies between the diagonals (1, 1) and (1, -1): r = ½ y₁ + ½ y₂, γ = 1, and A = 1.
    assert bound_attained_from(half) == 2
    # A parallelogram must vanish in the ball: its corners are √2 away.
    assert bound_attained_from(preset("independent")) == 2 * sympy.sqrt(2)
    # Beyond λ = 2√2 the zero code attains it everywhere.
    silent = expected_loss(half, Sae(np.zeros((2, 1)), [0], [[1, 0]], [0, 0]), Objective(l1=2.9))
    bound = radial_bound(half, {L1: sympy.Rational(29, 10)}).value
    assert silent.total == pytest.approx(float(bound), rel=1e-12)


def test_points_of_zero_probability_do_not_matter() -> None:
    table = [["1/4", "1/4", 0], ["1/4", "1/4", 0], [0, 0, 0]]
    assert bound_attained_from(one_hot_sets(probabilities=table, magnitude_correlation=1)) == 0


def test_point_masses() -> None:
    law = shared_amplitudes([("1/2", 0, 0), ("1/4", 3, 3), ("1/4", 0, 1)])
    assert bound_attained_from(law, diagonal()) == 0
    deep = Law((*rays((1, 0), (0, 1)).components[:1], *_point(1, 1), *_point(0, 1)), "deep")
    with pytest.raises(InputError, match="deep: expected rays that end in a segment"):
        bound_attained_from(deep)


def _point(x: int, y: int) -> tuple[Component]:
    offset = sympy.ImmutableMatrix([x, y])
    return (Component(sympy.Rational(1, 4), sympy.ImmutableMatrix(2, 0, []), offset),)


def test_atoms_longer_than_one_are_not_covered() -> None:
    with pytest.raises(InputError, match="expected atoms of norm at most 1"):
        bound_attained_from(preset("shared"), Code("long", [(1, sympy.sqrt(3)), (-1, 0)]))


def test_gauge_of_points_in_a_subspace() -> None:
    one, zero = sympy.Integer(1), sympy.Integer(0)
    assert gauge_of_points([(one, zero, zero)], (one, one, zero)) is sympy.oo
    assert gauge_of_points([], (one,)) is sympy.oo
    assert gauge_of_points([(-one,)], (one,)) is sympy.oo


def test_relative_radial_bound_is_the_mean_of_the_pointwise_minimum() -> None:
    for l1 in (0.1, 2.0):
        bound = radial_bound(preset("shared"), {L1: sympy.nsimplify(l1)}, "relative").value
        grid = np.sqrt(2) * (np.arange(400) + 0.5) / 400
        r, share = grid[:, None], np.linspace(0, 1, 3001)
        least = ((1 - share) ** 2 + l1 * r * share).min(axis=1)
        assert float(bound.subs(L1, l1)) == pytest.approx(least.mean(), abs=2e-4)


def test_collinear_segments_are_one_ray_even_if_their_roots_do_not_reduce() -> None:
    far = 1_000_003
    assert bound_attained_from(rays((1000, 1001), (1000 * far, 1001 * far))) == 0
