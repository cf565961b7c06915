"""The loss of a ReLU or JumpReLU dictionary on a finite mixture of normal laws, by quadrature.

Means and covariances are exact rational numbers of the given floats, so an almost singular
covariance is told from a singular one. Each expectation is then an integral over one standard
normal coordinate, by a composite Gauss-Legendre rule, with an absolute error near 1e-30 for
inputs of order 1. No closed form of a truncated moment of two latents is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TypedDict

import mpmath
import numpy as np
from mpmath import mpf
from mpmath.calculus.quadrature import GaussLegendre
from numpy.typing import NDArray

Vector = Sequence[float] | NDArray[np.float64]
Matrix = Sequence[Sequence[float]] | NDArray[np.float64]
Component = tuple[float, Vector, Matrix]
Exact = list[Fraction]

DIGITS = 34
REACH = 12  # a standard normal passes 12 with probability 1.8e-33, which is left out
NODE_DEGREE = 4  # mpmath's name for the rule with 3 * 2^(4 - 1) = 24 nodes
PANEL = mpf(3)  # the width of a panel, where the integrand varies as exp(-g² / 2) does


class Loss(TypedDict):
    """The terms of the expected loss; l1 is unweighted and fires means f_i > 0."""

    reconstruction: mpf
    l1: mpf
    l0: mpf
    firing: list[mpf]
    activation: list[mpf]
    co_firing: list[list[mpf]]


@dataclass(frozen=True)
class _Latent:
    """A pre-activation a = mean + deviation g, g standard normal, that fires for g > boundary.

    Here moments are E[g^p 1{a > threshold}] for p = 0, 1, 2.
    """

    mean: mpf
    deviation: mpf
    variance: Fraction
    boundary: mpf
    moments: list[mpf]

    @property
    def activation(self) -> mpf:
        """E f, f = a 1{a > threshold}."""
        return self.mean * self.moments[0] + self.deviation * self.moments[1]

    def times(self, mean: mpf, slope: mpf) -> mpf:
        """E[f (mean + slope g)]."""
        lifted = self.mean * self.moments[1] + self.deviation * self.moments[2]
        return mean * self.activation + slope * lifted


def _exact(vector: Vector) -> Exact:
    """Return the floats as fractions, without rounding."""
    return [Fraction(float(entry)) for entry in vector]


def _dot(left: Exact, right: Exact) -> Fraction:
    """Return sum_i left_i right_i."""
    return sum((a * b for a, b in zip(left, right, strict=True)), Fraction(0))


def _real(value: Fraction) -> mpf:
    """Return the fraction, rounded at the working precision."""
    return mpf(value.numerator) / value.denominator


def _root(value: Fraction) -> mpf:
    """Return the square root of the fraction, rounded at the working precision."""
    return mpmath.sqrt(_real(value))


@cache
def _nodes(precision: int) -> list[tuple[mpf, mpf]]:
    """Return the nodes and weights of the Gauss-Legendre rule on [-1, 1]."""
    nodes: list[tuple[mpf, mpf]] = GaussLegendre(mpmath.mp).calc_nodes(NODE_DEGREE, precision)
    return nodes


def _integral(
    integrand: Callable[[mpf], tuple[mpf, ...]], low: mpf, high: mpf, panel: mpf
) -> list[mpf]:
    """Return the integrals over [low, high] of the integrand's entries times the density of g."""
    panels = int(mpmath.ceil((high - low) / panel))
    half = (high - low) / (2 * panels)
    totals: list[mpf] = []
    for p in range(panels):
        middle = low + (2 * p + 1) * half
        for node, weight in _nodes(mpmath.mp.prec):
            g = middle + half * node
            mass = weight * mpmath.exp(-g * g / 2)
            terms = [mass * value for value in integrand(g)]
            totals = [t + term for t, term in zip(totals, terms, strict=True)] if totals else terms
    scale = half / mpmath.sqrt(2 * mpmath.pi)
    return [scale * total for total in totals]


def _moments(low: mpf, high: mpf) -> list[mpf]:
    """Return E[g^p 1{low < g < high}] for p = 0, 1, 2 and g standard normal."""
    low, high = max(low, mpf(-REACH)), min(high, mpf(REACH))
    if low >= high:
        return [mpf(0)] * 3
    return _integral(lambda g: (mpf(1), g, g * g), low, high, PANEL)


def _latent(mean: Fraction, variance: Fraction, threshold: Fraction) -> _Latent:
    """Return the pre-activation of this law; one without variance fires always or never."""
    if variance == 0:
        fires = mean > threshold
        boundary, moments = mpf(0), [mpf(fires), mpf(0), mpf(0)]
    else:
        boundary = _real(threshold - mean) / _root(variance)
        moments = _moments(boundary, mpf(REACH))
    return _Latent(_real(mean), _root(variance), variance, boundary, moments)


def _pair(first: _Latent, second: _Latent, covariance: Fraction) -> tuple[mpf, mpf]:
    """Return P(both fire) and E[f_i f_j] for two jointly normal pre-activations.

    Given g of the outer one, the inner one is normal with mean linear in g and a fixed deviation.
    """
    if covariance == 0:  # independent, which includes a latent without variance
        return (
            first.moments[0] * second.moments[0],
            first.activation * second.activation,
        )
    outer, inner = sorted([first, second], key=lambda latent: latent.boundary, reverse=True)
    slope = _real(covariance) / outer.deviation
    determinant = outer.variance * inner.variance - covariance**2
    deviation = _root(determinant / outer.variance)

    # The inner one is within REACH deviations of its threshold for g = crossing ± reach, where its
    # expectation is integrated; beyond, on one side it fires surely and on the other it does not.
    gap = inner.boundary * inner.deviation  # threshold - mean, without a cancellation
    crossing = gap / slope
    reach = REACH * deviation / abs(slope)
    if slope > 0:
        sure = _moments(max(outer.boundary, crossing + reach), mpf(REACH))
    else:
        sure = _moments(outer.boundary, crossing - reach)
    both = sure[0]
    product = (
        outer.mean * inner.mean * sure[0]
        + (outer.mean * slope + outer.deviation * inner.mean) * sure[1]
        + outer.deviation * slope * sure[2]
    )

    def inner_expectation(g: mpf) -> tuple[mpf, mpf]:
        """P(inner fires | g) and a_outer E[f_inner | g]."""
        mean = inner.mean + slope * g
        z = (slope * g - gap) / deviation
        fires = mpmath.erfc(-z * root_half) / 2
        active = mean * fires + deviation * root_density * mpmath.exp(-z * z / 2)
        return fires, (outer.mean + outer.deviation * g) * active

    low = max(outer.boundary, crossing - reach, mpf(-REACH))
    high = min(crossing + reach, mpf(REACH))
    if determinant > 0 and low < high:
        root_half, root_density = mpmath.sqrt(mpf(1) / 2), 1 / mpmath.sqrt(2 * mpmath.pi)
        # The integrand varies as a normal density of deviation sqrt(1 - ρ²) does.
        width = _root(determinant / (outer.variance * inner.variance))
        unsure = _integral(inner_expectation, low, high, PANEL * width)
        both, product = both + unsure[0], product + unsure[1]
    return both, product


def expected_loss(
    components: Sequence[Component],
    W_enc: Matrix,
    b_enc: Vector,
    W_dec: Matrix,
    b_dec: Vector,
    theta: Vector | None = None,
) -> Loss:
    """Return E‖x - x̂‖² and the activity of f = a 1{a > θ}, where a = x W_enc + b_enc.

    Here x̂ = f W_dec + b_dec and x = matrix z + offset with the probability of each component, with
    z standard normal in R^k. A matrix without columns is a point, and θ is 0 if it is not given.
    """
    latents = range(len(b_enc))
    encoder = [_exact([row[i] for row in W_enc]) for i in latents]
    decoder = [_exact(W_dec[i]) for i in latents]
    biases, centre = _exact(b_enc), _exact(b_dec)
    thresholds = [Fraction(0) for _ in latents] if theta is None else _exact(theta)
    with mpmath.workdps(DIGITS):
        reconstruction = mpf(0)
        firing, activation = [mpf(0) for _ in latents], [mpf(0) for _ in latents]
        co_firing = [[mpf(0) for _ in latents] for _ in latents]
        for probability, offset, matrix in components:
            weight = _real(Fraction(float(probability)))
            target = [o - c for o, c in zip(_exact(offset), centre, strict=True)]
            columns = [list(c) for c in zip(*[_exact(row) for row in matrix], strict=True)]
            pull = [[_dot(c, encoder[i]) for c in columns] for i in latents]
            push = [[_dot(c, decoder[i]) for c in columns] for i in latents]
            laws = []
            for i in latents:
                mean = _dot(_exact(offset), encoder[i]) + biases[i]
                laws.append(_latent(mean, _dot(pull[i], pull[i]), thresholds[i]))
            error = _real(_dot(target, target) + sum((_dot(c, c) for c in columns), Fraction(0)))
            for i, law in enumerate(laws):
                firing[i] += weight * law.moments[0]
                activation[i] += weight * law.activation
                co_firing[i][i] += weight * law.moments[0]
                along, slope = _real(_dot(decoder[i], target)), mpf(0)
                if law.variance > 0:
                    slope = _real(_dot(push[i], pull[i])) / law.deviation
                error -= 2 * law.times(along, slope)
                error += _real(_dot(decoder[i], decoder[i])) * law.times(law.mean, law.deviation)
                for j in range(i):
                    both, product = _pair(law, laws[j], _dot(pull[i], pull[j]))
                    error += 2 * _real(_dot(decoder[i], decoder[j])) * product
                    co_firing[i][j] += weight * both
                    co_firing[j][i] += weight * both
            reconstruction += weight * error
        return {
            "reconstruction": reconstruction,
            "l1": mpmath.fsum(activation),
            "l0": mpmath.fsum(firing),
            "firing": firing,
            "activation": activation,
            "co_firing": co_firing,
        }
