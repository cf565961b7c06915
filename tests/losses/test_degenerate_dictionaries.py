"""Best activations where cells touch or have no size: values, and how many are looked at."""

from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from solvers import Objective, Sae, best_activation_loss
from solvers.laws.arrays import law_arrays
from solvers.losses.best_activations import BestActivations
from theory import load_law

Array = NDArray[np.float64]
NODES = 2000
LAWS = ("shared", "shared:onehot_probability=1/2", "shared:angle=60",
        "two-features:first_alone=0.3,both=0.4,angle=60")  # fmt: skip


def least_losses(x: Array, atoms: Array, l1: float) -> Array:
    """Return min_f ‖x - Σ f_i d_i‖² + λ Σ f_i at points, over every one or two atoms that fire."""
    best: Array = np.einsum("nd,nd->n", x, x)
    for size in (1, 2):
        for chosen in combinations(range(len(atoms)), size):
            rows = atoms[list(chosen)]
            gram = rows @ rows.T
            if abs(np.linalg.det(gram)) < 1e-9:
                continue
            f = np.linalg.solve(gram, rows @ x.T - l1 / 2).T
            residual = x - f @ rows
            loss = np.einsum("nd,nd->n", residual, residual) + l1 * f.sum(axis=1)
            best = np.where((f >= 0).all(axis=1), np.minimum(best, loss), best)
    return best


@pytest.mark.parametrize("seed", range(40))
def test_values_and_cells(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal, opposite and zero atoms, atoms along and across the rays, b_dec on the data."""
    asked = 0
    cell_of = BestActivations.cell_of

    def counted(best: BestActivations, moved: Array) -> Callable[[Array], Any]:
        inner = cell_of(best, moved)

        def ask(u: Array) -> Any:
            nonlocal asked
            asked += 1
            return inner(u)

        return ask

    monkeypatch.setattr(BestActivations, "cell_of", counted)
    rng = np.random.default_rng(seed)
    law = load_law(LAWS[seed % len(LAWS)])
    n = int(rng.integers(1, 8))
    angles = rng.choice(np.arange(12) * np.pi / 6, n)
    sizes = rng.choice([1.0, 1.0, 1.0, 0.5, 0.0], n)
    atoms = np.stack([np.cos(angles), np.sin(angles)], axis=1) * sizes[:, None]
    places = ([0.0, 0.0], [0.5, 0.5], [1.0, 0.0], 1e-10 * rng.normal(size=2), rng.normal(size=2))
    b_dec = np.array(places[int(rng.integers(len(places)))])
    l1 = float(rng.choice([0.01, 0.2, 1.0]))
    sae = Sae(np.zeros((2, n)), np.zeros(n), atoms, b_dec)
    found = best_activation_loss(law, sae, Objective(l1, decoder="free"))
    expected, components = 0.0, 0
    for cubes in law_arrays(law).groups:
        nodes = NODES if cubes.cube_dimension else 1
        u = (np.arange(nodes) + 0.5) / nodes
        for probability, affine in zip(cubes.probability, cubes.affine, strict=True):
            x = affine[:, 0] - b_dec + np.outer(u, affine[:, 1:].sum(axis=1))
            expected += float(probability * least_losses(x, atoms, l1).mean())
            components += 1
    assert found == pytest.approx(expected, abs=2e-6)
    assert asked <= 4 * components * n


def test_two_opposite_pairs_a_hair_off_the_origin() -> None:
    """A point that rounding puts beside its cell was asked for ever."""
    atoms = np.array([[1.0, 0.0], [-1.0, 0.0], [0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]])
    sae = Sae(
        np.zeros((2, 4)), np.zeros(4), atoms, [2.957420912074787e-10, 1.6978217490693978e-10]
    )
    law = load_law("independent:angle=60")
    here = best_activation_loss(law, sae, Objective(0.2))
    centred = Sae(np.zeros((2, 4)), np.zeros(4), atoms, [0.0, 0.0])
    assert here == pytest.approx(best_activation_loss(law, centred, Objective(0.2)), abs=1e-9)
