"""sae-theory verify: prove and check the discussion's claims, one by one.

Every claim is proved anew, and its formulas are held against three numeric routes. Status 1 if any
fails.
"""

import argparse

from solvers.cli.options import add_output, print_result, progress_of
from solvers.presentation.results import claims_document, claims_text
from solvers.studies.verify import verify
from theory.claims.ledger import LEDGER

EXAMPLES = ("sae-theory verify", "sae-theory verify ratio two-dimensional --json")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    known = ", ".join(claim.id for claim in LEDGER)
    parser.add_argument("claims", nargs="*", metavar="CLAIM", help=f"(default: all of {known})")
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    with progress_of(options, "claims") as progress:
        claims = verify(options.claims, progress=progress)
    print_result(options, claims_document(claims), claims_text(claims))
    return 0 if all(claim.passed for claim in claims) else 1
