"""An axis of a phase diagram: a parameter of law, objective or width, and the values it takes."""

from dataclasses import dataclass

import numpy as np

from solvers.runtime.arguments import check_fields, check_number, check_whole
from theory.exact.errors import InputError
from theory.exact.numbers import exact_number

#: Axes that are no settings of the law.
OBJECTIVE_AXES = ("l1", "l0", "weight_decay")
WIDTH_AXIS = "latents"
_MOST_VALUES = 1000


@dataclass(frozen=True)
class Axis:
    """A parameter and the values it takes, equally spaced.

    Parameters
    ----------
    name : str
        A setting of the law, "l1", "weight_decay" or "latents".
    low, high : float
    count : int ≥ 2

    Raises
    ------
    InputError
        If the values are not increasing, finite and at least two, or widths are not whole.

    Examples
    --------
    >>> Axis.parse("l1=0.1:0.3:3").values
    (0.1, 0.2, 0.3)
    """

    name: str
    low: float
    high: float
    count: int

    def __post_init__(self) -> None:
        try:
            check_whole("count", self.count, 2, _MOST_VALUES)
            for name in ("low", "high"):
                check_number(name, getattr(self, name))
            check_fields(self)
        except InputError as error:
            raise error.inside(str(self.name)) from None
        if not self.low < self.high:
            raise InputError(self.name, "LOW below HIGH", (self.low, self.high))
        if self.name == WIDTH_AXIS and any(value != round(value) for value in self.values):
            hint = "choose COUNT = HIGH - LOW + 1"
            raise InputError(self.name, "whole numbers", list(self.values), hint=hint)

    @classmethod
    def parse(cls, text: str) -> "Axis":
        """Return the axis that NAME=LOW:HIGH:COUNT says."""
        name, equals, numbers = text.partition("=")
        parts = numbers.split(":")
        if not equals or len(parts) != 3 or not parts[2].strip().isdecimal():
            raise InputError("", "NAME=LOW:HIGH:COUNT, such as l1=0.1:1:10", text)
        low, high = (float(exact_number(part, name)) for part in parts[:2])
        return cls(name.strip().replace("-", "_"), low, high, int(parts[2]))

    @property
    def values(self) -> tuple[float, ...]:
        """The values, rounded to twelve digits so that 0.3 is 0.3."""
        return tuple(float(f"{v:.12g}") for v in np.linspace(self.low, self.high, self.count))
