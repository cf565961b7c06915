"""Oracles for JumpReLU, TopK and gated (and ReLU) autoencoders, exact and on a grid.

Written from the definitions below, sharing no code with what is judged. With pre-activations
``p_i = x . W_enc[:, i] + b_enc[i]`` and reconstruction ``sum_i f_i W_dec[i] + b_dec``,

* ``"relu"``: ``f_i = ReLU(p_i)``;
* ``"jumprelu"``, parameter ``threshold`` of length ``n``: ``f_i = ReLU(p_i)`` if
  ``p_i > max(threshold_i, 0)``, else 0;
* ``"topk"``, parameter ``k``: ``f_i = ReLU(p_i)`` for the ``k`` largest ``p_i``, else 0; among
  equal ``p_i`` the one of smaller index ranks higher;
* ``"gated"``, parameters ``W_gate`` and ``b_gate``: ``f_i = ReLU(p_i)`` if
  ``x . W_gate[:, i] + b_gate[i] > 0``, else 0.

Latent ``i`` *fires* where ``f_i > 0``. ``arrays`` maps the names ``W_enc`` ``(d, n)``, ``b_enc``
``(n,)``, ``W_dec`` ``(n, d)`` and ``b_dec`` ``(d,)`` to arrays or nested sequences.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations, pairwise, product
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from tests.oracles.laws import OracleComponent

N = TypeVar("N", Fraction, float)
FloatArray = npt.NDArray[np.float64]
Law = Sequence[OracleComponent]
Arrays = Mapping[str, Any]
# (constant, slope of u_1, ..., slope of u_k).
Affine = tuple[Fraction, ...]
Point = tuple[Fraction, ...]
# The vertices of a point, an interval or a convex polygon (in cyclic order).
Cell = list[Point]

_SAE = ("W_enc", "b_enc", "W_dec", "b_dec")
_NAMES = {"relu": [], "jumprelu": ["threshold"], "topk": ["k"], "gated": ["W_gate", "b_gate"]}


class Figures(NamedTuple, Generic[N]):
    """Expectations of an autoencoder under a law, in Fractions or in floats.

    ``reconstruction`` is ``E ||x - x_hat||^2``, ``activation[i]`` is ``E f_i`` and
    ``co_firing[i][j]`` is ``P(f_i > 0 and f_j > 0)``, so its diagonal is the firing probability.
    """

    reconstruction: N
    activation: list[N]
    co_firing: list[list[N]]


def _check(architecture: str, parameters: Arrays) -> None:
    if sorted(parameters) != _NAMES[architecture] or parameters.get("k", 0) < 0:
        raise ValueError(f"wrong parameters for {architecture}: {parameters}")


def _exact(values: Any) -> Any:
    """Return Fractions nested as the numbers are; a float is the dyadic rational it stores."""
    if isinstance(values, list | tuple | np.ndarray):
        return [_exact(value) for value in values]
    return Fraction(values.item() if isinstance(values, np.generic) else values)


def _dot(a: Sequence[Fraction], b: Sequence[Fraction]) -> Fraction:
    return sum((s * t for s, t in zip(a, b, strict=True)), Fraction(0))


def _value(function: Affine, u: Point) -> Fraction:
    return function[0] + _dot(function[1:], u)


def _pulled_back(component: OracleComponent, W: Any, b: Any) -> list[Affine]:
    """Return the functions ``u -> x(u) . W[:, i] + b[i]``."""
    functions = []
    for i, bias in enumerate(b):
        weights = [row[i] for row in W]
        slopes = [_dot(column, weights) for column in zip(*component.matrix, strict=True)]
        functions.append((_dot(component.offset, weights) + bias, *slopes))
    return functions


def _gates(
    component: OracleComponent, architecture: str, p: list[Affine], parameters: Arrays
) -> list[Affine]:
    """Return the functions besides `p` that must be positive where the latents fire."""
    if architecture == "gated":
        return _pulled_back(component, _exact(parameters["W_gate"]), _exact(parameters["b_gate"]))
    if architecture == "jumprelu":
        bars = [max(height, Fraction(0)) for height in _exact(parameters["threshold"])]
        return [(f[0] - bar, *f[1:]) for f, bar in zip(p, bars, strict=True)]
    return p


def _triangles(polygon: Cell) -> list[tuple[Fraction, Cell]]:
    """Return the areas and corners of triangles that make up a convex polygon."""
    fan = []
    for b, c in pairwise(polygon[1:]):
        a = polygon[0]
        doubled = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
        fan.append((abs(doubled) / 2, [a, b, c]))
    return fan


def _clipped(polygon: Cell, function: Affine) -> Cell:
    """Return the part of a convex polygon where ``function >= 0`` (Sutherland-Hodgman)."""
    kept: Cell = []
    for a, b in pairwise([*polygon, polygon[0]]):
        at_a, at_b = _value(function, a), _value(function, b)
        if at_a >= 0:
            kept.append(a)
        if at_a * at_b < 0:
            share = at_a / (at_a - at_b)
            kept.append((a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])))
    return kept


def _cells(functions: Sequence[Affine], k: int) -> list[Cell]:
    """Cut the unit cube so that on no cell's interior a function, unless it is 0, has a zero."""
    zero, one = Fraction(0), Fraction(1)
    if k == 0:
        return [[()]]
    if k == 1:
        roots = {-constant / slope for constant, slope in functions if slope != 0}
        ends = sorted({zero, one} | {root for root in roots if zero < root < one})
        return [[(a,), (b,)] for a, b in pairwise(ends)]
    polygons: list[Cell] = [[(zero, zero), (one, zero), (one, one), (zero, one)]]
    for function in functions:
        # A constant has no zero line; were it 0, both parts would be the whole polygon.
        if any(function[1:]):
            sides = (function, tuple(-entry for entry in function))
            parts = [_clipped(polygon, side) for polygon in polygons for side in sides]
            polygons = [part for part in parts if any(area for area, _ in _triangles(part))]
    return polygons


def _mean(points: Sequence[Point]) -> Point:
    return tuple(sum(column, Fraction(0)) / len(points) for column in zip(*points, strict=True))


def _quadrature(cell: Cell) -> Iterator[tuple[Fraction, Point]]:
    """Yield the weights and nodes of a rule exact for quadratics: Simpson's, edge midpoints."""
    if len(cell) == 1:
        yield Fraction(1), cell[0]
    elif len(cell) == 2:
        length = cell[1][0] - cell[0][0]
        yield from ((length / 6, cell[0]), (length * 2 / 3, _mean(cell)), (length / 6, cell[1]))
    else:
        for area, corners in _triangles(cell):
            yield from ((area / 3, _mean(edge)) for edge in combinations(corners, 2))


def exact_figures(
    components: Law, architecture: str, arrays: Arrays, **parameters: Any
) -> Figures[Fraction]:
    """Return the exact figures: cut each cube where the firing changes, integrate quadratics.

    Numbers are ints, Fractions or floats, a float being the dyadic rational that it stores.
    The probabilities of the components are used as they are, whatever their sum.
    """
    _check(architecture, parameters)
    W_enc, b_enc, W_dec, b_dec = (_exact(arrays[name]) for name in _SAE)
    d, n = len(b_dec), len(b_enc)
    reconstruction = Fraction(0)
    activation = [Fraction(0)] * n
    co_firing = [[Fraction(0)] * n for _ in range(n)]
    for component in components:
        x = list(zip(component.offset, component.matrix, strict=True))
        p = _pulled_back(component, W_enc, b_enc)
        gates = _gates(component, architecture, p, parameters)
        pairs = combinations(p, 2) if architecture == "topk" else ()
        differences = [tuple(s - t for s, t in zip(*pair, strict=True)) for pair in pairs]
        for cell in _cells(p + gates + differences, component.cube_dimension):
            # Strictly inside the cell, so what is 0 here is 0 on the whole cell.
            inside = _mean(cell)
            ranking = sorted(range(n), key=lambda i: (-_value(p[i], inside), i))
            kept = ranking[: parameters["k"]] if architecture == "topk" else ranking
            active = [i for i in kept if min(_value(p[i], inside), _value(gates[i], inside)) > 0]
            for weight, u in _quadrature(cell):
                mass = component.probability * weight
                f = {i: _value(p[i], u) for i in active}
                for r in range(d):
                    x_hat = b_dec[r] + sum((f[i] * W_dec[i][r] for i in active), Fraction(0))
                    reconstruction += mass * (x[r][0] + _dot(x[r][1], u) - x_hat) ** 2
                for i in active:
                    activation[i] += mass * f[i]
                    for j in active:
                        co_firing[i][j] += mass
    return Figures(reconstruction, activation, co_firing)


def _float_affine(x: FloatArray, W: Any, b: Any) -> FloatArray:
    """Return ``x @ W + b``, summed in one order for all columns so that equal ones stay equal."""
    weights = np.asarray(W, dtype=np.float64)
    result = np.zeros((len(x), weights.shape[1]))
    for r in range(len(weights)):
        result = result + x[:, r, None] * weights[r]
    return result + np.asarray(b, dtype=np.float64)


def _grid_activations(
    x: FloatArray, architecture: str, arrays: Arrays, parameters: Arrays
) -> FloatArray:
    p = _float_affine(x, arrays["W_enc"], arrays["b_enc"])
    relu = np.maximum(p, 0.0)
    if architecture == "jumprelu":
        threshold = np.asarray(parameters["threshold"], dtype=np.float64)
        return np.where(p > np.maximum(threshold, 0.0), relu, 0.0)
    if architecture == "topk":
        f = np.zeros_like(p)
        for i in range(p.shape[1]):
            above = (p > p[:, i, None]).sum(axis=1)
            equal_before = (p[:, :i] == p[:, i, None]).sum(axis=1)
            f[:, i] = np.where(above + equal_before < parameters["k"], relu[:, i], 0.0)
        return f
    if architecture == "gated":
        return relu * (_float_affine(x, parameters["W_gate"], parameters["b_gate"]) > 0)
    return relu


def grid_figures(
    components: Law, architecture: str, arrays: Arrays, points: int, **parameters: Any
) -> Figures[float]:
    """Return the figures by the midpoint rule with `points` points per axis of every cube.

    A continuous piecewise smooth integrand has error ``O(1 / points^2)``. One with jumps, such
    as the co-firing or a discontinuous ``f``, has error ``O(1 / points)``: attained if ``k = 1``
    or a line of jumps is parallel to an axis, usually better on other lines if ``k = 2``.
    Values that are equal on a whole component, such as ``p_i = p_j`` or ``p_i = threshold_i``,
    must be so in floats too: take dyadic arrays of few bits and `points` a power of two.
    """
    _check(architecture, parameters)
    n = len(arrays["b_enc"])
    reconstruction, activation, co_firing = 0.0, np.zeros(n), np.zeros((n, n))
    for component in components:
        axis = (np.arange(points) + 0.5) / points
        u = np.array(list(product(axis, repeat=component.cube_dimension)))
        x = _float_affine(u, np.asarray(component.matrix, np.float64).T, component.offset)
        f = _grid_activations(x, architecture, arrays, parameters)
        x_hat = _float_affine(f, arrays["W_dec"], arrays["b_dec"])
        fires = (f > 0).astype(np.float64)
        mass = float(component.probability) / len(u)
        reconstruction += mass * float(((x - x_hat) ** 2).sum())
        activation += mass * f.sum(axis=0)
        co_firing += mass * (fires.T @ fires)
    return Figures(reconstruction, activation.tolist(), co_firing.tolist())
