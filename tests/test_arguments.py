"""Every argument of every public function and record: nonsense is refused, by name."""

import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sympy

import solvers
import theory
from solvers import InputError, Objective, Sae, exact_gradient, straight_through_gradient
from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.architecture_conventions import (
    ARCHITECTURE_CONVENTIONS,
    ArchitectureConvention,
    architecture_convention,
)
from solvers.autoencoders.architectures import GatedSae, JumpReluSae, TopKSae
from solvers.autoencoders.autoencoder import Origin
from solvers.autoencoders.checkpoints.live import as_sae
from solvers.autoencoders.checkpoints.load import find_checkpoints
from solvers.autoencoders.conventions import CONVENTIONS, Convention, convention, convert_l1
from solvers.autoencoders.frames import frame_sae
from solvers.bounds.certificate import certify
from solvers.bounds.radial_bound import lower_bound
from solvers.losses.best_activations import best_activation_loss
from solvers.losses.expected_loss import co_firing
from solvers.losses.loss_callback import exact_loss_callback
from solvers.losses.sampled_loss import sampled_loss
from solvers.losses.training_loss import training_loss
from solvers.optima.landscape import landscape
from solvers.optima.train import Schedule, train
from solvers.runtime.arguments import check_number
from solvers.studies.cross_check import cross_check_all, objective_for
from solvers.studies.phase import phase_diagram
from solvers.studies.phase_axis import Axis
from solvers.studies.phase_family import Family
from solvers.studies.verify import verify
from theory import Component, Law, one_hot_sets, preset
from theory.codes.code import Code, diagonal
from theory.exact.arguments import check_whole
from theory.exact.numbers import exact_number

LAW = preset("shared")
AXES = Axis("l1", 0.1, 0.2, 2), Axis("onehot_probability", 0.1, 0.2, 2)

#: A value for each argument that has no default, by its name.
VALID: dict[str, Any] = {
    "law": LAW,
    "sae": frame_sae(0.0),
    "model": frame_sae(0.0),
    "saes": [("one", frame_sae(0.0))],
    "objective": Objective(0.1),
    "n_latents": 4,
    "width": 4,
    "samples": 10,
    "batch_size": 2,
    "dimension": 2,
    "l1": 0.1,
    "source": "scikit-learn",
    "target": "pytorch-mse",
    "path": Path("nothing.npz"),
    "family": Family("shared", *AXES, 4, Objective(0.1), starts=1),
    "code": diagonal(),
    "other": diagonal(),
    "x": (1, 2),
    "theta": 0,
    "phi": 1,
    "angle": 0.5,
    "pairs": 4,
    "first_alone": "1/4",
    "second_alone": "1/4",
    "both": "1/2",
    "document": {"sets": [2, 2]},
    "text": "diagonal",
    "text_or_path": "shared",
    "witness": {},
    "polynomial": lambda x: x[0],
    "magnitude_correlation": 0,
    "amplitudes": [(1, 0, 1)],
    "k": 1,
    "base": frame_sae(0.0),
    "threshold": np.zeros(4),
    "W_enc": np.ones((2, 1)),
    "b_enc": [0.0],
    "W_dec": np.ones((1, 2)),
    "b_dec": [0.0, 0.0],
    "W_gate": np.ones((2, 4)),
    "b_gate": np.zeros(4),
    "atoms": [(1, 0)],
    "probability": 1,
    "matrix": [[1]],
    "offset": [[0]],
    "components": LAW.components,
    "low": 0.1,
    "high": 0.2,
    "count": 2,
    "features": 2,
    "firing": 0.5,
    "parents": {1: 0},
    "active": [{"features": [0], "probability": 1}],
    "y": AXES[1],
    "bandwidth": 0.1,
    "architecture": Architecture(),
}
#: Where one name means two things.
OF_ITS_OWN: dict[Any, dict[str, Any]] = {
    convention: {"name": "anders2024"},
    architecture_convention: {"name": "saelens-topk"},
    straight_through_gradient: {"sae": JumpReluSae(frame_sae(0.0), np.zeros(4))},
    exact_gradient: {"sae": JumpReluSae(frame_sae(0.0), np.zeros(4))},
    ArchitectureConvention: {
        field.name: getattr(ARCHITECTURE_CONVENTIONS["saelens-topk"], field.name)
        for field in fields(ArchitectureConvention)
    },
    preset: {"name": "shared"},
    Axis: {"name": "l1"},
    Code: {"name": "code"},
    Family: {"law": "shared", "x": AXES[0]},
    theory.preset: {"name": "shared"},
    Convention: {field.name: getattr(CONVENTIONS["anders2024"], field.name)
                 for field in fields(Convention)},
}  # fmt: skip

FUNCTIONS = {
    as_sae, best_activation_loss, certify, co_firing, convention, convert_l1, cross_check_all,
    exact_loss_callback, find_checkpoints, frame_sae, landscape, lower_bound, objective_for,
    phase_diagram, sampled_loss, train, training_loss, verify,
    *(value for wing in (theory, solvers) for name in wing.__all__
      if inspect.isfunction(value := getattr(wing, name))),
}  # fmt: skip
#: The records that functions take; those that they return are made by nobody else.
RECORDS = {Architecture, Axis, Code, Component, Convention, Family, GatedSae, JumpReluSae, Law,
           Objective, Origin, Sae, Schedule, TopKSae,
           *(value for wing in (theory, solvers) for name in wing.__all__
             if is_dataclass(value := getattr(wing, name)) and hasattr(value, "__post_init__"))
           }  # fmt: skip

#: No argument means any of these.
NONSENSE = [object(), 1j, b"bytes", math.nan, {1}]


def arguments_of(made: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    several = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    named = inspect.signature(made).parameters
    return {name: one for name, one in named.items() if one.kind not in several}


def valid_for(made: Callable[..., Any]) -> dict[str, Any]:
    known = {**VALID, **OF_ITS_OWN.get(made, {})}
    needed = [name for name, one in arguments_of(made).items() if one.default is one.empty]
    unknown = sorted(set(needed) - known.keys())
    assert not unknown, f"VALID lacks an example of {unknown}, which {made.__name__} takes"
    return {name: known[name] for name in needed}


def cases() -> Iterator[Any]:
    for made in sorted(FUNCTIONS | RECORDS, key=lambda made: made.__name__):
        for name in arguments_of(made):
            yield pytest.param(made, name, id=f"{made.__name__}-{name}")


@pytest.mark.parametrize(("made", "name"), list(cases()))
def test_nonsense_is_refused(made: Callable[..., Any], name: str) -> None:
    for wrong in NONSENSE:
        with pytest.raises(InputError):
            made(**{**valid_for(made), name: wrong})


@pytest.mark.parametrize("made", sorted(RECORDS, key=lambda made: made.__name__))
def test_a_truth_value_or_a_text_is_no_number(made: Callable[..., Any]) -> None:
    assert is_dataclass(made)
    valid = valid_for(made)
    for field in fields(made):
        number = valid.get(field.name, None if field.default is MISSING else field.default)
        if isinstance(number, int | float) and not isinstance(number, bool):
            for wrong in (True, "x"):
                with pytest.raises(InputError):
                    made(**{**valid, field.name: wrong})


@pytest.mark.parametrize("kind", [int, np.int64, np.uint8, np.array, sympy.Integer])
def test_a_whole_number_of_any_library_is_taken(kind: Callable[[int], Any]) -> None:
    assert check_whole("n", kind(3), 1, 5) == 3
    assert type(check_whole("n", kind(3), 1, 5)) is int
    assert exact_number(kind(3), "n") == sympy.Integer(3)
    law = one_hot_sets([kind(2), kind(1)], amplitude=kind(2))
    assert law.dimension == 3
    short = Schedule(samples=kind(2), batch=kind(1))
    saes = [train(LAW, kind(2), Objective(0.1), short, seed=seed).saes for seed in (kind(1), 1)]
    np.testing.assert_array_equal(saes[0][0].W_enc, saes[1][0].W_enc)
    assert TopKSae(frame_sae(0.0), kind(2)).k == 2


@pytest.mark.parametrize(
    ("number", "exact"),
    [
        (0.5, "1/2"),
        (np.float64(0.1), "1/10"),
        (np.float32(0.1), "1/10"),
        (np.float16(0.1), "1/10"),
        (np.array(0.1), "1/10"),
        (Fraction(1, 3), "1/3"),
        (sympy.Rational(1, 3), "1/3"),
        ("1/3", "1/3"),
    ],
)
def test_a_number_of_any_library_is_read_as_it_is_written(number: Any, exact: str) -> None:
    assert exact_number(number, "x") == sympy.Rational(exact)
    if not isinstance(number, str):
        assert check_number("x", number, least=0, most=1) == float(number)
        assert Objective(l1=number).l1 == float(number)
        assert type(Objective(l1=number).l1) is float


def test_tables_are_taken_as_lists_tuples_arrays_and_matrices() -> None:
    table, embedding = [[0.1, 0.2], [0.3, 0.4]], [[1, 0], [-1, 0], [0, 1], [0, -1]]
    laws = [
        one_hot_sets(sets, probabilities=kind(table), embedding=kind(embedding))
        for sets, kind in (
            ((2, 2), list),
            ([2, 2], lambda rows: tuple(map(tuple, rows))),
            (np.array([2, 2]), np.array),
            (np.array([2, 2]), lambda rows: np.array(rows, dtype=np.float32)),
            ((2, 2), lambda rows: sympy.Matrix([[sympy.nsimplify(x) for x in r] for r in rows])),
        )
    ]
    told = [[(part.probability, part.point) for part in law.components] for law in laws]
    assert all(one == told[0] for one in told)
    assert Code("axes", np.eye(2)).atoms == Code("axes", [[1, 0], [0, 1]]).atoms


@pytest.mark.parametrize(
    "number",
    [
        # With names, for pytest would write a number of so many digits out.
        pytest.param(10**5000, id="huge"),
        pytest.param(-(10**5000), id="huge, negative"),
        math.inf,
        "0.1",
        None,
        np.bool_(True),
        [1],
        np.ones(1),
    ],
)
def test_what_is_no_number_in_range_is_refused(number: Any) -> None:
    with pytest.raises(InputError, match=r"^n: expected"):
        check_whole("n", number, 0, 10)
    with pytest.raises(InputError, match=r"^n: expected"):
        check_number("n", number, least=0)


@pytest.mark.parametrize("x", ["x", [[1.0]], [1.0, 2.0], [[1.0, 2.0], [3.0]], [[1.0, math.inf]]])
def test_samples_of_another_shape_are_refused(x: Any) -> None:
    with pytest.raises(InputError, match=r"^x: expected"):
        frame_sae(0.0).activations(x)


def test_elements_of_a_sequence_are_of_the_class_it_says() -> None:
    with pytest.raises(InputError, match="components: expected a sequence of Component, got"):
        Law((3,))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"ids: expected a sequence of str, got \[3\]"):
        verify([3])  # type: ignore[list-item]
    with pytest.raises(InputError, match="ids: expected a sequence of str, got 'ratio'"):
        verify("ratio")
