"""Every symbol of the package and its assumptions, made once and imported everywhere.

A symbol made twice with different assumptions is two different symbols to sympy, so no
other module calls `sympy.Symbol`.
"""

from functools import lru_cache
from typing import Final

import sympy

#: Largest amplitude of an active feature.
AMPLITUDE: Final = sympy.Symbol("A", positive=True)
#: Mean amplitude of an active feature, when its law is left open.
MEAN_AMPLITUDE: Final = sympy.Symbol("m", positive=True)
#: Norm of a decoder row (and of an encoder column, where the reading says so).
NORM: Final = sympy.Symbol("s", positive=True)
#: Angle of an orthogonal frame from the axes, in radians.
THETA: Final = sympy.Symbol("theta", real=True)
#: Angle of a direction on which the data are projected, in radians.
PHI: Final = sympy.Symbol("phi", real=True)
#: Coefficient λ of the l1 penalty.
L1: Final = sympy.Symbol("lambda", positive=True)
#: Coefficient λ₀ of the latents that fire, and its root τ, the height of a hard threshold.
L0: Final = sympy.Symbol("lambda_0", positive=True)
HEIGHT: Final = sympy.Symbol("tau", positive=True)
#: Norm r = ‖x‖ of a data point, or its length along a ray.
RADIUS: Final = sympy.Symbol("r", positive=True)
#: Coefficient of a latent before both layers (the reading "through both layers").
COEFFICIENT: Final = sympy.Symbol("c", nonnegative=True)
#: One-hot probability.
ONEHOT_PROBABILITY: Final = sympy.Symbol("q", nonnegative=True)
#: Magnitude correlation.
MAGNITUDE_CORRELATION: Final = sympy.Symbol("f", nonnegative=True)
#: Correlation of the signs of the two sets.
SIGN_CORRELATION: Final = sympy.Symbol("rho", real=True)
#: Coordinates of the unit cube [0, 1]^k.
CUBE: Final = sympy.symbols("u1:9", nonnegative=True)
#: Length that one unit of a latent's coefficient has in the reconstruction.
GAIN: Final = sympy.Symbol("g", positive=True)
#: Amplitude of one data point.
POINT_AMPLITUDE: Final = sympy.Symbol("a", positive=True)
#: Activation cost of a code on a law.
MEAN_COST: Final = sympy.Symbol("C", positive=True)
#: Weight decay μ.
WEIGHT_DECAY: Final = sympy.Symbol("mu", positive=True)
#: How far b_dec is moved against an atom.
SHIFT: Final = sympy.Symbol("B", positive=True)
#: Number of samples N.
SAMPLES: Final = sympy.Symbol("N", positive=True)

#: Number of one-hot pairs k.
PAIRS: Final = sympy.Symbol("k", integer=True, positive=True)


@lru_cache(maxsize=64)
def standard_normals(count: int) -> tuple[sympy.Symbol, ...]:
    """Return symbols for the coordinates of a standard normal variable in R^count.

    Examples
    --------
    >>> standard_normals(2)
    (z1, z2)
    """
    return tuple(sympy.symbols(f"z1:{count + 1}", real=True))


def label(name: str) -> sympy.Symbol:
    """Return a name for the left-hand side of a displayed formula, such as C_diagonal.

    Examples
    --------
    >>> sympy.latex(label("C_axes"))
    'C_{axes}'
    """
    return sympy.Symbol(name, real=True)
