"""The best SAE that a search found, what is proven about it, and how sure the search is."""

from dataclasses import dataclass, replace

from solvers.bounds.radial_bound import LowerBound
from solvers.losses.solution import Solved
from solvers.losses.standard_error import FreshLoss
from theory.exact.errors import InputError

#: A lower bound is attained if no more than this share of what can be gained is left.
ATTAINED = 1e-9
#: Losses are the same if they differ by less than this share of what can be gained.
SAME = 1e-8
# What rounding does to a loss, as a share of the zero code's.
_ROUNDING = 1e-14
#: A best loss that fewer starts reached than this was found by luck.
OFTEN = 8


@dataclass(frozen=True)
class Start:
    """How one start ended.

    Parameters
    ----------
    total : float
        The loss that it reached.
    converged : bool
        Whether no component of the gradient exceeds the tolerance there, in units in which
        the data's root mean square per coordinate is 1; in a kink, along it, if no one-sided
        slope leads down.
    gradient : float
        The largest component of that gradient, in the same units.
    iterations : int
    status : str
        The optimiser's own last message.
    """

    total: float
    converged: bool
    gradient: float
    iterations: int
    status: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Optimum(Solved):
    """The best SAE known for a law, width and objective, and how sure one can be.

    Parameters
    ----------
    solution : Solution
        The best SAE and its exact loss.
    found : str
        What led to it.
    converged : bool
        Whether the minimisation that led to it converged.
    bound : LowerBound
        The best proven one.
    nothing : float
        The loss of the zero code: all latents dead, the best b_dec.
    starts : tuple of Start
        Every random start that was made, in order.
    seed : int
    interrupted : bool
        Whether the search was stopped before it had made the starts it was asked for.
    valley : int
        Of an architecture other than ReLU, the number of directions in which this is one of a
        continuum of SAEs with the same loss, to second order (`solvers.optima.valley`).
    fresh : FreshLoss or None
        Where points stand for a part of the law, the loss on points that the weights were not
        fitted to.
    """

    found: str
    converged: bool
    bound: LowerBound
    nothing: float
    starts: tuple[Start, ...]
    seed: int
    interrupted: bool = False
    valley: int = 0
    fresh: FreshLoss | None = None

    @property
    def reconstruction(self) -> float:
        """The error's part of the loss."""
        return self.loss.reconstruction

    @property
    def sparsity(self) -> float:
        """The penalty's part of the loss."""
        return self.loss.sparsity

    @property
    def weight_decay(self) -> float:
        """The weight decay's part of the loss."""
        return self.loss.weight_decay

    @property
    def l1(self) -> float:
        """E Σ f_i, whatever the penalty."""
        return self.loss.l1

    @property
    def l0(self) -> float:
        """Expected number of latents that fire."""
        return self.loss.l0

    @property
    def lower_bound(self) -> float:
        """No SAE of this width has a smaller loss, up to `lower_bound_error`."""
        return self.bound.value

    @property
    def lower_bound_error(self) -> float:
        """The error estimate of the bound's quadrature."""
        return self.bound.error

    @property
    def lower_bound_by(self) -> str:
        """What proves the bound."""
        return self.bound.by

    @property
    def gap(self) -> float:
        """Distance from the lower bound: total - lower_bound."""
        return self.total - self.lower_bound

    @property
    def attained(self) -> bool:
        """Whether the lower bound is attained, so that this is the optimum."""
        return self.gap <= self.lower_bound_error + self.share_of_gain(ATTAINED)

    @property
    def attainable(self) -> float:
        """What an SAE can gain at most: the loss of the zero code less the lower bound."""
        return max(self.nothing - self.lower_bound, 0.0)

    @property
    def hits(self) -> int:
        """How many of the random starts reached this loss."""
        same = self.share_of_gain(SAME)
        return sum(start.total - self.total <= same for start in self.starts)

    @property
    def sure(self) -> bool:
        """Whether the bound is attained, or enough random starts reached this loss.

        The latter is evidence, not a proof: see `chance_of_missing`.
        """
        return self.attained or self.hits >= OFTEN

    def chance_of_missing(self, share: float = 0.01) -> float:
        """Return the probability that a basin of this share got none of the starts: (1-share)^K.

        It is 0 if the lower bound is attained, for then there is nothing to miss.
        """
        if not 0 < share <= 1:
            raise InputError("share", "a number above 0 and up to 1", share)
        return 0.0 if self.attained else float((1.0 - share) ** len(self.starts))

    def share_of_gain(self, share: float) -> float:
        """Return a share of what can be gained, or rounding if that is more.

        A share of the loss itself would not do: where the penalty is large, all stationary
        points and the zero code agree in their first digits.
        """
        return max(share * min(self.total, self.attainable), _ROUNDING * self.nothing)

    def bounded_by(self, bound: LowerBound) -> "Optimum":
        """Return the optimum with the better of its own lower bound and this one."""
        return replace(self, bound=bound) if bound.value > self.bound.value else self
