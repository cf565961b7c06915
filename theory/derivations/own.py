"""A derivation for a user's own law and code: support, moments, cost, loss, bound, comparison."""

import math
import re

import sympy

from theory.codes.code import Code, codes_of
from theory.codes.costs import OutOfReachError, activation_cost
from theory.derivations.derivation import (
    SQUARED,
    Decided,
    Derivation,
    Meaning,
    Numeric,
    Step,
    readable,
)
from theory.exact.annotations import checked
from theory.exact.errors import InputError
from theory.exact.numbers import exact_number
from theory.exact.signs import sign_of
from theory.exact.symbols import CUBE, L1
from theory.laws.law import Law
from theory.laws.moments import covariance, mean
from theory.laws.thresholds import corner_values
from theory.losses.closed_forms import NoFrameError, frame_loss_for_every_l1
from theory.losses.radial_bound import is_radial, is_symmetric, radial_bound

#: The name of the figure; it is drawn from the law and the code themselves.
OWN_FIGURE = "own"
# More parts than this are counted, not listed.
_LISTED = 8
_MOST_MAGNITUDES = 2


@checked
def own_derivation(law: Law, code: Code, l1: sympy.Expr | None = None) -> Derivation:
    """Derive what a code costs on a law, and beside it the codes that the law suggests.

    Parameters
    ----------
    law : Law
        Without symbols.
    code : Code
        Its atoms reach every x of the law.
    l1 : number, optional
        λ; with it, for an orthogonal frame, the optimal loss too.

    Raises
    ------
    InputError
        If the atoms do not reach every x, or λ is not above 0.

    Examples
    --------
    >>> from theory.codes.code import diagonal
    >>> from theory.laws.presets import preset
    >>> derivation = own_derivation(preset("shared"), diagonal())
    >>> derivation.result
    'It costs √2/2 ≈ 0.707107.'
    """
    if l1 is not None:
        l1 = exact_number(l1, "l1")
        if not (l1.is_number and l1.is_positive):
            raise InputError("l1", "a number > 0", l1)
    # What is refused is refused before the work.
    if any(part.cube_dimension > _MOST_MAGNITUDES for part in law.every_component):
        raise InputError("law", f"at most {_MOST_MAGNITUDES} random magnitudes at once")
    cost = sympy.simplify(activation_cost(code, law).value)
    unit = _unit(law)
    called = _called(code)
    steps = [*_support(law), *_moments(law, unit)]
    steps += [
        Step(
            f"The atoms of {called}, each of norm 1, are the rows of",
            "D",
            sympy.Matrix(code.atoms),
            "definition",
        ),
        Step(
            "To reconstruct every x exactly with the least activation, it costs, on average,",
            "C",
            cost,
            "integrate the gauge, a polynomial on each cone, over each cell",
            Numeric("adaptive quadrature of the gauge, found by trying every choice of atoms,",
                    "cost by quadrature", (law, code, unit), tolerance=1e-6, unit=unit),
        ),
    ]  # fmt: skip
    steps += [_beside(law, other, called, cost, unit) for other in codes_of(law)
              if other.atoms != code.atoms]  # fmt: skip
    losses, loss = _losses(law, code, l1, unit)
    steps += losses + _bound(law, l1, unit)
    told = f"It costs {readable(cost)} ≈ {float(cost):.6g}"
    if loss is not None:
        told += (
            f"; at λ = {readable(l1)} its least loss with b_dec = 0 is {readable(loss)} ≈ "
            f"{float(loss):.6g}"
        )
    return Derivation(
        id=_slug(f"{code.name} on {law.name}"),
        title=f"{called[0].upper()}{called[1:]} on {law.name}",
        summary=f"What {called} costs if it reconstructs the data of {law.name} exactly. {told}.",
        convention=SQUARED,
        symbols=(
            *(Meaning(u, "coordinate of the unit cube, uniform", "0 to 1")
              for u in CUBE[: max(part.cube_dimension for part in law.every_component)]),
            *([Meaning(L1, "coefficient of the l1 penalty", "above 0")] if l1 else []),
        ),
        assumptions=("The data are the mixture of step 1, and nothing else is known of them.",),
        steps=tuple(steps),
        result=f"{told}.",
        validity="Exactly the law of step 1 and the atoms listed.",
        falsified_by="A quadrature of the gauge that differs by more than its error.",
        claims=(),
        sources=(),
        figure=OWN_FIGURE if law.dimension == 2 else "",
        caption="The law's support and the atoms.",
    )  # fmt: skip


def _unit(law: Law) -> float:
    """Return the power of ten that the law's coordinates reach: what tolerances are shares of."""
    axes = sympy.eye(law.dimension).tolist()
    reach = max(abs(float(value)) for part in law.every_component for axis in axes
                for value in corner_values(part, axis))  # fmt: skip
    return float(10.0 ** math.floor(math.log10(reach))) if reach else 1.0


def _called(code: Code) -> str:
    if code.name in ("axis-aligned", "diagonal"):
        return f"the {code.name} code"
    return f"the code {code.name}"


def _slug(text: str) -> str:
    return re.sub(r"[^0-9A-Za-z.]+", "-", text).strip("-")


def _beside(law: Law, other: Code, called: str, cost: sympy.Expr, unit: float) -> Step:
    """Compare with a code that the law suggests."""
    try:
        theirs = sympy.simplify(activation_cost(other, law).value)
    except OutOfReachError:
        return Step(f"The {other.name} code of {len(other.atoms)} atoms does not reach every x.")
    order = {1: "less than", 0: "as much as", -1: "more than"}[sign_of(theirs - cost)]
    return Step(
        f"The {other.name} code of {len(other.atoms)} atoms costs",
        "C_axes" if other.name == "axis-aligned" else f"C_{other.name}",
        theirs,
        "the same integral",
        Numeric(f"{called} costs {order} that; adaptive quadrature of the gauge",
                "cost by quadrature", (law, other, unit), tolerance=1e-6, unit=unit),
    )  # fmt: skip


def _support(law: Law) -> list[Step]:
    parts = law.every_component
    if len(parts) > _LISTED:
        return [Step(f"The law has {len(parts)} parts; each is an affine image of a cube.")]
    return [
        Step(
            "x is one of the columns of the following matrix, the coordinates u uniform: points, "
            "segments where one coordinate occurs, parallelograms where two do,",
            "X",
            sympy.Matrix.hstack(*(sympy.Matrix(part.point) for part in parts)),
            "definition",
        ),
        Step(
            "with the probabilities",
            "p",
            sympy.Matrix([[part.probability for part in parts]]),
            "definition",
            Decided("they sum to 1", sum(part.probability for part in parts) == 1),
        ),
    ]


def _moments(law: Law, unit: float) -> list[Step]:
    spread, centre = covariance(law), mean(law)
    along = sympy.Matrix(range(1, law.dimension + 1))
    here = f"({', '.join(str(entry) for entry in along)})"
    return [
        Step(
            "The mean of the data is",
            "m",
            centre,
            "integrate",
            Numeric(f"the exact first moment along {here}", "mean along", (law,), tolerance=1e-10,
                    unit=unit, formula=(along.T * centre)[0]),
        ),
        Step(
            "and their covariance",
            "Sigma",
            spread,
            "integrate",
            Numeric(f"the exact second moment along {here}", "variance along", (law,),
                    tolerance=1e-10, unit=unit**2, formula=(along.T * spread * along)[0]),
        ),
    ]  # fmt: skip


def _losses(
    law: Law, code: Code, l1: sympy.Expr | None, unit: float
) -> tuple[list[Step], sympy.Expr | None]:
    """Return the steps, and the loss at λ if there is a closed form."""
    if l1 is None:
        return [], None
    try:
        chambers = frame_loss_for_every_l1(code, law)
    except NoFrameError:
        return [
            Step(
                "The atoms are no orthogonal frame of antipodal pairs, so the optimal loss has "
                "no closed form here; the command check gives that of an SAE with these atoms."
            )
        ], None
    chamber = next(c for c in chambers if c.high is sympy.oo or sign_of(c.high - l1) >= 0)
    low, high = max(float(chamber.low), 0.01 * float(l1)), min(float(chamber.high), 2 * float(l1))
    caution = (
        "" if is_symmetric(law) else " (the law is not symmetric, so another b_dec may do better)"
    )
    value = sympy.simplify(chamber.value.subs(L1, l1))
    end = "on" if chamber.high is sympy.oo else f"to {readable(chamber.high)}"
    return [
        Step(
            "With b_dec = 0, soft-thresholding along each axis of the frame, by one ReLU layer, "
            f"gives for λ from {readable(chamber.low)} {end} the least loss of this code"
            f"{caution}:",
            "L",
            sympy.expand(chamber.value),
            "integrate the soft-threshold loss",
            Numeric("the exact loss of that SAE", "loss of a frame", (law, code),
                    {L1: (low, high)}, unit=unit**2),
        ),
        Step(
            f"At λ = {readable(l1)} this is",
            "L",
            value,
            "put λ in",
            Numeric("the exact loss with the best activations of these atoms",
                    "best activations at", (law, code, l1), tolerance=1e-10, unit=unit**2),
        ),
    ], value  # fmt: skip


def _bound(law: Law, l1: sympy.Expr | None, unit: float) -> list[Step]:
    if l1 is None or not (is_symmetric(law) and is_radial(law)):
        return []
    bound = radial_bound(law, {L1: l1}).value
    return [
        Step(
            "No SAE of any width, with atoms of norm at most 1, has a loss below",
            "B",
            sympy.simplify(bound.subs(L1, l1)),
            "integrate the radial bound",
            Numeric("the numeric radial bound", "lower bound",
                    (law, l1), tolerance=1e-9, unit=unit**2),
        )
    ]  # fmt: skip
