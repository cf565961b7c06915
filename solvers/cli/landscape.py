"""sae-theory landscape: every stationary point that many starts reach, and how often.

Each point is listed once, with loss, share, kind, atoms and b_dec. Ctrl-C prints the points of the
starts that were finished.
"""

import argparse
import sys

from solvers.autoencoders.initialisation import INITIALISATIONS
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
    law_of,
    objective_of,
    print_result,
    search_of,
)
from solvers.optima.descent import DYNAMICS
from solvers.optima.landscape import landscape
from solvers.presentation.landscape_report import landscape_document, landscape_text

EXAMPLES = (
    "sae-theory landscape independent --latents 4 --architecture jumprelu --l0 0.1 --starts 8",
    "sae-theory landscape shared --latents 4 --l1 0.1 --starts 24 --workers 1",
    "sae-theory landscape independent --latents 2 --l1 0.1 --starts 16 --workers 1 --plot all.png",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    add_law(parser)
    add_latents(parser)
    add_search(parser, starts=256, workers=None)
    for name, choices in (("initialisation", INITIALISATIONS), ("dynamics", DYNAMICS)):
        parser.add_argument(f"--{name}", default=next(iter(choices)),
                            help=f"{' | '.join(choices)} (default: %(default)s)")  # fmt: skip
    add_plot(parser, "draw every point")
    add_architecture(parser)
    add_objective(parser, with_l0=True)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    objective = objective_of(options)
    check_plot(options.plot)
    law = law_of(options)
    with search_of(options) as search:
        found = landscape(
            law,
            options.latents,
            objective,
            search,
            architecture=architecture_of(options),
            initialisation=options.initialisation,
            dynamics=options.dynamics,
        )
    if options.plot is not None:
        from solvers.presentation.figures import write_figure  # noqa: PLC0415
        from solvers.presentation.landscape_figure import landscape_figure  # noqa: PLC0415

        write_figure(landscape_figure(found), options.plot)
    print_result(options, landscape_document(found), landscape_text(found))
    if found.interrupted:
        print(f"sae-theory: interrupted: {found.starts} of {options.starts} starts were finished",
              file=sys.stderr)  # fmt: skip
        return INTERRUPTED
    return 0
