"""Runs the ledger: each claim is proved anew and its numbers are held against each other."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sympy

from solvers.runtime.arguments import check_choice, checked
from solvers.studies.claims.cost_evidence import ROUTES as CODE_ROUTES
from solvers.studies.claims.evidence import Routes
from solvers.studies.claims.loss_evidence import LOSS_ROUTES
from theory.claims.claim import Claim, ProofError, Quantity
from theory.claims.ledger import LEDGER

#: The numeric routes of every claim in the ledger.
ROUTES = {**CODE_ROUTES, **LOSS_ROUTES}
#: A larger error estimate of the independent route is no evidence.
LARGEST_ESTIMATE = 1e-6
#: Largest deviation from the symbolic value that passes, by route, relative to values above
#: 1. The independent route is allowed its own error estimate if that is larger.
TOLERANCES = {"exact": 1e-12, "optimised": 1e-9, "independent": 1e-9}


@dataclass(frozen=True)
class CheckedQuantity:
    """A quantity's symbolic value beside the numbers of the other routes.

    Parameters
    ----------
    name : str
    formula : str
        As derived, in symbols where it has them.
    symbolic : str
        The formula at the values where it is compared, still exact.
    value : float
        Its value.
    exact, optimised, independent : float or None
    independent_error : float
        The independent route's own error estimate.
    error : float
        The largest deviation of a route from the symbolic value.
    passed : bool
    """

    name: str
    formula: str
    symbolic: str
    value: float
    exact: float | None
    optimised: float | None
    independent: float | None
    independent_error: float
    error: float
    passed: bool


@dataclass(frozen=True)
class CheckedClaim:
    """A claim, its verdict and its numbers; the first quantity speaks for it in a table.

    Parameters
    ----------
    id, statement, place : str
    verdict : str
        "holds", "holds under a named reading", "fails as stated", or "proof failed".
    explanation : str
        The reading or the corrected statement.
    quantities : tuple of CheckedQuantity
        Empty if the proof failed.
    """

    id: str
    statement: str
    place: str
    verdict: str
    explanation: str
    quantities: tuple[CheckedQuantity, ...]

    @property
    def passed(self) -> bool:
        """Whether the proof went through and every route agrees with it."""
        return bool(self.quantities) and all(quantity.passed for quantity in self.quantities)

    @property
    def error(self) -> float | None:
        """The largest deviation among the claim's quantities."""
        return max((quantity.error for quantity in self.quantities), default=None)


@checked
def verify(
    ids: Sequence[str] = (), progress: Callable[[int, int], None] | None = None
) -> tuple[CheckedClaim, ...]:
    """Return the ledger, or the claims with these ids, proved and checked.

    Raises
    ------
    InputError
        For an id that is not in the ledger.

    Examples
    --------
    >>> [(claim.verdict, claim.passed) for claim in verify(["ratio"])]
    [('holds', True)]
    """
    known = {claim.id: claim for claim in LEDGER}
    for name in ids:
        check_choice("claim", name, known)
    chosen = [claim for claim in LEDGER if not ids or claim.id in ids]
    checked = []
    for done, claim in enumerate(chosen, start=1):
        checked.append(check(claim, ROUTES[claim.id]))
        if progress is not None:
            progress(done, len(chosen))
    return tuple(checked)


def check(claim: Claim, routes: Callable[[], list[Routes]]) -> CheckedClaim:
    """Return one claim proved, with its quantities by all routes."""
    try:
        finding = claim.prove()
    except ProofError as error:
        return CheckedClaim(claim.id, claim.statement, claim.place, "proof failed", str(error), ())
    quantities = tuple(
        _compare(quantity, numbers)
        for quantity, numbers in zip(finding.quantities, routes(), strict=True)
    )
    return CheckedClaim(
        claim.id,
        claim.statement,
        claim.place,
        finding.verdict.value,
        finding.explanation,
        quantities,
    )


def _compare(quantity: Quantity, numbers: Routes) -> CheckedQuantity:
    value = quantity.value
    deviations, passed = [0.0], numbers.exact is not None and numbers.independent is not None
    for route, tolerance in TOLERANCES.items():
        number = getattr(numbers, route)
        if number is None:
            continue
        deviation = abs(number - value)
        allowed = tolerance * max(1.0, abs(value))
        if route == "independent":
            allowed = max(allowed, min(numbers.independent_error, LARGEST_ESTIMATE))
        # Written so that NaN fails.
        passed = passed and bool(deviation <= allowed)
        deviations.append(deviation if not math.isnan(deviation) else math.inf)
    return CheckedQuantity(
        name=quantity.name,
        formula=str(quantity.formula),
        symbolic=str(
            sympy.radsimp(sympy.simplify(sympy.sympify(quantity.formula).subs(quantity.at)))
        ),
        value=value,
        exact=numbers.exact,
        optimised=numbers.optimised,
        independent=numbers.independent,
        independent_error=numbers.independent_error,
        error=max(deviations),
        passed=passed,
    )
