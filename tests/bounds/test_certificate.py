"""Certificates against losses computed another way, brute force over paths, and false claims."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import sympy

from solvers import Objective, Search, minimize_loss
from solvers.autoencoders.frames import frame_sae
from solvers.bounds.certificate import Certificate, certify
from solvers.bounds.dictionary_search import TURN, Budget, PathSearch, Steps, longest_paths
from solvers.bounds.sector_losses import SectorLosses
from solvers.laws.arrays import law_arrays
from solvers.losses.best_activations import best_activation_loss
from tests.plane_cases import best_loss, plane_law, random_angles
from theory import Component, InputError, Law, load_law

Array = np.ndarray


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("seed", [*range(6), pytest.param(range(6, 60), marks=pytest.mark.slow)])
def test_the_sum_over_sectors_is_the_best_activation_loss(seed: int | range, n: int) -> None:
    for each in [seed] if isinstance(seed, int) else seed:
        rng = np.random.default_rng(each)
        law, l1 = plane_law(rng), float(rng.uniform(0.05, 2))
        angles, b = random_angles(rng, n), rng.normal(size=2) * 0.3
        losses = SectorLosses(law_arrays(law), l1, centre=(b[0], b[1]))
        expected = best_loss(law, angles, l1, b)
        assert losses.dictionaries(angles[None]).item() == pytest.approx(expected, abs=1e-13)


@pytest.mark.parametrize("seed", range(8))
def test_the_tilt_is_the_derivative_in_b_dec(seed: int) -> None:
    rng = np.random.default_rng(seed)
    law, l1, angles = plane_law(rng), float(rng.uniform(0.05, 2)), random_angles(rng, 4)
    b, c = rng.normal(size=2) * 0.3, rng.normal(size=2)
    tilts = ((c[0], c[1]), (0.0, 0.0))
    losses = SectorLosses(law_arrays(law), l1, (b[0], b[1]), tilts)
    tilted, level = losses.dictionaries(angles[None])[:, 0]
    h = 1e-5
    ahead, behind = (best_loss(law, angles, l1, b + sign * h * c) for sign in (1, -1))
    assert tilted - level == pytest.approx((ahead - behind) / (2 * h), abs=1e-4)
    assert tilted <= best_loss(law, angles, l1, b + c) + 1e-12


def step_sums(search: PathSearch, angles: Array) -> Array:
    """Bounds on dictionaries, rows of sorted angles, from the steps between their cells."""
    (gains,), (direct, across) = search._gains(), search._alive
    assert direct.sum() + across.sum() == len(direct) * (len(direct) + 1), "nothing is discarded"
    cells = np.searchsorted(search._angles_of(search._cells), angles, side="right") - 1
    total = gains.across[cells[:, -1], cells[:, 0]]
    for i, j in itertools.pairwise(cells.T):
        total = total + gains.direct[i, j]
    return search.losses.without_atoms - total - search.margin


@pytest.mark.parametrize("n", [1, 2, 4, 7])
@pytest.mark.parametrize("seed", range(4))
def test_no_dictionary_in_a_box_is_below_its_bound(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    law, l1 = plane_law(rng), float(rng.uniform(0.05, 2))
    search = PathSearch(SectorLosses(law_arrays(law), l1), n)
    origin = search._angles_of(np.zeros(1))[0]
    for _ in range(2):
        angles = (
            origin + np.sort(rng.uniform(0, 1, (150, n)) ** rng.choice([1, 3], (150, 1))) * TURN
        )
        bounds, losses = step_sums(search, angles), search.losses.dictionaries(angles)[0]
        assert (bounds <= losses).all()
        assert bounds.max() > 0
        every = np.ones_like(search._alive[0])
        search._halve(every, every)


@pytest.mark.parametrize("seed", range(4))
def test_a_box_moved_off_centre_stays_a_bound(seed: int) -> None:
    """The linear bound in b_dec holds for the box, whatever b_dec."""
    rng = np.random.default_rng(seed)
    law, l1 = plane_law(rng), float(rng.uniform(0.05, 2))
    b, c = rng.normal(size=2) * 0.3, rng.normal(size=2) * 0.3
    search = PathSearch(SectorLosses(law_arrays(law), l1, (b[0], b[1]), ((c[0], c[1]),)), 4)
    angles = search._angles_of(np.zeros(1))[0] + np.sort(rng.uniform(0, TURN, (60, 4)))
    moved = SectorLosses(law_arrays(law), l1, (b[0] + c[0], b[1] + c[1]))
    assert (step_sums(search, angles) <= moved.dictionaries(angles)[0]).all()


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_longest_paths_are_those_of_brute_force(n: int) -> None:
    rng = np.random.default_rng(n)
    values = rng.normal(size=(2, 6, 6))
    values[:, rng.random((6, 6)) < 0.2] = -np.inf
    missing = np.where(np.triu(np.ones((6, 6))) > 0, 0.0, -np.inf)
    gains = Steps(values[0] + missing, values[1] + missing.T)
    direct, across = np.full((6, 6), -np.inf), np.full((6, 6), -np.inf)
    for path in itertools.combinations_with_replacement(range(6), n):
        steps = list(itertools.pairwise(path))
        total = gains.across[path[-1], path[0]] + sum(gains.direct[step] for step in steps)
        across[path[-1], path[0]] = max(across[path[-1], path[0]], total)
        for step in steps:
            direct[step] = max(direct[step], total)
    through, best = longest_paths(gains, n)
    np.testing.assert_allclose(through.across, across, atol=1e-14)
    if n > 1:
        np.testing.assert_allclose(through.direct, direct, atol=1e-14)
    total = sum(gains.direct[step] for step in itertools.pairwise(best))
    assert total + gains.across[best[-1], best[0]] == pytest.approx(across.max())


def independent(n: int = 4, **settings: Any) -> Certificate:
    """Return a certificate that no slow machine leaves incomplete."""
    settings = {"max_seconds": 1e9, **settings}
    return certify(load_law("independent"), n, Objective(l1=0.1), **settings)


def test_the_diagonals_are_best_on_the_second_data_set() -> None:
    """The optimum's closed form is 2√2λ/3 - λ²/2 + √2λ³/12 - λ⁴/96."""
    found = independent(any_b_dec=False)
    closed = 2 * math.sqrt(2) * 0.1 / 3 - 0.01 / 2 + math.sqrt(2) * 0.001 / 12 - 0.0001 / 96
    assert found.complete
    assert not found.attained_radial
    assert found.optimum == pytest.approx(closed, abs=1e-13)
    assert found.relative_gap <= 1e-3
    assert found.lower_bound == pytest.approx(found.optimum * (1 - found.relative_gap), rel=1e-12)
    assert np.abs(np.sort(np.mod(found.angles, np.pi / 2)) - np.pi / 4).max() < 1e-5
    diagonal = best_activation_loss(
        load_law("independent"), frame_sae(np.pi / 4), Objective(l1=0.1)
    )
    assert found.lower_bound < diagonal
    assert np.linalg.norm(found.decoder, axis=1) == pytest.approx(1.0)


@pytest.mark.slow
def test_a_smaller_gap() -> None:
    found = independent(gap=1e-4)
    assert found.complete
    assert found.relative_gap <= 1e-4


@pytest.mark.slow
def test_a_false_optimum_is_refuted() -> None:
    """The axis-aligned dictionary is planted; the diagonal's loss and too low a one follow."""
    law, objective = load_law("independent"), Objective(l1=0.1)
    axes = best_activation_loss(law, frame_sae(0.0), objective)
    diagonal = best_activation_loss(law, frame_sae(np.pi / 4), objective)
    found = independent(claimed=axes, gap=0.05)
    assert found.refuted
    assert best_loss(law, np.array(found.angles), 0.1) < axes
    for claimed, refuted in ((diagonal, False), (0.93 * diagonal, True), (0.99 * diagonal, False)):
        assert independent(claimed=claimed, gap=0.05).refuted is refuted


@pytest.mark.parametrize("l1", [0.01, 0.1, 1.0, 2.5])
@pytest.mark.parametrize("n", [4, pytest.param(6, marks=pytest.mark.slow)])
def test_where_the_radial_bound_is_attained_nothing_is_searched(l1: float, n: int) -> None:
    found = certify(load_law("shared"), n, Objective(l1=l1))
    closed = l1 / math.sqrt(2) - l1**2 / 4 + math.sqrt(2) * l1**3 / 48
    assert (found.attained_radial, found.complete, found.boxes, found.relative_gap) == (
        True, True, 0, 0.0,
    )  # fmt: skip
    assert found.lower_bound == found.any_b_dec_bound == pytest.approx(closed, abs=1e-12)
    assert "radial bound" in found.covers


def test_a_penalty_that_silences_every_latent() -> None:
    found = certify(load_law("independent"), 3, Objective(l1=3.0))
    assert found.attained_radial
    assert found.optimum == pytest.approx(2 / 3)


def test_a_law_at_the_origin_has_loss_0() -> None:
    law = Law((Component(sympy.Integer(1), sympy.zeros(2, 0), sympy.zeros(2, 1)),))
    found = certify(law, 2, Objective(l1=0.1))
    assert (found.optimum, found.lower_bound, found.relative_gap) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    "seed", [1, *(pytest.param(s, marks=pytest.mark.slow) for s in (0, *range(2, 9)))]
)
def test_both_sides_on_random_laws(seed: int) -> None:
    """The bound is within the gap of a dictionary, and no dictionary of a grid is below it."""
    rng = np.random.default_rng(seed)
    law, n = plane_law(rng), int(rng.integers(1, 4))
    l1 = 0.2 * math.sqrt(np.trace(law_arrays(law).second_moment))
    found = certify(law, n, Objective(l1=l1), gap=0.01, max_seconds=20)
    assert best_loss(law, np.array(found.angles), l1) == pytest.approx(found.optimum, abs=1e-12)
    assert found.lower_bound <= found.optimum
    assert not found.complete or found.relative_gap <= 0.01
    grid = np.array(list(itertools.combinations_with_replacement(np.arange(24) * TURN / 24, n)))
    losses = SectorLosses(law_arrays(law), l1).dictionaries(grid)
    assert found.lower_bound <= losses.min()
    assert found.optimum <= losses.min() + 1e-12


@pytest.mark.slow
def test_a_turned_and_scaled_law_has_the_same_certificate() -> None:
    """x → 2 R x with λ → 2 λ multiplies every loss by 4."""
    cosine, sine = sympy.Rational(3, 5), sympy.Rational(4, 5)
    turned = 2 * sympy.ImmutableMatrix([[cosine, -sine], [sine, cosine]])
    law = load_law("independent:onehot_probability=0.5")
    moved = Law(
        tuple(
            Component(part.probability, turned * part.matrix, turned * part.offset)
            for part in law.components
        )
    )
    first, second = (
        certify(each, 3, Objective(l1=l1), gap=0.03) for each, l1 in ((law, 0.1), (moved, 0.2))
    )
    assert second.optimum == pytest.approx(4 * first.optimum, rel=1e-9)
    assert second.lower_bound == pytest.approx(4 * first.lower_bound, rel=0.03)
    assert second.any_b_dec_bound == pytest.approx(4 * first.any_b_dec_bound, rel=1e-9)


@pytest.mark.slow
def test_the_decoder_norm_penalty_has_the_same_certificate() -> None:
    weighted = Objective(l1=0.1, sparsity="decoder-norm", decoder="free")
    found = certify(load_law("independent"), 3, weighted, gap=0.05)
    assert found.lower_bound == independent(3, gap=0.05).lower_bound
    assert "any norm" in found.covers


@pytest.mark.slow
def test_a_spent_budget_and_an_interrupt_leave_a_valid_bound() -> None:
    few = independent(gap=1e-5, max_boxes=2000)
    assert not few.complete
    assert few.boxes <= 4000
    assert 0.08 < few.lower_bound < few.optimum

    def stop(boxes: int, of: int) -> None:
        assert 0 < boxes <= of
        raise KeyboardInterrupt

    stopped = independent(progress=stop)
    assert not stopped.complete
    assert stopped.levels == 1
    assert 0.074 < stopped.lower_bound < few.lower_bound
    assert certify(load_law("independent"), 4, Objective(l1=0.1), max_seconds=1e-9).levels == 1


def test_an_interrupt_before_any_bound_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_: PathSearch) -> list[Steps]:
        raise KeyboardInterrupt

    monkeypatch.setattr(PathSearch, "_gains", stop)
    search = PathSearch(SectorLosses(law_arrays(load_law("independent")), 0.1), 2)
    with pytest.raises(KeyboardInterrupt):
        search.run(1e-3, Budget(10**6, 60.0))


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("gap", {"gap": 0.0}),
        ("gap", {"gap": 1}),
        ("gap", {"gap": math.nan}),
        ("gap", {"gap": "small"}),
        ("claimed", {"claimed": math.nan}),
        ("claimed", {"claimed": -1.0}),
        ("max_boxes", {"max_boxes": 0}),
        ("max_boxes", {"max_boxes": 1e6}),
        ("max_seconds", {"max_seconds": math.nan}),
        ("seed", {"seed": -1}),
        ("n_latents", {"n": 0}),
        ("n_latents", {"n": True}),
        ("n_latents", {"n": 2.5}),
        ("n_latents", {"n": 65}),
    ],
)
def test_bad_settings_are_named(name: str, settings: dict[str, object]) -> None:
    with pytest.raises(InputError, match=f"^{name}: expected"):
        independent(**settings)


@pytest.mark.parametrize(
    ("name", "objective"),
    [
        ("l1", Objective(l1=0.0)),
        ("reconstruction", Objective(l1=0.1, reconstruction="relative")),
        ("decoder", Objective(l1=0.1, decoder="free")),
        ("weight_decay", Objective(l1=0.1, weight_decay=0.1)),
    ],
)
def test_objectives_without_a_certificate_are_named(name: str, objective: Objective) -> None:
    with pytest.raises(InputError, match=f"^{name}: expected"):
        certify(load_law("independent"), 4, objective)


@pytest.mark.parametrize("shape", [(3, 1), (1, 1)])
def test_laws_without_a_certificate_are_named(shape: tuple[int, int]) -> None:
    d, k = shape
    law = Law((Component(sympy.Integer(1), sympy.ones(d, k), sympy.zeros(d, 1)),))
    with pytest.raises(InputError, match=r"^law: expected"):
        certify(law, 4, Objective(l1=0.1))


@pytest.mark.slow
def test_a_cube_without_a_third_side_is_a_parallelogram() -> None:
    """The law is the same, and so is its certificate, by another kernel."""
    law = load_law("independent")
    flat = [part.matrix.row_join(sympy.zeros(2, 1)) for part in law.components]
    solid = Law(
        tuple(
            Component(part.probability, sympy.ImmutableMatrix(matrix), part.offset)
            for part, matrix in zip(law.components, flat, strict=True)
        )
    )
    one, other = (certify(either, 2, Objective(0.1), gap=0.4) for either in (law, solid))
    assert one.lower_bound == pytest.approx(other.lower_bound, rel=1e-12)
    assert one.optimum == pytest.approx(other.optimum, rel=1e-12)


@pytest.mark.slow
def test_three_features_of_random_magnitude_in_the_plane() -> None:
    law = load_law(
        {
            "features": 3,
            "firing": [0.3, 0.4, 0.5],
            "magnitude": {"uniform": [0, 1]},
            "embedding": [[1, 0], ["-1/2", "4/5"], ["-1/2", "-4/5"]],
        }
    )
    found = certify(law, 3, Objective(0.1))
    best = minimize_loss(law, 3, Objective(0.1), Search(8, limit=8))
    assert found.lower_bound <= best.total
    assert found.relative_gap <= 1e-3
