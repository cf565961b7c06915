"""Derivations about the data's structure: principal components, many pairs, magnitudes."""

from itertools import product

import sympy

from theory.claims.cost_proofs import best_rhombic_angle, rhombic_cost
from theory.claims.data_proofs import sign_correlated
from theory.codes.many_pairs import composed_in_blocks, hadamard_frame, mean_absolute_sum
from theory.derivations.costs import DATA, EXACT
from theory.derivations.derivation import Decided, Derivation, Meaning, Numeric, Step, Symbolic
from theory.exact.signs import positive_between
from theory.exact.symbols import (
    MAGNITUDE_CORRELATION,
    PAIRS,
    PHI,
    SIGN_CORRELATION,
)
from theory.laws.law import Component, Law
from theory.laws.moments import covariance, fourth_cumulant
from theory.laws.one_hot_sets import one_hot_sets
from theory.laws.presets import preset
from theory.losses.attained_bound import bound_attained_from

HALF = sympy.Rational(1, 2)
_ANDERS = "[Anders2024], comment by L. Chan"
_F = Meaning(MAGNITUDE_CORRELATION, "magnitude correlation", "0 to 1")


def principal_directions() -> Derivation:
    """No principal components; what prefers the diagonals is of fourth order."""
    steps = []
    for name, ordinal in (("shared", "first"), ("independent", "second")):
        spread = covariance(preset(name))
        steps.append(
            Step(
                f"The covariance of the {ordinal} data set is",
                "Sigma",
                spread,
                "integrate x xᵀ; the mean is 0",
                Decided(
                    "it is a multiple of the identity, so every direction has the same variance",
                    bool(spread == spread[0, 0] * sympy.eye(2)),
                ),
            )
        )
    rho = SIGN_CORRELATION
    for name, ordinal in (("shared", "first"), ("independent", "second")):
        steps.append(_split(name, ordinal))
    for name in ("shared", "independent"):
        cumulant = sympy.simplify(fourth_cumulant(preset(name), (sympy.cos(PHI), sympy.sin(PHI))))
        excess = sympy.simplify(cumulant.subs(PHI, sympy.pi / 4) - cumulant.subs(PHI, 0))
        steps.append(
            Step(
                "At ρ = 0 the first order at which directions differ is the fourth. The fourth "
                f"cumulant along an angle φ is, on {name},",
                "kappa_4",
                cumulant,
                "integrate the fourth power of the projection, less three squared variances",
                Symbolic(
                    "κ4(0) + (κ4(45°) - κ4(0)) sin² 2φ",
                    cumulant.subs(PHI, 0) + excess * sympy.sin(2 * PHI) ** 2,
                ),
            )
        )
        steps.append(
            Step(
                "It is larger on a diagonal than on an axis by",
                "K",
                excess,
                "subtract",
                Decided("this is positive", bool(excess > 0)),
            )
        )
    return Derivation(
        id="principal-components",
        title="Principal components: what fails, and what replaces it",
        summary=(
            "The discussion's reason for the diagonals is that they are the principal components "
            "of the data. Both covariances are multiples of the identity, so the diagonals are "
            "principal components only in the sense that every direction is. The conclusion "
            "survives because diagonals cost less. Among the moments, the first that tell "
            "directions apart are the fourth: that cumulant is largest on the diagonals."
        ),
        convention="no loss; moments of the data",
        symbols=(
            Meaning(rho, "correlation of the two signs", "-1 to 1"),
            Meaning(PHI, "angle of the direction that x is projected on", "any"),
        ),
        assumptions=DATA,
        steps=tuple(steps),
        result=(
            "No direction is singled out by the variance at ρ = 0; the diagonals are by every "
            "ρ ≠ 0, and by the fourth cumulant at ρ = 0."
        ),
        validity="Both data sets, A = 1; other A scale the moments.",
        falsified_by="An eigenvector of the exact covariance with another eigenvalue.",
        claims=("principal-components-first", "principal-components-second"),
        sources=(f"{_ANDERS}, 1st and 2nd paragraphs",),
        figure="moments-by-direction",
        caption="Variance and fourth cumulant of the data along each direction.",
    )


def _split(name: str, ordinal: str) -> Step:
    """Return the step on correlated signs."""
    rho = SIGN_CORRELATION
    tilted = covariance(sign_correlated(name, rho))
    along, across = (
        sympy.simplify((sympy.Matrix([w]) * tilted * sympy.Matrix(w))[0] / 2)
        for w in ([1, 1], [1, -1])
    )
    return Step(
        f"Let the two signs be correlated by ρ instead. On the {ordinal} data set the variances "
        "along and across the diagonal then differ by",
        "D",
        sympy.simplify(along - across),
        "project the covariance on (1, 1)/√2 and (1, -1)/√2",
        Numeric("the exact second moments", "variance split",
                (name,), {rho: (-0.9, 0.9)}),
    )  # fmt: skip


def _corner_rays(k: int) -> Law:
    """Return k pairs that share a uniform amplitude: segments to the corners of a cube."""
    parts = tuple(
        Component(
            sympy.Rational(1, 2**k),
            sympy.ImmutableMatrix(corner),
            sympy.zeros(k, 1).as_immutable(),
        )
        for corner in product((-1, 1), repeat=k)
    )
    return Law(parts, f"{k} pairs")


def many_pairs() -> Derivation:
    """k pairs: what composing gains and how many latents it takes."""
    k = PAIRS
    axes, composed = composed_in_blocks(k, sympy.S.One), composed_in_blocks(k, k)
    shared = sympy.simplify(axes.shared / composed.shared)
    independent = sympy.simplify(axes.independent / composed.independent)
    frame = hadamard_frame(4)
    from_here = bound_attained_from(_corner_rays(3))
    steps = (
        Step(
            "Take k pairs in k dimensions. An atom for every feature costs, if all pairs share "
            "one amplitude, and no less if each has its own,",
            "C_axes", axes.shared, "one half for each pair",
            Numeric("linear programming at the corners, for k = 3", "cost of pairs", (3, "axes"),
                    tolerance=1e-9, formula=axes.shared.subs(k, 3)),
        ),
        Step(
            "An atom for every combination of features, 2^k of them, points straight at x:",
            "C_composed", composed.shared, "‖x‖ = a √k",
            Numeric("linear programming at the corners, for k = 3", "cost of pairs", (3,
                    "composed"), tolerance=1e-9, formula=composed.shared.subs(k, 3)),
        ),
        Step("so that composing gains", "C_axes/C_composed", shared, "divide",
             Symbolic("√k", sympy.sqrt(k))),
        Step(
            "With independent amplitudes the largest of them sets the cost, √k E max a_i:",
            "C_composed", composed.independent, "E max a_i = k/(k + 1)",
            Numeric("cubature of √k max a_i, for k = 2", "cost of independent pairs", (2,),
                    tolerance=1e-4, formula=composed.independent.subs(k, 2)),
        ),
        Step(
            "and composing gains less, half as much for many pairs:",
            "C_axes/C_composed", independent, "E max a_i = k/(k + 1); divide",
            Symbolic("(k + 1)/(2√k)", (k + 1) / (2 * sympy.sqrt(k))),
        ),
        Step(
            "An encoder of one layer cannot use it at small λ: already for k = 3, on rays of "
            "length √3, (1, 1, 1) is the sum of its three neighbours of one sign flipped, so a "
            "latent that fires on it fires elsewhere too, unless λ is at least",
            "lambda_0", from_here,
            "Farkas' lemma, as in the chapter on the radial bound",
            Numeric("linear programming for the encoder, by bisection,",
                    "encoder of corners", (3,),
                    tolerance=1e-6),
        ),
        Step("And it takes this many latents in place of 2k:", "N_composed", composed.latents,
             "count", Symbolic("2^k", 2**k)),
        Step(
            "With only 2k latents one can still do better than the axes, by a frame whose atoms "
            "are plus and minus the rows of a Hadamard matrix, divided by √k. For k = 4, shared "
            "amplitudes, it costs",
            "C_Hadamard", frame.shared, "√k E|sum of k signs|/2",
            Decided("it is below the axes' 2, with as many latents", bool(frame.shared < 2)),
        ),
        Step(
            "and for independent amplitudes",
            "C_Hadamard", frame.independent, "√k E|U_1 + ... + U_k|",
            Symbolic("2 E|U_1 + U_2 + U_3 + U_4|", 2 * mean_absolute_sum(4)),
        ),
    )  # fmt: skip
    return Derivation(
        id="many-pairs",
        title="Many pairs: what composing gains, and how many latents it takes",
        summary=(
            "With k pairs, composing all of them gains a factor √k if they share an amplitude, "
            "and (k + 1)/(2√k) if amplitudes are independent, but it takes 2^k latents. A fair "
            "comparison gives every code 2k latents; then an orthogonal frame with Hadamard "
            "directions is a better code than the axes, shown for k = 4. And beyond two pairs no "
            "one-layer encoder gives the fully composed code these activations at small λ."
        ),
        convention=EXACT,
        symbols=(Meaning(k, "number of pairs", "1, 2, 3, ..."),),
        assumptions=(
            "k one-hot pairs, signs fair and independent, amplitudes uniform on [0, 1].",
            "Atoms have norm 1, and activations are the best possible, not those of an encoder.",
        ),
        steps=steps,
        result="Gains √k (shared) and (k + 1)/(2√k) (independent), for 2^k latents instead of 2k.",
        validity="Every k ≥ 1; Hadamard frames where a Hadamard matrix exists.",
        falsified_by="A sample mean that misses these costs by many standard errors.",
        claims=(),
        sources=("[Paley1933]",),
        figure="pairs",
        caption="Gain over the axis-aligned code, and what it takes in latents.",
    )


def magnitudes_in_between() -> Derivation:
    """For 0 < f < 1 the best code is off the diagonal."""
    f, phi = MAGNITUDE_CORRELATION, PHI
    cost = rhombic_cost()
    slope = sympy.simplify(sympy.diff(cost, phi).subs(phi, sympy.pi / 4))
    best = best_rhombic_angle(HALF)
    law = one_hot_sets(magnitude_correlation=f)
    steps = (
        Step(
            "Let the second amplitude be (1 - f) a₂ + f a₁: in part its own, in part the "
            "first's. Keep the four atoms mirror images, (±cos φ, ±sin φ), and lower φ from 45°. "
            "For arctan f ≤ φ ≤ 45° they cost",
            "C_phi", cost, "integrate the gauge, a maximum of two linear forms in each quadrant",
            Numeric("adaptive quadrature of the gauge, found by trying every pair of atoms,",
                    "cost of a rhombic code", (), {f: (0.3, 0.7), phi: (0.74, 0.76)}, 1e-5),
        ),
        Step(
            "At 45°, from below, the derivative is",
            "D_phi", slope, "differentiate, put φ = π/4",
            Decided("it is positive for every f strictly between 0 and 1",
                    positive_between(slope, f, sympy.S.Zero, sympy.S.One)),
        ),
        Step(
            "So closing the atoms towards the first set's axis lowers the cost, and the diagonal "
            "is not the best. At f = 1/2 the best angle is, in degrees,",
            "phi_star", sympy.N(best * 180 / sympy.pi, 8), "solve C' = 0 to thirty digits",
            Numeric("minimisation of the exact loss with the best activations at λ = 1e-5",
                    "best rhombic angle", (), tolerance=5e-4, formula=best * 180 / sympy.pi),
        ),
        Step(
            "The reason is a lost symmetry: for f = 0 and f = 1 exchanging x and y leaves the "
            "data as they are, for f in between it does not. The variances of y and x already "
            "differ, by",
            "V", sympy.simplify(covariance(law)[1, 1] - covariance(law)[0, 0]),
            "integrate",
            Decided("the difference is 0 at f = 0 and f = 1 only",
                    sympy.solve(covariance(law)[1, 1] - covariance(law)[0, 0], f) == [0, 1]),
        ),
    )  # fmt: skip
    return Derivation(
        id="in-between",
        title="Magnitudes in between",
        summary=(
            "Between shared and independent amplitudes one might expect the diagonal to stay "
            "best, as it is at both ends. It does not: the data lose their symmetry about the "
            "diagonal, and the best atoms turn off it, by about a degree at f = 1/2. A trained "
            "SAE that is off by so much there may be right."
        ),
        convention=EXACT,
        symbols=(_F, Meaning(phi, "angle of the atom in the first quadrant", "arctan f to π/4")),
        assumptions=(
            *DATA[:1],
            "The first amplitude is a₁, the second (1 - f) a₂ + f a₁; a₁ and a₂ are independent, "
            "uniform on [0, 1].",
        ),
        steps=steps,
        result="For 0 < f < 1 the best four atoms are off the diagonals.",
        validity="Codes (±cos φ, ±sin φ), λ → 0.",
        falsified_by="An f between 0 and 1 where the exact cost is least at 45°.",
        claims=("in-between",),
        sources=(),
        figure="rhombic",
        caption="Cost against the angle of the first atom, f = 0, 1/2 and 1.",
    )
