"""Laws with names: the two data sets of antipodal pairs, and others of shared amplitudes."""

from collections.abc import Sequence
from typing import Any

import sympy

from theory.exact.annotations import checked
from theory.exact.arguments import check_choice
from theory.exact.errors import InputError
from theory.exact.numbers import Number, exact_number, within
from theory.laws.law import Component, Law
from theory.laws.one_hot_sets import one_hot_sets


@checked
def shared_amplitudes(
    amplitudes: Sequence[tuple[Number, Number, Number]], name: str = "shared amplitudes"
) -> Law:
    """Return the first data set with another law of the shared amplitude.

    x = a (±1, ±1) with all signs equally likely and a from a mixture of uniform laws.

    Parameters
    ----------
    amplitudes : sequence of (probability, low, high)
        a is uniform on [low, high] with that probability; low = high is a point mass.
    name : str

    Examples
    --------
    >>> shared_amplitudes([("1/3", 1, 1), ("2/3", 2, 4)]).components[1].point
    (2*u1 + 2, 2*u1 + 2)
    """
    components = []
    for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        direction = sympy.Matrix(signs)
        for probability, low, high in amplitudes:
            start, end = exact_number(low, "low"), exact_number(high, "high")
            length = end - start
            components.append(
                Component(
                    exact_number(probability, "probability") / 4,
                    sympy.ImmutableMatrix(
                        sympy.zeros(2, 0) if length == 0 else length * direction
                    ),
                    sympy.ImmutableMatrix(start * direction),
                )
            )
    return Law(tuple(components), name)


#: What makes each preset a law of two antipodal pairs.
PRESETS: dict[str, dict[str, Number]] = {
    "shared": {"magnitude_correlation": 1},
    "independent": {"magnitude_correlation": 0},
}
#: The settings that a preset takes.
PRESET_SETTINGS = (
    "onehot_probability",
    "amplitude",
    "magnitude_correlation",
    "sign_correlation",
    "angle",
)


@checked
def preset(name: str, **settings: Number) -> Law:
    """Return the law `shared` (first data set) or `independent` (second), with settings.

    Parameters
    ----------
    name : {"shared", "independent"}
    **settings
        onehot_probability, amplitude, magnitude_correlation, as for `one_hot_sets`;
        sign_correlation, ρ = E of the product of the two signs when both sets are active, from
        -1 to 1; angle, in degrees between the two features x1 and y1, 90 by default.

    Raises
    ------
    InputError
        For an unknown preset or setting, or a value out of range.

    Examples
    --------
    >>> [part.probability for part in preset("independent", onehot_probability="1/2").components]
    [1/8, 1/8, 1/8, 1/8, 1/8, 1/8, 1/8, 1/8]
    >>> preset("shared", angle=60).components[0].point
    (3*u1/2, sqrt(3)*u1/2)
    """
    check_choice("law", name, PRESETS)
    for key in settings:
        check_choice("setting", key, PRESET_SETTINGS)
    given: dict[str, Any] = {**PRESETS[name], **settings}
    if "sign_correlation" in given:
        rho = within(given.pop("sign_correlation"), "sign_correlation", -1, 1)
        same, other = (1 + rho) / 4, (1 - rho) / 4
        given["probabilities"] = [[same, other], [other, same]]
    if "angle" in given:
        degrees = within(given.pop("angle"), "angle", 0, 180)
        if degrees in (0, 180):
            raise InputError("angle", "degrees between 0 and 180", degrees)
        radians = degrees * sympy.pi / 180
        y = (sympy.cos(radians), sympy.sin(radians))
        given["embedding"] = [(1, 0), (-1, 0), y, (-y[0], -y[1])]
    return one_hot_sets(name=name, **given)
