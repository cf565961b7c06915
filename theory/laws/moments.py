"""Mean, covariance, principal components and fourth cumulants of a law, exact."""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

import sympy

from theory.exact.annotations import checked
from theory.laws.integration import expectation
from theory.laws.law import Law


@checked
def mean(law: Law) -> sympy.ImmutableDenseMatrix:
    """Return E x, shape (d, 1).

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> mean(preset("shared")).T
    Matrix([[0, 0]])
    """
    return sympy.ImmutableMatrix([expectation(law, itemgetter(i)) for i in range(law.dimension)])


@checked
def covariance(law: Law) -> sympy.ImmutableDenseMatrix:
    """Return E (x - E x)(x - E x)ᵀ, shape (d, d).

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> covariance(preset("independent"))
    Matrix([
    [1/3,   0],
    [  0, 1/3]])
    """
    centre = mean(law)

    def entry(i: int, j: int) -> sympy.Expr:
        return sympy.simplify(expectation(law, lambda x: x[i] * x[j]) - centre[i] * centre[j])

    return sympy.ImmutableMatrix(
        [[entry(min(i, j), max(i, j)) for j in range(law.dimension)] for i in range(law.dimension)]
    )


@dataclass(frozen=True)
class PrincipalComponent:
    """A variance of the law and an orthonormal basis of the directions that have it."""

    variance: sympy.Expr
    directions: tuple[sympy.ImmutableDenseMatrix, ...]


@checked
def principal_components(law: Law) -> tuple[PrincipalComponent, ...]:
    """Return the eigenspaces of the covariance.

    One component of as many directions as the law has dimensions means that the covariance
    is isotropic: no direction is preferred, and any orthonormal basis serves.

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> [(c.variance, len(c.directions)) for c in principal_components(preset("shared"))]
    [(1/3, 2)]
    """
    return tuple(
        PrincipalComponent(
            sympy.simplify(variance),
            tuple(
                sympy.ImmutableMatrix(sympy.simplify(direction))
                for direction in sympy.GramSchmidt(vectors, orthonormal=True)
            ),
        )
        for variance, _, vectors in sympy.Matrix(covariance(law)).eigenvects()
    )


def fourth_cumulant(law: Law, direction: Sequence[sympy.Expr]) -> sympy.Expr:
    """Return κ4(w) = E⟨x - E x, w⟩⁴ - 3 (E⟨x - E x, w⟩²)² along a direction w.

    It is 0 for a Gaussian; by polarisation it carries the whole fourth-cumulant tensor.

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> fourth_cumulant(preset("shared"), (1, 0))
    -2/15
    """
    centre = mean(law)

    def power(n: int) -> sympy.Expr:
        return expectation(
            law,
            lambda x: sum(w * (x[i] - centre[i]) for i, w in enumerate(direction)) ** n,
        )

    return sympy.simplify(power(4) - 3 * power(2) ** 2)


def fourth_cumulant_tensor(law: Law) -> sympy.ImmutableDenseNDimArray:
    """Return the fourth cumulants κ_ijkl of the law, shape (d, d, d, d).

    κ_ijkl = E y_i y_j y_k y_l - C_ij C_kl - C_ik C_jl - C_il C_jk with y = x - E x.

    Examples
    --------
    On the second data set x and y are independent, so only κ_xxxx and κ_yyyy remain:

    >>> from theory.laws.presets import preset
    >>> tensor = fourth_cumulant_tensor(preset("independent"))
    >>> tensor[0, 0, 0, 0], tensor[0, 0, 1, 1]
    (-2/15, 0)
    """
    centre, spread, d = mean(law), covariance(law), law.dimension
    known: dict[tuple[int, ...], sympy.Expr] = {}

    def entry(*indices: int) -> sympy.Expr:
        i, j, k, m = key = tuple(sorted(indices))
        if key not in known:
            fourth = expectation(law, lambda x: sympy.prod([x[n] - centre[n] for n in key]))
            pairs = spread[i, j] * spread[k, m] + spread[i, k] * spread[j, m]
            known[key] = sympy.simplify(fourth - pairs - spread[i, m] * spread[j, k])
        return known[key]

    span = range(d)
    return sympy.ImmutableDenseNDimArray(
        [entry(i, j, k, m) for i in span for j in span for k in span for m in span], (d, d, d, d)
    )
