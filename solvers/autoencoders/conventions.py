"""The losses that the field's libraries minimise, by name, and how their λ converts.

A new convention is an entry of `CONVENTIONS`, with the factor that converts its λ to that of
`solvers.autoencoders.objective`, and the source that says so.
"""

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
            "saelens-unit",
            "‖x - x̂‖² + λ Σ f_i",
            "[SAELens], versions 1 to 5, TrainingSAE with normalize_sae_decoder",
            "squared",
            "l1",
            "unit",
            "sum",
            None,
        ),
        Convention(
            "saelens-mean",
            "(1/d) ‖x - x̂‖² + λ Σ f_i",
            "[SAELens], version 1.0 to 1.4, SparseAutoencoder with normalize_sae_decoder",
            "squared",
            "l1",
            "unit",
            "mean",
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
