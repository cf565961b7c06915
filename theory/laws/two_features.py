"""The law of two features at an angle: one alone, the other alone, both, or neither."""

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

import sympy

from theory.exact.arguments import check_choice
from theory.exact.errors import InputError
from theory.exact.numbers import Number, exact_number
from theory.laws.law import Component, Law
from theory.laws.one_hot_sets import one_hot_sets

#: What the preset is called.
TWO_FEATURES = "two-features"


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
    >>> [(part.probability, part.point) for part in law.every_component]
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
    parts = tuple(_farthest(part) for part in law.every_component)
    sizes = tuple(tuple((sympy.Add(*row),) for row in rows) for rows in law.magnitudes)
    return replace(law, components=parts, magnitudes=sizes)


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


class TwoFeatures(NamedTuple):
    """The settings of two features; `uniform` is 0 (amplitudes are 1) or 1 (uniform on [0, 1])."""

    first_alone: Number = 0
    second_alone: Number = 0
    both: Number = 0
    angle: Number = 90
    uniform: Number = 0
    magnitude_correlation: Number = 1

    @classmethod
    def of(cls, settings: Mapping[str, Number]) -> "TwoFeatures":
        """Return the settings that a text or an axis gives.

        Raises
        ------
        InputError
            For an unknown setting, no probability, or `uniform` other than 0 and 1.

        Examples
        --------
        >>> TwoFeatures.of({"both": 1}).angle
        90
        """
        for key in settings:
            check_choice("setting", key, cls._fields)
        if not {"first_alone", "second_alone", "both"} & settings.keys():
            raise InputError("both", "this probability, first_alone or second_alone")
        given = cls(**settings)
        if exact_number(given.uniform, "uniform") not in (0, 1):
            raise InputError("uniform", "0 (amplitudes are 1) or 1", given.uniform)
        return given

    @property
    def is_uniform(self) -> bool:
        """Whether amplitudes are uniform on [0, 1]."""
        return bool(exact_number(self.uniform, "uniform") == 1)

    @property
    def is_shared(self) -> bool:
        """Whether both features, when active, share an amplitude; points always do."""
        correlation = exact_number(self.magnitude_correlation, "magnitude_correlation")
        return bool(correlation == 1) or not self.is_uniform

    @property
    def law(self) -> Law:
        """The law."""
        return two_features(
            self.first_alone,
            self.second_alone,
            self.both,
            self.angle,
            uniform=self.is_uniform,
            magnitude_correlation=self.magnitude_correlation,
        )
