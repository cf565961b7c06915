"""The catalogue: closed forms, one entry a point, shares, and starts that do not come to rest."""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from solvers import InputError, Objective, Search, expected_loss
from solvers.autoencoders.autoencoder import Sae
from solvers.autoencoders.frames import frame_sae
from solvers.laws.arrays import law_arrays
from solvers.laws.symmetries import symmetries
from solvers.losses.parameters import LossOfVector, ScaledProblem
from solvers.optima import landscape as module
from solvers.optima.catalogue import Catalogue
from solvers.optima.descent import Rest
from solvers.optima.landscape import Landscape, landscape
from solvers.presentation.landscape_report import landscape_document, landscape_text
from solvers.presentation.results import to_json
from solvers.runtime.parallel import pool
from theory import Law, law_from_dict, load_law

L = 0.1
OBJECTIVE = Objective(l1=L)
SHARED = math.sqrt(2) * L / 2 - L**2 / 4 + math.sqrt(2) * L**3 / 48


@pytest.fixture(scope="module")
def shared() -> Landscape:
    return landscape(load_law("shared"), 4, OBJECTIVE, Search(starts=100))


def test_diagonal_is_lowest_and_most_starts_reach_it(shared: Landscape) -> None:
    best = shared.points[0]
    assert best.loss.total == pytest.approx(SHARED, abs=1e-12)
    assert (best.kind, best.dead, best.absorbed) == ("minimum", 0, None)
    assert best.closest_code is not None
    assert (best.closest_code.code, round(best.closest_code.mean_angle, 6)) == ("diagonal", 0)
    assert 0.57 < best.share < 0.87
    assert best.share_error == pytest.approx(math.sqrt(best.share * (1 - best.share) / 100))
    # Encoder weights across a latent's only ray are free, one a latent.
    assert best.flat == 4


def test_a_ray_absorbed_into_b_dec(shared: Landscape) -> None:
    (point,) = [p for p in shared.points if abs(p.loss.total - 0.12426) < 1e-5]
    assert point.kind == "minimum"
    assert point.absorbed is not None
    assert point.absorbed.angle < 1


def test_every_point_is_stationary_and_its_figures_are_the_exact_loss(shared: Landscape) -> None:
    assert sum(p.count for p in shared.points) + len(shared.unsettled) == shared.starts == 100
    assert [p.loss.total for p in shared.points] == sorted(p.loss.total for p in shared.points)
    for point in shared.points:
        assert point.gradient < 1e-13
        assert point.loss == expected_loss(shared.law, point.sae, OBJECTIVE)
        lowest = min(point.eigenvalues)
        assert point.kind == "saddle" or lowest > -1e-7 * max(point.eigenvalues)


def images(sae: Sae, x: np.ndarray) -> Iterator[np.ndarray]:
    """Yield x̂ at x of the SAE seen through each symmetry of the square."""
    for swap in (np.eye(2), np.eye(2)[::-1]):
        for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            g = swap * np.array(signs)
            yield sae.reconstruction(x @ g.T) @ g


def test_no_point_is_listed_twice(shared: Landscape) -> None:
    t = np.linspace(0.01, 1, 37)[:, None]
    x = np.concatenate([t * ray for ray in ([1, 1], [1, -1], [-1, 1], [-1, -1])])
    for k, point in enumerate(shared.points):
        for other in shared.points[:k]:
            apart = min(
                np.abs(image - other.sae.reconstruction(x)).max() for image in images(point.sae, x)
            )
            assert apart > 1e-3


def test_kinks_are_minima_without_a_gradient() -> None:
    found = landscape(
        load_law("shared"), 4, OBJECTIVE, Search(starts=40, seed=1), initialisation="kaiming"
    )
    kinked = [point for point in found.points if point.kind == "kink"]
    assert kinked
    for point in kinked:
        ends = np.array([[1, 1], [1, -1], [-1, 1], [-1, -1], [0, 0]]) @ point.sae.W_enc
        ends += point.sae.b_enc
        vanishing = (np.abs(ends[[0, 3, 4]]).max(axis=0) < 1e-9) | (
            np.abs(ends[[1, 2, 4]]).max(axis=0) < 1e-9
        )
        assert vanishing.any()
        rng = np.random.default_rng(0)
        for _ in range(200):
            push = 1e-5 * rng.normal(size=point.sae.W_enc.shape)
            moved = Sae(point.sae.W_enc + push, point.sae.b_enc, point.sae.W_dec, point.sae.b_dec)
            assert expected_loss(found.law, moved, OBJECTIVE).total > point.loss.total


def merged(law: Law, *saes: Sae) -> int:
    """Return how many points a catalogue makes of some SAEs."""
    arrays = law_arrays(law)
    catalogue = Catalogue(LossOfVector(arrays, OBJECTIVE, saes[0].d_sae))
    for sae in sorted(saes, key=lambda sae: expected_loss(law, sae, OBJECTIVE).total):
        vector = np.concatenate([sae.W_enc.ravel(), sae.b_enc, sae.W_dec.ravel(), sae.b_dec])
        catalogue.add(Rest(vector, 0.0, np.zeros((0, len(vector)))))
    assert sum(entry.count for entry in catalogue.entries) == len(saes)
    return len(catalogue.entries)


def test_what_counts_as_one_point() -> None:
    law = load_law("independent")
    rng = np.random.default_rng(4)
    sae = Sae(rng.normal(size=(2, 3)), rng.normal(size=3), np.eye(3, 2) + 0.1, [0.1, 0.2])
    turned = np.array([[0.0, -1.0], [1.0, 0.0]])
    dead = Sae(np.zeros((2, 1)), [-1.0], [[1.0, 0.0]], [0.0, 0.0])

    def wide(one: Sae, other: Sae) -> Sae:
        return Sae(
            np.hstack([one.W_enc, other.W_enc]), np.append(one.b_enc, other.b_enc),
            np.vstack([one.W_dec, other.W_dec]), one.b_dec,
        )  # fmt: skip

    base = wide(sae, dead)
    order = [2, 3, 0, 1]
    permuted = Sae(base.W_enc[:, order], base.b_enc[order], base.W_dec[order], base.b_dec)
    rotated = Sae(turned @ base.W_enc, base.b_enc, base.W_dec @ turned.T, turned @ base.b_dec)
    other_dead = wide(sae, Sae([[0.3], [-0.2]], [-7.0], [[0.0, 1.0]], [0.0, 0.0]))
    # Latent 0 in two halves.
    halves = wide(
        Sae(sae.W_enc * [0.5, 1, 1], sae.b_enc * [0.5, 1, 1], sae.W_dec, sae.b_dec),
        Sae(sae.W_enc[:, :1] / 2, sae.b_enc[:1] / 2, sae.W_dec[:1], [0.0, 0.0]),
    )
    assert merged(law, base, permuted, rotated, other_dead, halves) == 1
    moved = Sae(base.W_enc, base.b_enc, base.W_dec, base.b_dec + np.array([0.01, 0.0]))
    skewed = Sae(base.W_enc, base.b_enc + 0.01, base.W_dec, base.b_dec)
    assert merged(law, base, moved, skewed) == 3
    # This law has no such symmetry.
    lopsided = law_from_dict({"sets": [1, 1], "probabilities": [[0.5, 0.2], [0.3, 0]]})
    assert merged(lopsided, base, rotated) == 2


@pytest.mark.parametrize(
    "document",
    [
        {"sets": [1, 1]},
        {"sets": [1, 1], "embedding": [[1], [2]]},
        {"sets": [2, 1], "embedding": [[1, 0], [1, 0], [0, 1]],
         "probabilities": [["1/4", "1/8"], ["1/4", "1/8"], ["1/4", 0]]},
    ],
)  # fmt: skip
def test_isometries_about_the_mean_and_components_in_parts(document: dict[str, Any]) -> None:
    """Points of one loss would be one point's images under x → m + g (x - m)."""
    law = law_from_dict(document)
    found = landscape(law, 2, OBJECTIVE, Search(starts=25), initialisation="kaiming")
    totals = np.array([point.loss.total for point in found.points])
    assert len(totals) >= 2
    assert np.diff(totals).min() > 1e-7


def test_laws_with_points() -> None:
    for text in ("two-features:first_alone=0.4,second_alone=0.1,both=0.4",
                 "two-features:first_alone=0.4,both=0.4,uniform=1"):  # fmt: skip
        found = landscape(load_law(text), 2, OBJECTIVE, Search(starts=8))
        assert found.points
        assert all(point.gradient <= 1e-10 for point in found.points)


def test_without_a_penalty_exact_reconstructions_are_one_point() -> None:
    found = landscape(load_law("shared"), 2, Objective(l1=0.0), Search(starts=10))
    assert [round(point.loss.total, 9) for point in found.points][:1] == [0.0]
    assert found.points[0].count >= 9


@pytest.mark.parametrize(
    ("document", "order"),
    [
        ({"sets": [2, 2]}, 8),
        ({"sets": [2, 2], "magnitude_correlation": 0.5}, 4),
        ({"sets": [2, 2], "probabilities": [[0.3, 0.2], [0.2, 0.3]]}, 4),
        ({"sets": [2, 2], "probabilities": [[0.1, 0.2], [0.3, 0.4]]}, 1),
        ({"sets": [3, 3]}, 72),
        ({"sets": [3, 2]}, 12),
        ({"sets": [1, 1]}, 2),
        ({"sets": [1, 1], "embedding": [[1, 0], [1, 1]]}, 1),
        (
            {
                "sets": [2, 1],
                "embedding": [[1, 0], [1, 0], [0, 1]],
                "probabilities": [["1/4", "1/8"], ["1/4", "1/8"], ["1/4", 0]],
            },
            2,
        ),
    ],
)
def test_symmetries_of_a_law(document: dict[str, Any], order: int) -> None:
    law = law_arrays(law_from_dict(document))
    group = symmetries(law)
    assert len(group) == order
    np.testing.assert_allclose(group[0], np.eye(law.dimension), atol=1e-12)
    for g in group:
        np.testing.assert_allclose(g @ g.T, np.eye(law.dimension), atol=1e-9)
        np.testing.assert_allclose(g @ law.second_moment @ g.T, law.second_moment, atol=1e-9)
    products = {tuple((g @ h).round(6).ravel() + 0.0) for g in group for h in group}
    assert products == {tuple(g.round(6).ravel() + 0.0) for g in group}


def test_symmetries_are_those_of_permuted_features() -> None:
    law = law_arrays(law_from_dict({"sets": [3, 2]}))
    expected = {
        tuple(np.eye(5)[[*first, *second]].ravel())
        for first in permutations(range(3))
        for second in permutations((3, 4))
    }
    assert {tuple(g.round(9).ravel() + 0.0) for g in symmetries(law)} == expected


def test_too_many_symmetries_are_refused() -> None:
    with pytest.raises(InputError, match="law: expected at most 5000 symmetries"):
        symmetries(law_arrays(law_from_dict({"sets": [6, 6]})))


def test_the_executor_changes_nothing() -> None:
    law = load_law("independent")
    here = landscape(law, 3, OBJECTIVE, Search(starts=6, seed=5))
    with ThreadPoolExecutor(2) as executor:
        there = landscape(law, 3, OBJECTIVE, Search(starts=6, seed=5, executor=executor))
    assert to_json(landscape_document(here)) == to_json(landscape_document(there))


@pytest.mark.slow
def test_the_command_s_own_pool_changes_nothing() -> None:
    law = load_law("independent")
    here = landscape(law, 3, OBJECTIVE, Search(starts=6, seed=5))
    with pool(2, 6) as executor:
        assert executor is not None
        there = landscape(law, 3, OBJECTIVE, Search(starts=6, seed=5, executor=executor))
    assert [p.count for p in here.points] == [p.count for p in there.points]


@pytest.mark.parametrize("initialisation", ["uniform", "kaiming", "saelens", "tied"])
def test_every_initialisation_finds_the_diagonal(initialisation: str) -> None:
    found = landscape(
        load_law("shared"), 4, OBJECTIVE, Search(starts=12), initialisation=initialisation
    )
    assert found.points[0].loss.total == pytest.approx(SHARED, abs=1e-12)


@pytest.mark.slow
def test_gradient_flow_ends_in_points_of_the_same_catalogue(shared: Landscape) -> None:
    found = landscape(load_law("shared"), 4, OBJECTIVE, Search(starts=6), dynamics="flow")
    assert not found.unsettled
    known = [point.loss.total for point in shared.points]
    for point in found.points:
        assert min(abs(point.loss.total - total) for total in known) < 1e-9


@pytest.mark.slow
def test_flow_past_dead_latents() -> None:
    """They have no slope to estimate a Jacobian from by differences; it must be exact."""
    problem = ScaledProblem.of(law_arrays(load_law("shared")), OBJECTIVE, 4)
    end = module.Descent(problem, "kaiming", "flow")(np.random.SeedSequence(0).spawn(200)[195])
    assert np.isfinite(end.gradient)


@pytest.mark.slow
def test_flow_goes_where_small_euler_steps_go() -> None:
    law = load_law("shared")
    problem = ScaledProblem.of(law_arrays(law), OBJECTIVE, 2)
    seed = np.random.SeedSequence(3)
    end = module.Descent(problem, "tied", "flow")(seed)
    rng = np.random.default_rng(seed)
    W_dec = rng.normal(size=(2, 2))
    W_dec /= np.linalg.norm(W_dec, axis=1, keepdims=True)
    vector = problem.loss.vector(W_dec.T, np.zeros(2), W_dec, np.zeros(2))
    for _ in range(6000):
        vector = vector - 0.05 * problem.loss(vector)[1]
    assert problem.loss(vector)[0] == pytest.approx(problem.loss(end.vector)[0], abs=1e-7)


@pytest.mark.slow
def test_other_objectives() -> None:
    law = load_law("shared")
    april = Objective(L, sparsity="decoder-norm", decoder="free")
    found = landscape(law, 4, april, Search(starts=6))
    assert found.points[0].loss.total == pytest.approx(SHARED, abs=1e-10)
    # The scale that each of the four latents shares between its layers, and four as before.
    assert found.points[0].flat == 8
    decayed = landscape(law, 4, Objective(L, decoder="free", weight_decay=1e-3), Search(starts=6))
    assert decayed.points[0].kind == "minimum"
    frame = frame_sae(0.0, 0.05)
    axes = landscape(law, frame.d_sae, Objective(1e-9), Search(starts=2))
    # So small a penalty slopes less than descent sees: nothing is said to have come to rest.
    assert max([*axes.unsettled, *(point.loss.total for point in axes.points)]) < 1e-8


def test_chances_and_text(shared: Landscape) -> None:
    assert shared.chance_of_missing(0.01) == pytest.approx(0.99**100)
    assert shared.chance_of_missing_any(0.01) == 1.0
    assert shared.chance_of_missing_any(0.1) == pytest.approx(10 * 0.9**100)
    with pytest.raises(InputError, match="share: expected a number above 0"):
        shared.chance_of_missing(0.0)
    text = landscape_text(shared)
    assert "0.0682401409" in text
    assert "probability 0.37" in text


def test_interrupt_keeps_what_is_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    real = module.each_result

    def stops(*arguments: Any) -> Iterator[Any]:
        for count, result in enumerate(real(*arguments)):
            if count == 3:
                raise KeyboardInterrupt
            yield result

    monkeypatch.setattr(module, "each_result", stops)
    found = landscape(load_law("shared"), 2, OBJECTIVE, Search(starts=9))
    assert (found.interrupted, found.starts) == (True, 3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_latents": 0}, "n_latents: expected a whole number from 1"),
        ({"initialisation": "xavier"}, "initialisation: expected one of uniform, tied"),
        ({"dynamics": "adam"}, "dynamics: expected one of l-bfgs, flow, got 'adam'"),
        ({"objective": Objective(L, decoder="free")}, "decoder: expected 'unit'"),
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    arguments = {"n_latents": 2, "objective": OBJECTIVE} | settings
    with pytest.raises(InputError, match=message):
        landscape(load_law("shared"), **arguments)


@pytest.mark.slow
def test_two_seeds_find_the_same_basins() -> None:
    law = load_law("shared")
    first, second = (
        landscape(law, 4, OBJECTIVE, Search(starts=600, seed=seed)) for seed in (0, 1)
    )
    for one, other in ((first, second), (second, first)):
        totals = [point.loss.total for point in other.points]
        common = [point for point in one.points if point.share >= 0.02]
        assert len(common) >= 4
        for point in common:
            assert min(abs(point.loss.total - total) for total in totals) < 1e-10
    assert len(first.unsettled) + len(second.unsettled) < 10
