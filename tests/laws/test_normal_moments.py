"""Laws of normal magnitudes and noise: limits, and quadrature by an oracle written blind."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy
from scipy import integrate, stats

from solvers import Objective, Sae, expected_loss, expected_loss_and_gradient
from solvers.autoencoders.architectures import GatedSae, JumpReluSae, TopKSae
from solvers.bounds.midpoint_bound import midpoint_bound
from solvers.laws.arrays import law_arrays
from solvers.laws.normal_moments import normal_moments
from solvers.laws.symmetries import symmetries
from solvers.losses.expected_loss import co_firing
from solvers.losses.pair_expectations import pair_expectations
from solvers.losses.piecewise_loss import piecewise_parts
from tests.oracles.normal_laws import expected_loss as by_quadrature
from theory import Component, InputError, Law, from_active_sets, independent_features, load_law

Array = np.ndarray[Any, np.dtype[np.float64]]
NORMAL = {"normal": [1, "3/20"]}


def components(law: Law) -> list[tuple[float, list[float], Array]]:
    return [
        (
            float(part.probability),
            [float(entry) for entry in part.offset],
            np.array(part.matrix.tolist(), dtype=float).reshape(law.dimension, -1),
        )
        for part in law.components
    ]


def random_law(rng: np.random.Generator, noise: bool, most: int = 4) -> Law:
    count, d = int(rng.integers(1, most)), int(rng.integers(1, 4))
    return independent_features(
        count,
        "1/2",
        magnitude=[{"normal": [1, str(round(s, 3))]} for s in rng.uniform(0, 0.6, count)],
        embedding=rng.normal(size=(count, d)).round(3).tolist(),
        noise="1/20" if noise else 0,
    )


def random_sae(rng: np.random.Generator, d: int, apart: float | None) -> Sae:
    """Two of the latents are nearly the same, or opposite, if `apart` says how far."""
    n = int(rng.integers(2, 6))
    W_enc, b_enc = rng.normal(size=(d, n)), 0.3 * rng.normal(size=n)
    if apart is not None:
        sign = rng.choice([-1.0, 1.0])
        W_enc[:, 1] = sign * (2 * W_enc[:, 0] + apart * rng.normal(size=d))
        b_enc[1] = sign * (2 * b_enc[0] + apart * rng.normal())
    return Sae(W_enc, b_enc, rng.normal(size=(n, d)), rng.normal(size=d))


def cases(count: int) -> list[Any]:
    apart = [None, 0.0, 1e-16, 1e-12, 1e-8, 1e-4, 1e-1]
    return [
        pytest.param(seed, apart[seed % 7], marks=[] if seed < 14 else pytest.mark.slow)
        for seed in range(count)
    ]


@pytest.mark.parametrize(("seed", "apart"), cases(100))
def test_the_loss_against_quadrature(seed: int, apart: float | None) -> None:
    rng = np.random.default_rng(seed)
    law = random_law(rng, seed % 2 == 1)
    sae = random_sae(rng, law.dimension, apart)
    found = expected_loss(law, sae, Objective(l1=0.0))
    with mpmath.workdps(40):
        true = by_quadrature(components(law), sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec)
    assert found.total == pytest.approx(float(true["reconstruction"]), rel=1e-12)
    assert found.l1 == pytest.approx(float(true["l1"]), rel=1e-12)
    np.testing.assert_allclose(found.firing, np.array(true["firing"], float), atol=1e-13)
    together = np.array([[float(p) for p in row] for row in true["co_firing"]])
    np.testing.assert_allclose(co_firing(law, sae), together, atol=1e-13)


@pytest.mark.parametrize("seed", range(6))
def test_fifty_features_at_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    law = independent_features(
        50, 1, magnitude=NORMAL, embedding=rng.normal(size=(50, 3)).round(2).tolist(), noise=0.1
    )
    sae = random_sae(rng, 3, None)
    found = expected_loss(law, sae, Objective(l1=0.0))
    true = by_quadrature(components(law), sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec)
    assert found.total == pytest.approx(float(true["reconstruction"]), rel=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_jumprelu_against_quadrature(seed: int) -> None:
    rng = np.random.default_rng(seed)
    law = random_law(rng, seed % 2 == 1)
    sae = random_sae(rng, law.dimension, [None, 1e-8][seed % 2])
    threshold = np.abs(rng.normal(size=sae.d_sae))
    threshold[0] = 0.0
    parts = piecewise_parts(law_arrays(law), JumpReluSae(sae, threshold))
    true = by_quadrature(components(law), sae.W_enc, sae.b_enc, sae.W_dec, sae.b_dec, threshold)
    assert parts.reconstruction == pytest.approx(float(true["reconstruction"]), rel=1e-12)
    np.testing.assert_allclose(parts.activation, np.array(true["activation"], float), atol=1e-13)
    together = np.array([[float(p) for p in row] for row in true["co_firing"]])
    np.testing.assert_allclose(parts.firing, together, atol=1e-13)


@pytest.mark.parametrize("name", ["shared", "independent"])
@pytest.mark.parametrize("seed", range(4))
def test_jumprelu_by_shifted_planes_is_as_cell_by_cell(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    base = random_sae(rng, 2, None)
    sae = JumpReluSae(base, np.abs(rng.normal(size=base.d_sae)) / 2)
    law = law_arrays(load_law(name))
    moments, cells = pair_expectations(law, sae), piecewise_parts(law, sae)
    np.testing.assert_allclose(moments.activation, cells.activation, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(moments.firing, cells.firing, atol=1e-14)


def differences(law: Law, sae: Sae, objective: Objective) -> Sequence[tuple[float, float]]:
    """Return the gradient and central differences, some of every block."""
    rng = np.random.default_rng(0)
    gradient = expected_loss_and_gradient(law, sae, objective).gradient
    pairs = []
    for name in ("W_enc", "b_enc", "W_dec", "b_dec"):
        for _ in range(4):
            place = tuple(rng.integers(0, size) for size in getattr(sae, name).shape)
            totals = []
            for step in (1e-5, -1e-5):
                arrays = {key: getattr(sae, key).copy() for key in gradient._fields}
                arrays[name][place] += step
                totals.append(expected_loss(law, Sae(**arrays), objective).total)
            pairs.append((getattr(gradient, name)[place], (totals[0] - totals[1]) / 2e-5))
    return pairs


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("sparsity", ["l1", "decoder-norm"])
def test_the_gradient_against_differences(seed: int, sparsity: str) -> None:
    rng = np.random.default_rng(seed)
    law = random_law(rng, seed % 2 == 1)
    sae = random_sae(rng, law.dimension, [None, 1e-3][seed % 2])
    objective = Objective(l1=0.3, sparsity=sparsity, decoder="free", weight_decay=0.1)
    for exact, difference in differences(law, sae, objective):
        assert exact == pytest.approx(difference, rel=1e-6, abs=1e-6)


def test_the_gradient_of_a_mixture_of_points_cubes_and_normals() -> None:
    shared, noisy = load_law("shared"), independent_features(2, "1/2", noise="1/5")
    parts = [*shared.components, *noisy.components]
    halves = tuple(
        Component(part.probability / 2, part.matrix, part.offset, part.base) for part in parts
    )
    law, sae = Law(halves), random_sae(np.random.default_rng(3), 2, None)
    for exact, difference in differences(law, sae, Objective(l1=0.1)):
        assert exact == pytest.approx(difference, rel=1e-6, abs=1e-6)
    totals = [expected_loss(each, sae, Objective(l1=0.1)).total for each in (shared, noisy)]
    assert expected_loss(law, sae, Objective(l1=0.1)).total == pytest.approx(sum(totals) / 2)


RHO = [0.0, 0.3, -0.7, 0.95, 1 - 1e-12, -1 + 1e-12]


@pytest.mark.parametrize("rho", RHO)
@pytest.mark.parametrize(("h", "k"), [(0, 0), (1, 1), (-0.5, 0.7), (0, 1), (3, -3), (-9, 2)])
def test_two_standard_normals_against_scipys_quadrature(rho: float, h: float, k: float) -> None:
    factor = np.array([[[1.0, 0.0], [rho, np.sqrt(1 - rho * rho)]]])
    found = normal_moments(np.array([[h, k]], dtype=float), factor)
    root = np.sqrt((1 - rho) * (1 + rho))

    def density(z: float) -> float:
        return float(stats.norm.pdf(z) * stats.norm.cdf((k - rho * z) / root))

    step = k / rho if rho else 0.0
    cuts = [step + side * width * root for side in (-1, 1) for width in (0, 1, 4, 12)]
    inside = sorted({cut for cut in cuts if -12 < cut < h})
    ends = [-12.0, *inside, float(h)] if h > -12 else []
    both = sum(
        integrate.quad(density, low, high, epsabs=1e-15, epsrel=1e-13, limit=200)[0]
        for low, high in pairwise(ends)
    )
    assert found.both[0, 0, 1] == pytest.approx(both, abs=1e-12)
    assert found.firing[0] == pytest.approx(stats.norm.cdf([h, k]), abs=1e-15)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_the_correlation_tends_to_one(sign: float) -> None:
    """E z₊ (±z)₊ is 1/2 or 0; what 1e-k of another variable adds is of that order."""
    for small in (0.0, 1e-300, 1e-17, 1e-12, 1e-8, 1e-4):
        factor = np.array([[[1.0, 0.0], [sign, small]]])
        found = normal_moments(np.zeros((1, 2)), factor)
        expected = 0.5 if sign > 0 else 0.0
        assert found.together[0, 0, 1] == pytest.approx(expected, abs=small + 1e-15)
        assert found.both[0, 0, 1] == pytest.approx(expected, abs=small + 1e-15)


def test_no_deviation_is_a_constant() -> None:
    """Of constants 2, -1 and 0, the first fires alone; beside a standard normal it is a factor."""
    found = normal_moments(np.array([[2.0, -1.0, 0.0, 0.0]]), np.eye(4)[None, :, 3:] * 1.0)
    assert found.firing[0].tolist() == [1.0, 0.0, 0.0, 0.5]
    mean = 1 / np.sqrt(2 * np.pi)
    np.testing.assert_allclose(found.together[0, 0], [4, 0, 0, 2 * mean], rtol=1e-15)
    np.testing.assert_allclose(found.fires_with[0, 0], [2, 0, 0, mean], rtol=1e-15)
    np.testing.assert_allclose(found.fires_with[0, 3], [1, 0, 0, mean], rtol=1e-15)
    assert found.density[0, :3].tolist() == [0, 0, 0]


@pytest.mark.parametrize("deviation", ["1/1000", "1/1000000"])
def test_the_standard_deviation_tends_to_0(deviation: str) -> None:
    """The loss is that of constant magnitudes, but for the square of the deviation."""
    rng = np.random.default_rng(2)
    embedding = rng.normal(size=(3, 2)).round(2).tolist()
    constant = independent_features(3, "1/3", embedding=embedding)
    normal = independent_features(
        3, "1/3", magnitude={"normal": [1, deviation]}, embedding=embedding
    )
    sae, objective = random_sae(rng, 2, None), Objective(l1=0.1)
    difference = expected_loss(normal, sae, objective).total
    difference -= expected_loss(constant, sae, objective).total
    assert abs(difference) < 20 * float(sympy.Rational(deviation)) ** 2
    none = independent_features(3, "1/3", magnitude={"normal": [1, 0]}, embedding=embedding)
    assert none == constant


def test_relabelled_features_are_the_same_law() -> None:
    rng = np.random.default_rng(4)
    sae, objective = random_sae(rng, 2, None), Objective(l1=0.1)
    firing, embedding = ["1/2", "1/5", "1/3"], rng.normal(size=(3, 2)).round(2).tolist()
    order = [2, 0, 1]
    totals = [
        expected_loss(
            independent_features(
                3,
                [firing[i] for i in chosen],
                magnitude=NORMAL,
                embedding=[embedding[i] for i in chosen],
            ),
            sae,
            objective,
        ).total
        for chosen in ([0, 1, 2], order)
    ]
    assert totals[0] == pytest.approx(totals[1], rel=1e-14)


def test_features_that_never_fire_are_none() -> None:
    sae, objective = random_sae(np.random.default_rng(5), 3, None), Objective(l1=0.1)
    rare = independent_features(3, ["1/2", "1/2", "1e-12"], magnitude=NORMAL)
    never = independent_features(3, ["1/2", "1/2", 0], magnitude=NORMAL)
    assert len(never.components) == 4
    totals = [expected_loss(law, sae, objective).total for law in (rare, never)]
    assert totals[0] == pytest.approx(totals[1], rel=1e-10)


def test_a_tree_whose_children_always_fire_is_its_parent() -> None:
    """The parent then has the sum of the directions."""
    tree = {"features": 2, "firing": ["1/3", 1], "parents": {"1": 0}, "noise": "1/10"}
    alone = {"features": 1, "firing": "1/3", "embedding": [[1, 1]], "noise": "1/10"}
    sae, objective = random_sae(np.random.default_rng(6), 2, None), Objective(l1=0.1)
    totals = [expected_loss(load_law(law), sae, objective).total for law in (tree, alone)]
    assert totals[0] == pytest.approx(totals[1], rel=1e-14)


def test_noise_composes_and_embeds() -> None:
    law = from_active_sets(2, [{"features": [0, 1], "probability": 1}], magnitude=NORMAL)
    twice, once = law.with_noise(3).with_noise(4), law.with_noise(5)
    np.testing.assert_allclose(
        law_arrays(twice).second_moment, law_arrays(once).second_moment, rtol=1e-15
    )
    turned = law.embedded([["3/5", "4/5"], ["-4/5", "3/5"]])
    rows = [[float(entry) for entry in group[0]] for group in turned.features]
    assert rows == [[0.6, 0.8], [-0.8, 0.6]]
    assert law_arrays(turned).spread == pytest.approx(law_arrays(law).spread, rel=1e-15)
    assert law.with_noise(0) is law


def test_bounds_from_below_approach_the_integral() -> None:
    """In one dimension, on N(0, 1): min_b E h(|x - b|) is at b = 0, by scipy's quadrature."""
    law = law_arrays(load_law({"features": 1, "firing": 0, "noise": 1}))
    for l1 in (0.1, 1.0, 4.0):
        true = 2 * integrate.quad(
            lambda r, l1=l1: (l1 * r - l1 * l1 / 4 if r >= l1 / 2 else r * r) * stats.norm.pdf(r),
            0, 12, points=[l1 / 2],
        )[0]  # fmt: skip
        bound = midpoint_bound(law, l1, True)[0]
        assert true * 0.998 < bound < true


def test_normal_components_have_their_symmetries() -> None:
    """Three alike features may be permuted; of different deviations two may."""
    alike = independent_features(3, "1/3", magnitude=NORMAL)
    assert len(symmetries(law_arrays(alike))) == 6
    other = independent_features(3, "1/3", magnitude=[NORMAL, NORMAL, {"normal": [1, "1/10"]}])
    assert len(symmetries(law_arrays(other))) == 2
    assert len(symmetries(law_arrays(alike.with_noise("1/10")))) == 6


@pytest.mark.parametrize(
    "refused",
    [
        lambda law, sae: expected_loss(law, sae, Objective(l1=0.1, reconstruction="relative")),
        lambda law, sae: expected_loss(law, TopKSae(sae, 1), Objective(l1=0.1)),
        lambda law, sae: expected_loss(
            law, GatedSae(sae, -sae.W_enc, sae.b_enc), Objective(l1=0.1)
        ),
    ],
)
def test_what_has_no_moments_on_normals_is_refused_in_a_line(refused: Any) -> None:
    law = independent_features(2, "1/2", magnitude=NORMAL)
    sae = random_sae(np.random.default_rng(0), 2, None)
    with pytest.raises(InputError, match=r"law: expected .* uniform magnitudes .*normal"):
        refused(law, sae)
