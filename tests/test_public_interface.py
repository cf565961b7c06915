"""What `theory` and `solvers` export, frozen: names, arguments with defaults, fields of records.

`python -m tests.test_public_interface` writes the table that is compared. Annotations are left
out of it: how they print depends on the version of Python and NumPy, and mypy checks them.
"""

import ast
import dataclasses
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import solvers
import theory

ROOT = Path(__file__).parents[1]
TABLE = Path(__file__).with_name("public_interface.txt")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WINGS = {"solvers": solvers, "theory": theory}
HEAVY = ("numpy", "scipy", "sympy", "matplotlib", "torch")


def table() -> str:
    """Return a line a name and a line a field, sorted."""
    lines = []
    for wing, module in WINGS.items():
        for name in sorted(module.__all__):
            value = getattr(module, name)
            lines.append(f"{wing}.{name}{described(value)}")
            lines += [f"{wing}.{name}.{field}" for field in sorted(fields(value))]
    return "\n".join(lines) + "\n"


def described(value: object) -> str:
    """Return the arguments of what can be called, and the type of what cannot."""
    if not callable(value):
        return f": {type(value).__name__}"
    if inspect.isclass(value) and issubclass(value, Exception):
        return "(...)"
    signature = inspect.signature(value)
    bare = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
    ]
    return str(inspect.Signature(bare))


def fields(value: object) -> list[str]:
    """Return the fields, properties and methods of a class."""
    if not inspect.isclass(value):
        return []
    public = {name for name in dir(value) if not name.startswith("_")}
    if dataclasses.is_dataclass(value):
        return sorted(public | {field.name for field in dataclasses.fields(value)})
    # Of a tuple or an exception only what is its own.
    return sorted(public - set(dir(tuple)) - set(dir(ValueError)))


def test_the_public_interface_is_as_frozen() -> None:
    assert TABLE.read_text("utf-8") == table(), "run `python -m tests.test_public_interface`"


@pytest.mark.parametrize("wing", WINGS)
def test_every_name_is_known_to_type_checkers_too(wing: str) -> None:
    tree = ast.parse(Path(str(WINGS[wing].__file__)).read_text("utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If) and
                isinstance(node.test, ast.Name))  # fmt: skip
    seen = {}
    for node in block.body:
        assert isinstance(node, ast.ImportFrom)
        assert node.module is not None
        for alias in node.names:
            assert alias.asname == alias.name, "only `import X as X` exports to a type checker"
            seen[alias.name] = node.module
    assert set(seen) == set(WINGS[wing].__all__)
    for name, home in seen.items():
        assert getattr(importlib.import_module(home), name) is getattr(WINGS[wing], name)


@pytest.mark.parametrize("wing", WINGS)
def test_no_name_is_hidden_by_a_room(wing: str) -> None:
    # Importing a room makes it an attribute of its wing.
    folder = Path(str(WINGS[wing].__file__)).parent
    assert not {path.name for path in folder.iterdir()} & set(WINGS[wing].__all__)


@pytest.mark.parametrize("wing", WINGS)
def test_names_are_listed_and_others_are_refused(wing: str) -> None:
    module: ModuleType = WINGS[wing]
    assert set(module.__all__) <= set(dir(module))
    everything: dict[str, object] = {}
    exec(f"from {wing} import *", everything)
    assert set(module.__all__) <= everything.keys()
    with pytest.raises(ImportError, match="no_such_name"):
        exec(f"from {wing} import no_such_name", {})


@pytest.mark.parametrize("wing", WINGS)
def test_importing_a_wing_imports_nothing_heavy(wing: str) -> None:
    code = f"import {wing}, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {name.split(".")[0] for name in done.stdout.split()} & set(HEAVY)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_documents_import_what_is_public(page: Path) -> None:
    for wing, names in re.findall(
        r"^from ((?:theory|solvers)\S*) import (.*)$", page.read_text("utf-8"), re.MULTILINE
    ):
        assert wing in WINGS, f"{page}: import from theory or solvers, not from {wing}"
        assert set(names.split(", ")) <= set(WINGS[wing].__all__)


if __name__ == "__main__":
    TABLE.write_text(table(), "utf-8")
