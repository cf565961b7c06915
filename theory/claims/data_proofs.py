"""Proofs of the claims about the data: on which lines they lie, and their principal components."""

import sympy

from theory.claims.claim import Finding, Quantity, Verdict, require
from theory.codes.costs import Linear
from theory.exact.symbols import PHI, SIGN_CORRELATION
from theory.laws.integration import Piece, Point, piecewise_expectation
from theory.laws.law import Law
from theory.laws.moments import covariance, fourth_cumulant, principal_components
from theory.laws.one_hot_sets import one_hot_sets
from theory.laws.presets import preset

#: The sign correlation at which statements for ρ ≠ 0 are compared with numbers.
SAMPLE_CORRELATION = sympy.Rational(3, 10)
_SIGNS = ((1, 1), (1, -1), (-1, 1), (-1, -1))


def two_dimensional() -> Finding:
    """The first data set has rank 2, x = x1 - x2 loses nothing, and |x| = |y| always."""
    law = preset("shared")
    in_features = one_hot_sets(magnitude_correlation=1, embedding=sympy.eye(4).tolist())
    for features, plane in zip(in_features.components, law.components, strict=True):
        x1, x2, y1, y2 = features.point
        # One of each pair is 0 and the other ≥ 0, so the difference determines both.
        require(x1 * x2 == 0 and y1 * y2 == 0, "at most one feature of a set is active")
        require(all(z.is_nonnegative for z in features.point), "amplitudes are nonnegative")
        require(plane.point == (x1 - x2, y1 - y2), "the data are x = x1 - x2, y = y1 - y2")
        require(features.probability == plane.probability, "with the same probabilities")
    on_diagonals = all(
        sympy.expand(part.point[0] ** 2 - part.point[1] ** 2) == 0 for part in law.components
    )
    two_dimensional = covariance(law).rank() == 2

    def quadrant(sign_x: int, sign_y: int) -> Piece:
        # In the quadrants where x and y have one sign the nearer diagonal is x = y.
        def squared_distance(x: Point) -> sympy.Expr:
            return (x[0] - sign_x * sign_y * x[1]) ** 2 / 2

        sides = [Linear((sympy.Integer(sign_x), sympy.Integer(0)))]
        sides.append(Linear((sympy.Integer(0), sympy.Integer(sign_y))))
        return Piece(squared_distance, sides)

    off = piecewise_expectation(
        preset("shared"), [quadrant(sign_x, sign_y) for sign_x, sign_y in _SIGNS]
    )
    holds = on_diagonals and two_dimensional and off.value == 0
    return Finding(
        Verdict.HOLDS if holds else Verdict.FAILS,
        "" if holds else "the data leave the diagonals or span less than the plane",
        (Quantity("mean squared distance from the nearer diagonal", off.value),),
    )


def sign_correlated(law_name: str, correlation: sympy.Expr) -> Law:
    """Return a data set whose two sets' signs have a correlation, A = 1."""
    f = {"shared": 1, "independent": 0}[law_name]
    same, other = (1 + correlation) / 4, (1 - correlation) / 4
    return one_hot_sets(
        magnitude_correlation=f, probabilities=[[same, other], [other, same]], name=law_name
    )


def _principal_components(law_name: str) -> Finding:
    """No direction is preferred; with correlated signs, and to fourth order, diagonals are."""
    law = preset(law_name)
    components = principal_components(law)
    are_diagonals = len(components) > 1 and all(
        len(component.directions) == 1
        and sympy.simplify(component.directions[0][0] ** 2 - sympy.Rational(1, 2)) == 0
        for component in components
    )
    if not are_diagonals:
        require(len(components) == 1, "the covariance is a multiple of the identity")

    spread = covariance(sign_correlated(law_name, SIGN_CORRELATION))
    along, across = sympy.Matrix([1, 1]) / sympy.sqrt(2), sympy.Matrix([1, -1]) / sympy.sqrt(2)
    variances = []
    for direction in (along, across):
        variance = sympy.simplify((direction.T * spread * direction)[0])
        require(
            (spread * direction - variance * direction).applyfunc(sympy.simplify).is_zero_matrix,
            "the diagonals are eigenvectors for every ρ",
        )
        variances.append(variance)
    split = sympy.simplify(variances[0] - variances[1])
    require(
        sympy.solve(split, SIGN_CORRELATION) == [0], "the two variances are equal only for ρ = 0"
    )

    cumulant = fourth_cumulant(law, (sympy.cos(PHI), sympy.sin(PHI)))
    on_axis, on_diagonal = cumulant.subs(PHI, 0), cumulant.subs(PHI, sympy.pi / 4)
    excess = sympy.simplify(on_diagonal - on_axis)
    require(
        sympy.simplify(cumulant - on_axis - excess * sympy.sin(2 * PHI) ** 2) == 0,
        "κ4(φ) = κ4(0) + (κ4(45°) - κ4(0)) sin² 2φ",
    )
    require(excess.is_positive, "κ4 is largest on the diagonals")
    ratio = max(c.variance for c in components) / min(c.variance for c in components)
    return Finding(
        Verdict.HOLDS if are_diagonals else Verdict.FAILS,
        f"the covariance is {covariance(law)[0, 0]}·I, so no direction is preferred; with a "
        "sign correlation ρ ≠ 0 the diagonals are the principal components; at ρ = 0 the fourth "
        "cumulant is largest exactly on the diagonals and smallest on the axes",
        (
            Quantity("largest over smallest variance", ratio),
            Quantity(
                "variance along less across the diagonal, sign correlation ρ",
                split,
                {SIGN_CORRELATION: SAMPLE_CORRELATION},
            ),
            Quantity("fourth cumulant on a diagonal less on an axis", excess),
        ),
    )


def principal_components_first() -> Finding:
    """The first data set's covariance is isotropic."""
    return _principal_components("shared")


def principal_components_second() -> Finding:
    """The second data set's covariance is isotropic."""
    return _principal_components("independent")
