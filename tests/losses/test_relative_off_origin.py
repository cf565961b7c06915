"""The relative loss on parallelograms anywhere: off, near, in line with and around the origin.

The independent route integrates along rays from x = 0. On a ray r e, r from r1 to r2, between two
latents' lines the residual is p + r q, and ∫ ‖p + r q‖²/r² r dr = ‖p‖² ln(r2/r1) + 2 p·q (r2 - r1)
+ ‖q‖² (r2² - r1²)/2. Over the angle scipy's `quad` integrates, between the directions of all
points where lines and edges meet.
"""

import itertools

import numpy as np
import pytest
import sympy
from scipy import integrate

from solvers import (
    Objective,
    Sae,
    Search,
    expected_loss,
    expected_loss_and_gradient,
    minimize_loss,
)
from solvers.laws.arrays import law_arrays
from solvers.laws.inverse_square_moments import reaches_origin
from solvers.losses.relative_loss import tied_b_dec
from theory import Component, Law

Array = np.ndarray
RELATIVE = Objective(l1=0.1, reconstruction="relative")


def parallelogram(matrix: Array, offset: Array) -> Law:
    """The law of one parallelogram; its floats are dyadic rationals, kept exactly."""
    exact = [sympy.Matrix(*a.shape, [sympy.Rational(float(v)) for v in a.ravel()])
             for a in (matrix, offset[:, None])]  # fmt: skip
    return Law((Component(sympy.Integer(1), *map(sympy.ImmutableMatrix, exact)),))


def by_rays(matrix: Array, offset: Array, sae: Sae) -> float:
    """Return E ‖x - x̂‖²/‖x‖² on a parallelogram in the plane."""
    corners = offset + np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) @ matrix.T
    sides = np.roll(corners, -1, axis=0) - corners
    normals = np.column_stack([-sides[:, 1], sides[:, 0]]) * np.sign(np.linalg.det(matrix))
    # Lines n·x + c = 0: four edges, inside where it is positive, and the latents'.
    edges = np.column_stack([normals, -(normals * corners).sum(axis=1)])
    lines = np.vstack([edges, np.column_stack([sae.W_enc.T, sae.b_enc])])

    def on_ray(angle: float) -> float:
        e = np.array([np.cos(angle), np.sin(angle)])
        slope, constant = lines[:, :2] @ e, lines[:, 2]
        with np.errstate(divide="ignore", invalid="ignore"):
            roots = -constant / slope
        low, high = 0.0, np.inf
        for k in range(4):
            if slope[k] > 0:
                low = max(low, roots[k])
            elif slope[k] < 0:
                high = min(high, roots[k])
            elif constant[k] < 0:
                return 0.0
        if not low < high:
            return 0.0
        cuts = [low, *sorted(r for r in roots[4:] if low < r < high), high]
        total = 0.0
        for start, end in itertools.pairwise(cuts):
            on = constant[4:] + (start + end) / 2 * slope[4:] > 0
            p = -sae.b_dec - (on * sae.b_enc) @ sae.W_dec
            q = e - (on * slope[4:]) @ sae.W_dec
            # From the origin on: there the loss is finite because p is 0.
            total += float(p @ p) * np.log(end / start) if start > 0 else 0.0
            total += 2 * float(p @ q) * (end - start) + float(q @ q) * (end**2 - start**2) / 2
        return float(total)

    points = [*corners]
    for one, other in itertools.combinations(lines, 2):
        system = np.array([one[:2], other[:2]])
        if abs(np.linalg.det(system)) > 1e-12 * np.abs(system).max(initial=1e-300) ** 2:
            points.append(np.linalg.solve(system, [-one[2], -other[2]]))
    # Lines through 0 are rays themselves, and so are the directions in which a line is parallel.
    along = [sign * np.array([-line[1], line[0]]) for line in lines for sign in (1, -1)]
    angles = {float(np.arctan2(y, x)) for x, y in [*points, *along] if (x, y) != (0, 0)}
    # Where a line passes 0 at 1e-6 there is a peak as narrow beside its direction.
    beside = {a + s * 10.0**-k for a in angles for s in (1, -1) for k in (4, 5, 6, 7)}
    ends = sorted({-np.pi, np.pi, *angles, *(a for a in beside if abs(a) < np.pi)})
    total = sum(
        integrate.quad(on_ray, low, high, epsabs=1e-13, epsrel=1e-12, limit=200, full_output=1)[0]
        for low, high in itertools.pairwise(ends)
        if high - low > 1e-15 and on_ray((low + high) / 2)
    )
    return float(total) / abs(float(np.linalg.det(matrix)))


def random_place(rng: np.random.Generator) -> tuple[Array, Array]:
    """A parallelogram, often with an edge, a vertex or its middle at or near the origin.

    Not nearer than 1e-6: the vertex 1e-9 away of a square of side 1 is known to 1e-7 of its
    distance only, in doubles, and the loss no better.
    """
    matrix = rng.normal(size=(2, 2))
    a, b = matrix.T
    near = float(rng.choice([0.0, 1e-6, 1e-3, 0.1])) * rng.normal(size=2)
    offset = {
        0: lambda: 2 * rng.normal(size=2),
        1: lambda: np.zeros(2),  # a vertex at 0
        2: lambda: near - a * rng.integers(0, 2) - b * rng.integers(0, 2),  # a vertex near 0
        3: lambda: 0.5 * a,  # an edge in line with 0
        4: lambda: -1.5 * b,
        5: lambda: near - 0.5 * a,  # an edge through or near 0
        6: lambda: near - 0.5 * a - 0.25 * b,  # 0 inside
        7: lambda: 30 * rng.normal(size=2),  # far away
    }[int(rng.integers(0, 8))]()
    return matrix, offset


def random_cuts(rng: np.random.Generator, matrix: Array, offset: Array) -> Sae:
    """Latents whose lines are often edges, diagonals, one another's, or through 0 or a vertex."""
    n = int(rng.integers(1, 5))
    W_enc, b_enc = rng.normal(size=(2, n)), rng.normal(size=n)
    vertex = offset + matrix @ rng.integers(0, 2, size=2)
    for i in range(n):
        kind = int(rng.integers(0, 12))
        side = matrix[:, int(rng.integers(0, 2))]
        if kind == 0:
            b_enc[i] = 0
        elif kind == 1:  # through a vertex
            b_enc[i] = -W_enc[:, i] @ vertex
        elif kind in {2, 3}:  # along an edge, or parallel to it
            W_enc[:, i] = np.array([-side[1], side[0]])
            b_enc[i] = -W_enc[:, i] @ (vertex if kind == 2 else vertex + 0.3 * matrix.sum(axis=1))
        elif kind == 4:  # through 0 and a vertex
            W_enc[:, i], b_enc[i] = np.array([-vertex[1], vertex[0]]), 0
        elif kind == 5 and i:  # an earlier latent's line, either side
            scale = rng.choice([-2.0, 0.5])
            W_enc[:, i], b_enc[i] = scale * W_enc[:, 0], scale * b_enc[0]
        elif kind == 6:
            W_enc[:, i] = 0
        elif kind == 7:
            b_enc[i] = rng.choice([-100.0, 100.0])
    W_dec, b_dec = rng.normal(size=(n, 2)), rng.normal(size=2)
    if reaches_origin(law_arrays(parallelogram(matrix, offset))):
        b_dec = tied_b_dec(b_enc, W_dec)
    return Sae(W_enc, b_enc, W_dec, b_dec)


def test_the_parallelogram_that_was_refused() -> None:
    matrix, offset = np.array([[1, 0.25], [-0.5, 1]]), np.array([1, 0.5])
    sae = Sae(np.eye(2), [-0.1, -0.1], np.eye(2), np.zeros(2))
    found = expected_loss(parallelogram(matrix, offset), sae, RELATIVE).reconstruction
    assert found == pytest.approx(0.006485231068942523, abs=1e-15)
    assert by_rays(matrix, offset, sae) == pytest.approx(found, rel=1e-11)

    def integrand(u: float, v: float) -> float:
        x = offset + matrix @ [u, v]
        return float(np.square(x - np.maximum(x - 0.1, 0)).sum() / (x @ x))

    # x1 > 0.1 throughout; x2 = 0.1 is crossed.
    total = (
        integrate.dblquad(
            integrand, 0, 1, lambda v: 0, lambda v: min(1, (0.4 + v) / 0.5), epsabs=1e-11
        )[0]
        + integrate.dblquad(
            integrand, 0, 0.1, lambda v: (0.4 + v) / 0.5, lambda v: 1, epsabs=1e-11
        )[0]
    )
    assert total == pytest.approx(found, abs=1e-9)


def check(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix, offset = random_place(rng)
    sae = random_cuts(rng, matrix, offset)
    law = parallelogram(matrix, offset)
    loss, gradient = expected_loss_and_gradient(law, sae, RELATIVE)
    assert all(np.isfinite(array).all() for array in gradient)
    # Of the terms that cancel, the largest sets the rounding.
    scale = 1 + (np.abs(sae.W_enc).max() + np.abs(sae.b_enc).max()) ** 2
    assert loss.reconstruction == pytest.approx(
        by_rays(matrix, offset, sae), rel=1e-9, abs=1e-12 * scale
    )


@pytest.mark.parametrize("seed", range(25))
def test_agrees_with_integration_along_rays(seed: int) -> None:
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(25, 600))
def test_agrees_with_integration_along_rays_everywhere(seed: int) -> None:
    check(seed)


def test_minimisation_away_from_the_origin() -> None:
    law = parallelogram(np.array([[1, 0.25], [-0.5, 1]]), np.array([1, 0.5]))
    best = minimize_loss(law, 2, RELATIVE, Search(2, limit=2))
    assert 0 < best.total < 0.16
    at = best.sae
    rays = by_rays(np.array([[1, 0.25], [-0.5, 1]]), np.array([1, 0.5]), at)
    assert best.reconstruction == pytest.approx(rays, rel=1e-9)
