"""Loss conventions: converted λ, and losses evaluated as their owners do, on samples."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from solvers import InputError, Objective, Sae, expected_loss, load_checkpoint
from solvers.autoencoders.conventions import CONVENTIONS, Convention, convention, convert_l1
from theory import law_from_dict, one_hot_sets

DATA = Path(__file__).parents[1] / "data" / "trained"


@pytest.mark.parametrize(("source", "target"), list(itertools.product(CONVENTIONS, repeat=2)))
@pytest.mark.parametrize("dimension", [1, 2, 7])
def test_conversion_makes_a_round_trip_or_is_refused(
    source: str, target: str, dimension: int
) -> None:
    one, other = CONVENTIONS[source], CONVENTIONS[target]
    if (one.reconstruction, one.sparsity) != (other.reconstruction, other.sparsity):
        with pytest.raises(InputError, match=r"no λ converts"):
            convert_l1(0.3, source, target, dimension)
        return
    there = convert_l1(0.3, source, target, dimension)
    assert convert_l1(there, target, source, dimension) == pytest.approx(0.3, rel=1e-15)
    assert one.objective(0.3, dimension).l1 == pytest.approx(
        other.objective(there, dimension).l1, rel=1e-15
    )


def as_written(entry: Convention, sae: Sae, x: np.ndarray, l1: float) -> np.ndarray:
    """Return the loss of each sample, computed from the convention's own formula."""
    f, error = sae.activations(x), x - sae.reconstruction(x)
    norms = np.sqrt((sae.W_dec**2).sum(axis=1))
    squared = {
        "(1/d) ‖x - x̂‖²": (error**2).mean(axis=1),
        "½ ‖x - x̂‖²": 0.5 * (error**2).sum(axis=1),
        "‖x - x̂‖²": (error**2).sum(axis=1),
        "‖x - x̂‖²/‖x‖²": (error**2).sum(axis=1) / (x**2).sum(axis=1),
    }
    first, second = entry.formula.split(" + λ Σ ")
    penalty = {"f_i": f.sum(axis=1), "f_i ‖d_i‖": (f * norms).sum(axis=1)}[second]
    result: np.ndarray = squared[first] + l1 * penalty
    return result


@pytest.mark.parametrize("name", list(CONVENTIONS))
def test_the_exact_loss_times_the_factor_is_the_loss_as_written(name: str) -> None:
    rng = np.random.default_rng(4)
    embedding = [[2, 0, 1], [0, 1, 1], [1, -1, 0]]
    law = one_hot_sets((1, 2), embedding=embedding)
    entry = convention(name)
    b_enc = np.array([-0.1, -0.2, -0.05])
    sae = Sae(rng.normal(size=(3, 3)), b_enc, rng.normal(size=(3, 3)), np.zeros(3))
    u, second = rng.random((400_000, 2)), rng.integers(1, 3, size=400_000)
    x = u[:, :1] * np.array(embedding)[0] + u[:, 1:] * np.array(embedding)[second]
    losses = as_written(entry, sae, x, 0.3)
    exact = expected_loss(law, sae, entry.objective(0.3, 3)).total * entry.factor(3)
    assert abs(exact - losses.mean()) <= 4 * losses.std() / np.sqrt(len(losses))


def test_checkpoints_under_their_own_librarys_convention() -> None:
    for entry in json.loads((DATA / "manifest.json").read_text()):
        if not entry["name"].startswith("saelens_standard"):
            continue
        objective = convention("saelens-standard").objective(entry["l1"], 2)
        sae = load_checkpoint(DATA / entry["path"])
        loss = expected_loss(law_from_dict(entry["law"]), sae, objective)
        total = entry["sampled"]["total"]
        assert abs(loss.total - total["mean"]) <= 4 * total["standard_error"]


def test_unknown_names_and_dimensions() -> None:
    with pytest.raises(InputError, match="convention: expected one of anders2024"):
        convention("anders")
    with pytest.raises(InputError, match="dimension: expected a whole number"):
        convention("pytorch-mse").factor(0)
    assert convention("scikit-learn").objective(0.1, 5) == Objective(l1=0.2)
