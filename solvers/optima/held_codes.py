"""The least exact loss of an SAE whose atoms are held at a code: only encoder and biases move."""

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from solvers.autoencoders.autoencoder import Sae
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import law_arrays
from solvers.losses.parameters import ScaledProblem
from solvers.losses.solution import Solution
from theory.codes.code import Code
from theory.laws.law import Law

Array = NDArray[np.float64]

_TOLERANCE = 1e-9
_ITERATIONS = 2000


def held_code(law: Law, code: Code, objective: Objective) -> Solution:
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

    >>> from theory.codes.code import axis_aligned
    >>> from theory.laws.law import preset
    >>> round(held_code(preset("shared"), axis_aligned(), Objective(l1=0.1)).loss.total, 9)
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
        sae = problem.sae(vector)
        # With the code's own digits.
        sae = Sae(sae.W_enc, sae.b_enc, atoms, sae.b_dec)
        ends.append(Solution.of(law, sae, objective))
    return min(ends, key=lambda end: end.loss.total)
