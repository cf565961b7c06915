"""Where the encoder and biases of a held code start: at the best activations, and elsewhere.

All in units in which the data's size is about 1 (`solvers.losses.parameters.ScaledProblem`).

For held atoms the loss with the best activations,

    g(b) = min_{f ≥ 0} E ‖x - b - Σ f_i d_i‖² + λ E Σ w_i f_i,    b = b_dec,

is the minimum over f of a function convex in (b, f), so it is convex in b. Its minimiser is found
together with the activations by one programme with f ≥ 0, on the law's points or, for cubes, on
the nodes of Simpson's rule, which include the corners. What is then asked of an encoder is convex
again: pre-activations that are f_i(x) where latent i should fire, and negative elsewhere.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from solvers.autoencoders.autoencoder import Sae
from solvers.laws.arrays import LawArrays

Array = NDArray[np.float64]

# Simpson's rule on [0, 1], as (node, weight).
_SIMPSON = ((0.0, 1 / 6), (0.5, 2 / 3), (1.0, 1 / 6))
# Beyond this many activations the programme would take longer than the descents.
_LARGEST_PROGRAMME = 20_000
# Activations below this share of the largest are silent.
_SILENT = 1e-9
# How far below 0 silent pre-activations are asked to be, and readers' thresholds, in λ.
_MARGIN = 0.1
_THRESHOLD = 0.25
# Points of the law at which b_dec is tried.
_MOST_POINTS = 8
# Points that agree to as many digits are one.
_DIGITS = 12


@dataclass(frozen=True, eq=False)
class Nodes:
    """Points x that stand for a law, and their probabilities.

    Parameters
    ----------
    probability : (m,) array
    x : (m, d) array
    """

    probability: Array
    x: Array

    @classmethod
    def of(cls, law: LawArrays) -> "Nodes":
        """Return the points of a law, Simpson's nodes of its cubes, and 2k nodes of each normal.

        The latter have its mean and covariance.

        Examples
        --------
        >>> from solvers.laws.arrays import law_arrays
        >>> from theory import load_law
        >>> Nodes.of(law_arrays(load_law("two-features:both=1"))).x.round(3).tolist()
        [[1.414, 0.0]]
        """
        probability, points = [], []
        for normals in law.normals:
            k = normals.factor.shape[2]
            steps = np.sqrt(k) * normals.factor.transpose(2, 0, 1)
            for step in (*steps, *-steps):
                probability.append(normals.probability / (2 * k))
                points.append(normals.mean + step)
        for cubes in law.cubes:
            for corner in product(_SIMPSON, repeat=cubes.cube_dimension):
                weight = float(np.prod([weight for _, weight in corner]))
                probability.append(weight * cubes.probability)
                points.append(cubes.affine @ np.array([1.0, *(node for node, _ in corner)]))
        return cls(np.concatenate(probability), np.vstack(points))

    @property
    def mean(self) -> Array:
        """E x."""
        mean: Array = self.probability @ self.x
        return mean


@dataclass(frozen=True, eq=False)
class HeldStarts:
    """The starts of a law and a code, with one latent for each atom.

    Parameters
    ----------
    law : LawArrays
    atoms : (n, d) array
    penalties : (n,) array
        λ w_i.
    tied : bool
        Whether b_dec has no freedom: the starts have b_dec = 0, with biases on both sides of 0.
    """

    law: LawArrays
    atoms: Array
    penalties: Array
    tied: bool = False

    def __iter__(self) -> Iterator[Sae]:
        """Yield the starts, the likeliest to be best first."""
        if self.tied:
            for threshold in (_THRESHOLD, -_THRESHOLD):
                yield from self._readers(np.zeros(self.atoms.shape[1]), threshold)
            return
        nodes = self.nodes
        if self._fits:
            f, b_dec = self._best_activations(nodes, None)
            yield self._fitted(nodes, f, b_dec, _MARGIN)
            yield self._fitted(nodes, f, b_dec, 0.0)
        likeliest = np.argsort(-nodes.probability, kind="stable")[:_MOST_POINTS]
        places = np.vstack([np.zeros_like(nodes.mean), nodes.mean, nodes.x[likeliest]])
        for b_dec in _distinct(places):
            yield from self.at(b_dec)

    @cached_property
    def nodes(self) -> Nodes:
        """The points that stand for the law."""
        return Nodes.of(self.law)

    @property
    def _fits(self) -> bool:
        return len(self.nodes.x) * len(self.atoms) <= _LARGEST_PROGRAMME

    def at(self, b_dec: Array) -> Iterator[Sae]:
        """Yield the starts with this b_dec: at the best activations if they are not too many."""
        if self._fits:
            f, _ = self._best_activations(self.nodes, b_dec)
            yield self._fitted(self.nodes, f, b_dec, _MARGIN)
        yield from self._readers(b_dec, _THRESHOLD)

    def _readers(self, b_dec: Array, threshold: float) -> Iterator[Sae]:
        """Yield latents that read their atom, and such that read their coordinate among them."""
        for W_enc in (self.atoms.T, np.asarray(np.linalg.pinv(self.atoms), dtype=np.float64)):
            yield Sae(W_enc, -b_dec @ W_enc - threshold * self.penalties, self.atoms, b_dec)

    def _best_activations(self, nodes: Nodes, b_dec: Array | None) -> tuple[Array, Array]:
        """Return the best activations at the nodes and b_dec, which is the best if not given."""
        m, (n, d) = len(nodes.x), self.atoms.shape
        free = b_dec is None
        start = nodes.mean if b_dec is None else b_dec

        def loss(vector: Array) -> tuple[float, Array]:
            f, b = vector[: m * n].reshape(m, n), vector[m * n :]
            residual = f @ self.atoms + (b if free else start) - nodes.x
            weighted = nodes.probability[:, None] * residual
            total = float((weighted * residual).sum() + nodes.probability @ f @ self.penalties)
            by_f = 2 * weighted @ self.atoms.T + np.outer(nodes.probability, self.penalties)
            by_b = 2 * weighted.sum(axis=0)
            return total, np.concatenate([by_f.ravel(), by_b[: d if free else 0]])

        thresholded = np.maximum((nodes.x - start) @ self.atoms.T - self.penalties / 2, 0.0)
        found = optimize.minimize(
            loss,
            np.concatenate([thresholded.ravel(), start[: d if free else 0]]),
            jac=True,
            method="L-BFGS-B",
            bounds=[(0.0, None)] * (m * n) + [(None, None)] * (d if free else 0),
            options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 500},
        )
        return found.x[: m * n].reshape(m, n), found.x[m * n :] if free else start

    def _fitted(self, nodes: Nodes, f: Array, b_dec: Array, margin: float) -> Sae:
        """Return the SAE whose pre-activations are nearest to f, and below -margin where f = 0."""
        d, n = nodes.x.shape[1], len(self.atoms)
        x_tilde = np.hstack([nodes.x, np.ones((len(nodes.x), 1))])
        fires = f > _SILENT * max(float(f.max()), 1e-300)
        target = np.where(fires, f, -margin * self.penalties)

        def distance(vector: Array) -> tuple[float, Array]:
            apart = x_tilde @ vector.reshape(d + 1, n) - target
            apart = np.where(fires, apart, np.maximum(apart, 0.0))
            weighted = nodes.probability[:, None] * apart
            return float((weighted * apart).sum()), 2 * (x_tilde.T @ weighted).ravel()

        found = optimize.minimize(
            distance, np.zeros((d + 1) * n), jac=True, method="BFGS", options={"gtol": 1e-10}
        )
        encoder = found.x.reshape(d + 1, n)
        return Sae(encoder[:d], encoder[d], self.atoms, b_dec)


def starts_at_points(
    law: LawArrays, n_latents: int, penalty: float, count: int, seed: int
) -> Iterator[Sae]:
    """Yield SAEs whose b_dec is a point of the law and whose atoms point from it to others.

    On laws of points, and with large penalties, b_dec of the optimum absorbs a point, and starts
    with a small b_dec seldom lead there.

    Parameters
    ----------
    law : LawArrays
    n_latents : int
    penalty : float
        λ, for unit atoms.
    count, seed : int
        How many, and what the points are drawn from.

    Examples
    --------
    >>> from solvers.laws.arrays import law_arrays
    >>> from theory import load_law
    >>> law = law_arrays(load_law("two-features:both=1/2,first_alone=1/2"))
    >>> (sae,) = starts_at_points(law, 1, 0.1, 1, seed=0)
    >>> sae.b_dec.round(3).tolist(), sae.W_dec.round(3).tolist()
    ([0.707, 0.707], [[0.707, -0.707]])
    """
    rng = np.random.default_rng(seed)
    x = _distinct(Nodes.of(law).x)
    for _ in range(count if len(x) > 1 else 0):
        b_dec, *others = rng.permutation(x)
        directions = np.array(others) - b_dec
        atoms = directions / np.linalg.norm(directions, axis=1, keepdims=True)
        atoms = atoms[np.arange(n_latents) % len(atoms)]
        yield next(HeldStarts(law, atoms, np.full(n_latents, penalty)).at(b_dec))


def _distinct(x: Array) -> Array:
    return np.unique(x.round(_DIGITS), axis=0)
