"""Phase diagrams: closed-form boundaries, other processes and engines, runs that were killed."""

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from solvers import InputError, Objective, Sae, expected_loss, minimize_loss
from solvers.optima.held_codes import held_code
from solvers.presentation.phase_figure import closed_form_boundary, phase_figure
from solvers.presentation.phase_report import phase_csv, phase_json, phase_text
from solvers.runtime.journal import Journal
from solvers.studies.phase import phase_diagram
from solvers.studies.phase_axis import Axis
from solvers.studies.phase_family import Family
from theory import load_law
from theory.codes.code import Code, axis_aligned, codes_of, diagonal
from theory.exact.symbols import L1
from theory.laws.law_files import load_law_with
from theory.losses.closed_forms import tie_probability_for_every_l1
from theory.two_features.phases import optimal_pair

Q, LAMBDA = Axis("onehot_probability", 0.1, 0.9, 3), Axis("l1", 0.1, 1.3, 4)


def family(law: str = "shared", x: Axis = Q, y: Axis = LAMBDA, **settings: Any) -> Family:
    return Family(law, x, y, 4, Objective(1.0), **{"starts": 1, **settings})


@pytest.mark.parametrize(("law", "correlation"), [("shared", 1), ("independent", 0)])
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


def test_figures_of_a_point_are_those_of_the_codes_and_the_optimiser() -> None:
    diagram = phase_diagram(family())
    point = diagram.points[6]
    law = load_law(f"shared:onehot_probability={point.x}")
    losses = {
        code.name: held_code(law, code, Objective(point.y)).loss.total for code in codes_of(law)
    }
    assert point.losses == losses
    assert point.loss == min(losses.values())
    assert point.margin == pytest.approx(max(losses.values()) - min(losses.values()))
    best = minimize_loss(law, 4, Objective(point.y), starts=16)
    assert point.optimum == pytest.approx(best.total, abs=1e-8)
    assert all(p.optimum <= p.loss * (1 + 1e-12) for p in diagram.points)


def test_held_atoms_stay_and_their_loss_is_least() -> None:
    law, objective = load_law("independent"), Objective(0.3)
    code = Code("skew", [(1, 0), ("3/5", "4/5"), (-1, 0), (0, -1)])
    held = held_code(law, code, objective).loss.total
    free = minimize_loss(law, 4, objective, starts=8).total
    assert free < held
    # The squared error is convex in the reconstruction, the penalty in f: no random encoder wins.
    rng = np.random.default_rng(0)
    atoms = np.array(code.atoms, dtype=np.float64)
    for _ in range(300):
        sae = Sae(atoms.T + 0.3 * rng.normal(size=(2, 4)), 0.2 * rng.normal(size=4), atoms, [0, 0])
        assert expected_loss(law, sae, objective).total > held


@pytest.mark.parametrize(
    ("law", "x", "y"),
    [
        ("shared", Axis("sign_correlation", -0.9, 0.9, 2), Axis("magnitude_correlation", 0, 1, 2)),
        ("independent", Axis("angle", 60, 90, 2), Axis("weight_decay", 0, 0.01, 2)),
        ("shared", Axis("latents", 4, 5, 2), Axis("amplitude", 1, 2, 2)),
        (
            "two-features:both=0.5,angle=60",
            Axis("first_alone", 0, 0.4, 2),
            Axis("second_alone", 0, 0.1, 2),
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


def same_elsewhere(executor: Executor) -> None:
    small = family(x=Axis("onehot_probability", 0.4, 0.7, 2), y=Axis("l1", 0.1, 0.2, 2))
    assert phase_json(phase_diagram(small, executor=executor)) == phase_json(phase_diagram(small))


def test_any_executor() -> None:
    # One thread: scipy silences its own warnings in a way that is not safe among threads.
    with ThreadPoolExecutor(1) as executor:
        same_elsewhere(executor)


def test_a_distributed_engine() -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        same_elsewhere(client.get_executor())


class Counting(Executor):
    """Runs everything at once and counts it."""

    def __init__(self) -> None:
        self.done = 0

    def submit(self, work: Any, /, *arguments: Any, **named: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(work(*arguments, **named))
        self.done += 1
        return future


def stop_after_five(done: int, _: int) -> None:
    if done == 5:
        raise KeyboardInterrupt


def test_nothing_is_lost_and_nothing_is_computed_twice(tmp_path: Path) -> None:
    journal = tmp_path / "partial"
    whole = phase_json(phase_diagram(family()))
    with pytest.raises(KeyboardInterrupt):
        phase_diagram(family(), journal=journal, progress=stop_after_five)
    assert len(Journal(journal, family().document()).finished) == 5
    # A kill in the middle of a line.
    with journal.open("ab") as stream:
        stream.write(b'[9, {"x": 0.1')
    rest = Counting()
    assert phase_json(phase_diagram(family(), journal=journal, executor=rest)) == whole
    document = json.loads(whole)
    assert rest.done == len(document["points"]) + len(document["ties"]) - 5
    again = Counting()
    assert phase_json(phase_diagram(family(), journal=journal, executor=again)) == whole
    assert again.done == 0


def test_killed_and_started_again(tmp_path: Path) -> None:
    def command(out: Path) -> list[str]:
        return [
            sys.executable, "-m", "solvers.cli.main", "phase", "shared", "--x",
            "onehot_probability=0:0.9:5", "--y", "l1=0.05:1.5:4", "--latents", "4",
            "--starts", "2", "--workers", "1", "--out", str(out),
        ]  # fmt: skip

    killed, whole = tmp_path / "killed.csv", tmp_path / "whole.csv"
    partial = tmp_path / "killed.csv.partial"
    run = subprocess.Popen(command(killed), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (
        partial.exists() and partial.read_bytes().count(b"\n") > 4
    ):
        time.sleep(0.02)
    os.kill(run.pid, signal.SIGKILL)
    run.communicate()
    kept = partial.read_bytes().count(b"\n") - 1
    assert 4 <= kept < 20
    assert not killed.exists()
    for out in (killed, whole):
        subprocess.run(command(out), check=True, capture_output=True)
    assert killed.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed.csv", "whole.csv"]


def test_csv_and_closed_form_curve() -> None:
    diagram = phase_diagram(family())
    rows = list(csv.DictReader(io.StringIO(phase_csv(diagram))))
    assert [row["row"] for row in rows].count("point") == Q.count * LAMBDA.count
    assert float(rows[2]["onehot_probability"]) == 0.9
    assert float(rows[2]["loss"]) == diagram.points[2].loss
    curve = closed_form_boundary(diagram)
    assert curve is not None
    ties = {round(tie.y, 9): tie.x for tie in diagram.ties}
    assert np.interp(0.5, curve[1], curve[0]) == pytest.approx(ties[0.5], abs=1e-5)
    skewed = family(x=Axis("angle", 60, 90, 2), y=Axis("l1", 0.1, 0.2, 2))
    assert closed_form_boundary(phase_diagram(skewed)) is None


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
        ({"x": Axis("beta", 0, 1, 2)}, "axis: expected one of onehot_probability, .*got 'beta'"),
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


@pytest.mark.slow
def test_workers_end_with_a_command_that_is_killed(tmp_path: Path) -> None:
    run = subprocess.Popen(
        [sys.executable, "-m", "solvers.cli.main", "phase", "shared", "--x",
         "onehot_probability=0:0.9:30", "--y", "l1=0.05:1.5:30", "--latents", "4",
         "--workers", "2", "--out", str(tmp_path / "x.csv")],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
    if not children.exists():
        run.kill()
        pytest.skip("no /proc")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not (tmp_path / "x.csv.partial").exists():
        time.sleep(0.1)
    time.sleep(5)
    workers = children.read_text().split()
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    assert len(workers) >= 2
    time.sleep(5)
    assert not [pid for pid in workers if "solvers" in _command(pid) or "spawn" in _command(pid)]


def _command(pid: str) -> str:
    path = Path(f"/proc/{pid}/cmdline")
    return path.read_text() if path.exists() else ""


def test_settings_of_laws() -> None:
    assert (
        load_law_with("shared", {"angle": 60, "sign_correlation": 1}).components[0].point[1] != 0
    )
    law = load_law_with("independent:sign_correlation=0.5", {})
    assert [float(part.probability) for part in law.components] == [0.375, 0.125, 0.125, 0.375]
    with pytest.raises(InputError, match="sign_correlation: expected a number from -1 to 1"):
        load_law_with("shared", {"sign_correlation": 2})
    with pytest.raises(InputError, match="angle: expected degrees between 0 and 180"):
        load_law_with("shared", {"angle": 180})
    with pytest.raises(InputError, match="two-features: unknown setting 'q'"):
        load_law("two-features:q=1")
    with pytest.raises(InputError, match="both: expected this probability"):
        load_law("two-features")
    with pytest.raises(InputError, match="unknown setting 'uniform'"):
        load_law_with("two-features:both=1", {"uniform": 1})
    with pytest.raises(InputError, match="uniform: expected 0"):
        load_law("two-features:both=1,uniform=2")
