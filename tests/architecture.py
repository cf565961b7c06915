"""The house as its code draws it: docs/architecture.md and docs/api.md.

`python -m tests.architecture` writes both. A room is a folder; `ROOMS` lists them from what is
imported by all to what imports all. A room's sentence is the first line of its `__init__`, its
arrows are its modules' imports.
"""

import ast
from collections import Counter
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"

#: A room imports only itself and rooms before it, and theory never imports solvers.
ROOMS = (
    "theory.exact",
    "theory.laws",
    "theory.codes",
    "theory.losses",
    "theory.two_features",
    "theory.claims",
    "theory.derivations",
    "solvers.runtime",
    "solvers.laws",
    "solvers.autoencoders",
    "solvers.autoencoders.checkpoints",
    "solvers.losses",
    "solvers.bounds",
    "solvers.optima",
    "solvers.studies.claims",
    "solvers.studies",
    "solvers.presentation",
    "solvers.presentation.derivations",
    "solvers.cli",
)


@cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a file."""
    return ast.parse(path.read_text("utf-8"))


@cache
def imports(path: Path) -> frozenset[str]:
    """Return what a file imports, wherever in it, as dotted names."""
    found: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            module = node.module or ""
            # `from package import module` names a module; `from module import name` does not.
            inner = {f"{module}.{alias.name}" for alias in node.names}
            found |= {name for name in inner if is_module(name)} or {module}
    return frozenset(found)


@cache
def is_module(name: str) -> bool:
    """Tell whether a dotted name is a module or a room of this project."""
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


@cache
def modules() -> dict[str, Path]:
    """Return every module of both wings by dotted name, without the rooms' own `__init__`."""
    paths = sorted(path for wing in ("theory", "solvers") for path in (ROOT / wing).rglob("*.py"))
    named = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}
    return {name: path for name, path in named.items() if path.name != "__init__.py"}


def room_of(module: str) -> str:
    """Return the room that a module, or a room itself, is in."""
    return module if module in ROOMS else module.rpartition(".")[0]


@cache
def arrows() -> Counter[tuple[str, str]]:
    """Return how many imports lead from one room to another."""
    found: Counter[tuple[str, str]] = Counter()
    for name, path in modules().items():
        for imported in imports(path):
            if imported.split(".")[0] in ("theory", "solvers"):
                found[room_of(name), room_of(imported)] += 1
    return found


def sentence(room: str) -> str:
    """Return what a room holds, as its `__init__` says first."""
    return described(room).partition(" Imports ")[0]


def public_names(room: str) -> list[str]:
    """Return the names of a room that other rooms, or a wing's own `__init__`, import."""
    names: set[str] = set()
    doors = {wing: ROOT / wing / "__init__.py" for wing in ("theory", "solvers")}
    for name, path in {**modules(), **doors}.items():
        if room_of(name) == room:
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ImportFrom) and room_of(node.module or "") == room:
                names |= {alias.name for alias in node.names}
    return sorted(names, key=lambda name: (name.casefold(), name))


def described(room: str) -> str:
    """Return what a room's `__init__` says, on one line."""
    page = ROOT.joinpath(*room.split("."), "__init__.py")
    text = ast.get_docstring(parsed(page))
    assert text, f"{page}: expected a paragraph that says what the room holds"
    return " ".join(text.split())


def purpose(module: str) -> str:
    """Return the first paragraph of a module's docstring, on one line."""
    text = ast.get_docstring(parsed(modules()[module]))
    assert text, f"{module}: expected a docstring"
    return " ".join(text.split("\n\n")[0].split())


def members(room: str) -> list[str]:
    """Return the modules of a room, each after those of the room that it imports."""
    inside = {name: path for name, path in modules().items() if room_of(name) == room}
    ordered: list[str] = []

    def add(name: str) -> None:
        for imported in sorted(imports(inside[name]) & inside.keys() - {name}):
            if imported not in ordered:
                add(imported)
        if name not in ordered:
            ordered.append(name)

    for name in inside:
        add(name)
    return ordered


def architecture_page() -> str:
    """Return docs/architecture.md."""
    lines = [
        "# The house",
        "",
        "Made by `python -m tests.architecture` from the code; do not edit. A room is a folder.",
        "It imports only rooms above it in this table, which a test enforces, and `theory` never",
        "imports `solvers`.",
        "",
        "| room | what it holds | files |",
        "|---|---|---|",
    ]
    for room in ROOMS:
        lines.append(f"| `{_folder(room)}` | {sentence(room)} | {len(members(room))} |")
    lines += [
        "",
        "How many imports lead from a room (row) to another (column), in the order of the table.",
        "There is nothing right of the diagonal: no arrow runs back.",
        "",
        "| | " + " | ".join(str(number) for number, _ in enumerate(ROOMS, start=1)) + " |",
        "|---|" + "---|" * len(ROOMS),
    ]
    for number, room in enumerate(ROOMS, start=1):
        counts = [str(arrows()[room, other] or "") for other in ROOMS]
        lines.append(f"| {number} `{_folder(room)}` | " + " | ".join(counts) + " |")
    lines += [
        "",
        "The files of each room, what is imported before what imports it, by their first line.",
    ]
    for room in ROOMS:
        lines += ["", f"`{_folder(room)}`", ""]
        for name in members(room):
            lines.append(f"* `{name.rpartition('.')[2]}`: {purpose(name)}")
    return "\n".join(lines) + "\n"


def api_page() -> str:
    """Return docs/api.md."""
    lines = [
        "# API reference",
        "",
        "Made by `python -m tests.architecture`; do not edit. Everything public is imported from",
        "`theory` or `solvers`. Here are the rooms and their modules, in the order in which they",
        "may import each other, with what their docstrings say.",
    ]
    for room in ROOMS:
        lines += ["", f"## {room}", "", sentence(room)]
        for name in members(room):
            directive = ["```{eval-rst}", f".. automodule:: {name}", "   :members:", "```"]
            lines += ["", f"### {name}", "", *directive]
    return "\n".join(lines) + "\n"


def _folder(room: str) -> str:
    return room.replace(".", "/") + "/"


def public_sentence(room: str) -> str:
    """Return the last sentence of a room's `__init__`, which a test compares."""
    return (
        "Public names: " + (", ".join(f"`{name}`" for name in public_names(room)) or "none") + "."
    )


PAGES = {"architecture.md": architecture_page, "api.md": api_page}

if __name__ == "__main__":
    for _name, _page in PAGES.items():
        (DOCS / _name).write_text(_page(), "utf-8")
