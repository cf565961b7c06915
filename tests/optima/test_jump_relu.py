"""Optima of JumpReLU SAEs under an l0 penalty, in closed form where there is one."""

from pathlib import Path

import numpy as np
import pytest

from solvers import Architecture, InputError, Objective, Optimum, Search, expected_loss
from solvers.autoencoders.architectures import JumpReluSae
from solvers.laws.arrays import law_arrays
from solvers.losses.architecture_loss import architecture_loss
from solvers.losses.pair_expectations import pair_expectations
from solvers.losses.parameters import ScaledProblem
from solvers.optima.best_known import best_known
from tests.cli.running import refused, run_json
from theory import Law, independent_features, load_law

FEW = Search(starts=2, limit=2)
JUMP = Architecture("jumprelu")


def minimize_jump_loss(law: Law, latents: int, objective: Objective, search: Search) -> Optimum:
    return best_known(law, latents, objective, search, architecture=JUMP)


@pytest.mark.parametrize("l0", [0.01, 0.1, 0.7])
@pytest.mark.parametrize("latents", [4, 5])
def test_the_diagonal_code_is_the_optimum_of_the_first_data_set(l0: float, latents: int) -> None:
    best = minimize_jump_loss(load_law("shared"), latents, Objective(0, l0=l0), FEW)
    assert best.attained
    assert best.total == pytest.approx(l0 - np.sqrt(2) / 3 * l0**1.5, rel=1e-11)


@pytest.mark.parametrize("l0", [0.01, 0.1, 0.4])
def test_the_second_data_set(l0: float) -> None:
    """At most 2λ₀ - (4√2/3) λ₀^{3/2} + λ₀²/2, the diagonal code's, below that of the axes."""
    best = minimize_jump_loss(load_law("independent"), 4, Objective(0, l0=l0), FEW)
    diagonal = 2 * l0 - 4 * np.sqrt(2) / 3 * l0**1.5 + l0 * l0 / 2
    assert best.total <= diagonal * (1 + 1e-11)
    assert best.total < 2 * l0 - 4 / 3 * l0**1.5
    assert best.lower_bound < best.total


def test_hard_thresholds_of_one_uniform_feature() -> None:
    """f = x 1{x > θ}, b = 0: θ²·θ/3 + λ₀ (1 - θ) is least at θ = √λ₀, if b_dec stays 0.

    With b_dec free the silent part is centred on b = θ/2, and θ grows: by hand, at the same
    encoder, θ³/12 + λ₀ (1 - θ), least at θ = 2√λ₀, is λ₀ - (4/3) λ₀^{3/2}.
    """
    law = independent_features(1, 1, magnitude={"uniform": [0, 1]})
    l0 = 0.04
    best = minimize_jump_loss(law, 1, Objective(0, l0=l0), Search(starts=8, limit=8))
    assert best.total == pytest.approx(l0 - 4 / 3 * l0**1.5, rel=1e-9)
    assert best.firing[0] == pytest.approx(1 - 2 * np.sqrt(l0), rel=1e-6)


def test_normal_magnitudes_and_an_l1_penalty_beside_it() -> None:
    law = independent_features(2, "3/10", magnitude={"normal": [1, "3/20"]})
    best = minimize_jump_loss(law, 2, Objective(0.02, l0=0.02), FEW)
    again = expected_loss(law, best.sae, best.objective)
    assert again.total == pytest.approx(best.total, rel=1e-12)
    assert isinstance(best.sae, JumpReluSae)
    # Each feature has its latent, which fires with it and never else.
    np.testing.assert_allclose(best.firing, 0.3, atol=1e-4)
    both = pair_expectations(law_arrays(law), best.sae).firing[0, 1]
    assert both == pytest.approx(0.09, abs=1e-4)


@pytest.mark.parametrize("decoder", ["unit", "free"])
def test_the_slope_of_what_is_minimised_against_differences(decoder: str) -> None:
    """In every entry of the vector: weights, rows that stand for atoms, biases, and θ = t²."""
    objective = Objective(0.05, sparsity="decoder-norm", decoder=decoder, l0=0.1)
    problem = ScaledProblem.of(law_arrays(load_law("independent")), objective, 2)
    loss, rng = architecture_loss(problem.loss, JUMP), np.random.default_rng(5)
    vector = 0.5 * rng.normal(size=2 * (2 * 2 + 2) + 2)
    slope = loss(vector)[1]
    for place in range(len(vector)):
        step = 1e-6 * np.eye(len(vector))[place]
        difference = (loss(vector + step)[0] - loss(vector - step)[0]) / 2e-6
        assert slope[place] == pytest.approx(difference, rel=1e-6, abs=1e-7)


@pytest.mark.slow
def test_it_is_the_same_in_any_unit() -> None:
    one = minimize_jump_loss(load_law("shared"), 4, Objective(0, l0=0.1), FEW)
    ten = minimize_jump_loss(load_law("shared:amplitude=10"), 4, Objective(0, l0=10), FEW)
    assert ten.total == pytest.approx(100 * one.total, rel=1e-10)


def test_from_the_command_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    l0 = ("--sparsity", "l0", "--l0", "0.1", "--starts", "1")
    document = run_json(
        capsys, "optimum", "shared", "--architecture", "jumprelu", "--latents", "4", *l0
    )
    assert document["architecture"] == "JumpReLU"
    assert document["total"] == pytest.approx(0.1 - np.sqrt(2) / 3 * 0.1**1.5, abs=1e-9)
    assert document["lower_bound_by"] == "l0 bound"
    assert len(document["threshold"]) == 4
    assert document["sparsity"] == pytest.approx(0.1 * document["l0"], rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--architecture", "top", "--l1", "0.1"], "--architecture: expected one of relu, jump"),
        (["--sparsity", "l0"], "--l0: expected λ₀, beside --sparsity l0"),
        (["--sparsity", "l0", "--l0", "1", "--l1", "1"], "--l1: expected no λ beside --sparsity"),
        (["--l0", "-1"], "--l0: expected a finite number ≥ 0, got -1"),
        (["--l0", "nan"], "--l0: expected a finite number ≥ 0, got nan"),
        ([], "--l1: expected λ, the coefficient of the penalty"),
        (["--l0", "0.1", "--reconstruction", "relative"], "--l0: expected 0 beside the relative"),
        (
            ["--architecture", "jumprelu", "--l0", "1", "--certify", "--any-b-dec"],
            "--certify: --any-b-dec: expected False where latents are counted",
        ),
        (
            ["--architecture", "jumprelu", "--l1", "1", "--reconstruction", "relative"],
            "--reconstruction: expected 'squared' for architecture 'jumprelu'",
        ),
        (
            ["--architecture", "jumprelu", "--l1", "1", "--weight-decay", "1"],
            "--weight-decay: expected 0 for architecture 'jumprelu'",
        ),
    ],
)
def test_wrong_options_are_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    refused(capsys, ["optimum", "shared", "--latents", "2", *arguments], message)


def test_weights_under_an_l0_penalty(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    weights = tmp_path / "sae.npz"
    np.savez(weights, W_enc=np.eye(2), b_enc=np.zeros(2), W_dec=np.eye(2), b_dec=np.zeros(2))
    document = run_json(capsys, "loss", "shared", weights, "--sparsity", "l0", "--l0", "0.5")
    assert document["sparsity"] == pytest.approx(0.5 * document["l0"])
    with pytest.raises(InputError, match="n_latents: expected a whole number from 1"):
        minimize_jump_loss(load_law("shared"), 0, Objective(0, l0=0.1), FEW)
