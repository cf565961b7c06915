"""sae-theory train: train SAEs on samples of a law, as libraries do.

Adam on samples; the defaults are those of the post's code [Anders2024]. Prints the exact losses.
Ctrl-C keeps what was trained so far.
"""

import argparse
from dataclasses import fields
from pathlib import Path

from solvers.cli.interrupts import INTERRUPTED
from solvers.cli.options import (
    add_architecture,
    add_latents,
    add_law,
    add_objective,
    add_output,
    add_seed,
    architecture_of,
    law_of,
    line_of,
    objective_of,
    print_result,
    progress_of,
    whole,
)
from solvers.optima.search import Search
from solvers.optima.train import TRAINED, TRAINED_FROM, Schedule, train
from solvers.presentation.results import training_document, training_text
from solvers.presentation.share_report import share_document, share_text
from solvers.studies.trained_shares import trained_share
from theory.exact.errors import UnwritableFileError

EXAMPLES = (
    "sae-theory train shared --latents 4 --l1 0.1 --samples 2e4 --save trained",
    "sae-theory train independent --latents 8 --l1 0.1 --instances 3 --samples 1e4 --batch 500",
    "sae-theory train shared --latents 4 --architecture topk --k 1 --samples 2e4 --compare",
    "sae-theory train shared --latents 4 --architecture matryoshka --k 2 --prefixes 1,2,4 "
    "--samples 2e4",
)

_SETTINGS = {
    "samples": "samples that each instance sees",
    "batch": "samples a step",
    "rate": "Adam's learning rate after warm-up",
    "beta1": "of Adam",
    "beta2": "of Adam",
    "warmup": "share of the steps over which the rate rises",
    "cooldown": "share of the steps over which the rate falls",
    "initialisation": " | ".join(TRAINED_FROM),
    "tie_b_dec": "keep x̂(0) = 0: b_dec = -Σ ReLU(b_i) d_i",
    "initial_threshold": "θ at the start, of jumprelu",
    "bandwidth": "ε of the gradient in θ, of jumprelu",
    "threshold_rate": "share of the newest batch in the threshold, of batchtopk",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    add_law(parser)
    add_latents(parser)
    parser.add_argument("--instances", type=whole, default=1, metavar="K",
                        help="SAEs to train (default: %(default)s)")  # fmt: skip
    add_seed(parser)
    for setting in fields(Schedule):
        option, told = f"--{setting.name.replace('_', '-')}", _SETTINGS.get(setting.name, "")
        if isinstance(setting.default, bool):
            parser.add_argument(option, action="store_true", help=told)
        else:
            kind = whole if isinstance(setting.default, int) else type(setting.default)
            parser.add_argument(option, type=kind, default=setting.default,
                                help=f"{told} (default: %(default)s)")  # fmt: skip
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="write sae_0.npz, ... there")
    parser.add_argument("--compare", action="store_true",
                        help="say what share reaches the best known loss")  # fmt: skip
    add_architecture(parser, offered=TRAINED)
    add_objective(parser, with_l0=True)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    objective, architecture = objective_of(options), architecture_of(options)
    law = law_of(options)
    if options.save is not None:
        try:
            options.save.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnwritableFileError.because(options.save, error) from None
    schedule = Schedule(**{field.name: getattr(options, field.name) for field in fields(Schedule)})
    with progress_of(options, "steps", schedule.steps) as progress:
        training = train(
            law, options.latents, objective, schedule, architecture=architecture,
            instances=options.instances, seed=options.seed, progress=progress,
        )  # fmt: skip
    if options.save is not None:
        for number, sae in enumerate(training.saes):
            sae.save(options.save / f"sae_{number}.npz")
    document, text = training_document(training), training_text(training)
    if options.compare:
        search = Search(seed=options.seed, progress=line_of(options, "starts"))
        share = trained_share(law, objective, architecture, training, search=search)
        document |= {"compared": share_document(share)}
        text += "\n" + share_text(share)
    print_result(options, document, text)
    return INTERRUPTED if training.interrupted else 0
