"""sae-theory derive: write derivations as documents, checked.

Every formula is derived when the document is made, and every step is checked. A check that fails
stops the document, with status 1, and nothing is written.
"""

import argparse
import sys
from functools import partial
from pathlib import Path

from solvers.cli.interrupts import leaving_on_interrupt
from solvers.cli.options import LAW, add_output, print_result, progress_of
from theory.claims.claim import ProofError
from theory.codes.code_files import load_code
from theory.derivations.own import own_derivation
from theory.derivations.topics import FORMATS, TOPICS
from theory.exact.errors import InputError, one_of
from theory.exact.numbers import exact_number
from theory.laws.law_files import load_law

EXAMPLES = (
    "sae-theory derive setting --format html --out pages",
    "sae-theory derive shared:onehot_probability=1/3 --code diagonal --out mine",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument(
        "topics",
        nargs="*",
        metavar="TOPIC",
        help=f"(default: all of {', '.join(TOPICS)}); with --code, one LAW: {LAW}",
    )
    parser.add_argument("--code", metavar="CODE", help="axis-aligned | diagonal | rotated:DEGREES"
                        " | JSON file of atoms")  # fmt: skip
    parser.add_argument("--l1", metavar="λ", help="with --code: derive the optimal loss too")
    parser.add_argument("--format", default=FORMATS[0],
                        help=f"{' | '.join(FORMATS)} (default: %(default)s)")  # fmt: skip
    parser.add_argument("--out", type=Path, default=Path("derivations"), metavar="FOLDER",
                        help="made if it is not there (default: %(default)s)")  # fmt: skip
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    # Matplotlib takes half a second to import; of the commands only this one always needs it.
    with leaving_on_interrupt():
        from solvers.presentation.derivations.documents import (  # noqa: PLC0415
            pages_of,
            write_pages,
        )
        from solvers.presentation.derivations.figures import law_and_code  # noqa: PLC0415
        from solvers.presentation.derivations.pages import page_of  # noqa: PLC0415

    if options.format not in FORMATS:
        raise InputError("format", one_of(FORMATS, options.format), options.format)
    if options.out.exists() and not options.out.is_dir():
        raise InputError(options.out, "a folder, this is a file")
    own = None
    try:
        with progress_of(options, "derivations") as progress:
            if options.code is None:
                if options.l1 is not None:
                    raise InputError("l1", "beside --code only")
                pages = pages_of(options.topics, progress=progress)
            else:
                if len(options.topics) != 1:
                    raise InputError("code", "one LAW before it")
                law = load_law(options.topics[0])
                l1 = None if options.l1 is None else exact_number(options.l1, "l1")
                code = load_code(options.code, law)
                pages = [page_of(own_derivation(law, code, l1))]
                own = partial(law_and_code, law, code)
            written = write_pages(pages, options.format, options.out, own)
    except ProofError as error:
        print(f"sae-theory: error: nothing was written: {error}", file=sys.stderr)
        return 1
    names = [str(path) for path in written]
    print_result(
        options, {"written": names, "topics": [page.id for page in pages]}, "\n".join(names)
    )
    return 0
