"""What `sae-theory landscape` and `sae-theory phase` do with their parsed options."""

import argparse
import sys

from solvers.commands import objective_of, print_result
from solvers.files import check_writable
from solvers.landscape import landscape
from solvers.landscape_report import landscape_document, landscape_text
from solvers.parallel import pool
from solvers.progress import ProgressLine
from theory.errors import InputError
from theory.law_files import load_law


def run_landscape(options: argparse.Namespace) -> int:
    """Run `sae-theory landscape` and return its exit status."""
    objective, law = objective_of(options), load_law(options.law)
    if options.plot is not None:
        # Matplotlib takes half a second to import; only this option needs it.
        from solvers.figures import check_figure_path  # noqa: PLC0415

        check_figure_path(options.plot)
        check_writable(options.plot)
    try:
        with pool(options.workers, options.starts) as executor:
            found = landscape(
                law,
                options.latents,
                objective,
                starts=options.starts,
                seed=options.seed,
                initialisation=options.initialisation,
                dynamics=options.dynamics,
                executor=executor,
                progress=ProgressLine("starts"),
            )
    except InputError as error:
        # What Python calls n_latents is --latents here.
        raise InputError(f"--{str(error).removeprefix('n_')}") from None
    if options.plot is not None:
        from solvers.figures import write_figure  # noqa: PLC0415
        from solvers.landscape_figure import landscape_figure  # noqa: PLC0415

        write_figure(landscape_figure(found), options.plot)
    print_result(options, landscape_document(found), landscape_text(found))
    if found.interrupted:
        print(f"sae-theory: interrupted: {found.starts} of {options.starts} starts were finished",
              file=sys.stderr)  # fmt: skip
        return 130
    return 0
