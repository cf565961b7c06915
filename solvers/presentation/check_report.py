"""A cross-check as text and as JSON: what `sae-theory check` prints."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from solvers.autoencoders.architectures import architecture_of
from solvers.autoencoders.autoencoder import Autoencoder
from solvers.optima.matching import CLOSE, AtomReport
from solvers.presentation.results import (
    certainty_document,
    certainty_text,
    convention_text,
    finite_or_none,
    loss_document,
    plus_minus,
    wrapped,
)
from solvers.studies.cross_check import CrossCheck

VERDICTS = {
    "optimum": "at the optimum, as far as is known",
    "training": "in the optimum's basin, but training is not finished",
    "basin": "converged, in another basin than the optimum's",
    "training and basin": "in another basin than the optimum's, and training is not finished",
    "": "not decided",
}


def check_document(check: CrossCheck) -> dict[str, Any]:
    """Return the keys of the command `check` for one SAE."""
    closest = check.closest_code
    return {
        "law": check.law.name,
        "architecture": check.sae.architecture,
        "latents": check.sae.d_sae,
        "seed": check.sae.origin.seed,
        "objective": asdict(check.objective),
        "loss": loss_document(check.loss),
        "judged": loss_document(check.judged),
        "polished": None
        if check.polished is None
        else {
            **loss_document(check.polished.loss),
            "converged": check.polished.converged,
            "decoder": check.polished.decoder,
            "b_dec": check.polished.sae.b_dec.tolist(),
        },
        "optimum": None
        if check.optimum is None
        else {
            **loss_document(check.optimum.loss),
            **certainty_document(check.optimum),
            "starts": len(check.optimum.starts),
            "decoder": check.optimum.decoder,
            "b_dec": check.optimum.sae.b_dec.tolist(),
        },
        "lower_bound": check.lower_bound,
        "best_activations": check.best_activations,
        "excess": finite_or_none(check.excess),
        "best_activations_error": check.best_activations_error,
        "gaps": {name: finite_or_none(value) for name, value in asdict(check.gaps).items()},
        "verdict": check.verdict,
        "sentences": list(check.sentences),
        "atoms": [asdict(atom) for atom in check.atoms],
        "closest_code": None if closest is None else asdict(closest),
        "b_dec": check.sae.b_dec.tolist(),
        "absorbed": None if check.absorbed is None else asdict(check.absorbed),
        "at_origin": list(check.at_origin),
        "shrinkage": check.shrinkage,
        "reconstruction_bias": check.reconstruction_bias,
        "co_firing": check.co_firing.tolist(),
        "training_loss": None if check.training is None else asdict(check.training),
        "sampled": None
        if check.sampled is None
        else {
            **asdict(check.sampled),
            "standard_error": finite_or_none(check.sampled.standard_error),
        },
        "notes": list(check.notes),
    }


def losses_of(check: CrossCheck) -> list[tuple[str, float, str]]:
    """Return name, value and meaning of the losses that the check compares."""
    rows = [("now", check.loss.total, f"the weights as given{plus_minus(check.loss)}")]
    if not math.isclose(check.judged.total, check.loss.total, rel_tol=1e-12):
        rows.append(
            ("judged", check.judged.total, "after what the notes say; the gaps count from it")
        )
    if check.polished is not None:
        ended = "" if check.polished.converged else ", not converged"
        error = plus_minus(check.polished.loss)
        meaning = f"the stationary point its own weights descend to{ended}{error}"
        rows.append(("polished", check.polished.total, meaning))
    if check.optimum is not None:
        error = plus_minus(check.optimum.loss)
        meaning = f"the best known of this width: {check.optimum.found}{error}"
        rows.append(("optimum", check.optimum.total, meaning))
    if check.best_activations is not None:
        meaning = "its own atoms and b_dec with the best activations"
        if check.best_activations_error:
            meaning += f", ± {check.best_activations_error:.2g} (standard error, sampled)"
        rows.append(("best activations", check.best_activations, meaning))
    if check.optimum is not None:
        of = " on these points" if check.loss.standard_error else ""
        meaning = f"no SAE of this width is below it{of}: {check.optimum.lower_bound_by}"
        rows.append(("lower bound", check.optimum.lower_bound, meaning))
    return rows


def facts_of(check: CrossCheck) -> list[tuple[str, str]]:
    """Return what else is known of the SAE, as names and phrases."""
    facts = []
    if check.optimum is not None and math.isfinite(check.judged.total):
        above = max(check.judged.total - check.optimum.total, 0.0)
        share = 100 * above / check.optimum.total if check.optimum.total else 0.0
        facts.append(("excess", f"{above:.3g} above the best known, {share:.3g} %"))
    if check.optimum is not None:
        facts.append(("optimum", certainty_text(check.optimum)))
    if check.closest_code is not None:
        code = check.closest_code
        angles = f"{code.mean_angle:.2f}° off on average, {code.largest_angle:.2f}° at most"
        phrase = f"{code.code}, {angles}"
        if code.mean_angle > CLOSE:
            phrase = f"none is close; the nearest is {phrase}"
        if code.unmatched:
            phrase += f"; no live latent for {len(code.unmatched)} of its atoms"
        facts.append(("closest code", phrase))
    dead = [atom.latent for atom in check.atoms if atom.dead]
    twins = [(atom.latent, atom.duplicate_of) for atom in check.atoms
             if atom.duplicate_of is not None]  # fmt: skip
    facts.append(("dead latents", ", ".join(map(str, dead)) or "none"))
    facts.append(("duplicates", ", ".join(f"{i} of {j}" for i, j in twins) or "none"))
    facts.append(("b_dec", _vector(check.sae.b_dec.tolist()) + _absorbed(check)))
    facts.append(("x̂(0)", _vector(check.at_origin)))
    bias = "" if check.reconstruction_bias is None else (
        f"; reconstruction bias γ = {check.reconstruction_bias:.4f}"
    )  # fmt: skip
    facts.append(("shrinkage", f"E ‖x̂‖² is {100 * check.shrinkage:.2f} % of E ‖x‖²{bias}"))
    facts.append(("l0", f"{check.loss.l0:.6g} latents fire on average"))
    if check.training is not None:
        terms = " + ".join(f"{value:.6g} ({name})" for name, value in check.training.terms.items())
        left = "".join(f"; without {term}" for term in check.training.left_out)
        facts.append(("training loss", f"{check.training.total:.10g} = {terms}{left}"))
    if check.sampled is not None:
        sampled = check.sampled
        facts.append(
            ("sampled", f"{sampled.total:.6g} ± {sampled.standard_error:.2g} from "
                        f"{sampled.samples} samples, seed {sampled.seed}")
        )  # fmt: skip
    return facts


def _vector(values: Sequence[float]) -> str:
    # Adding 0.0 turns -0.0 into 0.
    return "(" + ", ".join(f"{value + 0.0:.5g}" for value in values) + ")"


def _absorbed(check: CrossCheck) -> str:
    if check.absorbed is None:
        return ""
    return (
        f"; has absorbed the data around {_vector(check.absorbed.towards)}, "
        f"{check.absorbed.angle:.1f}° off"
    )


def atom_row(atom: AtomReport) -> list[str]:
    """Return what the table of atoms says of one latent."""
    remarks = []
    if atom.dead:
        remarks.append("dead")
    if atom.duplicate_of is not None:
        remarks.append(f"duplicate of {atom.duplicate_of}")
    return [
        str(atom.latent),
        "" if atom.angle is None else f"{atom.angle:.2f}°",
        f"{atom.norm:.5g}",
        f"{atom.firing:.5g}",
        "none" if atom.matched is None else str(atom.matched),
        "" if atom.cosine is None else f"{atom.cosine:.5f}",
        "" if atom.angle_to_code is None else f"{atom.angle_to_code:.2f}°",
        ", ".join(remarks),
    ]


ATOM_COLUMNS = ("latent", "angle", "norm", "fires", "atom", "cosine", "off by", "")


def kind_text(sae: Autoencoder) -> str:
    """Return the architecture of an SAE, with its k if it has one.

    Examples
    --------
    >>> from solvers.autoencoders.architectures import TopKSae
    >>> from solvers.autoencoders.frames import frame_sae
    >>> kind_text(TopKSae(frame_sae(0.0), 2))
    'TopK (k = 2)'
    """
    architecture = architecture_of(sae)
    if architecture.name == "batchtopk":
        return f"BatchTopK (k = {architecture.k:g})"
    k = "" if architecture.k is None else f" (k = {architecture.k:g})"
    return f"{sae.architecture}{k}"


def check_text(check: CrossCheck) -> str:
    """Return one SAE's check as lines."""
    lines = [
        *wrapped(
            "",
            f"{check.law.name}; {kind_text(check.sae)} SAE of {check.sae.d_sae} latents; "
            f"{convention_text(check.objective)}",
            4,
        ),
        f"verdict          {VERDICTS[check.verdict]}",
        "",
    ]
    for name, value, meaning in losses_of(check):
        sampled = name == "best activations" and check.best_activations_error
        digits = 6 if check.loss.standard_error or sampled else 12
        lines.append(f"{name:<17}{number_text(value, digits):<19}{meaning}")
    lines.append("")
    for sentence in check.sentences:
        lines += wrapped("", f"gap of {sentence}", 4)
    lines.append("")
    for name, phrase in facts_of(check):
        lines += wrapped(f"{name:<17}", phrase, 17)
    rows = [list(ATOM_COLUMNS), *(atom_row(atom) for atom in check.atoms)]
    lines += ["", *aligned(rows), ""]
    lines.append("co-firing: P(both latents fire), on the diagonal P(fires)")
    lines += aligned([[f"{p:.4f}" for p in row] for row in check.co_firing])
    for note in check.notes:
        lines += wrapped("note: ", note, 6)
    return "\n".join(lines)


def aligned(rows: Sequence[Sequence[str]], left: Sequence[int] = ()) -> list[str]:
    """Return the rows of a table, columns aligned to the right but for those named."""
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    return [
        "  ".join(
            entry.ljust(width) if c in left else entry.rjust(width)
            for c, (entry, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def with_error(value: float | None, error: float) -> str:
    """Return a number for people, with its standard error if it has one."""
    return number_text(value, 2) + (f" ± {error:.1g}" if error else "")


def number_text(value: float | None, digits: int = 12) -> str:
    """Return a number for people: a dash if there is none, "infinite" if it is."""
    if value is None:
        return "-"
    if math.isinf(value):
        return "infinite"
    return "0" if abs(value) < 1e-12 else f"{value:.{digits}g}"
