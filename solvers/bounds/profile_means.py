r"""E min(r², λ₀ + h_λ(r)), r = ‖x - b‖, in closed form on points, segments and parallelograms.

With κ = λ/2 + √λ₀ the profile is h(r) = r² up to κ and g + λ r beyond, g = λ₀ - λ²/4. On a segment
at distance H from b it is integrated in the coordinate s along it, r² = s² + H². On a
parallelogram whose plane is at distance H from b, let ρ be the distance from the foot of b; the
divergence theorem for y F(ρ)/ρ² makes the integral a sum over the edges, at signed distances p
from the foot,

    Σ p ∫ (F(r) - F(H))/(s² + p²) ds,    F(r) = ∫_0^r h(t) t dt,    r² = s² + A²,    A² = p² + H².

Within κ the integrand is (s² + p² + 2H²)/4. Beyond, F(r) - F(H) = C + g (s² + p²)/2 + λ (r³ -
H³)/3, C = F(κ) - g κ²/2 - λ κ³/3 + g H²/2 - F(H) + λ H³/3 for H < κ, else 0; and

    p ∫ ds/(s² + p²) = atan(s/p),
    p ∫ (r³ - H³)/(s² + p²) ds = p (s r + A² asinh(s/A))/2 + p H² asinh(s/A)
    + H³ (atan(s H/(p r)) - atan(s/p)).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.laws.arrays import Cubes, LawArrays

Array = NDArray[np.float64]

# A parallelogram's width over its length is more than this.
_THIN = 1e-5
# Rounding of a term in units of machine epsilon times its size.
_ROUNDING = 256 * float(np.finfo(float).eps)


@dataclass(frozen=True)
class HardThresholdProfile:
    """h(r) = min(r², λ₀ + h_λ(r)), with h_λ(r) = λ r - λ²/4 beyond λ/2.

    Parameters
    ----------
    l0 : float ≥ 0
        0 for the profile of the radial bound, h_λ.
    l1 : float ≥ 0

    Examples
    --------
    >>> HardThresholdProfile(4.0)(np.array([1.0, 3.0])).tolist()
    [1.0, 4.0]
    >>> HardThresholdProfile(4.0, 2.0)(np.array([3.0, 4.0])).tolist()
    [9.0, 11.0]
    """

    l0: float
    l1: float = 0.0

    @property
    def kink(self) -> float:
        """κ = λ/2 + √λ₀."""
        return self.l1 / 2 + float(np.sqrt(self.l0))

    @property
    def level(self) -> float:
        """g = λ₀ - λ²/4."""
        return self.l0 - self.l1**2 / 4

    def __call__(self, r: Array) -> Array:
        """Return h(r)."""
        values: Array = np.where(r <= self.kink, r * r, self.level + self.l1 * r)
        return values

    def value(self, r: float) -> float:
        """Return h(r) of one number."""
        return r * r if r <= self.kink else self.level + self.l1 * r

    def integral(self, r: float) -> float:
        """Return F(r) = ∫_0^r h(t) t dt."""
        within = min(r, self.kink)
        beyond = self.level * (r * r - within**2) / 2 + self.l1 * (r**3 - within**3) / 3
        return within**4 / 4 + beyond


def has_thin_parallelogram(law: LawArrays) -> bool:
    """Tell whether some parallelogram is so thin that its edges' shares cancel."""
    flat = [cubes.affine[:, :, 1:] for cubes in law.cubes if cubes.cube_dimension == 2]
    sizes = [np.linalg.svd(edges, compute_uv=False) for edges in flat]
    return any(
        edges.shape[1] < 2 or bool((size[:, 1] <= _THIN * size[:, 0]).any())
        for edges, size in zip(flat, sizes, strict=True)
    )


def profile_means(law: LawArrays, b: Array, profile: HardThresholdProfile) -> tuple[Array, Array]:
    """Return E h(‖x - b‖) for rows b, on cubes of at most two dimensions, and its rounding error.

    Examples
    --------
    On the first data set, r = √2 u, at b = 0: λ₀ - (√2/3) λ₀^{3/2}.

    >>> from solvers.laws.arrays import law_arrays
    >>> from theory import load_law
    >>> found, _ = profile_means(
    ...     law_arrays(load_law("shared")), np.zeros((1, 2)), HardThresholdProfile(0.09))
    >>> round(found.item(), 12) == round(0.09 - 2**0.5 / 3 * 0.027, 12)
    True
    """
    total, error = np.zeros((2, len(b)))
    with np.errstate(divide="ignore", invalid="ignore"):
        for cubes in law.groups:
            means, rounding = (_at_points, _on_segments, _on_parallelograms)[cubes.cube_dimension](
                cubes, b, profile
            )
            total += means @ cubes.probability
            error += rounding @ cubes.probability
    return total, error


def _at_points(cubes: Cubes, b: Array, profile: HardThresholdProfile) -> tuple[Array, Array]:
    values = profile(np.linalg.norm(cubes.affine[:, :, 0] - b[:, None], axis=2))
    return values, _ROUNDING * values


def _on_segments(cubes: Cubes, b: Array, profile: HardThresholdProfile) -> tuple[Array, Array]:
    away = cubes.affine[:, :, 0] - b[:, None]
    edge = cubes.affine[:, :, 1]
    length = np.linalg.norm(edge, axis=1)
    start = np.einsum("bcd,cd->bc", away, edge / np.where(length > 0, length, 1.0)[:, None])
    height = np.maximum((away**2).sum(axis=2) - start**2, 0.0)
    ends = [_along_segment(s, height, profile) for s in (start, start + length)]
    at_point = profile(np.sqrt((away**2).sum(axis=2)))
    mean = np.where(length > 0, (ends[1] - ends[0]) / length, at_point)
    size = np.where(length > 0, (np.abs(ends[0]) + np.abs(ends[1])) / length, at_point)
    return mean, _ROUNDING * size


def _along_segment(s: Array, height: Array, profile: HardThresholdProfile) -> Array:
    """Return ∫_0^s h(√(t² + H²)) dt, for H²."""
    within = np.sqrt(np.maximum(profile.kink**2 - height, 0.0))
    near = np.clip(s, -within, within)

    def beyond(s: Array) -> Array:
        r = np.sqrt(s * s + height)
        curved = s * r + height * np.where(height > 0, np.arcsinh(s / np.sqrt(height)), 0.0)
        return profile.level * s + profile.l1 / 2 * curved

    total: Array = near**3 / 3 + height * near + beyond(s) - beyond(near)
    return total


def _on_parallelograms(
    cubes: Cubes, b: Array, profile: HardThresholdProfile
) -> tuple[Array, Array]:
    basis, edges = np.linalg.qr(cubes.affine[:, :, 1:])
    away = cubes.affine[:, :, 0] - b[:, None]
    origin = np.einsum("cde,bcd->bce", basis, away)
    height = np.sqrt(np.maximum((away**2).sum(axis=2) - (origin**2).sum(axis=2), 0.0))
    area = np.abs(edges[:, 0, 0] * edges[:, 1, 1])
    corners = [
        origin + edges[:, :, 0] * first + edges[:, :, 1] * second
        for first, second in ((0, 0), (1, 0), (1, 1), (0, 1))
    ]
    total, size = np.zeros((2, *height.shape))
    for corner, following in zip(corners, [*corners[1:], corners[0]], strict=True):
        along = following - corner
        length = np.linalg.norm(along, axis=2)
        p = (corner[..., 0] * along[..., 1] - corner[..., 1] * along[..., 0]) / length
        start = (corner * along).sum(axis=2) / length
        ends = [_along_edge(s, p, height, profile) for s in (start, start + length)]
        total += np.where(p == 0, 0.0, ends[1] - ends[0])
        size += np.where(p == 0, 0.0, np.abs(ends[0]) + np.abs(ends[1]))
    return np.abs(total) / area, _ROUNDING * size / area


def _along_edge(s: Array, p: Array, height: Array, profile: HardThresholdProfile) -> Array:
    """Return p ∫_0^s (F(√(t² + A²)) - F(H))/(t² + p²) dt."""
    kink, level, l1 = profile.kink, profile.level, profile.l1
    closest = np.hypot(p, height)
    within = np.sqrt(np.maximum(kink**2 - closest**2, 0.0))
    near = np.clip(s, -within, within)
    constant = np.where(
        height < kink,
        (kink**4 - height**4) / 4 - level * (kink**2 - height**2) / 2
        - l1 * (kink**3 - height**3) / 3,
        0.0,
    )  # fmt: skip

    def beyond(s: Array) -> Array:
        total = constant * np.arctan(s / p) + level / 2 * p * s
        if l1:
            r = np.sqrt(s * s + closest**2)
            angle = np.arctan(s * height / (p * r)) - np.arctan(s / p)
            curved = p * (s * r / 2 + (closest**2 / 2 + height**2) * np.arcsinh(s / closest))
            total += l1 / 3 * (curved + height**3 * angle)
        return total

    inside = p * near * (near**2 / 3 + p**2 + 2 * height**2) / 4
    total: Array = inside + beyond(s) - beyond(near)
    return total
