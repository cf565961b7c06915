"""Axes and families of phase diagrams: what is refused before anything is computed."""

import json
from pathlib import Path
from typing import Any

import pytest

from solvers import InputError, Objective
from solvers.studies.phase_axis import Axis
from solvers.studies.phase_family import Family

Q, LAMBDA = Axis("onehot_probability", 0.1, 0.9, 3), Axis("l1", 0.1, 0.7, 2)


def family(law: str = "shared", x: Axis = Q, y: Axis = LAMBDA, **settings: Any) -> Family:
    return Family(law, x, y, 4, Objective(1.0), **{"starts": 1, **settings})


BAD_AXES = [
    ("l1", r"expected NAME=LOW:HIGH:COUNT, such as l1=0.1:1:10, got 'l1'"),
    ("l1=0:1", "expected NAME=LOW:HIGH:COUNT"),
    ("l1=1:0:3", r"l1: expected LOW below HIGH, got \(1.0, 0.0\)"),
    ("l1=nan:1:3", "l1: expected a finite number"),
    ("l1=0:1:1", "l1: count: expected a whole number from 2 to 1000, got 1"),
    ("l1=0:1:2.5", "expected NAME=LOW:HIGH:COUNT"),
    ("latents=4:6:2.0", "expected NAME"),
    ("latents=4:7:3", "latents: expected whole numbers"),
]


@pytest.mark.parametrize(("text", "message"), BAD_AXES)
def test_bad_axes(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Axis.parse(text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"x": Axis("beta", 0, 1, 2)}, "x: expected one of onehot_probability, .*got 'beta'"),
        ({"x": LAMBDA}, "l1: expected two different axes"),
        ({"x": Axis("onehot_probability", 0, 2, 3)}, "onehot_probability: expected a number from"),
        ({"x": Axis("weight_decay", -1, 1, 3)}, "weight_decay: expected a finite number ≥ 0"),
        ({"x": Axis("latents", 0, 1, 2)}, "latents: expected a whole number ≥ 1, got 0"),
        ({"x": Axis("latents", 1, 4, 4)}, "latents: expected at least as many as the atoms"),
        ({"starts": 0}, "starts: expected a whole number from 1"),
        ({"law": "sharde"}, "law: expected a preset, one of shared"),
    ],
)
def test_bad_families(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        family(**settings)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"sets": [1, 1, 1]}, "law: expected a law of at most two random magnitudes at once"),
        ({"features": 2, "firing": [0.5, 1]}, "firing: expected one number in the file"),
    ],
)
def test_laws_of_no_phase_diagram_are_refused_before_it_is_begun(
    tmp_path: Path, document: dict[str, Any], message: str
) -> None:
    path = tmp_path / "law.json"
    path.write_text(json.dumps(document))
    name = "amplitude" if "sets" in document else "firing"
    with pytest.raises(InputError, match=message):
        Family(f"{path}", Axis(name, 0.1, 0.5, 2), Axis("l1", 0.1, 0.2, 2), 4, Objective(0.1))
