"""A Monte Carlo estimate of the loss with its standard error: a second opinion, not exact."""

from dataclasses import dataclass

import numpy as np

from solvers.autoencoders.autoencoder import Autoencoder
from solvers.autoencoders.objective import Objective
from solvers.laws.samples import Sampler
from solvers.losses.loss_at import loss_at
from solvers.runtime.arguments import checked
from theory.laws.law import Law

# Samples at a time.
_BLOCK = 2**16


@dataclass(frozen=True)
class SampledLoss:
    """The mean of a sampled loss.

    Parameters
    ----------
    total : float
    standard_error : float
        Of the mean. Where the loss has no mean or no variance it means nothing.
    samples, seed : int
    """

    total: float
    standard_error: float
    samples: int
    seed: int


@checked
def sampled_loss(
    law: Law, sae: Autoencoder, objective: Objective, samples: int, seed: int = 0
) -> SampledLoss:
    """Estimate the loss from samples of the law, weight decay included.

    Examples
    --------
    >>> from solvers.autoencoders.frames import frame_sae
    >>> from theory import load_law
    >>> found = sampled_loss(load_law("shared"), frame_sae(0.0), Objective(l1=0.1), 10_000)
    >>> abs(found.total - 0.1) < 5 * found.standard_error
    True
    """
    rng = np.random.default_rng(seed)
    sampler = Sampler(law)
    parts = []
    for start in range(0, samples, _BLOCK):
        x = sampler(rng, min(_BLOCK, samples - start))
        parts.append(loss_at(x, sae, objective))
    losses = np.concatenate(parts)
    decay = objective.weight_decay * float((sae.W_enc**2).sum() + (sae.W_dec**2).sum())
    return SampledLoss(
        float(losses.mean()) + decay,
        float(losses.std(ddof=1) / np.sqrt(samples)) if samples > 1 else float("inf"),
        samples,
        seed,
    )
