"""A trained SAE against the theory: how far from the optimum it is, and why.

Four losses in one convention: now; polished, at the stationary point its own weights descend
to; the optimum, the best found for the same width; and a lower bound on every SAE's. Between
them lie the gaps of training, of the basin, and what is open. Beside them, with the best
activations for its own atoms, lies the amortisation gap.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from solvers.best_activations import best_activation_loss
from solvers.best_known import Best, Known, best_known, has_minimum
from solvers.expected_loss import ExpectedLoss, expected_loss
from solvers.law_arrays import law_arrays
from solvers.matching import (
    Absorbed,
    AtomReport,
    CodeMatch,
    absorbed,
    atom_reports,
    closest_code,
    unit,
)
from solvers.objectives import CONVENTIONS, Objective
from solvers.piecewise_loss import piecewise_parts
from solvers.polish import Polished, polish, with_finite_loss
from solvers.sae import Autoencoder, Sae
from solvers.sampled_loss import SampledLoss, sampled_loss
from solvers.training_losses import TrainingLoss, training_loss
from theory.errors import InputError
from theory.laws import Law

Array = NDArray[np.float64]

#: Gaps below this share of the optimum's loss are not worth a verdict.
NOTABLE = 1e-3
#: A lower bound this close, relatively, is attained.
ATTAINED = 1e-9


@dataclass(frozen=True)
class Gaps:
    """Differences of losses; None where the mathematics does not reach.

    Parameters
    ----------
    training : float or None
        Now less polished.
    basin : float or None
        Polished less optimum.
    amortisation : float or None
        Now less the loss of its own atoms and b_dec with the best activations.
    bound : float or None
        Optimum less lower bound.
    """

    training: float | None
    basin: float | None
    amortisation: float | None
    bound: float | None


@dataclass(frozen=True)
class CrossCheck:
    """What `cross_check` finds.

    Parameters
    ----------
    law : Law
    sae : Autoencoder
        As given.
    objective : Objective
    loss : ExpectedLoss
        Of the weights as given.
    judged : ExpectedLoss
        Of the weights on the objective's constraints, from which the gaps are counted.
    judged_sae : Autoencoder
    polished : Polished or None
    optimum : Best or None
    lower_bound : float or None
    best_activations : float or None
    gaps : Gaps
    verdict : str
        "optimum", "training", "basin", "training and basin", or "" if not decided.
    sentences : tuple of str
    atoms : tuple of AtomReport
    closest_code : CodeMatch or None
    absorbed : Absorbed or None
    at_origin : tuple of float
        x̂(0).
    shrinkage : float
        E ‖x̂‖² / E ‖x‖².
    reconstruction_bias : float or None
        γ = E ‖x̂‖² / E x·x̂, 1 without shrinkage [Rajamanoharan2024a], section 4.
    co_firing : (n, n) array
    training : TrainingLoss or None
    sampled : SampledLoss or None
    notes : tuple of str
    """

    law: Law
    sae: Autoencoder
    objective: Objective
    loss: ExpectedLoss
    judged: ExpectedLoss
    judged_sae: Autoencoder
    polished: Polished | None
    optimum: Best | None
    lower_bound: float | None
    best_activations: float | None
    gaps: Gaps
    verdict: str
    sentences: tuple[str, ...]
    atoms: tuple[AtomReport, ...]
    closest_code: CodeMatch | None
    absorbed: Absorbed | None
    at_origin: tuple[float, ...]
    shrinkage: float
    reconstruction_bias: float | None
    co_firing: Array
    training: TrainingLoss | None
    sampled: SampledLoss | None
    notes: tuple[str, ...]

    def plot(self, path: str | Path) -> None:
        """Write the picture: support, atoms before and after polishing, the optimum's.

        The suffix of `path` says the format: .png, .svg or .pdf.
        """
        # Matplotlib takes half a second to import; only pictures need it.
        from solvers.figures import atoms_figure, write_figure  # noqa: PLC0415

        write_figure(atoms_figure(self.law, self.layers(), self.law.name), Path(path))

    def layers(self) -> list[tuple[str, Autoencoder, tuple[float, ...]]]:
        """Return what the picture shows: a label, an SAE and who fires."""
        shown = [("now", self.judged_sae, self.judged.firing)]
        if self.polished is not None:
            shown.append(("polished", self.polished.sae, self.polished.loss.firing))
        if self.optimum is not None:
            shown.append(("optimum", self.optimum.sae, self.optimum.loss.firing))
        return shown


def objective_for(sae: Autoencoder, l1: float | None = None, **given: object) -> Objective:
    """Return the objective of the SAE's own library, with what is given in its place.

    Raises
    ------
    InputError
        If λ is neither given nor in the file, and the SAE was trained with one.

    Examples
    --------
    >>> from solvers.sae import Origin
    >>> sae = Sae([[1.0]], [0], [[1.0]], [0], Origin(convention="saelens-standard", l1=0.1))
    >>> objective_for(sae).sparsity
    'decoder-norm'
    """
    origin = sae.origin
    own = CONVENTIONS.get(origin.convention)
    if l1 is None:
        without = sae.architecture in ("TopK", "JumpReLU")
        if origin.l1 is None and not without:
            raise InputError("--l1: expected λ, which this file does not hold")
        l1 = 0.0 if origin.l1 is None else origin.l1
        if own is not None:
            l1 = own.objective(l1, sae.d_in).l1
    fields: dict[str, object] = {}
    if own is not None:
        fields = {"reconstruction": own.reconstruction, "sparsity": own.sparsity,
                  "decoder": own.decoder}  # fmt: skip
    fields |= {name: value for name, value in given.items() if value is not None}
    return Objective(l1, **fields)  # type: ignore[arg-type]  # validated there


def cross_check(
    law: Law,
    sae: Autoencoder,
    objective: Objective,
    *,
    starts: int | None = None,
    seed: int = 0,
    samples: int = 0,
    known: Known | None = None,
) -> CrossCheck:
    """Hold a trained SAE against the optimum of its law, width and objective.

    Parameters
    ----------
    law : Law
    sae : Autoencoder
    objective : Objective
    starts : int, optional
        Random starts for the optimum, beside the law's codes and the SAE itself; by default
        32, for the relative reconstruction 4.
    seed : int
    samples : int
        If positive, a Monte Carlo estimate from so many samples is added.
    known : dict, optional
        Optima of earlier checks; looked up first, and added to.

    Raises
    ------
    InputError
        If the SAE's d_in is not the law's d, or as `expected_loss`.

    Examples
    --------
    The axis-aligned SAE is far above the optimum, and it is stuck there:

    >>> from solvers.frames import frame_sae
    >>> from theory import load_law
    >>> check = cross_check(load_law("shared"), frame_sae(0.0, 0.05), Objective(l1=0.1))
    >>> check.verdict, check.closest_code.code, round(check.optimum.loss.total, 9)
    ('basin', 'axis-aligned', 0.068240141)
    """
    loss = expected_loss(law, sae, objective)
    judged_sae, objective_used, notes = _on_constraints(law, sae, objective)
    judged = expected_loss(law, judged_sae, objective_used)
    arrays = law_arrays(law)

    polished = optimum = None
    if isinstance(judged_sae, Sae) and has_minimum(objective_used):
        polished = polish(law, judged_sae, objective_used)
    if has_minimum(objective_used) and objective_used.l1 > 0:
        optimum = best_known(law, sae.d_sae, objective_used, polished, starts, seed, known)
    if not isinstance(sae, Sae):
        notes.append(
            f"{sae.architecture} SAEs jump, so theirs has no gradient to polish by; the optimum "
            "is that of a ReLU SAE of the same width, the lower bound holds for every encoder"
        )
    best_activations = None
    if objective_used.reconstruction == "squared" and objective_used.l1 > 0:
        try:
            best_activations = best_activation_loss(law, judged_sae, objective_used)
        except InputError as error:
            notes.append(f"amortisation gap not computed: {error}")
    end = None if polished is None else polished.loss.total
    least = None if optimum is None else optimum.loss.total
    bound = None if optimum is None else optimum.lower_bound
    gaps = Gaps(
        training=_difference(judged.total, end),
        basin=_difference(end, least),
        amortisation=_difference(judged.total, best_activations),
        bound=_difference(least, bound),
    )
    live = [i for i, p in enumerate(loss.firing) if p > 0]
    closest = closest_code(law, sae.W_dec, live)
    parts = piecewise_parts(arrays, sae)
    spread = float(np.trace(arrays.second_moment))
    with_x = (spread + parts.norm - parts.reconstruction) / 2
    return CrossCheck(
        law=law,
        sae=sae,
        objective=objective,
        loss=loss,
        judged=judged,
        judged_sae=judged_sae,
        polished=polished,
        optimum=optimum,
        lower_bound=bound,
        best_activations=best_activations,
        gaps=gaps,
        verdict=_verdict(gaps, optimum),
        sentences=_sentences(gaps, judged, optimum),
        atoms=atom_reports(sae, loss.firing, closest, law),
        closest_code=closest,
        absorbed=absorbed(arrays, sae.b_dec),
        at_origin=tuple(float(x) for x in sae.reconstruction(np.zeros((1, sae.d_in)))[0]),
        shrinkage=parts.norm / spread if spread > 0 else 1.0,
        reconstruction_bias=parts.norm / with_x if with_x > 0 else None,
        co_firing=parts.firing,
        training=training_loss(law, sae),
        sampled=sampled_loss(law, sae, objective, samples, seed) if samples else None,
        notes=(*sae.notes, *notes, *_infinite(loss)),
    )


def _difference(larger: float | None, smaller: float | None) -> float | None:
    if larger is None or smaller is None:
        return None
    return larger - smaller


def _infinite(loss: ExpectedLoss) -> tuple[str, ...]:
    if not loss.reason:
        return ()
    return (
        f"the loss is infinite: {loss.reason}; its samples have neither mean nor variance. The "
        "gaps are those of the same weights with b_dec = -Σ ReLU(b_i) d_i",
    )


def _on_constraints(
    law: Law, sae: Autoencoder, objective: Objective
) -> tuple[Autoencoder, Objective, list[str]]:
    """Return the SAE that the gaps are counted from, its objective, and what was done."""
    if not isinstance(sae, Sae):
        return sae, objective, []
    notes = []
    scale_free = objective.sparsity == "decoder-norm" and objective.weight_decay == 0
    if scale_free:
        # The penalty does not see how a latent's scale is shared by its two layers.
        objective = replace(objective, decoder="unit")
    norms = sae.decoder_norms
    off = norms[norms > 0]
    if objective.decoder == "unit" and np.abs(off - 1).max(initial=0.0) > 1e-6:
        sae = _with_unit_atoms(sae)
        notes.append(
            "atoms are normalised, f_i ‖d_i‖ in place of f_i; "
            + ("the loss stays the same" if scale_free else "the gaps are counted from there")
        )
    return with_finite_loss(law, sae, objective), objective, notes


def _with_unit_atoms(sae: Sae) -> Sae:
    """Return the SAE of the same x̂ whose atoms have norm 1."""
    norms = np.where(sae.decoder_norms > 0, sae.decoder_norms, 1.0)
    return Sae(sae.W_enc * norms, sae.b_enc * norms, unit(sae.W_dec), sae.b_dec, sae.origin)


def _verdict(gaps: Gaps, optimum: Best | None) -> str:
    if gaps.training is None or gaps.basin is None or optimum is None:
        return ""
    least = NOTABLE * optimum.loss.total
    named = [name for name in ("training", "basin") if getattr(gaps, name) > least]
    return " and ".join(named) or "optimum"


def _sentences(gaps: Gaps, judged: ExpectedLoss, optimum: Best | None) -> tuple[str, ...]:
    """Say what each gap means."""
    said = []
    if gaps.training is not None:
        said.append(
            f"training: from its own weights the exact loss falls by {gaps.training:.3g}; so much "
            "is left to more training, a smaller rate or less noise"
        )
    if gaps.basin is not None:
        said.append(
            f"basin: the stationary point it falls to is {gaps.basin:.3g} above the best known; "
            "no further training leaves it"
        )
    if gaps.amortisation is not None:
        said.append(
            f"amortisation: the best activations for its own atoms and b_dec would save "
            f"{gaps.amortisation:.3g}; so much does a one-layer encoder cost here"
        )
    if gaps.bound is not None and optimum is not None:
        attained = gaps.bound <= ATTAINED * optimum.loss.total
        said.append(
            f"bound: no SAE of this width has a loss below {optimum.lower_bound:.6g}; "
            + (
                "the best known attains it, so it is the optimum"
                if attained
                else f"the best known is {gaps.bound:.3g} above that, which is open"
            )
        )
    return tuple(said)


Progress = Callable[[int, int], None]


def cross_check_all(
    law: Law,
    saes: Sequence[tuple[str, Autoencoder, Objective]],
    *,
    starts: int | None = None,
    seed: int = 0,
    samples: int = 0,
    progress: Progress | None = None,
) -> list[tuple[str, CrossCheck]]:
    """Check several SAEs of one law, each optimum once."""
    known: Known = {}
    done: list[tuple[str, CrossCheck]] = []
    for number, (name, sae, objective) in enumerate(saes, start=1):
        check = cross_check(
            law, sae, objective, starts=starts, seed=seed, samples=samples, known=known
        )
        done.append((name, check))
        if progress is not None:
            progress(number, len(saes))
    return done
