"""Optima of every architecture: closed forms, thresholds of BatchTopK, valleys, points, phases."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy

from solvers import Architecture, InputError, Objective, Sae, Search, expected_loss
from solvers.autoencoders.architectures import GatedSae, JumpReluSae, TopKSae, architecture_of
from solvers.autoencoders.autoencoder import Origin
from solvers.autoencoders.frames import frame_sae
from solvers.laws.arrays import law_arrays
from solvers.losses.architecture_loss import architecture_loss
from solvers.losses.batch_threshold import batch_threshold, mean_firing
from solvers.losses.parameters import LossOfVector, ScaledProblem
from solvers.losses.sampled_loss import sampled_loss
from solvers.optima.architecture_descent import ArchitectureDescent
from solvers.optima.best_known import best_known
from solvers.optima.landscape import landscape
from solvers.optima.minimize import minimize_loss
from solvers.optima.polish import polish
from solvers.studies.phase import phase_diagram
from solvers.studies.phase_axis import Axis
from solvers.studies.phase_family import Family
from tests.cli.running import refused, run_json
from theory import Law, axis_aligned, diagonal, hard_threshold_tie, independent_features, load_law
from theory.exact.symbols import HEIGHT

FEW = Search(starts=2, limit=2)
FREE = Objective(0.0)
SHARED, INDEPENDENT = load_law("shared"), load_law("independent")
FIVE = load_law({"features": 5, "firing": "2/5", "magnitude": {"constant": 1}})
TOPK = Architecture("topk", 1)


def some_vector(law: Law, architecture: Architecture, seed: int) -> tuple[LossOfVector, Any]:
    rng = np.random.default_rng(seed)
    relu = LossOfVector(law_arrays(law), Objective(0.05, l0=0.02, prefixes=(1, 4)), 4)
    base = Sae(rng.normal(size=(2, 4)), 0.3 * rng.normal(size=4), rng.normal(size=(4, 2)),
               0.3 * rng.normal(size=2))  # fmt: skip
    loss = architecture_loss(relu, architecture)
    return relu, loss.vector(base, 0.3 * rng.random(4))


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 9))]
)
@pytest.mark.parametrize(
    "architecture",
    [TOPK, Architecture("topk", 3), Architecture("batchtopk", 0.7), Architecture("batchtopk", 1.3),
     Architecture("jumprelu"), Architecture("gated")],
)  # fmt: skip
@pytest.mark.parametrize("law", [SHARED, INDEPENDENT], ids=["segments", "squares"])
def test_slopes_of_what_is_minimised_against_differences(
    law: Law, architecture: Architecture, seed: int
) -> None:
    """In every entry of the vector; of BatchTopK the threshold follows."""
    relu, vector = some_vector(law, architecture, seed)
    loss = architecture_loss(relu, architecture)
    slope = loss(vector)[1]
    for place in range(len(vector)):
        step = 1e-6 * np.eye(len(vector))[place]
        difference = (loss(vector + step)[0] - loss(vector - step)[0]) / 2e-6
        assert slope[place] == pytest.approx(difference, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("k", [0.3, 1, 2.5])
def test_the_threshold_of_batchtopk_on_normals(k: float) -> None:
    """On normals of different means E # is a sum of tails; the root is where it is k."""
    law = law_arrays(
        independent_features(2, "1/2", magnitude={"normal": [1, "3/10"]}, noise="1/9")
    )
    rng = np.random.default_rng(3)
    W_enc, b_enc = rng.normal(size=(2, 5)), 0.3 * rng.normal(size=5)
    theta = batch_threshold(law, W_enc, b_enc, k)
    assert theta > 0 or mean_firing(law, W_enc, b_enc, 0.0) <= k
    if theta > 0:
        assert mean_firing(law, W_enc, b_enc, theta) == pytest.approx(k, abs=1e-12)


def test_the_threshold_of_batchtopk_on_points_is_the_least_that_keeps_k() -> None:
    """Of two features of P = 1/2 on average one is active, of size 1: below 1 both would fire."""
    law = law_arrays(independent_features(2, "1/2", magnitude={"constant": 1}))
    reads, zero = np.eye(2), np.zeros(2)
    assert batch_threshold(law, reads, zero, 1) == 0
    theta = batch_threshold(law, reads, zero, 0.9)
    assert theta == pytest.approx(1, abs=1e-14)
    assert mean_firing(law, reads, zero, theta) == 0


@pytest.mark.parametrize("k", [1, 2])
def test_topk_reconstructs_the_first_data_set(k: int) -> None:
    best = best_known(SHARED, 4, FREE, FEW, architecture=Architecture("topk", k))
    assert best.total == pytest.approx(0, abs=1e-12)
    assert best.attained


def test_topk_of_two_on_the_second_data_set_is_a_valley() -> None:
    """Two angles and b_dec: any two atoms and their negatives, about any point, are exact."""
    best = best_known(INDEPENDENT, 4, FREE, FEW, architecture=Architecture("topk", 2))
    assert best.total == pytest.approx(0, abs=1e-12)
    assert best.valley == 4
    oblique = Sae(*_oblique())
    assert expected_loss(INDEPENDENT, TopKSae(oblique, 2), FREE).total == pytest.approx(
        0, abs=1e-14
    )


def _oblique() -> tuple[np.ndarray, ...]:
    atoms = np.array([[1.0, 0.0], [0.6, 0.8]])
    dual = np.linalg.inv(atoms)
    b_dec = np.array([0.3, -0.2])
    W_enc = np.hstack([dual, -dual])
    return W_enc, -b_dec @ W_enc, np.vstack([atoms, -atoms]), b_dec


@pytest.mark.slow
def test_topk_of_one_on_the_second_data_set_runs_away() -> None:
    """Bounded frames cost 1/12; the loss falls on towards 1/48 as b_dec goes to infinity."""
    best = best_known(INDEPENDENT, 4, FREE, Search(1, limit=1), architecture=TOPK)
    assert 1 / 48 < best.total < 1 / 12
    assert not best.converged
    assert np.linalg.norm(best.sae.b_dec) > 5


@pytest.mark.slow
def test_gated_saes_have_the_optima_of_jump_relu_saes() -> None:
    objective = Objective(0.0, l0=0.1)
    gated, jump = (
        best_known(SHARED, 4, objective, FEW, architecture=Architecture(name))
        for name in ("gated", "jumprelu")
    )
    assert gated.total == pytest.approx(jump.total, rel=1e-10)
    assert isinstance(gated.sae, GatedSae)
    assert expected_loss(SHARED, gated.sae, objective).total == pytest.approx(gated.total)


def test_batchtopk_keeps_k_on_average_and_samples_agree() -> None:
    best = best_known(INDEPENDENT, 4, FREE, FEW, architecture=Architecture("batchtopk", 1.5))
    assert best.l0 == pytest.approx(1.5, abs=1e-9)
    sampled = sampled_loss(INDEPENDENT, best.sae, FREE, 200_000)
    assert abs(sampled.total - best.total) < 4.5 * sampled.standard_error


def test_prefixes_of_relu_saes_are_minimised() -> None:
    """Beside the frame that b_dec moves along an axis, 8 - 16√2/3, as λ → 0; λ = 1e-4 here."""
    objective = Objective(1e-4, prefixes=(1, 2, 4))
    best = minimize_loss(INDEPENDENT, 4, objective, Search(8, limit=8))
    assert best.total == pytest.approx(8 - 16 * np.sqrt(2) / 3, abs=4e-4)
    assert best.lower_bound < best.total


def test_on_points_a_search_does_not_stand_still() -> None:
    """Random starts, without the law's codes: all true features, λ₀ E l0 = 0.1 · 2."""
    objective, jump = Objective(0.0, l0=0.1), Architecture("jumprelu")
    found = minimize_loss(FIVE, 5, objective, Search(8, limit=8), architecture=jump)
    assert found.total == pytest.approx(0.2, abs=1e-9)
    assert np.median([start.total for start in found.starts]) < 0.25
    problem = ScaledProblem.of(law_arrays(FIVE), objective, 5)
    assert len(ArchitectureDescent(problem, jump)._noisy()) == 4
    assert ArchitectureDescent(problem, TOPK)._noisy() == []


def test_polishing_moves_a_trained_topk_sae_down() -> None:
    noisy = frame_sae(np.pi / 4 + 0.1, 0.02)
    end = polish(SHARED, TopKSae(noisy, 1), FREE, TOPK)
    assert end.total == pytest.approx(0, abs=1e-9)
    assert end.converged


def test_units_do_not_matter() -> None:
    large = load_law("independent:amplitude=10")
    jump, gated = (
        JumpReluSae(frame_sae(0.3), np.full(4, 0.2)),
        GatedSae(frame_sae(0.3), frame_sae(0.3).W_enc, np.full(4, -0.2)),
    )
    shift = np.array([1.0, -2.0])
    x = np.random.default_rng(0).normal(size=(50, 2))
    for sae in (jump, gated, TopKSae(frame_sae(0.3), 1)):
        one = expected_loss(INDEPENDENT, sae, FREE).total
        ten = expected_loss(large, sae.moved([0.0, 0.0], 10.0), FREE).total
        assert ten == pytest.approx(100 * one, rel=1e-12)
        away, here = sae.moved(shift, 1.0).reconstruction(x + shift), sae.reconstruction(x)
        np.testing.assert_allclose(away, here + shift, atol=1e-12)


def test_an_sae_says_what_it_is() -> None:
    jump = JumpReluSae(frame_sae(0.0), np.zeros(4))
    assert architecture_of(jump) == Architecture("jumprelu")
    batch = jump.with_origin(Origin(batch_k=1.5))
    assert architecture_of(batch) == Architecture("batchtopk", 1.5)
    assert architecture_of(GatedSae(frame_sae(0.0), np.ones((2, 4)), np.zeros(4))).name == "gated"


def test_a_landscape_of_jump_relu_saes() -> None:
    found = landscape(INDEPENDENT, 4, Objective(0.0, l0=0.1), Search(4),
                      architecture=Architecture("jumprelu"))  # fmt: skip
    assert sum(point.count for point in found.points) + len(found.unsettled) == 4
    for point in found.points:
        assert point.kind in ("minimum", "valley", "kink")
        again = expected_loss(INDEPENDENT, point.sae, found.objective).total
        assert again == pytest.approx(point.loss.total, rel=1e-12)


def test_a_landscape_of_topk_saes_is_one_valley() -> None:
    found = landscape(INDEPENDENT, 4, FREE, Search(3), architecture=Architecture("topk", 2))
    assert [(point.kind, point.count) for point in found.points] == [("valley", 3)]


@pytest.mark.slow
def test_ties_of_a_phase_diagram_are_the_closed_form(tmp_path: Path) -> None:
    """q*(√λ₀) on the first data set, at two λ₀."""
    family = Family(
        "shared", Axis("l0", 0.04, 0.09, 2), Axis("onehot_probability", 0.3, 0.7, 2), 4,
        Objective(0.0), starts=1, architecture=Architecture("jumprelu"),
    )  # fmt: skip
    journal = tmp_path / "journal"
    diagram = phase_diagram(family, journal=journal)
    assert {point.phase for point in diagram.points} == {"diagonal", "axis-aligned"}
    q = hard_threshold_tie(axis_aligned(), diagonal(), 1, sympy.Rational(1, 5))
    ties = [tie for tie in diagram.ties if 0.3 < tie.y < 0.7]
    assert len(ties) == 2
    for tie in ties:
        assert tie.y == pytest.approx(float(q.subs(HEIGHT, sympy.sqrt(tie.x))), abs=1e-6)
    # What a journal holds is read back, thresholds included.
    assert replace(phase_diagram(family, journal=journal), family=family) == diagram


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--architecture", "topk"], "--k: expected a whole number ≥ 1"),
        (["--architecture", "topk", "--k", "5"], "--k: expected at most 4"),
        (["--architecture", "topk", "--k", "1.5"], "--k: expected a whole number"),
        (["--architecture", "batchtopk", "--k", "0"], "--k: expected a finite number > 0"),
        (["--l1", "1", "--k", "1"], "--k: expected none for the architecture 'relu'"),
        (["--l1", "1", "--prefixes", "2,1"], "--prefixes: expected increasing numbers"),
        (["--l1", "1", "--prefixes", "1,2"], "--prefixes: expected the width 4 as the last"),
        (["--l1", "1", "--prefixes", "1,x"], "--prefixes"),
        (["--l1", "1", "--prefixes", "1,4", "--prefix-weights", "1"], "weights: expected 2"),
        (["--l1", "1", "--prefixes", "1,4", "--prefix-weights", "stop"], "no loss"),
        (["--l1", "1", "--prefixes", "1,4", "--prefix-weights", "0,1"], "number > 0"),
        (["--architecture", "matryoshka", "--k", "1"], "--prefixes: expected numbers of latents"),
        (["--architecture", "topk", "--k", "1", "--reconstruction", "relative"], "'squared'"),
    ],
)  # fmt: skip
def test_wrong_options_are_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    refused(capsys, ["optimum", "shared", "--latents", "4", *arguments], message)


@pytest.mark.slow
def test_what_is_saved_is_read(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for name, more in (("topk", ["--k", "2"]), ("jumprelu", ["--l0", "0.1"])):
        path = tmp_path / f"{name}.npz"
        command = ("optimum", "shared", "--latents", "4", "--architecture", name, *more)
        document = run_json(capsys, *command, "--starts", "1", "--save", str(path))
        charged = more if name == "jumprelu" else ["--l1", "0"]
        loss = run_json(capsys, "loss", "shared", str(path), *charged)
        assert loss["total"] == pytest.approx(document["total"], abs=1e-12)


def test_a_topk_sae_of_many_places_is_measured_and_not_descended() -> None:
    with pytest.raises(InputError, match="k: expected at most 2"):
        best_known(SHARED, 2, FREE, FEW, architecture=Architecture("topk", 3))
