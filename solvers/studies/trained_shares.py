"""What share of trained SAEs reach the best that is known, by architecture and law.

An SAE has reached it if its exact loss is above it by at most 1 % of what can be gained, which is
the loss of the zero code less the best. A share of the best itself would not do: TopK reaches 0.

`python -m solvers.studies.trained_shares` trains them (a quarter of an hour) and writes the table
of docs/training.md; every row of it is a call of `trained_share`.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

import numpy as np

from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.objective import Objective
from solvers.losses.expected_loss import ExpectedLoss
from solvers.losses.solution import zero_code
from solvers.optima.best_known import best_known
from solvers.optima.search import Search
from solvers.optima.train import Schedule, Training, train
from solvers.runtime.files import written_beside
from solvers.runtime.progress import ProgressLine
from solvers.studies.why_they_missed import written_between
from theory.laws.law import Law
from theory.laws.law_files import load_law
from theory.laws.presets import preset

PAGE = Path("docs/training.md")
#: How far from the best known loss still counts as there, as a share of what can be gained; and
#: how far above k the number of latents of BatchTopK may be, whose threshold is an average.
REACHED: Final = 0.01
INSTANCES = 60
SCHEDULE = Schedule(samples=2_000_000, rate=0.01)
FIVE = {"features": 5, "firing": "2/5", "magnitude": {"constant": 1}}
_DEFAULT = Search()


class Reference(NamedTuple):
    """The best loss that is known, and what led to it."""

    total: float
    found: str


#: Takes law, width, objective, architecture and how to search.
BestKnown: TypeAlias = Callable[[Law, int, Objective, Architecture, Search], Reference]


def best_without_training(
    law: Law, n_latents: int, objective: Objective, architecture: Architecture, search: Search
) -> Reference:
    """Return the best SAE known without training any: what minimising the exact loss finds.

    Examples
    --------
    With k = 1 the diagonal code reconstructs the first data set:

    >>> best = best_without_training(preset("shared"), 4, Objective(0), Architecture("topk", 1),
    ...                              Search(starts=1))
    >>> round(best.total, 12), best.found
    (0.0, 'from the diagonal code')
    """
    optimum = best_known(law, n_latents, objective, search, architecture=architecture)
    return Reference(optimum.total, optimum.found)


@dataclass(frozen=True, eq=False)
class TrainedShare:
    """How many trained SAEs are where the best known one is.

    Parameters
    ----------
    training : Training
    architecture : Architecture
    best : Reference
        The better of the best known without training and the best that was trained.
    nothing : float
        The loss of the zero code.
    """

    training: Training
    architecture: Architecture
    best: Reference
    nothing: float

    @property
    def instances(self) -> int:
        """How many were trained."""
        return len(self.training.losses)

    @property
    def reached(self) -> int:
        """How many reached the best known loss, to a per cent of what can be gained."""
        allowed = self.best.total + REACHED * (self.nothing - self.best.total)
        return sum(
            loss.total <= allowed and _within(loss, self.architecture)
            for loss in self.training.losses
        )

    @property
    def share(self) -> float:
        """Those that reached it, of all."""
        return self.reached / self.instances

    @property
    def standard_error(self) -> float:
        """Of the share: what is not known of the chance to reach it after h of N did.

        √((h+1)(N-h+1)/(N+3))/(N+2), the standard deviation of the chance if all were equally
        likely before; unlike √(share (1 - share)/N) it is not 0 where none or all did.

        Examples
        --------
        >>> none = TrainedShare(Training((), (), 0, False), Architecture(), Reference(0, ""), 1)
        >>> none.standard_error == (1 / 12) ** 0.5
        True
        """
        hits, count = self.reached, self.instances
        return math.sqrt((hits + 1) * (count - hits + 1) / (count + 3)) / (count + 2)

    @property
    def mean_l0(self) -> float:
        """Latents that fire, on average over samples and instances."""
        return float(np.mean([loss.l0 for loss in self.training.losses]))


def _within(loss: ExpectedLoss, architecture: Architecture) -> bool:
    return architecture.k is None or loss.l0 <= architecture.k * (1 + REACHED)


def trained_share(
    law: Law,
    objective: Objective,
    architecture: Architecture,
    training: Training,
    *,
    best: BestKnown = best_without_training,
    search: Search = _DEFAULT,
) -> TrainedShare:
    """Return how many of the SAEs that were trained reach the best known loss.

    Parameters
    ----------
    law : Law
    objective : Objective
    architecture : Architecture
    training : Training
        On that law, with that objective and architecture.
    best : callable, optional
        Finds the best SAE known without training.
    search : Search, optional
        How it searches.

    Examples
    --------
    >>> law, objective = preset("shared"), Objective(0)
    >>> short, topk = Schedule(samples=20_000, rate=0.02), Architecture("topk", 1)
    >>> training = train(law, 4, objective, short, architecture=topk, instances=5)
    >>> found = trained_share(law, objective, topk, training, search=Search(starts=1))
    >>> found.instances, found.best.found, round(found.nothing, 12)
    (5, 'from the diagonal code', 0.666666666667)
    """
    width = training.saes[0].d_sae
    found = best(law, width, objective, architecture, search)
    for loss in training.losses:
        if loss.total < found.total and _within(loss, architecture):
            found = Reference(loss.total, "the best of those trained")
    nothing = zero_code(law, width, objective).loss.total
    return TrainedShare(training, architecture, found, nothing)


class Setting(NamedTuple):
    """A row of the table: what is trained, and the options that train it."""

    law: str
    latents: int
    objective: Objective
    architecture: Architecture
    options: str


def settings() -> Iterator[Setting]:
    """Yield the settings, in the table's order."""
    for law, latents, ks, prefixes in (
        ("shared", 4, (1, 2), (1, 2, 4)),
        ("independent", 4, (1, 2), (1, 2, 4)),
        ("five.json", 5, (2,), (1, 3, 5)),
    ):
        l1, l0, free = Objective(l1=0.1), Objective(l1=0.0, l0=0.1), Objective(l1=0.0)
        yield Setting(law, latents, l1, Architecture(), "relu, l1 0.1")
        yield Setting(law, latents, l0, Architecture("jumprelu"), "jumprelu, l0 0.1")
        for name in ("topk", "batchtopk"):
            for k in ks:
                yield Setting(law, latents, free, Architecture(name, k), f"{name}, k {k}")
        nested = Objective(l1=0.0, prefixes=prefixes)
        shown = ",".join(map(str, prefixes))
        told = f"matryoshka, k {ks[-1]}, prefixes {shown}"
        yield Setting(law, latents, nested, Architecture("batchtopk", ks[-1]), told)


def study(setting: Setting, progress: ProgressLine | None = None) -> TrainedShare:
    """Train the instances of one setting and compare them."""
    law = load_law(FIVE) if setting.law == "five.json" else preset(setting.law)
    training = train(
        law, setting.latents, setting.objective, SCHEDULE, architecture=setting.architecture,
        instances=INSTANCES, progress=progress,
    )  # fmt: skip
    return trained_share(law, setting.objective, setting.architecture, training)


def table(rows: Sequence[tuple[Setting, TrainedShare]]) -> str:
    """Return what became of every setting."""
    lines = [
        "| law | trained | best known | found by | reached | median loss | worst | mean l0 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for setting, row in rows:
        totals = [loss.total for loss in row.training.losses]
        lines.append(
            f"| {setting.law} | {setting.options} | {row.best.total:.5f} | {row.best.found} | "
            f"{100 * row.share:.0f} ± {100 * row.standard_error:.0f} % | "
            f"{np.median(totals):.5f} | {max(totals):.5f} | {row.mean_l0:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Run the study and put its table into the page, between its markers."""
    rows = []
    for setting in settings():
        progress = ProgressLine(f"{setting.law}, {setting.options}")
        rows.append((setting, study(setting, progress)))
    page = written_between(PAGE.read_text(encoding="utf-8"), "table", table(rows))
    with written_beside(PAGE) as temporary:
        temporary.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
