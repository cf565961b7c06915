"""Results as text and as JSON: what the commands print."""

import json
import math
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from solvers.autoencoders.architectures import JumpReluSae
from solvers.autoencoders.autoencoder import Autoencoder
from solvers.autoencoders.objective import Objective
from solvers.losses.expected_loss import ExpectedLoss
from solvers.optima.optimum import OFTEN, Optimum
from solvers.optima.train import Training
from solvers.studies.verify import CheckedClaim

WIDTH = 100
# A b_dec or an encoder so many times as large as the data's is on its way to infinity.
_RUN_AWAY = 10.0
_TINY = 1e-300
_RECONSTRUCTIONS = {
    "squared": "E ‖x - x̂‖², summed over coordinates",
    "relative": "E ‖x - x̂‖²/‖x‖²",
}


def to_json(document: dict[str, Any]) -> str:
    """Return one JSON object; numbers keep all their digits, and NaN is refused."""
    return json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)


def loss_document(loss: ExpectedLoss) -> dict[str, Any]:
    """Return the keys of the command `loss`."""
    return {
        "total": finite_or_none(loss.total),
        "reconstruction": finite_or_none(loss.reconstruction),
        "sparsity": loss.sparsity,
        "weight_decay": loss.weight_decay,
        "l1": loss.l1,
        "l0": loss.l0,
        "firing": list(loss.firing),
        "exact": loss.exact,
        "standard_error": loss.standard_error,
        "probability_error": loss.probability_error,
        **({"infinite": loss.reason} if loss.reason else {}),
    }


def optimum_document(optimum: Optimum) -> dict[str, Any]:
    """Return the keys of the command `optimum`: those of `loss` and more."""
    return {
        **loss_document(optimum.loss),
        "architecture": optimum.sae.architecture,
        "decoder": optimum.decoder,
        "b_dec": optimum.sae.b_dec.tolist(),
        **_threshold_document(optimum.sae),
        "lower_bound": optimum.lower_bound,
        "lower_bound_error": optimum.lower_bound_error,
        "gap": optimum.gap,
        "valley": optimum.valley,
        **({} if optimum.fresh is None else {"fresh": optimum.fresh._asdict()}),
        "converged": optimum.converged,
        "interrupted": optimum.interrupted,
        "starts": [
            {"total": finite_or_none(start.total), "converged": start.converged}
            for start in optimum.starts
        ],
        **certainty_document(optimum),
    }


def _threshold_document(sae: Autoencoder) -> dict[str, Any]:
    return {"threshold": sae.threshold.tolist()} if isinstance(sae, JumpReluSae) else {}


def certainty_document(optimum: Optimum) -> dict[str, Any]:
    """Return the keys that say how an optimum was found, and how sure it is."""
    return {
        "found": optimum.found,
        "lower_bound_by": optimum.lower_bound_by,
        "attained": optimum.attained,
        "attainable": optimum.attainable,
        "hits": optimum.hits,
        "chance_of_missing": optimum.chance_of_missing(),
        "sure": optimum.sure,
    }


def claims_document(claims: Sequence[CheckedClaim]) -> dict[str, Any]:
    """Return the keys of the command `verify`."""
    return {"claims": [_claim_document(claim) for claim in claims]}


def _claim_document(claim: CheckedClaim) -> dict[str, Any]:
    quantities = [
        {
            "name": quantity.name,
            "formula": quantity.formula,
            "symbolic": quantity.symbolic,
            "value": quantity.value,
            "exact": finite_or_none(quantity.exact),
            "optimised": finite_or_none(quantity.optimised),
            "independent": finite_or_none(quantity.independent),
            "independent_error": quantity.independent_error,
            "error": finite_or_none(quantity.error),
            "passed": quantity.passed,
        }
        for quantity in claim.quantities
    ]
    first = quantities[0] if quantities else {}
    return {
        "id": claim.id,
        "statement": claim.statement,
        "place": claim.place,
        "verdict": claim.verdict,
        "explanation": claim.explanation,
        **{key: first.get(key) for key in ("symbolic", "exact", "optimised", "independent")},
        "error": finite_or_none(claim.error),
        "passed": claim.passed,
        "quantities": quantities,
    }


def finite_or_none(value: float | None) -> float | None:
    """Return the number, or None for an infinite or undefined one: JSON has neither."""
    return value if value is not None and math.isfinite(value) else None


def loss_text(loss: ExpectedLoss, sae: Autoencoder) -> str:
    """Return the parts of a loss as lines, with the convention and the reader's notes."""
    objective = loss.objective
    weight = "‖d_i‖ f_i" if objective.sparsity == "decoder-norm" else "f_i"
    charged = f"{objective.l1:g} · E Σ {weight}"
    if objective.l0:
        fires = f"{objective.l0:g} · l0"
        charged = f"{charged} + {fires}" if objective.l1 else fires
    rows = [
        ("total", loss.total, ""),
        ("reconstruction", loss.reconstruction, _reconstruction_text(objective)),
        ("sparsity", loss.sparsity, charged),
        ("weight decay", loss.weight_decay, f"{objective.weight_decay:g} · (‖W_enc‖² + ‖W_dec‖²)"),
        ("l1", loss.l1, "E Σ f_i"),
        ("l0", loss.l0, "latents that fire, on average"),
    ]
    if not loss.standard_error:
        lines = [f"{name:<16}{value:<22.15g}{note}".rstrip() for name, value, note in rows]
    else:
        lines = [f"{name:<16}{value:<22.6g}{note}".rstrip() for name, value, note in rows]
        lines.insert(1, standard_error_text(loss))
    lines.append("firing          " + "  ".join(f"{p:.6g}" for p in loss.firing))
    if isinstance(sae, JumpReluSae):
        lines.append("threshold       " + "  ".join(f"{height:.6g}" for height in sae.threshold))
    lines.append("‖d_i‖           " + "  ".join(f"{norm:.6g}" for norm in sae.decoder_norms))
    if not loss.standard_error and not loss.exact:
        lines.append(f"note: the law's probabilities are known to {loss.probability_error:.1g}")
    if loss.reason:
        lines.append(f"infinite: {loss.reason}")
    lines += [f"note: {note}" for note in sae.notes]
    return "\n".join(lines)


def _reconstruction_text(objective: Objective) -> str:
    if not objective.prefixes:
        return _RECONSTRUCTIONS[objective.reconstruction]
    nested = ", ".join(map(str, objective.prefixes))
    return f"{_RECONSTRUCTIONS[objective.reconstruction]}, of the first {nested} latents"


def convention_text(objective: Objective) -> str:
    """Return what a loss charges, for the head of a report.

    Examples
    --------
    >>> convention_text(Objective(0.0, l0=0.1, prefixes=(1, 4)))
    'λ₀ = 0.1, squared reconstruction of the first 1, 4 latents (sum), decoder unit'
    """
    charged = [] if objective.l1 == 0 and objective.l0 else [f"λ = {objective.l1:g}"]
    charged += [f"λ₀ = {objective.l0:g}"] if objective.l0 else []
    nested = ""
    if objective.prefixes:
        weights = objective.prefix_weights
        told = weights if isinstance(weights, str) else ", ".join(f"{v:g}" for v in weights)
        nested = f" of the first {', '.join(map(str, objective.prefixes))} latents ({told})"
    charged.append(f"{objective.reconstruction} reconstruction{nested}")
    if objective.l1 or not objective.l0:
        charged.append(f"{objective.sparsity} sparsity")
    return ", ".join([*charged, f"decoder {objective.decoder}"])


def plus_minus(loss: ExpectedLoss) -> str:
    """Return ", ± its standard error" of a loss that has one, else nothing."""
    error = loss.standard_error
    return f", ± {error:.2g} (standard error, not exact)" if error else ""


def standard_error_text(loss: ExpectedLoss) -> str:
    """Say how far a loss that is not exact may be off.

    Examples
    --------
    >>> from solvers.autoencoders.objective import Objective
    >>> print(standard_error_text(ExpectedLoss(
    ...     total=1, reconstruction=1, sparsity=0, weight_decay=0, l1=0, l0=0, firing=(),
    ...     objective=Objective(0.1), standard_error=0.01)))
    ±               0.01                  standard error: not exact, points stand for the rarer
                                          active sets
    """
    return (
        f"{'±':<16}{loss.standard_error:<22.2g}standard error: not exact, points stand for the "
        f"rarer\n{'':38}active sets"
    )


def optimum_text(optimum: Optimum) -> str:
    """Return the best SAE, the bound and how the starts ended, as lines."""
    totals = [start.total for start in optimum.starts]
    converged = sum(start.converged for start in optimum.starts)
    worst = f", worst {max(totals):.6g}" if totals else ""
    digits, on_points = (6, " on these points") if optimum.loss.standard_error else (15, "")
    lines = [
        loss_text(optimum.loss, optimum.sae),
        f"{'lower bound':<16}{optimum.lower_bound:<22.{digits}g}no SAE of this width has a "
        f"smaller loss{on_points}: {optimum.lower_bound_by}",
        f"{'gap':<16}{max(optimum.gap, 0.0):<22.3g}total - lower bound, of "
        f"{optimum.attainable:.3g} that can be gained at most",
        f"{'found':<16}{optimum.found}",
        *_fresh_text(optimum),
        f"starts          {len(totals)}: {converged} converged, {optimum.hits} reached this loss"
        f"{worst}",
        *wrapped(f"{'sure':<16}", certainty_text(optimum), 16),
        "b_dec           " + "  ".join(f"{b:.6g}" for b in optimum.sae.b_dec + 0.0),
        "atoms",
    ]
    planar = optimum.sae.d_in == 2
    for atom, firing in zip(optimum.sae.W_dec, optimum.firing, strict=True):
        angle = f"  at {math.degrees(math.atan2(atom[1], atom[0])):.4f}°" if planar else ""
        entries = "  ".join(f"{entry: .9f}" for entry in atom)
        lines.append(f"  {entries}{angle}{'' if firing > 0 else '  dead'}")
    if optimum.valley:
        several = f"{optimum.valley} direction{'s' if optimum.valley > 1 else ''}"
        told = f"one of a continuum: in {several} other x̂ or activations have the same loss"
        lines += wrapped(f"{'valley':<16}", told, 16)
    if not optimum.converged:
        lines += wrapped("warning: ", _why_not_converged(optimum), 9)
    if not optimum.sure:
        lines.append("warning: there may be a better one; try more starts")
    if optimum.interrupted:
        lines.append("interrupted: this is the best of the starts that were finished")
    return "\n".join(lines)


def _why_not_converged(optimum: Optimum) -> str:
    """Say what became of a search that has not converged."""
    away = float(np.linalg.norm(optimum.sae.b_dec)) / max(optimum.nothing, _TINY) ** 0.5
    largest = float(np.abs(optimum.sae.W_enc).max())
    if optimum.sae.architecture != "ReLU" and max(away, largest) > _RUN_AWAY:
        return (
            "not converged: b_dec or the encoder runs away while the loss still falls, so that "
            "its least value may be attained by no SAE"
        )
    return "the best start has not converged; try more starts"


def _fresh_text(optimum: Optimum) -> list[str]:
    if optimum.fresh is None:
        return []
    total, error = optimum.fresh
    return [f"{'elsewhere':<16}{total:.6g} ± {error:.2g}, on points it was not fitted to"]


def certainty_text(optimum: Optimum) -> str:
    """Say how sure it is that an optimum is one."""
    if optimum.attained:
        return "it attains the lower bound, so nothing is better"
    count, missed = len(optimum.starts), optimum.chance_of_missing()
    often = f"{optimum.hits} of {count} random starts found it"
    if not optimum.sure:
        often = f"only {often}, fewer than {OFTEN}"
    return f"{often}; a basin that 1 % of them fall into was missed with probability {missed:.2g}"


def wrapped(prefix: str, text: str, indent: int) -> list[str]:
    """Return a paragraph as lines, those after the first indented."""
    return textwrap.wrap(
        text, WIDTH, initial_indent=prefix, subsequent_indent=" " * indent, break_on_hyphens=False
    )


def training_document(training: Training) -> dict[str, Any]:
    """Return the keys of the command `train`: one entry an instance."""
    return {
        "steps": training.steps,
        "interrupted": training.interrupted,
        "instances": [
            {
                **loss_document(loss),
                "architecture": sae.architecture,
                "decoder": sae.W_dec.tolist(),
                "b_dec": sae.b_dec.tolist(),
                **_threshold_document(sae),
            }
            for sae, loss in zip(training.saes, training.losses, strict=True)
        ],
    }


def training_text(training: Training) -> str:
    """Return each trained SAE's exact loss, atoms and b_dec as a line."""
    error = max(loss.standard_error for loss in training.losses)
    of = f"standard errors up to {error:.2g}" if error else "exact losses on the law"
    lines = [f"{training.steps} steps; {of}"]
    for number, (sae, loss) in enumerate(zip(training.saes, training.losses, strict=True)):
        if sae.d_in == 2:
            angles = sorted(math.degrees(math.atan2(y, x)) for x, y in sae.W_dec)
            atoms = "atoms at " + " ".join(f"{angle:.2f}°" for angle in angles)
        else:
            atoms = f"{sae.d_sae} atoms"
        dead = sum(firing == 0 for firing in loss.firing)
        lines.append(
            f"{number:>4}  {loss.total:<14.9g} {atoms}  ‖b_dec‖ {np.linalg.norm(sae.b_dec):.4f}"
            + (f"  dead: {dead}" if dead else "")
        )
    reasons = {loss.reason.split(", and")[0] for loss in training.losses if loss.reason}
    lines += [f"infinite: {reason}; tie_b_dec keeps x̂(0) = 0" for reason in reasons]
    if training.interrupted:
        lines.append("interrupted: these are the weights after the steps that were taken")
    return "\n".join(lines)


def claims_head() -> str:
    """Return the head of the ledger's table."""
    header = (
        f"{'':4}{'symbolic':<34}{'exact':>15}{'optimised':>15}{'independent':>15}{'error':>10}"
    )
    return "\n".join(["claim: what the discussion says → verdict", header, "─" * WIDTH])


def claim_text(number: int, claim: CheckedClaim) -> str:
    """Return a claim's part of the table: its verdict, and its numbers by every route."""
    lines = _wrapped(f"{number:>2}. ", f"{claim.id}: {claim.statement}  ({claim.place})")
    verdict = claim.verdict + (f": {claim.explanation}" if claim.explanation else "")
    lines += _wrapped("    → ", verdict)
    for quantity in claim.quantities:
        # A formula short enough goes beside its name, a longer one on a line of its own.
        mark = "" if quantity.passed else "  FAILED"
        lines += _wrapped("      ", f"{quantity.name} = {quantity.formula}")
        lines.append(
            f"{'':8}{quantity.value:<30.12g}{_number(quantity.exact):>15}"
            f"{_number(quantity.optimised):>15}{_number(quantity.independent):>15}"
            f"{quantity.error:>10.0e}{mark}"
        )
    if not claim.passed and not claim.quantities:
        lines.append("    FAILED")
    return "\n".join([*lines, ""])


def claims_summary(claims: Sequence[CheckedClaim]) -> str:
    """Return the end of the table: how many claims passed, and the largest deviations."""
    passed = sum(claim.passed for claim in claims)
    largest = "largest deviation from the symbolic value: " + _largest(claims)
    return "\n".join([f"{passed} of {len(claims)} claims passed", *_wrapped("", largest)])


def _largest(claims: Sequence[CheckedClaim]) -> str:
    """Return the largest deviation of each route, the independent one with its own estimate."""
    quantities = [quantity for claim in claims for quantity in claim.quantities]
    parts = []
    for route in ("exact", "optimised", "independent"):
        deviations = [
            abs(number - quantity.value)
            for quantity in quantities
            if (number := getattr(quantity, route)) is not None
        ]
        parts.append(f"{route} {max(deviations, default=0.0):.0e}")
    estimate = max((quantity.independent_error for quantity in quantities), default=0.0)
    return (
        f"{', '.join(parts)} (adaptive quadrature; its own error estimates reach {estimate:.0e})"
    )


def _wrapped(prefix: str, text: str) -> list[str]:
    return textwrap.wrap(
        text, width=WIDTH, initial_indent=prefix, subsequent_indent=" " * len(prefix)
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.10g}"
