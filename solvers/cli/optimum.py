"""sae-theory optimum: minimise the exact loss from many starts.

Prints the best local minimum over all parameters beside a proven lower bound. Ctrl-C prints the
best of the starts that were finished. With --certify, status 1 if a claimed loss is refuted.
"""

import argparse
from pathlib import Path

from solvers.autoencoders.architecture import Architecture
from solvers.autoencoders.objective import Objective
from solvers.cli.dispatch import as_option
from solvers.cli.interrupts import INTERRUPTED
from solvers.cli.options import (
    add_architecture,
    add_latents,
    add_law,
    add_objective,
    add_output,
    add_plot,
    add_search,
    architecture_of,
    check_plot,
    check_suffix,
    law_of,
    line_of,
    objective_of,
    print_result,
    search_of,
)
from solvers.optima.best_known import best_known
from solvers.optima.certified import Certified, certified_optimum
from solvers.presentation.certificate_report import certificate_document, certificate_text
from solvers.presentation.results import optimum_document, optimum_text
from theory.exact.errors import InputError
from theory.laws.law import Law

EXAMPLES = (
    "sae-theory optimum shared --latents 4 --l1 0.1 --certify",
    "sae-theory optimum shared --latents 8 --l1 0.1 --starts 16 --save best.npz --plot best.svg",
    "sae-theory optimum independent --latents 4 --architecture topk --k 1",
)

#: The relative gap that a certificate proves unless told otherwise.
_GAP = 1e-3


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    add_law(parser)
    add_latents(parser)
    add_search(parser, starts=32, workers=1)
    parser.add_argument("--save", type=Path, metavar="FILE.npz", help="write the best SAE")
    add_plot(parser, "draw support and atoms")
    parser.add_argument(
        "--certify", action="store_true",
        help="prove a lower bound for every dictionary of this width, in the plane",
    )  # fmt: skip
    parser.add_argument(
        "--gap", type=float, metavar="G",
        help=f"with --certify: relative gap to prove (default: {_GAP:g}); a tenth of it takes a "
        "few times as long",
    )  # fmt: skip
    parser.add_argument(
        "--any-b-dec",
        action="store_true",
        default=None,
        help="with --certify: for every b_dec too; minutes",
    )
    parser.add_argument(
        "--claimed", type=float, metavar="LOSS",
        help="with --certify: a claimed least loss with best activations, b_dec = 0 unless "
        "--any-b-dec; status 1 if it is refuted",
    )  # fmt: skip
    add_architecture(parser)
    add_objective(parser, with_l0=True)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    objective = objective_of(options)
    architecture = architecture_of(options)
    if options.save is not None:
        check_suffix(options.save, ".npz")
    check_plot(options.plot)
    law = law_of(options)
    certificate = None
    if options.certify:
        optimum, certificate = _certified(options, law, objective, architecture)
    else:
        for name in ("any_b_dec", "claimed", "gap"):
            if getattr(options, name) is not None:
                raise InputError(name, "beside --certify only")
        with search_of(options) as search:
            optimum = best_known(
                law, options.latents, objective, search, architecture=architecture
            )
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
        return INTERRUPTED
    return 1 if certificate is not None and certificate.refuted else 0


def _certified(
    options: argparse.Namespace, law: Law, objective: Objective, architecture: Architecture
) -> Certified:
    try:
        with search_of(options) as search:
            return certified_optimum(
                law,
                options.latents,
                objective,
                search,
                architecture=architecture,
                gap=_GAP if options.gap is None else options.gap,
                claimed=options.claimed,
                any_b_dec=bool(options.any_b_dec),
                progress=line_of(options, "boxes"),
            )
    except InputError as error:
        raise as_option(error, options).inside("--certify") from None
