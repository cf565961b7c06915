"""What several commands share: law, objective, search, output."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Any

from solvers.autoencoders.architecture import ARCHITECTURES, Architecture
from solvers.autoencoders.objective import (
    DECODERS,
    PREFIX_WEIGHTS,
    RECONSTRUCTIONS,
    SPARSITIES,
    Objective,
)
from solvers.cli.interrupts import leaving_on_interrupt
from solvers.optima.search import Search
from solvers.presentation.results import to_json
from solvers.runtime.arguments import check_choice
from solvers.runtime.files import check_writable
from solvers.runtime.parallel import pool
from solvers.runtime.progress import ProgressLine
from theory.exact.errors import InputError
from theory.laws.law import Law
from theory.laws.law_files import load_law

LAW = (
    "a preset, shared, independent or two-features, with settings or without "
    "(independent:onehot_probability=0.25,amplitude=2; two-features:first_alone=0.5,both=0.5), "
    "or the path of a JSON law file"
)

#: Another name of BatchTopK with prefixes, as [Bussmann2025] train it.
MATRYOSHKA = "matryoshka"


def whole(text: str) -> int:
    """Return a whole number, also from a notation such as 1e6; argparse reports any other.

    Examples
    --------
    >>> whole("1e6"), whole("-3"), whole("12345678901234567891")
    (1000000, -3, 12345678901234567891)
    >>> whole("2.5")
    Traceback (most recent call last):
    ...
    argparse.ArgumentTypeError: expected a whole number, got '2.5'
    """
    try:
        return int(text)
    except ValueError:
        pass
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not value.is_integer():
        raise argparse.ArgumentTypeError(f"expected a whole number, got {text[:40]!r}")
    return int(value)


def number(text: str) -> float:
    """Return a number, a whole one as an int; argparse reports any other.

    Examples
    --------
    >>> number("2"), number("2.5"), number("1e1")
    (2, 2.5, 10)
    """
    try:
        return whole(text)
    except argparse.ArgumentTypeError:
        pass
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number, got {text[:40]!r}") from None


def wholes(text: str) -> tuple[int, ...]:
    """Return whole numbers that commas separate.

    Examples
    --------
    >>> wholes("1,2,4")
    (1, 2, 4)
    """
    return tuple(whole(part) for part in text.split(","))


def prefix_weights(text: str) -> str | tuple[float, ...]:
    """Return numbers that commas separate, or else a word for `Objective` to judge.

    Examples
    --------
    >>> prefix_weights("2,1"), prefix_weights("mean")
    ((2, 1), 'mean')
    """
    try:
        return tuple(number(part) for part in text.split(","))
    except argparse.ArgumentTypeError:
        return text


def add_law(parser: argparse.ArgumentParser) -> None:
    """Add LAW."""
    parser.add_argument("law", metavar="LAW", help=LAW)


def add_latents(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add --latents."""
    text = "width" if required else "width, unless it is an axis"
    parser.add_argument("--latents", type=whole, required=required, metavar="N", help=text)


def add_seed(parser: argparse.ArgumentParser) -> None:
    """Add --seed."""
    parser.add_argument("--seed", type=whole, default=0, metavar="S",
                        help="fixes what is random (default: %(default)s)")  # fmt: skip


def add_search(
    parser: argparse.ArgumentParser,
    *,
    starts: int | None,
    starts_help: str = "random starts (default: %(default)s)",
    workers: int | None,
) -> None:
    """Add --starts, --seed and --workers; `workers` None is one process a core."""
    parser.add_argument("--starts", type=whole, default=starts, metavar="K", help=starts_help)
    add_seed(parser)
    told = "one a core" if workers is None else "%(default)s, which is best for short starts"
    parser.add_argument("--workers", type=whole, default=workers, metavar="W",
                        help=f"processes that share the work (default: {told})")  # fmt: skip


def add_plot(parser: argparse.ArgumentParser, what: str) -> None:
    """Add --plot."""
    parser.add_argument("--plot", type=Path, metavar="FILE", help=f"{what} (.png, .svg, .pdf)")


def add_instance(parser: argparse.ArgumentParser) -> None:
    """Add --instance."""
    parser.add_argument("--instance", type=whole, metavar="I",
                        help="which SAE of a file that holds several, from 0")  # fmt: skip


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add --json and --quiet."""
    parser.add_argument("--json", action="store_true", help="print one JSON object, nothing else")
    parser.add_argument("--quiet", action="store_true", help="no progress on standard error")


def add_objective(
    parser: argparse.ArgumentParser,
    *,
    from_file: bool = False,
    l1_required: bool = True,
    with_l0: bool = False,
) -> None:
    """Add the objective's options; `from_file` if what is not given comes with the weights."""
    group = parser.add_argument_group(
        "objective",
        "E ‖x - x̂‖² + λ E Σ f_i + μ (‖W_enc‖² + ‖W_dec‖²); no ½, no division by d"
        + (";\nby default that of the library which wrote the weights" if from_file else ""),
    )
    required = l1_required and not from_file and not with_l0
    group.add_argument("--l1", type=float, required=required, metavar="λ",
                       help="coefficient λ ≥ 0")  # fmt: skip
    told = "the file's" if from_file else "%(default)s"
    for name, choices in (
        ("reconstruction", RECONSTRUCTIONS),
        ("sparsity", SPARSITIES),
        ("decoder", DECODERS),
    ):
        offered = (*choices, "l0") if with_l0 and name == "sparsity" else choices
        group.add_argument(f"--{name}", default=None if from_file else choices[0],
                           help=f"{' | '.join(offered)} (default: {told})")  # fmt: skip
    if with_l0:
        group.add_argument("--l0", type=float, metavar="λ₀",
                           help="coefficient λ₀ ≥ 0 of the latents that fire")  # fmt: skip
        group.add_argument("--prefixes", type=wholes, metavar="M1,M2,..",
                           help="of Matryoshka SAEs: first latents that reconstruct too; the last "
                           "M is the width")  # fmt: skip
        group.add_argument("--prefix-weights", type=prefix_weights, metavar="V",
                           help=f"{' | '.join(PREFIX_WEIGHTS)} | v1,v2,.. (default: "
                           f"{told if from_file else PREFIX_WEIGHTS[0]})")  # fmt: skip
    group.add_argument("--weight-decay", type=float, default=None if from_file else 0.0,
                       metavar="μ", help=f"coefficient μ ≥ 0 (default: {told})")  # fmt: skip


def add_architecture(
    parser: argparse.ArgumentParser, *, offered: Sequence[str] = ARCHITECTURES
) -> None:
    """Add --architecture and --k.

    "matryoshka", offered with "batchtopk", is another name of it that asks for prefixes.
    """
    names = (*offered, MATRYOSHKA) if "batchtopk" in offered else tuple(offered)
    parser.add_argument("--architecture", default=names[0], metavar="A",
                        help=f"{' | '.join(names)}, which is batchtopk with prefixes "
                        "(default: %(default)s)")  # fmt: skip
    parser.add_argument("--k", type=number, metavar="K",
                        help="of topk: latents a sample; of batchtopk: on average")  # fmt: skip
    parser.set_defaults(offered_architectures=names)


def architecture_of(options: argparse.Namespace) -> Architecture:
    """Return the architecture that the options describe; ReLU where a command has none."""
    if not hasattr(options, "offered_architectures"):
        return Architecture()
    name = check_choice("architecture", options.architecture, options.offered_architectures)
    if name == MATRYOSHKA:
        if not options.prefixes:
            raise InputError("prefixes", f"numbers of latents beside --architecture {MATRYOSHKA}")
        name = "batchtopk"
    return Architecture(name, options.k)


def objective_of(options: argparse.Namespace) -> Objective:
    """Return the objective that the options describe."""
    given = given_objective(options)
    if not {"l1", "l0"} & given.keys() and not architecture_of(options).has_k:
        raise InputError("l1", "λ, the coefficient of the penalty")
    return Objective(**{"l1": 0.0, **given})


def given_objective(options: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of the objective that the options say."""
    names = [field.name for field in fields(Objective)]
    given = {name: getattr(options, name, None) for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    if given.get("sparsity") == "l0":
        if "l0" not in given:
            raise InputError("l0", "λ₀, beside --sparsity l0")
        if "l1" in given:
            expected = "no λ beside --sparsity l0, whose coefficient is --l0"
            raise InputError("l1", expected, given["l1"])
        given |= {"l1": 0.0, "sparsity": SPARSITIES[0]}
    return given


def progress_of(
    options: argparse.Namespace, label: str, total: int | None = None
) -> AbstractContextManager[ProgressLine | None]:
    """Return what says on standard error how far the work is, unless that is not wanted."""
    line = line_of(options, label, total)
    return nullcontext() if line is None else line


def line_of(
    options: argparse.Namespace, label: str, total: int | None = None
) -> ProgressLine | None:
    """Return a line of progress that speaks only when it is told something, if it is wanted."""
    return None if options.quiet or sys.stderr is None else ProgressLine(label, total)


def law_of(options: argparse.Namespace) -> Law:
    """Return LAW; one of thousands of active sets takes seconds to build."""
    with progress_of(options, "law"):
        return load_law(options.law)


@contextmanager
def search_of(options: argparse.Namespace, label: str = "starts") -> Iterator[Search]:
    """Yield how to search, with its progress shown and its processes running meanwhile."""
    with (
        progress_of(options, label, options.starts) as line,
        pool(options.workers, options.starts or sys.maxsize) as executor,
    ):
        yield Search(starts=options.starts, seed=options.seed, executor=executor, progress=line)


def check_plot(path: Path | None) -> None:
    """Raise `InputError` if a figure that was asked for cannot be written there."""
    if path is not None:
        # Matplotlib takes half a second to import; only figures need it.
        with leaving_on_interrupt():
            from solvers.presentation.figures import check_figure_path  # noqa: PLC0415

        check_figure_path(path)
        check_writable(path)


def check_suffix(path: Path, *suffixes: str) -> None:
    """Raise `InputError` if a file of another kind was asked for, or it cannot be written."""
    if path.suffix.lower() not in suffixes:
        raise InputError(path, f"a file ending in {' or '.join(suffixes)}")
    check_writable(path)


def check_weights(text: str) -> None:
    """Raise `InputError` for a name of no letters, which would be the current folder."""
    if not text:
        raise InputError("WEIGHTS", "a file or folder, not an empty name")


def print_result(options: argparse.Namespace, document: dict[str, Any], text: str) -> None:
    """Print the result as text, or with --json as one JSON object."""
    print(to_json(document) if options.json else text)
