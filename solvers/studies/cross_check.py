"""A trained SAE against the theory: how far from the optimum it is, and why.

Four losses in one convention: now; polished, at the stationary point its own weights descend
to; the optimum, the best found for the same width; and a lower bound on every SAE's. Between
them lie the gaps of training, of the basin, and what is open. Beside them, with the best
activations for its own atoms, lies the amortisation gap.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from solvers.autoencoders.architectures import (
    architecture_of,
)
from solvers.autoencoders.autoencoder import Autoencoder, Sae
from solvers.autoencoders.checkpoints.live import Model, sae_of
from solvers.autoencoders.conventions import CONVENTIONS
from solvers.autoencoders.objective import Objective
from solvers.laws.arrays import law_arrays
from solvers.losses.expected_loss import ExpectedLoss, expected_loss
from solvers.losses.piecewise_loss import piecewise_parts
from solvers.losses.sampled_loss import SampledLoss, sampled_loss
from solvers.losses.training_loss import TrainingLoss, training_loss
from solvers.optima.best_known import Known, best_known
from solvers.optima.matching import (
    Absorbed,
    AtomReport,
    CodeMatch,
    absorbed,
    atom_reports,
    closest_code,
)
from solvers.optima.optimum import Optimum
from solvers.optima.polish import Polished, polish
from solvers.optima.search import Search
from solvers.runtime.arguments import checked
from solvers.runtime.pictures import Picture, picture
from solvers.studies.constraints import amortisation_of, on_constraints, why_no_gradient
from solvers.studies.verdicts import Gaps, gaps_of, sentences_of, verdict_of
from theory.exact.errors import InputError
from theory.laws.law import Law

Array = NDArray[np.float64]

_DEFAULT = Search()
# What led to an optimum that no start has found.
_OWN = "the stationary point of an SAE that was checked"


@dataclass(frozen=True)
class CrossCheck:
    """What `cross_check` finds: the evidence; gaps, verdict and sentences follow from it.

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
    optimum : Optimum or None
    best_activations : float or None
    best_activations_error : float
        Its standard error: 0 where it is exact, positive where it is sampled.
    amortisation_error : float
        Standard error of the amortisation gap, likewise.
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
    optimum: Optimum | None
    best_activations: float | None
    best_activations_error: float
    amortisation_error: float
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

    @property
    def lower_bound(self) -> float | None:
        """No SAE of this width has a smaller loss; None without an optimum."""
        return None if self.optimum is None else self.optimum.lower_bound

    @property
    def gaps(self) -> Gaps:
        """What lies between the losses."""
        return gaps_of(
            self.judged.total, self.polished, self.optimum,
            self.best_activations, self.amortisation_error,
        )  # fmt: skip

    @property
    def excess(self) -> float | None:
        """How far the loss is above the best known; None without an optimum."""
        return None if self.optimum is None else max(self.judged.total - self.optimum.total, 0.0)

    @property
    def verdict(self) -> str:
        """One of "optimum", "training", "basin", "training and basin"; "" if not decided.

        Of a Gated SAE it is not: what its training minimised is no loss.
        """
        if architecture_of(self.sae).name == "gated":
            return ""
        return verdict_of(self.gaps, self.polished, self.optimum)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What each gap means."""
        return sentences_of(self.judged.total, self.gaps, self.polished, self.optimum)

    def plot(self, path: str | Path | None = None) -> Picture:
        """Return the picture: support, atoms before and after polishing, the optimum's.

        With a `path` it is written, too; the suffix says the format: .png, .svg or .pdf.
        """
        return picture(self, path)

    def layers(self) -> list[tuple[str, Autoencoder, tuple[float, ...]]]:
        """Return what the picture shows: a label, an SAE and who fires."""
        shown = [("now", self.judged_sae, self.judged.firing)]
        if self.polished is not None:
            shown.append(("polished", self.polished.sae, self.polished.firing))
        if self.optimum is not None:
            shown.append(("optimum", self.optimum.sae, self.optimum.firing))
        return shown


@checked
def objective_for(sae: Model, l1: float | None = None, **given: object) -> Objective:
    """Return the objective of the SAE's own library, with what is given in its place.

    Raises
    ------
    InputError
        If λ is neither given nor in the file, and the SAE was trained with one.

    Examples
    --------
    >>> from solvers.autoencoders.autoencoder import Origin
    >>> sae = Sae([[1.0]], [0], [[1.0]], [0], Origin(convention="saelens-standard", l1=0.1))
    >>> objective_for(sae).sparsity
    'decoder-norm'
    """
    sae = sae_of("sae", sae)
    origin = sae.origin
    own = CONVENTIONS.get(origin.convention)
    if l1 is None:
        without = sae.architecture in ("TopK", "JumpReLU")
        if origin.l1 is None and not without:
            raise InputError("l1", "λ, which this file does not hold")
        l1 = 0.0 if origin.l1 is None else origin.l1
        if own is not None:
            l1 = own.objective(l1, sae.d_in).l1
        if origin.l0 is not None and given.get("l0") is None:
            given["l0"] = origin.l0
    fields: dict[str, object] = {"prefixes": origin.prefixes,
                                 "prefix_weights": origin.prefix_weights}  # fmt: skip
    if own is not None:
        fields |= {"reconstruction": own.reconstruction, "sparsity": own.sparsity,
                   "decoder": own.decoder}  # fmt: skip
    elif architecture_of(sae).has_k:
        # Which latents are kept depends on how their scale is shared by the two layers.
        fields["decoder"] = "free"
    fields |= {name: value for name, value in given.items() if value is not None}
    return Objective(l1, **fields)  # type: ignore[arg-type]  # validated there


@checked
def cross_check(
    law: Law,
    sae: Model,
    objective: Objective | None = None,
    search: Search = _DEFAULT,
    *,
    samples: int = 0,
    known: Known | None = None,
) -> CrossCheck:
    """Hold a trained SAE against the optimum of its law, width and objective.

    Parameters
    ----------
    law : Law
    sae : Autoencoder, or what `as_sae` takes
    objective : Objective, optional
        By default that of the file that the SAE comes from, see `objective_for`.
    search : Search, optional
        For the optimum: random starts, beside the law's codes and the SAE itself. Its progress is
        told of the starts first, then of the thousandths of the law for the best activations, or
        of the samples where they are sampled.
    samples : int
        If positive, a Monte Carlo estimate from so many samples is added.
    known : dict, optional
        Optima of earlier checks; looked up first, and added to.

    Raises
    ------
    InputError
        As `expected_loss`; or without an objective, if nothing says λ.

    Examples
    --------
    The axis-aligned SAE sits on a saddle; a small push takes it to the optimum:

    >>> from solvers.autoencoders.frames import frame_sae
    >>> from theory import load_law
    >>> check = cross_check(load_law("shared"), frame_sae(0.0, 0.05), Objective(l1=0.1))
    >>> check.verdict, check.closest_code.code, round(check.optimum.total, 9)
    ('training', 'axis-aligned', 0.068240141)
    """
    sae = sae_of("sae", sae)
    objective = objective_for(sae) if objective is None else objective
    loss = expected_loss(law, sae, objective)
    judged_sae, objective_used, notes = on_constraints(law, sae, objective)
    judged = expected_loss(law, judged_sae, objective_used)
    arrays = law_arrays(law)

    polished = optimum = None
    architecture = architecture_of(sae)
    counts = objective.l1 > 0 or objective.l0 > 0 or architecture.has_k
    has_optimum = counts and objective_used.has_minimum
    why = why_no_gradient(arrays, judged_sae) if has_optimum else ""
    if why:
        notes.append(f"neither polished nor compared with an optimum: {why}")
    elif has_optimum or (isinstance(judged_sae, Sae) and objective_used.has_minimum):
        polished = polish(law, judged_sae, objective_used, architecture)
        if polished.saddle:
            notes.append(
                "the stationary point that its weights first fall to is a saddle; after a small "
                "push they fall on to the one that is counted"
            )
    if has_optimum and not why:
        own = {} if polished is None else {_OWN: polished}
        optimum = best_known(
            law, sae.d_sae, objective_used, search,
            architecture=architecture, others=own, known=known,
        )  # fmt: skip
        if optimum.interrupted:
            raise KeyboardInterrupt
    if not counts:
        notes.append(
            "λ = 0: only the error counts, so there is nothing to compare; a λ > 0 adds the best "
            "activations, an optimum and a lower bound"
        )
    if architecture.name == "gated" and counts:
        notes.append(
            "training of Gated SAEs stops a gradient at the decoder, so that it minimises no "
            "loss; the gaps are those of the objective, and there is no verdict"
        )
    best = None
    if counts:
        best, told = amortisation_of(law, judged_sae, objective_used, judged, search.progress)
        notes += told
    closest = closest_code(law, sae.W_dec, loss.firing)
    parts = piecewise_parts(arrays, sae)
    try:
        training = training_loss(law, sae)
    except InputError as error:
        training = None
        notes.append(f"training loss not computed: {error}")
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
        best_activations=None if best is None else best.total,
        best_activations_error=0.0 if best is None else best.standard_error,
        amortisation_error=0.0 if best is None else best.gap_error,
        atoms=atom_reports(sae, loss.firing, closest, law),
        closest_code=closest,
        absorbed=absorbed(arrays, sae.b_dec),
        at_origin=tuple(float(x) for x in sae.reconstruction(np.zeros((1, sae.d_in)))[0]),
        shrinkage=parts.norm / spread if spread > 0 else 1.0,
        reconstruction_bias=parts.norm / with_x if with_x > 0 else None,
        co_firing=parts.firing,
        training=training,
        sampled=sampled_loss(law, sae, objective, samples, search.seed) if samples else None,
        notes=(*sae.notes, *notes, *_infinite(loss)),
    )


def _infinite(loss: ExpectedLoss) -> tuple[str, ...]:
    if not loss.reason:
        return ()
    return (
        f"the loss is infinite: {loss.reason}; its samples have neither mean nor variance. The "
        "gaps are those of the same weights with b_dec = -Σ ReLU(b_i) d_i",
    )


@checked
def cross_check_all(
    law: Law,
    saes: Sequence[tuple[str, Autoencoder, Objective]],
    search: Search = _DEFAULT,
    *,
    samples: int = 0,
    refused: list[tuple[str, InputError]] | None = None,
) -> list[tuple[str, CrossCheck]]:
    """Check several SAEs of one law, each optimum once.

    An SAE's own stationary point may be the best known; the others are then held against it.
    Progress is told of the starts of one SAE, and of how many SAEs are done if there are several.
    An interrupt returns the checks that were finished, if any.

    Parameters
    ----------
    law, search, samples
        As for `cross_check`.
    saes : sequence of (str, Autoencoder, Objective)
        Each with a name.
    refused : list, optional
        If given, SAEs that cannot be checked are added to it, with the reason, and the others are
        checked; else the first of them is an error.

    Raises
    ------
    InputError
        As `cross_check`, without `refused`.
    """
    known: Known = {}
    done: list[tuple[str, CrossCheck]] = []
    each = search if len(saes) == 1 else replace(search, progress=None)
    try:
        for number, (name, sae, objective) in enumerate(saes, start=1):
            try:
                check = cross_check(law, sae, objective, each, samples=samples, known=known)
                done.append((name, check))
            except InputError as error:
                if refused is None:
                    raise
                refused.append((name, error))
            if len(saes) > 1:
                search.tell(number, len(saes))
    except KeyboardInterrupt:
        if not done:
            raise
    return [(name, _against_best(check, known)) for name, check in done]


def _against_best(check: CrossCheck, known: Known) -> CrossCheck:
    mine = check.optimum
    if mine is None:
        return check
    best = known[check.law, check.sae.d_sae, mine.objective, architecture_of(check.sae)]
    return replace(check, optimum=best) if best.loss < mine.loss else check
