"""Laws, objectives and widths over two parameters: what a phase diagram is drawn of."""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import product
from typing import Any

from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.objective import Objective
from solvers.optima.architecture_descent import check_objective
from solvers.runtime.arguments import check_choice, check_fields, check_whole
from solvers.studies.phase_axis import OBJECTIVE_AXES, WIDTH_AXIS, Axis
from theory.codes.code import Code, codes_of
from theory.exact.errors import InputError
from theory.exact.strict_json import parse_json
from theory.laws.law import Law
from theory.laws.law_files import LawSpec
from theory.laws.two_features import TWO_FEATURES, TwoFeatures
from theory.two_features.phases import OptimalPair, optimal_pair

_LARGEST_COUNT = 10**6

_RELU = Architecture()


@dataclass(frozen=True)
class Family:
    """Laws, objectives and widths over two parameters; small enough to be sent to any process.

    Parameters
    ----------
    law : str
        A preset with settings, or the path of a law file.
    x, y : Axis
    n_latents : int ≥ 1
    objective : Objective
    starts : int ≥ 1
        Random starts for the optimum at every point, beside those from the codes.
    seed : int ≥ 0
    architecture : Architecture, optional
        By default ReLU.

    Raises
    ------
    InputError
        For an axis that the law does not have, both axes the same, or a corner of the grid at
        which law, objective or width is not valid.

    Examples
    --------
    >>> family = Family("shared", Axis("l1", 1, 2, 2), Axis("latents", 4, 6, 3), 4, Objective(0.1))
    >>> law, objective, width = family.at(2.0, 6.0)
    >>> objective.l1, width
    (2.0, 6)
    """

    law: str
    x: Axis
    y: Axis
    n_latents: int
    objective: Objective
    starts: int = 8
    seed: int = 0
    architecture: Architecture = _RELU
    #: The law, parsed once: a law file may change, or be on another machine.
    spec: LawSpec = field(init=False, repr=False)

    def __post_init__(self) -> None:
        check_fields(self)
        if self.x.name == self.y.name:
            raise InputError(self.x.name, "two different axes")
        object.__setattr__(self, "spec", LawSpec.parse(self.law))
        known = (*self.spec.settings, *OBJECTIVE_AXES, WIDTH_AXIS)
        for name, axis in (("x", self.x), ("y", self.y)):
            check_choice(name, axis.name, known)
        for name, least in (("n_latents", 1), ("starts", 1), ("seed", 0)):
            check_whole(name, getattr(self, name), least, _LARGEST_COUNT)
        # Ranges are convex, so what the corners allow the points between do.
        for x, y in product((self.x.low, self.x.high), (self.y.low, self.y.high)):
            law, objective, width = self.at(x, y)
            check_objective(self.architecture, objective, width)
            objective.latent_prefixes(width)
            if self.architecture.name == "relu":
                objective.check_no_l0("a phase diagram of ReLU SAEs")
            self.codes(law, width)
            if any(part.cube_dimension > 2 for part in law.every_component):
                expected = "a law of at most two random magnitudes at once"
                raise InputError("law", expected, self.law)

    def at(self, x: float, y: float) -> tuple[Law, Objective, int]:
        """Return law, objective and width at a point."""
        return self._spec(x, y).law, self._objective(x, y), self._width(x, y)

    def codes(self, law: Law, width: int) -> list[Code]:
        """Return the named codes of a law that a width has room for."""
        found = [code for code in codes_of(law) if len(code.atoms) <= width]
        if not found:
            expected = f"at least as many as the atoms of a named code of {self.law}"
            raise InputError(WIDTH_AXIS, expected, width)
        return found

    def pair(self, x: float, y: float) -> OptimalPair | None:
        """Return the optimal pair of atoms at a point, if the family is that of two features.

        None if the objective has no closed form, or amplitudes are uniform and not shared.
        """
        if self.spec.preset != TWO_FEATURES or self.architecture.name != "relu":
            return None
        objective = self._objective(x, y)
        penalised = objective.decoder == "unit" or objective.sparsity == "decoder-norm"
        plain = not (objective.weight_decay or objective.prefixes)
        squared = objective.reconstruction == "squared" and plain
        given = TwoFeatures.of(dict(self._spec(x, y).given))
        solved = penalised and squared and objective.l1 > 0 and given.is_shared
        if self._width(x, y) != 2 or not solved:
            return None
        # Rounding may hide the solutions of every phase.
        with suppress(ArithmeticError):
            return optimal_pair(
                given.first_alone, given.second_alone, given.both, given.angle, objective.l1,
                uniform=given.is_uniform,
            )  # fmt: skip
        return None

    def document(self) -> dict[str, Any]:
        """Return what the family is, in JSON's types; decimals of a law file as their text."""
        document = asdict(self)
        del document["spec"]
        law_file = None if self.spec.preset else parse_json(self.spec.contents, self.law)
        return {**document, "law_file": json.loads(json.dumps(law_file, default=str))}

    def _values(self, x: float, y: float) -> dict[str, float]:
        return {self.x.name: x, self.y.name: y}

    def _spec(self, x: float, y: float) -> LawSpec:
        others = (*OBJECTIVE_AXES, WIDTH_AXIS)
        return self.spec.with_settings(
            {name: v for name, v in self._values(x, y).items() if name not in others}
        )

    def _objective(self, x: float, y: float) -> Objective:
        values = self._values(x, y)
        return replace(
            self.objective,
            l1=values.get("l1", self.objective.l1),
            l0=values.get("l0", self.objective.l0),
            weight_decay=values.get("weight_decay", self.objective.weight_decay),
        )

    def _width(self, x: float, y: float) -> int:
        width = int(self._values(x, y).get(WIDTH_AXIS, self.n_latents))
        return check_whole(WIDTH_AXIS, width, 1)
