"""What `sae-theory landscape` and `sae-theory phase` do with their parsed options."""

import argparse
import sys
from pathlib import Path

from solvers.cli.commands import as_option, check_plot, objective_of, print_result
from solvers.optima.landscape import landscape
from solvers.optima.search import Search
from solvers.presentation.landscape_report import landscape_document, landscape_text
from solvers.presentation.phase_report import phase_csv, phase_document, phase_json, phase_text
from solvers.runtime.files import check_writable, written_beside
from solvers.runtime.parallel import pool
from solvers.runtime.progress import ProgressLine
from solvers.studies.phase import phase_diagram
from solvers.studies.phase_axis import Axis
from solvers.studies.phase_family import Family
from theory.exact.errors import InputError
from theory.laws.law_files import load_law


def run_landscape(options: argparse.Namespace) -> int:
    """Run `sae-theory landscape` and return its exit status."""
    objective, law = objective_of(options), load_law(options.law)
    check_plot(options.plot)
    try:
        with pool(options.workers, options.starts) as executor:
            found = landscape(
                law,
                options.latents,
                objective,
                Search(
                    starts=options.starts,
                    seed=options.seed,
                    executor=executor,
                    progress=ProgressLine("starts"),
                ),
                initialisation=options.initialisation,
                dynamics=options.dynamics,
            )
    except InputError as error:
        raise as_option(error) from None
    if options.plot is not None:
        from solvers.presentation.figures import write_figure  # noqa: PLC0415
        from solvers.presentation.landscape_figure import landscape_figure  # noqa: PLC0415

        write_figure(landscape_figure(found), options.plot)
    print_result(options, landscape_document(found), landscape_text(found))
    if found.interrupted:
        print(f"sae-theory: interrupted: {found.starts} of {options.starts} starts were finished",
              file=sys.stderr)  # fmt: skip
        return 130
    return 0


def run_phase(options: argparse.Namespace) -> int:
    """Run `sae-theory phase` and return its exit status."""
    if options.out.suffix.lower() not in _WRITERS:
        raise InputError(options.out, f"a file ending in {' or '.join(_WRITERS)}")
    check_writable(options.out)
    check_plot(options.plot)
    family = _family(options)
    journal = partial_results(options.out)
    pieces = family.x.count * family.y.count
    try:
        with pool(options.workers, pieces) as executor:
            diagram = phase_diagram(
                family, journal=journal, executor=executor, progress=ProgressLine("pieces")
            )
    except KeyboardInterrupt:
        print(
            f"sae-theory: interrupted: what was finished is in {journal}; the same command goes "
            "on from there",
            file=sys.stderr,
        )
        return 130
    with written_beside(options.out) as temporary:
        temporary.write_text(_WRITERS[options.out.suffix.lower()](diagram), encoding="utf-8")
    if options.plot is not None:
        from solvers.presentation.figures import write_figure  # noqa: PLC0415
        from solvers.presentation.phase_figure import phase_figure  # noqa: PLC0415

        write_figure(phase_figure(diagram), options.plot)
    # Only now: the result that these parts led to is on the disk.
    journal.unlink(missing_ok=True)
    print_result(options, phase_document(diagram), phase_text(diagram))
    return 0


_WRITERS = {".csv": phase_csv, ".json": phase_json}


def partial_results(out: Path) -> Path:
    """Return the file that keeps a run's finished pieces until its result is written."""
    return out.with_name(out.name + ".partial")


def _family(options: argparse.Namespace) -> Family:
    axes = []
    for name, text in (("x", options.x), ("y", options.y)):
        try:
            axes.append(Axis.parse(text))
        except InputError as error:
            raise error.inside(f"--{name}") from None
    names = (axes[0].name, axes[1].name)
    for option in ("l1", "latents"):
        if (getattr(options, option) is None) != (option in names):
            raise InputError(f"--{option}", f"either a number or {option} as an axis")
    if "l1" in names:
        # The axis takes its place at every point.
        options.l1 = 0.0
    return Family(
        options.law,
        axes[0],
        axes[1],
        1 if options.latents is None else options.latents,
        objective_of(options),
        starts=options.starts,
        seed=options.seed,
    )
