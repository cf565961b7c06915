"""The ledger: what the discussion claims, where, and what becomes of it when it is proved.

A claim's `prove` derives everything anew and returns a `Finding`: a verdict that follows from what
was derived, and quantities whose symbolic values `solvers.studies.verify` holds against numbers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import sympy


class Verdict(StrEnum):
    """What becomes of a claim."""

    HOLDS = "holds"
    UNDER_A_READING = "holds under a named reading"
    FAILS = "fails as stated"


@dataclass(frozen=True)
class Quantity:
    """A number that a claim turns on.

    Parameters
    ----------
    name : str
    formula : sympy.Expr
        As derived, in symbols where it has them.
    at : mapping from symbol to number
        Where it is compared with numbers.
    """

    name: str
    formula: sympy.Expr
    at: Mapping[sympy.Symbol, sympy.Expr] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The formula's value at `at`."""
        return float(sympy.N(sympy.sympify(self.formula).subs(self.at), 20))


@dataclass(frozen=True)
class Finding:
    """What the proof of a claim found.

    Parameters
    ----------
    verdict : Verdict
    explanation : str
        The reading under which it holds, or the corrected statement; "" if it simply holds.
    quantities : tuple of Quantity
        The first is the one that a table shows.
    """

    verdict: Verdict
    explanation: str
    quantities: tuple[Quantity, ...]


@dataclass(frozen=True)
class Claim:
    """One claim of the discussion.

    Parameters
    ----------
    id : str
    statement : str
        In our own words.
    place : str
        Where it is made: a key of docs/references.md and the place.
    prove : callable
        Derives the finding.
    """

    id: str
    statement: str
    place: str
    prove: Callable[[], Finding]


class ProofError(Exception):
    """A step of a proof came out false: a formula in `theory` is wrong."""


def require(truth: object, step: str) -> None:
    """Raise `ProofError`, naming the step, unless `truth` is true.

    Examples
    --------
    >>> require(1 + 1 == 2, "arithmetic")
    """
    if truth is not True and truth is not sympy.true:
        raise ProofError(f"this step does not hold: {step}")
