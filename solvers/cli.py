"""The command sae-theory: parse, call, print.

Exit status 0: done; 1: a check failed; 2: bad input or usage, with one line on standard error.
"""

import argparse
import io
import shlex
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NoReturn

from solvers.check_report import check_document, check_text, comparison_text
from solvers.checkpoints import find_checkpoints, load_checkpoint, load_checkpoints
from solvers.crosscheck import cross_check_all, objective_for
from solvers.expected_loss import expected_loss
from solvers.files import check_writable, written_beside
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
from solvers.sae import Autoencoder
from solvers.train import Schedule, train
from solvers.verify import verify
from theory.errors import InputError
from theory.law_files import load_law
from theory.laws import Law
from theory.ledger import LEDGER

_LAW = (
    "a preset, shared or independent, with settings or without "
    "(independent:onehot_probability=0.25,amplitude=2), or the path of a JSON law file"
)


_LARGEST_COUNT = 10**9


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

    command = commands.add_parser(
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
    command.set_defaults(run=_check)

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


def _add_objective(command: argparse.ArgumentParser, from_file: bool = False) -> None:
    """Add the objective's options; `from_file` if what is not given comes with the weights."""
    group = command.add_argument_group(
        "objective",
        "E ‖x - x̂‖² + λ E Σ f_i + μ (‖W_enc‖² + ‖W_dec‖²); no ½, no division by d"
        + ("; by default that of the library which wrote the weights" if from_file else ""),
    )
    group.add_argument(
        "--l1", type=float, required=not from_file, metavar="λ", help="coefficient λ ≥ 0"
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


def _whole(text: str) -> int:
    """Return a whole number, also from a notation such as 1e6."""
    value = float(text)
    if not value.is_integer():
        raise ValueError(text)
    return int(value)


def _check(options: argparse.Namespace) -> int:
    law = load_law(options.law)
    _check_report_path(options.report)
    for name, value, least in (("starts", options.starts, 1), ("sampled", options.sampled, 0)):
        if value is not None and not least <= value <= _LARGEST_COUNT:
            raise InputError(f"--{name}: expected {least} to {_LARGEST_COUNT}, got {value}")
    if options.seed < 0:
        raise InputError(f"--seed: expected a whole number ≥ 0, got {options.seed}")
    saes = []
    for weights in options.weights:
        if not weights:
            raise InputError("WEIGHTS: expected a file or folder, got an empty name")
        for path in find_checkpoints(weights):
            for name, sae in _instances(path, options.instance):
                saes.append((name, sae, _objective_of(options, name, sae, law)))
    progress = ProgressLine("SAEs" if len(saes) > 1 else "starts")
    checks = cross_check_all(
        law, saes, starts=options.starts, seed=options.seed, samples=options.sampled,
        progress=progress,
    )  # fmt: skip
    if options.report is not None:
        # Matplotlib takes half a second to import; only this option needs it.
        from solvers.check_page import check_page, comparison_page  # noqa: PLC0415

        command = shlex.join(["sae-theory", *options.arguments])
        one = len(checks) == 1
        page = check_page(checks[0][1], checks[0][0], command) if one else (
            comparison_page(checks, command)
        )  # fmt: skip
        with written_beside(options.report) as temporary:
            # A file's name need not be text.
            temporary.write_text(page, encoding="utf-8", errors="replace")
    if len(checks) == 1 and len(saes) == 1:
        _print(options, check_document(checks[0][1]), check_text(checks[0][1]))
    else:
        rows = [{"weights": name, **check_document(check)} for name, check in checks]
        _print(options, {"checks": rows, "interrupted": len(checks) < len(saes)},
               comparison_text(checks))  # fmt: skip
    if len(checks) < len(saes):
        print(f"sae-theory: interrupted: {len(checks)} of {len(saes)} SAEs were checked",
              file=sys.stderr)  # fmt: skip
        return 130
    return 0


def _check_report_path(path: Path | None) -> None:
    if path is not None:
        if path.suffix.lower() not in (".html", ".htm"):
            raise InputError(f"{path}: expected a page ending in .html")
        check_writable(path)


def _instances(path: Path, instance: int | None) -> list[tuple[str, Autoencoder]]:
    """Return the SAEs in a checkpoint, each with a name."""
    if instance is not None:
        return [(f"{path}, instance {instance}", load_checkpoint(path, instance))]
    saes = load_checkpoints(path)
    several = len(saes) > 1
    return [(f"{path}, instance {i}" if several else str(path), sae) for i, sae in enumerate(saes)]


def _objective_of(options: argparse.Namespace, name: str, sae: Autoencoder, law: Law) -> Objective:
    if sae.d_in != law.dimension:
        raise InputError(
            f"{name}: W_enc: expected d_in = {law.dimension}, the dimension of the law "
            f"{options.law}, got {sae.d_in}; pass the law that this SAE was trained on"
        )
    given = {field: getattr(options, field)
             for field in ("reconstruction", "sparsity", "decoder", "weight_decay")}  # fmt: skip
    try:
        return objective_for(sae, options.l1, **given)
    except InputError as error:
        raise InputError(f"{name}: {str(error).replace('weight_decay', 'weight-decay')}") from None


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
    if options.save is not None:
        try:
            options.save.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"{options.save}: expected a folder: {error.strerror}") from None
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
