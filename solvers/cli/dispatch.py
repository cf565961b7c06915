"""Parse, call, and say in one line what was wrong.

Exit status 0: done; 1: a check failed; 2: bad input or usage, with one line on standard error.
"""

import argparse
import ast
import io
import pkgutil
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from typing import Any, NoReturn

import solvers.cli
from solvers.cli.interrupts import leaving_on_interrupt
from theory.exact.errors import InputError, one_of

PROGRAM = "sae-theory"

#: Arguments of functions that have another name here.
_OTHER_NAMES = {"n_latents": "latents", "samples": "sampled"}


class UsageError(ValueError):
    """What argparse found wrong, in its own words."""


class Parser(argparse.ArgumentParser):
    """argparse, but options are written out, examples keep their lines and errors are raised."""

    def __init__(self, **settings: Any) -> None:
        layout = argparse.RawDescriptionHelpFormatter
        super().__init__(**settings, allow_abbrev=False, formatter_class=layout)

    def error(self, message: str) -> NoReturn:
        """Raise `UsageError`."""
        raise UsageError(f"{message} (see {self.prog} --help)")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        """End, as after --help; what cannot be printed is an error here, not at Python's end."""
        sys.stdout.flush()
        super().exit(status, message)

    @property
    def long_options(self) -> dict[str, str]:
        """Every option that begins with two dashes, by the name that its value is kept under."""
        return {
            action.dest: option
            for option, action in self._option_string_actions.items()
            if option.startswith("--")
        }


class _Version(argparse.Action):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "nargs": 0})

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        # A look at what is installed takes longer than all the rest of the help.
        from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415

        try:
            number = version(PROGRAM)
        except PackageNotFoundError:
            number = "(not installed)"
        print(f"{PROGRAM} {number}")
        parser.exit()


def commands() -> dict[str, str]:
    """Return every command's one-line help, without importing what a command needs.

    Examples
    --------
    >>> commands()["loss"]
    'the exact expected loss of an SAE on a law'
    """
    found = {}
    for module in pkgutil.iter_modules(solvers.cli.__path__):
        first, _ = _documentation(module.name)
        opening = f"{PROGRAM} {module.name}: "
        if first.startswith(opening):
            found[module.name] = first.removeprefix(opening).rstrip(".")
    return found


def _documentation(command: str) -> tuple[str, str]:
    """Return the first line and the rest of a module's docstring, as its source has it."""
    spec = find_spec(f"{solvers.cli.__name__}.{command}")
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text("utf-8"))
    first, _, rest = (ast.get_docstring(tree) or "").partition("\n")
    return first, rest.strip()


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the parsed options; `run`, `arguments` and `option_names` are added to them.

    Raises
    ------
    UsageError, InputError
        For what is no command line of this program.
    """
    parser = Parser(
        prog=PROGRAM,
        description="An exact theory of sparse autoencoders on data whose features are known.",
        epilog="Exit status: 0 done, 1 a check failed, 2 bad input or usage, 130 interrupted.\n"
        f"'{PROGRAM} COMMAND --help' shows a command's options and examples.",
    )
    parser.add_argument("--version", action=_Version, help="print the version and exit")
    choices = parser.add_subparsers(dest="command", required=True, metavar="COMMAND",
                                    parser_class=Parser)  # fmt: skip
    parsers = {name: choices.add_parser(name, help=text) for name, text in commands().items()}
    name = next((argument for argument in arguments if not argument.startswith("-")), None)
    if name is None:
        _check_option_names(parser, arguments)
        return parser.parse_args(arguments)
    if name not in parsers:
        raise InputError("COMMAND", one_of(parsers, name), name)
    chosen, command = parsers[name], import_module(f"{solvers.cli.__name__}.{name}")
    chosen.description = _documentation(name)[1]
    chosen.epilog = "examples:\n" + "\n".join(f"  {example}" for example in command.EXAMPLES)
    command.add_options(chosen)
    _check_option_names(chosen, arguments[arguments.index(name) :])
    options = parser.parse_args(arguments)
    options.run = command.run
    options.arguments = list(arguments)
    options.option_names = chosen.long_options
    return options


def _check_option_names(parser: Parser, arguments: Sequence[str]) -> None:
    """Raise `InputError` for an option that there is not, before one that it hides is missed."""
    known = parser.long_options.values()
    for argument in takewhile(lambda each: each != "--", arguments):
        option = argument.partition("=")[0]
        if option.startswith("--") and option not in known:
            raise InputError(option, one_of(known, option))


def as_option(error: InputError, options: argparse.Namespace) -> InputError:
    """Return an error about an argument of a function as one about the option that sets it.

    What is wrong inside a file or a law keeps its own name.
    """
    names = options.option_names
    for name in (error.what, _OTHER_NAMES.get(error.what)):
        if name in names and not error.where:
            return error.named(names[name])
    return error


def dispatch(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal without λ shows "?" rather than a traceback.
            stream.reconfigure(errors="replace")
    options = argparse.Namespace(option_names={})
    try:
        with leaving_on_interrupt():
            options = parse(arguments)
        status: int = options.run(options)
        sys.stdout.flush()
    except InputError as error:
        return _failed(as_option(error, options))
    except UsageError as error:
        return _failed(error)
    except BrokenPipeError:
        # The reader, such as head, has seen enough; Python must not complain at exit.
        sys.stdout = None
        return 0
    except OSError as error:
        # Such as a full disk behind standard output.
        sys.stdout = None
        return _failed(error)
    except MemoryError:
        return _failed("not enough memory for this many latents")
    return status


def _failed(error: object) -> int:
    print(f"{PROGRAM}: error: {' '.join(str(error).split())}", file=sys.stderr)
    return 2
