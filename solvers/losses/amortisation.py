"""What the best activations would save: exactly, or where that takes too long from samples.

With ℓ(x) the loss of an SAE at x and ℓ*(x) that of its atoms and b_dec with the best activations
there, the amortisation gap [ONeill2024] is E(ℓ - ℓ*). Where no more than two magnitudes are random
at once, and the law meets few enough cells of `solvers.losses.best_activations`, E ℓ* is exact.
Else it is estimated from N samples of the law by regression on ℓ and ‖x - b_dec‖², of which the
expectations are known (control variates [Owen2013], section 8.9),

    E ℓ* = mean(ℓ* - β·c) + β·E c,    standard error = s(ℓ* - β·c)/√N + mean(duality gap of ℓ*),

so that what ℓ and ℓ* have in common adds nothing to the error. Where E ℓ is not exact itself, the
gap is the mean of ℓ - ℓ*.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.autoencoder import Autoencoder
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import law_arrays
from solvers.laws.samples import Sampler
from solvers.losses.best_activations import (
    Progress,
    TooManyCellsError,
    best_activations_of,
    check_charged,
    integrated,
)
from solvers.losses.expected_loss import ExpectedLoss, expected_loss
from solvers.losses.loss_at import loss_at
from solvers.runtime.arguments import check_number, checked
from theory.exact.errors import InputError
from theory.laws.law import Law

Array = NDArray[np.float64]

#: Parts of cells that are integrated, at most: some 20 seconds.
LARGEST_PARTS = 50_000
#: Samples, at most and at least.
MOST_SAMPLES, FEWEST_SAMPLES = 2**14, 64
#: Parts or samples times n (d min(n, d) + 200), at most: some 10 to 30 seconds.
LARGEST_BUDGET = 4 * 10**9
# What a latent costs in whatever dimension, in the same unit.
_ANY_LATENT = 200
_SEED = 20261126
# Samples between two reports of progress.
_BLOCK = 256


class Amortisation(NamedTuple):
    """The loss of an SAE's atoms and b_dec with the best activations, and how sure it is.

    Parameters
    ----------
    total : float
        That loss.
    standard_error : float
        Of the total; 0 if it is exact, positive if it is sampled.
    gap_error : float
        Standard error of the SAE's own loss less the total. It is the smaller one where that loss
        is not exact itself.
    reason : str
        Why it is sampled, and from how many samples; "" if it is exact.
    """

    total: float
    standard_error: float = 0.0
    gap_error: float = 0.0
    reason: str = ""


@checked
def amortisation(
    law: Law,
    sae: Autoencoder,
    objective: Objective,
    now: ExpectedLoss | None = None,
    *,
    progress: Progress | None = None,
) -> Amortisation:
    """Return the loss with the best activations: exact up to a stated cost, else sampled.

    Exact are laws of at most two random magnitudes at once whose walk takes at most
    `LARGEST_PARTS` parts of cells, of 32 latents in 16 dimensions say. The samples are the same
    every time.

    Parameters
    ----------
    law : Law
    sae : Autoencoder
    objective : Objective
        Squared reconstruction.
    now : ExpectedLoss, optional
        The loss of the SAE, if it is known already.
    progress : callable, optional
        Called with the thousandths of the law that are integrated and 1000; then, if it is
        sampled, with the samples that are done and how many there are.

    Raises
    ------
    InputError
        For the relative reconstruction, an l0 penalty or prefixes; if the SAE's d_in is not the
        law's d; for so many latents that not
        even `FEWEST_SAMPLES` samples are affordable; and, of what must be sampled, for λ = 0.

    Examples
    --------
    The diagonal code's one-layer encoder has no gap on the first data set:

    >>> from solvers.autoencoders.frames import frame_sae
    >>> from theory import load_law
    >>> found = amortisation(load_law("shared"), frame_sae(np.pi / 4, 0.05), Objective(l1=0.1))
    >>> round(found.total, 12), found.standard_error
    (0.068240140901, 0.0)

    Two orthogonal features of normal magnitude and their own atoms lose λ/2 of each for ever:

    >>> law = load_law({"features": 2, "firing": 1, "magnitude": {"normal": [4, "1/10"]}})
    >>> found = amortisation(law, frame_sae(0.0, 0.05), Objective(l1=0.1))
    >>> abs(found.total - 2 * (0.1 * 4 - 0.1**2 / 4)) < 4 * found.standard_error
    True
    """
    check_charged(objective)
    if sae.d_in != law.dimension:
        expected = f"d_in = {law.dimension}, the dimension of the law {law.name!r}"
        raise InputError("W_enc", expected, sae.d_in)
    work = sae.d_sae * (sae.d_in * min(sae.d_sae, sae.d_in) + _ANY_LATENT)
    affordable = LARGEST_BUDGET // work
    if affordable < FEWEST_SAMPLES:
        limit = f"n (d min(n, d) + {_ANY_LATENT}) of at most {LARGEST_BUDGET // FEWEST_SAMPLES:,}"
        raise InputError("latents", limit, f"{work:,}")
    most = min(LARGEST_PARTS, affordable)
    reason = why_sampled(law, most)
    if not reason:
        try:
            total = integrated(law_arrays(law).groups, sae, objective, most, progress)
            return Amortisation(total)
        except TooManyCellsError:
            reason = f"the law meets so many cells that they would be cut into more than {most:,}"
    check_number("l1", objective.l1, above=0)
    samples = min(MOST_SAMPLES, affordable)
    now = expected_loss(law, sae, objective) if now is None else now
    saved = _Samples.of(law, sae, objective, samples, progress)
    total, error = saved.paired(now) if law.remainder is not None else saved.regressed(law, now)
    reason = f"from {samples:,} samples, for {reason}"
    return Amortisation(total, math.hypot(error, now.standard_error), error, reason)


def why_sampled(law: Law, most: int) -> str:
    """Say why the loss with the best activations cannot be exact, or nothing.

    Examples
    --------
    >>> from theory import load_law
    >>> uniform = {"uniform": [0, 1]}
    >>> why_sampled(load_law({"features": 3, "firing": 1, "magnitude": uniform}), 10)
    'more than two random magnitudes are active at once'
    """
    if law.remainder is not None:
        return "the law has too many active sets"
    arrays = law_arrays(law)
    if arrays.normals:
        return "the law has normal magnitudes"
    if not arrays.in_plane_cells:
        return "more than two random magnitudes are active at once"
    if arrays.component_count > most:
        return f"the law has more than {most:,} components"
    return ""


class _Samples(NamedTuple):
    """Losses (N,) at samples: the SAE's, the least, and by how much that may be too large."""

    own: Array
    least: Array
    missed: Array
    norm: Array
    b_dec: Array

    @classmethod
    def of(
        cls,
        law: Law,
        sae: Autoencoder,
        objective: Objective,
        count: int,
        progress: Progress | None,
    ) -> "_Samples":
        """Draw samples of the law, the same ones every time."""
        best = best_activations_of(sae, objective)
        sampler, rng = Sampler(law), np.random.default_rng(_SEED)
        own, least, missed, norm = np.zeros((4, count))
        for start in range(0, count, _BLOCK):
            if progress is not None:
                progress(start, count)
            block = slice(start, min(start + _BLOCK, count))
            x = sampler(rng, block.stop - start)
            moved = x - sae.b_dec
            f = best.activations_at(moved)
            own[block] = loss_at(x, sae, objective)
            least[block] = best.losses(moved, f)
            missed[block] = best.missed(moved, f)
            norm[block] = np.einsum("nd,nd->n", moved, moved)
        if progress is not None:
            progress(count, count)
        return cls(own, least, missed, norm, sae.b_dec)

    def paired(self, now: ExpectedLoss) -> tuple[float, float]:
        """Return the SAE's loss less what is saved at the samples, and the error of that."""
        saved = self.own - self.least
        return now.total - float(saved.mean()), self._error(saved, 1)

    def regressed(self, law: Law, now: ExpectedLoss) -> tuple[float, float]:
        """Return the least loss by regression on what is known exactly, and its error."""
        arrays = law_arrays(law)
        away = arrays.mean - self.b_dec
        known = np.array([now.total - now.weight_decay, arrays.spread + float(away @ away)])
        controls = np.column_stack([self.own, self.norm])
        about_mean = controls - controls.mean(axis=0)
        beta = np.linalg.lstsq(about_mean, self.least - self.least.mean())[0]
        total = float(self.least.mean() + (known - controls.mean(axis=0)) @ beta)
        error = self._error(self.least - controls @ beta, 1 + len(beta))
        return total + now.weight_decay, error

    def _error(self, values: Array, fitted: int) -> float:
        error = float(values.std(ddof=fitted)) / math.sqrt(len(values))
        # Where all samples agree there is rounding still.
        return max(error + float(self.missed.mean()), float(np.finfo(np.float64).tiny))
