"""sae-theory check: hold trained SAEs against the optimum: how far, and why.

Says of every SAE what more training would gain, what is lost to the basin it fell into, what its
one-layer encoder costs, and what no SAE of its width can avoid.
"""

import argparse
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from solvers.autoencoders.autoencoder import Autoencoder
from solvers.autoencoders.checkpoints.load import (
    find_checkpoints,
    load_checkpoint,
    load_checkpoints,
)
from solvers.autoencoders.objective import Objective
from solvers.cli.dispatch import as_option
from solvers.cli.interrupts import INTERRUPTED, leaving_on_interrupt
from solvers.cli.options import (
    add_instance,
    add_law,
    add_objective,
    add_output,
    add_search,
    check_suffix,
    check_weights,
    given_objective,
    law_of,
    print_result,
    search_of,
    whole,
)
from solvers.optima.minimize import STARTS
from solvers.presentation.check_report import check_document, check_text, comparison_text
from solvers.runtime.arguments import check_whole
from solvers.runtime.files import written_beside
from solvers.studies.cross_check import CrossCheck, cross_check_all, objective_for
from theory.exact.errors import InputError
from theory.laws.law import Law

EXAMPLES = (
    "sae-theory check shared sae.npz --l1 0.1 --report sae.html",
    "sae-theory check independent sae.npz --l1 0.1 --starts 8 --sampled 1e4",
)

_LARGEST_COUNT = 10**9


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    add_law(parser)
    parser.add_argument(
        "weights", metavar="WEIGHTS", nargs="+", help="files or folders of trained SAEs"
    )
    add_instance(parser)
    told = "; ".join(f"{name} loss: {count}" for name, count in STARTS.items())
    add_search(parser, starts=None, starts_help=f"random starts (default: {told})", workers=1)
    parser.add_argument("--sampled", type=whole, default=0, metavar="M",
                        help="add a Monte Carlo estimate (default: %(default)s)")  # fmt: skip
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="write a page")
    add_objective(parser, from_file=True, with_l0=True)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    if options.report is not None:
        check_suffix(options.report, ".html", ".htm")
        # Matplotlib takes half a second to import; only this option needs it.
        with leaving_on_interrupt():
            import solvers.presentation.check_page  # noqa: F401, PLC0415
    check_whole("sampled", options.sampled, 0, _LARGEST_COUNT)
    law = law_of(options)
    saes = [
        (name, sae, _objective(options, name, sae, law))
        for weights in options.weights
        for name, sae in _saes(weights, options.instance)
    ]
    with search_of(options, "SAEs" if len(saes) > 1 else "starts") as search:
        checks = cross_check_all(law, saes, search, samples=options.sampled)
    if options.report is not None:
        _write_page(options, checks)
    if len(checks) == 1 and len(saes) == 1:
        print_result(options, check_document(checks[0][1]), check_text(checks[0][1]))
    else:
        rows = [{"weights": name, **check_document(check)} for name, check in checks]
        print_result(options, {"checks": rows, "interrupted": len(checks) < len(saes)},
                     comparison_text(checks))  # fmt: skip
    if len(checks) < len(saes):
        print(f"sae-theory: interrupted: {len(checks)} of {len(saes)} SAEs were checked",
              file=sys.stderr)  # fmt: skip
        return INTERRUPTED
    return 0


def _saes(weights: str, instance: int | None) -> Iterator[tuple[str, Autoencoder]]:
    """Yield the SAEs in a file or folder, each with a name."""
    check_weights(weights)
    for path in find_checkpoints(weights):
        if instance is not None:
            yield f"{path}, instance {instance}", load_checkpoint(path, instance)
            continue
        saes = load_checkpoints(path)
        for i, sae in enumerate(saes):
            yield f"{path}, instance {i}" if len(saes) > 1 else str(path), sae


def _objective(options: argparse.Namespace, name: str, sae: Autoencoder, law: Law) -> Objective:
    if sae.d_in != law.dimension:
        raise InputError(
            "W_enc",
            f"d_in = {law.dimension}, the dimension of the law {options.law} (pass the law that "
            "this SAE was trained on)",
            sae.d_in,
            where=name,
        )
    try:
        return objective_for(sae, **given_objective(options))
    except InputError as error:
        raise as_option(error, options).inside(name) from None


def _write_page(options: argparse.Namespace, checks: list[tuple[str, CrossCheck]]) -> None:
    from solvers.presentation.check_page import check_page, comparison_page  # noqa: PLC0415

    command = shlex.join(["sae-theory", *options.arguments])
    one = len(checks) == 1
    page = check_page(checks[0][1], checks[0][0], command) if one else (
        comparison_page(checks, command)
    )  # fmt: skip
    with written_beside(options.report) as temporary:
        # A file's name need not be text.
        temporary.write_text(page, encoding="utf-8", errors="replace")
