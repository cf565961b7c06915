"""SAEs that SAELens trained on laws of features: sampled figures, and what `check` says of them.

What each is, and how it was trained, stands in tests/data/features.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from solvers import CrossCheck, Search, cross_check, expected_loss, load_checkpoint
from solvers.studies.cross_check import objective_for
from tests.cli.running import run_json
from theory import load_law

FEATURES = Path(__file__).parents[1] / "data" / "features"
MANIFEST = {entry["name"]: entry for entry in json.loads((FEATURES / "manifest.json").read_text())}


@pytest.mark.parametrize("name", MANIFEST)
def test_sampled_figures_lie_within_four_standard_errors(name: str) -> None:
    entry = MANIFEST[name]
    law, sae = load_law(entry["law"]), load_checkpoint(FEATURES / entry["path"])
    loss = expected_loss(law, sae, objective_for(sae))
    assert loss.exact
    exact = {
        "mse": loss.reconstruction,
        "l0": loss.l0,
        "l1": loss.l1,
        "l1_weighted": loss.sparsity / entry["l1"],
        "total": loss.total,
    }
    assert entry["sampled"].keys() == exact.keys()
    for figure, sampled in entry["sampled"].items():
        assert abs(sampled["mean"] - exact[figure]) < 4 * sampled["standard_error"], figure


@pytest.mark.parametrize("name", MANIFEST)
def test_the_loss_that_was_trained_is_the_exact_one(name: str) -> None:
    """As SAELens logged it over the last 2,000 batches, while it still trained a little."""
    entry = MANIFEST[name]
    settings = json.loads((FEATURES / entry["path"] / "training.json").read_text())
    final = settings["final_training_loss"]
    sae = load_checkpoint(FEATURES / entry["path"])
    loss = expected_loss(load_law(entry["law"]), sae, objective_for(sae))
    assert abs(final["total"] - loss.total) < 4 * final["standard_error"]["total"]


def checked(name: str, starts: int) -> CrossCheck:
    entry = MANIFEST[name]
    sae = load_checkpoint(FEATURES / entry["path"])
    search = Search(starts=starts, limit=starts)
    return cross_check(load_law(entry["law"]), sae, objective_for(sae), search)


def test_five_independent_features_are_found_one_by_one() -> None:
    """By hand, for a latent with w = d = e_i: f = m - b_dec - λ/2 where feature i is active.

    Each coordinate costs p λ²/4 + (1-p) b² + λ p (1 - b - λ/2), least at b = λ p/(2 (1-p)).
    """
    check = checked("independent_constant", 4)
    p, l1 = 0.3, 0.05
    b = l1 * p / (2 * (1 - p))
    by_hand = 5 * (p * l1**2 / 4 + (1 - p) * b**2 + l1 * p * (1 - b - l1 / 2))
    assert check.verdict == "optimum"
    assert check.optimum is not None
    assert check.optimum.total == pytest.approx(by_hand, rel=1e-9)
    assert check.closest_code is not None
    assert check.closest_code.code == "true features"
    assert check.closest_code.mean_angle < 0.1
    np.testing.assert_allclose(check.optimum.sae.b_dec, b, atol=1e-6)


def test_a_child_takes_in_its_parent() -> None:
    """Absorption, and the parent's own latent is off with the children: all of it the optimum."""
    check = checked("parent_three_children", 16)
    assert check.verdict == "optimum"
    angles = sorted(atom.angle_to_code for atom in check.atoms)
    assert angles[0] < 0.1
    assert angles[1:] == pytest.approx([22.7] * 3, abs=0.3)


def test_correlated_features_lean_towards_each_other() -> None:
    check = checked("correlated_pair", 8)
    assert check.verdict == "optimum"
    angles = [atom.angle for atom in check.atoms]
    assert sorted(angles) == pytest.approx([1.06, 88.94], abs=0.02)


def test_normal_magnitudes_from_the_command_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    entry = MANIFEST["independent_normal"]
    law = tmp_path / "law.json"
    law.write_text(json.dumps(entry["law"]))
    document: dict[str, Any] = run_json(
        capsys, "check", law, FEATURES / entry["path"], "--starts", "2", "--sampled", "200000"
    )
    assert document["verdict"] == "optimum"
    sampled = document["sampled"]
    apart = abs(sampled["total"] - document["loss"]["total"])
    assert apart < 4 * sampled["standard_error"]
    assert document["best_activations_error"] > 0
    assert document["gaps"]["amortisation"] > -4 * document["gaps"]["amortisation_error"]
    assert any("normal magnitudes" in note for note in document["notes"])


@pytest.mark.slow
def test_toy_models_law_in_the_plane_is_left_in_another_basin() -> None:
    """Five uniform features in two dimensions: training ended 0.07 % above the best known."""
    check = checked("toy_models_uniform", 16)
    assert check.optimum is not None
    assert check.polished is not None
    assert check.gaps.training == pytest.approx(0, abs=1e-7)
    assert 1.00068 < check.loss.total / check.optimum.total < 1.00078
