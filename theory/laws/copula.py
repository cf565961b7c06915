"""Features that fire in correlation: active sets as orthants of a normal variable.

Feature i fires where g_i > t_i, g ~ N(0, R), P(g_i > t_i) being its firing probability: a Gaussian
copula. The probability of an active set is that of an orthant, which for two features is exact to
rounding [Owen1956], and for more of them is integrated numerically, with an error that is
estimated from several runs. The numbers found are taken as the law: what is stated is how far it
may be from the copula's.
"""

import math
from collections.abc import Sequence
from itertools import product
from statistics import NormalDist

import sympy

from theory.exact.arguments import check_list
from theory.exact.errors import InputError
from theory.exact.numbers import Number, exact_number, number_rows, within

MOST_FEATURES = 8
#: Points of an orthant's integration, for all orthants together.
_POINTS = 2**18
_ROUNDING = 1e-15
# Runs of an orthant's integration, and the error as a multiple of their range: on some hundred
# random tables, rank-one ones among them, that covered every error.
_RUNS = 4
_SAFETY = 8.0
# An eigenvalue further below 0 is none of a table of correlations in decimals.
_SEMIDEFINITE = 1e-6


def correlated_activity(
    firing: Sequence[sympy.Expr], correlation: object
) -> tuple[dict[tuple[int, ...], sympy.Expr], sympy.Expr]:
    """Return the active sets with their probabilities, and how far any of these may be off.

    Parameters
    ----------
    firing : sequence of numbers in [0, 1]
    correlation : number, or (n, n) table
        Of the normal variables; a number is that of every pair.

    Raises
    ------
    InputError
        For more than 8 features, firing probabilities that are no numbers, or a table that is not
        symmetric, positive semidefinite and of ones on the diagonal.

    Examples
    --------
    At correlation 1/2 and firing probability 1/2 each, both fire in 1/4 + asin(1/2)/(2π) = 1/3:

    >>> activity, error = correlated_activity([sympy.S.Half, sympy.S.Half], "1/2")
    >>> round(float(activity[0, 1]), 12), bool(error < 1e-12)
    (0.333333333333, True)
    """
    table = _table(correlation, len(firing))
    # A second is spent on the import, by those alone who ask for it.
    import numpy as np  # noqa: PLC0415
    from scipy.stats import multivariate_normal  # noqa: PLC0415

    n = len(firing)
    for i, p in enumerate(firing):
        if not p.is_number:
            raise InputError(f"firing[{i}]", "a number beside 'correlation'", p)
    whole = np.array(table.tolist(), dtype=float)
    values, axes = np.linalg.eigh(whole)
    if values[0] < -_SEMIDEFINITE:
        raise InputError("correlation", "a positive semidefinite table", table.tolist())
    if values[0] < 0:
        # Decimals cannot hold thirds: what is semidefinite to six digits is taken as such.
        whole = (axes * np.maximum(values, 0.0)) @ axes.T
        sizes = np.sqrt(np.diagonal(whole))
        whole = whole / np.outer(sizes, sizes)
    certain = {i: float(p) for i, p in enumerate(firing) if float(p) in (0.0, 1.0)}
    open_ = [i for i in range(n) if i not in certain]
    always = [i for i, p in certain.items() if p == 1]
    matrix = whole[np.ix_(open_, open_)]

    # P(g > t) = p, so t = -Φ⁻¹(p).
    below = np.array([NormalDist().inv_cdf(float(firing[i])) for i in open_])
    found: dict[tuple[int, ...], list[float]] = {}
    for fires in product((False, True), repeat=len(open_)):
        sign = np.where(fires, 1.0, -1.0)
        chosen = tuple(sorted([*always, *(i for i, on in zip(open_, fires, strict=True) if on)]))
        turned = matrix * np.outer(sign, sign)
        if len(open_) == 2:
            # SciPy's own, of some releases, is off by 1e-8 here.
            h, k = (sign * below).tolist()
            found[chosen] = [_pair(h, k, float(turned[0, 1]))]
            continue
        found[chosen] = [
            float(
                multivariate_normal.cdf(
                    sign * below,
                    cov=turned,
                    allow_singular=True,
                    maxpts=_POINTS // 2 ** len(open_) * len(open_),
                    abseps=1e-10,
                    releps=1e-10,
                    rng=np.random.default_rng(run),
                )
            )
            if open_
            else 1.0
            for run in range(_RUNS)
        ]
    apart = max(max(runs) - min(runs) for runs in found.values())
    means = {chosen: max(sum(runs) / len(runs), 0.0) for chosen, runs in found.items()}
    missing = abs(sum(means.values()) - 1)
    total = sympy.Add(*(exact_number(mean, "firing") for mean in means.values()))
    activity = {chosen: exact_number(mean, "firing") / total for chosen, mean in means.items()}
    return activity, exact_number(max(_SAFETY * apart, missing, _ROUNDING), "firing")


def _pair(h: float, k: float, rho: float) -> float:
    """Return P(g < h, g' < k) of two standard normals of correlation ρ [Owen1956, (2.1)]."""
    from scipy.special import owens_t  # noqa: PLC0415

    phi = NormalDist().cdf
    root = math.sqrt(max((1 - rho) * (1 + rho), 0.0))
    if root == 0:
        return min(phi(h), phi(k)) if rho > 0 else max(0.0, phi(h) - phi(-k))
    if h == 0 and k == 0:
        return 0.25 + math.asin(rho) / (2 * math.pi)
    total = (phi(h) + phi(k)) / 2 - (0.5 if h * k < 0 or (h * k == 0 and h + k < 0) else 0.0)
    for one, other in ((h, k), (k, h)):
        apart = (other - rho * one) / root
        slope = apart / one if one != 0 else math.copysign(math.inf, apart)
        total -= float(owens_t(one, slope))
    return total


def _table(correlation: object, n: int) -> sympy.Matrix:
    if n > MOST_FEATURES:
        raise InputError("correlation", f"at most {MOST_FEATURES} features beside it", n)
    if isinstance(correlation, str) or not hasattr(correlation, "__len__"):
        number: Number = correlation
        r = within(number, "correlation", -1, 1)
        table = sympy.eye(n) * (1 - r) + r * sympy.ones(n, n)
    else:
        rows = check_list("correlation", correlation, f"a number, or a table of shape {(n, n)}")
        table = number_rows(rows, "correlation", [(n, n)])
    if not table.is_symmetric() or any(table[i, i] != 1 for i in range(n)):
        raise InputError("correlation", "a symmetric table with ones on the diagonal")
    if any(not entry.is_number for entry in table):
        raise InputError("correlation", "numbers", correlation)
    return table
