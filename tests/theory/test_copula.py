"""Features that fire in correlation, against closed forms, quadrature and thrown normals."""

from itertools import combinations, pairwise, product
from math import asin, comb, pi, prod
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy
from scipy.special import ndtr, ndtri

from theory import InputError, Law, firing_features, from_active_sets, load_law
from theory.laws.copula import correlated_activity

Activity = dict[tuple[int, ...], float]

ROUNDING = 1e-14
SLOW = pytest.mark.slow


def correlated(firing: list[Any] | str | float, correlation: Any, n: int | None = None) -> Law:
    count = len(firing) if isinstance(firing, list) else n
    return load_law({"features": count, "firing": firing, "correlation": correlation})


def activity(law: Law) -> Activity:
    """Return the probability of each set of features, absent ones as those of probability 0."""
    n = len(law.features)
    every = (chosen for size in range(n + 1) for chosen in combinations(range(n), size))
    found = dict.fromkeys(every, 0.0)
    for chosen, part in zip(law.active, law.components, strict=True):
        found[chosen] += float(part.probability)
    return found


def marginal(found: Activity, *features: int) -> float:
    return sum(p for chosen, p in found.items() if set(features) <= set(chosen))


def differ(found: Activity, expected: Activity) -> float:
    assert found.keys() == expected.keys()
    return max(abs(found[chosen] - expected[chosen]) for chosen in found)


def both_fire(first: float | str, second: float | str, r: float | str) -> float:
    """Return P(g > s, h > t) by integrating P(h > t | g) over g, to twenty digits."""
    with mpmath.workdps(25):
        p, q, cosine = (mpmath.mpf(str(entry)) for entry in (first, second, r))
        s, t = (-mpmath.sqrt(2) * mpmath.erfinv(2 * chance - 1) for chance in (p, q))
        rest = mpmath.sqrt(1 - cosine**2)
        # Where the integrand bends, and a little around it.
        bends = [(t + away * rest) / cosine for away in (-6, 0, 6)] if cosine else []
        points = sorted({s, mpmath.mpf(15), *(g for g in bends if s < g < 15)})
        return float(
            mpmath.quad(lambda g: mpmath.npdf(g) * mpmath.ncdf((cosine * g - t) / rest), points)
        )


def by_one_factor(firing: list[float], loadings: list[float]) -> Activity:
    """Return the activity at correlations λ_i λ_j: given the common factor all are independent."""
    step = 1e-3
    factor = np.arange(-10, 10, step)
    weight = step * np.exp(-(factor**2) / 2) / np.sqrt(2 * np.pi)
    fires = [
        ndtr((ndtri(p) + loading * factor) / np.sqrt(1 - loading**2))
        for p, loading in zip(firing, loadings, strict=True)
    ]
    found = {}
    for on in product((False, True), repeat=len(firing)):
        chosen = tuple(i for i, fired in enumerate(on) if fired)
        each = [f if fired else 1 - f for f, fired in zip(fires, on, strict=True)]
        found[chosen] = float(weight @ np.prod(each, axis=0))
    return found


def one_factor_table(loadings: list[float]) -> list[list[str]]:
    exact = [sympy.Rational(str(loading)) for loading in loadings]
    return [
        ["1" if i == j else str(a * b) for j, b in enumerate(exact)] for i, a in enumerate(exact)
    ]


@pytest.mark.parametrize("r", ["0", "1/2", "-1/2", "0.9", "-0.999", "0.99999"])
def test_two_that_fire_half_of_the_time(r: str) -> None:
    law = correlated(["1/2", "1/2"], r)
    together = 1 / 4 + asin(float(sympy.Rational(r))) / (2 * pi)
    expected = {(): together, (0,): 1 / 2 - together, (1,): 1 / 2 - together, (0, 1): together}
    assert differ(activity(law), expected) <= law.probability_error < ROUNDING


@pytest.mark.parametrize(
    ("first", "second", "r"),
    [
        ("0.3", "0.3", "0.5"),
        ("0.3", "0.126", "-0.75"),
        ("0.01", "0.9", "0.7"),
        ("0.05", "0.02", "-0.95"),
        ("0.999", "0.25", "0.125"),
        ("0.0001", "0.0001", "0.99"),
    ],
)
def test_two_at_other_thresholds(first: str, second: str, r: str) -> None:
    law = correlated([first, second], r)
    p, q, both = float(first), float(second), both_fire(first, second, r)
    expected = {(): 1 - p - q + both, (0,): p - both, (1,): q - both, (0, 1): both}
    assert differ(activity(law), expected) <= law.probability_error < ROUNDING


@pytest.mark.parametrize(
    ("r01", "r02", "r12"),
    [
        ("1/2", "1/2", "1/2"),
        ("0.6", "-0.3", "0.2"),
        ("-0.8", "-0.1", "0.5"),
        ("0.9", "0", "0"),
        # The sum of the three is constant, so they are never of one sign.
        ("-1/2", "-1/2", "-1/2"),
    ],
)
def test_three_that_fire_half_of_the_time(r01: str, r02: str, r12: str) -> None:
    law = correlated("1/2", [["1", r01, r02], [r01, "1", r12], [r02, r12, "1"]], 3)
    expected = {}
    for signs in product((-1, 1), repeat=3):
        terms = [
            signs[i] * signs[j] * asin(float(sympy.Rational(r)))
            for (i, j), r in (((0, 1), r01), ((0, 2), r02), ((1, 2), r12))
        ]
        chosen = tuple(i for i, sign in enumerate(signs) if sign > 0)
        expected[chosen] = 1 / 8 + sum(terms) / (4 * pi)
    assert differ(activity(law), expected) <= law.probability_error < 1e-2


@pytest.mark.parametrize("firing", [["0.3"], ["0.3", "1/7"], ["0.3", "1/7", "0.9", "0.02"]])
def test_correlation_0_is_independent_firing(firing: list[str]) -> None:
    law = correlated(firing, 0)
    chances = [float(sympy.Rational(p)) for p in firing]
    for chosen, p in activity(law).items():
        each = [chance if i in chosen else 1 - chance for i, chance in enumerate(chances)]
        assert p == pytest.approx(prod(each), abs=ROUNDING)
    independent = firing_features(len(firing), firing)
    assert law.active == independent.active
    assert [part.point for part in law.components] == [
        part.point for part in independent.components
    ]
    assert law.probability_error < ROUNDING
    assert independent.probability_error == 0


@pytest.mark.parametrize("n", [2, 3, 4, *(pytest.param(n, marks=SLOW) for n in (5, 6, 7, 8))])
def test_all_pairs_correlated_by_half(n: int) -> None:
    """g_i = (h_i - h_0)/√2: which fire is where h_0 stands among n others, each place as likely.

    So k given ones alone fire with probability 1 / ((n + 1) C(n, k)), and all n with 1 / (n + 1).
    """
    law = correlated("1/2", "1/2", n)
    found = activity(law)
    expected = {chosen: 1 / ((n + 1) * comb(n, len(chosen))) for chosen in found}
    assert differ(found, expected) <= law.probability_error < 1e-3
    assert sum(part.probability for part in law.components) == 1


@pytest.mark.parametrize(
    ("firing", "loadings"),
    [
        ([0.3, 0.1, 0.6], [0.9, 0.5, -0.7]),
        # Two runs of the integration come close to each other here, and not to the truth.
        ([0.1, 0.3, 0.1, 0.6], [-0.2, -0.5, -0.1, 0.3]),
    ],
)
def test_error_covers_the_distance_from_the_truth(
    firing: list[float], loadings: list[float]
) -> None:
    law = correlated([str(p) for p in firing], one_factor_table(loadings))
    found, error = activity(law), float(law.probability_error)
    assert differ(found, by_one_factor(firing, loadings)) <= error < 1e-4
    # A marginal is a sum of half of all active sets.
    for i, p in enumerate(firing):
        assert abs(marginal(found, i) - p) <= 2 ** (len(firing) - 1) * error
    for i, j in combinations(range(len(firing)), 2):
        both = both_fire(firing[i], firing[j], loadings[i] * loadings[j])
        assert abs(marginal(found, i, j) - both) <= 2 ** (len(firing) - 2) * error


@pytest.mark.parametrize(
    ("firing", "signs"),
    [
        (["0.2", "0.5", "0.6"], [1, 1, 1]),
        (["0.1", "0.31", "0.34"], [-1, -1, 1]),
        (["0.74", "0.42", "0.23", "0.2"], [-1, 1, 1, 1]),
    ],
)
def test_error_covers_it_where_one_normal_decides(firing: list[str], signs: list[int]) -> None:
    """All g_i = ±g: which fire is read off one uniform number v = Φ(g)."""
    law = correlated(firing, [[a * b for b in signs] for a in signs])
    chances = [float(p) for p in firing]
    cuts = sorted(
        {0.0, 1.0, *(1 - p if s > 0 else p for p, s in zip(chances, signs, strict=True))}
    )
    expected = dict.fromkeys(activity(law), 0.0)
    for low, high in pairwise(cuts):
        v = (low + high) / 2
        each = enumerate(zip(chances, signs, strict=True))
        expected[tuple(i for i, (p, s) in each if (v > 1 - p if s > 0 else v < p))] += high - low
    assert differ(activity(law), expected) <= law.probability_error < 1e-2


def test_frequencies_of_thrown_normals() -> None:
    """The definition itself: feature i fires where g_i is above its threshold."""
    table = np.array([[1, 0.5, -0.3], [0.5, 1, 0.2], [-0.3, 0.2, 1]])
    firing = [0.3, 0.5, 0.15]
    found = activity(correlated([str(p) for p in firing], table.tolist()))
    count = 400_000
    g = np.random.default_rng(1).standard_normal((count, 3)) @ np.linalg.cholesky(table).T
    thrown = (g > -ndtri(firing)) @ [1, 2, 4]
    for chosen, p in found.items():
        frequency = np.mean(thrown == sum(2**i for i in chosen))
        assert abs(frequency - p) < 5 * np.sqrt(p * (1 - p) / count) + 1e-5


def test_correlation_1_is_one_firing() -> None:
    """Features of one threshold fire together, and of others the rarer with the commoner."""
    law = correlated("1/2", 1, 2)
    assert law.active == ((), (0, 1))
    assert [part.probability for part in law.components] == [sympy.Rational(1, 2)] * 2
    found = activity(correlated(["1/5", "3/10"], "1"))
    expected = {(): 0.7, (0,): 0.0, (1,): 0.1, (0, 1): 0.2}
    assert differ(found, expected) < ROUNDING
    law = correlated("1/4", 1, 3)
    found = activity(law)
    assert abs(found[0, 1, 2] - 1 / 4) <= law.probability_error
    assert abs(found[()] - 3 / 4) <= law.probability_error


def test_correlation_minus_1_excludes() -> None:
    law = correlated("1/2", -1, 2)
    assert law.active == ((0,), (1,))
    for firing, expected in (
        (["1/5", "3/10"], {(): 0.5, (0,): 0.2, (1,): 0.3, (0, 1): 0.0}),
        (["4/5", "7/10"], {(): 0.0, (0,): 0.3, (1,): 0.2, (0, 1): 0.5}),
    ):
        assert differ(activity(correlated(firing, "-1")), expected) < ROUNDING


def test_features_that_never_or_always_fire() -> None:
    """They are what they are, and the others are correlated with each other as before."""
    law = correlated([0, "0.3", 1, "0.126"], "1/2")
    both = both_fire("0.3", "0.126", "0.5")
    expected = {(2,): 1 - 0.426 + both, (1, 2): 0.3 - both, (2, 3): 0.126 - both, (1, 2, 3): both}
    assert law.active == tuple(sorted(expected, key=lambda chosen: (len(chosen), chosen)))
    for chosen, part in zip(law.active, law.components, strict=True):
        assert float(part.probability) == pytest.approx(expected[chosen], abs=ROUNDING)
    for certain, active in (([0, 0], ()), ([1, 1], (0, 1)), ([0, 1], (1,))):
        law = correlated(certain, "0.3")
        assert law.active == (active,)
        assert law.components[0].probability == 1
    alone = correlated(["1/4"], "1/2")
    assert [part.probability for part in alone.components] == [
        sympy.Rational(3, 4), sympy.Rational(1, 4)
    ]  # fmt: skip


def test_relabelled_features_are_the_same_law() -> None:
    firing = ["0.3", "0.1", "0.6"]
    table = [["1", "0.6", "-0.3"], ["0.6", "1", "0.2"], ["-0.3", "0.2", "1"]]
    law = correlated(firing, table)
    order = (1, 2, 0)
    other = correlated([firing[i] for i in order], [[table[i][j] for j in order] for i in order])
    renamed = {tuple(sorted(order[i] for i in chosen)): p for chosen, p in activity(other).items()}
    assert differ(renamed, activity(law)) <= law.probability_error + other.probability_error


def test_a_number_is_a_table_of_it() -> None:
    table = [["1", "0.4"], ["0.4", "1"]]
    law = correlated(["0.3", "0.1"], 0.4)
    assert law == correlated(["0.3", "0.1"], table)
    assert law == firing_features(2, ["0.3", "0.1"], correlation=np.array(table, dtype=float))


def test_the_same_law_every_time() -> None:
    """The points of the integration are fixed, so that laws can be compared and kept."""
    assert correlated("1/3", "0.4", 3) == correlated("1/3", "0.4", 3)


def test_the_rest_of_the_law_is_as_without_correlation() -> None:
    """Magnitudes, directions, bias and noise: the law of the same active sets, given in full."""
    rest: dict[str, Any] = {
        "magnitude": [{"normal": [1, "1/10"]}, {"constant": 2}],
        "embedding": [[1, 2, 0], [0, 1, -1]],
        "bias": [1, 0, "1/2"],
        "noise": "1/4",
    }
    law = firing_features(2, ["0.3", "0.6"], correlation="0.7", **rest)
    active = [
        {"features": chosen, "probability": part.probability}
        for chosen, part in zip(law.active, law.components, strict=True)
    ]
    given = from_active_sets(2, active, **rest)
    assert given.components == law.components
    assert given.magnitudes == law.magnitudes


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"correlation": "1.01"}, "correlation: expected a number from -1 to 1"),
        ({"correlation": "x"}, "correlation: expected a number, got 'x'"),
        ({"correlation": True}, "correlation: expected a number, got True"),
        ({"correlation": float("nan")}, "correlation: expected a finite number"),
        ({"correlation": {"0": 1}}, "correlation: expected a number, or a table of shape"),
        ({"correlation": [[1, 2], [2, 1]]}, "correlation: expected a positive semidefinite"),
        ({"correlation": [[1, "inf"], ["inf", 1]]}, r"correlation\[0\]\[1\]: expected a finite"),
        ({"correlation": [[1, 0.5], 1]}, r"correlation\[1\]: expected a row"),
        ({"correlation": 0.5, "exclusive": [[0, 1]]}, "exclusive: expected no such key beside"),
    ],
)
def test_what_is_no_correlation_is_refused(document: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_law({"features": 2, "firing": "1/3", **document})


def test_symbols_are_refused() -> None:
    symbol, half = sympy.Symbol("p", positive=True), sympy.Rational(1, 2)
    with pytest.raises(InputError, match=r"firing\[1\]: expected a number beside 'correlation'"):
        correlated_activity([half, symbol], half)
    with pytest.raises(InputError, match="correlation: expected numbers"):
        correlated_activity([half, half], [[1, symbol], [symbol, 1]])


def test_a_table_that_is_singular_but_for_decimals_is_taken() -> None:
    """Its least eigenvalue is -8e-7, and it is -1/2 in six decimals: never all of one sign."""
    law = correlated("1/2", "-0.5000004", 3)
    found = activity(law)
    assert found[()] < 1e-2
    assert found[0, 1, 2] < 1e-2
    assert found[0, 1] == pytest.approx(1 / 6, abs=1e-3)


def test_a_chance_that_is_1_in_floats_is_as_good_as_1() -> None:
    law = correlated(["0.99999999999999999999", "1/2"], "1/2")
    found = activity(law)
    assert found[0, 1] == pytest.approx(1 / 2, abs=ROUNDING)
    assert found[0,] == pytest.approx(1 / 2, abs=ROUNDING)
