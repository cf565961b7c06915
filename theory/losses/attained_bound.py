"""Which laws and codes attain the radial bound E h_λ(‖x‖), and from which λ on: exactly.

Squared reconstruction, l1 or decoder-norm penalty, ‖d_i‖ ≤ 1, b_dec = 0, λ > 0.

Equality at x. With t = Σ f_i, (‖x‖ - t)₊² + λ t has its only minimum at t = (‖x‖ - λ/2)₊, and
‖x - Σ f_i d_i‖ = ‖x‖ - t needs d_i = x/‖x‖ wherever f_i > 0. So every x with ‖x‖ > λ/2 has an
atom exactly along it: beyond the ball of radius λ/2 the law lies on finitely many rays.

On a ray of direction r that the law follows beyond λ/2 by a segment, the activations of the
ray's latents add up to (s - λ/2)₊ at s r. They are convex in s and add up to an affine
function on that segment, so each is affine there, and they may be replaced by their sum:
one latent w·x - λ/2 with w·r = 1, silent elsewhere on the law, which is w·y ≤ λ/2 for every
vertex y of the law off the ray. By Farkas' lemma ([Schrijver1986], Corollary 7.1d) such a w
exists unless r = Σ μ_y y for some μ ≥ 0 with (λ/2) Σ μ_y < 1. With the gauge of those vertices

    γ(r) = min { Σ μ_y : Σ μ_y y = r, μ ≥ 0 },

the bound is attained on the ray if and only if λ ≥ 2/γ(r), or λ/2 is no less than the ray's
length, so that nothing on it fires: a ray must not lie too deep among the others.

For a law symmetric under x → -x no b_dec ≠ 0 does better: E h_λ(‖x - b‖) is convex and even in
b, and h_λ(‖·‖) is affine only along rays, so it is constant in b only if the law lies on one
line, where b = 0 attains the bound anyway. The relative bound is attained by laws of points
alone: its best activation r - λ r²/2 is affine on no segment.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

import sympy

from theory.codes.code import Code, dot
from theory.exact.annotations import checked
from theory.exact.errors import InputError
from theory.exact.signs import sign_of
from theory.laws.law import Component, Law

Vector = tuple[sympy.Expr, ...]


@dataclass(frozen=True)
class Ray:
    """A half-line from the origin on which a law has probability.

    Parameters
    ----------
    direction : tuple of sympy.Expr
        Of norm 1.
    length : sympy.Expr
        The largest ‖x‖ on it.
    by_segment : bool
        Whether a segment of the law, not a point mass, reaches that far.
    """

    direction: Vector
    length: sympy.Expr
    by_segment: bool


@checked
def bound_attained_from(law: Law, code: Code | None = None) -> sympy.Expr:
    """Return the λ from which on some SAE attains the radial bound; 0 if it is every λ > 0.

    Parameters
    ----------
    law : Law
        Without symbols.
    code : Code, optional
        If given, the SAE's atoms must be among its atoms.

    Raises
    ------
    InputError
        If an atom is longer than 1, which the bound does not cover, or if a ray that lies too
        deep ends in a point mass, which two latents together might still fit.

    Examples
    --------
    The diagonal code attains it on the first data set for every λ, the axis-aligned code only
    once the zero code does; on the second data set nothing else does either:

    >>> from theory.codes.code import axis_aligned, diagonal
    >>> from theory.laws.presets import preset
    >>> shared, independent = preset("shared"), preset("independent")
    >>> bound_attained_from(shared), bound_attained_from(shared, diagonal())
    (0, 0)
    >>> bound_attained_from(shared, axis_aligned()), bound_attained_from(independent)
    (2*sqrt(2), 2*sqrt(2))
    """
    rays, off_rays = _rays(law)
    least = [2 * _norm(vertex) for vertex in off_rays]
    for ray in rays:
        others = [
            tuple(end * other.length for end in other.direction) for other in rays if other != ray
        ]
        depth = gauge_of_points([*others, *off_rays], ray.direction)
        from_here = sympy.Integer(0) if depth is sympy.oo else 2 / depth
        if from_here < 2 * ray.length and depth is not sympy.oo and not ray.by_segment:
            hint = f"the one along {ray.direction} ends in a point mass among the others"
            raise InputError(law.name, "rays that end in a segment", hint=hint)
        if code is not None and not _has_atom(code, ray.direction):
            from_here = sympy.oo
        least.append(sympy.Min(from_here, 2 * ray.length))
    return sympy.simplify(sympy.Max(0, *least))


def gauge_of_points(points: list[Vector], target: Vector) -> sympy.Expr:
    """Return min { Σ μ : Σ μ_y y = target, μ ≥ 0 } in any dimension, or oo if there is none.

    An optimal vertex of the linear programme uses linearly independent points.

    Examples
    --------
    >>> one = sympy.Integer(1)
    >>> gauge_of_points([(2, 0, 0), (0, 1, 0)], (one, one, 0 * one))
    3/2
    """
    goal = sympy.Matrix(target)
    best: sympy.Expr = sympy.oo
    for size in range(1, len(target) + 1):
        for chosen in combinations(points, size):
            matrix = sympy.Matrix(chosen).T
            gram = (matrix.T * matrix).applyfunc(sympy.expand)
            determinant = sympy.expand(gram.det())
            if sign_of(determinant) == 0:
                continue
            weights = gram.adjugate() * matrix.T * goal / determinant
            reached = all(sign_of(entry) == 0 for entry in matrix * weights - goal)
            if reached and all(sign_of(weight) >= 0 for weight in weights):
                total = sum(weights)
                if best is sympy.oo or sign_of(best - total) > 0:
                    best = total
    return sympy.simplify(best)


def _has_atom(code: Code, direction: Vector) -> bool:
    for atom in code.atoms:
        if sympy.simplify(dot(atom, atom) - 1).is_positive:
            raise InputError(code.name, "atoms of norm at most 1", atom)
    return any(sympy.simplify(dot(atom, direction) - 1) == 0 for atom in code.atoms)


def _norm(vertex: Vector) -> sympy.Expr:
    return sympy.simplify(sympy.sqrt(dot(vertex, vertex)))


def _rays(law: Law) -> tuple[list[Ray], list[Vector]]:
    """Return a law's rays, and the vertices of its components that lie on no line through 0."""
    rays: dict[Vector, Ray] = {}
    off_rays: list[Vector] = []
    for part in law.every_component:
        if part.probability == 0:
            continue
        vertices = list(_vertices(part))
        if sympy.Matrix.hstack(part.offset, part.matrix).rank(simplify=True) > 1:
            off_rays += vertices
            continue
        by_segment = len(set(vertices)) > 1
        for vertex in vertices:
            length = _norm(vertex)
            if length == 0:
                continue
            direction = tuple(sympy.simplify(entry / length) for entry in vertex)
            # Rays are told apart before the root of ‖x‖ comes in, which sympy may not reduce.
            first = next(abs(entry) for entry in vertex if entry != 0)
            key = tuple(sympy.radsimp(sympy.simplify(entry / first)) for entry in vertex)
            known = rays.get(key)
            if known is None or length > known.length:
                rays[key] = Ray(direction, length, by_segment)
            elif length == known.length and by_segment:
                rays[key] = Ray(known.direction, length, True)
    return list(rays.values()), off_rays


def _vertices(part: Component) -> Iterator[Vector]:
    for corner in product((0, 1), repeat=part.cube_dimension):
        vertex = part.offset + part.matrix * sympy.Matrix(part.cube_dimension, 1, list(corner))
        yield tuple(sympy.simplify(entry) for entry in vertex)
