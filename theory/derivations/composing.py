"""The derivation that asks whether composing features is a matter of L1."""

import sympy

from theory.claims.composing import ACROSS, oblique, slope_written_positive
from theory.claims.cost_proofs import SAMPLE_L1
from theory.codes.code import axis_aligned, diagonal
from theory.codes.costs import tie_probability
from theory.derivations.derivation import (
    Decided,
    Derivation,
    Meaning,
    Numeric,
    Step,
    Symbolic,
    readable,
)
from theory.derivations.losses import PENALTY
from theory.exact.symbols import (
    HEIGHT,
    L0,
    L1,
    MAGNITUDE_CORRELATION,
    ONEHOT_PROBABILITY,
    PHI,
    SHIFT,
    THETA,
)
from theory.laws.presets import preset
from theory.losses.best_terms import one_term_tie, rotated_one_term_loss, two_term_encoder
from theory.losses.hard_threshold_bound import hard_threshold_bound, is_attained
from theory.losses.hard_thresholds import (
    hard_threshold_loss,
    hard_threshold_tie,
    hard_threshold_tie_series,
    in_l0,
)
from theory.losses.prefixes import (
    best_shifted_frame,
    prefix_frame_loss,
    prefix_losses,
    shifted_prefix_loss,
)
from theory.losses.rotated_codes import rotated_hard_threshold_loss

_SMALL = sympy.Rational(1, 10)
_BOTH = (("shared", 1, "first"), ("independent", 0, "second"))


def composing() -> Derivation:
    """What L1, L0, TopK and Matryoshka prefixes charge four atoms at every angle."""
    steps = [*_under_l1(), *_under_l0(), *_top_k(), *_prefixes()]
    return Derivation(
        id="composing",
        title="Is composing a matter of L1?",
        summary=(
            "No, but how firmly it stands is. On data whose features share their magnitude the "
            "diagonal code wins under L1, under L0, where it is even the optimum at every width, "
            "and under TopK with k = 1. On data whose features are independent, an l1 penalty "
            "prefers it up to a constant share of one-hot samples; an l0 penalty prefers it at "
            "order λ₀^(3/2) only, so that any share of one-hot samples turns it round as λ₀ → 0; "
            "TopK with k = 1 prefers it, and with k = 2 is indifferent between all angles. "
            "Matryoshka prefixes are indifferent while b_dec = 0, and favour the true features "
            "once b_dec is free."
        ),
        convention=(
            "L = E ‖x - x̂‖² + λ E Σ f_i + λ₀ E #{f_i > 0}, the square summed over coordinates, "
            "without a factor ½; every atom has norm 1, A = 1"
        ),
        symbols=(
            PENALTY,
            Meaning(L0, "coefficient of the l0 penalty: what each latent that fires costs",
                    "above 0"),
            Meaning(HEIGHT, "its root √λ₀, the height of a hard threshold", "above 0"),
            Meaning(THETA, "angle of the four atoms ±u, ±v from the axes", "0 to π/4"),
            Meaning(ONEHOT_PROBABILITY, "one-hot probability", "0 to 1"),
            Meaning(MAGNITUDE_CORRELATION, "magnitude correlation: 1 on the first data set, 0 on "
                    "the second", "0 to 1"),
            Meaning(SHIFT, "how far b_dec is moved against the second atom", "above 0"),
        ),
        assumptions=(
            "Four atoms ±u, ±v of norm 1 in orthogonal pairs, rotated together; each code has the "
            "best encoder for its sparsity, which is one layer.",
            "b_dec = 0, but in the last steps.",
        ),
        steps=tuple(steps),
        result=(
            "One-hot probability up to which the diagonal code wins, first and second data set, "
            "penalties going to 0: L1 0.586 and 0.216; L0 1/2 and 0; TopK, k = 1, 2/3 and 1/3; "
            "TopK, k = 2, no preference; Matryoshka prefixes with b_dec = 0 as L1."
        ),
        validity=(
            "Each formula where its step says; comparisons between codes of four atoms, but the "
            "l0 optimum on the first data set, which no SAE of any width beats."
        ),
        falsified_by="An exact loss of the described SAE that differs in the twelfth digit.",
        claims=("true-features", "l0-optimum", "l0-rotations", "l0-persistence", "topk-one",
                "topk-two", "matryoshka-prefixes"),
        sources=("[Anderson1955], theorem 1", "[Rajamanoharan2024b]", "[Gao2024]",
                 "[Bussmann2025]"),
        figure="composing",
        caption=(
            "Cost of four atoms against their angle, with the best encoder: rows are the data "
            "sets, columns the sparsity. Solid: every sample has two features; dashed: one in "
            "seven has one alone. At 0° and 90° the atoms are the true features."
        ),
    )  # fmt: skip


def _under_l1() -> list[Step]:
    steps = []
    for name, f, ordinal in _BOTH:
        lead = (
            "Under an l1 penalty exact reconstruction is cheapest along the diagonals, as the "
            "chapter on the one-hot threshold derives, while the one-hot probability is below a "
            "constant. As λ → 0 it is, o" if f else "and o"
        )  # fmt: skip
        steps.append(
            Step(
                f"{lead}n the {ordinal} data set,",
                "q_star", tie_probability(f), "equal costs",
                Numeric("root finding on the exact costs", "tie of the costs", (name,),
                        tolerance=1e-9),
            )
        )  # fmt: skip
    return steps


def _under_l0() -> list[Step]:
    frames = {name: rotated_hard_threshold_loss(preset(name))[0].chambers for name, *_ in _BOTH}
    at = {HEIGHT: _SMALL}
    second = hard_threshold_loss(diagonal(), preset("independent"), at).value
    first = hard_threshold_loss(diagonal(), preset("shared"), at).value
    steps = [
        Step(
            "Under an l0 penalty a latent costs λ₀ whatever its size, so along an atom either "
            "the projection t is kept in full, for λ₀, or dropped, for t². A frame falls apart "
            "into its axes, and thresholds √λ₀ do it; the loss is",
            "", sympy.Eq(sympy.Symbol("L"), sympy.Symbol("E") * sympy.Sum(
                sympy.Min(sympy.Symbol("t_k") ** 2, L0), (sympy.Symbol("k"), 1, 2)),
                evaluate=False),
            "definition",
        ),
    ]  # fmt: skip
    for name, _, ordinal in _BOTH:
        steps.append(
            Step(
                f"At the angle θ it is, on the {ordinal} data set and up to "
                f"√λ₀ = cos θ - sin θ,",
                "L_theta", sympy.expand(frames[name][0].value),
                "integrate min(t², λ₀) over the data",
                Numeric("the exact loss of that JumpReLU SAE", "l0 loss at an angle", (name,),
                        {THETA: (0.05, 0.3), HEIGHT: (0.05, 0.5)}),
            )
        )  # fmt: skip
    steps += [
        Step(
            "On both data sets it falls towards the diagonal, for larger τ, too, as long as any "
            "latent fires: with c = cos θ, s = sin θ and w = c - s every derivative by θ is, but "
            "for its sign, a quotient of sums of positive terms. Here, on the second,",
            "D_theta", sympy.simplify(sympy.diff(frames["independent"][0].value, THETA)),
            "differentiate",
            Decided("it is negative, as are the three others: up to τ = c - s, and from there to "
                    "c + s, on both data sets",
                    all(slope_written_positive(name, chamber).is_positive
                        for name, *_ in _BOTH for chamber in (0, 1))),
        ),
        Step(
            "At 45° on the first data set, with x on the atoms,",
            "L_diagonal", in_l0(first), "put θ = 45°",
            Numeric("the exact loss of that JumpReLU SAE", "l0 loss of a frame", ("shared", 45.0),
                    {L0: (0.01, 0.9)}),
        ),
        Step(
            "No SAE does better there, of any width, encoder, architecture and b_dec: at x either "
            "no latent fires, and the error is ‖x - b‖², or λ₀ is paid, so the loss is at least "
            "E min(‖x - b‖², λ₀); and as each segment has its opposite, b = 0 is best in it "
            "(Anderson's theorem). This bound is",
            "B", in_l0(hard_threshold_bound(preset("shared"), at).value),
            "integrate min(r², λ₀) along the rays",
            Symbolic("the diagonal code's loss", in_l0(first)),
        ),
        Step(
            "Nothing in this depends on λ₀: it is attained wherever x lies on the atoms.",
            "", None, "",
            Decided("every x of the first data set lies on an atom of the diagonal code, and not "
                    "of the axis-aligned",
                    is_attained(preset("shared"), diagonal())
                    and not is_attained(preset("shared"), axis_aligned())),
        ),
        Step(
            "At 45° on the second data set the diagonal code costs, up to λ₀ = 2,",
            "L_diagonal", in_l0(second), "put θ = 45°",
            Numeric("the exact loss of that JumpReLU SAE", "l0 loss of a frame",
                    ("independent", 45.0), {L0: (0.01, 0.9)}),
        ),
        Step(
            "and the axes, up to λ₀ = 1,",
            "L_axes",
            in_l0(hard_threshold_loss(axis_aligned(), preset("independent"), at).value),
            "put θ = 0",
            Numeric("the exact loss of that JumpReLU SAE", "l0 loss of a frame",
                    ("independent", 0.0), {L0: (0.01, 0.9)}),
        ),
    ]  # fmt: skip
    for (name, f, _), said in zip(
        _BOTH,
        (
            "A one-hot sample, though, costs about λ₀ along the axes and 2λ₀ along the diagonals. "
            "On the first data set it is the other way round for the other samples, and the two "
            "codes tie near 1/2:",
            "On the second two latents fire almost always, in either code: what the diagonal "
            "gains there it gains at order λ₀^(3/2), and a one-hot sample takes it back at order "
            "λ₀. The tie is at",
        ),
        strict=True,
    ):
        steps.append(
            Step(
                said,
                "q_star", hard_threshold_tie(axis_aligned(), diagonal(), f),
                "both losses are linear in q; solve",
                Numeric("root finding on the exact losses", "tie of l0 losses", (name,),
                        {HEIGHT: (0.02, 0.6)}, 1e-9),
            )
        )  # fmt: skip
    series = hard_threshold_tie_series(axis_aligned(), diagonal(), 0, 2)
    steps.append(
        Step(
            "which goes to 0 with λ₀, so that any share of one-hot samples turns it round. To "
            "first order",
            "q_star", series, "expand at τ = 0",
            Symbolic("4 (√2 - 1) τ/3", 4 * (sympy.sqrt(2) - 1) * HEIGHT / 3),
        )
    )  # fmt: skip
    return steps


def _top_k() -> list[Step]:
    steps = []
    for name, f, ordinal in _BOTH:
        lead = (
            "TopK charges nothing, but keeps k latents. With k = 1 what is left is ‖x‖² less the "
            "largest squared projection. " if f else ""
        )  # fmt: skip
        steps.append(
            Step(
                f"{lead}On the {ordinal} data set",
                "K_1", rotated_one_term_loss(f), "cut the square where two projections are equal",
                Numeric("the exact loss of that TopK SAE", "TopK loss at an angle", (name,),
                        {THETA: (0.01, 0.78), ONEHOT_PROBABILITY: (0.0, 1.0)}),
            )
        )  # fmt: skip
    f, code = MAGNITUDE_CORRELATION, oblique(THETA, PHI)
    encoder, atoms = two_term_encoder(code), sympy.Matrix(code.atoms)
    kept = sympy.simplify(encoder[:, [0, 2]] * atoms[[0, 2], :])
    return [
        *steps,
        Step(
            "which is 0 on the first and 1/12 on the second at 45°, and 1/3 and 1/6 along the "
            "axes. With one-hot samples the least may lie in between; whatever the magnitude "
            "correlation, the two codes tie at",
            "q_star", sympy.factor(one_term_tie(axis_aligned(), diagonal(), f)),
            "both losses are linear in q; solve",
            Numeric("root finding on the exact losses", "tie of TopK losses", (),
                    {f: (0.05, 0.95)}, 1e-9),
        ),
        Step(
            "With k = 2 there is nothing to choose. Take any two atoms that are not parallel and "
            "their negatives, and read them by the dual basis: of opposite latents one is "
            "positive, so both coordinates are kept and x is reconstructed, on every law in the "
            "plane. The optima are a continuum, of both angles. With atoms at θ and φ the two "
            "latents reconstruct x times",
            "", kept, "W_enc W_dec of the two latents that are kept",
            Decided("this is the identity", kept == sympy.eye(2)),
        ),
        Step(
            "so that the loss is",
            "K_2", sympy.S.Zero, "x̂ = x",
            Numeric("the exact loss of such a TopK SAE", "TopK loss of oblique pairs",
                    ("independent",), {THETA: (0.1, 0.6), PHI: (1.2, 2.4)}),
        ),
    ]  # fmt: skip


def _prefixes() -> list[Step]:
    independent, at = preset("independent"), {L1: SAMPLE_L1}
    losses = {prefix_losses(code, preset(name)) for name, *_ in _BOTH
              for code in (axis_aligned(), diagonal())}  # fmt: skip
    (alone,) = losses
    steps = [
        Step(
            "A Matryoshka SAE is charged for the reconstruction of its first latents alone, too. "
            "With b_dec = 0 a latent of a frame takes half the variance along its atom, and both "
            "covariances are multiples of the identity: prefixes of 1, 2 and 4 latents leave "
            f"{readable(alone[1])}, {readable(alone[2])} and 0, in any order, at any angle. "
            "Together",
            "M_0", alone[1] + alone[2] + alone[4], "E ‖x‖² less 1/6 a latent",
            Decided("both codes leave as much on both data sets", len(losses) == 1),
        ),
    ]  # fmt: skip
    for code, angle in ((axis_aligned(), 0.0), (diagonal(), 45.0)):
        value = sympy.expand(prefix_frame_loss(code, independent, at).value)
        lead = "and" if angle else (
            "An l1 penalty then decides as it does without prefixes. Each latent has the soft "
            "threshold λ/(2n), n the number of prefixes that hold it. On the second data set, at "
            "small λ,"
        )  # fmt: skip
        steps.append(
            Step(
                f"{lead} the {code.name} code has",
                f"M_{'axes' if angle == 0 else 'diagonal'}", value,
                "n h_{λ/n} along each atom, and its square where no prefix holds it",
                Numeric("the exact loss of that SAE with prefixes", "loss with prefixes",
                        ("independent", angle), {L1: (0.02, 0.6)}),
            )
        )  # fmt: skip
    moved = shifted_prefix_loss(ACROSS["axis-aligned"], independent).value
    steps.append(
        Step(
            "But b_dec need not be 0. Move it so far against the first atom that its latent never "
            "lets go, and by B against the second: then one latent has all of one axis, two have "
            "most of both, and three everything. As λ → 0 this costs, along the axes,",
            "M_B", sympy.expand(moved), "E (v·x + B)² + E (-v·x - B)₊²",
            Numeric("the exact loss of that SAE with prefixes", "loss of a moved frame",
                    ("independent", 0.0), {SHIFT: (0.05, 0.5)}),
        )
    )  # fmt: skip
    for name, kind, said in (
        ("independent", "axis-aligned",
         "This is far below 5/6, and least at B = 3 - 2√2, on both data sets; 16 starts of the "
         "minimiser, over all SAEs of four latents, find nothing better:"),
        ("shared", "diagonal",
         "Along the diagonals it is more, on the first data set"),
        ("independent", "diagonal",
         "and on the second. So prefixes with a free b_dec favour the true features:"),
    ):  # fmt: skip
        best = best_shifted_frame(ACROSS[kind], preset(name))
        angle = 0.0 if kind == "axis-aligned" else 45.0
        exact = best.loss if best.loss.is_algebraic and not best.loss.has(sympy.CRootOf) else None
        steps.append(
            Step(
                said,
                f"M_{'axes' if angle == 0 else 'diagonal'}",
                sympy.N(best.loss, 12) if exact is None else exact,
                "differentiate by B, solve",
                Numeric(
                    "the exact minimiser" if angle == 0 else "the least exact loss over B",
                    "least loss with prefixes" if angle == 0 else "least loss of a moved frame",
                    (name, angle), tolerance=1e-9, formula=best.loss,
                ),
            )
        )  # fmt: skip
    return steps
