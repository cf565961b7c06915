"""Numbers beside the formulas of derivations, each computed another way than it was derived."""

from dataclasses import dataclass

import numpy as np
import sympy

from solvers.studies.claims.derivation_composing import COMPOSING_STEPS
from solvers.studies.claims.derivation_costs import COST_ROUTES, Route, Values
from solvers.studies.claims.derivation_losses import LOSS_ROUTES
from theory.claims.claim import ProofError
from theory.derivations.derivation import Derivation, Numeric

#: What checks name.
ROUTES: dict[str, Route] = {**COST_ROUTES, **LOSS_ROUTES, **COMPOSING_STEPS}
#: Seed of the values at which formulas are compared.
SEED = 20240314
_DRAWS = 3


@dataclass(frozen=True)
class Compared:
    """A formula and a number at the same values.

    Parameters
    ----------
    values : dict of str to float
    derived, computed : float
    """

    values: Values
    derived: float
    computed: float


def run_checks(derivation: Derivation) -> list[tuple[Compared, ...]]:
    """Run every step's check; return what each numeric one compared, and () for the others.

    Raises
    ------
    ProofError
        Naming the derivation and the step, if a check fails.
    """
    outcomes: list[tuple[Compared, ...]] = []
    for number, step in enumerate(derivation.steps, start=1):
        name = derivation.step_name(number)
        if isinstance(step.check, Numeric):
            outcomes.append(compare(step.check, name, SEED + number))
        else:
            if step.check is not None:
                step.check.require(name)
            outcomes.append(())
    return outcomes


def compare(check: Numeric, name: str, seed: int) -> tuple[Compared, ...]:
    """Compare a formula with its route, at random values if it has symbols.

    Raises
    ------
    ProofError
        Naming the step, if the two differ by more than the check's tolerance.
    """
    rng = np.random.default_rng(seed)
    compared = []
    for _ in range(_DRAWS if check.domain else 1):
        values = {str(symbol): _drawn(rng, *interval) for symbol, interval in check.domain.items()}
        computed = ROUTES[check.route](check.settings, values)
        formula = sympy.sympify(check.formula)
        at = {symbol: sympy.Float(values[str(symbol)], 25) for symbol in formula.free_symbols}
        derived = float(sympy.N(formula.subs(at), 20))
        if not abs(derived - computed) <= check.tolerance * check.unit:
            where = ", ".join(f"{key} = {value:.6g}" for key, value in values.items())
            raise ProofError(
                f"{name}: derived {derived:.12g}, but {check.by} gives {computed:.12g}"
                + (f" at {where}" if where else "")
            )
        compared.append(Compared(values, derived, computed))
    return tuple(compared)


def _drawn(rng: np.random.Generator, low: float, high: float) -> float:
    """Return a number of few digits from an interval, however short it is."""
    decimals = max(4, 2 - int(np.floor(np.log10(high)))) if high > 0 else 4
    return float(np.clip(np.round(rng.uniform(low, high), decimals), low, high))
