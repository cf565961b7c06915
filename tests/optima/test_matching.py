"""Which atom is matched with which of a code: the assignment, and what is left out of it."""

from itertools import permutations

import numpy as np
import pytest

from solvers import Objective, Sae, Search, cross_check
from solvers.autoencoders.frames import frame_sae
from solvers.optima.matching import match
from solvers.presentation.check_report import atom_row
from theory import preset

L1 = Objective(l1=0.1)


def test_the_assignment_is_the_best_of_all() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        atoms, code = rng.normal(size=(5, 3)), rng.normal(size=(4, 3))
        found = match(atoms, [0, 2, 3, 4], code, "code")
        unit = [array / np.linalg.norm(array, axis=1, keepdims=True) for array in (atoms, code)]
        cosines = unit[0][[0, 2, 3, 4]] @ unit[1].T
        # Atoms beyond 90° of each other are no match.
        worth = np.maximum(cosines, 0.0)
        best = max(sum(worth[i, p[i]] for i in range(4)) for p in permutations(range(4)))
        total = sum(unit[0][i] @ unit[1][j] for i, j in found.pairs)
        assert total == pytest.approx(best)


def test_an_atom_that_points_away_is_no_match() -> None:
    """Nor is it counted as close: the mean takes it at 90°."""
    angles = np.radians([0.0, 91.0])
    atoms = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    away = match(atoms, [0, 1], np.array([[1.0, 0.0], [0.0, -1.0]]), "code")
    assert away.pairs == ((0, 0),)
    assert away.unmatched == (1,)
    assert (away.mean_angle, away.largest_angle) == pytest.approx((45.0, 90.0))
    alone = match(atoms, [1], np.array([[1.0, 0.0]]), "code")
    assert (alone.pairs, alone.unmatched, alone.mean_angle) == ((), (0,), 90.0)

    # Three atoms in one half of the plane: two of the diagonal code's point away from them.
    turns = np.radians([40.0, 45.0, 50.0])
    W_dec = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    check = cross_check(
        preset("shared"), Sae(W_dec.T, [0] * 3, W_dec, [0, 0]), L1, Search(1, limit=1)
    )
    assert check.closest_code is not None
    matched = [atom.matched for atom in check.atoms]
    assert matched.count(None) == 3 - len(check.closest_code.pairs)
    for atom in check.atoms:
        assert (atom.matched is None) == (atom.cosine is None) == (atom.angle_to_code is None)
        assert atom.angle_to_code is None or atom.angle_to_code <= 90
        assert atom_row(atom)[4] == ("none" if atom.matched is None else str(atom.matched))


def test_a_latent_that_hardly_fires_takes_no_atom_from_another() -> None:
    atoms = np.array([[1.0, 0.0], [np.cos(0.1), np.sin(0.1)], [0.0, 1.0]])
    found = match(atoms, [0, 1, 2], np.eye(2), "axes", [1e-6, 0.5, 0.5])
    assert found.pairs == ((1, 0), (2, 1))
    assert found.mean_angle == pytest.approx(np.degrees(0.1) / 2)


def test_dead_and_duplicate_latents_and_the_assignment() -> None:
    frame = frame_sae(np.pi / 4, 0.05)
    atoms = np.vstack([frame.W_dec, frame.W_dec[1], [[0.0, 1.0]]])
    W_enc = np.hstack([frame.W_enc, frame.W_enc[:, [1]], [[0.0], [1.0]]])
    biases = np.array([*frame.b_enc, -0.05, -9.0])
    W_enc[:, 1] /= 2
    sae = Sae(W_enc, biases, atoms, [0, 0])
    check = cross_check(preset("shared"), sae, L1, Search(starts=4))
    assert [atom.dead for atom in check.atoms] == [False] * 5 + [True]
    assert [atom.duplicate_of for atom in check.atoms] == [None] * 4 + [1, None]
    matched = [atom.matched for atom in check.atoms]
    assert sorted(m for m in matched if m is not None) == [0, 1, 2, 3]
    assert matched[5] is None
    assert check.atoms[5].angle == pytest.approx(90)
