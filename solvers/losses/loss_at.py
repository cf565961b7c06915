"""The loss at given samples: what the expected loss is the expectation of, from the definition."""

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.autoencoder import Autoencoder
from solvers.autoencoders.objective import Objective

Array = NDArray[np.float64]


def loss_at(x: Array, sae: Autoencoder, objective: Objective) -> Array:
    """Return the loss of each sample, weight decay left out.

    Parameters
    ----------
    x : (N, d) array
    sae : Autoencoder
    objective : Objective

    Returns
    -------
    (N,) array

    Examples
    --------
    >>> from solvers.autoencoders.frames import frame_sae
    >>> x = np.array([[0.5, 0.25]])
    >>> loss_at(x, frame_sae(0.0), Objective(l1=0.1)).round(12).tolist()
    [0.075]

    The first latent alone leaves 0.25² out:

    >>> loss_at(x, frame_sae(0.0), Objective(0.0, prefixes=(1, 4))).tolist()
    [0.0625]
    """
    f = sae.activations(x)
    prefixes = objective.prefixes or (sae.d_sae,)
    weights = objective.weights_of_prefixes() or (1.0,)
    error = np.zeros(len(x))
    for prefix, weight in zip(prefixes, weights, strict=True):
        residual = f[:, :prefix] @ sae.W_dec[:prefix] + sae.b_dec - x
        error += weight * np.einsum("nd,nd->n", residual, residual)
    if objective.reconstruction == "relative":
        norm = np.einsum("nd,nd->n", x, x)
        # A sample x = 0 counts 0.
        error = np.divide(error, norm, out=np.zeros_like(norm), where=norm > 0)
    charged = objective.l1 * (f @ objective.latent_weights(sae.W_dec))
    loss: Array = error + charged + objective.l0 * (f > 0).sum(axis=1)
    return loss
