"""sae-theory law: what a law is, in numbers and as a picture.

Features, active sets with their probabilities, l0 of the truth, mean, covariance, principal
components. With --sample, samples of it as an .npz file.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from solvers.cli.options import (
    add_law,
    add_output,
    add_plot,
    add_seed,
    check_plot,
    check_suffix,
    law_of,
    print_result,
    progress_of,
    whole,
)
from solvers.laws.description import describe
from solvers.laws.samples import sample, sample_features
from solvers.presentation.law_report import law_document, law_text
from solvers.runtime.files import check_writable, written_beside
from theory.exact.errors import InputError
from theory.laws.law import Law

Array = NDArray[np.float64]

EXAMPLES = (
    "sae-theory law independent:onehot_probability=1/4",
    "sae-theory law shared --plot law.png --sample 1e4 --out samples.npz",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    add_law(parser)
    add_plot(parser, "draw the support and the true features")
    parser.add_argument("--sample", dest="samples", type=whole, metavar="N",
                        help="write N samples, arrays x and magnitudes")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FILE", help="where --sample writes (.npz)")
    add_seed(parser)
    add_output(parser)


def _samples(law: Law, samples: int, seed: int) -> dict[str, Array]:
    """Return the arrays that are written: x, and the magnitudes of a law of features."""
    try:
        if not law.magnitudes and law.remainder is None:
            return {"x": sample(law, samples, seed)}
        x, magnitudes = sample_features(law, samples, seed)
    except MemoryError:
        raise InputError("samples", "as many as fit in memory", f"{samples:,}") from None
    return {"x": x, "magnitudes": magnitudes}


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    check_plot(options.plot)
    if (options.samples is None) != (options.out is None):
        given, other = ("samples", "out") if options.out is None else ("out", "sample")
        raise InputError(given, f"--{other} beside it")
    if options.out is not None:
        check_suffix(options.out, ".npz")
        check_writable(options.out)
    law = law_of(options)
    with progress_of(options, "moments and samples"):
        found = describe(law)
        if options.out is not None:
            arrays = _samples(law, options.samples, options.seed)
            with written_beside(options.out) as temporary:
                np.savez(temporary, allow_pickle=False, **arrays)
    if options.plot is not None:
        from solvers.presentation.figures import write_figure  # noqa: PLC0415
        from solvers.presentation.law_figure import law_figure  # noqa: PLC0415

        write_figure(law_figure(found), options.plot)
    print_result(options, law_document(found), law_text(found))
    return 0
