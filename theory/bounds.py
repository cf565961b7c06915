"""Lower bounds on the loss of every SAE, and what attains them.

The radial bound. For atoms with ‖d_i‖ ≤ 1 and activations f ≥ 0 of any encoder, with
t = Σ f_i the triangle inequality gives ‖x - b - Σ f_i d_i‖ ≥ (‖x - b‖ - t)₊, hence

    ‖x - x̂‖² + λ Σ f_i ≥ min_{t ≥ 0} (‖x - b‖ - t)₊² + λ t = h_λ(‖x - b‖).

h_λ(‖·‖) is convex, so b ↦ E h_λ(‖x - b‖) is convex; for a law symmetric under x → -x it is
even too, and b = 0 is best. No width and no encoder enters.
"""

from collections import Counter

import sympy

from theory.codes import Code, dot
from theory.errors import InputError
from theory.integration import Expectation, Piece, piecewise_expectation
from theory.laws import Component, Law
from theory.losses import soft_threshold
from theory.symbols import RADIUS
from theory.witness import Witness


def radial_law(law: Law) -> Law:
    """Return the law of r = ‖x‖ of a law made of points and of segments from the origin.

    Raises
    ------
    InputError
        If a component is of another kind; `solvers.radial_bound` covers those.

    Examples
    --------
    >>> from theory.laws import preset
    >>> radial_law(preset("shared")).components[0].point
    (sqrt(2)*u1,)
    """
    parts = []
    for part in law.components:
        ray = part.cube_dimension == 1 and part.offset.is_zero_matrix
        if not (ray or part.cube_dimension == 0):
            raise InputError(f"{law.name}: expected points and segments from the origin only")
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


def radial_bound(law: Law, witness: Witness) -> Expectation:
    """Return E h_λ(‖x‖), which no SAE with ‖d_i‖ ≤ 1 beats if the law is symmetric.

    Parameters
    ----------
    law : Law
        Of points and segments from the origin.
    witness : mapping from symbol to number
        A value of λ and of every other symbol in the law.

    Examples
    --------
    Beyond λ = 2√2 the zero code wins, at E ‖x‖² = 2/3:

    >>> from theory.laws import preset
    >>> from theory.symbols import L1
    >>> radial_bound(preset("shared"), {L1: sympy.Integer(3)}).value
    2/3
    """
    h = soft_threshold()
    pieces = [
        Piece(lambda r: h.loss_above.subs(RADIUS, r[0]), [lambda r: r[0] - h.threshold]),
        Piece(lambda r: h.loss_below.subs(RADIUS, r[0]), [lambda r: h.threshold - r[0]]),
    ]
    bound = piecewise_expectation(radial_law(law), pieces, witness)
    return Expectation(sympy.factor(bound.value), bound.conditions)


def is_symmetric(law: Law) -> bool:
    """Tell whether x and -x have the same law, comparing components one by one.

    Examples
    --------
    >>> from theory.laws import preset
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
    for part in law.components:
        half = sympy.Rational(1, 2) * sympy.ones(part.cube_dimension, 1)
        centre = sign * (part.offset + part.matrix * half)
        columns = [tuple(part.matrix.col(j)) for j in range(part.cube_dimension)]
        unsigned = Counter(frozenset({col, tuple(-entry for entry in col)}) for col in columns)
        key = (tuple(sympy.simplify(entry) for entry in centre), frozenset(unsigned.items()))
        weights[key] = sympy.simplify(weights.get(key, sympy.Integer(0)) + part.probability)
    return weights


def attains_radial_bound(code: Code, law: Law) -> bool:
    """Tell whether a code is seen to attain the radial bound: one unit atom along every ray.

    Soft-thresholding along that atom alone has loss h_λ(‖x‖) at every x of the ray, and the
    ReLU layer W_enc = W_decᵀ, b_enc = -λ/2 does it if all other atoms are at least 90° off.
    Sufficient, not necessary: False says only that this is not how the code attains it.

    Examples
    --------
    >>> from theory.codes import axis_aligned, diagonal
    >>> from theory.laws import preset
    >>> attains_radial_bound(diagonal(), preset("shared"))
    True
    >>> attains_radial_bound(axis_aligned(), preset("shared"))
    False
    """
    if any(sympy.simplify(dot(atom, atom) - 1) != 0 for atom in code.atoms):
        return False
    for part, radius in zip(law.components, radial_law(law).components, strict=True):
        ray = part.cube_dimension == 1
        length = radius.matrix[0] if ray else radius.offset[0]
        if length == 0:
            continue
        direction = (part.matrix if ray else part.offset) / length
        products = [sympy.simplify(dot(atom, tuple(direction))) for atom in code.atoms]
        along = [product for product in products if product == 1]
        off = [product for product in products if product.is_nonpositive]
        if len(along) != 1 or len(off) != len(products) - 1:
            return False
    return True
