"""Lower bounds on the loss of every SAE, and what attains them.

The radial bound. For atoms with ‖d_i‖ ≤ 1 and activations f ≥ 0 of any encoder, with
t = Σ f_i the triangle inequality gives ‖x - b - Σ f_i d_i‖ ≥ (‖x - b‖ - t)₊, hence

    ‖x - x̂‖² + λ Σ f_i ≥ min_{t ≥ 0} (‖x - b‖ - t)₊² + λ t = h_λ(‖x - b‖).

h_λ(‖·‖) is convex, so b ↦ E h_λ(‖x - b‖) is convex; for a law symmetric under x → -x it is
even too, and b = 0 is best. No width, no encoder and no dimension enters. For a decoder-norm
penalty read f_i ‖d_i‖ for f_i: the bound holds for atoms of any norm. For the relative
reconstruction the same argument gives min_t (r - t)₊²/r² + λ t = λ r - λ² r²/4, or 1 beyond
r = 2/λ. What attains the bound is in `theory.losses.attained_bound`.
"""

from collections import Counter

import sympy

from theory.exact.annotations import checked
from theory.exact.errors import InputError
from theory.exact.signs import Witness
from theory.exact.symbols import RADIUS
from theory.laws.integration import Expectation, expectation
from theory.laws.law import Component, Law
from theory.laws.thresholds import expectation_beyond
from theory.losses.closed_forms import soft_threshold
from theory.losses.relative_loss import relative_soft_threshold


def radial_law(law: Law) -> Law:
    """Return the law of r = ‖x‖ of a law made of points and of segments from the origin.

    Raises
    ------
    InputError
        If a component is of another kind; `solvers.bounds.radial_bound` covers those.

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> radial_law(preset("shared")).components[0].point
    (sqrt(2)*u1,)
    """
    if not is_radial(law):
        raise InputError(law.name, "points and segments from the origin only")
    parts = []
    for part in law.every_component:
        ray = part.cube_dimension == 1
        length = sympy.simplify((part.matrix if ray else part.offset).norm())
        zero = sympy.Integer(0)
        parts.append(
            Component(
                part.probability,
                sympy.ImmutableMatrix([[length]] if ray else sympy.zeros(1, 0)),
                sympy.ImmutableMatrix([[zero if ray else length]]),
            )
        )
    return Law(tuple(parts), f"norm of {law.name}")


def is_radial(law: Law) -> bool:
    """Tell whether a law is made of points and of segments from the origin.

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> is_radial(preset("shared")), is_radial(preset("independent"))
    (True, False)
    """
    return all(
        part.cube_dimension == 0 or (part.cube_dimension == 1 and part.offset.is_zero_matrix)
        for part in law.every_component
    )


@checked
def radial_bound(law: Law, witness: Witness, reconstruction: str = "squared") -> Expectation:
    """Return E h_λ(‖x‖), which no SAE with ‖d_i‖ ≤ 1 beats if the law is symmetric.

    Parameters
    ----------
    law : Law
        Of points and segments from the origin.
    witness : mapping from symbol to number
        A value of λ and of every other symbol in the law.
    reconstruction : {"squared", "relative"}

    Examples
    --------
    Beyond λ = 2√2 the zero code wins, at E ‖x‖² = 2/3:

    >>> from theory.laws.presets import preset
    >>> from theory.exact.symbols import L1
    >>> radial_bound(preset("shared"), {L1: sympy.Integer(3)}).value
    2/3
    >>> radial_bound(preset("shared"), {L1: sympy.Rational(1, 10)}, "relative").value
    -lambda*(lambda - 3*sqrt(2))/6
    """
    if reconstruction == "relative":
        # It is the large r that are given up.
        h = relative_soft_threshold()
        near, far = h.loss_above, h.loss_below
    else:
        h = soft_threshold()
        near, far = h.loss_below, h.loss_above
    radii = radial_law(law)
    everywhere = expectation(radii, lambda r: near.subs(RADIUS, r[0]))
    beyond = expectation_beyond(radii, (sympy.S.One,), far - near, h.threshold, witness)
    return Expectation(sympy.factor(sympy.simplify(everywhere + beyond.value)), beyond.conditions)


def is_symmetric(law: Law) -> bool:
    """Tell whether x and -x have the same law, comparing components one by one.

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> is_symmetric(preset("independent"))
    True
    """
    return _weights(law, 1) == _weights(law, -1)


def _weights(law: Law, sign: int) -> dict[tuple[object, ...], sympy.Expr]:
    """Return the probability of each component, told apart by centre and unsigned columns.

    u → 1 - u turns a column over without changing the law, so columns are taken up to sign,
    and in any order.
    """
    weights: dict[tuple[object, ...], sympy.Expr] = {}
    for part in law.every_component:
        half = sympy.Rational(1, 2) * sympy.ones(part.cube_dimension, 1)
        centre = sign * (part.offset + part.matrix * half)
        columns = [tuple(part.matrix.col(j)) for j in range(part.cube_dimension)]
        unsigned = Counter(frozenset({col, tuple(-entry for entry in col)}) for col in columns)
        key = (tuple(sympy.simplify(entry) for entry in centre), frozenset(unsigned.items()))
        weights[key] = sympy.simplify(weights.get(key, sympy.Integer(0)) + part.probability)
    return weights
