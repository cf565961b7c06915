"""Derivations about other losses than the squared error's: weight decay, the relative loss."""

import sympy

from theory.claims.cost_proofs import SAMPLE_L1
from theory.claims.loss_proofs import SAMPLE_DECAY, decayed_optimum
from theory.codes.code import diagonal
from theory.codes.costs import activation_cost
from theory.derivations.derivation import Decided, Derivation, Meaning, Numeric, Step, Symbolic
from theory.derivations.losses import PENALTY
from theory.exact.symbols import (
    AMPLITUDE,
    L1,
    MEAN_AMPLITUDE,
    MEAN_COST,
    WEIGHT_DECAY,
    label,
)
from theory.laws.presets import preset
from theory.losses.relative_loss import bias_slope_on_second, relative_optimum, weight_at_origin
from theory.losses.weight_decay import decayed_diagonal, norm_imbalance


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
            Numeric("the norms at minima found by the exact minimiser", "imbalance at a minimum",
                    (), {}, 1e-6),
        ),
        Step(
            "with m the mean activation of that latent. Only as λ → 0 are the two norms equal:",
            "I_0", sympy.limit(imbalance, L1, 0), "limit",
            Symbolic("0", sympy.S.Zero),
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
            Numeric("the exact minimiser", "decayed decoder norm", (),
                    tolerance=1e-6, formula=sympy.N(d, 20)),
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
            PENALTY,
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
            Numeric("the integral from ε = 1/10000, which grows like 1/ε, times ε,",
                    "divergence at the origin", (1,), tolerance=1e-3, formula=sympy.S.One),
        ),
        Step(
            "Over parallelograms it is no better, though it diverges only like a logarithm:",
            "W_2", weight_at_origin(2), "∫ r dr/r² from 0",
            Numeric("the integral from ε = 1/10000 over log 1/ε", "divergence at the origin",
                    (2,), tolerance=1e-3, formula=sympy.S.One),
        ),
        Step(
            "So the expected loss is infinite unless x̂(0) = 0, that is b_dec = -Σ ReLU(b_i) d_i. "
            "Without biases, a rotated frame of cost C can scale its activations by a common "
            "gain; the best gain is",
            "a", optimum.gain, "differentiate (1 - a)² + λ a C by a, solve",
            Numeric("bounded minimisation", "best gain", (),
                    {L1: (0.05, 1.0), MEAN_COST: (0.7, 1.0)}, 1e-6),
        ),
        Step(
            "and the loss there",
            "L", sympy.expand(optimum.loss), "put it back",
            Numeric("the exact relative loss of a rotated frame", "relative loss of a frame",
                    ("shared",),
                    {L1: (0.05, 1.0), MEAN_COST: (0.75, 0.98)}, 1e-10),
        ),
        Step(
            "It increases with C for λ C < 2, so the cheapest frame wins again: the diagonal.",
            "D_C", sympy.factor(sympy.diff(optimum.loss, MEAN_COST)), "differentiate by C",
            Symbolic("λ (1 - λ C/2), which is positive for λ C < 2,",
                     L1 * (1 - L1 * MEAN_COST / 2)),
        ),
        Step(
            "Biases that cancel at 0 can lower it further. On the second data set, for the "
            "diagonal code at its best gain, the derivative in a common bias is, from above and "
            "with C its cost,",
            "D_0", slope, "integrate the pair's terms to first order in the bias",
            Numeric("difference quotients of the exact loss", "slope in a common bias", (),
                    {L1: (0.05, 0.2)}, 1e-4, formula=slope.subs(MEAN_COST, on_second)),
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
            PENALTY,
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
