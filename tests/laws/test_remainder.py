"""Laws of too many active sets: likely ones exactly, points for the others, and a ± that is right.

Small laws are split by force, so that what is drawn can be held against what is exact.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy

from solvers import Objective, Sae, Search, describe, expected_loss, minimize_loss
from solvers.autoencoders.architectures import JumpReluSae, TopKSae
from solvers.bounds.certificate import certify
from solvers.laws.arrays import law_arrays
from solvers.laws.remainder import REPLICATES, drawn_remainder
from solvers.losses.best_activations import best_activation_loss
from solvers.losses.sampled_loss import sampled_loss
from solvers.losses.standard_error import standard_error
from solvers.optima.landscape import landscape
from tests.cli.running import run, run_json
from theory import InputError, Law, load_law

RULES = "theory.laws.firing_rules"
LAWS: dict[str, dict[str, Any]] = {
    "independent": {"features": 6, "firing": [0.5, 0.4, 0.3, 0.3, 0.2, 0.2]},
    "tree": {
        "features": 6,
        "firing": [0.6, 0.3, 0.2, 0.4, 0.7, 0.2],
        "parents": {"1": 0, "2": 0, "3": 0, "4": 3},
        "exclusive": [[1, 2, 3]],
        "magnitude": {"normal": [1, "3/20"]},
        "bias": [1, 0, 0, -1, 0, 0.5],
    },
    "uniform": {"features": 5, "firing": 0.5, "magnitude": {"uniform": [0, 1]},
                "embedding": [[1, 0], [0, 1], [1, 1], [-1, 1], [0, -1]]},
    "noisy": {"features": 5, "firing": 0.4, "noise": 0.2},
}  # fmt: skip


def split(monkeypatch: pytest.MonkeyPatch, document: dict[str, Any], likely: str = "1/16") -> Law:
    monkeypatch.setattr(f"{RULES}.MOST_ACTIVE_SETS", 3)
    monkeypatch.setattr(f"{RULES}.LIKELY", sympy.Rational(likely))
    law = load_law(document)
    assert law.remainder is not None
    return law


def some_sae(d: int, n: int = 4) -> Sae:
    rng = np.random.default_rng(d)
    W_dec = rng.normal(size=(n, d))
    return Sae(W_dec.T, 0.2 * rng.normal(size=n), W_dec, 0.1 * rng.normal(size=d))


@pytest.mark.parametrize("name", LAWS)
def test_the_loss_is_right_within_its_standard_error(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact_law = load_law(LAWS[name])
    law, objective = split(monkeypatch, LAWS[name]), Objective(l1=0.1)
    for n in (2, 4, 6):
        sae = some_sae(law.dimension, n)
        exact, found = (expected_loss(each, sae, objective) for each in (exact_law, law))
        assert exact.exact
        assert exact.standard_error == 0
        assert not found.exact
        assert 0 < found.standard_error < 0.02 * exact.total
        assert abs(found.total - exact.total) < 4.5 * found.standard_error


def test_the_standard_error_is_that_of_the_scramblings(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is right on average: over seeds, squared deviations are of the stated size."""
    exact_law = load_law(LAWS["tree"])
    sae, objective = some_sae(6), Objective(l1=0.1)
    exact, shares = expected_loss(exact_law, sae, objective).total, []
    for seed in range(12):
        monkeypatch.setattr("solvers.laws.remainder._SEED", seed)
        drawn_remainder.cache_clear()
        law_arrays.cache_clear()
        found = expected_loss(split(monkeypatch, LAWS["tree"]), sae, objective)
        shares.append(((found.total - exact) / found.standard_error) ** 2)
    drawn_remainder.cache_clear()
    law_arrays.cache_clear()
    assert 0.3 < np.mean(shares) < 3


@pytest.mark.parametrize("kind", [JumpReluSae, TopKSae])
def test_other_architectures_have_theirs(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    exact_law, law = load_law(LAWS["independent"]), split(monkeypatch, LAWS["independent"])
    sae = kind(some_sae(6), 1 if kind is TopKSae else [0.3] * 4)
    exact, found = (expected_loss(each, sae, Objective(l1=0.1)) for each in (exact_law, law))
    assert abs(found.total - exact.total) < 4.5 * found.standard_error < 0.05 * exact.total


@pytest.mark.parametrize("name", LAWS)
def test_moments_and_firing_are_exact_all_the_same(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = describe(load_law(LAWS[name]))
    found = describe(split(monkeypatch, LAWS[name]))
    np.testing.assert_allclose(found.firing, exact.firing, rtol=1e-12)
    np.testing.assert_allclose(found.mean, exact.mean, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(found.covariance, exact.covariance, rtol=1e-12, atol=1e-14)
    assert found.clipped == pytest.approx(exact.clipped, rel=1e-10)
    assert not any(reduction.exact for reduction in found.reductions)


@pytest.mark.parametrize("name", LAWS)
def test_likely_sets_are_kept_and_nothing_is_counted_twice(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, law = load_law(LAWS[name]), split(monkeypatch, LAWS[name])
    every = dict(zip(whole.active, (p.probability for p in whole.components), strict=True))
    kept = dict(zip(law.active, (p.probability for p in law.components), strict=True))
    few = {s: p for s, p in every.items() if name != "uniform" or len(s) <= 3}
    assert kept == {chosen: p for chosen, p in few.items() if float(p) >= 1 / 16}
    assert law.remainder is not None
    assert law.remainder.probability == 1 - sum(kept.values())
    weights, points = drawn_remainder(law)
    assert len(points) == REPLICATES
    mass = sum(weight * len(x) for weight, x in zip(weights, points, strict=True))
    assert mass == pytest.approx(float(law.remainder.probability), rel=1e-12)
    if name == "independent":
        # Constant magnitudes and no embedding: a point says who is active.
        drawn = {tuple(np.flatnonzero(x > 0.5).tolist()) for block in points for x in block}
        assert not drawn & set(kept)


def test_a_law_may_have_no_likely_set_at_all() -> None:
    law = load_law({"features": 9, "firing": 1, "magnitude": {"uniform": [0, 1]}})
    assert (len(law.components), law.dimension) == (0, 9)
    sae = some_sae(9)
    found = expected_loss(law, sae, Objective(l1=0.1))
    sampled = sampled_loss(law, sae, Objective(l1=0.1), 100_000)
    apart = abs(found.total - sampled.total)
    assert apart < 4.5 * np.hypot(found.standard_error, sampled.standard_error)


def test_sixteen_features_against_sampling() -> None:
    law = load_law({"features": 16, "firing": 0.3, "magnitude": {"normal": [1, "3/20"]}})
    sae = Sae(np.eye(16), np.full(16, -0.1), np.eye(16), np.zeros(16))
    found = expected_loss(law, sae, Objective(l1=0.1))
    # 16 features that fire with 0.3: f = m - 0.1, so that the error is 0.1² and l1 is 0.9 each.
    assert abs(found.total - 16 * 0.3 * (0.01 + 0.09)) < 4.5 * found.standard_error
    assert found.standard_error < 0.003 * found.total


def test_what_an_optimum_costs_on_points_it_was_not_fitted_to() -> None:
    """Fresh points do not flatter: they agree with a sampler of another kind."""
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(40, 6))
    rows = (rows / np.linalg.norm(rows, axis=1)[:, None]).round(3).tolist()
    law = load_law({"features": 40, "firing": 0.05, "embedding": rows})
    best = minimize_loss(law, 6, Objective(l1=0.1), Search(starts=1, limit=1))
    assert best.fresh is not None
    sampled = sampled_loss(law, best.sae, Objective(l1=0.1), 400_000)
    error = np.hypot(best.fresh.standard_error, sampled.standard_error)
    assert abs(best.fresh.total - sampled.total) < 4.5 * error
    assert minimize_loss(load_law("shared"), 2, Objective(0.1), Search(starts=1)).fresh is None


def test_copulas_are_not_called_exact() -> None:
    """Of three features the probabilities are integrals; of two they are exact to rounding."""
    sae = some_sae(3, 2)
    three = load_law({"features": 3, "firing": 0.3, "correlation": 0.4})
    loss = expected_loss(three, sae, Objective(0.1))
    assert not loss.exact
    assert loss.standard_error == 0
    assert 0 < loss.probability_error < 1e-4
    two = load_law({"features": 2, "firing": 0.3, "correlation": 0.4})
    assert expected_loss(two, some_sae(2), Objective(0.1)).exact


def test_what_must_be_exact_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    law, objective = split(monkeypatch, LAWS["uniform"]), Objective(l1=0.1)
    few = "law: expected a law of few enough active sets to be exact"
    with pytest.raises(InputError, match=few):
        landscape(law, 2, objective, Search(starts=1))
    with pytest.raises(InputError, match=few):
        certify(law, 2, objective)
    with pytest.raises(InputError, match=few):
        best_activation_loss(law, some_sae(2), objective)
    assert standard_error(load_law("shared"), some_sae(2), objective) == 0


def test_commands_show_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    law, weights = tmp_path / "law.json", tmp_path / "sae.npz"
    law.write_text(json.dumps({"features": 15, "firing": 0.3, "embedding": [[1, 0]] * 15}))
    np.savez(weights, **dict(zip(("W_enc", "b_enc", "W_dec", "b_dec"),
                                 (np.eye(2), np.zeros(2), np.eye(2), np.zeros(2)),
                                 strict=True)))  # fmt: skip
    document = run_json(capsys, "loss", law, weights, "--l1", "0.1")
    assert document["exact"] is False
    assert document["standard_error"] > 0
    page = tmp_path / "page.html"
    document = run_json(
        capsys, "check", law, weights, "--l1", "0.1", "--starts", "1", "--report", page
    )
    assert "No figure is exact: points stand for" in page.read_text(encoding="utf-8")
    assert "Every figure is exact" not in page.read_text(encoding="utf-8")
    for part in ("loss", "polished", "optimum"):
        assert document[part]["exact"] is False
    status, out, _ = run(capsys, "optimum", law, "--latents", "2", "--l1", "0.1", "--starts", "1")
    assert status == 0
    for words in (
        "standard error: not exact",
        "on points it was not fitted to",
        "on these points",
    ):
        assert words in out
    document = run_json(capsys, "law", law)
    assert document["l0"] == pytest.approx(15 * 0.3, rel=1e-12)
    assert document["remainder"] == pytest.approx(
        1 - sum(entry["probability"] for entry in document["active_sets"]), rel=1e-12
    )
