"""What each subcommand does with its parsed options; returns the exit status."""

import argparse
import shlex
import sys
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from solvers.autoencoders.autoencoder import Autoencoder
from solvers.autoencoders.checkpoints.load import (
    find_checkpoints,
    load_checkpoint,
    load_checkpoints,
)
from solvers.autoencoders.objective import Objective
from solvers.bounds.certificate import Certificate, certify
from solvers.losses.expected_loss import expected_loss
from solvers.optima.minimize import minimize_loss
from solvers.optima.train import Schedule, train
from solvers.presentation.certificate_report import certificate_document, certificate_text
from solvers.presentation.check_report import check_document, check_text, comparison_text
from solvers.presentation.results import (
    claim_text,
    claims_document,
    claims_head,
    claims_summary,
    loss_document,
    loss_text,
    optimum_document,
    optimum_text,
    to_json,
    training_document,
    training_text,
)
from solvers.runtime.files import check_writable, written_beside
from solvers.runtime.parallel import pool
from solvers.runtime.progress import ProgressLine
from solvers.studies.cross_check import cross_check_all, objective_for
from solvers.studies.verify import chosen_ids, verified, verify
from theory.claims.claim import ProofError
from theory.codes.code_files import load_code
from theory.derivations.own import own_derivation
from theory.derivations.topics import FORMATS
from theory.exact.errors import InputError
from theory.exact.numbers import exact_number
from theory.laws.law import Law
from theory.laws.law_files import load_law

_LARGEST_COUNT = 10**9
#: The relative gap that a certificate proves unless told otherwise.
DEFAULT_GAP = 1e-3


def objective_of(options: argparse.Namespace) -> Objective:
    """Return the objective that the options describe; errors name the option."""
    try:
        return Objective(
            l1=options.l1,
            reconstruction=options.reconstruction,
            sparsity=options.sparsity,
            decoder=options.decoder,
            weight_decay=options.weight_decay,
        )
    except InputError as error:
        raise InputError(f"--{str(error).replace('weight_decay', 'weight-decay')}") from None


def print_result(options: argparse.Namespace, document: dict[str, Any], text: str) -> None:
    """Print the result as text, or with --json as one JSON object."""
    print(to_json(document) if options.json else text)


def check_plot(path: Path | None) -> None:
    """Raise `InputError` if a figure that was asked for cannot be written there."""
    if path is not None:
        # Matplotlib takes half a second to import; only this option needs it.
        from solvers.presentation.figures import check_figure_path  # noqa: PLC0415

        check_figure_path(path)
        check_writable(path)


def run_verify(options: argparse.Namespace) -> int:
    """Run `sae-theory verify`, printing each claim when it is proved; return its exit status."""
    # The first claim is proved here.
    with pool(None, len(chosen_ids(options.claims)) - 1) as executor:
        if options.json:
            claims = verify(options.claims, ProgressLine("claims"), executor=executor)
            print(to_json(claims_document(claims)))
        else:
            claims = ()
            print(claims_head(), flush=True)
            for claim in verified(options.claims, executor):
                claims += (claim,)
                print(claim_text(len(claims), claim), flush=True)
            print(claims_summary(claims))
    return 0 if all(claim.passed for claim in claims) else 1


def run_loss(options: argparse.Namespace) -> int:
    """Run `sae-theory loss` and return its exit status."""
    objective = objective_of(options)
    if not options.weights:
        raise InputError("WEIGHTS: expected a file or folder, got an empty name")
    law, sae = load_law(options.law), load_checkpoint(options.weights, options.instance)
    if sae.d_in != law.dimension:
        raise InputError(
            f"{options.weights}: W_enc: expected d_in = {law.dimension}, the dimension of the "
            f"law {options.law}, got {sae.d_in}"
        )
    loss = expected_loss(law, sae, objective)
    print_result(options, loss_document(loss), loss_text(loss, sae))
    return 0


def run_check(options: argparse.Namespace) -> int:
    """Run `sae-theory check` and return its exit status."""
    law = load_law(options.law)
    _check_report_path(options.report)
    for name, value, least in (("starts", options.starts, 1), ("sampled", options.sampled, 0)):
        if value is not None and not least <= value <= _LARGEST_COUNT:
            raise InputError(f"--{name}: expected {least} to {_LARGEST_COUNT}, got {value}")
    if options.seed < 0:
        raise InputError(f"--seed: expected a whole number ≥ 0, got {options.seed}")
    saes = []
    for weights in options.weights:
        if not weights:
            raise InputError("WEIGHTS: expected a file or folder, got an empty name")
        for path in find_checkpoints(weights):
            for name, sae in _instances(path, options.instance):
                saes.append((name, sae, _objective_of(options, name, sae, law)))
    progress = ProgressLine("SAEs" if len(saes) > 1 else "starts")
    checks = cross_check_all(
        law, saes, starts=options.starts, seed=options.seed, samples=options.sampled,
        progress=progress,
    )  # fmt: skip
    if options.report is not None:
        # Matplotlib takes half a second to import; only this option needs it.
        from solvers.presentation.check_page import check_page, comparison_page  # noqa: PLC0415

        command = shlex.join(["sae-theory", *options.arguments])
        one = len(checks) == 1
        page = check_page(checks[0][1], checks[0][0], command) if one else (
            comparison_page(checks, command)
        )  # fmt: skip
        with written_beside(options.report) as temporary:
            # A file's name need not be text.
            temporary.write_text(page, encoding="utf-8", errors="replace")
    if len(checks) == 1 and len(saes) == 1:
        print_result(options, check_document(checks[0][1]), check_text(checks[0][1]))
    else:
        rows = [{"weights": name, **check_document(check)} for name, check in checks]
        print_result(options, {"checks": rows, "interrupted": len(checks) < len(saes)},
               comparison_text(checks))  # fmt: skip
    if len(checks) < len(saes):
        print(f"sae-theory: interrupted: {len(checks)} of {len(saes)} SAEs were checked",
              file=sys.stderr)  # fmt: skip
        return 130
    return 0


def _check_report_path(path: Path | None) -> None:
    if path is not None:
        if path.suffix.lower() not in (".html", ".htm"):
            raise InputError(f"{path}: expected a page ending in .html")
        check_writable(path)


def _instances(path: Path, instance: int | None) -> list[tuple[str, Autoencoder]]:
    """Return the SAEs in a checkpoint, each with a name."""
    if instance is not None:
        return [(f"{path}, instance {instance}", load_checkpoint(path, instance))]
    saes = load_checkpoints(path)
    several = len(saes) > 1
    return [(f"{path}, instance {i}" if several else str(path), sae) for i, sae in enumerate(saes)]


def _objective_of(options: argparse.Namespace, name: str, sae: Autoencoder, law: Law) -> Objective:
    if sae.d_in != law.dimension:
        raise InputError(
            f"{name}: W_enc: expected d_in = {law.dimension}, the dimension of the law "
            f"{options.law}, got {sae.d_in}; pass the law that this SAE was trained on"
        )
    given = {field: getattr(options, field)
             for field in ("reconstruction", "sparsity", "decoder", "weight_decay")}  # fmt: skip
    try:
        return objective_for(sae, options.l1, **given)
    except InputError as error:
        raise InputError(f"{name}: {str(error).replace('weight_decay', 'weight-decay')}") from None


def run_derive(options: argparse.Namespace) -> int:
    """Run `sae-theory derive` and return its exit status."""
    # Matplotlib takes half a second to import; of the commands only this one always needs it.
    from solvers.presentation.derivations.documents import pages_of, write_pages  # noqa: PLC0415
    from solvers.presentation.derivations.figures import law_and_code  # noqa: PLC0415
    from solvers.presentation.derivations.pages import page_of  # noqa: PLC0415

    if options.format not in FORMATS:
        raise InputError(f"--format: expected one of {', '.join(FORMATS)}, got {options.format!r}")
    if options.out.exists() and not options.out.is_dir():
        raise InputError(f"{options.out}: expected a folder, this is a file")
    own = None
    try:
        if options.code is None:
            if options.l1 is not None:
                raise InputError("--l1: expected beside --code only")
            pages = pages_of(options.topics, progress=ProgressLine("derivations"))
        else:
            if len(options.topics) != 1:
                raise InputError("--code: expected one LAW before it")
            law = load_law(options.topics[0])
            l1 = None if options.l1 is None else exact_number(options.l1, "--l1")
            code = load_code(options.code, law)
            pages = [page_of(own_derivation(law, code, l1))]
            own = partial(law_and_code, law, code)
    except ProofError as error:
        print(f"sae-theory: error: nothing was written: {error}", file=sys.stderr)
        return 1
    written = write_pages(pages, options.format, options.out, own)
    names = [str(path) for path in written]
    print_result(
        options, {"written": names, "topics": [page.id for page in pages]}, "\n".join(names)
    )
    return 0


def run_optimum(options: argparse.Namespace) -> int:
    """Run `sae-theory optimum` and return its exit status."""
    objective, law = objective_of(options), load_law(options.law)
    if options.save is not None:
        if options.save.suffix != ".npz":
            raise InputError(f"{options.save}: expected a file ending in .npz")
        check_writable(options.save)
    check_plot(options.plot)
    # First, for it refuses what it does not cover.
    certificate = _certificate(options, law, objective)
    try:
        optimum = minimize_loss(
            law,
            options.latents,
            objective,
            starts=options.starts,
            seed=options.seed,
            progress=ProgressLine("starts"),
        )
    except InputError as error:
        # What Python calls n_latents is --latents here.
        raise InputError(f"--{str(error).removeprefix('n_')}") from None
    if options.save is not None:
        optimum.sae.save(options.save)
    if options.plot is not None:
        from solvers.presentation.figures import draw_optimum  # noqa: PLC0415

        draw_optimum(law, optimum, options.plot)
    document, text = optimum_document(optimum), optimum_text(optimum)
    if certificate is not None:
        document |= {"certificate": certificate_document(certificate)}
        text += "\n\n" + certificate_text(certificate, optimum.total)
    print_result(options, document, text)
    if optimum.interrupted or (certificate is not None and certificate.interrupted):
        return 130
    return 1 if certificate is not None and certificate.refuted else 0


def _certificate(
    options: argparse.Namespace, law: Law, objective: Objective
) -> Certificate | None:
    if not options.certify:
        for option, given in (
            ("--any-b-dec", options.any_b_dec),
            ("--claimed", options.claimed is not None),
            ("--gap", options.gap is not None),
        ):
            if given:
                raise InputError(f"{option}: expected beside --certify only")
        return None
    try:
        return certify(
            law,
            options.latents,
            objective,
            gap=DEFAULT_GAP if options.gap is None else options.gap,
            claimed=options.claimed,
            any_b_dec=options.any_b_dec,
            seed=options.seed,
            progress=ProgressLine("boxes"),
        )
    except InputError as error:
        # What Python calls n_latents is --latents here.
        raise InputError(f"--certify: {str(error).removeprefix('n_')}") from None


def run_train(options: argparse.Namespace) -> int:
    """Run `sae-theory train` and return its exit status."""
    objective, law = objective_of(options), load_law(options.law)
    if options.save is not None:
        try:
            options.save.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{options.save}: expected a folder: {error.strerror}") from None
    try:
        schedule = Schedule(
            **{field.name: getattr(options, field.name) for field in fields(Schedule)}
        )
        training = train(
            law, options.latents, objective, schedule, instances=options.instances,
            seed=options.seed, progress=ProgressLine("steps"),
        )  # fmt: skip
    except InputError as error:
        raise InputError(f"--{str(error).removeprefix('n_')}") from None
    for number, sae in enumerate(training.saes):
        if options.save is not None:
            sae.save(options.save / f"sae_{number}.npz")
    print_result(options, training_document(training), training_text(training))
    return 130 if training.interrupted else 0
