r"""Moments of two jointly normal pre-activations, cut at 0, for every pair of latents.

With z_i ~ N(m, s²), z_j ~ N(n, t²) of correlation ρ, h = m/s, k = n/t and q = √(1 - ρ²),

    P(z_i, z_j > 0) = Φ₂(h, k; ρ),
    E[1_i z_j₊]     = n Φ₂ + t (φ(k) Φ(η) + ρ φ(h) Φ(κ)),
    E[z_i₊ z_j₊]    = (m n + ρ s t) Φ₂ + m t φ(k) Φ(η) + n s φ(h) Φ(κ) + q s t φ(h) φ(κ),
    E[δ(z_i) z_j₊]  = φ(h) t/s ((k - ρ h) Φ(κ) + q φ(κ)),

κ = (k - ρ h)/q, η = (h - ρ k)/q [Rosenbaum1961]. Φ₂ is a sum of two of Owen's T functions
[Owen1956, equation 2.1]. Nothing depends on the dimension of the base variable. Where s = 0 the
pre-activation is a constant; where |ρ| = 1, κ and η are infinite, or 0 if both vanish together.

1 - |ρ| is taken from the difference of unit vectors, so that it has its digits near |ρ| = 1 too:
the formulas are smooth there only if ρ, q, κ and η belong together. This module knows no SAE.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]

_ROOT = np.sqrt(2.0 * np.pi)
# Beyond this correlation 1 - |ρ| loses digits.
_NEAR_ONE = 0.9
# Standard deviations beyond which a normal variable has no mass in doubles.
_FAR = 1e150


class NormalMoments(NamedTuple):
    """Expectations of C components and n latents z = mean + factor · (standard normal).

    Parameters
    ----------
    firing : (C, n) array
        P(z_i > 0).
    activation : (C, n) array
        E z_i₊.
    density : (C, n) array
        E δ(z_i), the density of z_i at 0; 0 for a constant.
    slope : (C, n) array
        The derivative of P(z_i > 0) with respect to the variance of z_i.
    both : (C, n, n) array
        P(z_i > 0 and z_j > 0).
    fires_with : (C, n, n) array
        E[1_i z_j₊].
    together : (C, n, n) array
        E[z_i₊ z_j₊].
    at_boundary : (C, n, n) array
        E[δ(z_i) z_j₊].
    fires_at_boundary, at_both_boundaries : (C, n, n) arrays or None
        E[δ(z_i) 1_j] and E[δ(z_i) δ(z_j)] of different latents, if asked for; 0 on the diagonal,
        and where the latter is infinite.
    """

    firing: Array
    activation: Array
    density: Array
    slope: Array
    both: Array
    fires_with: Array
    together: Array
    at_boundary: Array
    fires_at_boundary: Array | None = None
    at_both_boundaries: Array | None = None


def normal_moments(mean: Array, factor: Array, boundaries: bool = False) -> NormalMoments:
    """Return the moments.

    Parameters
    ----------
    mean : (C, n) array
    factor : (C, n, k) array
        Row a of component c and latent i: z_i = mean + a·(standard normal in R^k).
    boundaries : bool
        Whether the last two fields are wanted.

    Examples
    --------
    Two independent standard normals: a quarter, and E z₊² = 1/2, (E z₊)² = 1/(2π).

    >>> found = normal_moments(np.zeros((1, 2)), np.eye(2)[None])
    >>> found.both[0].round(12).tolist()
    [[0.5, 0.25], [0.25, 0.5]]
    >>> (found.together[0] * [[1, 2 * np.pi], [1, 1]]).round(12)[0].tolist()
    [0.5, 1.0]
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        return _normal_moments(mean, factor, boundaries)


def _normal_moments(mean: Array, factor: Array, boundaries: bool) -> NormalMoments:
    s = np.linalg.norm(factor, axis=2)
    random = s > 0
    # A constant that is 0 does not fire.
    h = np.where(random, mean / np.where(random, s, 1.0), np.where(mean > 0, _FAR, -_FAR))
    h = np.clip(h, -_FAR, _FAR) + 0.0
    firing, phi = special.ndtr(h), np.exp(-0.5 * h * h) / _ROOT
    activation = mean * firing + s * phi
    density = np.where(random, phi / np.where(random, s, 1.0), 0.0)
    slope = np.where(random, -0.5 * h * density / np.where(random, s, 1.0), 0.0)

    count, n = mean.shape
    i, j = np.triu_indices(n, 1)
    unit = factor / np.where(random, s, 1.0)[:, :, None]
    rho, one_minus, q = _correlations(unit, i, j)
    sign = np.where(rho < 0, -1.0, 1.0)
    first, second = h[:, i], h[:, j]
    to_second = (second - sign * first) + sign * one_minus * first
    to_first = (first - sign * second) + sign * one_minus * second
    kappa, eta = _quotient(to_second, q), _quotient(to_first, q)
    ratio = one_minus / (2.0 - one_minus)
    at_zero = np.sqrt(np.where(rho < 0, 1.0 / ratio, ratio))
    both_ij = _both(first, second, kappa, eta, at_zero, firing[:, i], firing[:, j])
    phi_eta = phi[:, j] * special.ndtr(eta)
    phi_kappa = phi[:, i] * special.ndtr(kappa)
    beyond = q * phi[:, i] * np.exp(-0.5 * kappa * kappa) / _ROOT
    i_with_j = mean[:, j] * both_ij + s[:, j] * (phi_eta + rho * phi_kappa)
    j_with_i = mean[:, i] * both_ij + s[:, i] * (phi_kappa + rho * phi_eta)
    together_ij = (
        (mean[:, i] * mean[:, j] + rho * s[:, i] * s[:, j]) * both_ij
        + mean[:, i] * s[:, j] * phi_eta
        + mean[:, j] * s[:, i] * phi_kappa
        + s[:, i] * s[:, j] * beyond
    )
    # φ(h) φ(κ) = φ(k) φ(η).
    at_i = s[:, j] * (to_second * phi_kappa + beyond)
    at_j = s[:, i] * (to_first * phi_eta + beyond)

    both, fires_with, together, at_boundary = np.zeros((4, count, n, n))
    diagonal = np.arange(n)
    both[:, i, j] = both[:, j, i] = both_ij
    fires_with[:, i, j], fires_with[:, j, i] = i_with_j, j_with_i
    together[:, i, j] = together[:, j, i] = together_ij
    at_boundary[:, i, j], at_boundary[:, j, i] = at_i, at_j
    at_boundary *= np.where(random, 1.0 / np.where(random, s, 1.0), 0.0)[:, :, None]
    both[:, diagonal, diagonal] = firing
    fires_with[:, diagonal, diagonal] = activation
    together[:, diagonal, diagonal] = mean * activation + s * s * firing
    for constant in np.nonzero(~random.all(axis=0))[0]:
        rows = ~random[:, constant]
        on, value = firing[rows, constant], np.maximum(mean[rows, constant], 0.0)
        both[rows, constant] = both[rows, :, constant] = on[:, None] * firing[rows]
        fires_with[rows, constant] = on[:, None] * activation[rows]
        fires_with[rows, :, constant] = value[:, None] * firing[rows]
        together[rows, constant] = value[:, None] * activation[rows]
        together[rows, :, constant] = value[:, None] * activation[rows]
        at_boundary[rows, constant] = 0.0
        at_boundary[rows, :, constant] = value[:, None] * density[rows]
    found = NormalMoments(
        firing, activation, density, slope, both, fires_with, together, at_boundary
    )
    if not boundaries:
        return found
    # Where both are random and not each other's multiple.
    apart = np.where(q > 0, beyond / np.where(q > 0, q * q, 1.0), 0.0)
    return _with_boundaries(found, s, (phi_kappa, phi_eta, apart))


def _with_boundaries(
    found: NormalMoments, s: Array, pairs: tuple[Array, Array, Array]
) -> NormalMoments:
    """Return the moments with E[δ(z_i) 1_j] and E[δ(z_i) δ(z_j)]."""
    phi_kappa, phi_eta, apart = pairs
    random = s > 0
    per = np.where(random, 1.0 / np.where(random, s, 1.0), 0.0)
    i, j = np.triu_indices(s.shape[1], 1)
    fires_at, at_both = np.zeros_like(found.both), np.zeros_like(found.both)
    fires_at[:, i, j], fires_at[:, j, i] = per[:, i] * phi_kappa, per[:, j] * phi_eta
    at_both[:, i, j] = at_both[:, j, i] = per[:, i] * per[:, j] * apart
    for constant in np.nonzero(~random.all(axis=0))[0]:
        rows = ~random[:, constant]
        fires_at[rows, constant] = at_both[rows, constant] = at_both[rows, :, constant] = 0.0
        on = found.firing[rows, constant]
        fires_at[rows, :, constant] = on[:, None] * found.density[rows]
        fires_at[rows, constant, constant] = 0.0
    return found._replace(fires_at_boundary=fires_at, at_both_boundaries=at_both)


def _correlations(
    unit: Array, i: NDArray[np.intp], j: NDArray[np.intp]
) -> tuple[Array, Array, Array]:
    """Return ρ, 1 - |ρ| and √(1 - ρ²) of pairs, (C, pairs) each."""
    rho = (unit @ unit.transpose(0, 2, 1))[:, i, j]
    one_minus = 1.0 - np.abs(rho)
    component, pair = np.nonzero(np.abs(rho) > _NEAR_ONE)
    if len(component):
        near, other = unit[component, i[pair]], unit[component, j[pair]]
        sign = np.where(rho[component, pair] < 0, -1.0, 1.0)
        one_minus[component, pair] = 0.5 * ((near - sign[:, None] * other) ** 2).sum(axis=1)
        rho[component, pair] = sign * (1.0 - one_minus[component, pair])
    return rho, one_minus, np.sqrt(one_minus * (2.0 - one_minus))


def _quotient(above: Array, q: Array) -> Array:
    """Return above/q; infinite where q = 0, but 0 where both vanish."""
    found = above / q
    return np.where(above == 0, 0.0, found)


def _both(
    h: Array, k: Array, kappa: Array, eta: Array, at_zero: Array, below_h: Array, below_k: Array
) -> Array:
    """Return Φ₂(h, k; ρ) by Owen's T function."""
    zero = (h == 0) & (k == 0)
    a_h = np.where(zero, at_zero, kappa / h)
    a_k = np.where(zero, at_zero, eta / k)
    # h = 0 and κ = 0 come together with k = 0 only.
    opposite = (h * k < 0) | ((h * k == 0) & (h + k < 0))
    found = (
        0.5 * (below_h + below_k)
        - special.owens_t(h, a_h)
        - special.owens_t(k, a_k)
        - 0.5 * opposite
    )
    clipped: Array = np.clip(found, 0.0, np.minimum(below_h, below_k))
    return clipped
