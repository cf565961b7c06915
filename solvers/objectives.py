"""The loss as a convention: what is summed, what is penalised, what is held fixed.

    L = E[reconstruction] + λ E[sparsity] + μ (‖W_enc‖² + ‖W_dec‖²)

No factor ½ and no division by d; biases are not decayed.
"""

import math
from dataclasses import dataclass
from typing import Final

from theory.errors import InputError

RECONSTRUCTIONS: Final = ("squared", "relative")
SPARSITIES: Final = ("l1", "decoder-norm")
DECODERS: Final = ("unit", "free")


@dataclass(frozen=True)
class Objective:
    """The convention of a loss.

    Parameters
    ----------
    l1 : float ≥ 0
        λ, the coefficient of the sparsity penalty.
    reconstruction : {"squared", "relative"}
        ‖x - x̂‖², summed over the d coordinates; or ‖x - x̂‖²/‖x‖², x = 0 counting 0.
    sparsity : {"l1", "decoder-norm"}
        Σ f_i, or Σ f_i ‖d_i‖ [Anthropic2024].
    decoder : {"unit", "free"}
        Whether `minimize_loss` keeps every ‖d_i‖ = 1. The loss of given weights is the
        same for both.
    weight_decay : float ≥ 0
        μ.

    Raises
    ------
    InputError
        Naming the field, its value and what was expected.

    Examples
    --------
    >>> Objective(l1=0.1)
    Objective(l1=0.1, reconstruction='squared', sparsity='l1', decoder='unit', weight_decay=0.0)
    """

    l1: float
    reconstruction: str = "squared"
    sparsity: str = "l1"
    decoder: str = "unit"
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        for name in ("l1", "weight_decay"):
            value = getattr(self, name)
            real = isinstance(value, int | float) and not isinstance(value, bool)
            if not (real and value >= 0 and math.isfinite(value)):
                raise InputError(f"{name}: expected a finite number ≥ 0, got {value!r}")
        for name, options in (
            ("reconstruction", RECONSTRUCTIONS),
            ("sparsity", SPARSITIES),
            ("decoder", DECODERS),
        ):
            if getattr(self, name) not in options:
                raise InputError(
                    f"{name}: expected one of {', '.join(options)}, got {getattr(self, name)!r}"
                )
