"""sae-theory verify: prove and check the discussion's claims, one by one.

Every claim is proved anew, and its formulas are held against three numeric routes. Status 1 if any
fails.
"""

import argparse

from solvers.cli.options import add_output, progress_of
from solvers.presentation.results import (
    claim_text,
    claims_document,
    claims_head,
    claims_summary,
    to_json,
)
from solvers.runtime.parallel import pool
from solvers.studies.verify import chosen_ids, verified, verify
from theory.claims.ledger import LEDGER

EXAMPLES = ("sae-theory verify", "sae-theory verify ratio two-dimensional --json")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    known = ", ".join(claim.id for claim in LEDGER)
    parser.add_argument("claims", nargs="*", metavar="CLAIM", help=f"(default: all of {known})")
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command, printing each claim when it is proved; return its exit status."""
    # The first claim is proved here.
    with pool(None, len(chosen_ids(options.claims)) - 1) as executor:
        if options.json:
            with progress_of(options, "claims") as progress:
                claims = verify(options.claims, progress, executor=executor)
            print(to_json(claims_document(claims)))
        else:
            claims = ()
            print(claims_head(), flush=True)
            for claim in verified(options.claims, executor):
                claims += (claim,)
                print(claim_text(len(claims), claim), flush=True)
            print(claims_summary(claims))
    return 0 if all(claim.passed for claim in claims) else 1
