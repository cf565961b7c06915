"""The losses that JumpReLU, TopK, BatchTopK, Matryoshka and Gated SAEs are trained on, by name.

`solvers.autoencoders.conventions` has those of ReLU SAEs with an l1 penalty. Here most losses have
an l0 penalty or none, a reconstruction for every prefix, and terms beside it; each entry says how
much of that an `Objective` holds, how its λ₀ converts, and what is left out and why.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from solvers.autoencoders.objective import Objective
from solvers.runtime.arguments import (
    check_choice,
    check_fields,
    check_number,
    check_whole,
    checked,
)
from theory.exact.errors import InputError

ERRORS: Final = ("sum", "mean", "variance")
PREFIXES: Final = ("", "sum", "weighted mean")


@dataclass(frozen=True)
class ArchitectureConvention:
    """A loss as somebody trains an architecture on it.

    Parameters
    ----------
    name, architecture : str
    formula : str
        For one sample; the loss is its mean over samples. x̂_s is the reconstruction from the
        latents of prefix s.
    source : str
        Where that is documented: a key of docs/references.md and the place.
    error : {"sum", "mean", "variance"}
        Whether the squared error is summed over the d coordinates, averaged over them, or divided
        by E ‖x - E x‖².
    penalty : {"", "l0"}
        What λ multiplies in the formula.
    decoder : {"unit", "free"}
    prefixes : {"", "sum", "weighted mean"}
        Whether there is a reconstruction for every prefix, and how they are put together:
        "weighted mean" is (1/r) Σ_s w_s, with w_s = 1/r by default.
    auxiliary : str
        Further terms. Those of dead latents depend on the history of training: no law defines
        them.
    outside : str
        Why `Objective` cannot say it, and training perhaps minimises nothing at all; "" if it can.
    """

    name: str
    architecture: str
    formula: str
    source: str
    error: str = "sum"
    penalty: str = ""
    decoder: str = "free"
    prefixes: str = ""
    auxiliary: str = ""
    outside: str = ""

    def __post_init__(self) -> None:
        check_fields(self)
        check_choice("error", self.error, ERRORS)
        check_choice("penalty", self.penalty, ("", "l0"))
        check_choice("prefixes", self.prefixes, PREFIXES)

    def factor(self, dimension: int) -> float:
        """What the squared error, summed over coordinates, is multiplied by.

        An error over the variance counts with 1 here: without a penalty its minima are the same.

        Examples
        --------
        >>> ARCHITECTURE_CONVENTIONS["bussmann2024"].factor(4)
        0.25
        """
        dimension = check_whole("dimension", dimension, 1)
        return 1.0 / dimension if self.error == "mean" else 1.0

    def objective(
        self,
        coefficient: float = 0.0,
        dimension: int = 1,
        prefixes: Sequence[int] = (),
        weights: Sequence[float] = (),
    ) -> Objective:
        """Return the objective of this package that has the same minima as this loss.

        Its total is this loss without the auxiliary terms, divided by `factor(dimension)`.

        Parameters
        ----------
        coefficient : float ≥ 0
            The λ of the formula; 0 where it has none.
        dimension : int
            d.
        prefixes, weights : sequences of int and float, optional
            Of a Matryoshka loss, its widths, the last of which is the number of latents, and the
            weights w of a "weighted mean".

        Raises
        ------
        InputError
            If `Objective` cannot say this loss, or a setting is given that the formula lacks.

        Examples
        --------
        >>> ARCHITECTURE_CONVENTIONS["saelens-jumprelu"].objective(0.1, 2).l0
        0.1
        >>> nested = ARCHITECTURE_CONVENTIONS["dictionary-learning-matryoshka"]
        >>> nested.objective(prefixes=(1, 4), weights=(1.0, 0.5)).prefix_weights
        (0.5, 0.25)
        """
        if self.outside:
            raise InputError("convention", "one that an Objective can say", self.name,
                             hint=self.outside)  # fmt: skip
        coefficient = check_number("coefficient", coefficient, least=0)
        if coefficient and not self.penalty:
            raise InputError("coefficient", f"0, as {self.name} has no penalty", coefficient)
        if bool(prefixes) != bool(self.prefixes):
            expected = f"{'some' if self.prefixes else 'none'}, as {self.name} has"
            raise InputError("prefixes", expected, tuple(prefixes))
        if weights and self.prefixes != "weighted mean":
            raise InputError("weights", f"none, as {self.name} has", tuple(weights))
        shares: str | tuple[float, ...] = "sum"
        if self.prefixes == "weighted mean":
            count = len(prefixes)
            given = tuple(weights) or (1.0 / count,) * count
            shares = tuple(check_number("weights", one, above=0) / count for one in given)
        return Objective(
            l1=0.0,
            l0=coefficient / self.factor(dimension),
            decoder=self.decoder,
            prefixes=tuple(prefixes),
            prefix_weights=shares,
        )


_SQUARED = "‖x - x̂‖²"
_JUMP = f"{_SQUARED} + λ #{{f_i > 0}}"
_GATED = f"{_SQUARED} + λ Σ ReLU(π_i) + ‖x - x̂_gate‖²"
_NESTED = "Σ_s ‖x - x̂_s‖²"
# Terms of dead latents: who is dead depends on the history of training, so no law defines them.
_AUX = "α ‖e - ê‖², e = x - x̂ and ê from dead latents"
_OVER = "α ‖e - ê‖²/E ‖e - E e‖², e = x - x̂ and ê from dead latents"
_PRE_ACT = "β Σ ReLU(θ_i - p_i) ‖d_i‖ over dead latents, with pre_act_loss_coefficient"
_FROZEN = (
    "x̂_gate has a frozen copy of the decoder: its gradient stops there, and training minimises "
    "no one loss"
)

ARCHITECTURE_CONVENTIONS: Final[dict[str, ArchitectureConvention]] = {
    entry.name: entry
    for entry in (
        ArchitectureConvention(
            "rajamanoharan2024b",
            "JumpReLU",
            _JUMP,
            "[Rajamanoharan2024b], eq. 9",
            penalty="l0",
        ),
        ArchitectureConvention(
            "saelens-jumprelu",
            "JumpReLU",
            _JUMP,
            "[SAELens], JumpReLUTrainingSAE, jumprelu_sparsity_loss_mode 'step'",
            penalty="l0",
            auxiliary=_PRE_ACT,
        ),
        ArchitectureConvention(
            "saelens-jumprelu-tanh",
            "JumpReLU",
            f"{_SQUARED} + λ Σ tanh(c f_i ‖d_i‖)",
            "[SAELens], JumpReLUTrainingSAE, jumprelu_sparsity_loss_mode 'tanh'",
            auxiliary=_PRE_ACT,
            outside="the penalty is neither l1 nor l0",
        ),
        ArchitectureConvention(
            "saelens-jumprelu-quadratic",
            "JumpReLU",
            f"{_SQUARED} + (2λ/k) (#{{f_i > 0}} - k)²",
            "[SAELens], JumpReLUTrainingSAE, jumprelu_sparsity_loss_mode 'quadratic'",
            auxiliary=_PRE_ACT,
            outside="the penalty is quadratic in how many latents fire",
        ),
        ArchitectureConvention(
            "dictionary-learning-jumprelu",
            "JumpReLU",
            f"{_SQUARED} + λ (E #{{f_i > 0}}/k - 1)²",
            "[DictionaryLearning], trainers/jumprelu.py, JumpReluTrainer",
            decoder="unit",
            outside="the penalty is quadratic in E l0; a stationary point is one of the loss with "
            "λ₀ = 2λ (E l0 - k)/k²",
        ),
        ArchitectureConvention(
            "gao2024",
            "TopK",
            f"{_SQUARED}/E ‖x - E x‖²",
            "[Gao2024], code, train.py",
            error="variance",
            decoder="unit",
            auxiliary=_OVER,
        ),
        ArchitectureConvention(
            "saelens-topk",
            "TopK",
            _SQUARED,
            "[SAELens], TopKTrainingSAE",
            auxiliary=_AUX,
        ),
        ArchitectureConvention(
            "dictionary-learning-topk",
            "TopK",
            _SQUARED,
            "[DictionaryLearning], trainers/top_k.py, TopKTrainer",
            decoder="unit",
            auxiliary=_OVER,
        ),
        ArchitectureConvention(
            "sparsify",
            "TopK",
            f"{_SQUARED}/E ‖x - E x‖²",
            "[Sparsify], sparse_coder.py, SparseCoder.forward",
            error="variance",
            decoder="unit",
            auxiliary=f"{_AUX}; with multi_topk an eighth of the error with 4k latents",
        ),
        ArchitectureConvention(
            "bussmann2024",
            "BatchTopK",
            f"(1/d) {_SQUARED}",
            "[Bussmann2024], code, sae.py, BatchTopKSAE",
            error="mean",
            decoder="unit",
            auxiliary=f"(1/d) {_AUX}",
        ),
        ArchitectureConvention(
            "saelens-batchtopk",
            "BatchTopK",
            _SQUARED,
            "[SAELens], BatchTopKTrainingSAE",
            auxiliary=_AUX,
        ),
        ArchitectureConvention(
            "dictionary-learning-batchtopk",
            "BatchTopK",
            _SQUARED,
            "[DictionaryLearning], trainers/batch_top_k.py, BatchTopKTrainer",
            decoder="unit",
            auxiliary=_OVER,
        ),
        ArchitectureConvention(
            "saelens-matryoshka",
            "Matryoshka",
            _NESTED,
            "[SAELens], MatryoshkaBatchTopKTrainingSAE",
            prefixes="sum",
            auxiliary=f"{_AUX}; with use_matryoshka_aux_loss one a prefix",
        ),
        ArchitectureConvention(
            "dictionary-learning-matryoshka",
            "Matryoshka",
            "(1/r) Σ_s w_s ‖x - x̂_s‖²",
            "[DictionaryLearning], trainers/matryoshka_batch_top_k.py",
            decoder="unit",
            prefixes="weighted mean",
            auxiliary=_OVER,
        ),
        ArchitectureConvention(
            "bussmann2025",
            "Matryoshka",
            _NESTED,
            "[Bussmann2025], section 3",
            prefixes="sum",
            auxiliary=_AUX,
        ),
        ArchitectureConvention(
            "bussmann2025-code",
            "Matryoshka",
            f"1/((r + 1) d) (‖x - b_dec‖² + {_NESTED})",
            "[Bussmann2025], code, sae.py, GlobalBatchTopKMatryoshkaSAE",
            error="mean",
            decoder="unit",
            auxiliary=f"(1/d) {_AUX}",
            outside="the empty prefix is charged too, ‖x - b_dec‖²",
        ),
        ArchitectureConvention(
            "nabeshima2024",
            "Matryoshka",
            "(1/r) Σ_s (‖x - x̂_s‖² + λ Σ_{i ≤ m_s} f_i ‖d_i‖), m_s drawn at random",
            "[Nabeshima2024], code, sae.py, MatryoshkaSAE",
            outside="λ follows l0 and the latents are reordered while it trains, and the penalty "
            "is summed over prefixes; the drawn prefixes alone are weights in expectation",
        ),
        ArchitectureConvention(
            "chanin2025a-delta",
            "Matryoshka",
            _NESTED,
            "[Chanin2025a], code, matryoshka_sae.py, use_delta_loss",
            outside="gradients stop at the prefix before: training minimises no loss",
        ),
        ArchitectureConvention(
            "rajamanoharan2024a",
            "Gated",
            _GATED,
            "[Rajamanoharan2024a], eq. 8",
            decoder="unit",
            outside=_FROZEN,
        ),
        ArchitectureConvention(
            "saelens-gated",
            "Gated",
            f"{_SQUARED} + λ Σ ReLU(π_i) ‖d_i‖ + ‖x - x̂_gate‖²",
            "[SAELens], GatedTrainingSAE",
            outside="two reconstructions, one of them the gate's; `training_loss` evaluates both",
        ),
        ArchitectureConvention(
            "dictionary-learning-gated",
            "Gated",
            _GATED,
            "[DictionaryLearning], trainers/gdm.py, GatedSAETrainer",
            decoder="unit",
            outside=_FROZEN,
        ),
    )
}


@checked
def architecture_convention(name: str) -> ArchitectureConvention:
    """Return the convention of a name.

    Raises
    ------
    InputError
        If there is none.
    """
    return ARCHITECTURE_CONVENTIONS[check_choice("convention", name, ARCHITECTURE_CONVENTIONS)]
