"""The study's bookkeeping; the training itself is tested in test_train.py."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from solvers import Objective, Sae
from solvers.autoencoders.frames import frame_sae
from solvers.optima.polish import polish, with_finite_loss
from solvers.studies.why_they_missed import Row, Setting, causes, outside, study, table
from theory import InputError, preset


def test_misses_are_put_down_to_their_causes() -> None:
    basins = Counter({"optimum": 5, "dead latents": 1, "both": 3, "neither": 1})
    row = Row("a law", 10_000_000, 10, 0.2, basins, 0.5, 0.01)
    *_, line = causes([row]).splitlines()
    # Two of ten arrived; three more are in the optimum's basin, unfinished.
    assert line == "| a law | 8 of 10 | 38 % | 12 % | 0 % | 38 % | 12 % |"
    *_, line = table([row]).splitlines()
    assert line.startswith("| a law | 1e+07 | 10 | 20 % | 50 % | 10 % | 0 % | 30 % | 10 % | 50 %")


def test_a_setting_is_trained_and_judged() -> None:
    objective = Objective(l1=0.1, reconstruction="relative")
    setting = Setting("tiny", preset("shared"), objective, True, 2)
    row = study(setting, 4096, 0.0694606780)
    assert sum(row.basins.values()) == 2
    assert row.arrived == 0
    assert row.unfinished > 0


def test_an_atom_turned_off_the_optimum_polishes_back() -> None:
    law, objective = preset("shared"), Objective(l1=0.1)
    optimum = frame_sae(np.pi / 4, 0.05)
    turn = np.radians(3.0)
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    atoms = optimum.W_dec.copy()
    atoms[0] = atoms[0] @ rotation
    polished = polish(law, Sae(optimum.W_enc, optimum.b_enc, atoms, optimum.b_dec), objective)
    assert polished.converged
    assert polished.loss.total == pytest.approx(0.0682401409012, abs=1e-9)


def test_an_infinite_loss_is_made_finite_by_b_dec_alone() -> None:
    objective = Objective(l1=0.1, reconstruction="relative")
    sae = Sae(np.eye(2), [0.5, -1.0], np.eye(2), [0.3, 0.0])
    moved = with_finite_loss(preset("shared"), sae, objective)
    np.testing.assert_array_equal(moved.b_dec, [-0.5, 0.0])
    np.testing.assert_array_equal(moved.W_enc, sae.W_enc)
    squared = Objective(l1=0.1)
    assert with_finite_loss(preset("shared"), sae, squared) is sae


def test_a_manifest_without_the_posts_saes_is_refused(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.json"
    manifest.write_text('[{"path": "saelens/one"}]')
    with pytest.raises(InputError, match="expected SAEs trained with the code of Anders"):
        outside(manifest)
