"""Why trained SAEs missed the diagonal: many trained on samples, each set beside the optimum.

`python -m solvers.study` trains them (a few minutes) and writes docs/why-they-missed.md.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from solvers.expected_loss import expected_loss
from solvers.files import written_beside
from solvers.law_arrays import law_arrays
from solvers.minimize import minimize_from, minimize_loss
from solvers.objectives import Objective
from solvers.parameters import ScaledProblem
from solvers.progress import ProgressLine
from solvers.relative_loss import tied_b_dec
from solvers.sae import Sae
from solvers.train import Schedule, train
from theory.laws import Law, preset

PAGE = Path("docs/why-they-missed.md")
L1 = 0.1
LATENTS = 4
#: A loss this close to the optimum's, relatively, counts as the optimum's.
AT_OPTIMUM = 0.01
#: ‖b_dec‖ above this, at A = 1, means that b_dec has taken over a part of the data.
ABSORBED = 0.1

OUTCOMES = ("optimum", "dead latents", "ray absorbed", "both", "neither")


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
    if total <= best * (1 + 1e-6):
        return "optimum"
    dead = min(firing) <= 0
    absorbed = bool(np.linalg.norm(sae.b_dec) > ABSORBED)
    return {
        (True, True): "both",
        (True, False): "dead latents",
        (False, True): "ray absorbed",
    }.get((dead, absorbed), "neither")


def study(
    law: Law, objective: Objective, schedule: Schedule, instances: int, setting: str, best: float
) -> Row:
    """Train instances, polish each to its stationary point, and count what they came to.

    An SAE trained on the relative loss is first put on the set where that loss is finite,
    b_dec = -Σ ReLU(b_i) d_i.
    """
    training = train(law, LATENTS, objective, schedule, instances=instances)
    problem = ScaledProblem.of(law_arrays(law), objective, LATENTS)
    relative = objective.reconstruction == "relative"
    totals, gaps, basins = [], [], Counter[str]()
    near: list[bool] = []
    progress = ProgressLine(f"{setting}, {schedule.samples} samples")
    for number, trained in enumerate(training.saes, start=1):
        sae = trained
        if relative:
            tied = tied_b_dec(sae.b_enc, sae.W_dec)
            sae = Sae(sae.W_enc, sae.b_enc, sae.W_dec, tied)
        loss = expected_loss(law, sae, objective)
        start = problem.loss.vector(
            sae.W_enc, sae.b_enc / problem.size, sae.W_dec, sae.b_dec / problem.size
        )
        _, vector = minimize_from(problem, start)
        polished = problem.sae(vector)
        end = expected_loss(law, polished, objective)
        totals.append(loss.total)
        gaps.append(loss.total - end.total)
        basins[outcome(polished, end.total, best, end.firing)] += 1
        for atom, firing in zip(sae.W_dec, loss.firing, strict=True):
            if firing > 0:
                angle = np.degrees(np.arctan2(*np.abs(atom)))
                near.append(bool(abs(angle - 45) <= 5))
        progress(number, instances)
    return Row(
        setting,
        schedule.samples,
        instances,
        float(np.mean(np.array(totals) <= best * (1 + AT_OPTIMUM))),
        basins,
        float(np.mean(near)),
        float(np.median(gaps) / best),
    )


def rows() -> list[Row]:
    """Return the whole study: both data sets, both losses, several budgets."""
    result = []
    for name in ("shared", "independent"):
        law = preset(name)
        for reconstruction in ("squared", "relative"):
            objective = Objective(l1=L1, reconstruction=reconstruction)
            best = minimize_loss(law, LATENTS, objective, starts=8).total
            budgets = (100_000, 1_000_000, 10_000_000)
            instances = 60 if reconstruction == "squared" else 20
            result += [
                study(law, objective, Schedule(samples=budget), instances,
                      f"{name}, {reconstruction}", best)
                for budget in budgets
            ]  # fmt: skip
    return result


def markdown(result: Sequence[Row]) -> str:
    """Return the study's table."""
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


def main() -> None:
    """Run the study and put its table into the page, between its two markers."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition("<!-- table -->\n")
    _, marker, after = rest.partition("<!-- end of table -->")
    if not marker:
        sys.exit(f"{PAGE}: expected the markers <!-- table --> and <!-- end of table -->")
    page = f"{before}<!-- table -->\n{markdown(rows())}\n{marker}{after}"
    with written_beside(PAGE) as temporary:
        temporary.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
