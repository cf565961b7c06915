"""How to search: what is refused, how long it goes on, and that no executor changes the result."""

from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
import pytest

from solvers import InputError, Objective, Search, best_known, minimize_loss
from solvers.optima.optimum import OFTEN
from theory import load_law


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"starts": 0}, "starts: expected a whole number from 1 to 1000000000, got 0"),
        ({"starts": "3"}, "starts: expected a whole number from 1 to 1000000000, got '3'"),
        ({"starts": True}, "starts: expected a whole number"),
        ({"seed": -1}, "seed: expected a whole number from 0"),
        ({"seed": float("nan")}, "seed: expected a whole number from 0"),
        ({"starts": 8, "limit": 7}, "limit: expected a whole number from 8"),
        ({"executor": 2}, "executor: expected None or an object with a method submit, got 2"),
        ({"progress": "line"}, "progress: expected None or an object with a method __call__"),
    ],
)
def test_refuses(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Search(**arguments)


def test_numbers_of_numpy_are_numbers() -> None:
    law, objective = load_law("shared"), Objective(l1=0.1)
    one = minimize_loss(law, 2, objective, Search(np.int64(3), np.int32(5), limit=np.int64(3)))
    two = minimize_loss(law, 2, objective, Search(3, 5, limit=3))
    assert one.starts == two.starts
    assert isinstance(one.seed, int)


def test_a_limit_holds_for_the_default_too() -> None:
    best = minimize_loss(load_law("independent"), 1, Objective(l1=0.1), Search(limit=2))
    assert len(best.starts) == 2


def test_an_attained_bound_ends_the_search() -> None:
    """At λ = 0.1 three starts in four end at the diagonal; one that does is enough."""
    best = minimize_loss(load_law("shared"), 4, Objective(l1=0.1), Search(starts=8))
    assert len(best.starts) == 8
    assert best.attained
    assert best.sure
    assert best.chance_of_missing(0.5) == 0.0


def test_an_open_bound_wants_more_hits() -> None:
    law, objective = load_law("independent"), Objective(l1=0.1)
    best = minimize_loss(law, 2, objective, Search(starts=3))
    # Two latents: every start ends there, so a third batch has eight.
    assert not best.attained
    assert (len(best.starts), best.hits) == (9, 9)
    assert best.sure
    assert best.chance_of_missing(0.5) == pytest.approx(2.0**-9)
    # Whatever the batches, the starts are those of one long run.
    whole = minimize_loss(law, 2, objective, Search(starts=9, limit=9))
    assert best.starts == whole.starts


def test_a_search_that_finds_little_stops_at_its_limit_and_says_so() -> None:
    """At λ = 2 one start in two hundred ends at the optimum of the second data set."""
    best = minimize_loss(load_law("independent"), 4, Objective(l1=2.0), Search(starts=4))
    assert len(best.starts) == 32
    assert best.hits < OFTEN
    assert not best.sure
    assert best.chance_of_missing(0.01) == pytest.approx(0.99**32)


@pytest.mark.parametrize("share", [0.0, 1.5, float("nan")])
def test_a_share_is_a_share(share: float) -> None:
    best = minimize_loss(load_law("independent"), 1, Objective(l1=0.1), Search(limit=1))
    with pytest.raises(InputError, match="share: expected a number above 0 and up to 1"):
        best.chance_of_missing(share)


def test_the_executor_changes_nothing() -> None:
    """Random starts, descents from codes and the batches that are added."""
    law, objective = load_law("independent"), Objective(l1=2.0)
    here = best_known(law, 3, objective, Search(starts=2, seed=7))
    with ProcessPoolExecutor(2) as processes:
        other = best_known(law, 3, objective, Search(2, 7, processes))
    assert other.starts == here.starts
    assert other.found == here.found
    np.testing.assert_array_equal(other.sae.W_dec, here.sae.W_dec)
