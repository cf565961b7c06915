"""The loss as a convention: what is summed, what is penalised, what is held fixed.

    L = E[reconstruction] + λ E[sparsity] + μ (‖W_enc‖² + ‖W_dec‖²)

No factor ½ and no division by d; biases are not decayed. Other conventions, by the names of
those who use them, are in `CONVENTIONS`, each with the factor that converts its λ.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from solvers.runtime.arguments import (
    check_choice,
    check_fields,
    check_number,
    check_whole,
    checked,
)
from theory.exact.errors import InputError

Array = NDArray[np.float64]

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
            check_number(name, getattr(self, name), least=0)
        for name, options in (
            ("reconstruction", RECONSTRUCTIONS),
            ("sparsity", SPARSITIES),
            ("decoder", DECODERS),
        ):
            check_choice(name, getattr(self, name), options)
        check_fields(self)

    @property
    def measure(self) -> tuple[object, ...]:
        """What two losses must share to be compared; how the decoder is held is no part of it."""
        return self.l1, self.reconstruction, self.sparsity, self.weight_decay

    @property
    def has_minimum(self) -> bool:
        """Whether the loss attains a minimum.

        With free atoms and a plain penalty, larger atoms and smaller activations make the
        penalty vanish, so that without weight decay the infimum is not attained.
        """
        shrinks = self.decoder == "free" and self.sparsity == "l1"
        return not (shrinks and self.l1 > 0 and self.weight_decay == 0)

    def latent_weights(self, W_dec: Array) -> Array:
        """Return what the penalty charges an activation of 1 of each latent, without λ.

        Parameters
        ----------
        W_dec : (..., n, d) array
            Atoms, of one SAE or of several.

        Returns
        -------
        (..., n) array
            ‖d_i‖ for the decoder-norm penalty, else 1.

        Examples
        --------
        >>> atoms = np.array([[3.0, 4.0], [0.0, 1.0]])
        >>> Objective(0.1, sparsity="decoder-norm").latent_weights(atoms).tolist()
        [5.0, 1.0]
        >>> Objective(0.1).latent_weights(atoms).tolist()
        [1.0, 1.0]
        """
        if self.sparsity == "decoder-norm":
            norms: Array = np.linalg.norm(W_dec, axis=-1)
            return norms
        return np.ones(W_dec.shape[:-1])

    def check_has_minimum(self) -> None:
        """Raise `InputError` unless the loss attains a minimum."""
        if not self.has_minimum:
            raise InputError(
                "decoder",
                "'unit', sparsity 'decoder-norm' or weight_decay > 0",
                hint="with free atoms and a plain l1 penalty the loss has no minimum",
            )

    def check_comparable(self, other: "Objective") -> None:
        """Raise `InputError` unless losses under both objectives measure the same thing."""
        names = ("l1", "reconstruction", "sparsity", "weight_decay")
        for name, mine, theirs in zip(names, self.measure, other.measure, strict=True):
            if mine != theirs:
                hint = "convert_l1 converts λ between conventions"
                expected = "losses of one convention to compare"
                raise InputError(name, expected, (mine, theirs), hint=hint)


@dataclass(frozen=True)
class Convention:
    """A loss as somebody trains it.

    Parameters
    ----------
    name : str
    formula : str
        For one sample; the loss is its mean over samples.
    source : str
        Where that is documented: a key of docs/references.md and the place.
    reconstruction, sparsity, decoder : str
        As for `Objective`.
    error : {"sum", "mean", "half"}
        Whether the squared error is summed over the d coordinates, averaged over them, or
        half the sum.
    subtracts_b_dec : bool or None
        Whether the encoder reads x - b_dec; None if that is a setting.
    """

    name: str
    formula: str
    source: str
    reconstruction: str
    sparsity: str
    decoder: str
    error: str
    subtracts_b_dec: bool | None

    def __post_init__(self) -> None:
        check_fields(self)
        check_choice("error", self.error, ("sum", "mean", "half"))

    def factor(self, dimension: int) -> float:
        """What the squared error, summed over coordinates, is multiplied by.

        Examples
        --------
        >>> CONVENTIONS["pytorch-mse"].factor(2)
        0.5
        """
        dimension = check_whole("dimension", dimension, 1)
        return {"sum": 1.0, "mean": 1.0 / dimension, "half": 0.5}[self.error]

    def objective(self, l1: float, dimension: int) -> Objective:
        """Return the objective of this package that has the same minima as this loss at λ.

        Its total is this loss divided by `factor(dimension)`.

        Examples
        --------
        >>> CONVENTIONS["pytorch-mse"].objective(0.1, 2).l1
        0.2
        """
        return Objective(
            l1=check_number("l1", l1, least=0) / self.factor(dimension),
            reconstruction=self.reconstruction,
            sparsity=self.sparsity,
            decoder=self.decoder,
        )


CONVENTIONS: Final[dict[str, Convention]] = {
    convention.name: convention
    for convention in (
        Convention(
            "anders2024",
            "‖x - x̂‖²/‖x‖² + λ Σ f_i",
            "[Anders2024], code, class AutoEncoder",
            "relative",
            "l1",
            "unit",
            "sum",
            False,
        ),
        Convention(
            "anders2024-raw",
            "‖x - x̂‖² + λ Σ f_i",
            "[Anders2024], code, class AutoEncoder without the division by ‖x‖²",
            "squared",
            "l1",
            "unit",
            "sum",
            False,
        ),
        Convention(
            "bricken2023",
            "‖x - x̂‖² + λ Σ f_i",
            "[Bricken2023], appendix on the autoencoder's training",
            "squared",
            "l1",
            "unit",
            "sum",
            True,
        ),
        Convention(
            "april-update",
            "‖x - x̂‖² + λ Σ f_i ‖d_i‖",
            "[Anthropic2024], section on the training of dictionaries",
            "squared",
            "decoder-norm",
            "free",
            "sum",
            False,
        ),
        Convention(
            "saelens-standard",
            "‖x - x̂‖² + λ Σ f_i ‖d_i‖",
            "[SAELens], StandardTrainingSAE",
            "squared",
            "decoder-norm",
            "free",
            "sum",
            None,
        ),
        Convention(
            "dictionary-learning",
            "‖x - x̂‖² + λ Σ f_i",
            "[DictionaryLearning], trainers/standard.py, StandardTrainer",
            "squared",
            "l1",
            "unit",
            "sum",
            True,
        ),
        Convention(
            "pytorch-mse",
            "(1/d) ‖x - x̂‖² + λ Σ f_i",
            "[PyTorch], nn.MSELoss with its default reduction, the mean over all entries",
            "squared",
            "l1",
            "unit",
            "mean",
            None,
        ),
        Convention(
            "scikit-learn",
            "½ ‖x - x̂‖² + λ Σ f_i",
            "[ScikitLearn], decomposition.DictionaryLearning with positive_code",
            "squared",
            "l1",
            "unit",
            "half",
            None,
        ),
    )
}


@checked
def convention(name: str) -> Convention:
    """Return the convention of a name.

    Raises
    ------
    InputError
        If there is none.
    """
    return CONVENTIONS[check_choice("convention", name, CONVENTIONS)]


@checked
def convert_l1(l1: float, source: str, target: str, dimension: int) -> float:
    """Return the λ of one convention that means what λ means in another.

    Raises
    ------
    InputError
        For an unknown name, or conventions that measure different things: no λ converts a
        relative error into a squared one, or a plain penalty into a weighted one.

    Examples
    --------
    A mean over d = 2 coordinates halves the squared error, so λ halves with it:

    >>> convert_l1(0.1, "dictionary-learning", "pytorch-mse", 2)
    0.05
    """
    origin, goal = convention(source), convention(target)
    for field in ("reconstruction", "sparsity"):
        if getattr(origin, field) != getattr(goal, field):
            expected = f"{getattr(goal, field)!r}, as {target} has"
            hint = f"no λ converts {source} into it"
            raise InputError(field, expected, getattr(origin, field), hint=hint)
    return origin.objective(l1, dimension).l1 * goal.factor(dimension)
