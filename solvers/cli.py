"""The command sae-theory: parse, call, print.

Exit status 0: done; 1: a check failed; 2: bad input or usage, with one line on standard error.
"""

import argparse
import io
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

from solvers.checkpoints import load_checkpoint
from solvers.expected_loss import expected_loss
from solvers.files import check_writable
from solvers.minimize import minimize_loss
from solvers.objectives import DECODERS, RECONSTRUCTIONS, SPARSITIES, Objective
from solvers.progress import ProgressLine
from solvers.report import (
    claims_document,
    claims_text,
    loss_document,
    loss_text,
    optimum_document,
    optimum_text,
    to_json,
    training_document,
    training_text,
)
from solvers.train import Schedule, train
from solvers.verify import verify
from theory.errors import InputError
from theory.law_files import load_law
from theory.ledger import LEDGER

_LAW = (
    "a preset, shared or independent, with settings or without "
    "(independent:onehot_probability=0.25,amplitude=2), or the path of a JSON law file"
)


class _Parser(argparse.ArgumentParser):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see {self.prog} --help)")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal without λ shows "?" rather than a traceback.
            stream.reconfigure(errors="replace")
    try:
        options = _parser().parse_args(arguments)
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
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser(
        "verify", help="prove and check the discussion's claims, one by one"
    )
    known = ", ".join(claim.id for claim in LEDGER)
    command.add_argument("claims", nargs="*", metavar="CLAIM", help=f"default: all of {known}")
    _add_json(command)
    command.set_defaults(run=_verify)

    command = commands.add_parser("loss", help="the exact expected loss of an SAE on a law")
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
    command.set_defaults(run=_loss)

    command = commands.add_parser("optimum", help="minimise the exact loss from many starts")
    command.add_argument("law", metavar="LAW", help=_LAW)
    command.add_argument("--latents", type=int, required=True, metavar="N", help="width")
    command.add_argument("--starts", type=int, default=32, metavar="K", help="default: 32")
    command.add_argument("--seed", type=int, default=0, metavar="S", help="default: 0")
    command.add_argument("--save", type=Path, metavar="FILE.npz", help="write the best SAE")
    command.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw support and atoms (.png, .svg, .pdf)"
    )
    _add_objective(command)
    _add_json(command)
    command.set_defaults(run=_optimum)
    command = commands.add_parser("train", help="train SAEs on samples of a law, as libraries do")
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
    command.set_defaults(run=_train)
    return parser


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print one JSON object, nothing else")


def _add_objective(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group(
        "objective", "E ‖x - x̂‖² + λ E Σ f_i + μ (‖W_enc‖² + ‖W_dec‖²); no ½, no division by d"
    )
    group.add_argument("--l1", type=float, required=True, metavar="λ", help="coefficient λ ≥ 0")
    group.add_argument("--reconstruction", default="squared", help=" | ".join(RECONSTRUCTIONS))
    group.add_argument("--sparsity", default="l1", help=" | ".join(SPARSITIES))
    group.add_argument("--decoder", default="unit", help=" | ".join(DECODERS))
    group.add_argument("--weight-decay", type=float, default=0.0, metavar="μ", help="default: 0")


def _objective(options: argparse.Namespace) -> Objective:
    try:
        return Objective(
            l1=options.l1,
            reconstruction=options.reconstruction,
            sparsity=options.sparsity,
            decoder=options.decoder,
            weight_decay=options.weight_decay,
        )
    except InputError as error:
        raise InputError(f"--{str(error).replace('weight_decay', 'weight-decay')}") from None


def _print(options: argparse.Namespace, document: dict[str, Any], text: str) -> None:
    print(to_json(document) if options.json else text)


def _verify(options: argparse.Namespace) -> int:
    claims = verify(options.claims, progress=ProgressLine("claims"))
    _print(options, claims_document(claims), claims_text(claims))
    return 0 if all(claim.passed for claim in claims) else 1


def _loss(options: argparse.Namespace) -> int:
    objective = _objective(options)
    if not options.weights:
        raise InputError("WEIGHTS: expected a file or folder, got an empty name")
    law, sae = load_law(options.law), load_checkpoint(options.weights, options.instance)
    if sae.d_in != law.dimension:
        raise InputError(
            f"{options.weights}: W_enc: expected d_in = {law.dimension}, the dimension of the "
            f"law {options.law}, got {sae.d_in}"
        )
    loss = expected_loss(law, sae, objective)
    _print(options, loss_document(loss), loss_text(loss, sae))
    return 0


def _optimum(options: argparse.Namespace) -> int:
    objective, law = _objective(options), load_law(options.law)
    if options.save is not None:
        if options.save.suffix != ".npz":
            raise InputError(f"{options.save}: expected a file ending in .npz")
        check_writable(options.save)
    if options.plot is not None:
        # Matplotlib takes half a second to import; only this option needs it.
        from solvers.figures import check_figure_path, draw_optimum  # noqa: PLC0415

        check_figure_path(options.plot)
        check_writable(options.plot)
    try:
        optimum = minimize_loss(
            law,
            options.latents,
            objective,
            starts=options.starts,
            seed=options.seed,
            progress=ProgressLine("starts"),
        )
    except InputError as error:
        # What Python calls n_latents is --latents here.
        raise InputError(f"--{str(error).removeprefix('n_')}") from None
    if options.save is not None:
        optimum.sae.save(options.save)
    if options.plot is not None:
        draw_optimum(law, optimum, options.plot)
    _print(options, optimum_document(optimum), optimum_text(optimum))
    return 130 if optimum.interrupted else 0


def _train(options: argparse.Namespace) -> int:
    objective, law = _objective(options), load_law(options.law)
    if options.save is not None and not options.save.is_dir():
        raise InputError(f"{options.save}: expected a folder")
    try:
        schedule = Schedule(
            **{field.name: getattr(options, field.name) for field in fields(Schedule)}
        )
        training = train(
            law, options.latents, objective, schedule, instances=options.instances,
            seed=options.seed, progress=ProgressLine("steps"),
        )  # fmt: skip
    except InputError as error:
        raise InputError(f"--{str(error).removeprefix('n_')}") from None
    for number, sae in enumerate(training.saes):
        if options.save is not None:
            sae.save(options.save / f"sae_{number}.npz")
    _print(options, training_document(training), training_text(training))
    return 130 if training.interrupted else 0


if __name__ == "__main__":
    sys.exit(main())
