"""Imports run one way; theory knows no numbers; the two routes share nothing but the law."""

import ast
import re
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.architecture import (
    DOCS,
    PAGES,
    ROOMS,
    ROOT,
    arrows,
    described,
    imports,
    modules,
    parsed,
    public_sentence,
    room_of,
)

THIRD_PARTY = {
    "theory": {"sympy"},
    "solvers": {"numpy", "scipy", "sympy", "safetensors", "torch", "sae_lens", "matplotlib"},
}
# Normal orthants have no closed form: their numbers, with their error, are taken as the law.
EXCEPTIONS = {"theory.laws.copula": {"numpy", "scipy"}}
ORACLES = sorted(path.name for path in (ROOT / "tests" / "oracles").glob("[a-z]*.py"))


def test_every_module_is_in_a_room() -> None:
    assert {room_of(name) for name in modules()} == set(ROOMS)


def test_no_arrow_runs_back() -> None:
    back = [pair for pair in arrows() if ROOMS.index(pair[1]) > ROOMS.index(pair[0])]
    assert not back


def test_theory_knows_no_solvers() -> None:
    assert not [a for a, b in arrows() if a.startswith("theory") and b.startswith("solvers")]


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: imports(path) & modules().keys() for name, path in modules().items()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(modules())


@pytest.mark.parametrize("wing", ["theory", "solvers"])
def test_third_parties(wing: str) -> None:
    for name, path in modules().items():
        if name.startswith(wing):
            tops = {i.split(".")[0] for i in imports(path)} - set(sys.stdlib_module_names)
            allowed = THIRD_PARTY[wing] | {"theory", wing} | EXCEPTIONS.get(name, set())
            assert tops <= allowed, f"{name} imports {tops - allowed}"


def test_only_figures_import_matplotlib() -> None:
    users = {n for n, path in modules().items() if any("matplotlib" in i for i in imports(path))}
    assert users == {"solvers.presentation.figures"}


@pytest.mark.parametrize("room", ["solvers.laws", "solvers.losses"])
def test_the_numeric_route_takes_nothing_from_theory_but_the_law(room: str) -> None:
    for name, path in modules().items():
        if room_of(name) == room:
            used = {i for i in imports(path) if i.split(".")[0] == "theory"}
            assert used <= {"theory.laws.law", "theory.laws.features", "theory.exact.errors"}, name


@pytest.mark.parametrize("name", ORACLES)
def test_the_oracles_share_no_code(name: str) -> None:
    used = imports(ROOT / "tests" / "oracles" / name)
    assert not {module for module in used if module.split(".")[0] in ("theory", "solvers")}
    inside = {module for module in used if module.startswith("tests")}
    assert all(module.startswith("tests.oracles.") for module in inside)


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_are_current(name: str) -> None:
    made = PAGES[name]()
    assert (DOCS / name).read_text("utf-8") == made, "run `python -m tests.architecture`"


@pytest.mark.parametrize("wing", ["theory", "solvers"])
def test_a_wing_holds_rooms_only(wing: str) -> None:
    assert {path.name for path in (ROOT / wing).iterdir() if path.is_file()} == {
        "__init__.py", "py.typed",
    }  # fmt: skip


def _spoken(path: Path) -> list[str]:
    """Return the string constants of a file that are no docstrings."""
    tree = parsed(path)
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    silent = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and node.body and isinstance(node.body[0], ast.Expr)
    }
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in silent
    ]


def test_only_the_command_line_speaks_of_options() -> None:
    option = re.compile(r"(?:^|[\s(])--[a-z][a-z0-9-]*(?![a-z0-9-]*:)")
    # Custom properties of CSS look like options.
    others = {n: p for n, p in modules().items() if room_of(n) != "solvers.cli"}
    said = {
        (name, text)
        for name, path in others.items()
        for text in _spoken(path)
        if option.search(text) and "var(--" not in text
    }
    assert not said


def test_nobody_takes_a_message_apart() -> None:
    """No text of an exception is searched, split, compared or cut."""
    for name, path in modules().items():
        tree = parsed(path)
        caught = {h.name for h in ast.walk(tree) if isinstance(h, ast.ExceptHandler) and h.name}
        texts = {
            ast.unparse(node)
            for node in ast.walk(tree)
            if isinstance(node, ast.Compare | ast.Attribute | ast.Subscript)
            and any(
                isinstance(part, ast.Call)
                and isinstance(part.func, ast.Name)
                and part.func.id in ("str", "repr")
                and any(isinstance(a, ast.Name) and a.id in caught for a in part.args)
                for part in ast.walk(node)
            )
        }
        # Without arguments, `split` only finds the white space.
        assert texts <= {"str(error).split"}, name


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_says_what_it_holds_what_it_imports_and_its_public_names(room: str) -> None:
    text = described(room)
    assert " Imports " in text
    assert text.endswith(public_sentence(room)), public_sentence(room)
