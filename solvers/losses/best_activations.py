"""The loss of a dictionary with the best activations at every x, exactly: no encoder.

    E min_{f ≥ 0} ‖x - b - Σ f_i d_i‖² + λ Σ w_i f_i,    w_i = 1 or ‖d_i‖.

Where the latents S are active, linearly independent, f_S = G⁻¹ (D_S (x - b) - λ w_S/2) with
G = D_S D_Sᵀ, and the loss is ‖x - b‖² - f_S·G f_S. Every S with f_S ≥ 0 is a choice of f, so the
minimum is over these. The residual of the best one is the vertex or face S of the polyhedron
{y : d_i·y ≤ λ w_i/2}, so only its faces count. Between the lines f_S,i = 0 the loss is quadratic,
and `solvers.laws.cell_quadrature` integrates it exactly.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.autoencoder import Autoencoder
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import law_arrays
from solvers.laws.cell_quadrature import cell_nodes
from solvers.runtime.arguments import checked
from theory.exact.errors import InputError
from theory.laws.law import Law

Array = NDArray[np.float64]

# Atoms whose Gram matrix is closer than this to singular are taken for dependent.
_DEPENDENT = 1e-12
_ON_FACE = 1e-9
#: Sets of active latents that are tried at every point; more would take minutes.
LARGEST_SUPPORTS = 4000


class _Support(NamedTuple):
    """Active latents: f = inverse · (D_S (x - b) - λ w_S/2), and G."""

    rows: Array
    gram: Array
    activation: Array
    shift: Array


@checked
def best_activation_loss(law: Law, sae: Autoencoder, objective: Objective) -> float:
    """Return the expected loss of the SAE's atoms and b_dec with the best activations.

    What the SAE's own loss has above it is the amortisation gap [ONeill2024].

    Parameters
    ----------
    law : Law
    sae : Autoencoder
        Only W_dec and b_dec count.
    objective : Objective
        Squared reconstruction.

    Raises
    ------
    InputError
        For the relative reconstruction, or so many latents that it would take minutes.

    Examples
    --------
    The diagonal code's one-layer encoder has no gap on the first data set:

    >>> from solvers.autoencoders.frames import frame_sae
    >>> from theory.laws.presets import preset
    >>> sae = frame_sae(np.pi / 4, 0.05)
    >>> round(best_activation_loss(preset("shared"), sae, Objective(l1=0.1)), 12)
    0.068240140901
    """
    if objective.reconstruction != "squared":
        expected = "'squared' for the best activations"
        raise InputError("reconstruction", expected, objective.reconstruction)
    arrays = law_arrays(law)
    weights = objective.latent_weights(sae.W_dec)
    supports = _supports(sae.W_dec, objective.l1 * weights / 2)
    total = 0.0
    for cubes in arrays.groups:
        for probability, affine in zip(cubes.probability, cubes.affine, strict=True):
            moved = affine.copy()
            moved[:, 0] -= sae.b_dec
            lines = [support.activation @ moved for support in supports]
            for line, support in zip(lines, supports, strict=True):
                line[:, 0] -= support.shift
            for u, weight in cell_nodes(np.vstack([np.zeros((1, moved.shape[1])), *lines])):
                u_tilde = np.hstack([np.ones((len(u), 1)), u])
                gain = np.zeros(len(u))
                for line, support in zip(lines, supports, strict=True):
                    f = u_tilde @ line.T
                    value = np.einsum("ni,ij,nj->n", f, support.gram, f)
                    gain = np.where((f >= 0).all(axis=1), np.maximum(gain, value), gain)
                x = u_tilde @ moved.T
                total += float(probability * weight @ (np.einsum("nd,nd->n", x, x) - gain))
    if objective.weight_decay:
        total += objective.weight_decay * float((sae.W_enc**2).sum() + (sae.W_dec**2).sum())
    return max(total, 0.0)


def _supports(atoms: Array, levels: Array) -> list[_Support]:
    """Return the sets of linearly independent atoms that can be active, as affine maps of x."""
    scale = float(np.abs(atoms).max()) or 1.0
    found: list[_Support] = []
    live = [i for i, atom in enumerate(atoms) if np.abs(atom).max() > _DEPENDENT * scale]
    for size in range(1, atoms.shape[1] + 1):
        for chosen in combinations(live, size):
            rows = atoms[list(chosen)]
            gram = rows @ rows.T
            if np.linalg.det(gram) <= _DEPENDENT * np.prod(np.diagonal(gram)):
                continue
            inverse = np.linalg.inv(gram)
            shift = inverse @ levels[list(chosen)]
            if size == atoms.shape[1] and _outside(rows.T @ shift, atoms, levels):
                continue
            found.append(_Support(rows, gram, inverse @ rows, shift))
            if len(found) > LARGEST_SUPPORTS:
                expected = f"fewer than {len(atoms)} in {atoms.shape[1]} dimensions"
                raise InputError("latents", f"{expected} for the best activations")
    return found


def _outside(vertex: Array, atoms: Array, levels: Array) -> bool:
    """Tell whether a vertex lies outside {y : d_i·y ≤ λ w_i/2}: its atoms are no best choice."""
    slack = levels - atoms @ vertex
    return bool((slack < -_ON_FACE * np.linalg.norm(atoms, axis=1) * np.linalg.norm(vertex)).any())
