"""TopK codes of few terms: k = 1 and k = 2 in the plane, exactly.

k = 1. With one atom d_i of norm 1 and its best activation (d_i·x)₊ the error is ‖x‖² - (d_i·x)₊²,
so the best that one latent at a time can do is

    E ‖x‖² - E max_i (d_i·x)₊²,

and a TopK SAE with W_enc = W_decᵀ, b_enc = 0 does it: the largest pre-activation is the one.

k = 2. Let d_1, d_2 be any two linearly independent atoms in the plane, with their negatives, and
e_1, e_2 the dual basis, e_i·d_j = δ_ij. With encoder columns ±e_1, ±e_2 and b_enc = 0, of each
pair of opposite latents at most one is positive, so TopK with k = 2 keeps |e_1·x| and |e_2·x|, and
x̂ = (e_1·x) d_1 + (e_2·x) d_2 = x. The loss is 0 on every law, whatever the two angles: a continuum
of optima that says nothing about features. Of a frame the dual basis is the frame itself.
"""

from collections.abc import Callable

import sympy

from theory.codes.code import Code, dot
from theory.codes.code import rotated as rotated_code
from theory.exact.annotations import checked
from theory.exact.errors import InputError
from theory.exact.numbers import Number
from theory.exact.signs import Witness
from theory.exact.symbols import MAGNITUDE_CORRELATION, ONEHOT_PROBABILITY, THETA
from theory.laws.integration import Expectation, Piece, Point, expectation, piecewise_expectation
from theory.laws.law import Law
from theory.laws.one_hot_sets import one_hot_sets

_AT = {
    ONEHOT_PROBABILITY: sympy.Rational(1, 3),
    MAGNITUDE_CORRELATION: sympy.Rational(1, 3),
    THETA: sympy.Rational(1, 5),
}


@checked
def one_term_loss(code: Code, law: Law, witness: Witness | None = None) -> Expectation:
    """Return E ‖x‖² - E max_i (d_i·x)₊², the least loss with one latent at a time.

    Parameters
    ----------
    code : Code
        Of unit atoms with their negatives, so that some d_i·x ≥ 0 everywhere.
    law : Law
        Of cube dimensions k ≤ 2.
    witness : mapping from symbol to number, optional
        Values of the symbols in code and law.

    Raises
    ------
    InputError
        If an atom's norm is not 1 or its negative is missing.

    Examples
    --------
    On the second data set 1/6 for the axes, 1/12 for the diagonal; on the first 1/3 and 0:

    >>> from theory.codes.code import axis_aligned, diagonal
    >>> from theory.laws.presets import preset
    >>> [one_term_loss(code, preset(name)).value
    ...  for name in ("independent", "shared") for code in (axis_aligned(), diagonal())]
    [1/6, 1/12, 1/3, 0]
    """
    atoms = set(code.atoms)
    for atom in code.atoms:
        if tuple(-entry for entry in atom) not in atoms or sympy.simplify(dot(atom, atom)) != 1:
            raise InputError(code.name, "atoms of norm 1 with their negatives")

    def ahead(atom: Point, other: Point) -> Callable[[Point], sympy.Expr]:
        return lambda x: dot([a - b for a, b in zip(atom, other, strict=True)], x)

    def squared(atom: Point) -> Callable[[Point], sympy.Expr]:
        return lambda x: dot(atom, x) ** 2

    pieces = [
        Piece(squared(atom), [ahead(atom, other) for other in code.atoms if other != atom])
        for atom in code.atoms
    ]
    kept = piecewise_expectation(law, pieces, witness)
    whole = expectation(law, lambda x: dot(x, x))
    return Expectation(sympy.factor(sympy.simplify(whole - kept.value)), kept.conditions)


@checked
def rotated_one_term_loss(magnitude_correlation: int) -> sympy.Expr:
    """Return `one_term_loss` of the code at θ in [0, π/4] on a data set, A = 1, in q and θ.

    Parameters
    ----------
    magnitude_correlation : {0, 1}
        1 for the first data set, 0 for the second.

    Examples
    --------
    On the first, (1 - q)(1 - sin 2θ)/3 + q sin²θ/3:

    >>> loss = rotated_one_term_loss(1)
    >>> (loss.subs(ONEHOT_PROBABILITY, 0), sympy.simplify(loss.subs(ONEHOT_PROBABILITY, 1)
    ...  - sympy.sin(THETA)**2 / 3))
    (1/3 - sin(2*theta)/3, 0)
    """
    if magnitude_correlation not in (0, 1):
        raise InputError("magnitude_correlation", "0 or 1", magnitude_correlation)
    # Linear in q; the two ends are simplified apart, which keeps both short.
    found = []
    for q in (0, 1):
        law = one_hot_sets(magnitude_correlation=magnitude_correlation, onehot_probability=q)
        value = one_term_loss(rotated_code(THETA), law, _AT).value
        found.append(_in_double_angle(value))
    together, alone = found
    return (1 - ONEHOT_PROBABILITY) * together + ONEHOT_PROBABILITY * alone


def _in_double_angle(value: sympy.Expr) -> sympy.Expr:
    """Return an expression in θ in sin 2θ and cos 2θ."""
    c = sympy.cos(2 * THETA)
    wide = sympy.expand_trig(value)
    half = wide.subs(sympy.cos(THETA) ** 2, (1 + c) / 2).subs(sympy.sin(THETA) ** 2, (1 - c) / 2)
    return sympy.simplify(half)


@checked
def one_term_tie(code: Code, other: Code, magnitude_correlation: Number) -> sympy.Expr:
    """Return q*, the one-hot probability at which two codes tie with one latent at a time.

    Parameters
    ----------
    code, other : Code
    magnitude_correlation : number in [0, 1] or the symbol f
        Of two antipodal pairs with A = 1.

    Examples
    --------
    Diagonals against axes, from 1/3 on the second data set to 2/3 on the first:

    >>> from theory.codes.code import axis_aligned, diagonal
    >>> sympy.factor(one_term_tie(axis_aligned(), diagonal(), MAGNITUDE_CORRELATION))
    (3*f + 1)/(3*(f + 1))
    """
    law = one_hot_sets(
        magnitude_correlation=magnitude_correlation, onehot_probability=ONEHOT_PROBABILITY
    )
    one, two = (one_term_loss(each, law, _AT).value for each in (code, other))
    slope, constant = sympy.Poly(sympy.expand(one - two), ONEHOT_PROBABILITY).all_coeffs()
    return sympy.cancel(-constant / slope)


@checked
def two_term_encoder(code: Code) -> sympy.Matrix:
    """Return W_enc (d, 4) with which TopK, k = 2, reconstructs every x of the plane.

    Parameters
    ----------
    code : Code
        Atoms d_1, -d_1, d_2, -d_2 in the plane, d_1 and d_2 linearly independent.

    Raises
    ------
    InputError
        If the atoms are not such a code.

    Examples
    --------
    Atoms along e1 and e1 + e2, of x = (x1, x2) the activations x1 - x2 and x2:

    >>> two_term_encoder(Code("oblique", [(1, 0), (-1, 0), (1, 1), (-1, -1)]))
    Matrix([
    [ 1, -1, 0,  0],
    [-1,  1, 1, -1]])
    """
    rows = sympy.Matrix(code.atoms)
    if rows.shape != (4, 2) or not (
        (rows[0, :] + rows[1, :]).is_zero_matrix and (rows[2, :] + rows[3, :]).is_zero_matrix
    ):
        raise InputError(code.name, "atoms d1, -d1, d2, -d2 in the plane")
    basis = sympy.Matrix.vstack(rows[0, :], rows[2, :])
    if sympy.simplify(basis.det()) == 0:
        raise InputError(code.name, "d1 and d2 that are linearly independent")
    dual = sympy.simplify(basis.inv())
    return sympy.Matrix.hstack(dual[:, 0], -dual[:, 0], dual[:, 1], -dual[:, 1])
