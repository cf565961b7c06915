"""The best k activations: against the least over all sets of atoms on samples, and TopK SAEs."""

from itertools import combinations

import numpy as np
import pytest

from solvers import InputError, Objective, Sae, expected_loss, sample
from solvers.autoencoders.architectures import TopKSae
from solvers.losses.best_k_terms import best_k_term_loss
from tests.plane_cases import plane_law
from theory import load_law


def least(x: np.ndarray, atoms: np.ndarray, k: int) -> np.ndarray:
    """Over every set of at most k linearly independent atoms, where f ≥ 0."""
    best = (x**2).sum(axis=1)
    for size in range(1, k + 1):
        for chosen in combinations(range(len(atoms)), size):
            D = atoms[list(chosen)]
            if np.linalg.matrix_rank(D) < size:
                continue
            f = x @ np.linalg.pinv(D)
            error = ((x - f @ D) ** 2).sum(axis=1)
            best = np.where((f >= 0).all(axis=1), np.minimum(best, error), best)
    return best


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("k", [1, 2, 4])
def test_against_all_sets_of_atoms(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    law, n = plane_law(rng), int(rng.integers(1, 5))
    W_dec, b_dec = rng.normal(size=(n, 2)), 0.3 * rng.normal(size=2)
    if seed % 3 == 0:
        W_dec[0] = 0
    sae = Sae(rng.normal(size=(2, n)), np.zeros(n), W_dec, b_dec)
    if seed % 3 == 0 and k > 1:
        sae = Sae(sae.W_enc, sae.b_enc, np.vstack([W_dec[1:], [[1.0, 0.0]]]), b_dec)
    x = sample(law, 40_000, seed)
    values = least(x - b_dec, sae.W_dec, k)
    error = values.std() / 200
    assert best_k_term_loss(law, sae, k) == pytest.approx(values.mean(), abs=4 * error + 1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_no_topk_sae_with_these_atoms_is_below_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    law = load_law("independent:onehot_probability=1/4")
    W_dec, b_dec = rng.normal(size=(4, 2)), 0.3 * rng.normal(size=2)
    for k in (1, 2):
        bound = best_k_term_loss(law, Sae(W_dec.T, np.zeros(4), W_dec, b_dec), k)
        for _ in range(5):
            reads = W_dec.T * rng.normal(1, 0.2, 4)
            sae = TopKSae(Sae(reads, 0.1 * rng.normal(size=4), W_dec, b_dec), k)
            assert expected_loss(law, sae, Objective(0.0)).total >= bound - 1e-12


def test_more_dimensions_and_what_is_not_exact() -> None:
    """One feature of three at a time, an atom along each: nothing is left."""
    law = load_law({"sets": [3], "embedding": np.eye(3).tolist()})
    sae = Sae(np.eye(3), np.zeros(3), 2 * np.eye(3), np.zeros(3))
    assert best_k_term_loss(law, sae, 1) == pytest.approx(0.0, abs=1e-15)
    assert best_k_term_loss(law, sae, 3) == pytest.approx(0.0, abs=1e-15)
    with pytest.raises(InputError, match=r"^k: expected 1, or at least 3, got 2; in between"):
        best_k_term_loss(law, sae, 2)
    with pytest.raises(InputError, match=r"^k: expected a whole number ≥ 1"):
        best_k_term_loss(law, sae, 0)
