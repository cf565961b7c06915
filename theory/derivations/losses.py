"""Derivations about optimal losses: shrinkage, and the radial bound."""

import sympy

from theory.claims.cost_proofs import SAMPLE_L1
from theory.codes.code import axis_aligned, diagonal
from theory.derivations.derivation import (
    SQUARED,
    Decided,
    Derivation,
    Meaning,
    Numeric,
    Step,
    Symbolic,
    readable,
)
from theory.exact.symbols import L1, RADIUS
from theory.laws.presets import preset
from theory.losses.attained_bound import bound_attained_from
from theory.losses.closed_forms import (
    frame_loss_for_every_l1,
    shrinkage,
    soft_threshold,
    tie_probability_series,
)
from theory.losses.radial_bound import is_symmetric, radial_bound

#: λ, for the tables of symbols.
PENALTY = Meaning(L1, "coefficient of the l1 penalty", "above 0")
_RADIUS = Meaning(RADIUS, "distance of x from 0 along an atom", "above 0")
_SMALL = {L1: (0.02, 1.3)}


def shrunken_optimum() -> Derivation:
    """Soft thresholds, the optimal losses of the codes, and q*(λ)."""
    h = soft_threshold()
    r_range = {L1: (0.1, 1.0), RADIUS: (0.6, 2.0)}
    steps = [
        Step(
            "At a point at distance r along a unit atom, an activation f costs λ f and leaves "
            "the error (r - f)². The best activation is therefore a little too small:",
            "f", h.activation, "differentiate (r - f)² + λ f by f, solve",
            Numeric("bounded minimisation", "best activation", (), r_range, 1e-6),
        ),
        Step(
            "and 0 if that is negative. The loss at this point is then",
            "h", h.loss_above, "put f back",
            Numeric("bounded minimisation", "least pointwise loss", (), r_range,
                    1e-9),
        ),
    ]  # fmt: skip
    for code, angle in ((axis_aligned(), 0.0), (diagonal(), 45.0)):
        for name, ordinal in (("shared", "first"), ("independent", "second")):
            chamber = frame_loss_for_every_l1(code, preset(name))[0]
            steps.append(
                Step(
                    "An orthogonal frame falls apart into such problems, which one ReLU layer "
                    "with W_enc the transpose of W_dec and biases -λ/2 solves. On the "
                    f"{ordinal} data set the {code.name} code has, for λ up to "
                    f"{readable(chamber.high)},",
                    f"L_{'axes' if angle == 0 else 'diagonal'}",
                    sympy.expand(chamber.value),
                    "integrate h over the data",
                    Numeric("the exact loss of that SAE", "loss of a frame",
                            (name, angle), _SMALL),
                )
            )  # fmt: skip
    lost = shrinkage(diagonal(), preset("shared"), {L1: SAMPLE_L1}).value
    steps.append(
        Step(
            "The reconstruction is too short everywhere. On the first data set the diagonal code "
            "keeps, of E ‖x‖² = 2/3,",
            "N", sympy.factor(lost), "integrate (r - λ/2)²",
            Numeric("the exact second moment of the reconstruction", "norm of the reconstruction",
                    ("shared", 45.0), _SMALL),
        )
    )  # fmt: skip
    for name, f in (("shared", 1), ("independent", 0)):
        series = tie_probability_series(axis_aligned(), diagonal(), f)
        steps.append(
            Step(
                "Comparing the codes' losses instead of their costs moves the one-hot threshold. "
                f"On {name}, to second order in λ,",
                "q_star", series, "solve L_axes = L_diagonal for q, expand at λ = 0",
                Numeric("root finding on the exact losses, up to the third order,",
                        "tie of the losses", (name,), {L1: (0.01, 0.015)}, 1e-6),
            )
        )  # fmt: skip
    return Derivation(
        id="shrinkage",
        title="Shrinkage and the optimum at finite λ",
        summary=(
            "A penalty λ on activations makes those of an orthogonal frame too small by λ/2 and "
            "switches off what is smaller still. This gives the best losses of the axis-aligned "
            "and the diagonal frame in closed form, here up to a stated λ, and with it the "
            "numbers that a trained SAE of four latents should reach: 0.0682401 on the first "
            "data set and 0.0893977 on the second (there the best found numerically) at λ = 0.1."
        ),
        convention=SQUARED,
        symbols=(PENALTY, _RADIUS),
        assumptions=("b_dec = 0 and an orthogonal frame of atoms ±u, ±v of norm 1.",),
        steps=tuple(steps),
        result="Polynomials in λ, one on each interval; beyond the last the code is silent: 2/3.",
        validity="The formulas shown: λ up to the bound given with each.",
        falsified_by="An exact loss of the described SAE that differs in the twelfth digit.",
        claims=("true-features", "onehot-three-quarters"),
        sources=("[GribonvalSchnass2010]",),
        figure="loss-against-l1",
        caption="Optimal loss of both codes against λ, and the zero code.",
    )


def radial_optimality() -> Derivation:
    """The radial bound, and that the diagonal code attains it on the first data set."""
    law = preset("shared")
    bound = radial_bound(law, {L1: SAMPLE_L1}).value
    loss = frame_loss_for_every_l1(diagonal(), law)[0].value
    h = soft_threshold()
    second = frame_loss_for_every_l1(diagonal(), preset("independent"))[0].value
    steps = (
        Step(
            "Let t = Σ f_i, whatever the encoder. Atoms of norm at most 1 cannot reach further "
            "than t, so the error is at least (r - t)² with r = ‖x - b‖ and t ≤ r. Hence the "
            "loss at x is at least r² if r is below λ/2, and otherwise at least",
            "h", h.loss_above, "triangle inequality; minimise (r - t)² + λ t",
            Numeric("bounded minimisation", "least pointwise loss", (),
                    {L1: (0.1, 1.0), RADIUS: (0.6, 2.0)}, 1e-9),
        ),
        Step(
            "h is convex in x - b, and the data look the same under x → -x, so no b_dec does "
            "better than 0. Averaged over the first data set the bound is, for λ up to 2√2,",
            "B", sympy.expand(bound), "integrate both branches along the four rays",
            Numeric("the numeric radial bound", "lower bound", ("shared",), _SMALL, 1e-10),
        ),
        Step(
            "The diagonal code's optimal loss is, in the same range,",
            "L_diagonal", sympy.expand(loss), "as derived in the chapter on shrinkage",
            Symbolic("the bound: the two are the same polynomial", bound),
        ),
        Step(
            "So it is the optimum over all SAEs with atoms of norm at most 1, of any width and "
            "any encoder. Is it so for every λ? A ray of direction r lies too deep among the "
            "others if r = Σ μ y with ends y of other rays, μ ≥ 0 and Σ μ below 2/λ; here none "
            "is such a sum at all, and the bound is attained from this λ on:",
            "lambda_0", bound_attained_from(law, diagonal()),
            "Farkas' lemma: no latent is forced to fire on another ray",
            Decided("no corner is a nonnegative sum of the others, and the data are symmetric, "
                    "so that the bound covers every b_dec",
                    bound_attained_from(law) == 0 and is_symmetric(law)),
        ),
        Step(
            "On the second data set the points fill the square, no finite code points at all of "
            "them, and the bound is only reached when everything is silent, from",
            "lambda_0", bound_attained_from(preset("independent")),
            "the corners are √2 away, and λ/2 must reach them",
            Symbolic("twice the largest ‖x‖", 2 * sympy.sqrt(2)),
        ),
        Step(
            "There, at three λ near 1/10, minimising over all parameters of four latents from "
            "many starts finds nothing lower than the diagonal code's",
            "L_diagonal", sympy.expand(second), "as derived in the chapter on shrinkage",
            Numeric("the best of 32 starts of the exact minimiser", "optimised loss",
                    ("independent",), {L1: (0.08, 0.12)}, 1e-9),
        ),
    )  # fmt: skip
    return Derivation(
        id="radial-bound",
        title="The radial bound and global optimality",
        summary=(
            "Finding nothing better is no proof that nothing better exists. Here is a bound on "
            "the squared error's loss that no SAE with atoms of norm at most 1 can beat, and on "
            "the first data set the diagonal code attains it for every λ: it is the global "
            "optimum, over all widths and all encoders."
        ),
        convention=SQUARED,
        symbols=(PENALTY, _RADIUS),
        assumptions=("‖d_i‖ ≤ 1, f ≥ 0, any encoder, any b_dec.",),
        steps=steps,
        result="E h(‖x‖) bounds every loss; on the first data set the diagonal code attains it.",
        validity="Laws symmetric under x → -x; beyond λ = 2√2 the zero code attains it as well.",
        falsified_by="An SAE with atoms of norm 1 whose exact loss is below the bound.",
        claims=("global-optimum",),
        sources=("[Anders2024], comment by D. Till", "[Schrijver1986], Corollary 7.1d"),
        figure="loss-contours",
        caption="Optimal loss of two pairs of atoms at two angles, first data set, λ = 0.1.",
    )
