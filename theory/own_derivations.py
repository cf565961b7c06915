"""A derivation for a user's own law and code: support, moments, cost, loss, bound, comparison."""

import sympy

from theory.bounds import is_symmetric, radial_bound
from theory.codes import Code, codes_of
from theory.costs import activation_cost
from theory.derivations import SQUARED, Decided, Derivation, Meaning, Numeric, Step, readable
from theory.errors import InputError
from theory.laws import Law
from theory.losses import frame_loss_for_every_l1
from theory.moments import covariance, mean
from theory.symbols import CUBE, L1

# More parts than this are counted, not listed.
_LISTED = 8


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
    >>> from theory.codes import diagonal
    >>> from theory.laws import preset
    >>> derivation = own_derivation(preset("shared"), diagonal())
    >>> derivation.result
    'The diagonal code costs √2/2 ≈ 0.707107 on shared.'
    """
    if l1 is not None and not (l1.is_number and l1.is_positive):
        raise InputError(f"--l1: expected a number above 0, got {l1}")
    cost = sympy.simplify(activation_cost(code, law).value)
    if cost is sympy.oo:
        raise InputError(f"{code.name}: expected atoms that reach every x of {law.name}")
    steps = [*_support(law), *_moments(law)]
    steps.append(
        Step(
            f"To reconstruct every x exactly with the least activation, the {code.name} code "
            f"of {len(code.atoms)} atoms costs, on average,",
            "C",
            cost,
            "integrate the gauge, a polynomial on each cone, over each cell",
            Numeric("adaptive quadrature of the gauge, found by trying every choice of atoms,",
                    cost, "cost by quadrature", (law, code), tolerance=1e-6),
        )
    )  # fmt: skip
    for other in codes_of(law):
        if other.atoms == code.atoms:
            continue
        theirs = sympy.simplify(activation_cost(other, law).value)
        order = "less than" if theirs > cost else "as much as" if theirs == cost else "more than"
        steps.append(
            Step(
                f"The {other.name} code of {len(other.atoms)} atoms costs",
                "C_other",
                theirs,
                "the same integral",
                Decided(f"the {code.name} code costs {order} that", True),
            )
        )
    steps += _losses(law, code, l1) + _bound(law, l1)
    return Derivation(
        id="own",
        title=f"The {code.name} code on {law.name}",
        summary=(
            f"What the {code.name} code costs on the law {law.name}: its mean activation if "
            f"reconstruction is exact is {readable(cost)} ≈ {float(cost):.6g}."
        ),
        convention=SQUARED,
        symbols=(
            Meaning(CUBE[0], "coordinates of the unit cube, uniform", "0 to 1"),
            *([Meaning(L1, "coefficient of the l1 penalty", "above 0")] if l1 else []),
        ),
        assumptions=(f"The data follow {law.name}, a mixture of points, segments and squares.",),
        steps=tuple(steps),
        result=f"The {code.name} code costs {readable(cost)} ≈ {float(cost):.6g} on {law.name}.",
        validity="Exactly this law and these atoms.",
        falsified_by="A quadrature of the gauge that differs by more than its error.",
        claims=(),
        sources=(),
    )


def _support(law: Law) -> list[Step]:
    parts = law.components
    if len(parts) > _LISTED:
        return [Step(f"The law has {len(parts)} parts; each is an affine image of a cube.")]
    steps = []
    for part in parts:
        kind = ("point", "segment", "parallelogram")[min(part.cube_dimension, 2)]
        steps.append(
            Step(
                f"With probability {readable(part.probability)}, x lies on the {kind}",
                "x",
                sympy.Matrix(part.point),
                "definition",
            )
        )
    return steps


def _moments(law: Law) -> list[Step]:
    spread = covariance(law)
    return [
        Step("The mean of the data is", "m", mean(law), "integrate"),
        Step(
            "and their covariance",
            "Sigma",
            spread,
            "integrate",
            Numeric("the exact second moments of the numeric route", spread.trace(),
                    "trace of the covariance", (law,), tolerance=1e-10),
        ),
    ]  # fmt: skip


def _losses(law: Law, code: Code, l1: sympy.Expr | None) -> list[Step]:
    if l1 is None:
        return []
    try:
        chambers = frame_loss_for_every_l1(code, law)
    except InputError:
        return [
            Step(
                "The atoms are no orthogonal frame of antipodal pairs, so the optimal loss has "
                "no closed form here; `sae-theory check` gives that of an SAE with these atoms."
            )
        ]
    (chamber,) = [c for c in chambers if c.low < l1 <= c.high]
    low, high = max(float(chamber.low), 0.01 * float(l1)), min(float(chamber.high), 2 * float(l1))
    return [
        Step(
            "Soft-thresholding along each axis of the frame, by one ReLU layer, gives for λ from "
            f"{readable(chamber.low)} to {readable(chamber.high)} the least loss of this code,",
            "L",
            sympy.expand(chamber.value),
            "integrate the soft-threshold loss",
            Numeric("the exact loss of that SAE", chamber.value, "loss of a frame", (law, code),
                    {L1: (low, high)}),
        ),
        Step(
            f"At λ = {readable(l1)} this is",
            "L",
            sympy.simplify(chamber.value.subs(L1, l1)),
            "put λ in",
        ),
    ]  # fmt: skip


def _bound(law: Law, l1: sympy.Expr | None) -> list[Step]:
    if l1 is None or not is_symmetric(law):
        return []
    try:
        bound = radial_bound(law, {L1: l1}).value
    except InputError:
        return []
    return [
        Step(
            "No SAE of any width, with atoms of norm at most 1, has a loss below",
            "B",
            sympy.simplify(bound.subs(L1, l1)),
            "integrate the radial bound",
            Numeric("the numeric radial bound", sympy.simplify(bound.subs(L1, l1)), "bound at",
                    (law, l1), tolerance=1e-9),
        )
    ]  # fmt: skip
