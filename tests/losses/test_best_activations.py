"""The loss with the best activations: against nonnegative least squares, and exactly."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.optimize import nnls

from solvers import InputError, Objective, Sae
from solvers.laws.arrays import law_arrays
from solvers.losses.best_activations import best_activation_loss
from solvers.optima.train import Sampler
from tests.oracles.best_activations import exact_best_loss
from theory import law_from_dict, load_law
from theory.laws.presets import shared_amplitudes


def best_by_nnls(x: np.ndarray[Any, Any], atoms: Any, weights: Any, l1: float) -> float:
    """Minimise ‖x - fD‖² + λ w·f over f ≥ 0 as a nonnegative least squares problem.

    (ε w·f + λ/(2ε))² is λ w·f and a constant, up to ε² (w·f)².
    """
    small = 1e-5
    stacked = np.vstack([atoms.T, small * weights[None]])
    target = np.append(x, -l1 / (2 * small))
    f, _ = nnls(stacked, target, maxiter=1000)
    return float(((x - f @ atoms) ** 2).sum() + l1 * weights @ f)


@pytest.mark.parametrize("sparsity", ["l1", "decoder-norm"])
@pytest.mark.parametrize("name", ["shared", "independent:onehot_probability=0.5"])
def test_best_activations_against_nonnegative_least_squares(name: str, sparsity: str) -> None:
    law = load_law(name)
    rng = np.random.default_rng(2)
    x = Sampler(law)(rng, 1500)
    for n in (1, 3, 6):
        atoms = rng.normal(size=(n, 2))
        sae = Sae(np.ones((2, n)), np.zeros(n), atoms, rng.normal(size=2) / 8)
        objective = Objective(0.3, sparsity=sparsity)
        weights = sae.decoder_norms if sparsity == "decoder-norm" else np.ones(n)
        losses = np.array([best_by_nnls(p - sae.b_dec, atoms, weights, 0.3) for p in x])
        error = losses.std() / np.sqrt(len(losses))
        exact = best_activation_loss(law, sae, objective)
        assert abs(exact - losses.mean()) <= 4 * error


@pytest.mark.parametrize("name", ["independent:onehot_probability=0.5", "two-features:both=0.3"])
def test_best_activations_against_every_support(name: str) -> None:
    """Exact on both sides: random atoms, some equal or opposite, inside and outside the data."""
    law, rng = load_law(name), np.random.default_rng(4)
    components = [
        (float(probability), affine)
        for cubes in law_arrays(law).groups
        for probability, affine in zip(cubes.probability, cubes.affine, strict=True)
    ]
    for n in (1, 2, 3, 5):
        atoms, b_dec = rng.normal(size=(n, 2)), rng.normal(size=2) / 4
        if n > 2:
            atoms[1], atoms[2] = 2 * atoms[0], -atoms[0]
        for l1 in (0.0, 0.3):
            sae = Sae(np.ones((2, n)), np.zeros(n), atoms, b_dec)
            expected = exact_best_loss(components, atoms, np.full(n, l1 / 2), b_dec)
            found = best_activation_loss(law, sae, Objective(l1, decoder="free"))
            assert found == pytest.approx(expected, abs=1e-12)


def test_best_activations_in_three_dimensions_and_with_odd_atoms() -> None:
    """Three orthogonal atoms: a sum of soft thresholds; zero and repeated atoms add nothing."""
    law = law_from_dict({"sets": [2, 1], "embedding": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]})
    atoms = np.vstack([np.eye(3), np.zeros((1, 3)), np.eye(3)[:1]])
    sae = Sae(np.ones((3, 5)), np.zeros(5), atoms, np.zeros(3))
    # Of the first set one amplitude a, of the second one b: h(a) + h(b), h(r) = λr - λ²/4.
    l1 = 0.2
    one = l1 / 2 - l1**2 / 4 + l1**3 / 24
    assert best_activation_loss(law, sae, Objective(l1)) == pytest.approx(2 * one, abs=1e-14)
    with pytest.raises(InputError, match="reconstruction: expected 'squared'"):
        best_activation_loss(law, sae, Objective(l1, "relative"))
    many = np.ones((3000, 3))
    wide = Sae(many.T, np.zeros(3000), many, np.zeros(3))
    with pytest.raises(InputError, match=r"latents: expected components × .* got '18,000,000'"):
        best_activation_loss(law, wide, Objective(0.1))


@pytest.mark.parametrize(("sets", "n"), [([3, 3], 6), ([3, 3], 9), ([2, 1], 10), ([2, 2], 24)])
def test_best_activations_of_many_latents_in_many_dimensions(sets: list[int], n: int) -> None:
    """Against nonnegative least squares at samples; progress ends where the law does."""
    law = law_from_dict({"sets": sets})
    rng = np.random.default_rng(n)
    atoms = rng.normal(size=(n, law.dimension))
    atoms[1], atoms[2] = atoms[0], -atoms[3]
    sae = Sae(atoms.T, np.zeros(n), atoms, rng.normal(size=law.dimension) / 8)
    told: list[tuple[int, int]] = []
    exact = best_activation_loss(
        law, sae, Objective(0.3), progress=lambda done, total: told.append((done, total))
    )
    x = Sampler(law)(rng, 1500)
    losses = np.array([best_by_nnls(p - sae.b_dec, atoms, np.ones(n), 0.3) for p in x])
    assert abs(exact - losses.mean()) <= 4 * losses.std() / np.sqrt(len(losses))
    assert told == sorted(told)
    assert told[-1] == (1000, 1000)


def test_best_activations_where_more_atoms_meet_than_there_are_dimensions() -> None:
    """(±1, ±1, ±1)/√3: faces of an octahedron, four at each corner; λ = 0 is degenerate, too."""
    atoms = np.array(list(product((-1.0, 1.0), repeat=3))) / np.sqrt(3)
    sae = Sae(atoms.T, np.zeros(8), atoms, np.zeros(3))
    law = law_from_dict({"sets": [2, 1], "embedding": np.eye(3).tolist()})
    assert best_activation_loss(law, sae, Objective(0.0)) == pytest.approx(0, abs=1e-15)
    x = Sampler(law)(np.random.default_rng(0), 2000)
    losses = np.array([best_by_nnls(p, atoms, np.ones(8), 0.3) for p in x])
    exact = best_activation_loss(law, sae, Objective(0.3))
    assert abs(exact - losses.mean()) <= 4 * losses.std() / np.sqrt(len(losses))
    # Twice as many latents, each twice: nothing is gained, nothing counted twice.
    twice = Sae(
        np.hstack([atoms.T, atoms.T]), np.zeros(16), np.vstack([atoms, atoms]), np.zeros(3)
    )
    assert best_activation_loss(law, twice, Objective(0.3)) == pytest.approx(exact, rel=1e-13)


def test_best_activations_at_points_among_six_atoms() -> None:
    """A point is reached by its two neighbours of six; the law is four points."""
    angles = np.pi / 3 * np.arange(6)
    atoms = np.column_stack([np.cos(angles), np.sin(angles)])
    corners = [(a, b) for a in (-0.5, 0.5) for b in (-0.5, 0.5)]
    expected = np.mean([best_by_nnls(np.array(c), atoms, np.ones(6), 0.1) for c in corners])
    law = shared_amplitudes([(1, "1/2", "1/2")])
    sae = Sae(atoms.T, np.zeros(6), atoms, [0, 0])
    assert best_activation_loss(law, sae, Objective(0.1)) == pytest.approx(
        float(expected), abs=1e-9
    )
