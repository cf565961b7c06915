"""Features: how large an active one is, and which fire together by a rule.

    x = Σ_{i active} m_i v_i + σ ε

Magnitudes m_i are constant, uniform on [low, high] or normal, independent of each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import sympy

from theory.exact.arguments import check_choice, check_list
from theory.exact.errors import InputError
from theory.exact.numbers import exact_number

#: What a component's base variable is: uniform on [0, 1]^k, or standard normal in R^k.
UNIFORM, NORMAL = "uniform", "normal"


@dataclass(frozen=True)
class Magnitude:
    """The size of an active feature, offset + scale · (base variable); constant if scale = 0.

    Uniform on [offset, offset + scale], or normal of mean `offset` and standard deviation
    `scale`. A normal magnitude may be negative; libraries clip it at 0, which moves it in the
    share `clipped_at` says.

    Examples
    --------
    >>> Magnitude.of({"uniform": [0, "1/2"]}, "magnitude")
    Magnitude(base='uniform', offset=0, scale=1/2)
    >>> Magnitude.of({"normal": [1, "3/20"]}, "magnitude").mean
    1
    """

    base: str
    offset: sympy.Expr
    scale: sympy.Expr

    @classmethod
    def of(cls, given: object, name: str) -> "Magnitude":
        """Return what {"constant": c}, {"uniform": [low, high]} or {"normal": [mean, sd]} says.

        Raises
        ------
        InputError
            For anything else, a constant or mean that is not above 0, an interval that is not
            0 ≤ low < high, or a standard deviation below 0.
        """
        expected = '{"constant": c}, {"uniform": [low, high]} or {"normal": [mean, deviation]}'
        if not isinstance(given, Mapping) or len(given) != 1:
            raise InputError(name, expected, given)
        ((kind, value),) = given.items()
        check_choice(name, kind, ("constant", UNIFORM, NORMAL))
        if kind == "constant":
            size = exact_number(value, f"{name}.constant")
            if size.is_nonpositive:
                raise InputError(f"{name}.constant", "a number > 0", value)
            return cls(UNIFORM, size, sympy.S.Zero)
        expected = {
            UNIFORM: "two numbers, 0 ≤ low < high",
            NORMAL: "two numbers, mean > 0 and standard deviation ≥ 0",
        }[kind]
        ends = check_list(f"{name}.{kind}", value, expected)
        if len(ends) != 2:
            raise InputError(f"{name}.{kind}", expected, value)
        first, second = (exact_number(end, f"{name}.{kind}[{i}]") for i, end in enumerate(ends))
        if kind == NORMAL:
            if first.is_nonpositive or second.is_negative:
                raise InputError(f"{name}.{kind}", expected, value)
            return cls(NORMAL if second != 0 else UNIFORM, first, second)
        if first.is_negative or (second - first).is_nonpositive:
            raise InputError(f"{name}.{kind}", expected, value)
        return cls(UNIFORM, first, second - first)

    @property
    def is_constant(self) -> bool:
        """Whether the magnitude is no random number."""
        return bool(self.scale == 0)

    @property
    def is_uniform(self) -> bool:
        """Whether the magnitude is uniform on an interval, not on a point."""
        return self.base == UNIFORM and not self.is_constant

    @property
    def mean(self) -> sympy.Expr:
        """E m."""
        return self.offset + (self.scale / 2 if self.base == UNIFORM else 0)

    @property
    def variance(self) -> sympy.Expr:
        """E (m - E m)²."""
        return self.scale**2 / (12 if self.base == UNIFORM else 1)

    @property
    def clipped_at(self) -> sympy.Expr:
        """P(m < 0): how often a library that takes ReLU(m) has another magnitude.

        Examples
        --------
        >>> Magnitude.of({"normal": [1, "1/2"]}, "magnitude").clipped_at.evalf(4)
        0.02275
        """
        if self.base == UNIFORM:
            return sympy.S.Zero
        return sympy.erfc(self.offset / self.scale / sympy.sqrt(2)) / 2


class Unit(NamedTuple):
    """Features of which at most one fires, each with its chance, given that the parent does.

    Parameters
    ----------
    features : tuple of int
    parent : int or None
        Without one, whatever else fires.
    chances : tuple of sympy.Expr
        They sum to 1 at most.
    """

    features: tuple[int, ...]
    parent: int | None
    chances: tuple[sympy.Expr, ...]

    @property
    def outcomes(self) -> list[tuple[tuple[int, ...], sympy.Expr]]:
        """What may fire, and how likely that is, impossible ones left out."""
        none = 1 - sympy.Add(*self.chances)
        every = [
            ((), none),
            *(((i,), p) for i, p in zip(self.features, self.chances, strict=True)),
        ]
        return [(fires, chance) for fires, chance in every if chance != 0]


@dataclass(frozen=True)
class Remainder:
    """The active sets that a law has no components for, because there are too many of them.

    What is active is drawn by the units' rule, given that it is none of the law's own active
    sets; expectations over it are sampled, not exact.

    Parameters
    ----------
    probability : sympy.Expr
        Of all of them together.
    units : tuple of Unit
        Each after the unit of its parent.
    magnitudes : tuple of Magnitude
        One for each feature.
    noise : sympy.Expr
        Standard deviation of isotropic normal noise on x.
    bias : tuple of sympy.Expr
        Added to every x; nothing if empty.
    """

    probability: sympy.Expr
    units: tuple[Unit, ...]
    magnitudes: tuple[Magnitude, ...]
    noise: sympy.Expr = sympy.S.Zero
    bias: tuple[sympy.Expr, ...] = ()
