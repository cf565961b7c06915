"""Runs the ledger: each claim is proved anew and its numbers are held against each other."""

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

import sympy

from solvers.runtime.arguments import check_choice, checked
from solvers.studies.claims.composing_evidence import COMPOSING_ROUTES
from solvers.studies.claims.cost_evidence import ROUTES as CODE_ROUTES
from solvers.studies.claims.evidence import Routes
from solvers.studies.claims.loss_evidence import LOSS_ROUTES
from theory.claims.claim import Claim, ProofError, Quantity
from theory.claims.ledger import LEDGER

#: The numeric routes of every claim in the ledger.
ROUTES = {**CODE_ROUTES, **LOSS_ROUTES, **COMPOSING_ROUTES}
_CLAIMS = {claim.id: claim for claim in LEDGER}
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
    ids: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
    *,
    executor: Executor | None = None,
) -> tuple[CheckedClaim, ...]:
    """Return the ledger, or the claims with these ids, proved and checked.

    Parameters
    ----------
    ids : sequence of str
        By default all.
    progress : callable, optional
        Called with the numbers of finished and of all claims.
    executor : concurrent.futures.Executor, optional
        Proves claims; by default they are proved here, one after the other.

    Raises
    ------
    InputError
        For an id that is not in the ledger.

    Examples
    --------
    >>> [(claim.verdict, claim.passed) for claim in verify(["ratio"])]
    [('holds', True)]
    """
    total, checked = len(chosen_ids(ids)), []
    for claim in verified(ids, executor):
        checked.append(claim)
        if progress is not None:
            progress(len(checked), total)
    return tuple(checked)


def chosen_ids(ids: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the ids of the ledger that are meant, in its order.

    Raises
    ------
    InputError
        For an id that is not in the ledger.

    Examples
    --------
    >>> chosen_ids(["ratio", "two-dimensional"])
    ('two-dimensional', 'ratio')
    """
    for name in ids:
        check_choice("claim", name, _CLAIMS)
    return tuple(name for name in _CLAIMS if not ids or name in ids)


def verified(ids: Sequence[str] = (), executor: Executor | None = None) -> Iterator[CheckedClaim]:
    """Yield what `verify` returns, in the ledger's order, each once those before it are done.

    Raises
    ------
    InputError
        For an id that is not in the ledger.

    Examples
    --------
    >>> next(verified()).id
    'two-dimensional'
    """
    chosen = chosen_ids(ids)
    if executor is None:
        yield from map(_checked, chosen)
        return
    first, *others = chosen
    futures = [executor.submit(_checked, name) for name in others]
    try:
        # There is something to read while the executor's processes still start.
        yield _checked(first)
        yield from (future.result() for future in futures)
    finally:
        for future in futures:
            future.cancel()


def _checked(name: str) -> CheckedClaim:
    return check(_CLAIMS[name], ROUTES[name])


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
