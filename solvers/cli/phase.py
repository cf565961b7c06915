"""sae-theory phase: which code is optimal over any two parameters of law, objective and width.

FILE.partial keeps finished points until FILE is written: the same command goes on from there after
an interrupt or a kill.
"""

import argparse
import sys
from pathlib import Path

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
    objective_of,
    print_result,
    progress_of,
)
from solvers.presentation.phase_report import phase_csv, phase_document, phase_json, phase_text
from solvers.runtime.files import written_beside
from solvers.runtime.parallel import pool
from solvers.studies.phase import phase_diagram
from solvers.studies.phase_axis import Axis
from solvers.studies.phase_family import Family
from theory.exact.errors import InputError

EXAMPLES = (
    "sae-theory phase shared --x l1=0.1:1:2 --y onehot_probability=0.4:0.8:2 --latents 4"
    " --starts 2 --workers 1 --out shared.csv",
    "sae-theory phase independent --x onehot_probability=0:0.9:10 --y latents=2:8:7 --l1 0.1"
    " --out widths.json --plot widths.png",
)

_WRITERS = {".csv": phase_csv, ".json": phase_json}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    add_law(parser)
    for name in ("x", "y"):
        parser.add_argument(
            f"--{name}",
            required=True,
            metavar="AXIS=LOW:HIGH:COUNT",
            help="l1, l0, weight_decay, latents, or a setting of the law, such as "
            "onehot_probability=0:0.9:10",
        )
    add_latents(parser, required=False)
    add_search(
        parser,
        starts=8,
        starts_help="random starts for the optimum at every point (default: %(default)s)",
        workers=None,
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE",
        help=".csv or .json; FILE.partial keeps finished points, and a killed run goes on",
    )  # fmt: skip
    add_plot(parser, "draw the diagram")
    add_architecture(parser)
    add_objective(parser, l1_required=False, with_l0=True)
    add_output(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    check_suffix(options.out, *_WRITERS)
    check_plot(options.plot)
    family = _family(options)
    partial_results = options.out.with_name(options.out.name + ".partial")
    try:
        with (
            progress_of(options, "pieces") as progress,
            pool(options.workers, family.x.count * family.y.count) as executor,
        ):
            diagram = phase_diagram(
                family, journal=partial_results, executor=executor, progress=progress
            )
    except KeyboardInterrupt:
        print(
            f"sae-theory: interrupted: what was finished is in {partial_results}; the same "
            "command goes on from there",
            file=sys.stderr,
        )
        return INTERRUPTED
    with written_beside(options.out) as temporary:
        temporary.write_text(_WRITERS[options.out.suffix.lower()](diagram), encoding="utf-8")
    if options.plot is not None:
        from solvers.presentation.figures import write_figure  # noqa: PLC0415
        from solvers.presentation.phase_figure import phase_figure  # noqa: PLC0415

        write_figure(phase_figure(diagram), options.plot)
    # Only now: the result that these parts led to is on the disk.
    partial_results.unlink(missing_ok=True)
    print_result(options, phase_document(diagram), phase_text(diagram))
    return 0


def _family(options: argparse.Namespace) -> Family:
    axes = []
    for name, text in (("--x", options.x), ("--y", options.y)):
        try:
            axes.append(Axis.parse(text))
        except InputError as error:
            raise error.inside(name) from None
    names = (axes[0].name, axes[1].name)
    if names[0] == names[1]:
        raise InputError("y", "another axis than --x", names[1])
    charged = options.l0 is not None or "l0" in names or architecture_of(options).has_k
    for option in ("l1", "l0", "latents"):
        given = getattr(options, option) is not None
        needed = option == "latents" or (option == "l1" and not charged)
        if given if option in names else (needed and not given):
            raise InputError(option, f"either a number or {option} as an axis")
        if option in names and option != "latents":
            # The axis takes its place at every point.
            setattr(options, option, 0.0)
    return Family(
        options.law,
        axes[0],
        axes[1],
        1 if options.latents is None else options.latents,
        objective_of(options),
        starts=options.starts,
        seed=options.seed,
        architecture=architecture_of(options),
    )
