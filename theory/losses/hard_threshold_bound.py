"""What no SAE beats under an l0 penalty: E min(‖x - b‖², λ₀), b = b_dec, at any width.

Proposition. Let every latent that fires cost λ₀. Whatever an SAE's width, atoms, encoder and
architecture, its loss at x is at least min(‖x - b‖², λ₀): if no latent fires, x̂ = b and the
error is ‖x - b‖²; if one does, at least λ₀ is paid. So the loss is at least E min(‖x - b‖², λ₀).

Over b. min(‖x - b‖², λ₀) = ∫_0^λ₀ 1[‖x - b‖² > s] ds, and where the law is a mixture of uniform
laws on segments and parallelograms centred at 0, P(‖x - b‖² ≤ s) is largest at b = 0, as the disc
is convex and symmetric [Anderson1955, theorem 1]. So there no b does better than 0.

Attained. Equality needs, almost surely where ‖x‖² > λ₀, one latent that fires and no error: an
atom along x. On a law of finitely many rays, with an atom along each, a JumpReLU SAE with
W_enc = W_decᵀ, b_enc = 0 and thresholds √λ₀ attains it if no latent fires on another ray, as in an
orthonormal frame and its negatives. On the first data set the diagonal code does, for every λ₀.
`solvers.bounds.hard_threshold_bound` has the bound in floats, for other laws too.
"""

import sympy

from theory.codes.code import Code
from theory.exact.annotations import checked
from theory.exact.errors import InputError
from theory.exact.signs import Witness
from theory.exact.symbols import HEIGHT, RADIUS
from theory.laws.integration import Expectation, expectation
from theory.laws.law import Law
from theory.laws.thresholds import expectation_beyond
from theory.losses.closed_forms import frame_axes
from theory.losses.radial_bound import is_radial, is_symmetric, radial_law


@checked
def hard_threshold_bound(law: Law, witness: Witness) -> Expectation:
    """Return E min(‖x‖², τ²), τ = √λ₀, which no SAE of any width beats under an l0 penalty.

    Parameters
    ----------
    law : Law
        Symmetric under x → -x, of segments from the origin: with the opposite one each makes
        up a centred segment.
    witness : mapping from symbol to number
        A value of τ and of every other symbol in the law.

    Raises
    ------
    InputError
        If the law is another one; for those b = 0 need not be the best.

    Examples
    --------
    On the first data set λ₀ - (√2/3) λ₀^{3/2}, up to λ₀ = 2, from where on all is silent:

    >>> from theory.laws.presets import preset
    >>> [sympy.expand(hard_threshold_bound(preset("shared"), {HEIGHT: sympy.Rational(tau)}).value)
    ...  for tau in ("1/10", "3/2")]
    [-sqrt(2)*tau**3/3 + tau**2, 2/3]
    """
    segments = all(part.cube_dimension == 1 for part in law.every_component)
    if not (segments and is_radial(law) and is_symmetric(law)):
        raise InputError(law.name, "segments from the origin, alike under x → -x")
    radii = radial_law(law)
    everywhere = expectation(radii, lambda r: r[0] ** 2)
    over = HEIGHT**2 - RADIUS**2
    beyond = expectation_beyond(radii, (sympy.S.One,), over, HEIGHT, witness)
    value = sympy.factor(sympy.simplify(everywhere + beyond.value))
    return Expectation(value, beyond.conditions)


def is_attained(law: Law, code: Code) -> bool:
    """Tell whether an orthonormal frame and its negatives attain the bound at every λ₀.

    They do if every component lies on an atom.

    Examples
    --------
    >>> from theory.codes.code import axis_aligned, diagonal
    >>> from theory.laws.presets import preset
    >>> [is_attained(preset("shared"), code) for code in (axis_aligned(), diagonal())]
    [False, True]
    """
    axes = [sympy.Matrix(axis) for axis in frame_axes(code)]
    return is_radial(law) and all(
        any((part.matrix - axis * (axis.T * part.matrix)).is_zero_matrix for axis in axes)
        and any((part.offset - axis * (axis.T * part.offset)).is_zero_matrix for axis in axes)
        for part in law.every_component
    )
