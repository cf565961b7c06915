"""Closed forms for every λ against the exact loss and the optimiser; k pairs by brute force."""

from itertools import pairwise, product

import numpy as np
import pytest
import sympy
from scipy import optimize

from solvers import Objective, Sae, Search, expected_loss, minimize_loss
from solvers.autoencoders.frames import frame_atoms, frame_sae
from solvers.optima.train import Sampler
from solvers.studies.claims.quadrature import quadrature_expectation
from tests.oracles.expected_losses import gauge_by_linear_programme
from theory import InputError, load_law, preset
from theory.codes.code import axis_aligned, diagonal, rotated
from theory.codes.costs import activation_cost
from theory.codes.many_pairs import (
    composed_in_blocks,
    hadamard_frame,
    hadamard_matrix,
    mean_absolute_sum,
)
from theory.exact.symbols import (
    AMPLITUDE,
    L1,
    MEAN_AMPLITUDE,
    MEAN_COST,
    ONEHOT_PROBABILITY,
    SAMPLES,
    THETA,
    WEIGHT_DECAY,
)
from theory.losses.closed_forms import (
    frame_loss_for_every_l1,
    orthogonal_frame_loss,
    shrinkage,
    tie_probability_for_every_l1,
    tie_probability_series,
)
from theory.losses.relative_loss import (
    bias_on_first,
    bias_slope_on_second,
    relative_optimum,
    sample_mean_growth,
)
from theory.losses.weight_decay import decayed_diagonal, norm_imbalance

CODES = {"axis-aligned": (axis_aligned(), 0.0), "diagonal": (diagonal(), np.pi / 4)}


@pytest.mark.parametrize("code_name", list(CODES))
@pytest.mark.parametrize("name", ["shared", "independent"])
def test_frame_loss_for_every_l1_and_onehot_probability(name: str, code_name: str) -> None:
    code, angle = CODES[code_name]
    family = preset(name, onehot_probability=ONEHOT_PROBABILITY)
    chambers = frame_loss_for_every_l1(code, family, {ONEHOT_PROBABILITY: sympy.Rational(1, 3)})
    assert chambers[0].low == 0
    assert chambers[-1].high is sympy.oo
    assert [c.high for c in chambers[:-1]] == [c.low for c in chambers[1:]]
    assert L1 not in chambers[-1].value.free_symbols
    rng = np.random.default_rng(0)
    for chamber in chambers:
        for _ in range(6):
            q = sympy.Rational(int(rng.integers(0, 65)), 64)
            share = sympy.Rational(int(rng.integers(1, 64)), 64)
            high = chamber.high if chamber.high.is_finite else chamber.low + 2
            l1 = float(chamber.low + share * (high - chamber.low))
            value = float(chamber.value.subs({L1: l1, ONEHOT_PROBABILITY: q}))
            law = load_law(f"{name}:onehot_probability={q}")
            exact = expected_loss(law, frame_sae(angle, l1 / 2), Objective(l1=l1)).total
            assert value == pytest.approx(exact, rel=1e-12)
    for one, other in pairwise(chambers):
        # The loss is once continuously differentiable where the formula changes.
        for order in (0, 1):
            step = sympy.diff(one.value - other.value, L1, order).subs(L1, one.high)
            assert sympy.simplify(step) == 0


@pytest.mark.parametrize("name", ["shared", "independent"])
def test_rotated_frame_at_random_angles(name: str) -> None:
    witness = {THETA: sympy.Rational(1, 3), L1: sympy.Rational(1, 10)}
    loss = orthogonal_frame_loss(rotated(THETA), preset(name), witness)
    rng = np.random.default_rng(1)
    tried = 0
    for _ in range(30):
        theta = sympy.Rational(int(rng.integers(5, 78)), 100)
        l1 = sympy.Rational(int(rng.integers(1, 40)), 100)
        values = {THETA: theta, L1: l1}
        if not loss.holds_at(values):
            continue
        tried += 1
        exact = expected_loss(
            preset(name), frame_sae(float(theta), float(l1) / 2), Objective(l1=float(l1))
        ).total
        assert float(loss.value.subs(values)) == pytest.approx(exact, rel=1e-12)
    assert tried >= 10


@pytest.mark.parametrize("f", [0, 1])
def test_tie_probability_for_every_l1(f: int) -> None:
    ties = tie_probability_for_every_l1(axis_aligned(), diagonal(), f)
    law = {0: "independent", 1: "shared"}[f]
    for chamber in ties[:-1]:
        l1 = float(chamber.low + (chamber.high - chamber.low) / 3)
        q = float(chamber.value.subs(L1, l1))
        if not 0 <= q <= 1:
            continue
        losses = [
            expected_loss(
                preset(law, onehot_probability=q), frame_sae(angle, l1 / 2), Objective(l1=l1)
            ).total
            for angle in (0.0, np.pi / 4)
        ]
        assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    limit = {0: (10 - 6 * sympy.sqrt(2)) / 7, 1: 2 - sympy.sqrt(2)}[f]
    assert sympy.radsimp(ties[0].value.subs(L1, 0) - limit) == 0


@pytest.mark.parametrize(("name", "cost"), [("shared", 0.5**0.5), ("independent", 8**0.5 / 3)])
@pytest.mark.parametrize("l1", [0.1, 0.5, 1.0])
def test_relative_optimum_without_biases(name: str, cost: float, l1: float) -> None:
    optimum = relative_optimum()
    at = {L1: l1, MEAN_COST: cost}
    gain = float(optimum.gain.subs(at))
    atoms = frame_atoms(np.pi / 4)
    objective = Objective(l1=l1, reconstruction="relative")

    def loss(a: float) -> float:
        return expected_loss(
            preset(name), Sae(a * atoms.T, np.zeros(4), atoms, np.zeros(2)), objective
        ).total

    assert loss(gain) == pytest.approx(float(optimum.loss.subs(at)), rel=1e-12)
    least = optimize.minimize_scalar(loss, bounds=(0, 1), method="bounded")
    assert least.x == pytest.approx(gain, abs=1e-5)


def common_bias(name: str, l1: float, gain: float, bias: float) -> float:
    """Return the exact relative loss of the diagonal code with one bias, b_dec = 0."""
    atoms = frame_atoms(np.pi / 4)
    sae = Sae(gain * atoms.T, np.full(4, bias), atoms, np.zeros(2))
    return expected_loss(preset(name), sae, Objective(l1=l1, reconstruction="relative")).total


@pytest.mark.parametrize("l1", [0.05, 0.1, 0.3])
def test_a_common_bias_helps_on_the_second_data_set(l1: float) -> None:
    at = {L1: l1, MEAN_COST: 8**0.5 / 3}
    slope = float(bias_slope_on_second().subs(at))
    gain = float(relative_optimum().gain.subs(at))
    assert slope < 0
    step = 1e-7
    differences = [
        (common_bias("independent", l1, gain, h) - common_bias("independent", l1, gain, 0)) / h
        for h in (step, 2 * step)
    ]
    # Richardson on a slope that changes like b log b: a per mille is what it gives.
    assert 2 * differences[0] - differences[1] == pytest.approx(slope, rel=1e-3)


def test_a_common_bias_helps_imperceptibly_on_the_first_data_set() -> None:
    l1 = 1.0
    gain = float(relative_optimum(1 / sympy.sqrt(2)).gain.subs(L1, l1))
    predicted = float(bias_on_first().subs(L1, l1))

    def gained(log_bias: float) -> float:
        bias = float(np.exp(log_bias))
        return (common_bias("shared", l1, gain, bias) - common_bias("shared", l1, gain, 0)) / bias

    least = optimize.minimize_scalar(
        lambda u: gained(u) * np.exp(u), bounds=(np.log(predicted) - 2, np.log(predicted) + 2),
        method="bounded", options={"xatol": 1e-6},
    )  # fmt: skip
    assert np.exp(least.x) == pytest.approx(predicted, rel=0.02)
    assert gained(least.x) < 0


@pytest.mark.parametrize(("l1", "decay"), [(0.1, 0.003), (0.3, 0.01)])
def test_the_decayed_diagonal_solves_its_equations(l1: float, decay: float) -> None:
    objective = Objective(l1=l1, decoder="free", weight_decay=decay)
    best = minimize_loss(load_law("shared"), 4, objective, Search(starts=12))
    optimum = decayed_diagonal()
    symbols = {AMPLITUDE: 1, L1: l1, WEIGHT_DECAY: decay}
    equations = sympy.lambdify(optimum.unknowns, [e.subs(symbols) for e in optimum.equations])
    w, d, t = optimize.fsolve(lambda v: equations(*v), [0.9, 1.0, l1 / 2], xtol=1e-13)
    loss = sympy.lambdify(optimum.unknowns, optimum.loss.subs(symbols))(w, d, t)
    assert best.total == pytest.approx(loss, abs=1e-8)
    np.testing.assert_allclose(best.sae.decoder_norms, d, rtol=1e-5)
    # Every latent of every converged minimum satisfies the balance law.
    imbalance = best.sae.decoder_norms**2 - (best.sae.W_enc**2).sum(axis=0)
    expected = float(norm_imbalance().subs({**symbols, MEAN_AMPLITUDE: best.l1 / 4}))
    np.testing.assert_allclose(imbalance, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow)
        for name in ("shared", "independent:onehot_probability=0.3")
    ],
)
def test_every_latent_of_every_minimum_satisfies_the_balance_law(name: str) -> None:
    """Not only the best minimum, and latent by latent, with its own E f_i."""
    l1, decay = 0.2, 0.01
    objective = Objective(l1=l1, decoder="free", weight_decay=decay)
    law = load_law(name)
    for seed in range(6):
        best = minimize_loss(law, 3, objective, Search(starts=1, seed=seed), tolerance=1e-8)
        sae = best.sae
        for i in range(3):
            alone = Sae(sae.W_enc[:, [i]], sae.b_enc[[i]], sae.W_dec[[i]], sae.b_dec)
            mean = expected_loss(law, alone, objective).l1
            law_says = norm_imbalance().subs({L1: l1, WEIGHT_DECAY: decay, MEAN_AMPLITUDE: mean})
            found = sae.decoder_norms[i] ** 2 - float(sae.W_enc[:, i] @ sae.W_enc[:, i])
            assert found == pytest.approx(float(law_says), abs=1e-6)


@pytest.mark.parametrize(
    ("pairs", "block"),
    [(1, 1), (2, 1), (2, 2), (3, 3), pytest.param(4, 2, marks=pytest.mark.slow)],
)
def test_composing_in_blocks_by_linear_programmes(pairs: int, block: int) -> None:
    composed = np.array(list(product((1.0, -1.0), repeat=block))) / np.sqrt(block)
    atoms = np.zeros((pairs // block * len(composed), pairs))
    for start in range(0, pairs, block):
        rows = slice(start // block * len(composed), (start // block + 1) * len(composed))
        atoms[rows, start : start + block] = composed
    theory = composed_in_blocks(sympy.Integer(pairs), sympy.Integer(block))
    assert len(atoms) == theory.latents
    shared = gauge_by_linear_programme(atoms, np.ones(pairs)) / 2
    assert float(theory.shared) == pytest.approx(shared, rel=1e-9)
    rng = np.random.default_rng(0)
    sampled = [gauge_by_linear_programme(atoms, x) for x in rng.random((300, pairs))]
    error = np.std(sampled) / np.sqrt(300)
    assert abs(float(theory.independent) - np.mean(sampled)) <= 4 * error


@pytest.mark.parametrize("pairs", [1, 2, 4, 8])
def test_hadamard_frames_by_sums_over_signs(pairs: int) -> None:
    theory = hadamard_frame(pairs)
    signs = np.array(list(product((1.0, -1.0), repeat=pairs)))
    assert float(theory.shared) == pytest.approx(
        np.sqrt(pairs) * np.abs(signs.sum(axis=1)).mean() / 2, rel=1e-12
    )
    rng = np.random.default_rng(0)
    sums = np.abs(rng.uniform(-1, 1, size=(400_000, pairs)).sum(axis=1))
    error = sums.std() / np.sqrt(len(sums))
    assert abs(float(mean_absolute_sum(pairs)) - sums.mean()) <= 4 * error
    assert float(theory.independent) == pytest.approx(
        np.sqrt(pairs) * float(mean_absolute_sum(pairs)), rel=1e-12
    )


def test_hadamard_matrices_of_every_construction() -> None:
    built = []
    for order in range(1, 101):
        try:
            H = np.array(hadamard_matrix(order), dtype=int)
        except InputError:
            continue
        assert set(np.unique(H)) <= {-1, 1}
        np.testing.assert_array_equal(H @ H.T, order * np.eye(order, dtype=int))
        built.append(order)
    assert built == [1, 2, *(k for k in range(4, 101, 4) if k not in (52, 92, 100))]


def test_a_frame_of_twelve_pairs_is_the_cost_of_its_atoms() -> None:
    """Cost of the atoms ±h_i themselves on sampled data, all signs fair."""
    atoms = np.array(hadamard_matrix(12), dtype=float) / np.sqrt(12)
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, size=(200_000, 12))
    costs = np.abs(x @ atoms.T).sum(axis=1)
    theory = float(hadamard_frame(12).independent)
    assert abs(costs.mean() - theory) <= 4 * costs.std() / np.sqrt(len(costs))


def test_bad_numbers_of_pairs() -> None:
    with pytest.raises(InputError, match="block: expected a divisor of the number of pairs 4"):
        composed_in_blocks(sympy.Integer(4), sympy.Integer(3))
    for pairs in (0, 3, 6):
        with pytest.raises(InputError, match="pairs: expected an order of a known Hadamard"):
            hadamard_frame(pairs)
    with pytest.raises(InputError, match="pairs: expected a whole number, got 2"):
        hadamard_frame(2.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "k"), [("shared", 1), ("independent", 2)])
def test_growth_of_sample_means_of_an_infinite_loss(name: str, k: int) -> None:
    """Median over runs of the mean of ‖x̂(0)‖²/‖x‖² over N samples, N from 10² to 10⁵."""
    rng = np.random.default_rng(0)
    sampler = Sampler(preset(name))
    counts = np.array([100, 1000, 10_000, 100_000])
    means = []
    for count in counts:
        runs = [(1 / (sampler(rng, int(count)) ** 2).sum(axis=1)).mean() for _ in range(60)]
        means.append(np.median(runs))
    growth = sympy.lambdify(SAMPLES, sample_mean_growth(k))(counts.astype(float))
    if k == 1:
        slope = np.polyfit(np.log(counts), np.log(means), 1)[0]
        assert slope == pytest.approx(1, abs=0.15)
    else:
        steps = np.diff(means) / np.diff(growth)
        np.testing.assert_allclose(steps, steps.mean(), rtol=0.35)


@pytest.mark.parametrize("name", ["shared", "independent"])
def test_the_relative_gradient_has_infinite_variance_at_the_optimum(name: str) -> None:
    """Second moments of sampled gradients grow with the number of samples, and do not settle."""
    rng = np.random.default_rng(0)
    gain = float(
        relative_optimum(activation_cost(diagonal(), preset(name)).value).gain.subs(L1, 0.5)
    )
    atoms = frame_atoms(np.pi / 4)
    sae = Sae(gain * atoms.T, np.zeros(4), atoms, np.zeros(2))
    sampler = Sampler(preset(name))
    moments = []
    for count in (1000, 100_000):
        runs = []
        for _ in range(40):
            x = sampler(rng, count)
            slope = 2 * (sae.reconstruction(x) - x) / (x**2).sum(axis=1)[:, None]
            runs.append((slope**2).sum(axis=1).mean())
        moments.append(np.median(runs))
    assert moments[1] > (30 if name == "shared" else 1.3) * moments[0]


@pytest.mark.parametrize("f", [1, pytest.param(0, marks=pytest.mark.slow)])
def test_series_of_the_tie_probability(f: int) -> None:
    """The error of a polynomial of degree 2 falls like λ³."""
    series = tie_probability_series(axis_aligned(), diagonal(), f)
    exact = tie_probability_for_every_l1(axis_aligned(), diagonal(), f)[0].value
    errors = [float((series - exact).subs(L1, sympy.Rational(1, n)).evalf(30)) for n in (50, 100)]
    assert errors[0] / errors[1] == pytest.approx(8, rel=0.15)


@pytest.mark.parametrize("code_name", list(CODES))
@pytest.mark.parametrize("name", ["shared", "independent"])
def test_shrinkage_by_quadrature(name: str, code_name: str) -> None:
    code, angle = CODES[code_name]
    l1 = 0.3
    left = shrinkage(code, preset(name), {L1: sympy.Rational(3, 10)}).value.subs(L1, l1)
    sae = frame_sae(angle, l1 / 2)
    truth, error = quadrature_expectation(
        preset(name), lambda x: np.square(sae.reconstruction(x)).sum(axis=1), tolerance=1e-7
    )
    assert abs(float(left) - truth) <= error + 1e-9
