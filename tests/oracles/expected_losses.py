"""Slow, from-the-definition oracles for sparse autoencoders on known laws.

Everything here is written to be obviously right rather than fast or general, and shares no
code with what it judges. The objects are

* a sparse autoencoder: activations ``f(x) = ReLU(x @ W_enc + b_enc)`` and reconstruction
  ``x_hat = f @ W_dec + b_dec``, with ``W_enc`` of shape ``(d, n)``, ``b_enc`` ``(n,)``,
  ``W_dec`` ``(n, d)`` and ``b_dec`` ``(d,)``; latent ``i`` *fires* where its pre-activation
  is strictly positive;
* a law of ``x``: a finite mixture whose component ``c`` has probability ``p_c`` and is
  ``x = M_c u + o_c`` with ``u`` uniform on the cube ``[0, 1]^k``, ``k`` in ``{0, 1, 2}``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import linprog

from tests.oracles.laws import OracleComponent

Number = int | float | Fraction
Vector = Sequence[Number] | npt.NDArray[Any]
Matrix = Sequence[Sequence[Number]] | npt.NDArray[Any]
FloatArray = npt.NDArray[np.float64]
Point = tuple[Fraction, ...]
# The vertices of a point, an interval or a convex polygon (in cyclic order).
Cell = list[Point]


class OracleExpectations(NamedTuple):
    """Exact expectations of a sparse autoencoder under a law.

    Attributes
    ----------
    reconstruction : Fraction
        ``E ||x - x_hat||^2``.
    activations : list of Fraction
        ``E f_i`` of every latent.
    firing : list of Fraction
        Probability that the latent's pre-activation is strictly positive.
    """

    reconstruction: Fraction
    activations: list[Fraction]
    firing: list[Fraction]


@dataclass(frozen=True)
class _Affine:
    """The function ``u -> gradient . u + constant``."""

    gradient: tuple[Fraction, ...]
    constant: Fraction

    def __call__(self, u: Point) -> Fraction:
        value = self.constant
        for slope, coordinate in zip(self.gradient, u, strict=True):
            value += slope * coordinate
        return value


def _combination(terms: Sequence[tuple[Fraction, _Affine]], constant: Fraction, k: int) -> _Affine:
    """Return ``constant + sum weight * function`` as an affine function of ``k`` variables."""
    gradient = [Fraction(0)] * k
    for weight, function in terms:
        if weight == 0:
            continue
        constant += weight * function.constant
        for axis in range(k):
            gradient[axis] += weight * function.gradient[axis]
    return _Affine(tuple(gradient), constant)


# ------------------------------------------------------------------ exact expectations


def _as_list(values: Any) -> list[Any]:
    """Return a list of Python scalars (or of rows) from an array or a sequence."""
    # ndarray.tolist turns numpy integers and floats into exactly equal Python ones.
    return list(values.tolist() if isinstance(values, np.ndarray) else values)


def _exact(value: Any) -> Fraction:
    """Return the number exactly; a float is the dyadic rational that it stores."""
    if isinstance(value, np.generic):
        value = value.item()
    if not isinstance(value, int | float | Fraction):
        raise TypeError(f"expected an int, a float or a Fraction, got {value!r}")
    return Fraction(value)


def _exact_vector(values: Vector, length: int, name: str) -> list[Fraction]:
    vector = [_exact(value) for value in _as_list(values)]
    if len(vector) != length:
        raise ValueError(f"{name} must have length {length}, not {len(vector)}")
    return vector


def _exact_matrix(values: Matrix, shape: tuple[int, int], name: str) -> list[list[Fraction]]:
    rows = [[_exact(value) for value in _as_list(row)] for row in _as_list(values)]
    if len(rows) != shape[0] or any(len(row) != shape[1] for row in rows):
        raise ValueError(f"{name} must have shape {shape}")
    return rows


def _unit_cube(k: int) -> Cell:
    """Return the vertices of ``[0, 1]^k``, in cyclic order if ``k = 2``."""
    zero, one = Fraction(0), Fraction(1)
    if k == 0:
        return [()]
    if k == 1:
        return [(zero,), (one,)]
    return [(zero, zero), (one, zero), (one, one), (zero, one)]


def _split(cell: Cell, function: _Affine) -> list[Cell]:
    """Cut a cell along the zero set of an affine function; ``[cell]`` if it does not cross.

    The pieces are closed and of positive measure: they are made only when the function takes
    both signs strictly on the cell.
    """
    values = [function(vertex) for vertex in cell]
    if all(value >= 0 for value in values) or all(value <= 0 for value in values):
        return [cell]
    positive: Cell = []
    negative: Cell = []
    for index, (vertex, value) in enumerate(zip(cell, values, strict=True)):
        if value >= 0:
            positive.append(vertex)
        if value <= 0:
            negative.append(vertex)
        following = (index + 1) % len(cell)
        # An interval has one edge, so its second vertex has no edge back to the first.
        is_edge = len(cell) > 2 or following > index
        if is_edge and value * values[following] < 0:
            share = value / (value - values[following])
            crossing = tuple(
                a + share * (b - a) for a, b in zip(vertex, cell[following], strict=True)
            )
            positive.append(crossing)
            negative.append(crossing)
    return [positive, negative]


def _mean(points: Sequence[Point]) -> Point:
    """Return the centroid of some points."""
    return tuple(sum(column, Fraction(0)) / len(points) for column in zip(*points, strict=True))


def _quadrature(cell: Cell) -> Iterator[tuple[Fraction, Point]]:
    """Yield weights and nodes of a rule exact for quadratics; the weights sum to the measure.

    A point is itself; an interval has Simpson's rule; a polygon is a fan of triangles, each
    with the rule of its three edge midpoints.
    """
    if len(cell) == 1:
        yield Fraction(1), cell[0]
    elif len(cell) == 2:
        length = abs(cell[1][0] - cell[0][0])
        yield length / 6, cell[0]
        yield 4 * length / 6, _mean(cell)
        yield length / 6, cell[1]
    else:
        a = cell[0]
        for b, c in pairwise(cell[1:]):
            area = abs((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])) / 2
            for edge in ((a, b), (b, c), (c, a)):
                yield area / 3, _mean(edge)


def exact_expectations(
    components: Sequence[OracleComponent],
    W_enc: Matrix,
    b_enc: Vector,
    W_dec: Matrix,
    b_dec: Vector,
) -> OracleExpectations:
    """Return the exact expectations of a sparse autoencoder under a mixture.

    The cube of every component is cut into the cells of the arrangement of the lines
    ``{pre-activation_i(u) = 0}``. On a cell the set of firing latents is constant, so the
    activations and the residual ``x - x_hat`` are affine in ``u`` and the squared error is
    quadratic: both are integrated exactly, from their values at the nodes of a rule.

    Parameters
    ----------
    components : sequence of OracleComponent
        The law of ``x``. The probabilities are used as they are, whatever their sum.
    W_enc, b_enc, W_dec, b_dec : arrays or nested sequences of int, Fraction or float
        The autoencoder, of shapes ``(d, n)``, ``(n,)``, ``(n, d)`` and ``(d,)``. Floats
        stand for the dyadic rationals they store.

    Returns
    -------
    OracleExpectations
        Exact fractions.

    Examples
    --------
    One latent that copies the positive part of ``x``, uniform on ``[-1, 1]``: the error is
    ``x^2`` on the negative half.

    >>> law = [OracleComponent(Fraction(1), ((Fraction(2),),), (Fraction(-1),))]
    >>> exact_expectations(law, [[1]], [0], [[1]], [0])
    OracleExpectations(reconstruction=Fraction(1, 6), activations=[Fraction(1, 4)],
                       firing=[Fraction(1, 2)])
    """
    n_latents = len(b_enc)
    d = len(b_dec)
    encoder = _exact_matrix(W_enc, (d, n_latents), "W_enc")
    encoder_bias = _exact_vector(b_enc, n_latents, "b_enc")
    decoder = _exact_matrix(W_dec, (n_latents, d), "W_dec")
    decoder_bias = _exact_vector(b_dec, d, "b_dec")

    reconstruction = Fraction(0)
    activations = [Fraction(0)] * n_latents
    firing = [Fraction(0)] * n_latents
    for component in components:
        if len(component.offset) != d:
            raise ValueError(f"a component lives in R^{len(component.offset)}, not in R^{d}")
        k = component.cube_dimension
        x = [
            _Affine(row, constant)
            for row, constant in zip(component.matrix, component.offset, strict=True)
        ]
        pre_activations = [
            _combination([(encoder[j][i], x[j]) for j in range(d)], encoder_bias[i], k)
            for i in range(n_latents)
        ]

        cells = [_unit_cube(k)]
        for pre_activation in pre_activations:
            cells = [piece for cell in cells for piece in _split(cell, pre_activation)]

        for cell in cells:
            # A vertex may lie on the lines; the centroid of the vertices is strictly inside,
            # where a pre-activation vanishes only if it does so on the whole cell.
            inside = _mean(cell)
            active = [i for i in range(n_latents) if pre_activations[i](inside) > 0]
            residual = [
                _combination(
                    [(Fraction(1), x[j])] + [(-decoder[i][j], pre_activations[i]) for i in active],
                    -decoder_bias[j],
                    k,
                )
                for j in range(d)
            ]
            for weight, node in _quadrature(cell):
                mass = component.probability * weight
                error = sum((r(node) ** 2 for r in residual), Fraction(0))
                reconstruction += mass * error
                for i in active:
                    activations[i] += mass * pre_activations[i](node)
                    firing[i] += mass
    return OracleExpectations(reconstruction, activations, firing)


def gauge_by_linear_programme(atoms: npt.ArrayLike, x: npt.ArrayLike) -> float:
    """Return the gauge ``min sum f`` subject to ``f @ atoms = x``, ``f >= 0``.

    Parameters
    ----------
    atoms : array_like, shape (n, d)
        The atoms, one a row.
    x : array_like, shape (d,)
        The point to be written as a non-negative combination of atoms.

    Returns
    -------
    float
        The minimum, to the solver's tolerance (about 1e-7); ``math.inf`` if no combination
        gives `x`.

    Examples
    --------
    >>> gauge_by_linear_programme([[1, 0], [0, 1], [1, 1]], [2, 3])
    3.0
    >>> gauge_by_linear_programme([[1, 0], [0, 1]], [-1, 0])
    inf
    """
    rows = np.asarray(atoms, dtype=np.float64)
    target = np.asarray(x, dtype=np.float64)
    if rows.ndim != 2 or target.shape != rows.shape[1:]:
        raise ValueError("atoms must have shape (n, d) and x shape (d,)")
    if len(rows) == 0:
        return math.inf if target.any() else 0.0
    result = linprog(
        np.ones(len(rows)), A_eq=rows.T, b_eq=target, bounds=(0, None), method="highs"
    )
    # Status 4 may be "infeasible or unbounded"; the objective is bounded below by 0, and
    # without presolve the solver says which of its difficulties it is.
    if result.status == 4:
        result = linprog(
            np.ones(len(rows)),
            A_eq=rows.T,
            b_eq=target,
            bounds=(0, None),
            method="highs",
            options={"presolve": False},
        )
    if result.status == 2:
        return math.inf
    if result.status != 0 or result.fun is None:
        raise RuntimeError(f"the linear programme was not solved: {result.message}")
    return float(result.fun)


def midpoint_grid_expectation(
    components: Sequence[OracleComponent],
    function: Callable[[FloatArray], FloatArray],
    n: int,
) -> float:
    """Return ``E function(X)`` by the composite midpoint rule.

    With ``h = 1 / n`` the error is ``O(h^2)`` for integrands that are Lipschitz and piecewise
    smooth, such as the losses of a ReLU autoencoder: the rule is of second order in the grid
    cells where the integrand is smooth, and the cells that a kink crosses have total measure
    ``O(h)`` and each an error ``O(h)`` times its measure. With jumps, such as the indicator
    that a latent fires, the error is only ``O(h)``.

    Parameters
    ----------
    components : sequence of OracleComponent
        The law of ``X``.
    function : callable
        Maps an array of shape ``(N, d)`` to one of shape ``(N,)``.
    n : int
        Number of points along each dimension of a cube.

    Returns
    -------
    float
        The approximate expectation.

    Examples
    --------
    >>> law = [OracleComponent(Fraction(1), ((Fraction(1),),), (Fraction(0),))]
    >>> midpoint_grid_expectation(law, lambda X: X[:, 0] ** 2, 2)
    0.3125
    """
    if n < 1:
        raise ValueError("n must be positive")
    block = 1 << 18
    parts = []
    for component in components:
        k = component.cube_dimension
        # The reshape keeps the shape (d, 0) of a point mass.
        matrix = np.array(
            [[float(entry) for entry in row] for row in component.matrix], dtype=np.float64
        ).reshape(len(component.matrix), k)
        offset = np.array([float(entry) for entry in component.offset], dtype=np.float64)
        for start in range(0, n**k, block):
            index = np.arange(start, min(start + block, n**k))
            u = np.empty((len(index), k))
            for axis in range(k):
                u[:, axis] = (index // n**axis % n + 0.5) / n
            values = function(u @ matrix.T + offset)
            if values.shape != index.shape:
                raise ValueError(f"function returned shape {values.shape}, not {index.shape}")
            parts.append(float(component.probability) * float(values.sum()) / n**k)
    return math.fsum(parts)
