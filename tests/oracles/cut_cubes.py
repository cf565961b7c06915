"""Exact moments of two cut half-spaces on the unit cube, and the exact loss of a ReLU dictionary.

Everything is rational arithmetic on `fractions.Fraction`; nothing is rounded.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from functools import cache
from itertools import permutations
from math import factorial
from typing import TypedDict

Vector = Sequence[Fraction]
Matrix = Sequence[Sequence[Fraction]]
Component = tuple[Fraction, Vector, Matrix]


class Loss(TypedDict):
    """The exact terms of the expected loss, with total = reconstruction + l1 (l1 is weighted)."""

    total: Fraction
    reconstruction: Fraction
    l1: Fraction
    l0: Fraction
    firing: list[Fraction]


def _dot(left: Vector, right: Vector) -> Fraction:
    """Return sum_i left_i right_i."""
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


def _quadratic(left: Vector, Q: Matrix, right: Vector) -> Fraction:
    """Return leftᵀ Q right."""
    return _dot(left, [_dot(row, right) for row in Q])


def _kuhn_simplices(k: int) -> list[list[int]]:
    """Return the k! simplices 0, e_p1, e_p1 + e_p2, ..., one for each order p of the axes.

    A vertex is the number of a corner, whose coordinate on an axis is that bit of the number.
    """
    simplices = []
    for order in permutations(range(k)):
        corners = [0]
        for axis in order:
            corners.append(corners[-1] + (1 << axis))
        simplices.append(corners)
    return simplices


def _simplex_moments(values: Sequence[Vector]) -> list[list[Fraction]] | None:
    """Return (k+1)(k+2) E[1{all functions > 0} λ_v λ_w] for u uniform on a simplex, or None for 0.

    Here values are the functions at the k + 1 vertices and λ is barycentric. The uncut moment is
    1 + [v = w]; an edge from p to n with a zero at z = p + t (n - p) cuts it in shares t, 1 - t.
    """
    if any(max(value) <= 0 for value in values):
        return None
    vertices = range(len(values[0]))
    cut = next((value for value in values if min(value) < 0), None)
    if cut is None:
        return [[Fraction(2 if v == w else 1) for w in vertices] for v in vertices]
    p, n = cut.index(max(cut)), cut.index(min(cut))
    t = cut[p] / (cut[p] - cut[n])
    zeros = [value[p] + t * (value[n] - value[p]) for value in values]
    total = None
    for replaced, kept, share in ((n, p, t), (p, n, 1 - t)):
        piece = [list(value) for value in values]
        for value, zero in zip(piece, zeros, strict=True):
            value[replaced] = zero
        moments = _simplex_moments(piece)
        if moments is None:
            continue
        # z = (1 - share) kept + share replaced, so λ_z is passed on to these two in that ratio.
        for row in moments:
            row[kept] += (1 - share) * row[replaced]
            row[replaced] *= share
        zero_row = moments[replaced]
        moments[kept] = [m + (1 - share) * z for m, z in zip(moments[kept], zero_row, strict=True)]
        moments[replaced] = [share * z for z in zero_row]
        moments = [[share * m for m in row] for row in moments]
        if total is not None:
            pairs = zip(total, moments, strict=True)
            moments = [[a + b for a, b in zip(*rows, strict=True)] for rows in pairs]
        total = moments
    return total


@cache
def _cached_moments(
    k: int, a_i: tuple[Fraction, ...], a_j: tuple[Fraction, ...]
) -> list[list[Fraction]]:
    """Return Q = sum over Kuhn simplices of sum_vw (simplex moments)_vw ṽ w̃ᵀ / (k + 2)!."""
    corners = [[1, *(corner >> axis & 1 for axis in range(k))] for corner in range(1 << k)]
    values = [[_dot(a, [Fraction(c) for c in corner]) for corner in corners] for a in (a_i, a_j)]
    weights: defaultdict[tuple[int, int], Fraction] = defaultdict(Fraction)
    for simplex in _kuhn_simplices(k):
        moments = _simplex_moments([[value[v] for v in simplex] for value in values])
        if moments is None:
            continue
        for v, row in zip(simplex, moments, strict=True):
            for w, moment in zip(simplex, row, strict=True):
                weights[v, w] += moment
    Q = [[Fraction(0)] * (k + 1) for _ in range(k + 1)]
    for (v, w), weight in weights.items():
        for r in range(k + 1):
            for c in range(k + 1):
                if corners[v][r] and corners[w][c]:
                    Q[r][c] += weight / factorial(k + 2)
    return Q


def cut_moments(k: int, a_i: Vector, a_j: Vector) -> list[list[Fraction]]:
    """Return Q_ij = E[1{a_i(u) > 0} 1{a_j(u) > 0} ũ ũᵀ] for u uniform on [0, 1]^k, ũ = (1, u).

    The functions are a(u) = a[0] + sum_m a[m] u_m; one that is identically 0 is never positive.
    """
    if len(a_i) != k + 1 or len(a_j) != k + 1:
        raise ValueError("an affine function on the k-cube needs k + 1 coefficients")
    first, second = sorted([tuple(map(Fraction, a_i)), tuple(map(Fraction, a_j))])
    return [list(row) for row in _cached_moments(k, first, second)]


def expected_loss(
    components: Sequence[Component],
    W_enc: Matrix,
    b_enc: Vector,
    W_dec: Matrix,
    b_dec: Vector,
    l1: Fraction,
) -> Loss:
    """Return E‖x - x̂‖² + l1 E sum_i f_i and its terms, where f = max(x W_enc + b_enc, 0).

    Here x̂ = f W_dec + b_dec and x = matrix u + offset with the probability of each component.
    """
    latents = range(len(b_enc))
    gram = [[_dot(W_dec[i], W_dec[j]) for j in latents] for i in latents]
    reconstruction = activity = Fraction(0)
    firing = [Fraction(0) for _ in latents]
    for probability, offset, matrix in components:
        k = len(matrix[0])
        x = [[start, *row] for start, row in zip(offset, matrix, strict=True)]
        target = [[row[0] - bias, *row[1:]] for row, bias in zip(x, b_dec, strict=True)]
        a = []
        for i in latents:
            column = [row[i] for row in W_enc]
            a.append([_dot(column, [row[m] for row in x]) for m in range(k + 1)])
            a[i][0] += b_enc[i]
        one = [Fraction(1)] + [Fraction(0)] * k
        full = cut_moments(k, one, one)
        error = sum((_quadratic(row, full, row) for row in target), Fraction(0))
        for i in latents:
            Q = cut_moments(k, a[i], a[i])
            firing[i] += probability * Q[0][0]
            activity += probability * _dot(a[i], Q[0])
            along = [_dot(W_dec[i], [row[m] for row in target]) for m in range(k + 1)]
            error += gram[i][i] * _quadratic(a[i], Q, a[i]) - 2 * _quadratic(a[i], Q, along)
            for j in range(i):
                overlap = _quadratic(a[i], cut_moments(k, a[i], a[j]), a[j])
                error += 2 * gram[i][j] * overlap
        reconstruction += probability * error
    return {
        "total": reconstruction + l1 * activity,
        "reconstruction": reconstruction,
        "l1": l1 * activity,
        "l0": sum(firing, Fraction(0)),
        "firing": firing,
    }
