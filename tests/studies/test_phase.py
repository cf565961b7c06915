"""Phase diagrams: closed-form boundaries, other processes and engines, runs that were killed."""

import csv
import io
import json
import os
import subprocess
import sys
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from solvers import InputError, Objective, Search, minimize_loss
from solvers.optima.held_codes import held_code
from solvers.presentation.phase_figure import closed_form_boundary, phase_figure
from solvers.presentation.phase_report import phase_csv, phase_json, phase_text
from solvers.runtime.journal import Journal
from solvers.studies.phase import PhaseDiagram, phase_diagram
from solvers.studies.phase_axis import Axis
from solvers.studies.phase_family import Family
from theory import load_law
from theory.codes.code import axis_aligned, codes_of, diagonal
from theory.exact.symbols import L1
from theory.losses.closed_forms import tie_probability_for_every_l1
from theory.two_features.phases import optimal_pair

ROOT = Path(__file__).parents[2]
Q, LAMBDA = Axis("onehot_probability", 0.1, 0.9, 3), Axis("l1", 0.1, 0.7, 2)


def family(law: str = "shared", x: Axis = Q, y: Axis = LAMBDA, **settings: Any) -> Family:
    return Family(law, x, y, 4, Objective(1.0), **{"starts": 1, **settings})


@pytest.fixture(scope="module")
def diagram() -> PhaseDiagram:
    return phase_diagram(family())


@pytest.mark.parametrize(
    ("law", "correlation"),
    [("shared", 1), pytest.param("independent", 0, marks=pytest.mark.slow)],
)
@pytest.mark.parametrize(
    ("q", "l1"),
    [
        (Axis("onehot_probability", 0.1, 0.9, 2), Axis("l1", 0.2, 0.9, 2)),
        pytest.param(
            Axis("onehot_probability", 0.0, 0.9, 7), Axis("l1", 0.05, 1.4, 6),
            marks=pytest.mark.slow,
        ),
    ],
)  # fmt: skip
def test_ties_are_the_closed_form_q_of_lambda(
    law: str, correlation: int, q: Axis, l1: Axis
) -> None:
    diagram = phase_diagram(family(law, q, l1))
    chambers = tie_probability_for_every_l1(axis_aligned(), diagonal(), correlation)
    assert len(diagram.ties) >= l1.count
    for tie in diagram.ties:
        (expected,) = [
            float(chamber.value.subs(L1, tie.y))
            for chamber in chambers
            if chamber.low < tie.y <= chamber.high
        ]
        assert tie.x == pytest.approx(expected, abs=1e-9)
        assert set(tie.phases) == {"diagonal", "axis-aligned"}
    for point in diagram.points:
        below = point.x < next(
            float(c.value.subs(L1, point.y)) for c in chambers if c.low < point.y <= c.high
        )
        assert point.phase == ("diagonal" if below else "axis-aligned")


def test_figures_of_a_point_are_those_of_the_codes_and_the_optimiser(
    diagram: PhaseDiagram,
) -> None:
    point = diagram.points[4]
    law = load_law(f"shared:onehot_probability={point.x}")
    losses = {
        code.name: held_code(law, code, Objective(point.y)).loss.total for code in codes_of(law)
    }
    assert point.losses == losses
    assert point.loss == min(losses.values())
    assert point.margin == pytest.approx(max(losses.values()) - min(losses.values()))
    best = minimize_loss(law, 4, Objective(point.y), Search(starts=16))
    assert point.optimum == pytest.approx(best.total, abs=1e-8)
    assert all(p.optimum <= p.loss * (1 + 1e-12) for p in diagram.points)


@pytest.mark.parametrize(
    ("law", "x", "y"),
    [
        ("shared", Axis("sign_correlation", -0.9, 0.9, 2), Axis("magnitude_correlation", 0, 1, 2)),
        pytest.param(
            "independent",
            Axis("angle", 60, 90, 2),
            Axis("weight_decay", 0, 0.01, 2),
            marks=pytest.mark.slow,
        ),
        ("shared", Axis("latents", 4, 5, 2), Axis("amplitude", 1, 2, 2)),
        pytest.param(
            "two-features:both=0.5,angle=60",
            Axis("first_alone", 0, 0.4, 2),
            Axis("second_alone", 0, 0.1, 2),
            marks=pytest.mark.slow,
        ),
    ],
)
def test_every_axis(law: str, x: Axis, y: Axis) -> None:
    diagram = phase_diagram(
        Family(law, x, y, 4 if "two" not in law else 2, Objective(0.2), starts=1)
    )
    assert [(p.x, p.y) for p in diagram.points] == [(a, b) for b in y.values for a in x.values]
    phase_figure(diagram)
    assert phase_text(diagram)


@pytest.mark.slow
def test_two_features_absorb_only_when_the_second_is_never_alone() -> None:
    axes = Axis("second_alone", 0, 0.2, 2), Axis("l1", 0.01, 0.02, 2)
    diagram = phase_diagram(
        Family(
            "two-features:first_alone=0.4,both=0.4,angle=60", *axes, 2, Objective(1.0), starts=1
        )
    )
    pairs = [optimal_pair(0.4, p.x, 0.4, 60, p.y) for p in diagram.points]
    assert [(p.pair, p.pair_loss) for p in diagram.points] == [(o.phase, o.loss) for o in pairs]
    assert pairs[1].phase == "drawn inwards"
    phase_figure(diagram)
    assert [point.phase for point in diagram.points] == [
        "first feature absorbed",
        "axis-aligned",
    ] * 2


@pytest.mark.slow
def test_relative_loss_and_law_files(tmp_path: Path) -> None:
    path = tmp_path / "law.json"
    path.write_text('{"sets": [2, 2], "magnitude_correlation": 1}')
    objective = Objective(1.0, "relative", decoder="unit")
    diagram = phase_diagram(
        Family(
            str(path), Axis("l1", 0.1, 0.2, 2), Axis("amplitude", 1, 2, 2), 4, objective, starts=1
        )
    )
    assert {point.phase for point in diagram.points} == {"diagonal"}
    # With f = f' A the relative loss of λ and amplitude A is that of λA and amplitude 1.
    first, _, _, last = (point.loss for point in diagram.points)
    assert diagram.points[1].loss == pytest.approx(diagram.points[2].loss, abs=1e-9)
    assert first < last


def test_any_executor(diagram: PhaseDiagram) -> None:
    # One thread: scipy silences its own warnings in a way that is not safe among threads.
    with ThreadPoolExecutor(1) as executor:
        assert phase_json(phase_diagram(family(), executor=executor)) == phase_json(diagram)


def test_a_distributed_engine(diagram: PhaseDiagram) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        found = phase_diagram(family(), executor=client.get_executor())
    assert phase_json(found) == phase_json(diagram)


class Counting(Executor):
    """Runs everything at once and counts it."""

    def __init__(self) -> None:
        self.done = 0

    def submit(self, work: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(work(*arguments, **named))
        self.done += 1
        return future


def pieces(journal: Path) -> int:
    return len(Journal(journal, family().document()).finished)


@pytest.mark.parametrize("done", [2, pytest.param(8, marks=pytest.mark.slow)])
def test_nothing_is_lost_and_nothing_is_computed_twice(
    tmp_path: Path, diagram: PhaseDiagram, done: int
) -> None:
    # Among the points alone, and among what their neighbours add.
    def stop(now: int, _: int) -> None:
        if now == done:
            raise KeyboardInterrupt

    journal = tmp_path / "partial"
    with pytest.raises(KeyboardInterrupt):
        phase_diagram(family(), journal=journal, progress=stop)
    assert pieces(journal) == done
    # A kill in the middle of a line.
    with journal.open("ab") as stream:
        stream.write(b'[9, {"x": 0.1')
    rest = Counting()
    assert phase_diagram(family(), journal=journal, executor=rest) == diagram
    assert rest.done == pieces(journal) - done
    again = Counting()
    assert phase_diagram(family(), journal=journal, executor=again) == diagram
    assert again.done == 0


# Says when three pieces are done, and then waits for its end.
_WAITING = """
import sys
from pathlib import Path
from solvers.runtime.parallel import pool
from solvers.studies.phase import phase_diagram
from tests.studies.test_phase import family

def stop(done, _):
    if done == 3:
        print("three", flush=True)
        sys.stdin.read()

if __name__ == "__main__":
    with pool(int(sys.argv[2]), 6) as executor:
        phase_diagram(family(), journal=Path(sys.argv[1]), executor=executor, progress=stop)
"""


def killed_after_three_pieces(folder: Path, workers: int) -> Path:
    """Kill a run, and return its journal once all of its processes have closed their output."""
    script, journal = folder / "waiting.py", folder / "partial"
    script.write_text(_WAITING)
    with subprocess.Popen(
        [sys.executable, str(script), str(journal), str(workers)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as run:  # fmt: skip
        assert run.stdout is not None
        assert run.stdout.readline() == b"three\n"
        run.kill()
        # The end of the pipe comes when the last process that has it ends, workers included.
        assert not run.stdout.read()
    return journal


def test_killed_and_started_again(tmp_path: Path, diagram: PhaseDiagram) -> None:
    journal = killed_after_three_pieces(tmp_path, 1)
    assert pieces(journal) == 3
    assert phase_diagram(family(), journal=journal) == diagram


@pytest.mark.slow
def test_workers_end_with_a_command_that_is_killed(tmp_path: Path) -> None:
    assert pieces(killed_after_three_pieces(tmp_path, 2)) >= 3


def test_csv_and_closed_form_curve(diagram: PhaseDiagram) -> None:
    rows = list(csv.DictReader(io.StringIO(phase_csv(diagram))))
    assert [row["row"] for row in rows].count("point") == Q.count * LAMBDA.count
    assert float(rows[2]["onehot_probability"]) == 0.9
    assert float(rows[2]["loss"]) == diagram.points[2].loss
    curve = closed_form_boundary(diagram)
    assert curve is not None
    ties = {round(tie.y, 9): tie.x for tie in diagram.ties}
    assert np.interp(0.1, curve[1], curve[0]) == pytest.approx(ties[0.1], abs=1e-5)
    skewed = family(x=Axis("angle", 60, 90, 2), y=Axis("l1", 0.1, 0.2, 2))
    assert closed_form_boundary(replace(diagram, family=skewed)) is None


def test_what_is_unsure_is_said_and_marked(diagram: PhaseDiagram) -> None:
    assert not any(point.unsure for point in diagram.points)
    text = (
        "unsure: the phase at {} points, where no bound excludes another code; the optimum at {}"
    )
    assert text.format(0, 0) in phase_text(diagram)
    first, second, *others = diagram.points
    assert first.phase == "diagonal"
    doubtful = replace(
        diagram,
        points=(
            replace(first, unsure=("diagonal",)),
            replace(second, unsure=("axis-aligned", "optimum")),
            *others,
        ),
    )
    assert text.format(1, 1) in phase_text(doubtful)
    rows = list(csv.DictReader(io.StringIO(phase_csv(doubtful))))
    assert [row["unsure"] for row in rows[:3]] == ["diagonal", "axis-aligned; optimum", ""]
    points = json.loads(phase_json(doubtful))["points"]
    assert [point["unsure"] for point in points[:2]] == [["diagonal"], ["axis-aligned", "optimum"]]

    def marks(of: PhaseDiagram) -> set[str]:
        return {text.get_text() for text in phase_figure(of).legends[0].get_texts()}

    assert marks(doubtful) - marks(diagram) == {"unsure phase", "unsure optimum"}


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04\n", b"[1, 2]\n", b'{"law": "shared"}\n[1]\n', b"\n"]
)
def test_a_journal_of_something_else_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "partial"
    path.write_bytes(content)
    with pytest.raises(InputError, match="partial: expected the partial results of"):
        phase_diagram(family(), journal=path)
    assert path.read_bytes() == content


def test_partial_results_that_were_cut_or_changed(tmp_path: Path) -> None:
    path = tmp_path / "partial"
    path.write_bytes(b"my notes")
    with pytest.raises(InputError, match="partial: expected the partial results of a run"):
        phase_diagram(family(), journal=path)
    assert path.read_bytes() == b"my notes"
    # The very beginning of a journal is one that was killed at once.
    path.write_bytes(json.dumps(family().document()).encode()[:20])
    Journal(path, family().document()).add(0, {"x": 1})
    with pytest.raises(InputError, match="partial: expected the fields of a PhasePoint"):
        phase_diagram(family(), journal=path)


def test_decimals_of_a_law_file_are_kept_as_text(tmp_path: Path) -> None:
    law, path = tmp_path / "law.json", tmp_path / "partial"
    law.write_text('{"sets": [2, 2], "onehot_probability": 0.25, "magnitude_correlation": 1}')
    axes = Axis("l1", 0.1, 0.2, 2), Axis("amplitude", 1, 2, 2)
    small = Family(str(law), *axes, 4, Objective(1.0), starts=1)
    assert phase_diagram(small, journal=path) == phase_diagram(small, journal=path)
    kept = json.loads(phase_json(phase_diagram(small, journal=path)))["family"]["law_file"]
    assert kept == {"sets": [2, 2], "onehot_probability": "0.25", "magnitude_correlation": 1}


def test_a_law_file_that_changed_is_another_law(tmp_path: Path) -> None:
    law, path = tmp_path / "law.json", tmp_path / "partial"
    axes = Axis("l1", 0.1, 0.2, 2), Axis("amplitude", 1, 2, 2)
    law.write_text('{"sets": [2, 2], "magnitude_correlation": 1}')
    small = Family(str(law), *axes, 4, Objective(1.0), starts=1)
    phase_diagram(small, journal=path)
    law.write_text('{"sets": [2, 2], "magnitude_correlation": 0}')
    changed = Family(str(law), *axes, 4, Objective(1.0), starts=1)
    with pytest.raises(InputError, match="partial: expected the partial results of this very run"):
        phase_diagram(changed, journal=path)
    # A family has read its law once; what happens to the file since is not its own.
    assert phase_diagram(small, journal=path).points


def test_codes_that_are_equally_good_are_tied() -> None:
    # No atom is worth its penalty: every code reconstructs nothing.
    diagram = phase_diagram(family(y=Axis("l1", 3, 4, 2)))
    assert {point.phase for point in diagram.points} == {"tied"}
    assert not diagram.ties
