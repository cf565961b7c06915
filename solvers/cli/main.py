"""The command sae-theory: parse, call, print.

Exit status 0: done; 1: a check failed; 2: bad input or usage, with one line on standard error.
"""

import argparse
import io
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from solvers.autoencoders.initialisation import INITIALISATIONS
from solvers.autoencoders.objective import DECODERS, RECONSTRUCTIONS, SPARSITIES
from solvers.cli import commands, landscape_commands
from solvers.optima.descent import DYNAMICS
from solvers.optima.train import Schedule
from theory.claims.ledger import LEDGER
from theory.derivations.topics import FORMATS, TOPICS
from theory.exact.errors import InputError

_LAW = (
    "a preset, shared, independent or two-features, with settings or without "
    "(independent:onehot_probability=0.25,amplitude=2; two-features:first_alone=0.5,both=0.5), "
    "or the path of a JSON law file"
)


class _Parser(argparse.ArgumentParser):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise InputError("usage", f"that of {self.prog} --help", hint=message)


Subparsers: TypeAlias = "argparse._SubParsersAction[_Parser]"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal without λ shows "?" rather than a traceback.
            stream.reconfigure(errors="replace")
    try:
        options = _parser().parse_args(arguments)
        options.arguments = sys.argv[1:] if arguments is None else list(arguments)
        status: int = options.run(options)
        sys.stdout.flush()
    except InputError as error:
        message = " ".join(str(error).split())
        print(f"sae-theory: error: {message}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("sae-theory: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader, such as head, has seen enough; Python must not complain at exit.
        sys.stdout = None
        return 0
    except OSError as error:
        # Such as a full disk behind standard output.
        sys.stdout = None
        print(f"sae-theory: error: {error}", file=sys.stderr)
        return 2
    except MemoryError:
        print("sae-theory: error: not enough memory for this many latents", file=sys.stderr)
        return 2
    return status


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="sae-theory",
        description="An exact theory of sparse autoencoders on data whose features are known.",
    )
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for add in (
        _add_verify, _add_loss, _add_check, _add_derive, _add_optimum, _add_landscape, _add_phase,
        _add_train,
    ):  # fmt: skip
        add(subparsers)
    return parser


def _add_verify(subparsers: Subparsers) -> None:
    command = subparsers.add_parser(
        "verify", help="prove and check the discussion's claims, one by one"
    )
    known = ", ".join(claim.id for claim in LEDGER)
    command.add_argument("claims", nargs="*", metavar="CLAIM", help=f"default: all of {known}")
    _add_json(command)
    command.set_defaults(run=commands.run_verify)


def _add_loss(subparsers: Subparsers) -> None:
    command = subparsers.add_parser("loss", help="the exact expected loss of an SAE on a law")
    command.add_argument("law", metavar="LAW", help=_LAW)
    command.add_argument(
        "weights",
        metavar="WEIGHTS",
        help=".npz of W_enc, b_enc, W_dec, b_dec; a SAELens or dictionary_learning folder; .pt",
    )
    command.add_argument(
        "--instance", type=int, metavar="I", help="which SAE of a file that holds several, from 0"
    )
    _add_objective(command)
    _add_json(command)
    command.set_defaults(run=commands.run_loss)


def _add_check(subparsers: Subparsers) -> None:
    command = subparsers.add_parser(
        "check", help="hold trained SAEs against the optimum: how far, and why"
    )
    command.add_argument("law", metavar="LAW", help=_LAW)
    command.add_argument(
        "weights", metavar="WEIGHTS", nargs="+", help="files or folders of trained SAEs"
    )
    command.add_argument(
        "--instance", type=int, metavar="I", help="one SAE of a file that holds several, from 0"
    )
    command.add_argument("--starts", type=int, metavar="K", help="default: 32; relative: 4")
    command.add_argument("--seed", type=int, default=0, metavar="S", help="default: 0")
    command.add_argument(
        "--sampled", type=_whole, default=0, metavar="M", help="add a Monte Carlo estimate"
    )
    command.add_argument("--report", type=Path, metavar="FILE.html", help="write a page")
    _add_objective(command, from_file=True)
    _add_json(command)
    command.set_defaults(run=commands.run_check)


def _add_optimum(subparsers: Subparsers) -> None:
    command = subparsers.add_parser("optimum", help="minimise the exact loss from many starts")
    command.add_argument("law", metavar="LAW", help=_LAW)
    _add_starts(command, default=32)
    command.add_argument("--save", type=Path, metavar="FILE.npz", help="write the best SAE")
    command.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw support and atoms (.png, .svg, .pdf)"
    )
    command.add_argument(
        "--certify", action="store_true",
        help="prove a lower bound for every dictionary of this width, in the plane",
    )  # fmt: skip
    command.add_argument(
        "--gap", type=float, metavar="G",
        help=f"with --certify: relative gap to prove, default {commands.DEFAULT_GAP:g}; a tenth of"
        " it takes a few times as long",
    )  # fmt: skip
    command.add_argument(
        "--any-b-dec", action="store_true", help="with --certify: for every b_dec too; minutes"
    )
    command.add_argument(
        "--claimed", type=float, metavar="LOSS",
        help="with --certify: a claimed least loss with best activations, b_dec = 0 unless "
        "--any-b-dec; status 1 if it is refuted",
    )  # fmt: skip
    _add_objective(command)
    _add_json(command)
    command.set_defaults(run=commands.run_optimum)


def _add_landscape(subparsers: Subparsers) -> None:
    command = subparsers.add_parser(
        "landscape", help="every stationary point that many starts reach, and how often"
    )
    command.add_argument("law", metavar="LAW", help=_LAW)
    _add_starts(command, default=256)
    command.add_argument("--initialisation", default="uniform", help=" | ".join(INITIALISATIONS))
    command.add_argument("--dynamics", default="l-bfgs", help=" | ".join(DYNAMICS))
    command.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw every point (.png, .svg, .pdf)"
    )
    _add_workers(command)
    _add_objective(command)
    _add_json(command)
    command.set_defaults(run=landscape_commands.run_landscape)


def _add_phase(subparsers: Subparsers) -> None:
    command = subparsers.add_parser(
        "phase", help="which code is optimal over any two parameters of law, objective and width"
    )
    command.add_argument("law", metavar="LAW", help=_LAW)
    for name in ("x", "y"):
        command.add_argument(
            f"--{name}",
            required=True,
            metavar="AXIS=LOW:HIGH:COUNT",
            help="l1, weight_decay, latents, or a setting of the law, such as "
            "onehot_probability=0:0.9:10",
        )
    command.add_argument("--latents", type=int, metavar="N", help="width, unless it is an axis")
    command.add_argument(
        "--starts", type=int, default=8, metavar="K",
        help="random starts for the optimum at every point; default: 8",
    )  # fmt: skip
    command.add_argument("--seed", type=int, default=0, metavar="S", help="default: 0")
    command.add_argument(
        "--out", type=Path, required=True, metavar="FILE",
        help=".csv or .json; FILE.partial keeps finished points, and a killed run goes on",
    )  # fmt: skip
    command.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw the diagram (.png, .svg, .pdf)"
    )
    _add_workers(command)
    _add_objective(command, l1_required=False)
    _add_json(command)
    command.set_defaults(run=landscape_commands.run_phase)


def _add_starts(command: argparse.ArgumentParser, default: int) -> None:
    command.add_argument("--latents", type=int, required=True, metavar="N", help="width")
    command.add_argument(
        "--starts", type=int, default=default, metavar="K", help=f"default: {default}"
    )
    command.add_argument("--seed", type=int, default=0, metavar="S", help="default: 0")


def _add_workers(command: argparse.ArgumentParser) -> None:
    command.add_argument("--workers", type=int, metavar="W", help="processes; default: one a core")


def _add_derive(subparsers: Subparsers) -> None:
    command = subparsers.add_parser("derive", help="write derivations as documents, checked")
    command.add_argument(
        "topics",
        nargs="*",
        metavar="TOPIC",
        help=f"default: all of {', '.join(TOPICS)}; with --code, one LAW: {_LAW}",
    )
    command.add_argument("--code", metavar="CODE", help="axis-aligned | diagonal | rotated:DEGREES"
                         " | JSON file of atoms")  # fmt: skip
    command.add_argument("--l1", metavar="λ", help="with --code: derive the optimal loss too")
    command.add_argument("--format", default="md", help=" | ".join(FORMATS))
    command.add_argument(
        "--out",
        type=Path,
        default=Path("derivations"),
        metavar="FOLDER",
        help="default: derivations",
    )
    _add_json(command)
    command.set_defaults(run=commands.run_derive)


def _add_train(subparsers: Subparsers) -> None:
    command = subparsers.add_parser(
        "train", help="train SAEs on samples of a law, as libraries do"
    )
    command.add_argument("law", metavar="LAW", help=_LAW)
    command.add_argument("--latents", type=int, required=True, metavar="N", help="width")
    command.add_argument("--instances", type=int, default=1, metavar="K", help="default: 1")
    command.add_argument("--seed", type=int, default=0, metavar="S", help="default: 0")
    for setting in fields(Schedule):
        if setting.name == "tie_b_dec":
            command.add_argument(
                "--tie-b-dec", action="store_true", help="keep x̂(0) = 0: b_dec = -Σ ReLU(b_i) d_i"
            )
        else:
            command.add_argument(
                f"--{setting.name}",
                type=type(setting.default),
                default=setting.default,
                help=f"default: {setting.default}",
            )
    command.add_argument("--save", type=Path, metavar="FOLDER", help="write sae_0.npz, ... there")
    _add_objective(command)
    _add_json(command)
    command.set_defaults(run=commands.run_train)


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print one JSON object, nothing else")


def _add_objective(
    command: argparse.ArgumentParser, from_file: bool = False, l1_required: bool | None = None
) -> None:
    """Add the objective's options; `from_file` if what is not given comes with the weights."""
    l1_required = not from_file if l1_required is None else l1_required
    group = command.add_argument_group(
        "objective",
        "E ‖x - x̂‖² + λ E Σ f_i + μ (‖W_enc‖² + ‖W_dec‖²); no ½, no division by d"
        + ("; by default that of the library which wrote the weights" if from_file else ""),
    )
    group.add_argument(
        "--l1", type=float, required=l1_required, metavar="λ", help="coefficient λ ≥ 0"
    )
    for name, options in (
        ("reconstruction", RECONSTRUCTIONS),
        ("sparsity", SPARSITIES),
        ("decoder", DECODERS),
    ):
        default = None if from_file else options[0]
        group.add_argument(f"--{name}", default=default, help=" | ".join(options))
    group.add_argument(
        "--weight-decay",
        type=float,
        default=None if from_file else 0.0,
        metavar="μ",
        help="default: 0",
    )


def _whole(text: str) -> int:
    """Return a whole number, also from a notation such as 1e6."""
    value = float(text)
    if not value.is_integer():
        raise ValueError(text)
    return int(value)


if __name__ == "__main__":
    sys.exit(main())
