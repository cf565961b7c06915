"""The derivation of how the exact expected loss is computed: moments of cut squares."""

import sympy

from theory.derivations.derivation import SQUARED, Derivation, Meaning, Numeric, Step, Symbolic
from theory.exact.symbols import CUBE, RADIUS


def exact_expectation() -> Derivation:
    """How moments of cut squares come from their facets."""
    u1, u2 = CUBE[:2]
    cut = 1 - u1 - u2
    area = sympy.integrate(sympy.integrate(1, (u2, 0, 1 - u1)), (u1, 0, 1))
    # By facets: only the chord has a height, 1/√2, and its length is √2; k + deg = 2.
    by_facets = sympy.Rational(1, 2) * (1 / sympy.sqrt(2)) * sympy.sqrt(2)
    second = sympy.integrate(sympy.integrate(u1**2, (u2, 0, 1 - u1)), (u1, 0, 1))
    t = RADIUS
    chord = sympy.integrate(t**2 * sympy.sqrt(2), (t, 0, 1))
    by_facets_2 = sympy.Rational(1, 4) * (1 / sympy.sqrt(2)) * chord
    steps = (
        Step(
            "On every part of the law the data are x = X ũ, X a matrix, ũ = (1, u₁, u₂), u "
            "uniform on the unit square, so a latent is on where an affine function of u is "
            "positive, such as",
            "p", cut, "definition",
        ),
        Step(
            "The squared loss needs only moments up to degree 2 over the square cut by two such "
            "lines. For a homogeneous g the divergence theorem gives ∫_P g = Σ_F h_F ∫_F g/(k + "
            "deg g), with k = 2 and h_F the signed distance from 0 of the line through the facet "
            "F, negative if P lies on its far side. For the triangle p > 0 only the chord has "
            "h_F ≠ 0, and its area is",
            "A", by_facets, "h = 1/√2, length √2, k + deg g = 2",
            Symbolic("the area by iterated integration", area),
        ),
        Step(
            "and the second moment of u₁",
            "M_11", by_facets_2, "the same with ∫ u₁² along the chord, k + deg g = 4",
            Symbolic("the moment by iterated integration", second),
        ),
        Step(
            "The second of them from the package's vectorised code:",
            "M_11", second, "evaluate",
            Numeric("the exact moments of cut squares", "moment of a triangle", (),
                    tolerance=1e-15),
        ),
        Step(
            "ReLU is continuous, so a boundary that moves adds nothing to the gradient: it is "
            "made of the same moments. Along a random direction in the space of all parameters "
            "the difference between gradient and difference quotient is",
            "delta", sympy.S.Zero, "compare",
            Numeric("central differences of the exact loss", "gradient error", (),
                    tolerance=1e-7),
        ),
    )  # fmt: skip
    return Derivation(
        id="exact-loss",
        title="How the exact expected loss is computed",
        summary=(
            "Every exact squared loss in these pages comes from one idea: on data of this kind "
            "the expected loss is a sum of polynomial integrals over polygons, and "
            "such integrals reduce to their edges. No sampling, no grid: rounding errors only."
        ),
        convention=SQUARED,
        symbols=(Meaning(u1, "coordinates of the unit square", "0 to 1"),),
        assumptions=("The law is a mixture of affine images of points, segments and squares.",),
        steps=steps,
        result="Moments of degree at most 2 over cut squares, from at most four facets a pair.",
        validity="ReLU SAEs of any width, laws with cubes of dimension up to 2.",
        falsified_by="Exact rational arithmetic that gives another number.",
        claims=(),
        sources=("[ChinLasserreSukumar2015]",),
        figure="cut-square",
        caption=(
            "The unit square cut by two latents' lines; every edge of the shaded region but those "
            "on u₁ = 0 and u₂ = 0 counts."
        ),
    )
