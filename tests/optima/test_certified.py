"""The best known SAE and a certificate know of each other."""

import math
from typing import Any

import numpy as np
import pytest

from solvers import InputError, Objective, Search
from solvers.autoencoders.autoencoder import Sae
from solvers.autoencoders.frames import frame_sae
from solvers.bounds import certificate as certificates
from solvers.bounds.certificate import certify
from solvers.laws.arrays import law_arrays
from solvers.losses.best_activations import best_activation_loss
from solvers.optima import best_known as known_module
from solvers.optima import certified as module
from solvers.optima.certified import certified_optimum
from tests.plane_cases import plane_law
from theory import load_law

ONE = Search(starts=1, limit=1)


def test_the_lower_bound_is_the_best_there_is_and_says_what_proves_it() -> None:
    """With b_dec = 0 0.0893 is proven, for every b_dec no more than the radial 0.0740."""
    law, objective = load_law("independent"), Objective(l1=0.1)
    best, proven = certified_optimum(law, 4, objective, Search(starts=4), gap=0.05)
    assert proven is not None
    assert (best.lower_bound_by, round(best.lower_bound, 4)) == ("radial bound", 0.0740)
    assert best.lower_bound < proven.lower_bound < best.total


@pytest.mark.slow
def test_with_every_b_dec_the_certificate_is_the_bound() -> None:
    law, objective = load_law("independent"), Objective(l1=0.1)
    best, proven = certified_optimum(law, 4, objective, Search(starts=4), gap=0.05, any_b_dec=True)
    assert proven is not None
    assert best.lower_bound_by == "certificate for every b_dec"
    assert best.lower_bound == proven.any_b_dec_bound
    assert 0.95 * best.total <= best.lower_bound <= best.total
    assert best.gap == best.total - best.lower_bound


def test_the_certificate_starts_from_saes_that_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """With poor starts of its own, what it reports is no worse than the SAE's dictionary."""
    poor = np.zeros((1, 4))
    monkeypatch.setattr(certificates, "_starts", lambda *_: poor)
    law, objective, sae = load_law("independent"), Objective(l1=0.1), frame_sae(math.pi / 4, 0.05)
    moved = Sae(sae.W_enc, sae.b_enc, sae.W_dec, [0.01, 0.0])
    settings: dict[str, Any] = {"gap": 0.9, "max_boxes": 1}
    alone = certify(law, 4, objective, **settings)
    told = certify(law, 4, objective, known=[moved], **settings)
    assert told.any_b_dec_optimum <= best_activation_loss(law, moved, objective)
    assert told.any_b_dec_optimum <= told.optimum <= alone.optimum
    with pytest.raises(InputError, match=r"known: expected SAEs of 3 atoms in the plane, got \(4"):
        certify(law, 3, objective, known=[sae])


@pytest.mark.parametrize(
    "seed", [0, *(pytest.param(s, marks=pytest.mark.slow) for s in range(1, 12))]
)
def test_neither_is_beaten_by_the_other_on_random_laws(seed: int) -> None:
    rng = np.random.default_rng(seed)
    law, n = plane_law(rng), int(rng.integers(1, 4))
    l1 = float(rng.uniform(0.2, 1.5)) * math.sqrt(np.trace(law_arrays(law).second_moment))
    best, proven = certified_optimum(law, n, Objective(l1), Search(starts=4), gap=0.5)
    assert proven is not None
    at_best = best_activation_loss(law, best.sae, Objective(l1))
    rounding = 1e-12 * best.nothing
    assert best.lower_bound <= proven.any_b_dec_optimum + best.lower_bound_error
    assert proven.any_b_dec_optimum <= at_best + rounding
    assert at_best <= best.total + rounding


def test_the_certificates_dictionary_may_lead_to_the_best_sae(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No codes, and one random start, which misses the diagonals at λ = 2."""
    monkeypatch.setattr(known_module, "code_saes", lambda *_: iter(()))
    best, proven = certified_optimum(load_law("shared"), 4, Objective(2.0), ONE)
    assert proven is not None
    assert best.found == "from the certificate's dictionary"
    assert best.attained
    assert proven.any_b_dec_optimum == pytest.approx(best.total, rel=1e-12)


def test_what_is_not_covered_is_refused_before_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "best_known", None)
    law = load_law("shared")
    for arguments, message in (
        ({"n_latents": 65}, "n_latents: expected a whole number from 1 to 64, got 65"),
        ({"gap": math.nan}, "gap: expected a number between 0 and 1"),
        ({"claimed": -1.0}, "claimed: expected a finite number ≥ 0"),
        ({"objective": Objective(0.1, "relative")}, "reconstruction: expected 'squared'"),
    ):
        complete: dict[str, Any] = {"n_latents": 4, "objective": Objective(0.1), **arguments}
        with pytest.raises(InputError, match=message):
            certified_optimum(law, **complete)


def test_an_interrupted_search_is_not_certified() -> None:
    def stop(done: int, _: int) -> None:
        # Two descents from codes come first.
        if done == 3:
            raise KeyboardInterrupt

    best, proven = certified_optimum(
        load_law("shared"), 4, Objective(0.1), Search(starts=4, progress=stop)
    )
    assert best.interrupted
    assert proven is None
    assert len(best.starts) == 1


def test_the_radial_bound_is_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    from solvers.bounds import radial_bound  # noqa: PLC0415

    calls = []
    original = radial_bound._scaled_bound

    def counted(*arguments: Any) -> radial_bound.LowerBound:
        calls.append(arguments)
        return original(*arguments)

    radial_bound._kept_bound.cache_clear()
    monkeypatch.setattr(radial_bound, "_scaled_bound", counted)
    objective = Objective(0.1, sparsity="decoder-norm", decoder="free")
    certified_optimum(load_law("shared"), 4, objective, Search(starts=4))
    assert len(calls) == 1
