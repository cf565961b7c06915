"""The loss that a library trained an SAE on, where the law defines it; and what it does not.

* objective: E ‖x - x̂‖² + λ E sparsity (`solvers.losses.expected_loss`);
* gated: E ‖x - x̂‖² + λ E Σ ReLU(π_i) ‖d_i‖ + E ‖x - x̂_gate‖². The penalty and the second
  reconstruction are those of the gate path as a ReLU SAE [Rajamanoharan2024a], eq. 8; the
  weights ‖d_i‖ are SAELens', dictionary_learning has none and holds ‖d_i‖ = 1;
* l0: E ‖x - x̂‖² + λ₀ E #{i : f_i > 0} [Rajamanoharan2024b], eq. 9;
* squared: E ‖x - x̂‖², of a Matryoshka SAE Σ_s v_s E ‖x - x̂_s‖² with x̂_s from its first m_s
  latents [Bussmann2025]. In training BatchTopK ranks whole batches [Bussmann2024]; here its stored
  threshold decides, as it does at inference;
* unexplained variance: E ‖x - x̂‖² / E ‖x - E x‖², sparsify's FVU.
"""

from dataclasses import dataclass

from solvers.autoencoders.architectures import GatedSae
from solvers.autoencoders.autoencoder import Autoencoder
from solvers.autoencoders.conventions import CONVENTIONS
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import law_arrays
from solvers.losses.expected_loss import expected_loss
from solvers.runtime.arguments import checked
from theory.exact.errors import InputError
from theory.laws.law import Law

_AUXILIARY = "the auxiliary loss of dead latents: it depends on the history of training"


@dataclass(frozen=True)
class TrainingLoss:
    """The exact loss in the terms of the library that trained.

    Parameters
    ----------
    total : float
    terms : dict
        The total's summands by name.
    left_out : tuple of str
        Terms that no law defines.
    """

    total: float
    terms: dict[str, float]
    left_out: tuple[str, ...] = ()


@checked
def training_loss(law: Law, sae: Autoencoder) -> TrainingLoss | None:
    """Return the loss that the SAE's file says it was trained on, or None if it does not say.

    Examples
    --------
    >>> from solvers.autoencoders.architectures import TopKSae
    >>> from solvers.autoencoders.frames import frame_sae
    >>> from solvers.autoencoders.autoencoder import Origin
    >>> from theory import load_law
    >>> sae = TopKSae(frame_sae(0.0), 1).with_origin(Origin(loss="unexplained variance"))
    >>> round(training_loss(load_law("independent"), sae).total, 12)
    0.25
    """
    origin = sae.origin
    if origin.loss == "objective" and origin.l1 is not None:
        objective = CONVENTIONS[origin.convention].objective(origin.l1, sae.d_in)
        loss = expected_loss(law, sae, objective)
        return _total({"reconstruction": loss.reconstruction, "sparsity": loss.sparsity})
    squared = expected_loss(
        law, sae, Objective(0.0, prefixes=origin.prefixes, prefix_weights=origin.prefix_weights)
    )
    name = "reconstruction of prefixes" if origin.prefixes else "reconstruction"
    terms = {name: squared.reconstruction}
    if origin.loss == "squared":
        return _total(terms, (_AUXILIARY,))
    if origin.loss == "unexplained variance":
        spread = law_arrays(law).spread
        if spread == 0:
            raise InputError(f"law {law.name!r}", "a variance > 0 to divide by")
        return _total({"unexplained variance": squared.reconstruction / spread}, (_AUXILIARY,))
    if origin.loss == "l0" and origin.l0 is not None:
        return _total({**terms, "l0 penalty": origin.l0 * squared.l0})
    if origin.loss == "gated" and isinstance(sae, GatedSae) and origin.l1 is not None:
        convention = CONVENTIONS[origin.convention]
        gate = expected_loss(law, sae.gate, convention.objective(origin.l1, sae.d_in))
        terms |= {"gate sparsity": gate.sparsity, "gate reconstruction": gate.reconstruction}
        return _total(terms)
    return None


def _total(terms: dict[str, float], left_out: tuple[str, ...] = ()) -> TrainingLoss:
    return TrainingLoss(sum(terms.values()), terms, left_out)
