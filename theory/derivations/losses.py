"""Derivations about losses: shrinkage, the radial bound, weight decay, the relative loss."""

import sympy

from theory.claims.cost_proofs import SAMPLE_L1
from theory.claims.loss_proofs import SAMPLE_DECAY, decayed_optimum
from theory.codes.code import axis_aligned, diagonal
from theory.codes.costs import activation_cost
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
from theory.exact.symbols import (
    AMPLITUDE,
    CUBE,
    L1,
    MEAN_AMPLITUDE,
    MEAN_COST,
    RADIUS,
    WEIGHT_DECAY,
    label,
)
from theory.laws.presets import preset
from theory.losses.attained_bound import bound_attained_from
from theory.losses.closed_forms import (
    frame_loss_for_every_l1,
    shrinkage,
    soft_threshold,
    tie_probability_series,
)
from theory.losses.radial_bound import is_symmetric, radial_bound
from theory.losses.relative_loss import bias_slope_on_second, relative_optimum, weight_at_origin
from theory.losses.weight_decay import decayed_diagonal, norm_imbalance

_LAMBDA = Meaning(L1, "coefficient of the l1 penalty", "above 0")
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
            Numeric("bounded minimisation", h.activation, "best activation", (), r_range, 1e-6),
        ),
        Step(
            "and 0 if that is negative. The loss at this point is then",
            "h", h.loss_above, "put f back",
            Numeric("bounded minimisation", h.loss_above, "least pointwise loss", (), r_range,
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
                    Numeric("the exact loss of that SAE", chamber.value, "loss of a rotated code",
                            (name, angle), _SMALL),
                )
            )  # fmt: skip
    lost = shrinkage(diagonal(), preset("shared"), {L1: SAMPLE_L1}).value
    steps.append(
        Step(
            "The reconstruction is too short everywhere. On the first data set the diagonal code "
            "keeps, of E ‖x‖² = 2/3,",
            "N", sympy.factor(lost), "integrate (r - λ/2)²",
            Numeric("the exact second moment of the reconstruction", lost,
                    "norm of the reconstruction", ("shared", 45.0), _SMALL),
        )
    )  # fmt: skip
    for name, f in (("shared", 1), ("independent", 0)):
        series = tie_probability_series(axis_aligned(), diagonal(), f)
        steps.append(
            Step(
                "Comparing the codes' losses instead of their costs moves the one-hot threshold. "
                f"On {name}, to second order in λ,",
                "q_star", series, "solve L_axes = L_diagonal for q, expand at λ = 0",
                Numeric("root finding on the exact losses, up to the third order,", series,
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
        symbols=(_LAMBDA, _RADIUS),
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
            Numeric("bounded minimisation", h.loss_above, "least pointwise loss", (),
                    {L1: (0.1, 1.0), RADIUS: (0.6, 2.0)}, 1e-9),
        ),
        Step(
            "h is convex in x - b, and the data look the same under x → -x, so no b_dec does "
            "better than 0. Averaged over the first data set the bound is, for λ up to 2√2,",
            "B", sympy.expand(bound), "integrate both branches along the four rays",
            Numeric("the numeric radial bound", bound, "lower bound", ("shared",), _SMALL, 1e-10),
        ),
        Step(
            "The diagonal code's optimal loss is, in the same range,",
            "L_diagonal", sympy.expand(loss), "as derived in the chapter on shrinkage",
            Symbolic("the bound: the two are the same polynomial", loss, bound),
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
            Symbolic("twice the largest ‖x‖", bound_attained_from(preset("independent")),
                     2 * sympy.sqrt(2)),
        ),
        Step(
            "There, at three λ near 1/10, minimising over all parameters of four latents from "
            "many starts finds nothing lower than the diagonal code's",
            "L_diagonal", sympy.expand(second), "as derived in the chapter on shrinkage",
            Numeric("the best of 32 starts of the exact minimiser", second, "optimised loss",
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
        symbols=(_LAMBDA, _RADIUS),
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


def decay_balance() -> Derivation:
    """The balance law under weight decay, and the optimum as equations."""
    optimum = decayed_diagonal()
    names = {symbol: label(name) for symbol, name in zip(optimum.unknowns, ("w", "d", "t"),
                                                          strict=True)}  # fmt: skip
    imbalance = norm_imbalance()
    w, d, threshold = decayed_optimum(SAMPLE_L1, SAMPLE_DECAY)
    mean = w * (sympy.sqrt(2) - threshold) ** 2 / (8 * sympy.sqrt(2))
    solved = {
        **dict(zip(optimum.unknowns, (w, d, threshold), strict=True)),
        AMPLITUDE: sympy.S.One,
        L1: SAMPLE_L1,
        WEIGHT_DECAY: SAMPLE_DECAY,
    }
    at = {L1: SAMPLE_L1, WEIGHT_DECAY: SAMPLE_DECAY, MEAN_AMPLITUDE: mean}
    steps = (
        Step(
            "Multiply a latent's encoder weights and bias by c and divide its atom by c: the "
            "reconstruction stays, its activation is multiplied by c. At an optimum no c does "
            "better than 1, so the decoder's squared norm exceeds the encoder's by",
            "I", imbalance, "differentiate λ c m + μ (c²‖w‖² + ‖d‖²/c²) by c at c = 1, solve",
            Numeric("the norms at minima found by the exact minimiser", imbalance,
                    "imbalance at a minimum", (), {}, 1e-6),
        ),
        Step(
            "with m the mean activation of that latent. Only as λ → 0 are the two norms equal:",
            "I_0", sympy.limit(imbalance, L1, 0), "limit",
            Symbolic("0", sympy.limit(imbalance, L1, 0), sympy.S.Zero),
        ),
        Step(
            "On the first data set the optimum itself follows from three equations, for the "
            "norms w = ‖w_i‖ and d = ‖d_i‖ and the threshold t of each latent, whose activation "
            "at distance r along its ray is w (r - t). The derivative by t, for instance, "
            "vanishes:",
            "", sympy.Eq(optimum.equations[2].subs(names), 0, evaluate=False),
            "integrate along a ray, differentiate",
            Decided("at A = 1, λ = 1/10, μ = 3/1000 the solution satisfies this equation and the "
                    "balance law, to twenty digits",
                    abs(imbalance.subs(at) - (d**2 - w**2)) < sympy.Float("1e-20")
                    and abs(optimum.equations[2].subs(solved)) < sympy.Float("1e-20")),
        ),
        Step(
            "For A = 1, λ = 1/10 and μ = 3/1000 the decoder's norm is",
            "d", sympy.N(d, 10), "solve to thirty digits",
            Numeric("the exact minimiser", sympy.N(d, 20), "decayed decoder norm", (),
                    tolerance=1e-6),
        ),
    )  # fmt: skip
    return Derivation(
        id="weight-decay",
        title="Weight decay",
        summary=(
            "It is often said that weight decay makes encoder and decoder equally large. With a "
            "penalty on activations it does not: small activations are cheap, so the optimum "
            "moves size from the encoder to the decoder until the difference of the squared "
            "norms is λ E f/(2μ), for every latent."
        ),
        convention=(
            "L = E ‖x - x̂‖² + λ E Σ f_i + μ (‖W_enc‖² + ‖W_dec‖²); atoms are free, biases are "
            "not decayed"
        ),
        symbols=(
            _LAMBDA,
            Meaning(WEIGHT_DECAY, "weight decay", "above 0"),
            Meaning(AMPLITUDE, "largest amplitude; 1 in the last step", "above 0"),
            Meaning(MEAN_AMPLITUDE, "mean activation E f of a latent", "above 0"),
        ),
        assumptions=("The SAE is at a stationary point, and the latent fires.",),
        steps=steps,
        result="‖d_i‖² - ‖w_i‖² = λ E f_i/(2μ).",
        validity="Every stationary point, every law and width; biases not decayed.",
        falsified_by="A converged minimum with a latent that violates the balance.",
        claims=("weight-decay",),
        sources=("[Anders2024], comment by L. Chan",),
        figure="balance",
        caption="Encoder and decoder norm at the optimum against λ, first data set.",
    )


def relative_expectation() -> Derivation:
    """The relative loss: infinite mean, the finite set, and its optimum."""
    optimum = relative_optimum()
    slope = bias_slope_on_second()
    on_second = activation_cost(diagonal(), preset("independent")).value
    steps = (
        Step(
            "The post's code divides every squared error by ‖x‖². Near x = 0 the error is that "
            "of x̂(0), and the mean of 1/‖x‖² over segments that reach 0 is",
            "W_1", weight_at_origin(1), "∫ dr/r² from 0",
            Numeric("the integral from ε = 1/10000, which grows like 1/ε, times ε,", sympy.S.One,
                    "divergence at the origin", (1,), tolerance=1e-3),
        ),
        Step(
            "Over parallelograms it is no better, though it diverges only like a logarithm:",
            "W_2", weight_at_origin(2), "∫ r dr/r² from 0",
            Numeric("the integral from ε = 1/10000 over log 1/ε", sympy.S.One,
                    "divergence at the origin", (2,), tolerance=1e-3),
        ),
        Step(
            "So the expected loss is infinite unless x̂(0) = 0, that is b_dec = -Σ ReLU(b_i) d_i. "
            "Without biases, a rotated frame of cost C can scale its activations by a common "
            "gain; the best gain is",
            "a", optimum.gain, "differentiate (1 - a)² + λ a C by a, solve",
            Numeric("bounded minimisation", optimum.gain, "best gain", (),
                    {L1: (0.05, 1.0), MEAN_COST: (0.7, 1.0)}, 1e-6),
        ),
        Step(
            "and the loss there",
            "L", sympy.expand(optimum.loss), "put it back",
            Numeric("the exact relative loss of a rotated frame", optimum.loss,
                    "relative loss of a frame", ("shared",),
                    {L1: (0.05, 1.0), MEAN_COST: (0.75, 0.98)}, 1e-10),
        ),
        Step(
            "It increases with C for λ C < 2, so the cheapest frame wins again: the diagonal.",
            "D_C", sympy.factor(sympy.diff(optimum.loss, MEAN_COST)), "differentiate by C",
            Symbolic("λ (1 - λ C/2), which is positive for λ C < 2,",
                     sympy.diff(optimum.loss, MEAN_COST), L1 * (1 - L1 * MEAN_COST / 2)),
        ),
        Step(
            "Biases that cancel at 0 can lower it further. On the second data set, for the "
            "diagonal code at its best gain, the derivative in a common bias is, from above and "
            "with C its cost,",
            "D_0", slope, "integrate the pair's terms to first order in the bias",
            Numeric("difference quotients of the exact loss", slope.subs(MEAN_COST, on_second),
                    "slope in a common bias", (), {L1: (0.05, 0.2)}, 1e-4),
        ),
        Step(
            "which is negative at the diagonal's C: the optimum has small positive biases there.",
            "D_0", sympy.simplify(slope.subs(MEAN_COST, on_second)), "put C = 2√2/3",
            Decided("it is negative", bool((slope.subs(MEAN_COST, on_second) / L1) < 0)),
        ),
    )  # fmt: skip
    return Derivation(
        id="relative-loss",
        title="The post's own loss, and its infinite expectation",
        summary=(
            "The post's code trains SAEs on the relative error ‖x - x̂‖²/‖x‖². Its mean is "
            "infinite for almost every SAE, so what training descends is a sample of something "
            "that has no expectation. Where the mean is finite, the diagonal is, without biases, "
            "again the best rotated frame."
        ),
        convention="L = E ‖x - x̂‖²/‖x‖² + λ E Σ f_i, x = 0 counting 0; every atom has norm 1",
        symbols=(
            _LAMBDA,
            Meaning(MEAN_COST, "activation cost of the frame", "1/√2 to 1"),
        ),
        assumptions=("The data reach x = 0 on segments or parallelograms.",),
        steps=steps,
        result="Finite only for x̂(0) = 0; λC - λ²C²/4 for a frame without biases.",
        validity="λ C ≤ 2; beyond, the zero code has the loss 1.",
        falsified_by="A finite exact loss with x̂(0) ≠ 0, or sample means that settle.",
        claims=("relative-expectation",),
        sources=("[Anders2024], code, class AutoEncoder",),
        figure="sample-means",
        caption=(
            "Means of 0.01/‖x‖², what x̂(0) of norm 1/10 adds near 0, against the number of "
            "samples, three seeds."
        ),
    )


def exact_expectation() -> Derivation:
    """How moments of cut squares come from their facets."""
    u1, u2 = CUBE[:2]
    cut = 1 - u1 - u2
    area = sympy.integrate(sympy.integrate(1, (u2, 0, 1 - u1)), (u1, 0, 1))
    # By facets: only the chord has a height, 1/√2, and its length is √2; k + deg = 2.
    by_facets = sympy.Rational(1, 2) * (1 / sympy.sqrt(2)) * sympy.sqrt(2)
    second = sympy.integrate(sympy.integrate(u1**2, (u2, 0, 1 - u1)), (u1, 0, 1))
    t = RADIUS
    chord = sympy.integrate(t**2 * sympy.sqrt(2), (t, 0, 1))
    by_facets_2 = sympy.Rational(1, 4) * (1 / sympy.sqrt(2)) * chord
    steps = (
        Step(
            "On every part of the law the data are x = X ũ, X a matrix, ũ = (1, u₁, u₂), u "
            "uniform on the unit square, so a latent is on where an affine function of u is "
            "positive, such as",
            "p", cut, "definition",
        ),
        Step(
            "The squared loss needs only moments up to degree 2 over the square cut by two such "
            "lines. For a homogeneous g the divergence theorem gives ∫_P g = Σ_F h_F ∫_F g/(k + "
            "deg g), with k = 2 and h_F the signed distance from 0 of the line through the facet "
            "F, negative if P lies on its far side. For the triangle p > 0 only the chord has "
            "h_F ≠ 0, and its area is",
            "A", by_facets, "h = 1/√2, length √2, k + deg g = 2",
            Symbolic("the area by iterated integration", by_facets, area),
        ),
        Step(
            "and the second moment of u₁",
            "M_11", by_facets_2, "the same with ∫ u₁² along the chord, k + deg g = 4",
            Symbolic("the moment by iterated integration", by_facets_2, second),
        ),
        Step(
            "The second of them from the package's vectorised code:",
            "M_11", second, "evaluate",
            Numeric("the exact moments of cut squares", second, "moment of a triangle", (),
                    tolerance=1e-15),
        ),
        Step(
            "ReLU is continuous, so a boundary that moves adds nothing to the gradient: it is "
            "made of the same moments. Along a random direction in the space of all parameters "
            "the difference between gradient and difference quotient is",
            "delta", sympy.S.Zero, "compare",
            Numeric("central differences of the exact loss", sympy.S.Zero, "gradient error", (),
                    tolerance=1e-7),
        ),
    )  # fmt: skip
    return Derivation(
        id="exact-loss",
        title="How the exact expected loss is computed",
        summary=(
            "Every exact squared loss in these pages comes from one idea: on data of this kind "
            "the expected loss is a sum of polynomial integrals over polygons, and "
            "such integrals reduce to their edges. No sampling, no grid: rounding errors only."
        ),
        convention=SQUARED,
        symbols=(Meaning(u1, "coordinates of the unit square", "0 to 1"),),
        assumptions=("The law is a mixture of affine images of points, segments and squares.",),
        steps=steps,
        result="Moments of degree at most 2 over cut squares, from at most four facets a pair.",
        validity="ReLU SAEs of any width, laws with cubes of dimension up to 2.",
        falsified_by="Exact rational arithmetic that gives another number.",
        claims=(),
        sources=("[ChinLasserreSukumar2015]",),
        figure="cut-square",
        caption=(
            "The unit square cut by two latents' lines; every edge of the shaded region but those "
            "on u₁ = 0 and u₂ = 0 counts."
        ),
    )
