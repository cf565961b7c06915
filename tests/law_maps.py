"""Laws and SAEs carried along by x → scale · x + shift, component by component."""

from collections.abc import Sequence

import numpy as np
import sympy

from solvers import Sae
from theory import Component, Law

Array = np.ndarray


def moved_law(law: Law, scale: sympy.Rational | int = 1, shift: Sequence[int] = ()) -> Law:
    """Return the law of scale · x + shift, exactly."""
    by = sympy.ImmutableMatrix([*shift] or [0] * law.dimension)
    return Law(
        tuple(
            Component(part.probability, scale * part.matrix, scale * part.offset + by)
            for part in law.components
        ),
        law.name,
    )


def moved_sae(sae: Sae, scale: float = 1.0, shift: Sequence[int] = ()) -> Sae:
    """Return the SAE that does at scale · x + shift what this one does at x, in its scale."""
    by = np.array([*shift] or [0] * sae.d_in, dtype=np.float64)
    return Sae(sae.W_enc, scale * sae.b_enc - by @ sae.W_enc, sae.W_dec, scale * sae.b_dec + by)
