"""How fast are Hessian and certificate? Ratios to named alternatives, in one run.

    python tests/benchmarks/benchmark_landscape.py

The Hessian against central differences of the exact gradient; the certificate against the
same bound on a uniform grid of cells, without branch and bound, at a gap that both reach.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from solvers import Objective
from solvers.bounds.certificate import certify
from solvers.bounds.dictionary_search import Budget, PathSearch
from solvers.bounds.sector_losses import SectorLosses
from solvers.laws.arrays import law_arrays
from solvers.losses.hessian import curvature
from solvers.losses.parameters import LossOfVector
from theory import load_law


class EveryCell(PathSearch):
    """The same search on all cells of every level: it discards none."""

    def _discard(self, goal: float) -> None:
        every = np.ones((len(self._cells),) * 2, dtype=bool)
        self._halve(np.triu(every), np.tril(every))


def seconds(function: Callable[[], object], repeats: int) -> float:
    function()
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        spent.append(time.perf_counter() - start)
    return min(spent)


def report(name: str, exact: float, alternative: str, other: float) -> None:
    print(f"{name:<40}{exact * 1e3:>10.2f} ms")
    print(f"{alternative:<40}{other * 1e3:>10.2f} ms{other / exact:>9.1f}×")


def main() -> None:
    law, rng = load_law("independent"), np.random.default_rng(0)
    for n in (4, 16):
        loss = LossOfVector(law_arrays(law), Objective(0.1), n)
        atoms = rng.normal(size=(n, 2))
        atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
        vector = loss.vector(atoms.T, 0.1 * rng.normal(size=n), atoms, 0.1 * rng.normal(size=2))
        basis = curvature(loss, vector).basis

        def differences(
            loss: LossOfVector = loss, vector: np.ndarray = vector, basis: np.ndarray = basis
        ) -> None:
            for column in basis.T:
                loss(vector + 1e-6 * column)
                loss(vector - 1e-6 * column)

        report(
            f"exact Hessian, {n} latents",
            seconds(lambda loss=loss, vector=vector: curvature(loss, vector), 20),
            "  central differences of the gradient",
            seconds(differences, 5),
        )

    gap = 0.008

    def uniform() -> None:
        search = EveryCell(SectorLosses(law_arrays(law), 0.1), 4)
        search.seek(np.array([[0.7, 2.3, 3.9, 5.5]]))
        assert search.run(gap, Budget(10**8, 300.0))

    report(
        f"certificate, gap {gap}",
        seconds(lambda: certify(law, 4, Objective(0.1), gap=gap), 3),
        "  the same without discarding cells",
        seconds(uniform, 1),
    )


if __name__ == "__main__":
    main()
