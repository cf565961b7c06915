"""The loss of a dictionary with the best activations at every x, exactly: no encoder.

    E min_{f ≥ 0} ‖x - b - Σ f_i d_i‖² + λ Σ w_i f_i,    w_i = 1 or ‖d_i‖.

Where the latents S are active, linearly independent, f_S = G⁻¹ (D_S (x - b) - λ w_S/2) with
G = D_S D_Sᵀ, and the residual is the point of the polyhedron {y : d_i·y ≤ λ w_i/2} nearest to
x - b. So S stays the best where f_S ≥ 0 and the residual keeps to the other half-spaces: a convex
cell, on which the loss is quadratic. Which S it is at one point, nonnegative least squares says
(the least-distance programme of Lawson and Hanson 1974, chapter 23), and
`solvers.laws.cell_quadrature` needs no more.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from solvers.autoencoders.autoencoder import Autoencoder
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import Cubes, exact_arrays
from solvers.laws.cell_quadrature import Cell, cell_nodes
from solvers.runtime.arguments import checked
from theory.exact.errors import InputError
from theory.laws.law import Law

Array = NDArray[np.float64]

Progress = Callable[[int, int], None]

# Atoms whose Gram matrix is closer than this to singular are taken for dependent.
_DEPENDENT = 1e-12
#: Components times the square of latents: more may take a quarter of an hour or longer.
LARGEST_WORK = 10**7


class TooManyCellsError(Exception):
    """The data meet more cells than may be integrated."""


class _Support(NamedTuple):
    """Active latents: f = activation · (x - b) - shift."""

    chosen: NDArray[np.intp]
    activation: Array
    shift: Array


@checked
def best_activation_loss(
    law: Law, sae: Autoencoder, objective: Objective, *, progress: Progress | None = None
) -> float:
    """Return the expected loss of the SAE's atoms and b_dec with the best activations.

    What the SAE's own loss has above it is the amortisation gap [ONeill2024].

    Parameters
    ----------
    law : Law
    sae : Autoencoder
        Only W_dec and b_dec count.
    objective : Objective
        Squared reconstruction.
    progress : callable, optional
        Called with the thousandths of the law that are integrated, and 1000.

    Raises
    ------
    InputError
        For the relative reconstruction, or for more work than `LARGEST_WORK`, before any is done.

    Examples
    --------
    The diagonal code's one-layer encoder has no gap on the first data set:

    >>> from solvers.autoencoders.frames import frame_sae
    >>> from theory.laws.presets import preset
    >>> sae = frame_sae(np.pi / 4, 0.05)
    >>> round(best_activation_loss(preset("shared"), sae, Objective(l1=0.1)), 12)
    0.068240140901
    """
    check_charged(objective)
    arrays = exact_arrays(law)
    work = sum(len(cubes.probability) for cubes in arrays.groups) * sae.d_sae**2
    if work > LARGEST_WORK:
        limit = f"components × latents² of at most {LARGEST_WORK:,} for the best activations"
        raise InputError("latents", limit, f"{work:,}")
    return integrated(arrays.groups, sae, objective, math.inf, progress)


def check_charged(objective: Objective) -> None:
    """Refuse an objective whose best activations are none of nonnegative least squares."""
    objective.check_no_l0("the best activations")
    objective.check_no_prefixes("the best activations")
    if objective.reconstruction != "squared":
        expected = "'squared' for the best activations"
        raise InputError("reconstruction", expected, objective.reconstruction)


def integrated(
    groups: Sequence[Cubes],
    sae: Autoencoder,
    objective: Objective,
    most: float,
    progress: Progress | None = None,
) -> float:
    """Return the loss with the best activations on cubes, or raise `TooManyCellsError`.

    Parts of cells may be an eighth of `most`, and as much of the rest as the law is done: where
    it would take far more, that shows early.
    """
    best = best_activations_of(sae, objective)
    total = covered = 0.0
    parts = 0
    for cubes in groups:
        for probability, affine in zip(cubes.probability, cubes.affine, strict=True):
            moved = affine.copy()
            moved[:, 0] -= sae.b_dec
            for support, u, weight in cell_nodes(moved.shape[1] - 1, best.cell_of(moved)):
                parts += 1
                if parts > most * (1 + 7 * covered) / 8:
                    raise TooManyCellsError
                x = moved[:, 0] + u @ moved[:, 1:].T
                f = x @ support.activation.T - support.shift
                residual = x - f @ best.atoms[support.chosen]
                loss = np.einsum("nd,nd->n", residual, residual)
                loss += 2.0 * (f @ best.levels[support.chosen])
                total += float(probability * (weight @ loss))
                covered += float(probability * weight.sum())
                if progress is not None:
                    progress(min(round(1000 * covered), 1000), 1000)
    if objective.weight_decay:
        total += objective.weight_decay * float((sae.W_enc**2).sum() + (sae.W_dec**2).sum())
    return total


def best_activations_of(sae: Autoencoder, objective: Objective) -> "BestActivations":
    """Return the best activations of the SAE's atoms at what an objective charges."""
    return BestActivations(sae.W_dec, objective.l1 * objective.latent_weights(sae.W_dec) / 2)


class BestActivations:
    """The best activations of atoms (n, d) at penalties 2 · levels (n,), point by point."""

    def __init__(self, atoms: Array, levels: Array) -> None:
        self.atoms, self.levels = atoms, levels
        norms = np.linalg.norm(atoms, axis=1)
        self.live = np.flatnonzero(norms > _DEPENDENT * norms.max(initial=0.0))
        # The half-spaces d_i·y ≤ level, with normals of length 1.
        self.norms = norms[self.live]
        self.normals = atoms[self.live] / self.norms[:, None]
        self.offsets = levels[self.live] / self.norms
        self._known: dict[tuple[int, ...], _Support] = {}

    def cell_of(self, moved: Array) -> Callable[[Array], Cell[_Support]]:
        """Return what `cell_nodes` asks of a component x - b = moved · (1, u)."""

        def cell_of(u: Array) -> Cell[_Support]:
            support = self.support_at(moved[:, 0] + moved[:, 1:] @ u)
            activation = support.activation @ moved
            activation[:, 0] -= support.shift
            residual = moved - self.atoms[support.chosen].T @ activation
            others = ~np.isin(self.live, support.chosen)
            room = -self.normals[others] @ residual
            room[:, 0] += self.offsets[others]
            # Atoms that depend on the active ones may touch the cell everywhere.
            size = np.abs(moved).max() + np.abs(self.offsets).max(initial=0.0)
            room = room[np.abs(room).max(axis=1, initial=0.0) > _DEPENDENT * size]
            return Cell(np.vstack([activation, room]), support)

        return cell_of

    def support_at(self, x: Array) -> _Support:
        """Return the latents that are active at x - b."""
        share = self._share(x)[0]
        chosen = np.flatnonzero(share > 0)
        while _dependent(self.normals[chosen]):
            chosen = np.delete(chosen, np.argmin(share[chosen]))
        return self._support(chosen)

    def activations_at(self, x: Array) -> Array:
        """Return the activations (N, n) at samples x - b (N, d): any that are best."""
        f = np.zeros((len(x), len(self.atoms)))
        for row, point in zip(f, x, strict=True):
            share, scale = self._share(point)
            row[self.live] = share * scale / self.norms
        return f

    def missed(self, x: Array, f: Array) -> Array:
        """Return by how much each loss with activations f at x - b may exceed the least, (N,).

        That is its duality gap: ‖x‖² - ‖x - z‖² is below the least loss for every z with
        d_i·z ≤ level, such as a multiple of the residual.
        """
        residual = x - f @ self.atoms
        touched = residual @ self.normals.T
        fits = np.divide(self.offsets, touched, out=np.ones_like(touched), where=touched > 0)
        z = np.minimum(fits.min(axis=1, initial=1.0), 1.0)[:, None] * residual
        bound = np.einsum("nd,nd->n", 2 * x - z, z)
        gap: Array = np.maximum(self.losses(x, f) - bound, 0.0)
        return gap

    def losses(self, x: Array, f: Array) -> Array:
        """Return the loss of each x - b with activations f, (N,)."""
        residual = x - f @ self.atoms
        loss: Array = np.einsum("nd,nd->n", residual, residual) + 2.0 * (f @ self.levels)
        return loss

    def _share(self, x: Array) -> tuple[Array, float]:
        """Return f_i ‖d_i‖ of the live latents at x - b, and what it is to be multiplied by."""
        # min ‖z‖ over normals·(x - z) ≤ offsets: the residual of nonnegative least squares.
        excess = self.normals @ x - self.offsets
        size = max(float(np.abs(x).max()), float(np.abs(excess).max(initial=0.0)))
        if not (excess > 0).any():
            return np.zeros(len(excess)), 1.0
        excess /= size
        columns = np.vstack([self.normals.T, excess])
        target = np.zeros(len(columns))
        target[-1] = 1.0
        share, _ = nnls(columns, target, maxiter=30 * columns.shape[1])
        return share, size / float(1.0 - excess @ share)

    def _support(self, chosen: NDArray[np.intp]) -> _Support:
        key = tuple(chosen.tolist())
        if key not in self._known:
            latents = self.live[chosen]
            rows = self.atoms[latents]
            gram = rows @ rows.T
            inverse = np.linalg.inv(gram).astype(np.float64)
            self._known[key] = _Support(latents, inverse @ rows, inverse @ self.levels[latents])
        return self._known[key]


def _dependent(normals: Array) -> bool:
    return len(normals) > 0 and bool(np.linalg.det(normals @ normals.T) <= _DEPENDENT)
