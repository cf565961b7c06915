"""The least exact loss of an SAE whose atoms are held at a code: only encoder and biases move."""

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from solvers.expected_loss import ExpectedLoss, expected_loss
from solvers.law_arrays import law_arrays
from solvers.objectives import Objective
from solvers.parameters import ScaledProblem
from solvers.sae import Sae
from theory.codes import Code
from theory.laws import Law

Array = NDArray[np.float64]

_TOLERANCE = 1e-9
_ITERATIONS = 2000


def held_code_loss(law: Law, code: Code, objective: Objective) -> ExpectedLoss:
    """Return the least loss over W_enc, b_enc and b_dec of one latent for each atom of a code.

    The minimisation starts where a latent reads its atom, and where it reads its coordinate among
    the atoms, both with the threshold λ/4; the better end counts.

    Parameters
    ----------
    law : Law
    code : Code
    objective : Objective
        Atoms stay where they are, whatever its decoder.

    Examples
    --------
    The axis-aligned code on the first data set, λ - λ²/2 + λ³/12:

    >>> from theory.codes import axis_aligned
    >>> from theory.laws import preset
    >>> round(held_code_loss(preset("shared"), axis_aligned(), Objective(l1=0.1)).total, 9)
    0.095083333
    """
    atoms = np.array(code.atoms, dtype=np.float64)
    n, d = atoms.shape
    problem = ScaledProblem.of(law_arrays(law), objective, n)
    loss = problem.loss
    place = slice((d + 1) * n, (2 * d + 1) * n)
    threshold = np.full(n, -loss.objective.l1 / 4)
    ends = []
    for W_enc in (atoms.T, np.asarray(np.linalg.pinv(atoms), dtype=np.float64)):
        start = loss.vector(W_enc, threshold, atoms, np.zeros(d))
        moving = np.ones(len(start), dtype=bool)
        moving[place] = False

        def restricted(
            values: Array, start: Array = start, moving: NDArray[np.bool_] = moving
        ) -> tuple[float, Array]:
            vector = start.copy()
            vector[moving] = values
            total, gradient = loss(vector)
            return total, gradient[moving]

        with np.errstate(all="ignore"):
            found = optimize.minimize(
                restricted, start[moving], jac=True, method="BFGS",
                options={"gtol": _TOLERANCE, "maxiter": _ITERATIONS},
            )  # fmt: skip
        vector = start.copy()
        vector[moving] = found.x
        ends.append(problem.sae(vector))
    return min(
        (expected_loss(law, _with_atoms(sae, atoms), objective) for sae in ends),
        key=lambda end: end.total,
    )


def _with_atoms(sae: Sae, atoms: Array) -> Sae:
    """Return the SAE with the code's own digits."""
    return Sae(sae.W_enc, sae.b_enc, atoms, sae.b_dec)
