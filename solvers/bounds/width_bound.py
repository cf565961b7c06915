"""What no SAE of n latents can reconstruct: the d - n least principal components.

Whatever the encoder and its activations, x̂ = b + Σ f_i d_i lies in an affine subspace b + S with
dim S ≤ n. With P the orthogonal projection onto S and C the covariance of x,

    E ‖x - x̂‖² ≥ E dist²(x, b + S) ≥ tr((1 - P) C) ≥ σ_{n+1} + ... + σ_d,

σ_1 ≥ ... ≥ σ_d being the eigenvalues of C: the second step is that a mean square is least about
the mean, the third Ky Fan's minimum principle [Fan1949, theorem 1]. It is the error of the n
leading principal components, which an SAE attains only where activations ≥ 0 suffice.
"""

import numpy as np

from solvers.bounds.radial_bound import LowerBound
from solvers.laws.arrays import LawArrays

# What rounding may do to an eigenvalue, in units of machine epsilon times d times the largest
# number that enters.
_ROUNDING = 64 * float(np.finfo(float).eps)


def width_bound(law: LawArrays, n_latents: int) -> LowerBound:
    """Return the sum of the d - n least eigenvalues of the covariance, and its rounding error.

    Examples
    --------
    The covariance of the first data set is 1/3 in every direction:

    >>> from solvers.laws.arrays import law_arrays
    >>> from theory import load_law
    >>> [round(width_bound(law_arrays(load_law("shared")), n).value, 12) for n in (0, 1, 2)]
    [0.666666666667, 0.333333333333, 0.0]
    """
    d = law.dimension
    if n_latents >= d:
        return LowerBound(0.0, 0.0)
    covariance = law.moved(law.mean, 1.0).second_moment
    least = float(np.linalg.eigvalsh(covariance)[: d - n_latents].sum())
    reach = float(np.linalg.norm(law.mean)) + law.spread**0.5
    return LowerBound(max(least, 0.0), _ROUNDING * d * reach * law.spread**0.5, "width bound")
