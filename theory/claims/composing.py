"""Claims of this package's own: is composing features a matter of L1?

The discussion is about an l1 penalty. These claims ask its question of an l0 penalty, of TopK and
of Matryoshka prefixes, on the same two data sets; they are no one else's, and each is proved here.
"""

from functools import cache

import sympy

from theory.claims.claim import Claim, Finding, Quantity, Verdict, require
from theory.claims.cost_proofs import SAMPLE_L1
from theory.codes.code import Code, axis_aligned, diagonal
from theory.exact.symbols import (
    HEIGHT,
    L1,
    MAGNITUDE_CORRELATION,
    ONEHOT_PROBABILITY,
    PHI,
    THETA,
)
from theory.laws.moments import covariance
from theory.laws.presets import preset
from theory.losses.best_terms import (
    one_term_loss,
    one_term_tie,
    rotated_one_term_loss,
    two_term_encoder,
)
from theory.losses.closed_forms import Chamber, frame_loss_for_every_l1
from theory.losses.hard_threshold_bound import hard_threshold_bound, is_attained
from theory.losses.hard_thresholds import (
    hard_threshold_loss,
    hard_threshold_loss_for_every_height,
    hard_threshold_tie,
    hard_threshold_tie_series,
)
from theory.losses.prefixes import best_shifted_frame, prefix_frame_loss, prefix_losses
from theory.losses.radial_bound import is_symmetric
from theory.losses.rotated_codes import rotated_hard_threshold_loss

#: τ = √λ₀ at which l0 losses are compared with numbers: λ₀ = 1/100.
SAMPLE_HEIGHT = sympy.Rational(1, 10)
#: Values of τ at which the bound is: small, large, and beyond √2, where all is silent.
SAMPLE_HEIGHTS = (SAMPLE_HEIGHT, sympy.S.One, sympy.Rational(3, 2))
#: A one-hot probability at which the best frame of one latent at a time lies in between.
SAMPLE_ONEHOT = sympy.Rational(1, 4)
#: Angles of two atoms that are no frame.
SAMPLE_ANGLES = {THETA: sympy.Rational(1, 5), PHI: sympy.Rational(3, 2)}
#: The axes of the two shifted frames that are compared: v along a feature, and between two.
ACROSS = {
    "axis-aligned": (sympy.S.Zero, sympy.S.One),
    "diagonal": (sympy.sqrt(2) / 2, sympy.sqrt(2) / 2),
}
_PLACE = "own result of this package"
_NAMES = ("shared", "independent")


def optimum_under_l0() -> Finding:
    """The diagonal code attains E min(‖x‖², λ₀), which no SAE beats, for every λ₀."""
    law = preset("shared")
    require(is_symmetric(law), "each segment has its opposite, so b = 0 is best in the bound")
    require(is_attained(law, diagonal()), "every x lies on an atom of the diagonal code")
    quantities = []
    for height in SAMPLE_HEIGHTS:
        bound = hard_threshold_bound(law, {HEIGHT: height}).value
        loss = hard_threshold_loss(diagonal(), law, {HEIGHT: height}).value
        require(sympy.simplify(bound - loss) == 0, f"bound = loss around τ = {height}")
        quantities.append(Quantity(f"least loss at √λ₀ = {height}", bound, {HEIGHT: height}))
    return Finding(
        Verdict.HOLDS,
        "λ₀ - (√2/3) λ₀^(3/2) up to λ₀ = 2 (A = 1), from where on the zero code is as good; no "
        "width, encoder, architecture or b_dec does better",
        tuple(quantities),
    )


def slope_written_positive(name: str, chamber: int) -> sympy.Expr:
    """Return -dL/dθ of a frame under an l0 penalty in symbols that are positive there.

    In the first chamber τ is below w = cos θ - sin θ; in the second τ = w + e, and
    r = cos θ + sin θ - τ is positive. Beyond, all is silent.

    Parameters
    ----------
    name : {"shared", "independent"}
    chamber : {0, 1}

    Raises
    ------
    ProofError
        If it is not the derivative.

    Examples
    --------
    >>> slope_written_positive("independent", 0).is_positive
    True
    """
    (chambers,) = _sectors(name)
    w, s, e, r = sympy.symbols("w s e r", positive=True, cls=sympy.Dummy)
    cosine, total = w + s, w + 2 * s
    height = w + e if chamber else HEIGHT
    third = sympy.Rational(1, 3)
    written = {
        ("shared", 0): 4 * third * height**3 * s * (3 * cosine**2 + s**2) / (w * total) ** 2,
        ("shared", 1): 2 * third * w * r * (total**2 + total * height + height**2) / total**2,
        ("independent", 0): 4 * third * height**3 * s / cosine**2,
        ("independent", 1): third * w * r**2 / (2 * cosine * s) ** 2
        * (4 * w**2 * s + 2 * w * e * (2 * w + 6 * s) + 3 * total * e**2),
    }[name, chamber]  # fmt: skip
    sine, across = sympy.sin(THETA), sympy.cos(THETA) - sympy.sin(THETA)
    back = {w: across, s: sine, e: HEIGHT - across, r: across + 2 * sine - HEIGHT}
    slope = sympy.diff(chambers[chamber].value, THETA) + written.subs(back, simultaneous=True)
    # A quotient of polynomials in cos θ and sin θ, whose squares add up to 1.
    c = sympy.cos(THETA)
    quotient = sympy.together(sympy.expand_trig(slope).subs(sympy.tan(THETA), sine / c))
    remainder = sympy.rem(sympy.expand(sympy.numer(quotient)), c**2 + sine**2 - 1, c)
    require(
        sympy.expand(remainder) == 0,
        f"the derivative by θ on {name}, chamber {chamber + 1}",
    )
    return written


@cache
def _sectors(name: str) -> tuple[tuple[Chamber, ...], ...]:
    return tuple(sector.chambers for sector in rotated_hard_threshold_loss(preset(name)))


def best_rotation_under_l0() -> Finding:
    """-dL/dθ is positive on every chamber of τ, on both data sets."""
    for name in _NAMES:
        for chamber in (0, 1):
            require(
                slope_written_positive(name, chamber).is_positive,
                f"the loss falls with θ on {name}, chamber {chamber + 1}",
            )
    at = {HEIGHT: SAMPLE_HEIGHT}
    losses = {
        (name, code.name): hard_threshold_loss(code, preset(name), at).value
        for name in _NAMES
        for code in (diagonal(), axis_aligned())
    }
    return Finding(
        Verdict.HOLDS,
        "for every λ₀ below 2 (A = 1), the loss of four atoms falls towards 45° wherever any of "
        "them fires; on the second data set only at order λ₀^(3/2): 2λ₀ - (4√2/3) λ₀^(3/2) + "
        "λ₀²/2 against 2λ₀ - (4/3) λ₀^(3/2)",
        tuple(
            Quantity(f"loss of the {code} code, {name}", value, at)
            for (name, code), value in losses.items()
        ),
    )


def persists_under_l0() -> Finding:
    """The ties q*(τ) of the two codes: from 1/2 on the first data set, from 0 on the second."""
    ties = [hard_threshold_tie(axis_aligned(), diagonal(), f) for f in (1, 0, "1/2")]
    series = [hard_threshold_tie_series(axis_aligned(), diagonal(), f, 2) for f in (1, 0)]
    require(series[0].subs(HEIGHT, 0) == sympy.Rational(1, 2), "the first tie begins at 1/2")
    require(series[1].subs(HEIGHT, 0) == 0, "the second tie begins at 0")
    growth = 4 * (sympy.sqrt(2) - 1) / 3 * HEIGHT
    require(sympy.expand(series[1] - growth) == 0, "and grows like 4 (√2 - 1) τ/3")
    axes, diagonals = (
        hard_threshold_loss_for_every_height(code, preset("independent"))
        for code in (axis_aligned(), diagonal())
    )
    # Up to τ = 1 the one's first formula holds, up to √2 the other's.
    below, beyond = (
        sympy.Poly(one.value - diagonals[0].value, HEIGHT, extension=True)
        for one in (axes[0], axes[1])
    )
    inside = [root for root in below.real_roots() if 0 < root < 1]
    inside += [root for root in beyond.real_roots() if 1 < root < sympy.sqrt(2)]
    require(not inside and below.eval(SAMPLE_HEIGHT) > 0, "on it the diagonal wins if q = 0")
    at = {HEIGHT: SAMPLE_HEIGHT}
    return Finding(
        Verdict.UNDER_A_READING,
        "on the first data set while the one-hot probability is below a tie that begins at 1/2 "
        "for λ₀ → 0; on the second at q = 0, but with one-hot samples only below "
        "4 (√2 - 1) √λ₀/3, to first order: any share of them turns it round as λ₀ → 0, where an "
        "l1 penalty keeps a tie of (10 - 6√2)/7",
        (
            Quantity("q* under l0, first data set", ties[0], at),
            Quantity("q* under l0, second data set", ties[1], at),
            Quantity("q* under l0, f = 1/2", ties[2], at),
        ),
    )


def one_at_a_time() -> Finding:
    """With k = 1 the losses fall from 0° to 45°; they tie at (1 + 3f)/(3 + 3f)."""
    on_first, on_second = (rotated_one_term_loss(f) for f in (1, 0))
    double = sympy.Dummy("s", positive=True)
    for name, loss, written in (
        ("shared", on_first, (1 - double) / 3),
        ("independent", on_second, (1 + double - double**2) / (6 * (1 + double))),
    ):
        there = written.subs(double, sympy.sin(2 * THETA))
        together = loss.subs(ONEHOT_PROBABILITY, 0)
        require(sympy.simplify(together - there) == 0, f"the loss on {name} in sin 2θ")
        slope = sympy.factor(sympy.diff(written, double))
        require(slope.is_negative, f"it falls with sin 2θ on {name}")
    f = MAGNITUDE_CORRELATION
    tie = one_term_tie(axis_aligned(), diagonal(), f)
    require(sympy.simplify(tie - (1 + 3 * f) / (3 + 3 * f)) == 0, "the tie")
    q = ONEHOT_PROBABILITY
    turned = on_first.subs(sympy.sin(THETA) ** 2, (1 - sympy.cos(2 * THETA)) / 2)
    # tan 2θ = 2 (1 - q)/q.
    length = sympy.sqrt(4 * (1 - q) ** 2 + q**2)
    best = {sympy.sin(2 * THETA): 2 * (1 - q) / length, sympy.cos(2 * THETA): q / length}
    slope = sympy.diff(turned, THETA).subs(best)
    require(sympy.simplify(slope) == 0, "stationary in between")
    least = sympy.simplify(turned.subs(best))
    return Finding(
        Verdict.HOLDS,
        "0 against 1/3 on the first data set, 1/12 against 1/6 on the second, falling all the "
        "way; with one-hot samples the two codes tie at q = (1 + 3f)/(3 + 3f), and on the first "
        "the best angle lies in between, tan 2θ = 2 (1 - q)/q",
        (
            _of_one_term(diagonal(), "independent"),
            _of_one_term(axis_aligned(), "independent"),
            _of_one_term(diagonal(), "shared"),
            Quantity("q* of one latent at a time", tie, {f: sympy.Rational(1, 2)}),
            Quantity("loss at the best angle, shared", least, {q: SAMPLE_ONEHOT}),
        ),
    )


def _of_one_term(code: Code, name: str) -> Quantity:
    value = one_term_loss(code, preset(name)).value
    return Quantity(f"loss of the {code.name} code, k = 1, {name}", value)


def oblique(one: sympy.Expr, other: sympy.Expr) -> Code:
    """Return the code of atoms at two angles, and their negatives.

    Examples
    --------
    >>> oblique(sympy.S.Zero, sympy.pi / 2).atoms
    ((1, 0), (-1, 0), (0, 1), (0, -1))
    """
    atoms = []
    for angle in (one, other):
        atom = sympy.cos(angle), sympy.sin(angle)
        atoms += [atom, tuple(-entry for entry in atom)]
    return Code(f"atoms at {one} and {other}", atoms)


def two_at_a_time() -> Finding:
    """Any two independent atoms and their negatives reconstruct everything with k = 2."""
    code = oblique(THETA, PHI)
    encoder, atoms = two_term_encoder(code), sympy.Matrix(code.atoms)
    kept = sympy.simplify(encoder[:, [0, 2]] * atoms[[0, 2], :])
    require(kept == sympy.eye(2), "(e_1·x) d_1 + (e_2·x) d_2 = x")
    require(
        encoder[:, 1] == -encoder[:, 0] and encoder[:, 3] == -encoder[:, 2],
        "of opposite latents one is positive, so TopK keeps both terms",
    )
    return Finding(
        Verdict.FAILS,
        "any two linearly independent atoms and their negatives have the loss 0, on every law in "
        "the plane: the optima are a continuum of two angles, the true features and the composed "
        "among them",
        tuple(Quantity(f"loss of two oblique pairs, k = 2, {name}", sympy.S.Zero)
              for name in _NAMES),
    )  # fmt: skip


def prefixes_and_angles() -> Finding:
    """With b_dec = 0 prefixes are blind to angles; with b_dec free the axes win as λ → 0."""
    at, quantities = {L1: SAMPLE_L1}, []
    for name in _NAMES:
        law = preset(name)
        require(covariance(law) == sympy.eye(2) / 3, "the covariance is a multiple of I")
        require(is_symmetric(law), "x and -x have the same law")
        losses = {prefix_losses(code, law) for code in (axis_aligned(), diagonal())}
        require(len(losses) == 1, "each prefix has one loss for both codes")
        with_l1 = [prefix_frame_loss(code, law, at).value for code in (axis_aligned(), diagonal())]
        at_zero = {sympy.limit(value, L1, 0) for value in with_l1}
        require(at_zero == {sympy.Rational(5, 6)}, "5/6 for both codes as λ → 0")
        # What is left is a sum of losses without prefixes, at λ/3, λ/2 and λ.
        plain = [frame_loss_for_every_l1(code, law)[0].value
                 for code in (axis_aligned(), diagonal())]  # fmt: skip
        for found, once in zip(with_l1, plain, strict=True):
            parts = (
                (sympy.Rational(3, 4), 3),
                (sympy.Rational(1, 2), 2),
                (sympy.Rational(1, 2), 1),
            )
            total = sum(weight * once.subs(L1, L1 / n) for weight, n in parts)
            require(sympy.expand(found - total) == sympy.Rational(5, 6), "it is such a sum")
        quantities.append(
            Quantity(f"diagonal code, b_dec = 0, prefixes 1, 2, 4, {name}", with_l1[1], at)
        )
        best = {code: best_shifted_frame(axis, law).loss for code, axis in ACROSS.items()}
        require(sympy.N(best["axis-aligned"] - best["diagonal"], 30) < 0, "the axes win then")
        require(sympy.N(best["diagonal"], 30) < sympy.Rational(5, 6), "and both gain by moving b")
        quantities += [
            Quantity(f"{code} code, b_dec moved, λ → 0, {name}", value)
            for code, value in best.items()
        ]
    return Finding(
        Verdict.UNDER_A_READING,
        "if b_dec is free: as λ → 0 a frame that b_dec moves costs 8 - 16√2/3 along the axes, on "
        "both data sets, and more along the diagonals. With b_dec = 0 every frame has the prefix "
        "losses 1/2, 1/3 and 0, in any order of latents, and the l1 penalty decides as it does "
        "without prefixes, for the diagonal code",
        tuple(quantities),
    )


COMPOSING: tuple[Claim, ...] = (
    Claim(
        "l0-optimum",
        "Under an l0 penalty, too, the diagonal code is the optimum on the first data set, at "
        "every width.",
        _PLACE,
        optimum_under_l0,
    ),
    Claim(
        "l0-rotations",
        "Under an l0 penalty the diagonal code is the best of all rotations on both data sets.",
        _PLACE,
        best_rotation_under_l0,
    ),
    Claim(
        "l0-persistence",
        "Composed features persist under an l0 penalty.",
        _PLACE,
        persists_under_l0,
    ),
    Claim(
        "topk-one",
        "With one latent at a time (TopK, k = 1) the diagonal code is the best of all rotations "
        "on both data sets.",
        _PLACE,
        one_at_a_time,
    ),
    Claim(
        "topk-two",
        "TopK with as many latents as there are active features (k = 2) tells true features from "
        "composed ones.",
        _PLACE,
        two_at_a_time,
    ),
    Claim(
        "matryoshka-prefixes",
        "Matryoshka prefixes of 1, 2 and 4 latents undo composing on the two data sets.",
        f"{_PLACE}; prefixes as in [Bussmann2025]",
        prefixes_and_angles,
    ),
)
