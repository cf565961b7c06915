"""The law of two features at an angle: one alone, the other alone, both, or neither."""

import sympy

from theory.exact.errors import InputError
from theory.exact.numbers import Number, exact_number
from theory.laws.law import Component, Law, one_hot_sets


def two_features(
    first_alone: Number,
    second_alone: Number,
    both: Number,
    angle: Number,
    *,
    uniform: bool = False,
    magnitude_correlation: Number = 1,
) -> Law:
    """Return the law of v1 alone, v2 alone, both, or neither, with its bisector along (1, 0).

    Parameters
    ----------
    first_alone, second_alone, both : number ≥ 0
        Probabilities a, b, c; x = 0 with the rest.
    angle : number between 0 and 180
        θ between the features, in degrees.
    uniform : bool
        Whether amplitudes are uniform on [0, 1]; else they are 1.
    magnitude_correlation : number in [0, 1]
        f: with both active and uniform, the second amplitude is (1-f) a2 + f a1: 1 shared, 0
        independent.

    Raises
    ------
    InputError
        Naming the argument, its value and what was expected.

    Examples
    --------
    >>> law = two_features("1/4", "1/4", "1/2", 60)
    >>> [(part.probability, part.point) for part in law.components]
    [(1/2, (sqrt(3), 0)), (1/4, (sqrt(3)/2, 1/2)), (1/4, (sqrt(3)/2, -1/2))]
    """
    a, b, c, theta = checked_numbers(first_alone, second_alone, both, angle)
    cosine, sine = sympy.cos(theta / 2), sympy.sin(theta / 2)
    law = one_hot_sets(
        (1, 1),
        magnitude_correlation=magnitude_correlation,
        probabilities=[[c, a], [b, 1 - a - b - c]],
        embedding=[[cosine, sine], [cosine, -sine]],
        name="two features",
    )
    if uniform:
        return law
    return Law(tuple(_farthest(part) for part in law.components), law.name, law.features)


def _farthest(part: Component) -> Component:
    """Return the point mass at u = (1, ..., 1): amplitudes 1."""
    point = part.matrix * sympy.ones(part.cube_dimension, 1) + part.offset
    return Component(
        part.probability,
        sympy.ImmutableMatrix(part.matrix.rows, 0, []),
        sympy.ImmutableMatrix(point),
    )


def checked_numbers(
    first_alone: Number, second_alone: Number, both: Number, angle: Number
) -> tuple[sympy.Expr, sympy.Expr, sympy.Expr, sympy.Expr]:
    """Return a, b, c and θ in radians, exactly.

    Raises
    ------
    InputError
        Naming the argument, its value and what was expected.

    Examples
    --------
    >>> checked_numbers(0.25, 0, "1/2", 60)
    (1/4, 0, 1/2, pi/3)
    """
    given = {"first_alone": first_alone, "second_alone": second_alone, "both": both}
    exact = {name: exact_number(value, name) for name, value in given.items()}
    for name, value in exact.items():
        if value.is_negative:
            raise InputError(name, "a probability ≥ 0", given[name])
    total = sum(exact.values())
    if (1 - total).is_negative:
        raise InputError("first_alone + second_alone + both", "at most 1", total)
    degrees = exact_number(angle, "angle")
    if degrees.is_nonpositive or (180 - degrees).is_nonpositive:
        raise InputError("angle", "degrees between 0 and 180", angle)
    return exact["first_alone"], exact["second_alone"], exact["both"], degrees * sympy.pi / 180
