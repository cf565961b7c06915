"""sae-theory loss: the exact expected loss of an SAE on a law.

The parts are as they enter the total.
"""

import argparse

from solvers.autoencoders.checkpoints.load import load_checkpoint
from solvers.cli.options import (
    add_instance,
    add_law,
    add_objective,
    add_output,
    check_weights,
    law_of,
    objective_of,
    print_result,
    progress_of,
)
from solvers.losses.expected_loss import expected_loss
from solvers.presentation.results import loss_document, loss_text
from theory.exact.errors import InputError

EXAMPLES = (
    "sae-theory loss shared sae.npz --l1 0.1",
    "sae-theory loss independent:onehot_probability=1/4 sae.npz --l1 0.1 --decoder free --json",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    add_law(parser)
    parser.add_argument(
        "weights",
        metavar="WEIGHTS",
        help=".npz of W_enc, b_enc, W_dec, b_dec; a SAELens or dictionary_learning folder; .pt",
    )
    add_instance(parser)
    add_objective(parser, with_l0=True)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    objective = objective_of(options)
    check_weights(options.weights)
    law, sae = law_of(options), load_checkpoint(options.weights, options.instance)
    if sae.d_in != law.dimension:
        expected = f"d_in = {law.dimension}, the dimension of the law {options.law}"
        raise InputError("W_enc", expected, sae.d_in, where=options.weights)
    with progress_of(options, "exact loss"):
        loss = expected_loss(law, sae, objective)
    print_result(options, loss_document(loss), loss_text(loss, sae))
    return 0
