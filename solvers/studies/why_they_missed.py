"""Why trained SAEs missed the diagonal: many trained on samples, each set beside the optimum.

`python -m solvers.studies.why_they_missed MANIFEST` trains them (some minutes), reads the SAEs
that others have trained and that the manifest lists, and writes the tables of
docs/why-they-missed.md.
"""

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sympy
from numpy.typing import NDArray

from solvers.autoencoders.autoencoder import Sae
from solvers.autoencoders.checkpoints.load import load_checkpoint
from solvers.autoencoders.objective import Objective
from solvers.losses.expected_loss import expected_loss
from solvers.optima.minimize import minimize_loss
from solvers.optima.polish import polish, with_finite_loss
from solvers.optima.search import Search
from solvers.optima.train import Schedule, train
from solvers.runtime.files import written_beside
from solvers.runtime.progress import ProgressLine
from theory.exact.errors import InputError
from theory.exact.strict_json import read_json
from theory.laws.law import Component, Law
from theory.laws.law_files import law_from_dict
from theory.laws.presets import preset

PAGE = Path("docs/why-they-missed.md")
L1 = 0.1
LATENTS = 4
STARTS = 32
BUDGETS = (100_000, 1_000_000, 10_000_000)
#: A loss this close to the optimum's, relatively, counts as the optimum's.
AT_OPTIMUM = 0.01
#: Minima this close to it, relatively, are the optimum itself, but for biases that hardly count:
#: on the relative loss each choice of their signs makes a minimum of its own.
SAME_MINIMUM = 1e-4
#: ‖b_dec‖ above this, at A = 1, means that b_dec has taken over a part of the data.
ABSORBED = 0.1
#: Amplitudes below this are left out where a law has to stay away from 0.
SMALLEST = sympy.Rational(1, 20)

OUTCOMES = ("optimum", "dead latents", "ray absorbed", "both", "neither")


@dataclass(frozen=True)
class Setting:
    """What is trained: a law under an objective, with x̂(0) held at 0 or not.

    Parameters
    ----------
    name : str
    law : Law
    objective : Objective
    tie_b_dec : bool
    instances : int
    """

    name: str
    law: Law
    objective: Objective
    tie_b_dec: bool
    instances: int


def away_from_zero(law: Law, smallest: sympy.Expr) -> Law:
    """Return a law whose cubes [0, 1]^k are cut down to [smallest, 1]^k.

    On a preset of A = 1 every amplitude is then uniform on [smallest, 1].

    Examples
    --------
    >>> part = away_from_zero(preset("shared"), sympy.Rational(1, 20)).components[0]
    >>> part.point
    (19*u1/20 + 1/20, 19*u1/20 + 1/20)
    """
    parts = tuple(
        Component(
            part.probability,
            part.matrix * (1 - smallest),
            part.offset + part.matrix * smallest * sympy.ones(part.cube_dimension, 1),
        )
        for part in law.components
    )
    return Law(parts, f"{law.name}, amplitudes from {smallest}")


def settings() -> Iterator[Setting]:
    """Yield the settings, in the table's order.

    The last three pull the causes on the relative loss apart: as the post trains it; with
    x̂(0) = 0, where its mean is finite and its gradient's variance still infinite; and on
    amplitudes from 1/20 up, where both are finite.
    """
    relative = Objective(l1=L1, reconstruction="relative")
    for name in ("shared", "independent"):
        law = preset(name)
        yield Setting(f"{name}, squared", law, Objective(l1=L1), False, 60)
        yield Setting(f"{name}, relative", law, relative, False, 20)
        yield Setting(f"{name}, relative, x̂(0) = 0", law, relative, True, 20)
        away = away_from_zero(law, SMALLEST)
        yield Setting(f"{name}, relative, amplitudes ≥ {SMALLEST}", away, relative, False, 20)


@dataclass(frozen=True)
class Row:
    """What became of the instances of one setting.

    Parameters
    ----------
    setting : str
    samples, instances : int
    arrived : float
        Share whose trained loss is within a per cent of the optimum.
    basins : Counter
        How many instances polish to each of `OUTCOMES`.
    diagonal : float
        Share of atoms of live latents within 5° of a diagonal, as trained.
    unfinished : float
        Median of trained loss less polished loss, over the optimum's loss.
    """

    setting: str
    samples: int
    instances: int
    arrived: float
    basins: Counter[str]
    diagonal: float
    unfinished: float


def outcome(sae: Sae, total: float, best: float, firing: Sequence[float]) -> str:
    """Name the stationary point that an SAE was polished to.

    Examples
    --------
    >>> sae = Sae(np.eye(2), [0, 0], np.eye(2), [0.5, 0.5])
    >>> outcome(sae, 0.12, 0.07, [0.5, 0.0])
    'both'
    """
    if total <= best * (1 + SAME_MINIMUM):
        return "optimum"
    dead = min(firing) <= 0
    absorbed = bool(np.linalg.norm(sae.b_dec) > ABSORBED)
    return {
        (True, True): "both",
        (True, False): "dead latents",
        (False, True): "ray absorbed",
    }.get((dead, absorbed), "neither")


def study(setting: Setting, samples: int, best: float) -> Row:
    """Train instances, polish each to its stationary point, and count what they came to."""
    law, objective = setting.law, setting.objective
    schedule = Schedule(samples=samples, tie_b_dec=setting.tie_b_dec)
    training = train(law, LATENTS, objective, schedule, instances=setting.instances)
    totals, gaps, basins = [], [], Counter[str]()
    near: list[bool] = []
    progress = ProgressLine(f"{setting.name}, {samples} samples")
    for number, trained in enumerate(training.solutions, start=1):
        sae = with_finite_loss(law, trained.relu, objective)
        loss = expected_loss(law, sae, objective)
        end = polish(law, sae, objective)
        totals.append(loss.total)
        gaps.append(loss.total - end.total)
        basins[outcome(end.relu, end.total, best, end.firing)] += 1
        for atom, firing in zip(sae.W_dec, loss.firing, strict=True):
            if firing > 0:
                angle = np.degrees(np.arctan2(*np.abs(atom)))
                near.append(bool(abs(angle - 45) <= 5))
        progress(number, setting.instances)
    return Row(
        setting.name,
        samples,
        setting.instances,
        float(np.mean(np.array(totals) <= best * (1 + AT_OPTIMUM))),
        basins,
        float(np.mean(near)),
        float(np.median(gaps) / best),
    )


def rows() -> list[Row]:
    """Return the whole study: both data sets, their losses, several budgets."""
    result = []
    for setting in settings():
        best = minimize_loss(setting.law, LATENTS, setting.objective, Search(starts=8)).total
        result += [study(setting, samples, best) for samples in BUDGETS]
    return result


def table(result: Sequence[Row]) -> str:
    """Return what became of every setting at every budget."""
    lines = [
        "| data set, loss | samples | SAEs | arrived | " + " | ".join(OUTCOMES) + " | diagonal | "
        "unfinished |",
        "|---|---|---|---|" + "---|" * len(OUTCOMES) + "---|---|",
    ]
    for row in result:
        counts = " | ".join(f"{100 * row.basins[name] / row.instances:.0f} %" for name in OUTCOMES)
        lines.append(
            f"| {row.setting} | {row.samples:.0e} | {row.instances} | {100 * row.arrived:.0f} % | "
            f"{counts} | {100 * row.diagonal:.0f} % | {100 * row.unfinished:.2g} % |"
        )
    return "\n".join(lines)


def causes(result: Sequence[Row]) -> str:
    """Return what share of the misses each cause explains, at the largest budget.

    An SAE that polishes to the optimum and had not arrived was stopped too early; any other
    miss is put down to the kind of stationary point that it polishes to.
    """
    lines = [
        "| data set, loss | missed | training unfinished | dead latents | ray absorbed | "
        "both | unexplained |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in result:
        if row.samples != max(BUDGETS):
            continue
        arrived = round(row.arrived * row.instances)
        missed = row.instances - arrived
        counts = [row.basins["optimum"] - arrived, *(row.basins[name] for name in OUTCOMES[1:])]
        shares = " | ".join(f"{100 * count / missed:.0f} %" if missed else "" for count in counts)
        lines.append(f"| {row.setting} | {missed} of {row.instances} | {shares} |")
    return "\n".join(lines)


def outside(manifest: Path) -> str:
    """Return the SAEs trained with the post's own code, each beside its stationary point.

    Raises
    ------
    InputError
        If the manifest lists none, or one cannot be read.
    """
    entries = [entry for entry in read_json(manifest) if entry["path"].startswith("anders2024")]
    if not entries:
        raise InputError(manifest, "SAEs trained with the code of Anders et al.")
    lines = [
        "| checkpoint, instance | loss | now | polished | optimum | polishes to | "
        "atoms off the axes |",
        "|---|---|---|---|---|---|---|",
    ]
    progress = ProgressLine("outside evidence")
    optima: dict[str, float] = {}
    for number, entry in enumerate(entries, start=1):
        law = law_from_dict(entry["law"])
        relative = entry["training_loss"]["normalise_per_sample"]
        objective = Objective(float(entry["l1"]), "relative" if relative else "squared")
        weights = next((manifest.parent / entry["path"]).glob("weights_*.pt"))
        trained = load_checkpoint(weights, int(entry["instance"]))
        if not isinstance(trained, Sae):
            raise InputError(weights, "ReLU SAEs")
        name = entry["path"].split("/")[1]
        if name not in optima:
            optima[name] = minimize_loss(
                law, trained.d_sae, objective, Search(starts=STARTS)
            ).total
        sae = with_finite_loss(law, trained, objective)
        now = expected_loss(law, sae, objective)
        end = polish(law, sae, objective)
        kind = outcome(end.relu, end.total, optima[name], end.firing)
        axis = np.array(entry["law"]["embedding"][0], dtype=np.float64)
        angles = angles_off_the_axes(sae.W_dec[np.array(now.firing) > 0], axis)
        lines.append(
            f"| `{name.split('_l1')[0]}`, {entry['instance']} | {objective.reconstruction} | "
            f"{now.total:.6f} | {end.total:.6f} | {optima[name]:.6f} | {kind} | "
            f"{', '.join(f'{angle:.1f}°' for angle in angles)} |"
        )
        progress(number, len(entries))
    return "\n".join(lines)


def angles_off_the_axes(atoms: NDArray[np.float64], axis: NDArray[np.float64]) -> list[float]:
    """Return each atom's angle to the nearest of ±axis and its perpendiculars, in degrees.

    Examples
    --------
    >>> angles_off_the_axes(np.array([[1.0, 1.0], [0.0, -2.0]]), np.array([1.0, 0.0]))
    [45.0, 0.0]
    """
    along = np.abs(atoms @ axis)
    across = np.abs(atoms @ np.array([-axis[1], axis[0]]))
    smaller, larger = np.minimum(along, across), np.maximum(along, across)
    return [float(angle) for angle in np.degrees(np.arctan2(smaller, larger))]


def written_between(page: str, marker: str, content: str) -> str:
    """Return the page with new content between <!-- marker --> and <!-- end of marker -->.

    Raises
    ------
    InputError
        If the page lacks one of the two.

    Examples
    --------
    >>> written_between("<!-- a -->old<!-- end of a -->", "a", "new").splitlines()
    ['<!-- a -->', 'new', '<!-- end of a -->']
    """
    opening, closing = f"<!-- {marker} -->", f"<!-- end of {marker} -->"
    before, opened, rest = page.partition(opening)
    _, closed, after = rest.partition(closing)
    if not (opened and closed):
        raise InputError("page", f"the markers {opening} and {closing}")
    return f"{before}{opening}\n{content}\n{closing}{after}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study and put its tables into the page, between their markers."""
    (manifest,) = sys.argv[1:] if arguments is None else arguments
    result = rows()
    page = PAGE.read_text(encoding="utf-8")
    for marker, content in (
        ("table", table(result)),
        ("causes", causes(result)),
        ("outside", outside(Path(manifest))),
    ):
        page = written_between(page, marker, content)
    with written_beside(PAGE) as temporary:
        temporary.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
