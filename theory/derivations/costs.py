"""Derivations about what a code's activations cost: the setting, angles, one-hot features."""

import sympy

from theory.codes.code import axis_aligned, diagonal, gauge
from theory.codes.costs import activation_cost, cost_against_angle, readings_of_s, tie_probability
from theory.derivations.derivation import Decided, Derivation, Meaning, Numeric, Step, Symbolic
from theory.exact.signs import positive_between
from theory.exact.symbols import (
    AMPLITUDE,
    MAGNITUDE_CORRELATION,
    NORM,
    ONEHOT_PROBABILITY,
    POINT_AMPLITUDE,
    THETA,
)
from theory.laws.presets import preset

HALF = sympy.Rational(1, 2)
DATA = (
    "Two features can push along x, one to the right and one to the left, and two along y; of "
    "each pair exactly one is active, each combination equally likely.",
    "Amplitudes are uniform on [0, 1] unless A is kept: equal for both pairs on the first data "
    "set (shared), independent on the second (independent).",
)
EXACT = "the SAE reconstructs every x exactly; the cost is E Σ f_i, its mean total activation"
_ANDERS = "[Anders2024], comment by L. Chan"
_THETA = Meaning(THETA, "angle of the frame ±u, ±v from the axes", "0 to π/4")
_Q = Meaning(ONEHOT_PROBABILITY, "one-hot probability: only one feature is active", "0 to 1")
_F = Meaning(MAGNITUDE_CORRELATION, "magnitude correlation", "0 to 1")


def the_setting() -> Derivation:
    """Both readings of s, and why the ratio √2 does not depend on them."""
    readings = readings_of_s()
    decoder, both = readings
    s_range = {AMPLITUDE: (0.5, 2.0), NORM: (0.5, 1.5)}
    steps = [
        Step(
            "A sparse autoencoder writes a data point x as a sum of atoms d_i with activations "
            "f_i ≥ 0, and is trained to keep both the error and the total activation small. "
            "Take the point x = (A, A), both features at full amplitude. If atoms have norm 1, "
            "the four axis-aligned atoms need A each from two of them.",
            "gamma_axes",
            gauge(axis_aligned(), (AMPLITUDE, AMPLITUDE), {AMPLITUDE: sympy.S.One}),
            "linear programme: the least Σ f_i with Σ f_i d_i = x",
            Numeric(
                "scipy's linear programming on the atoms",
                "least activation",
                (0.0,),
                {AMPLITUDE: (0.5, 2.0)},
                1e-9,
            ),
        ),
        Step(
            "A diagonal atom points straight at x, so it needs the length of x once.",
            "gamma_diagonal",
            gauge(diagonal(), (AMPLITUDE, AMPLITUDE), {AMPLITUDE: sympy.S.One}),
            "the same linear programme",
            Numeric(
                "scipy's linear programming on the atoms",
                "least activation",
                (45.0,),
                {AMPLITUDE: (0.5, 2.0)},
                1e-9,
            ),
        ),
        Step(
            f"The discussion speaks of weights of size s and of totals with s². Read literally, "
            f"{decoder.assumption}: the axis-aligned total is then",
            "T_decoder",
            decoder.axis_aligned,
            "solve s f = A for f",
            Numeric("least squares with atoms of norm s", "scaled activation", (0.0, "decoder"),
                    s_range, 1e-9),
        ),
        Step(
            f"The totals as quoted arise if A is measured through both layers: "
            f"{both.assumption}.",
            "T_both",
            both.axis_aligned,
            "solve s² c = A for c",
            Numeric("least squares with gain s²", "scaled activation", (0.0, "both layers"),
                    s_range, 1e-9),
        ),
        Step(
            "For the diagonal code, read the same second way,",
            "T_diagonal",
            both.diagonal,
            "solve s² c = A √2 for c",
            Numeric("least squares with gain s²", "scaled activation", (45.0, "both layers"),
                    s_range, 1e-9),
        ),
        Step(
            "Whatever a unit of activation is worth, it is worth the same to both codes: the "
            "ratio does not depend on the reading.",
            "T_both/T_diagonal",
            both.ratio,
            "divide",
            Symbolic("the ratio under the other reading", decoder.ratio),
        ),
    ]  # fmt: skip
    return Derivation(
        id="setting",
        title="The setting, and two readings of s",
        summary=(
            "The discussion compares totals of 2A/s² and √2·A/s². Both are right under one "
            "reading of s and wrong under another, but their ratio, √2, is right under both. "
            "On the first data set that ratio is all the argument needs."
        ),
        convention="exact reconstruction of one point; no loss yet",
        symbols=(
            Meaning(AMPLITUDE, "largest amplitude of a feature", "above 0"),
            Meaning(NORM, "norm of the weights", "above 0"),
        ),
        assumptions=("The SAE reconstructs the point exactly.", DATA[0]),
        steps=tuple(steps),
        result="The axis-aligned code activates √2 times as much as the diagonal one at (A, A).",
        validity="Every A and s above 0, either reading.",
        falsified_by="An exact reconstruction of (A, A) by either code with a smaller total.",
        claims=("axis-aligned-total", "diagonal-total", "ratio"),
        sources=(f"{_ANDERS}, 4th paragraph",),
        figure="gauges",
        caption="All x that cost the same: the two gauges' unit circles, and the point (1, 1).",
    )


def activation_costs() -> Derivation:
    """The cost of axis-aligned and diagonal codes on both data sets."""
    a = POINT_AMPLITUDE
    at_a = [gauge(code, (a, a), {a: sympy.S.One}) for code in (axis_aligned(), diagonal())]
    steps = [
        Step(
            "On the first data set every point is a times one of the four corners. At (a, a) "
            "the axis-aligned code costs",
            "gamma_axes", at_a[0], "linear programme",
            Numeric("scipy's linear programming", "least activation", (0.0,),
                    {a: (0.1, 1.0)}, 1e-9),
        ),
        Step(
            "and the diagonal code",
            "gamma_diagonal", at_a[1], "linear programme",
            Numeric("scipy's linear programming", "least activation", (45.0,),
                    {a: (0.1, 1.0)}, 1e-9),
        ),
    ]  # fmt: skip
    for code, angle in ((axis_aligned(), 0.0), (diagonal(), 45.0)):
        for name, ordinal in (("shared", "first"), ("independent", "second")):
            cost = activation_cost(code, preset(name)).value
            steps.append(
                Step(
                    f"Averaged over the {ordinal} data set, the {code.name} code costs",
                    f"C_{'axes' if angle == 0 else 'diagonal'}",
                    cost,
                    "integrate the gauge, linear on each cone, over each cell",
                    Numeric("adaptive quadrature of the gauge", "cost by quadrature",
                            (name, angle), tolerance=1e-6),
                )
            )  # fmt: skip
    saved = {
        name: activation_cost(axis_aligned(), preset(name)).value
        - activation_cost(diagonal(), preset(name)).value
        for name in ("shared", "independent")
    }
    steps.append(
        Step(
            "So the diagonal code saves 1 - 1/√2 of the cost on the first data set, and less on "
            "the second, where the two amplitudes differ:",
            "S_independent",
            saved["independent"],
            "subtract",
            Decided(
                "both savings are positive, and the second is the smaller",
                bool(saved["shared"] > saved["independent"] > 0),
            ),
        )
    )
    return Derivation(
        id="activation-cost",
        title="What axis-aligned and diagonal codes cost",
        summary=(
            "If reconstruction is exact, the l1 penalty alone decides between codes. The "
            "diagonal code has the smaller mean activation on both data sets: 1/√2 against 1 "
            "where amplitudes are shared, 2√2/3 against 1 where they are independent. So an SAE "
            "that finds composed features is not making a mistake; it is paying less."
        ),
        convention=EXACT,
        symbols=(Meaning(a, "amplitude of both features at one point", "0 to 1"),),
        assumptions=(*DATA, "Atoms have norm 1."),
        steps=tuple(steps),
        result="C = 1 for the axes; 1/√2 and 2√2/3 for the diagonals.",
        validity="Exact reconstruction; with A in place of 1 all costs are A times as large.",
        falsified_by="A quadrature of the gauge that differs by more than its error.",
        claims=("lower-loss-first", "lower-loss-second"),
        sources=(f"{_ANDERS}, 4th and last paragraph",),
        figure="atoms",
        caption="The support of both data sets and the atoms of both codes.",
    )


def cost_and_angle() -> Derivation:
    """Cost as a function of the angle; strictly decreasing on both data sets."""
    steps, values = [], {}
    for name, ordinal in (("shared", "first"), ("independent", "second")):
        cost = cost_against_angle(preset(name))
        values[name] = cost
        steps += [
            Step(
                f"Turn the four atoms by θ. On the {ordinal} data set the cost becomes",
                "C_theta",
                cost.value,
                "integrate |u·x| + |v·x| over the cells on which both signs are fixed",
                Numeric("the exact moments of cut squares", "cost of a rotated code",
                        (name,), {THETA: (0.0, 0.785)}),
            ),
            Step(
                "Its derivative",
                "D_theta",
                cost.derivative,
                "differentiate",
                Decided(
                    "the derivative is negative between 0 and π/4",
                    positive_between(-cost.derivative, THETA, sympy.S.Zero, sympy.pi / 4),
                ),
            ),
        ]  # fmt: skip
    ends = [values[name].at(sympy.pi / 4) for name in ("shared", "independent")]
    steps.append(
        Step(
            "So the cost falls all the way from the axes, where it is 1, to the diagonal. There "
            "it is, on the second data set,",
            "C_diagonal",
            ends[1],
            "put θ = π/4",
            Symbolic(
                "the cost of the diagonal code by its own derivation",
                activation_cost(diagonal(), preset("independent")).value,
            ),
        )
    )
    return Derivation(
        id="cost-against-angle",
        title="Cost against angle",
        summary=(
            "The diagonal is not merely better than the axes: of all rotated frames it is the "
            "best, and every turn towards it helps. Along this path of rigid turns there is no "
            "barrier between the two codes; the axes are its maximum. What stops trained SAEs "
            "short must lie elsewhere: in other directions of the space of parameters."
        ),
        convention=EXACT,
        symbols=(_THETA,),
        assumptions=(*DATA, "Four atoms ±u, ±v of norm 1, at right angles."),
        steps=tuple(steps),
        result="C falls strictly on [0, π/4]; the diagonal is the cheapest rotated frame.",
        validity="θ in [0, π/4]; other angles follow by symmetry.",
        falsified_by="An angle at which the exact moments give a lower cost than π/4.",
        claims=("lower-loss-second",),
        sources=(f"{_ANDERS}, last paragraph",),
        figure="cost-against-angle",
        caption="Cost against the angle of the frame, on both data sets.",
    )


def onehot_threshold() -> Derivation:
    """The one-hot probability at which axes and diagonals cost the same."""
    steps = []
    for name, ordinal, f in (("shared", "first", 1), ("independent", "second", 0)):
        law = preset(name, onehot_probability=ONEHOT_PROBABILITY)
        witness = {ONEHOT_PROBABILITY: sympy.Rational(1, 3)}
        for code, angle in ((axis_aligned(), 0.0), (diagonal(), 45.0)):
            cost = sympy.expand(activation_cost(code, law, witness).value)
            steps.append(
                Step(
                    f"With probability q only one feature is active. On the {ordinal} data set "
                    f"the {code.name} code then costs",
                    f"C_{'axes' if angle == 0 else 'diagonal'}",
                    cost,
                    "average the cases of one and of two active features",
                    Numeric("the exact moments", "cost with one-hot probability",
                            (name, angle), {ONEHOT_PROBABILITY: (0.0, 1.0)}),
                )
            )  # fmt: skip
        tie = tie_probability(f)
        steps.append(
            Step(
                "Both are linear in q, and they are equal at",
                "q_star",
                tie,
                "solve",
                Numeric("root finding on the exact costs", "tie of the costs", (name,),
                        tolerance=1e-10),
            )
        )  # fmt: skip
    between = tie_probability()
    steps.append(
        Step(
            "For a magnitude correlation f in between, the same comparison gives",
            "q_star",
            between,
            "solve, f kept",
            Numeric("root finding on the exact costs", "tie of the costs in between",
                    (), {MAGNITUDE_CORRELATION: (0.05, 0.95)}, 1e-10),
        )
    )  # fmt: skip
    return Derivation(
        id="onehot-threshold",
        title="When true features win: the one-hot threshold",
        summary=(
            "Composed features are worth having only if features come together. If only one "
            "feature is active with probability q, a diagonal code must spend two atoms on it, "
            "and above a threshold q* the axis-aligned code is the cheaper: q* = 2 - √2 ≈ 0.586 "
            "on the first data set, (10 - 6√2)/7 ≈ 0.216 on the second."
        ),
        convention=EXACT,
        symbols=(_Q, _F),
        assumptions=(
            *DATA,
            "A feature active alone is equally likely any of the four, and its amplitude is "
            "uniform on [0, 1] whatever f; else the second amplitude is (1 - f) a₂ + f a₁.",
            "λ → 0, so that only the cost counts.",
        ),
        steps=tuple(steps),
        result="Diagonals are the cheaper for q < q*, axes for q > q*.",
        validity=(
            "λ → 0; axes against diagonals. For 0 < f < 1 and q below about q* a third code, a "
            "little off the diagonals, is the best."
        ),
        falsified_by="A q at which the exact costs order the two codes the other way.",
        claims=("true-features",),
        sources=("[Anders2024], conclusions",),
        figure="thresholds",
        caption="The threshold q* against λ: below the curve diagonals have the lower loss.",
    )
