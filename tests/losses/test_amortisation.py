"""The loss with the best activations where it is sampled: against what is exact, and oracles."""

from typing import Any

import numpy as np
import pytest

import solvers.losses.amortisation as room
import solvers.losses.best_activations as exact_room
from solvers import (
    InputError,
    Objective,
    Sae,
    Search,
    best_activation_loss,
    cross_check,
    expected_loss,
    frame_sae,
)
from solvers.losses.amortisation import amortisation
from solvers.losses.best_activations import best_activations_of
from solvers.presentation.check_page import check_page
from solvers.presentation.check_report import check_document, check_text
from solvers.presentation.comparison import Comparison, comparison_text
from tests.losses.test_best_activations import best_by_nnls
from tests.oracles.best_activations import Supports
from theory import law_from_dict, load_law

Made = np.ndarray[Any, np.dtype[np.float64]]


def random_sae(seed: int, n: int, d: int, decoder: str = "unit") -> Sae:
    rng = np.random.default_rng(seed)
    atoms = rng.normal(size=(n, d))
    if decoder == "unit":
        atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    return Sae(rng.normal(size=(d, n)) / d, np.full(n, -0.05), atoms, rng.normal(size=d) / 8)


def own_atoms(d: int, l1: float) -> Sae:
    """The true features with the best one-layer encoder where none overlap."""
    return Sae(np.eye(d), np.full(d, -l1 / 2), np.eye(d), np.zeros(d))


def sampled_only(monkeypatch: pytest.MonkeyPatch, samples: int = 2048) -> None:
    monkeypatch.setattr(room, "LARGEST_PARTS", 0)
    monkeypatch.setattr(room, "MOST_SAMPLES", samples)


@pytest.mark.parametrize("sparsity", ["l1", "decoder-norm"])
@pytest.mark.parametrize(("n", "d"), [(1, 1), (4, 1), (3, 5), (6, 3), (7, 4)])
def test_samples_against_every_support(n: int, d: int, sparsity: Any) -> None:
    sae = random_sae(n, n, d, "free")
    objective = Objective(0.3, sparsity=sparsity, decoder="free")
    x = np.random.default_rng(1).normal(size=(50, d))
    best = best_activations_of(sae, objective)
    f = best.activations_at(x)
    assert (f >= 0).all()
    weights = sae.decoder_norms if sparsity == "decoder-norm" else np.ones(n)
    found = ((x - f @ sae.W_dec) ** 2).sum(axis=1) + 0.3 * f @ weights
    least = Supports(sae.W_dec, 0.15 * weights).losses(x)
    np.testing.assert_allclose(found, least, rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(best.losses(x, f), found, rtol=1e-13)
    assert best.missed(x, f).max() < 1e-11


@pytest.mark.parametrize("l1", [0.3, 0.01])
def test_samples_of_32_latents_in_16_dimensions(l1: float) -> None:
    sae, objective = random_sae(0, 32, 16), Objective(l1)
    x = np.random.default_rng(2).normal(size=(40, 16)) / 4
    best = best_activations_of(sae, objective)
    least = np.array([best_by_nnls(point, sae.W_dec, np.ones(32), l1) for point in x])
    f = best.activations_at(x)
    np.testing.assert_allclose(best.losses(x, f), least, atol=1e-9)
    assert best.missed(x, f).max() < 1e-12


def test_the_duality_gap_bounds_what_is_missed() -> None:
    sae, objective = random_sae(4, 6, 3), Objective(0.2)
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, 3))
    best = best_activations_of(sae, objective)
    f = best.activations_at(x)
    least = best.losses(x, f)
    for other in (np.zeros_like(f), f * rng.uniform(0.5, 1.5, f.shape), f + 1e-3):
        excess = best.losses(x, other) - least
        assert (best.missed(x, other) >= excess - 1e-12).all()
        assert excess.max() > 1e-4


def test_more_atoms_cost_no_more() -> None:
    sae, objective = random_sae(5, 12, 4), Objective(0.2)
    x = np.random.default_rng(6).normal(size=(100, 4))
    before = np.full(100, np.inf)
    for n in range(1, 13):
        best = best_activations_of(
            Sae(sae.W_enc[:, :n], sae.b_enc[:n], sae.W_dec[:n], sae.b_dec), objective
        )
        least = best.losses(x, best.activations_at(x))
        assert (least <= before + 1e-12).all()
        before = least


@pytest.mark.parametrize(
    ("spec", "n"),
    [("shared", 3), ("independent", 6), ({"sets": [2, 2], "amplitude": 3}, 5),
     ({"sets": [3, 2, 1], "magnitude_correlation": 1}, 8)],
)  # fmt: skip
def test_sampled_against_exact(spec: Any, n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    law = load_law(spec) if isinstance(spec, str) else law_from_dict(spec)
    sae = random_sae(n, n, law.dimension)
    objective = Objective(0.2, weight_decay=0.01)
    told: list[tuple[int, int]] = []
    exact = amortisation(law, sae, objective)
    assert exact == (best_activation_loss(law, sae, objective), 0, 0, "")
    sampled_only(monkeypatch)
    sampled = amortisation(law, sae, objective, progress=lambda *far: told.append(far))
    assert abs(sampled.total - exact.total) <= 4 * sampled.standard_error
    assert 0 < sampled.standard_error == sampled.gap_error
    assert "from 2,048 samples" in sampled.reason
    assert told == sorted(told)
    assert (told[0], told[-1]) == ((0, 2048), (2048, 2048))
    assert amortisation(law, sae, objective) == sampled


def test_the_standard_error_is_that_of_other_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    law, sae, objective = load_law("independent"), random_sae(1, 5, 2), Objective(0.2)
    exact = best_activation_loss(law, sae, objective)
    sampled_only(monkeypatch, 256)
    apart = []
    for seed in range(100):
        monkeypatch.setattr(room, "_SEED", seed)
        found = amortisation(law, sae, objective)
        apart.append((found.total - exact) / found.standard_error)
    # The root mean square of 100 standard normal values is 1 ± 0.07.
    assert 0.7 < np.sqrt(np.mean(np.square(apart))) < 1.3
    assert abs(np.mean(apart)) < 0.4


def test_what_both_losses_share_adds_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The true features alone: the encoder's activations are the best, sample by sample."""
    sampled_only(monkeypatch)
    law = load_law("shared")
    sae = Sae(np.eye(2), np.full(2, -0.05), np.eye(2), np.zeros(2))
    found = amortisation(law, sae, Objective(0.1))
    assert found.total == pytest.approx(expected_loss(law, sae, Objective(0.1)).total, abs=1e-14)
    assert 0 < found.standard_error < 1e-14


@pytest.mark.parametrize(
    ("magnitude", "one", "reason"),
    [
        # E h, with h(r) = λr - λ²/4 for r ≥ λ/2, else r², at λ = 0.2.
        ({"uniform": [0, 1]}, 0.1 - 0.01 + 0.008 / 24, "more than two random magnitudes"),
        ({"normal": [4, "1/4"]}, 0.8 - 0.01, "normal magnitudes"),
        ({"uniform": [0, 2]}, 0.2 - 0.01 + 0.008 / 48, "more than two random magnitudes"),
    ],
)
def test_laws_that_are_only_sampled(magnitude: Any, one: float, reason: str) -> None:
    law = load_law({"features": 4, "firing": 0.3, "magnitude": magnitude})
    # An encoder that is worse than the best, so that there is a gap.
    sae = Sae(np.eye(4), np.full(4, -0.3), np.eye(4), np.zeros(4))
    found = amortisation(law, sae, Objective(0.2))
    assert abs(found.total - 4 * 0.3 * one) <= 4 * found.standard_error
    assert 0 < found.standard_error < 1e-3
    assert reason in found.reason


def test_a_law_of_too_many_active_sets() -> None:
    """Of constant magnitude: E = n · p · (λ - λ²/4)."""
    law = load_law({"features": 20, "firing": 0.2, "magnitude": {"constant": 1}})
    sae = Sae(np.eye(20), np.full(20, -0.2), np.eye(20), np.zeros(20))
    now = expected_loss(law, sae, Objective(0.2))
    found = amortisation(law, sae, Objective(0.2), now)
    assert found.standard_error == pytest.approx(np.hypot(found.gap_error, now.standard_error))
    assert abs(found.total - 4 * (0.2 - 0.01)) <= 4 * found.standard_error
    # (0.2 - λ/2)² is lost where a feature fires: 4 · 0.01 in all.
    assert abs(now.total - found.total - 0.04) <= 4 * found.gap_error
    assert found.gap_error < found.standard_error / 3


class Counted:
    """Counts how often nonnegative least squares is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls, self.nnls = 0, exact_room.nnls
        monkeypatch.setattr(exact_room, "nnls", self)

    def __call__(self, *given: Any, **named: Any) -> Any:
        self.calls += 1
        return self.nnls(*given, **named)


def test_the_work_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """32 latents in 16 dimensions: the walk is given up early, and then there are samples."""
    law, sae = law_from_dict({"sets": [8, 8]}), random_sae(7, 32, 16)
    monkeypatch.setattr(room, "LARGEST_PARTS", 800)
    monkeypatch.setattr(room, "MOST_SAMPLES", 300)
    counted, told = Counted(monkeypatch), list[tuple[int, int]]()
    found = amortisation(law, sae, Objective(0.1), progress=lambda *far: told.append(far))
    assert "cut into more than 800" in found.reason
    # An eighth of what is allowed, and a little for the part of the law that was done.
    assert 300 < counted.calls <= 300 + 400
    assert told[0][1] == 1000
    assert [far for far in told if far[1] == 300] == [(0, 300), (256, 300), (300, 300)]
    # Where there are fewer cells, the same limit is enough.
    counted.calls = 0
    few = amortisation(law_from_dict({"sets": [2, 2]}), random_sae(7, 8, 2), Objective(0.1))
    assert few.standard_error == 0
    assert counted.calls < 300


def test_many_latents_have_fewer_samples_and_more_none(monkeypatch: pytest.MonkeyPatch) -> None:
    law = load_law({"features": 3, "firing": 0.5, "magnitude": {"uniform": [0, 1]}})
    monkeypatch.setattr(room, "LARGEST_BUDGET", 5 * (3 * 3 + 200) * 100)
    assert "from 100 samples" in amortisation(law, random_sae(0, 5, 3), Objective(0.1)).reason
    with pytest.raises(InputError, match=r"latents: expected n \(d .* at most 1,632, got '1,672'"):
        amortisation(law, random_sae(0, 8, 3), Objective(0.1))
    with pytest.raises(InputError, match=r"W_enc: expected d_in = 3, .* got 4"):
        amortisation(law, random_sae(0, 5, 4), Objective(0.1))


def test_an_interrupt_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(done: int, total: int) -> None:
        if total == 512 and done:
            raise KeyboardInterrupt

    sampled_only(monkeypatch, 512)
    with pytest.raises(KeyboardInterrupt):
        amortisation(
            load_law("shared"), frame_sae(0.0), Objective(0.1), progress=interrupted
        )  # fmt: skip


@pytest.mark.parametrize(
    ("objective", "match"),
    [
        (Objective(0.1, "relative"), "reconstruction: expected 'squared'"),
        (Objective(0.1, l0=0.1), "l0"),
        (Objective(0.1, prefixes=(1, 3)), "prefixes"),
        (Objective(0.0), "l1: expected a finite number > 0"),
    ],
)
def test_errors_are_named(objective: Objective, match: str) -> None:
    law = load_law({"features": 3, "firing": 0.5, "magnitude": {"uniform": [0, 1]}})
    with pytest.raises(InputError, match=match):
        amortisation(law, own_atoms(3, 0.1), objective)


def test_a_check_says_that_it_is_sampled() -> None:
    law = load_law({"features": 3, "firing": 0.3, "magnitude": {"normal": [2, "1/5"]}})
    sae = Sae(np.eye(3), np.full(3, -0.2), np.eye(3), np.zeros(3))
    check = cross_check(law, sae, Objective(0.2), Search(1, limit=1))
    document = check_document(check)
    # (0.2 - λ/2)² is lost where a feature fires.
    error = document["gaps"]["amortisation_error"]
    assert 0 < error == document["best_activations_error"] < 1e-3
    assert abs(document["gaps"]["amortisation"] - 0.9 * 0.01) <= 4 * error
    assert any("not exact but has a standard error: from" in note for note in check.notes)
    assert any(f"± {error:.2g} (standard error, sampled); so" in said for said in check.sentences)
    compared = comparison_text(Comparison((("a", check),)))
    shown = (check_text(check), compared, check_page(check, "a", "check"))
    for text, told in zip(shown, (f"± {error:.2g} (s", f"± {error:.1g}", f"± {error:.2g} (s"),
                          strict=True):  # fmt: skip
        assert told in " ".join(text.split())
    # The verdict is of training and basin alone.
    assert check.verdict == "training"
    trained = cross_check(law, own_atoms(3, 0.2), Objective(0.2), Search(1, limit=1))
    assert any("which may be nothing" in said for said in trained.sentences)


def test_a_check_that_is_exact_has_no_errors() -> None:
    check = cross_check(load_law("shared"), frame_sae(0.1, 0.05), Objective(0.1), Search(1))
    assert check.best_activations_error == check.amortisation_error == 0
    assert "±" not in check_text(check)
