"""A derivation as data: what is assumed, what follows by which rule, and each step's check.

Prose is plain text; formulas are sympy's, obtained from the functions that `verify` and the
tests call. A step states its formula once; its check is about that formula unless it brings
another. A step without a check is a definition. Checks are `Symbolic` (two expressions,
obtained in different ways, whose difference simplifies to 0), `Decided` (a statement that
sympy decides) or `Numeric` (a formula against a number that `solvers` computes another way).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import sympy

from theory.claims.claim import ProofError
from theory.exact.symbols import label


@dataclass(frozen=True)
class Meaning:
    """A symbol, what it stands for, and where it may lie.

    Parameters
    ----------
    symbol : sympy.Expr
    meaning, domain : str
    """

    symbol: sympy.Expr
    meaning: str
    domain: str


@dataclass(frozen=True)
class Symbolic:
    """left - right simplifies to 0.

    Parameters
    ----------
    by : str
        How `right` was obtained, as the object of "equals".
    right : sympy.Expr
    left : sympy.Expr, optional
        By default the formula of the step.
    """

    by: str
    right: sympy.Expr
    left: sympy.Expr | None = None

    def require(self, step: str) -> None:
        """Raise `ProofError`, naming the step, unless the two are equal."""
        if self.left is None or sympy.simplify(self.left - self.right) != 0:
            raise ProofError(f"{step}: {self.left} is not {self.right}, {self.by}")


@dataclass(frozen=True)
class Decided:
    """A statement that sympy has decided.

    Parameters
    ----------
    by : str
        The statement.
    truth : object
    """

    by: str
    truth: object

    def require(self, step: str) -> None:
        """Raise `ProofError`, naming the step, unless the statement is true."""
        if self.truth is not True and self.truth is not sympy.true:
            raise ProofError(f"{step}: it is not so that {self.by}")


@dataclass(frozen=True)
class Numeric:
    """A formula against a number computed another way, at random values of its symbols.

    Parameters
    ----------
    by : str
        What computes the number, in words.
    route : str
        Its name in `solvers.studies.claims.derivation_evidence.ROUTES`.
    settings : tuple
        What the route needs to know besides the values.
    domain : mapping from symbol to (low, high)
        Where the values are drawn.
    tolerance : float
        Largest deviation, in units of `unit`.
    unit : float
        What the formula's values are measured against.
    formula : sympy.Expr, optional
        By default that of the step.
    """

    by: str
    route: str
    settings: tuple[object, ...] = ()
    domain: Mapping[sympy.Symbol, tuple[float, float]] = field(default_factory=dict)
    tolerance: float = 1e-12
    unit: float = 1.0
    formula: sympy.Expr | None = None


Check: TypeAlias = Symbolic | Decided | Numeric


@dataclass(frozen=True)
class Step:
    """A sentence or two, a displayed formula, the rule that gave it, and its check.

    Parameters
    ----------
    prose : str
    name : str
        The formula's left-hand side, or "" if `formula` is shown as it is.
    formula : sympy.Basic or None
    rule : str
        What was done: "integrate", "solve", "definition", ...
    check : Check or None
        Of the formula, unless it brings another.
    """

    prose: str
    name: str = ""
    formula: sympy.Basic | None = None
    rule: str = ""
    check: Check | None = None

    def __post_init__(self) -> None:
        about: Check | None = self.check
        if isinstance(about, Numeric) and about.formula is None:
            about = replace(about, formula=self.formula)
        elif isinstance(about, Symbolic) and about.left is None:
            about = replace(about, left=self.formula)
        object.__setattr__(self, "check", about)

    @property
    def display(self) -> sympy.Basic | None:
        """What is displayed: name = formula; a name may be a quotient, a/b."""
        if self.formula is None or not self.name:
            return self.formula
        top, _, bottom = self.name.partition("/")
        left = label(top)
        if bottom:
            left = sympy.Mul(left, sympy.Pow(label(bottom), -1, evaluate=False), evaluate=False)
        return sympy.Eq(left, self.formula, evaluate=False)


@dataclass(frozen=True)
class Derivation:
    """One topic.

    Parameters
    ----------
    id, title : str
    summary : str
        The result and why one should care.
    convention : str
        The loss that is meant.
    symbols : tuple of Meaning
    assumptions : tuple of str
    steps : tuple of Step
    result : str
    validity : str
        Where the result holds.
    falsified_by : str
        What would show it wrong.
    claims : tuple of str
        Entries of the ledger that it settles.
    sources : tuple of str
        Keys of docs/references.md, with the place.
    figure, caption : str
        Name in `solvers.presentation.derivations.figures.FIGURES`, and what it shows.
    """

    id: str
    title: str
    summary: str
    convention: str
    symbols: tuple[Meaning, ...]
    assumptions: tuple[str, ...]
    steps: tuple[Step, ...]
    result: str
    validity: str
    falsified_by: str
    claims: tuple[str, ...]
    sources: tuple[str, ...]
    figure: str = ""
    caption: str = ""

    def step_name(self, number: int) -> str:
        """Name a step, counted from 1, in messages."""
        return f"{self.id}, step {number}"


#: A derivation is made anew each time: its formulas are derived, not kept.
Maker: TypeAlias = Callable[[], Derivation]

#: The loss of almost all topics.
SQUARED = (
    "L = E ‖x - x̂‖² + λ E Σ f_i, the square summed over coordinates, without a factor ½; every "
    "atom has norm 1"
)


def readable(expression: sympy.Expr | str) -> str:
    """Return an expression, or prose with sympy's expressions in it, as people write it.

    Examples
    --------
    >>> readable(2 * sympy.sqrt(2)), readable("it is sqrt(2)*A/s**2")
    ('2√2', 'it is √2·A/s²')
    """
    text = expression if isinstance(expression, str) else sympy.sstr(expression)
    text = re.sub(r"\*?sqrt\((\d+)\)", r"√\1", text)
    return re.sub(r"(?<=\w)\*(?=\w)", "·", text.replace("**2", "²").replace("**3", "³"))
