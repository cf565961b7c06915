"""Exact expectations of what one coordinate of x contributes beyond a threshold, in any cube.

Given component c of a law, the coordinate t = y·x is affine in u, t = c_0 + c_1 u_1 + ... + c_k
u_k. Of (t - τ)₊ⁿ the k-fold antiderivative is n!/(n + k)! (t - τ)₊ⁿ⁺ᵏ, so integrating over one
u_j after the other leaves the corners v of the cube,

    E (t - τ)₊ⁿ = n!/(n + k)! · Σ_v (-1)^(k - |v|) (t_v - τ)₊ⁿ⁺ᵏ / (c_1 ··· c_k),

where a u_j with c_j = 0 plays no part. No cell is cut, and k may be anything.
"""

from collections.abc import Sequence
from itertools import product
from math import factorial

import sympy

from theory.exact.signs import Signs, Witness
from theory.exact.symbols import RADIUS
from theory.laws.integration import Expectation
from theory.laws.law import Component, Law


def corner_values(part: Component, y: Sequence[sympy.Expr]) -> list[sympy.Expr]:
    """Return t = y·x at the corners of a component.

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> corner_values(preset("independent").components[0], (1, 1))
    [0, 1, 1, 2]
    """
    start, slopes = _affine(part, y)
    return [
        sympy.expand(start + sum(slope for on, slope in zip(corner, slopes, strict=True) if on))
        for corner in product((0, 1), repeat=len(slopes))
    ]


def _affine(part: Component, y: Sequence[sympy.Expr]) -> tuple[sympy.Expr, list[sympy.Expr]]:
    row = sympy.Matrix([list(y)])
    return (row * part.offset)[0], list(row * part.matrix)[: part.cube_dimension]


def expectation_beyond(
    law: Law,
    y: Sequence[sympy.Expr],
    polynomial: sympy.Expr,
    threshold: sympy.Expr,
    witness: Witness | None = None,
) -> Expectation:
    """Return E[p(t); t > τ] for the coordinate t = y·x.

    Parameters
    ----------
    law : Law
    y : sequence of d expressions
    polynomial : sympy.Expr
        p, in the symbol r.
    threshold : sympy.Expr
        τ.
    witness : mapping from symbol to number, optional
        Needed if law, y or τ hold symbols.

    Examples
    --------
    On the second data set x1 is uniform on [-1, 1], and half of it is above 0, with mean 1/2:

    >>> from theory.laws.presets import preset
    >>> expectation_beyond(preset("independent"), (1, 0), RADIUS, sympy.Integer(0)).value
    1/4
    """
    signs = Signs(witness)
    shifted = sympy.Poly(polynomial.subs(RADIUS, threshold + RADIUS), RADIUS)
    powers = shifted.all_coeffs()[::-1]
    total = sum(
        part.probability * _beyond(part, y, powers, threshold, signs)
        for part in law.every_component
    )
    return Expectation(sympy.expand(total), frozenset(signs.conditions))


def _beyond(
    part: Component,
    y: Sequence[sympy.Expr],
    powers: Sequence[sympy.Expr],
    threshold: sympy.Expr,
    signs: Signs,
) -> sympy.Expr:
    start, slopes = _affine(part, y)
    slopes = [slope for slope in slopes if signs.of(slope) != 0]
    k, total = len(slopes), sympy.S.Zero
    for corner in product((0, 1), repeat=k):
        over = sympy.expand(
            start + sum(c for on, c in zip(corner, slopes, strict=True) if on) - threshold
        )
        if signs.of(over) > 0:
            total += (-1) ** (k - sum(corner)) * sum(
                power * sympy.Rational(factorial(n), factorial(n + k)) * over ** (n + k)
                for n, power in enumerate(powers)
            )
    # In numbers, without a root in the denominator: sums of such terms then collapse by expanding.
    return total * sympy.radsimp(1 / sympy.Mul(*slopes), symbolic=False)
