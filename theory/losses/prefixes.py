"""Matryoshka prefixes and rotated frames: what charging the first latents alone does to angles.

With b = b_dec the first m latents reconstruct x̂_m = b + Σ_{i≤m} f_i d_i, and the reconstruction is
Σ_m E ‖x - x̂_m‖² over the prefixes m [Bussmann2025]. Let latent i be in n_i of the r prefixes.

Frames, b = 0. Over the atoms ±u_k of an orthonormal frame, opposite latents never firing together,
‖x - x̂_m‖² = ‖x‖² - Σ_{i≤m} (2 f_i d_i·x - f_i²), so that with an l1 penalty each latent has a
problem of its own, (r - n_i) t² + n_i (t - f_i)² + λ f_i at t = (d_i·x)₊, whose best activation is
(t - λ/(2 n_i))₊: one ReLU layer with b_enc = -λ/(2 n_i) has it. As λ → 0 what counts is
E (d_i·x)₊², half the variance along d_i of a law symmetric under x → -x: where the covariance is a
multiple of the identity, no prefix tells one angle, or one order of latents, from another.

Frames that b_dec moves. Latent 1 with f = u·x + B' never lets go of u, if b holds -B' u and B' is
large enough; latent 2 with f = (v·x + B)₊ has most of v, if b holds -B v; and latent 3 with
f = (-v·x - B)₊ the rest. The prefixes (1, 2, 4) then cost

    E (v·x + B)² + E (-v·x - B)₊² + 0,

whose minimum over B is where B + E v·x = E (-v·x - B)₊: it is convex. No λ is in it: it is the
limit λ → 0, and it does depend on the angle.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sympy

from theory.codes.code import Atom, Code, dot
from theory.exact.annotations import checked
from theory.exact.arguments import check_whole
from theory.exact.errors import InputError
from theory.exact.signs import Witness, sign_of
from theory.exact.symbols import L1, RADIUS, SHIFT
from theory.laws.integration import Expectation, expectation
from theory.laws.law import Law
from theory.laws.thresholds import corner_values, expectation_beyond
from theory.losses.closed_forms import frame_axes

#: The prefixes of four latents.
PREFIXES = (1, 2, 4)


@checked
def prefix_losses(code: Code, law: Law) -> tuple[sympy.Expr, ...]:
    """Return E ‖x - Σ_{i≤m} f_i d_i‖² for m = 0, ..., 2d of a frame with f_i = (d_i·x)₊.

    Parameters
    ----------
    code : Code
        Of 2d unit atoms in orthogonal antipodal pairs; their order is that of the latents.
    law : Law

    Examples
    --------
    >>> from theory.codes.code import axis_aligned, diagonal
    >>> from theory.laws.presets import preset
    >>> prefix_losses(axis_aligned(), preset("shared"))
    (2/3, 1/2, 1/3, 1/6, 0)
    >>> prefix_losses(diagonal(), preset("independent"))
    (2/3, 1/2, 1/3, 1/6, 0)
    """
    frame_axes(code)
    left = [expectation(law, lambda x: dot(x, x))]
    for atom in code.atoms:
        kept = expectation_beyond(law, atom, RADIUS**2, sympy.S.Zero).value
        left.append(sympy.simplify(left[-1] - kept))
    return tuple(left)


@checked
def prefix_frame_loss(
    code: Code, law: Law, witness: Witness, prefixes: Sequence[int] = PREFIXES
) -> Expectation:
    """Return the least loss of a frame, Σ_m E ‖x - x̂_m‖² + λ E Σ f_i, with b_dec = 0.

    It is Σ_i E [(r - n_i) t² + n_i h_{λ/n_i}(t)] at t = (d_i·x)₊, with h of
    `theory.losses.closed_forms.soft_threshold`.

    Parameters
    ----------
    code : Code
        Of 2d unit atoms in orthogonal antipodal pairs; their order is that of the latents.
    law : Law
    witness : mapping from symbol to number
        A value of λ and of every other symbol in code and law.
    prefixes : sequence of int
        Increasing numbers of latents, the last all of them.

    Raises
    ------
    InputError
        If the atoms are no such frame, or the prefixes no such numbers.

    Examples
    --------
    The same as λ → 0, the diagonal cheaper from then on:

    >>> from theory.codes.code import axis_aligned, diagonal
    >>> from theory.laws.presets import preset
    >>> at = {L1: sympy.Rational(1, 10)}
    >>> [sympy.expand(prefix_frame_loss(code, preset("shared"), at).value)
    ...  for code in (axis_aligned(), diagonal())]
    [85*lambda**3/1728 - 17*lambda**2/48 + lambda + 5/6,
     85*sqrt(2)*lambda**3/6912 - 17*lambda**2/96 + sqrt(2)*lambda/2 + 5/6]
    """
    frame_axes(code)
    counts = prefix_counts(prefixes, len(code.atoms))
    whole = expectation(law, lambda x: dot(x, x))
    total, conditions = len(prefixes) * whole, frozenset[sympy.Expr]()
    for atom, n in zip(code.atoms, counts, strict=True):
        gain = L1 * RADIUS - L1**2 / (4 * n) - n * RADIUS**2
        beyond = expectation_beyond(law, atom, gain, L1 / (2 * n), witness)
        total += beyond.value
        conditions |= beyond.conditions
    return Expectation(sympy.factor(sympy.simplify(sympy.expand(total))), conditions)


def prefix_counts(prefixes: Sequence[int], n_latents: int) -> tuple[int, ...]:
    """Return n_i, the number of prefixes that hold latent i.

    Raises
    ------
    InputError
        Unless the prefixes increase up to the number of latents.

    Examples
    --------
    >>> prefix_counts((1, 2, 4), 4)
    (3, 2, 1, 1)
    """
    sizes = [check_whole("prefixes", m, 1, n_latents) for m in prefixes]
    if sizes != sorted(set(sizes)) or sizes[-1:] != [n_latents]:
        raise InputError("prefixes", f"increasing numbers up to {n_latents}", tuple(prefixes))
    return tuple(sum(i < m for m in sizes) for i in range(n_latents))


@dataclass(frozen=True)
class ShiftedFrame:
    """A frame whose b_dec is moved, at its best shift, as λ → 0.

    Parameters
    ----------
    shift : sympy.Expr
        B, how far b_dec is moved against v.
    loss : sympy.Expr
        The prefixes' losses, summed.
    """

    shift: sympy.Expr
    loss: sympy.Expr


@checked
def shifted_prefix_loss(axis: Atom, law: Law, witness: Witness | None = None) -> Expectation:
    """Return E (v·x + B)² + E (-v·x - B)₊², the prefixes' losses of a frame that b_dec moves.

    Parameters
    ----------
    axis : tuple of sympy.Expr
        v; the first latent has the axis across it.
    law : Law
    witness : mapping from symbol to number, optional
        A value of B, by default a small one, and of every other symbol in axis and law.

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> sympy.expand(shifted_prefix_loss((0, 1), preset("shared")).value)
    -B**3/6 + 3*B**2/2 - B/2 + 1/2
    """
    at = {SHIFT: sympy.Rational(1, 100), **(witness or {})}
    straight = expectation(law, lambda x: (dot(axis, x) + SHIFT) ** 2)
    away = tuple(-entry for entry in axis)
    rest = expectation_beyond(law, away, (RADIUS - SHIFT) ** 2, SHIFT, at)
    return Expectation(sympy.factor(sympy.simplify(straight + rest.value)), rest.conditions)


@checked
def best_shifted_frame(axis: Atom, law: Law) -> ShiftedFrame:
    """Return the best shift of a frame and its loss, of a numeric law symmetric under x → -x.

    The loss is convex in B; its minimum is the root of the derivative in the first interval on
    which it is one polynomial, which is required to be there.

    Parameters
    ----------
    axis : tuple of sympy.Expr
        v, of numbers.
    law : Law

    Raises
    ------
    InputError
        If the minimum lies beyond that interval.

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> best = best_shifted_frame((0, 1), preset("independent"))
    >>> best.shift, best.loss
    (3 - 2*sqrt(2), 8 - 16*sqrt(2)/3)
    """
    corners = {sympy.Abs(v) for part in law.every_component for v in corner_values(part, axis)}
    end = min((corner for corner in corners if sign_of(corner) > 0), key=float)
    value = shifted_prefix_loss(axis, law, {SHIFT: sympy.Rational(sympy.N(end / 2, 6))}).value
    slope = sympy.Poly(sympy.diff(value, SHIFT), SHIFT, extension=True)
    roots = sympy.roots(slope, SHIFT, cubics=False) if slope.degree() < 3 else {}
    candidates = list(roots) or sympy.real_roots(slope)
    inside = [root for root in candidates if 0 < sympy.N(root, 20) < sympy.N(end, 20)]
    if len(inside) != 1:
        raise InputError(law.name, "a law whose best shift is below its first corner", len(inside))
    shift = sympy.radsimp(sympy.sqrtdenest(inside[0]))
    return ShiftedFrame(shift, sympy.expand(value.subs(SHIFT, shift)))
