"""Imports run one way; theory knows no numbers; the two routes share nothing but the law."""

import sys
from graphlib import TopologicalSorter

import pytest

from tests.architecture import DOCS, PAGES, ROOMS, ROOT, arrows, imports, modules, room_of

THIRD_PARTY = {
    "theory": {"sympy"},
    "solvers": {"numpy", "scipy", "sympy", "safetensors", "torch", "matplotlib"},
}
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
            allowed = THIRD_PARTY[wing] | {"theory", wing}
            assert tops <= allowed, f"{name} imports {tops - allowed}"


def test_only_figures_import_matplotlib() -> None:
    users = {n for n, path in modules().items() if any("matplotlib" in i for i in imports(path))}
    assert users == {"solvers.presentation.figures"}


@pytest.mark.parametrize("room", ["solvers.laws", "solvers.losses"])
def test_the_numeric_route_takes_nothing_from_theory_but_the_law(room: str) -> None:
    for name, path in modules().items():
        if room_of(name) == room:
            used = {i for i in imports(path) if i.split(".")[0] == "theory"}
            assert used <= {"theory.laws.law", "theory.exact.errors"}, name


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
