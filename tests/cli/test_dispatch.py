"""What all commands share: help, examples, names, numbers, and how the process ends."""

import argparse
import json
import os
import shlex
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest

from solvers.autoencoders.frames import frame_sae
from solvers.cli.dispatch import Parser, commands, parse
from solvers.cli.main import main
from solvers.cli.options import whole
from tests.cli.running import refused

COMMANDS = sorted(commands())
#: Examples that take minutes: they are parsed only.
LONG = ("sae-theory verify", "sae-theory phase independent --x onehot_probability=0:0.9:10 --y "
        "latents=2:8:7 --l1 0.1 --out widths.json --plot widths.png")  # fmt: skip
INSTALLED = Path(sys.executable).with_name("sae-theory")


def module_of(name: str) -> ModuleType:
    return import_module(f"solvers.cli.{name}")


def parser_of(name: str) -> Parser:
    parser = Parser(prog=f"sae-theory {name}")
    module_of(name).add_options(parser)
    return parser


def help_of(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_every_command_is_found() -> None:
    # What users know; a new one is a new file and a new word here.
    assert COMMANDS == [
        "check", "derive", "landscape", "law", "loss", "optimum", "phase", "train", "verify",
    ]  # fmt: skip


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    shown = " ".join(help_of(["--help"], capsys).split())
    for name, text in commands().items():
        assert f"{name} {text}" in shown


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_defaults_choices_and_examples(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = help_of([name, "--help"], capsys)
    shown = " ".join(printed.split())
    examples = module_of(name).EXAMPLES
    assert len(examples) >= 2
    for example in examples:
        assert f"  {example}\n" in printed
    for action in parser_of(name)._actions:
        if action.default not in (None, False, argparse.SUPPRESS, []):
            assert action.option_strings
            assert "(default: %(default)s" in str(action.help), action.dest
            assert f"(default: {action.default}" in shown, action.dest
    for named, choices in (("--decoder", "unit | free"), ("--dynamics", "l-bfgs | flow"),
                           ("--format", "md | html | tex")):  # fmt: skip
        if named in parser_of(name).long_options.values():
            assert choices in shown


@pytest.mark.parametrize(
    "example",
    [
        pytest.param(example, marks=pytest.mark.slow if number else ())
        for name in COMMANDS
        for number, example in enumerate(module_of(name).EXAMPLES)
    ],
)
def test_examples_work(
    example: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    frame_sae(0.1, 0.05).save("sae.npz")
    program, *arguments = shlex.split(example)
    assert program == "sae-theory"
    assert parse(arguments).command == arguments[0]
    if example in LONG:
        return
    assert main([*arguments, "--quiet"]) == 0
    assert capsys.readouterr().err == ""
    for option in ("--out", "--plot", "--save", "--report"):
        if option in arguments:
            assert Path(arguments[arguments.index(option) + 1]).exists()


def test_long_examples_are_examples() -> None:
    assert set(LONG) <= {example for name in COMMANDS for example in module_of(name).EXAMPLES}


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert help_of(["--version"], capsys) == f"sae-theory {version('sae-theory')}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_whole_numbers_are_taken_with_an_exponent_everywhere(name: str) -> None:
    kinds = {action.dest: action.type for action in parser_of(name)._actions}
    assert int not in kinds.values()
    numbers = {"latents", "starts", "seed", "workers", "samples", "sampled", "batch", "instance",
               "instances"}  # fmt: skip
    assert all(kinds[dest] is whole for dest in numbers & kinds.keys())


@pytest.mark.parametrize("text", ["2.5", "x", "", "nan", "inf", "-inf", "1e999", "1 2"])
def test_other_numbers_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected a whole number, got"):
        whole(text)


@pytest.mark.parametrize("name", COMMANDS)
def test_near_misses_of_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    # The first ones are enough; all go one way.
    for option in [*parser_of(name).long_options.values()][:6]:
        # Even if what is required is missing: that is because it was misspelt.
        refused(capsys, [name, f"{option}s"], f"{option}s: expected one of")
        refused(capsys, [name, f"{option}s=3"], f"did you mean '{option}'?")


def test_near_misses_of_commands(capsys: pytest.CaptureFixture[str]) -> None:
    for name in COMMANDS:
        refused(capsys, [f"{name}s"], f"COMMAND: expected one of {', '.join(COMMANDS)} (did you "
                f"mean '{name}'?), got '{name}s'")  # fmt: skip
    refused(capsys, ["--versoin"], "did you mean '--version'?")


def test_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, [], "required: COMMAND")
    # Options are written out: an abbreviation may mean another one tomorrow.
    refused(capsys, ["verify", "--js"], "--js: expected one of")


def test_not_enough_memory_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("solvers.cli.train.law_of", full)
    refused(capsys, ["train", "shared", "--latents", "2", "--l1", "1"], "not enough memory")


def test_the_installed_command(weights: Path) -> None:
    done = subprocess.run(
        [INSTALLED, "loss", "shared", weights, "--l1", "0.1", "--json", "--quiet"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["total"] == pytest.approx(0.1, rel=1e-14)
    assert done.stderr == ""


def test_a_terminal_without_greek_letters_shows_something(weights: Path) -> None:
    done = subprocess.run(
        [INSTALLED, "loss", "shared", weights, "--l1", "0.1", "--quiet"],
        capture_output=True, check=True, env={**os.environ, "PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert b"total" in done.stdout
    assert done.stderr == b""


#: Output that waits in a buffer until the end, as it does for users.
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", ["loss shared {w} --l1 0.1 --quiet", "--help", "--version"])
def test_a_full_disk_is_one_line(command: str, weights: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [INSTALLED, *command.format(w=weights).split()],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=BUFFERED,
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "No space left" in done.stderr


@pytest.mark.parametrize("command", ["loss shared {w} --l1 0.1 --quiet", "--help", "--version"])
def test_a_reader_that_stops_early_causes_no_complaint(command: str, weights: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run(
            [INSTALLED, *command.format(w=weights).split()],
            stdout=closed, stderr=subprocess.PIPE, text=True, check=False, env=BUFFERED,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
