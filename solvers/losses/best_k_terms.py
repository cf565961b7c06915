"""The error of a dictionary with the best k activations at every x: what TopK could do at best.

    E min { ‖x - b - Σ f_i d_i‖² : f ≥ 0, at most k of them > 0 },

below which no SAE with these atoms and b_dec has an error that has k latents at a time, whatever
its encoder. It is exact in two cases.

*k = 1.* With u_i = d_i/‖d_i‖ the error with atom i is ‖x - b‖² - (u_i·(x - b))₊², so that the atom
with the largest u_i·(x - b), if that is > 0, is the best. That is what a TopK SAE with unit atoms,
W_enc = W_decᵀ and b_enc = -W_dec b_dec computes, so the loss is that of this SAE.

*k ≥ min(d, n).* The nearest point of the cone of all atoms is in the cone of some linearly
independent ones (Carathéodory), of which there are at most d: the least over all f ≥ 0 uses no
more, and is the best-activation loss without a penalty (`solvers.losses.best_activations`).

In between the best set of k atoms changes where the squared lengths of two projections agree, on
quadrics: its regions are no polytopes, and no sum of moments of such is exact.
"""

import numpy as np

from solvers.autoencoders.architectures import TopKSae
from solvers.autoencoders.autoencoder import Autoencoder, Sae
from solvers.autoencoders.objective import Objective
from solvers.losses.best_activations import best_activation_loss
from solvers.losses.expected_loss import expected_loss
from solvers.runtime.arguments import check_whole, checked
from theory.exact.errors import InputError
from theory.laws.law import Law


@checked
def best_k_term_loss(law: Law, sae: Autoencoder, k: int) -> float:
    """Return the expected squared error of an SAE's atoms and b_dec with the best k activations.

    Parameters
    ----------
    law : Law
    sae : Autoencoder
        Only W_dec and b_dec count.
    k : int ≥ 1
        1, or at least the smaller of dimension and number of latents.

    Raises
    ------
    InputError
        For another k, and as `expected_loss` of a TopK SAE, or `best_activation_loss`.

    Examples
    --------
    On the second data set one atom at a time leaves 1/6 with the axes, 1/12 with the diagonals;
    two leave nothing:

    >>> from solvers.autoencoders.frames import frame_sae
    >>> from theory.laws.presets import preset
    >>> law = preset("independent")
    >>> [round(best_k_term_loss(law, frame_sae(angle), 1), 12) for angle in (0.0, np.pi / 4)]
    [0.166666666667, 0.083333333333]
    >>> abs(best_k_term_loss(law, frame_sae(0.0), 2)) < 1e-15
    True
    """
    check_whole("k", k, 1)
    least = min(sae.W_dec.shape)
    if k >= least and k > 1:
        return best_activation_loss(law, sae, Objective(0.0))
    if k > 1:
        hint = "in between, the regions of the best atoms are bounded by quadrics"
        raise InputError("k", f"1, or at least {least}", k, hint=hint)
    norms = np.linalg.norm(sae.W_dec, axis=1, keepdims=True)
    atoms = sae.W_dec / np.where(norms > 0, norms, 1.0)
    base = Sae(atoms.T, -atoms @ sae.b_dec, atoms, sae.b_dec)
    return expected_loss(law, TopKSae(base, 1), Objective(0.0)).total
