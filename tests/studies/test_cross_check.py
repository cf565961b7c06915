"""A trained SAE against the optimum: gaps, verdicts, atoms, and the best activations."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from solvers import (
    InputError,
    Objective,
    Sae,
    Search,
    cross_check,
    expected_loss,
    load_checkpoint,
    minimize_loss,
)
from solvers.autoencoders.architectures import GatedSae, JumpReluSae, TopKSae
from solvers.autoencoders.autoencoder import Origin
from solvers.autoencoders.frames import frame_sae
from solvers.losses.sampled_loss import sampled_loss
from solvers.optima.train import Sampler
from solvers.studies.cross_check import CrossCheck, cross_check_all, objective_for
from theory import law_from_dict, load_law, preset

TRAINED = Path(__file__).parents[1] / "data" / "trained"
MANIFEST = json.loads((TRAINED / "manifest.json").read_text())
L1 = Objective(l1=0.1)
RELATIVE = Objective(0.1, "relative")
OPTIMUM = 0.0682401409012


def turned(sae: Sae, latent: int, degrees: float) -> Sae:
    """Return the SAE with one atom turned."""
    angle = np.radians(degrees)
    atoms = sae.W_dec.copy()
    rotation = [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    atoms[latent] = atoms[latent] @ np.array(rotation)
    return Sae(sae.W_enc, sae.b_enc, atoms, sae.b_dec)


def trained(name: str) -> CrossCheck:
    (entry,) = [entry for entry in MANIFEST if entry["name"] == name]
    sae = load_checkpoint(TRAINED / entry["path"])
    return cross_check(law_from_dict(entry["law"]), sae, objective_for(sae), Search(starts=16))


def test_an_atom_turned_by_three_degrees_polishes_back() -> None:
    check = cross_check(preset("shared"), turned(frame_sae(np.pi / 4, 0.05), 1, 3.0), L1)
    assert check.verdict == "training"
    assert check.polished is not None
    assert check.polished.loss.total == pytest.approx(OPTIMUM, abs=1e-9)
    assert check.gaps.training == pytest.approx(check.loss.total - OPTIMUM, abs=1e-9)
    assert abs(check.gaps.basin or 0.0) < 1e-9


def test_a_converged_sae_has_neither_gap() -> None:
    check = trained("saelens_standard_D1_d4_l10.1_s3")
    assert check.verdict == "optimum"
    assert check.closest_code is not None
    assert (check.closest_code.code, check.closest_code.unmatched) == ("diagonal", ())
    assert check.closest_code.mean_angle < 0.1
    assert check.absorbed is None


def test_a_ray_absorbed_into_b_dec_is_a_basin() -> None:
    check = trained("saelens_standard_D1_d4_l10.1_s0")
    assert check.verdict == "basin"
    assert check.gaps.basin == pytest.approx(0.05602, abs=1e-5)
    assert check.gaps.training is not None
    assert check.gaps.training < 1e-5
    assert check.absorbed is not None
    assert np.sign(check.absorbed.towards).tolist() == [1, -1]
    assert check.absorbed.angle < 2
    assert any("atoms are normalised" in note for note in check.notes)


@pytest.mark.parametrize("name", ["shared", "independent"])
@pytest.mark.parametrize(
    "width", [1, *(pytest.param(width, marks=pytest.mark.slow) for width in (3, 5))]
)
def test_losses_come_in_order_and_gaps_are_their_differences(name: str, width: int) -> None:
    rng = np.random.default_rng(width)
    atoms = rng.normal(size=(width, 2))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    sae = Sae(atoms.T, np.full(width, -0.05), atoms, rng.normal(size=2) / 8)
    check = cross_check(preset(name), sae, L1, Search(starts=8))
    assert check.polished is not None
    assert check.optimum is not None
    assert check.best_activations is not None
    assert check.lower_bound is not None
    now, polished, best = check.loss.total, check.polished.loss.total, check.optimum.loss.total
    rounding = 1e-12
    assert check.lower_bound <= best + rounding
    assert best <= polished + rounding
    assert polished <= now + rounding
    assert check.best_activations <= now + 1e-12
    assert check.gaps.training == pytest.approx(now - polished, abs=1e-13)
    assert check.gaps.basin == pytest.approx(polished - best, abs=1e-13)
    assert check.gaps.bound == pytest.approx(best - check.lower_bound, abs=1e-13)
    assert check.gaps.amortisation == pytest.approx(now - check.best_activations, abs=1e-13)
    assert [said.split(":")[0] for said in check.sentences] == [
        "training",
        "basin",
        "amortisation",
        "bound",
    ]


@pytest.mark.slow
def test_of_a_relative_loss_without_a_mean_the_report_says_so() -> None:
    law = preset("shared")
    sae = Sae(frame_sae(np.pi / 4).W_enc, np.full(4, -0.01), frame_sae(np.pi / 4).W_dec, [0.1, 0])
    check = cross_check(law, sae, Objective(0.1, "relative"), Search(starts=1))
    assert check.loss.total == np.inf
    assert np.isfinite(check.judged.total)
    assert any("the loss is infinite" in note for note in check.notes)
    assert check.best_activations is None
    assert check.at_origin == pytest.approx((0.1, 0.0))


def test_other_architectures_have_gaps_of_their_own() -> None:
    law, base = preset("shared"), frame_sae(np.pi / 4, 0.05)
    gated = GatedSae(base, base.W_enc, base.b_enc)
    check = cross_check(law, gated, L1, Search(starts=4))
    assert check.loss.total == pytest.approx(OPTIMUM, abs=1e-12)
    assert check.gaps.training == check.gaps.basin == 0
    assert check.gaps.amortisation == pytest.approx(0, abs=1e-12)
    assert check.verdict == ""
    assert any("stops a gradient" in note for note in check.notes)
    without = cross_check(law, TopKSae(base, 1), Objective(l1=0.0), Search(starts=1))
    assert without.optimum is not None
    assert without.optimum.total == pytest.approx(0, abs=1e-12)
    assert without.verdict == "training"
    assert without.co_firing[0].tolist() == pytest.approx([0.25 * 0.9646446609, 0, 0, 0])


def test_several_saes_share_their_optimum() -> None:
    law, sae = preset("shared"), frame_sae(0.3, 0.05)
    seen: list[tuple[int, int]] = []
    checks = cross_check_all(
        law,
        [("one", sae, L1), ("two", turned(sae, 0, 1.0), L1), ("three", sae, Objective(l1=0.2))],
        Search(starts=2, progress=lambda done, total: seen.append((done, total))),
    )
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert [name for name, _ in checks] == ["one", "two", "three"]
    one, two, three = (check.optimum for _, check in checks)
    assert one is not None
    assert two is not None
    assert one.loss is two.loss
    assert three is not one


def test_the_objective_comes_with_the_file_and_gives_way_to_what_is_said() -> None:
    sae = frame_sae(0.0).with_origin(Origin(convention="dictionary-learning", l1=0.3))
    assert objective_for(sae) == Objective(l1=0.3)
    assert objective_for(sae, 0.2, sparsity="decoder-norm").sparsity == "decoder-norm"
    with pytest.raises(InputError, match="l1: expected λ, which this file does not hold"):
        objective_for(frame_sae(0.0))
    assert objective_for(TopKSae(frame_sae(0.0), 1)).l1 == 0


def test_shrinkage_is_that_of_the_reconstruction() -> None:
    law, sae = load_law("independent"), frame_sae(0.2, 0.1)
    check = cross_check(law, sae, Objective(l1=0.2), Search(starts=2))
    x = Sampler(law)(np.random.default_rng(0), 400_000)
    x_hat = sae.reconstruction(x)
    norm = (x_hat**2).sum(axis=1)
    assert check.shrinkage == pytest.approx(norm.mean() / (x**2).sum(axis=1).mean(), rel=5e-3)
    gamma = norm.mean() / (x * x_hat).sum(axis=1).mean()
    assert check.reconstruction_bias == pytest.approx(gamma, rel=5e-3)


def test_a_sampled_second_opinion() -> None:
    law, sae = load_law("independent"), frame_sae(0.3, 0.1)
    for objective in (
        Objective(0.2, weight_decay=0.01),
        Objective(0.2, "relative", "decoder-norm"),
    ):
        exact = expected_loss(law, sae, objective).total
        found = sampled_loss(law, sae, objective, 200_000, seed=1)
        assert found == sampled_loss(law, sae, objective, 200_000, seed=1)
        assert abs(found.total - exact) <= 4 * found.standard_error
    assert sampled_loss(law, sae, L1, 1).standard_error == np.inf
    check = cross_check(law, sae, L1, Search(starts=1), samples=1000)
    assert check.sampled is not None
    assert check.sampled.samples == 1000


def test_rescaled_latents_are_the_same_sae_to_a_scale_free_penalty() -> None:
    law, sae = preset("shared"), frame_sae(0.4, 0.05)
    scale = np.array([0.5, 2.0, 3.0, 1.0])
    twin = Sae(sae.W_enc / scale, sae.b_enc / scale, sae.W_dec * scale[:, None], sae.b_dec)
    objective = Objective(0.1, sparsity="decoder-norm", decoder="free")
    one, two = (cross_check(law, each, objective, Search(starts=2)) for each in (sae, twin))
    assert one.loss.total == pytest.approx(two.loss.total, rel=1e-13)
    assert two.judged.total == pytest.approx(two.loss.total, rel=1e-13)
    assert one.gaps.training == pytest.approx(two.gaps.training, abs=1e-10)
    plain = cross_check(law, twin, L1, Search(starts=2))
    assert plain.judged.total == pytest.approx(one.loss.total, rel=1e-13)
    assert plain.loss.total != pytest.approx(plain.judged.total)
    assert any("the gaps are counted from there" in note for note in plain.notes)


def test_a_wrong_pairing_is_refused() -> None:
    law = law_from_dict({"sets": [1, 2]})
    with pytest.raises(InputError, match="d_in = 3, the dimension of the law"):
        cross_check(law, frame_sae(0.0), L1)
    free = replace(L1, decoder="free")
    check = cross_check(preset("shared"), frame_sae(0.0), free)
    assert check.polished is check.optimum is None


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_picture(tmp_path: Path, suffix: str) -> None:
    check = cross_check(preset("shared"), frame_sae(0.2, 0.05), L1, Search(starts=2))
    check.plot(tmp_path / f"picture.{suffix}")
    assert (tmp_path / f"picture.{suffix}").stat().st_size > 5000
    with pytest.raises(InputError, match="expected a figure ending in"):
        check.plot(tmp_path / "picture.doc")


@pytest.mark.slow
def test_on_the_relative_loss_polishing_looks_across_the_barrier_at_zero_biases() -> None:
    """The axis-aligned SAE with b = 0 sits on a kink; positive biases lead to the optimum."""
    check = cross_check(
        preset("shared"), frame_sae(0.0), Objective(0.1, "relative"), Search(starts=1)
    )
    assert check.verdict == "training"
    assert check.polished is not None
    assert check.polished.loss.total == pytest.approx(0.069460678, abs=1e-8)


def test_what_did_not_converge_is_no_basin() -> None:
    frame = frame_sae(np.pi / 4, 0.05)
    huge = Sae(frame.W_enc * 1e100, frame.b_enc, frame.W_dec, frame.b_dec)
    check = cross_check(preset("shared"), huge, L1, Search(starts=1))
    assert check.polished is not None
    assert not check.polished.converged
    assert check.verdict == ""
    assert any("without converging" in said for said in check.sentences)


def test_a_zero_atom_is_switched_off() -> None:
    frame = frame_sae(0.0, 0.05)
    atoms = frame.W_dec.copy()
    atoms[0] = 0
    check = cross_check(
        preset("shared"), Sae(frame.W_enc, frame.b_enc, atoms, [0, 0]), L1, Search(starts=4)
    )
    assert any("zero atoms" in note for note in check.notes)
    assert check.judged.firing[0] == 0
    assert check.judged.total < check.loss.total


def test_long_atoms_of_other_architectures_are_judged_at_norm_one() -> None:
    """Encoders 1000 times too small and atoms 1000 times too long hide the penalty."""
    frame = frame_sae(np.pi / 4, 0.05)
    hidden = Sae(frame.W_enc / 1000, frame.b_enc / 1000, frame.W_dec * 1000, frame.b_dec)
    for sae in (
        JumpReluSae(hidden, np.zeros(4)),
        TopKSae(hidden, 4),
        GatedSae(hidden, hidden.W_enc, hidden.b_enc),
    ):
        check = cross_check(preset("shared"), sae, L1, Search(starts=4))
        assert check.loss.total < 0.01
        assert check.judged.total == pytest.approx(OPTIMUM, abs=1e-12)
        assert check.best_activations == pytest.approx(OPTIMUM, abs=1e-12)


def test_an_sae_that_found_more_than_the_starts_counts_for_the_others() -> None:
    law, objective = law_from_dict({"sets": [3, 2]}), Objective(l1=0.8)
    once = Search(1, limit=1)
    found = minimize_loss(law, 4, objective, replace(once, seed=3)).sae
    poor = minimize_loss(law, 4, objective, replace(once, seed=2)).sae
    alone = cross_check(law, poor, objective, replace(once, seed=2)).optimum
    assert alone is not None
    for order in ((found, poor), (poor, found)):
        saes = [(str(i), sae, objective) for i, sae in enumerate(order)]
        checks = cross_check_all(law, saes, replace(once, seed=2))
        optima = [check.optimum for _, check in checks]
        assert optima[0] is not None
        assert optima[1] is not None
        assert optima[0].loss.total == optima[1].loss.total < alone.loss.total - 1e-5
        for _, check in checks:
            assert check.polished is not None
            gap = check.polished.loss.total - optima[0].loss.total
            assert check.gaps.basin == pytest.approx(gap, abs=1e-12)


def test_the_objective_may_be_left_to_the_file() -> None:
    sae = load_checkpoint(TRAINED / "saelens/saelens_standard_D1_d4_l10.1_s3")
    check = cross_check(preset("shared"), sae, search=Search(starts=2))
    assert check.objective == objective_for(sae)
    figure = check.plot()
    assert len(figure.axes) == 1


def test_a_gap_is_judged_by_what_can_be_gained() -> None:
    """At λ = 2.4 the gap is 0.08 % of the loss, and a third of what the best SAE gains."""
    law, objective = preset("shared"), Objective(2.4)
    # Two diagonals: a third one is missing.
    atoms = frame_sae(np.pi / 4).W_dec[:2]
    sae = Sae(np.vstack([atoms, atoms[:1]]).T / [2, 1, 2], -1.2 / np.array([2, 1, 2]),
              np.vstack([atoms, atoms[:1]]), [0, 0])  # fmt: skip
    check = cross_check(law, sae, objective, Search(starts=4, limit=4))
    assert check.optimum is not None
    assert check.polished is not None
    assert check.gaps.basin is not None
    assert check.optimum.total == pytest.approx(0.664911791822, abs=1e-11)
    assert check.optimum.nothing == pytest.approx(2 / 3, abs=1e-15)
    assert check.gaps.basin < 1e-3 * check.optimum.total
    assert check.gaps.basin > 0.2 * check.optimum.attainable
    assert check.verdict.endswith("basin")
    assert any("% of all that an SAE can gain" in said for said in check.sentences)
    # Nothing is gained at all: rounding is no gap.
    dead = Sae(sae.W_enc, [-9, -9, -9], sae.W_dec, [0, 0])
    nothing = cross_check(law, dead, Objective(4.0), Search(starts=2, limit=2))
    assert nothing.verdict == "optimum"
    assert nothing.optimum is not None
    assert nothing.optimum.attained


def test_a_check_keeps_evidence_and_the_rest_follows() -> None:
    law, sae = preset("shared"), frame_sae(0.3, 0.05)
    check = cross_check(law, sae, L1, Search(starts=2))
    assert check.optimum is not None
    assert check.polished is not None
    worse = replace(check, optimum=replace(check.optimum, solution=check.polished.solution))
    assert worse.gaps.basin == 0.0
    assert worse.lower_bound == check.lower_bound
    without = replace(check, optimum=None)
    assert (without.lower_bound, without.gaps.basin, without.verdict) == (None, None, "")
