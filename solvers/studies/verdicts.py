"""The gaps between an SAE's losses, the verdict they come to, and what each means in words."""

import math
from dataclasses import dataclass

from solvers.optima.optimum import ATTAINED, Optimum
from solvers.optima.polish import Polished

#: Gaps below this share, of the optimum's loss and of what can be gained, are not worth a verdict.
NOTABLE = 1e-3
#: Nor those below this share of what can be gained, where the optimum's loss is 0 or nearly so.
NEGLIGIBLE = 1e-7


@dataclass(frozen=True)
class Gaps:
    """Differences of losses; None where the mathematics does not reach.

    Parameters
    ----------
    training : float or None
        Now less polished.
    basin : float or None
        Polished less optimum.
    amortisation : float or None
        Now less the loss of its own atoms and b_dec with the best activations.
    bound : float or None
        Optimum less lower bound.
    amortisation_error : float
        Standard error of the amortisation gap: 0 if it is exact, positive if it is sampled. No
        verdict rests on that gap.
    """

    training: float | None
    basin: float | None
    amortisation: float | None
    bound: float | None
    amortisation_error: float = 0.0


def gaps_of(
    now: float,
    polished: Polished | None,
    optimum: Optimum | None,
    best_activations: float | None,
    amortisation_error: float = 0.0,
) -> Gaps:
    """Return the gaps between the losses of one SAE."""
    end = None if polished is None else polished.total
    least = None if optimum is None else optimum.total
    return Gaps(
        training=_difference(now, end),
        basin=_difference(end, least),
        amortisation=_difference(now, best_activations),
        bound=_difference(least, None if optimum is None else optimum.lower_bound),
        amortisation_error=amortisation_error,
    )


def _difference(larger: float | None, smaller: float | None) -> float | None:
    if larger is None or smaller is None:
        return None
    # Losses that agree to rounding are the same.
    return 0.0 if math.isclose(larger, smaller, rel_tol=1e-13) else larger - smaller


def verdict_of(gaps: Gaps, polished: Polished | None, optimum: Optimum | None) -> str:
    """Return "optimum", "training", "basin", "training and basin", or "" if not decided."""
    if gaps.training is None or gaps.basin is None or optimum is None or polished is None:
        return ""
    # Where the penalty is so large that coding gains little, a gap that is small beside the loss
    # may be a large part of what there is to gain.
    least = max(optimum.share_of_gain(NOTABLE), NEGLIGIBLE * optimum.attainable)
    if gaps.basin > least and not polished.converged:
        # What stopped there may be no stationary point.
        return ""
    named = [name for name in ("training", "basin") if getattr(gaps, name) > least]
    return " and ".join(named) or "optimum"


def sentences_of(
    now: float, gaps: Gaps, polished: Polished | None, optimum: Optimum | None
) -> tuple[str, ...]:
    """Say what each gap between an SAE's loss and others means."""
    said = []
    nothing = ATTAINED * now if optimum is None else optimum.share_of_gain(ATTAINED)
    if gaps.training is not None:
        said.append(
            f"training: from its own weights the exact loss falls by {gaps.training:.3g}; so much "
            "is left to more training, a smaller rate or less noise"
            if gaps.training > nothing
            else "training: from its own weights the exact loss falls no further"
        )
    if gaps.basin is not None and polished is not None:
        if gaps.basin <= nothing:
            told = "what it falls to is the best known"
        elif polished.converged:
            told = (
                f"the stationary point it falls to is {gaps.basin:.3g} above the best known"
                f"{_share(gaps.basin, optimum)}; no further training leaves it"
            )
        else:
            told = (
                f"polishing stopped {gaps.basin:.3g} above the best known without converging, "
                "so this need not be a basin"
            )
        said.append(f"basin: {told}")
    if gaps.amortisation is not None:
        said.append(f"amortisation: {_amortisation(gaps.amortisation, gaps, nothing)}")
    if gaps.bound is not None and optimum is not None:
        said.append(
            f"bound: no SAE of this width has a loss below {optimum.lower_bound:.6g}; "
            + (
                "the best known attains it, so it is the optimum"
                if optimum.attained
                else f"the best known is {gaps.bound:.3g} above that, which is open"
            )
        )
    return tuple(said)


def _amortisation(gap: float, gaps: Gaps, nothing: float) -> str:
    """Say what the best activations would save, and how sure that is."""
    error = gaps.amortisation_error
    saved = f"the best activations for its own atoms and b_dec would save {gap:.3g}"
    if not error:
        if gap > nothing:
            return f"{saved}; so much does a one-layer encoder cost here"
        return "no activations for its own atoms and b_dec do better"
    saved += f" ± {error:.2g} (standard error, sampled)"
    if gap > max(nothing, 2 * error):
        return f"{saved}; so much does a one-layer encoder cost here"
    return f"{saved}, which may be nothing"


def _share(gap: float, optimum: Optimum | None) -> str:
    """Say what part of all that can be gained a gap is, where that says more than the gap."""
    if optimum is None or not 0 < optimum.attainable < optimum.total:
        return ""
    return f", {100 * gap / optimum.attainable:.2g} % of all that an SAE can gain"
