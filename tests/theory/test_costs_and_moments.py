"""Moments, codes, costs, losses and bounds against routes that share nothing with them."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import sympy

from tests.oracles.expected_losses import gauge_by_linear_programme, midpoint_grid_expectation
from tests.oracles.laws import components_from_specification
from tests.random_cases import random_specification
from theory import Component, InputError, Law, law_from_dict, one_hot_sets, preset
from theory.codes.code import Code, axis_aligned, diagonal, gauge, polar_vertices, rotated
from theory.codes.costs import activation_cost, cost_against_angle, readings_of_s, tie_probability
from theory.exact.symbols import (
    AMPLITUDE,
    L1,
    MAGNITUDE_CORRELATION,
    NORM,
    RADIUS,
    SIGN_CORRELATION,
    THETA,
)
from theory.laws.integration import Piece, expectation, piecewise_expectation
from theory.laws.moments import (
    covariance,
    fourth_cumulant,
    fourth_cumulant_tensor,
    mean,
    principal_components,
)
from theory.laws.presets import shared_amplitudes
from theory.losses.closed_forms import orthogonal_frame_loss, soft_threshold
from theory.losses.radial_bound import is_symmetric, radial_bound

PI = sympy.pi
THIRD = sympy.Rational(1, 3)
COMPOSED = Code("triangle", [(1, 0), (-1, 2), (0, -1), (-2, -1)])


# Moments


@pytest.mark.parametrize("seed", range(12))
def test_moments_against_exact_sums_over_vertices(seed: int) -> None:
    """E g over a cube, for degree ≤ 3 in each u, is Simpson's rule on the cube: exact."""
    specification = random_specification(np.random.default_rng(seed))
    law = law_from_dict(specification)
    first = [Fraction(0)] * law.dimension
    second = [[Fraction(0)] * law.dimension for _ in range(law.dimension)]
    nodes = [(Fraction(0), Fraction(1, 6)), (Fraction(1, 2), Fraction(2, 3))]
    nodes.append((Fraction(1), Fraction(1, 6)))
    for part in components_from_specification(specification):
        for choice in product(nodes, repeat=part.cube_dimension):
            weight = part.probability
            for _, w in choice:
                weight *= w
            x = [
                o + sum((m * u for m, (u, _) in zip(row, choice, strict=True)), Fraction(0))
                for row, o in zip(part.matrix, part.offset, strict=True)
            ]
            for i, a in enumerate(x):
                first[i] += weight * a
                for j, b in enumerate(x):
                    second[i][j] += weight * a * b
    assert [Fraction(str(entry)) for entry in mean(law)] == first
    spread = covariance(law)
    for i, j in product(range(law.dimension), repeat=2):
        assert Fraction(str(spread[i, j])) == second[i][j] - first[i] * first[j]


def test_fourth_cumulants_by_direct_sums() -> None:
    """For x = a (±1, ±1) with a uniform: E x⁴ = E x²y² = 1/5 and E x² = 1/3."""
    tensor = fourth_cumulant_tensor(preset("shared"))
    assert tensor[0, 0, 0, 0] == sympy.Rational(1, 5) - 3 * THIRD**2
    assert tensor[0, 0, 1, 1] == sympy.Rational(1, 5) - THIRD**2
    assert tensor[0, 0, 0, 1] == 0
    direction = (sympy.Rational(3, 5), sympy.Rational(4, 5))
    contracted = sum(
        tensor[index] * sympy.prod([direction[i] for i in index])
        for index in product(range(2), repeat=4)
    )
    assert fourth_cumulant(preset("shared"), direction) == sympy.simplify(contracted)


def test_a_law_off_centre_has_the_cumulants_of_the_centred_one() -> None:
    shifted = Law(
        tuple(
            Component(p.probability, p.matrix, p.offset + sympy.Matrix([5, -7]))
            for p in preset("independent").components
        )
    )
    assert mean(shifted) == sympy.Matrix([5, -7])
    assert fourth_cumulant_tensor(shifted) == fourth_cumulant_tensor(preset("independent"))


@pytest.mark.parametrize("name", ["shared", "independent"])
def test_principal_components_prefer_nothing_until_signs_correlate(name: str) -> None:
    assert len(principal_components(preset(name))) == 1
    f = {"shared": 1, "independent": 0}[name]
    table = [[(1 + SIGN_CORRELATION) / 4, (1 - SIGN_CORRELATION) / 4]]
    table.append(table[0][::-1])
    law = one_hot_sets(magnitude_correlation=f, probabilities=table)
    for rho in (sympy.Rational(1, 10), sympy.Rational(-2, 3)):
        components = principal_components(law.at({SIGN_CORRELATION: rho}))
        assert len(components) == 2
        for component in components:
            (direction,) = component.directions
            assert abs(direction[0]) == abs(direction[1])


# Codes and gauges


@pytest.mark.parametrize("code", [axis_aligned(), diagonal(), COMPOSED, rotated(PI / 6)])
def test_gauge_is_the_linear_programme(code: Code) -> None:
    atoms = [[float(entry) for entry in atom] for atom in code.atoms]
    for x in [(1, 0), (3, 4), (-2, 1), (0, 0), (-1, -5), (7, -7)]:
        expected = gauge_by_linear_programme(atoms, x)
        assert float(gauge(code, x)) == pytest.approx(expected, rel=1e-9, abs=1e-12)
        vertices = polar_vertices(code).vertices
        dual = max(float(sum(a * b for a, b in zip(y, x, strict=True))) for y in vertices)
        assert dual == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_gauge_in_three_dimensions_and_outside_the_cone() -> None:
    half = Code("half space", [(1, 0, 0), (0, 1, 0), (0, 0, 1), (-1, -1, 0)])
    assert gauge(half, (1, 2, 3)) == 6
    assert gauge(half, (-2, -1, 1)) == 4
    assert gauge(half, (0, 0, -1)) is sympy.oo


def test_codes_refuse() -> None:
    with pytest.raises(InputError, match="one or more atoms of one dimension"):
        Code("ragged", [(1, 0), (1,)])
    with pytest.raises(InputError, match="one or more atoms"):
        Code("empty", [])
    with pytest.raises(InputError, match="bad: atom 0: expected a finite number"):
        Code("bad", [(float("nan"), 0)])
    with pytest.raises(InputError, match="x: expected 2 coordinates"):
        gauge(axis_aligned(), (1, 2, 3))
    with pytest.raises(InputError, match="expected atoms that span R"):
        polar_vertices(Code("line", [(1, 1), (-1, -1)]))


# Costs


def test_both_readings_of_s() -> None:
    decoder, both = readings_of_s()
    assert (decoder.axis_aligned, both.axis_aligned) == (
        2 * AMPLITUDE / NORM,
        2 * AMPLITUDE / NORM**2,
    )
    for reading in (decoder, both):
        assert reading.ratio == sympy.sqrt(2)


@pytest.mark.parametrize("name", ["shared", "independent"])
@pytest.mark.parametrize(
    "angle", [PI / 6, *(pytest.param(t, marks=pytest.mark.slow) for t in (0, PI / 4))]
)
def test_cost_at_an_angle_against_a_grid(name: str, angle: sympy.Expr) -> None:
    f = {"shared": 1, "independent": 0}[name]
    components = components_from_specification({"sets": [2, 2], "magnitude_correlation": f})
    c, s = float(sympy.cos(angle)), float(sympy.sin(angle))

    def cost(x: np.ndarray) -> np.ndarray:
        # In an orthonormal frame the cheapest exact code is the sum of absolute coordinates.
        return np.abs(x[:, 0] * c + x[:, 1] * s) + np.abs(x[:, 1] * c - x[:, 0] * s)

    grid = midpoint_grid_expectation(components, cost, 600)
    law = preset(name)
    assert float(cost_against_angle(law).at(angle)) == pytest.approx(grid, abs=3e-6)
    assert float(activation_cost(rotated(angle), law).value) == pytest.approx(grid, abs=3e-6)


def test_cost_against_angle_is_the_function_in_the_design() -> None:
    shared, independent = (cost_against_angle(preset(n)) for n in ("shared", "independent"))
    assert sympy.simplify(shared.value - sympy.cos(THETA)) == 0
    closed = sympy.cos(THETA) + sympy.sin(THETA) ** 2 / (3 * sympy.cos(THETA))
    assert sympy.simplify(independent.value - closed) == 0
    slope = sympy.sin(THETA) / 3 * (sympy.tan(THETA) ** 2 - 1)
    assert sympy.simplify(independent.derivative - slope) == 0
    for curve in (shared, independent):
        assert (curve.cheapest, curve.dearest) == (PI / 4, 0)
    assert independent.stationary == (0, PI / 4)


@pytest.mark.slow
def test_cost_of_any_code_and_law_against_a_grid() -> None:
    specification = {
        "sets": [2, 2],
        "magnitude_correlation": 0.25,
        "probabilities": [["1/2", "1/4", 0], [0, "1/8", "1/16"], [0, "1/32", "1/32"]],
        "embedding": [[1, 0.5], [-1, 1], [0, 1], [0.25, -1]],
    }
    atoms = [[float(entry) for entry in atom] for atom in COMPOSED.atoms]

    def cost(x: np.ndarray) -> np.ndarray:
        return np.array([gauge_by_linear_programme(atoms, point) for point in x])

    grid = midpoint_grid_expectation(components_from_specification(specification), cost, 40)
    exact = activation_cost(COMPOSED, law_from_dict(specification)).value
    assert float(exact) == pytest.approx(grid, abs=2e-3)


def test_cost_in_a_plane_of_a_larger_space() -> None:
    """Composed features as atoms, the law embedded in R³: γ = a exactly on the shared law."""
    embedding = [[1, 0, 1], [-1, 0, 1], [0, 1, 0], [0, -1, 0]]
    law = one_hot_sets(magnitude_correlation=1, embedding=embedding)
    composed = Code("composed", [[1, 1, 1], [1, -1, 1], [-1, 1, 1], [-1, -1, 1]])
    assert activation_cost(composed, law).value == sympy.Rational(1, 2)
    flat = one_hot_sets(embedding=[[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
    planar = Code("planar", [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0]])
    assert activation_cost(planar, flat).value == 1
    with pytest.raises(InputError, match="even their span does not"):
        activation_cost(planar, law)


def test_atoms_that_cannot_reconstruct_the_law_are_refused() -> None:
    with pytest.raises(InputError, match="expected atoms whose cone holds the law"):
        activation_cost(Code("quadrant", [(1, 0), (0, 1)]), preset("shared"))
    with pytest.raises(InputError, match=r"expected atoms in R\^2"):
        activation_cost(Code("space", [(1, 0, 0)]), preset("shared"))


def test_tie_probability_at_both_ends_and_between() -> None:
    assert tie_probability(1) == 2 - sympy.sqrt(2)
    assert sympy.simplify(tie_probability(0) - (10 - 6 * sympy.sqrt(2)) / 7) == 0
    between = tie_probability()
    for f in (sympy.Integer(0), THIRD, sympy.Rational(9, 10), sympy.Integer(1)):
        at = between.subs(MAGNITUDE_CORRELATION, f)
        law = one_hot_sets(magnitude_correlation=f, onehot_probability=sympy.radsimp(at))
        costs = [activation_cost(code, law).value for code in (axis_aligned(), diagonal())]
        assert sympy.simplify(costs[0] - costs[1]) == 0


def test_cost_scales_with_amplitude_and_inversely_with_norm() -> None:
    law = preset("independent", amplitude=AMPLITUDE)
    cost = activation_cost(diagonal().scaled(NORM), law, {AMPLITUDE: THIRD, NORM: PI}).value
    assert sympy.simplify(cost - 2 * sympy.sqrt(2) * AMPLITUDE / (3 * NORM)) == 0


# Piecewise integration


def test_pieces_that_leave_a_gap_or_overlap_are_refused() -> None:
    right = Piece(lambda x: x[0], [lambda x: x[0]])
    with pytest.raises(InputError, match=r"expected to cover .* once"):
        piecewise_expectation(preset("independent"), [right])
    everywhere = Piece(lambda x: x[0] ** 2)
    with pytest.raises(InputError, match=r"expected to cover .* once"):
        piecewise_expectation(preset("independent"), [right, everywhere])


def test_a_gap_does_not_make_up_for_an_overlap() -> None:
    segment = Component(
        sympy.Integer(1), sympy.ImmutableMatrix([[2]]), sympy.ImmutableMatrix([[-1]])
    )
    twice = [Piece(lambda x: x[0], [lambda x: x[0]]), Piece(lambda x: x[0] ** 2, [lambda x: x[0]])]
    with pytest.raises(InputError, match="; two overlap"):
        piecewise_expectation(Law((segment,)), twice)


def test_feasibility_is_among_the_conditions_of_a_cost() -> None:
    """On a ray at angle φ the two atoms e1, e2 reconstruct only for φ between 0 and 90°."""
    direction = sympy.ImmutableMatrix([sympy.cos(THETA), sympy.sin(THETA)])
    ray = Law((Component(sympy.Integer(1), direction, sympy.zeros(2, 1)),))
    cost = activation_cost(Code("quadrant", [(1, 0), (0, 1)]), ray, {THETA: sympy.Rational(1, 2)})
    assert cost.holds_at({THETA: sympy.Integer(1)})
    assert not cost.holds_at({THETA: sympy.Integer(3)})


def test_tiny_exact_numbers_are_not_taken_for_zero() -> None:
    tiny = preset("shared", amplitude="1e-30")
    assert activation_cost(diagonal(), tiny).value == sympy.sqrt(2) / 2 / 10**30


def test_cost_of_a_law_that_is_a_point_at_zero() -> None:
    law = shared_amplitudes([(1, 0, 0)])
    assert cost_against_angle(law).value == 0
    with pytest.raises(InputError, match="atoms that are not all zero"):
        activation_cost(Code("zero", [(0, 0)]), law)


def test_a_witness_is_needed_and_must_be_off_the_boundary() -> None:
    with pytest.raises(InputError, match="witness: expected a value for each symbol"):
        activation_cost(rotated(THETA), preset("shared"))
    with pytest.raises(InputError, match="expected a point off every boundary"):
        orthogonal_frame_loss(axis_aligned(), preset("shared"), {L1: sympy.Integer(2)})


def test_conditions_say_where_a_formula_holds() -> None:
    loss = orthogonal_frame_loss(diagonal(), preset("independent"), {L1: sympy.Rational(1, 10)})
    assert loss.holds_at({L1: sympy.sqrt(2)})
    assert not loss.holds_at({L1: sympy.Rational(142, 100)})


def test_a_cube_of_three_dimensions_is_refused_where_only_planes_are_known() -> None:
    law = Law(
        (Component(sympy.Integer(1), sympy.ImmutableMatrix(sympy.eye(3)), sympy.zeros(3, 1)),)
    )
    assert expectation(law, lambda x: x[0] * x[1] * x[2]) == sympy.Rational(1, 8)
    with pytest.raises(InputError, match="cubes of dimension ≤ 2 here, got 3"):
        piecewise_expectation(law, [Piece(lambda x: x[0])])


# Losses and bounds


def test_soft_threshold_by_brute_force() -> None:
    h = soft_threshold()
    f = np.linspace(0, 3, 300_001)
    for r, l1 in [(0.2, 1.0), (1.5, 1.0), (0.5, 1.0), (2.0, 0.3)]:
        best = ((r - f) ** 2 + l1 * f).min()
        at = {RADIUS: r, L1: l1}
        above = r >= float(h.threshold.subs(at))
        assert float((h.loss_above if above else h.loss_below).subs(at)) == pytest.approx(
            best, abs=1e-9
        )


CLOSED_FORMS = {
    ("shared", "diagonal"): L1 / sympy.sqrt(2) - L1**2 / 4 + sympy.sqrt(2) * L1**3 / 48,
    ("shared", "axis-aligned"): L1 - L1**2 / 2 + L1**3 / 12,
    ("independent", "axis-aligned"): L1 - L1**2 / 2 + L1**3 / 12,
    ("independent", "diagonal"): 2 * sympy.sqrt(2) * L1 / 3
    - L1**2 / 2
    + sympy.sqrt(2) * L1**3 / 12
    - L1**4 / 96,
}


@pytest.mark.parametrize(("name", "code_name"), CLOSED_FORMS)
def test_least_losses_are_those_of_the_design(name: str, code_name: str) -> None:
    code = {"diagonal": diagonal(), "axis-aligned": axis_aligned()}[code_name]
    loss = orthogonal_frame_loss(code, preset(name), {L1: sympy.Rational(1, 10)})
    assert sympy.simplify(loss.value - CLOSED_FORMS[name, code_name]) == 0


def test_least_loss_over_lambda_tends_to_the_activation_cost() -> None:
    for code in (axis_aligned(), diagonal()):
        for name in ("shared", "independent"):
            loss = orthogonal_frame_loss(code, preset(name), {L1: sympy.Rational(1, 1000)}).value
            cost = activation_cost(code, preset(name)).value
            assert float(sympy.limit(loss / L1, L1, 0) - cost) == pytest.approx(0, abs=1e-12)


def test_frames_that_are_none_are_refused() -> None:
    for atoms in ([(1, 0), (-1, 0)], [(1, 0), (-1, 0), (0, 2), (0, -2)], COMPOSED.atoms):
        with pytest.raises(InputError, match="unit atoms in orthogonal antipodal pairs"):
            orthogonal_frame_loss(Code("no frame", atoms), preset("shared"), {L1: THIRD})


def test_the_radial_bound_is_what_the_diagonal_code_attains() -> None:
    for value in (sympy.Rational(1, 10), sympy.Rational(14, 5), sympy.Integer(3)):
        bound = radial_bound(preset("shared"), {L1: value}).value
        loss = orthogonal_frame_loss(diagonal(), preset("shared"), {L1: value}).value
        assert sympy.simplify(bound - loss) == 0
    with pytest.raises(InputError, match="points and segments from the origin only"):
        radial_bound(preset("independent"), {L1: THIRD})


def test_a_law_with_points_has_a_radial_bound_too() -> None:
    law = shared_amplitudes([("1/2", 0, 0), ("1/4", 3, 3), ("1/4", 0, 1)])
    bound = radial_bound(law, {L1: sympy.Rational(1, 10)}).value.subs(L1, sympy.Rational(1, 10))
    r = np.sqrt(2) * np.concatenate([np.full(4000, 3.0), (np.arange(4000) + 0.5) / 4000])
    h = np.where(r >= 0.05, 0.1 * r - 0.0025, r * r)
    assert float(bound) == pytest.approx(h.mean() / 2, abs=1e-6)


def test_symmetry_of_a_law_is_seen_through_its_parametrisation() -> None:
    assert is_symmetric(preset("independent", magnitude_correlation=THIRD))
    assert not is_symmetric(one_hot_sets((1, 2)))
    # One segment from -1 to 1 is symmetric; so is a square about 0, columns turned over.
    segment = Component(
        sympy.Integer(1), sympy.ImmutableMatrix([[2]]), sympy.ImmutableMatrix([[-1]])
    )
    assert is_symmetric(Law((segment,)))
    uneven = one_hot_sets(probabilities=[["1/2", 0], [0, "1/2"]])
    assert is_symmetric(uneven)
    assert not is_symmetric(one_hot_sets(probabilities=[["1/2", 0], ["1/4", "1/4"]]))
