"""The least loss of the code rotated by θ, for every θ and every penalty, of l1 or of l0.

A chamber of λ (`theory.losses.closed_forms`) ends where λ/2, or √λ₀, is the largest |u·x| of some
component, which is a function of θ; where two of these functions cross, the order of the chambers
changes and a new sector of θ begins. On `independent`, E Σ_k h_λ(|u_k·x|) comes out as three
formulas.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace

import sympy

from theory.codes.code import Code, rotated
from theory.exact.errors import InputError
from theory.exact.signs import Witness
from theory.exact.symbols import THETA
from theory.laws.law import Law
from theory.losses.closed_forms import Chamber, frame_loss_for_every_l1
from theory.losses.hard_thresholds import hard_threshold_loss_for_every_height


@dataclass(frozen=True)
class Sector:
    """An interval of θ on which the chambers of λ come in one order.

    Parameters
    ----------
    low, high : sympy.Expr
        low < θ < high; on the ends the formulas hold as limits.
    chambers : tuple of Chamber
        Their ends and values are expressions in θ.
    """

    low: sympy.Expr
    high: sympy.Expr
    chambers: tuple[Chamber, ...]


def rotated_loss_for_every_l1(law: Law, witness: Witness | None = None) -> tuple[Sector, ...]:
    """Return the least loss of the code rotated by θ in (0, π/4), for every θ and λ.

    Parameters
    ----------
    law : Law
        Of two dimensions; its probabilities may hold symbols.
    witness : mapping from symbol to number, optional
        Values of those symbols.

    Examples
    --------
    >>> from theory.laws.presets import preset
    >>> (sector,) = rotated_loss_for_every_l1(preset("shared"))
    >>> [chamber.high for chamber in sector.chambers[:-1]]
    [2*sqrt(2)*cos(theta + pi/4), 2*sqrt(2)*sin(theta + pi/4)]
    """
    return _sectors(frame_loss_for_every_l1, law, witness)


def rotated_hard_threshold_loss(law: Law, witness: Witness | None = None) -> tuple[Sector, ...]:
    """Return the least loss of the code rotated by θ under an l0 penalty, for every θ and τ = √λ₀.

    Parameters
    ----------
    law : Law
        Of two dimensions; its probabilities may hold symbols.
    witness : mapping from symbol to number, optional
        Values of those symbols.

    Examples
    --------
    On the second data set, up to τ = cos θ - sin θ, it is 2τ² - 4τ³/(3 cos θ):

    >>> from theory.laws.presets import preset
    >>> (sector,) = rotated_hard_threshold_loss(preset("independent"))
    >>> sector.chambers[0].high, sympy.expand(sector.chambers[0].value)
    (-sin(theta) + cos(theta), -4*tau**3/(3*cos(theta)) + 2*tau**2)
    """
    return _sectors(hard_threshold_loss_for_every_height, law, witness)


def _sectors(
    chambers_of: Callable[[Code, Law, Witness | None], tuple[Chamber, ...]],
    law: Law,
    witness: Witness | None,
) -> tuple[Sector, ...]:
    code, others = rotated(THETA), dict(witness or {})
    done: list[Sector] = []
    open_intervals = [(sympy.S.Zero, sympy.pi / 4)]
    while open_intervals:
        low, high = open_intervals.pop()
        middle = sympy.Rational(sympy.N((low + high) / 2, 6))
        chambers = chambers_of(code, law, {**others, THETA: middle})
        ends = [chamber.high for chamber in chambers[:-1]]
        crossings = {
            crossing
            for one, two in itertools.combinations(ends, 2)
            for crossing in _crossings(one - two)
            if low < crossing < high
        }
        if crossings:
            cuts = [low, *sorted(crossings, key=float), high]
            open_intervals += itertools.pairwise(cuts)
        else:
            done.append(Sector(low, high, _joined_chambers(chambers)))
    return _joined_sectors(sorted(done, key=lambda sector: float(sector.low)))


def _joined_chambers(chambers: tuple[Chamber, ...]) -> tuple[Chamber, ...]:
    """Join neighbours of one formula: not every end at which a sign changes is a change."""
    joined: list[Chamber] = []
    for chamber in chambers:
        if joined and joined[-1].value == chamber.value:
            joined[-1] = replace(joined[-1], high=chamber.high)
        else:
            joined.append(chamber)
    return tuple(joined)


def _joined_sectors(sectors: list[Sector]) -> tuple[Sector, ...]:
    joined: list[Sector] = []
    for sector in sectors:
        if joined and joined[-1].chambers == sector.chambers:
            joined[-1] = replace(joined[-1], high=sector.high)
        else:
            joined.append(sector)
    return tuple(joined)


def _crossings(difference: sympy.Expr) -> list[sympy.Expr]:
    """Return the θ in (0, π/4) where a cos θ + b sin θ vanishes: arctan(-a/b)."""
    cosine, sine = (sympy.simplify(difference.subs(THETA, at)) for at in (0, sympy.pi / 2))
    if sympy.simplify(difference - cosine * sympy.cos(THETA) - sine * sympy.sin(THETA)) != 0:
        raise InputError(difference, "a cos(theta) + b sin(theta)")
    return [sympy.atan(-cosine / sine)] if sine != 0 else []
