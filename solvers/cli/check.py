"""sae-theory check: hold trained SAEs against the optimum: how far, and why.

Says of every SAE what more training would gain, what is lost to the basin it fell into, what its
one-layer encoder costs, and what no SAE of its width can avoid.
"""

import argparse
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

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
from solvers.presentation.check_report import check_document, check_text
from solvers.presentation.comparison import Comparison, comparison_csv, comparison_text
from solvers.runtime.arguments import check_whole
from solvers.runtime.files import check_writable, written_beside
from solvers.studies.cross_check import cross_check_all, objective_for
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
    parser.add_argument(
        "--report",
        type=Path,
        metavar="FILE.html",
        help="write a page; of several SAEs also FILE.csv",
    )
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
    found = _found(options, law)
    if options.report is not None and found.several:
        check_writable(options.report.with_suffix(".csv"))
    refused = list(found.refused)
    with search_of(options, "SAEs" if len(found.saes) > 1 else "starts") as search:
        # Of a folder, what cannot be checked does not keep the rest from it.
        failed = refused if found.folder else None
        checks = cross_check_all(
            law, found.saes, search, samples=options.sampled, refused=failed
        ) if found.saes else []  # fmt: skip
    reasons = [(name, str(error.outside(name))) for name, error in refused]
    comparison = Comparison.by_excess(checks, reasons)
    if options.report is not None:
        _write_page(options, law, comparison, several=found.several)
    if len(checks) == 1 and len(found.saes) == 1 and not refused:
        print_result(options, check_document(checks[0][1]), check_text(checks[0][1]))
    else:
        rows = [{"weights": name, **check_document(check)} for name, check in comparison.checks]
        rows += [{"weights": name, "error": reason} for name, reason in reasons]
        left = len(found.saes) + len(found.refused) - len(rows)
        print_result(options, {"checks": rows, "interrupted": left > 0},
                     comparison_text(comparison))  # fmt: skip
        if left:
            done = len(found.saes) - left
            print(f"sae-theory: interrupted: {done} of {len(found.saes)} SAEs were checked",
                  file=sys.stderr)  # fmt: skip
            return INTERRUPTED
    return 1 if refused else 0


class _Found(NamedTuple):
    """What WEIGHTS are: SAEs with their objectives, and what cannot be one, with the reason."""

    saes: list[tuple[str, Autoencoder, Objective]]
    refused: list[tuple[str, InputError]]
    folder: bool

    @property
    def several(self) -> bool:
        """Whether there is something to compare, or there may be: a folder of checkpoints."""
        return self.folder or len(self.saes) > 1


def _found(options: argparse.Namespace, law: Law) -> _Found:
    """Read all WEIGHTS. A file that was named must be an SAE; one in a folder need not.

    Raises
    ------
    InputError
        For a file that was named; or if none of those in a folder goes with law and options.
    """
    found = _Found([], [], folder=False)
    unfit: InputError | None = None
    for weights in options.weights:
        check_weights(weights)
        paths = find_checkpoints(weights)
        folder = paths != [Path(weights)]
        found = found._replace(folder=found.folder or folder)
        for path in paths:
            try:
                load_checkpoints(path)
            except InputError as error:
                if not folder:
                    raise
                found.refused.append((str(path), error))
                continue
            try:
                named = [
                    (name, sae, _objective(options, name, sae, law))
                    for name, sae in _saes(path, options.instance)
                ]
            except InputError as error:
                if not folder:
                    raise
                unfit = unfit or error
                found.refused.append((str(path), error))
            else:
                found.saes.extend(named)
    if unfit is not None and not found.saes:
        raise unfit
    return found


def _saes(path: Path, instance: int | None) -> Iterator[tuple[str, Autoencoder]]:
    """Yield the SAEs in a file, each with a name."""
    if instance is not None:
        yield f"{path}, instance {instance}", load_checkpoint(path, instance)
        return
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


def _write_page(
    options: argparse.Namespace, law: Law, comparison: Comparison, *, several: bool
) -> None:
    from solvers.presentation.check_page import check_page, comparison_page  # noqa: PLC0415

    command = shlex.join(["sae-theory", *options.arguments])
    checks = comparison.checks
    one = len(checks) == 1 and not comparison.refused
    texts = {options.report: check_page(checks[0][1], checks[0][0], command) if one else (
        comparison_page(law, comparison, command)
    )}  # fmt: skip
    if several:
        texts[options.report.with_suffix(".csv")] = comparison_csv(comparison)
    for path, text in texts.items():
        with written_beside(path) as temporary:
            # A file's name need not be text.
            temporary.write_text(text, encoding="utf-8", errors="replace")
