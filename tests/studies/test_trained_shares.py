"""What share of trained SAEs reach the best known loss."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from solvers import Objective, Sae, Schedule, expected_loss, train
from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.architectures import JumpReluSae, TopKSae
from solvers.autoencoders.frames import frame_sae
from solvers.optima.search import Search
from solvers.optima.train import Training
from solvers.studies.trained_shares import (
    FIVE,
    Reference,
    TrainedShare,
    best_without_training,
    settings,
    table,
    trained_share,
)
from theory import load_law

SHARED = load_law("shared")
FREE = Objective(l1=0.0)


def with_losses(totals: list[float], l0: float = 1.0) -> Training:
    loss = expected_loss(SHARED, frame_sae(0.0), FREE)
    losses = tuple(replace(loss, total=total, l0=l0) for total in totals)
    return Training((frame_sae(0.0),) * len(totals), losses, 1, False)


@pytest.mark.parametrize(
    ("law", "latents", "architecture", "objective", "total", "found"),
    [
        ("shared", 4, Architecture("topk", 1), FREE, 0.0, "from the diagonal code"),
        ("shared", 4, Architecture("batchtopk", 1), FREE, 0.0, "from the diagonal code"),
        # Two of the five fire on average.
        (FIVE, 5, Architecture("batchtopk", 2), FREE, 0.0, "from the true features code"),
        # λ - (√2/3) λ^{3/2}.
        ("shared", 4, Architecture("jumprelu"), Objective(0.0, l0=0.1),
         0.1 - 2**0.5 / 3 * 0.1**1.5, "from the diagonal code"),
        # λ/√2 - λ²/4 + √2 λ³/48.
        ("shared", 4, Architecture(), Objective(0.1),
         0.1 / 2**0.5 - 0.01 / 4 + 2**0.5 * 0.001 / 48, "from the axis-aligned code"),
    ],
)  # fmt: skip
def test_the_best_without_training(
    law: Any, latents: int, architecture: Architecture, objective: Objective, total: float,
    found: str,
) -> None:  # fmt: skip
    search = Search(starts=1, limit=1)
    best = best_without_training(load_law(law), latents, objective, architecture, search)
    assert best.total == pytest.approx(total, abs=1e-8)
    assert best.found == found


def test_the_threshold_of_a_code_under_batchtopk() -> None:
    """The axes of k = 1 leave out what is below ½ on the second data set: 2 ∫₀^½ a² da = 1/12."""
    independent, architecture = load_law("independent"), Architecture("batchtopk", 1)
    axes = JumpReluSae(frame_sae(0.0), np.full(4, 0.5))
    loss = expected_loss(independent, axes, FREE)
    assert (loss.l0, loss.total) == pytest.approx((1.0, 1 / 12))
    best = best_without_training(independent, 4, FREE, architecture, Search(2, limit=2))
    # Of (a + b)/√2 and |a - b|/√2 the diagonal leaves out less, by a grid of a and b.
    a, b = np.meshgrid(*[(np.arange(1000) + 0.5) / 1000] * 2)
    sizes = np.sort(np.concatenate([(a + b).ravel(), np.abs(a - b).ravel()]) / 2**0.5)
    least = float(np.square(sizes[: len(sizes) // 2]).sum()) / a.size
    assert best.total == pytest.approx(least, abs=1e-4)
    assert best.total < 1 / 12


def test_topk_of_one_latent_has_no_minimum_on_the_second_data_set() -> None:
    """Four lines through a far point, ever more parallel, each for a strip of the square.

    With b = (-C, 0), atoms along (C, y_i) and p_i = x + C + ε (2 y y_i - y_i²), the largest p_i is
    that of the nearest y_i, and x̂ → (x, y_i): E ‖x - x̂‖² → (½)²/12 = 1/48 as C → ∞, C ε² → 1.
    """
    y, totals = np.array([-0.75, -0.25, 0.25, 0.75]), []
    for far in (1e1, 1e2, 1e3, 1e4):
        epsilon = far**-0.5
        W_enc, b_enc = np.stack([np.ones(4), 2 * epsilon * y]), far - epsilon * y**2
        sae = TopKSae(Sae(W_enc, b_enc, np.stack([np.ones(4), y / far], axis=1), [-far, 0]), 1)
        totals.append(expected_loss(load_law("independent"), sae, FREE).total)
    assert sorted(totals, reverse=True) == totals
    assert 1 / 48 < totals[-1] < 1 / 48 + 1e-4


def test_reached_is_a_share_of_what_can_be_gained() -> None:
    share = TrainedShare(
        with_losses([0.2, 0.2079, 0.2081, 0.9]), Architecture(), Reference(0.2, ""), 1.0
    )
    assert (share.reached, share.instances, share.share) == (2, 4, 0.5)
    # The standard deviation of a Beta(3, 3) distribution.
    assert share.standard_error == pytest.approx((3 * 3 / (36 * 7)) ** 0.5)


def test_more_latents_than_k_do_not_count() -> None:
    architecture = Architecture("batchtopk", 1)
    for l0, reached in ((1.0, 1), (1.009, 1), (1.011, 0)):
        training = with_losses([0.0], l0)
        share = TrainedShare(training, architecture, Reference(0.0, ""), 1.0)
        assert share.reached == reached
        given = trained_share(
            SHARED, FREE, architecture, training, best=lambda *_: Reference(0.5, "given")
        )
        assert given.best == (
            Reference(0.0, "the best of those trained") if reached else Reference(0.5, "given")
        )


def test_what_is_best_can_be_given() -> None:
    training = train(SHARED, 4, Objective(0.1), Schedule(samples=5000), instances=2)
    share = trained_share(
        SHARED, Objective(0.1), Architecture(), training, best=lambda *_: Reference(0.01, "given")
    )
    assert share.best == Reference(0.01, "given")
    assert share.reached == 0
    assert share.nothing == pytest.approx(2 / 3)


def test_the_table_has_a_row_a_setting() -> None:
    share = TrainedShare(with_losses([0.0]), Architecture(), Reference(0.0, "a code"), 1.0)
    every = list(settings())
    lines = table([(setting, share) for setting in every]).splitlines()
    assert len(lines) == len(every) + 2
    assert len({line.split("|")[1:3].__repr__() for line in lines}) == len(lines)
    assert "| 100 ± 24 % |" in lines[2]
    for setting in every:
        setting.architecture.check_width(setting.latents)
        setting.objective.latent_prefixes(setting.latents)
    assert isinstance(share.training.saes[0], Sae)
