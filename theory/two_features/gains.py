"""Two features, two latents: which pair of atoms is optimal, and what each pair gains.

Unit features v1, v2 at an angle θ: v1 alone with probability a, v2 alone with b, both (v1 + v2)
with c, else x = 0. Squared reconstruction, unit atoms, best activations, b_dec = 0.

With the bisector as first axis every point and atom is a unit vector times a length, and a unit
vector at an angle φ is rational in tan(φ/2). So put u = tan(α/2) and w = tan(β/2) for atoms at
α and -β, and t = tan(θ/4) for the features at ±θ/2: all that follows is rational in u, w, t, λ.

Of the activations f of the latents S at x, the best are f = G⁻¹ (D_S x - λ/2) with the Gram
matrix G = D_S D_Sᵀ, and they lower the loss ‖x‖² by the *gain* f·G f. (It is the squared
distance to {y : d_i·y ≤ λ/2 for i in S}.) A choice of S at every point with f ≥ 0 is a choice of
activations, so its loss bounds the optimum from above, and the optimum is one of them: hence it
is a stationary point of the loss of one of these choices. `theory.two_features.phases` proves
which choices can be optimal, and compares them.

Exact reconstruction, the limit λ → 0 of the loss over λ, costs p·E x with p·d1 = p·d2 = 1 for
atoms whose cone holds the data. Widening the cone adds f_i tan h for every radian, h half the
aperture, which is ≥ 0: the narrowest cone is optimal. If a, b > 0, or if both are active with
independent amplitudes, so that every direction between v1 and v2 occurs, it is {v1, v2}, with
b = 0 too in the second case. If b = 0 and both share an amplitude, it is {v1, bisector}.
"""

from functools import cache

import sympy

from theory.exact.symbols import L1, RADIUS, label

#: Tangents of half the angles: of d1 above the bisector, of d2 below, of v1 above.
FIRST_TANGENT, SECOND_TANGENT, FEATURE_TANGENT = label("u"), label("w"), label("t")
#: R = ‖v1 + v2‖ = 2 cos(θ/2), which `both_active_length` gives in t.
BOTH_LENGTH = label("R")
#: Probabilities of v1 alone, v2 alone and both.
FIRST_ALONE, SECOND_ALONE, BOTH = label("a"), label("b"), label("c")

Latents = tuple[int, ...]


def direction(tangent: sympy.Expr) -> sympy.Matrix:
    """Return the unit vector at the angle 2 atan(tangent).

    Examples
    --------
    >>> direction(sympy.Rational(1, 2)).T
    Matrix([[3/5, 4/5]])
    """
    square = tangent**2
    return sympy.Matrix([1 - square, 2 * tangent]) / (1 + square)


def both_active_length() -> sympy.Expr:
    """Return R = ‖v1 + v2‖ = 2 cos(θ/2) in t.

    Examples
    --------
    >>> both_active_length()
    2*(1 - t**2)/(t**2 + 1)
    """
    return 2 * direction(FEATURE_TANGENT)[0]


def _atoms(latents: Latents) -> sympy.Matrix:
    rows = {1: direction(FIRST_TANGENT).T, 2: direction(-SECOND_TANGENT).T}
    return sympy.Matrix.vstack(*[rows[latent] for latent in latents])


@cache
def activations(latents: Latents, tangent: sympy.Expr) -> tuple[sympy.Expr, ...]:
    """Return the best activations of `latents` at a point of length r: G⁻¹ (D x - λ/2).

    Parameters
    ----------
    latents : (), (1,), (2,) or (1, 2)
    tangent : sympy.Expr
        tan(φ/2) of the point's angle φ from the bisector.

    Examples
    --------
    Soft-thresholding along the atom itself:

    >>> activations((1,), FIRST_TANGENT)
    ((-lambda + 2*r)/2,)
    """
    if not latents:
        return ()
    D = _atoms(latents)
    G = (D * D.T).applyfunc(sympy.factor)
    over_threshold = D * RADIUS * direction(tangent) - L1 / 2 * sympy.ones(len(latents), 1)
    return tuple(sympy.factor(f) for f in G.inv() * over_threshold)


@cache
def gain(latents: Latents, tangent: sympy.Expr) -> sympy.Expr:
    """Return f·G f, by which the best activations of `latents` lower the loss ‖x‖².

    Examples
    --------
    A single latent gains (d·x - λ/2)²; both, at r on the bisector, (r - λ/2 · 1/cos h)² if they
    lie symmetrically at angles ±h, here with cos h = 3/5:

    >>> gain((1,), FIRST_TANGENT)
    (-lambda + 2*r)**2/4
    >>> both = gain((1, 2), sympy.Integer(0))
    >>> half = sympy.Rational(1, 2)
    >>> sympy.factor(both.subs({FIRST_TANGENT: half, SECOND_TANGENT: half}))
    (-5*lambda + 6*r)**2/36
    """
    if not latents:
        return sympy.Integer(0)
    D, f = _atoms(latents), sympy.Matrix(activations(latents, tangent))
    return sympy.factor((f.T * D * D.T * f)[0])


def switches_on(latent: int, latents: Latents, tangent: sympy.Expr) -> sympy.Expr:
    """Return the length r at which `latent` joins the others of `latents` along a ray.

    Examples
    --------
    The first latent on a ray is the one whose atom comes up to λ/2; the second, d1 if d2 is
    nearer, at (λ/2) tan h / sin β:

    >>> switches_on(1, (1,), FIRST_TANGENT)
    lambda/2
    >>> h = sympy.atan(FIRST_TANGENT) + sympy.atan(SECOND_TANGENT)
    >>> expected = L1 / 2 * sympy.tan(h) / direction(SECOND_TANGENT)[1]
    >>> sympy.simplify(sympy.expand_trig(switches_on(1, (1, 2), sympy.S(0)) / expected))
    1
    """
    rate = activations(latents, tangent)[latents.index(latent)]
    constant = rate.subs(RADIUS, 0)
    return sympy.factor(-constant / sympy.diff(rate, RADIUS))


@cache
def ray_gain(
    joining: Latents, tangent: sympy.Expr, length: sympy.Expr, uniform: bool
) -> sympy.Expr:
    """Return the mean gain on a ray along which latents join in the order `joining`.

    The latent that joins at r0 does so with activation 0, so what it adds to the gain is a
    quadratic in r that touches 0 there: κ (r - r0)², on average κ (L - r0)³ / (3 L).

    Parameters
    ----------
    joining : (1,), (2,), (1, 2) or (2, 1)
        All have joined before the ray ends.
    tangent : sympy.Expr
        tan(φ/2) of the ray's angle.
    length : sympy.Expr
        L, where it ends.
    uniform : bool
        Whether lengths are uniform up to L; else all are L.

    Examples
    --------
    Along the atom, at λ = 2, the mean of (r - 1)² over r from 1 to 2 is half of 1/3:

    >>> ray_gain((1,), FIRST_TANGENT, sympy.Integer(2), True).subs(L1, 2)
    1/6
    """
    if not uniform:
        return gain(tuple(sorted(joining)), tangent).subs(RADIUS, length)
    total, before = sympy.Integer(0), sympy.Integer(0)
    for count, latent in enumerate(joining, start=1):
        active = tuple(sorted(joining[:count]))
        start = switches_on(latent, active, tangent)
        curvature = sympy.factor(sympy.diff(gain(active, tangent) - before, RADIUS, 2) / 2)
        total += sympy.factor(curvature * (length - start) ** 3 / (3 * length))
        before = gain(active, tangent)
    return total


@cache
def drawn_inwards_gain(uniform: bool) -> sympy.Expr:
    """Return the expected gain if v1 fires d1, v2 fires d2, and both fire d2 and d1.

    With uniform amplitudes d2 is the nearer to the bisector, and joins first.

    Examples
    --------
    With the features as atoms, at a right angle, nothing is shared: each latent gains
    (1 - λ/2)² from every feature, at λ = 1

    >>> right = sympy.tan(sympy.pi / 8)
    >>> features = dict.fromkeys((FIRST_TANGENT, SECOND_TANGENT, FEATURE_TANGENT), right)
    >>> features |= {L1: 1, BOTH_LENGTH: sympy.sqrt(2)}
    >>> sympy.expand(sympy.radsimp(drawn_inwards_gain(False).subs(features)))
    a/4 + b/4 + c/2
    """
    one, bisector = sympy.Integer(1), sympy.Integer(0)
    return (
        FIRST_ALONE * ray_gain((1,), FEATURE_TANGENT, one, uniform)
        + SECOND_ALONE * ray_gain((2,), -FEATURE_TANGENT, one, uniform)
        + BOTH * ray_gain((2, 1), bisector, BOTH_LENGTH, uniform)
    )


@cache
def absorbed_gains(uniform: bool) -> tuple[sympy.Expr, sympy.Expr]:
    """Return what d2 gains from v2 alone and from both, if both fire only d2.

    d1 then serves v1 alone, so it is v1, and the loss is that of a single atom for two points:
    b times the first and c times the second are to be as large as possible.

    Examples
    --------
    >>> alone, both = absorbed_gains(False)
    >>> alone.subs(SECOND_TANGENT, FEATURE_TANGENT).factor()
    (lambda - 2)**2/4
    """
    one, bisector = sympy.Integer(1), sympy.Integer(0)
    return (
        ray_gain((2,), -FEATURE_TANGENT, one, uniform),
        ray_gain((2,), bisector, BOTH_LENGTH, uniform),
    )


def expected_square(uniform: bool) -> sympy.Expr:
    """Return E ‖x‖² = a + b + c R², a third of it if amplitudes are uniform.

    Examples
    --------
    >>> expected_square(False)
    R**2*c + a + b
    """
    return (FIRST_ALONE + SECOND_ALONE + BOTH * BOTH_LENGTH**2) / (3 if uniform else 1)


def exact_reconstruction_cost(uniform: bool = False) -> sympy.Expr:
    """Return E Σ f_i of exact reconstruction, the loss over λ as λ → 0, for any pair.

    It is the slope at λ = 0 of the loss with both latents active everywhere, and holds where the
    cone of the atoms holds the points.

    Examples
    --------
    The features cost a + b + 2c. If b = 0, {v1, bisector} costs a + 2 c cos(θ/2), and is
    the narrowest cone that holds the data; here with cos(θ/2) = 3/5:

    >>> cost = exact_reconstruction_cost().subs(FIRST_TANGENT, FEATURE_TANGENT)
    >>> sympy.factor(cost.subs(SECOND_TANGENT, FEATURE_TANGENT))
    a + b + 2*c
    >>> absorbed = cost.subs({SECOND_TANGENT: 0, SECOND_ALONE: 0})
    >>> absorbed.subs(FEATURE_TANGENT, sympy.Rational(1, 2))
    a + 6*c/5
    """
    points = (
        (FIRST_ALONE, FEATURE_TANGENT, sympy.Integer(1)),
        (SECOND_ALONE, -FEATURE_TANGENT, sympy.Integer(1)),
        (BOTH, sympy.Integer(0), both_active_length()),
    )
    total = sum(
        probability * sum(activations((1, 2), tangent)).subs({L1: 0, RADIUS: length})
        for probability, tangent, length in points
    )
    return total / 2 if uniform else total
