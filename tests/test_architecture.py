"""Imports run one way; theory knows no numbers; the two routes share nothing but the law."""

import ast
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# From what is imported by all to what imports all; a module imports only modules before it.
THEORY = (
    "errors", "symbols", "exact_numbers", "strict_json", "witness", "laws",
    "two_feature_law", "two_features", "two_feature_boundaries", "two_feature_phases", "law_files",
    "integration", "moments", "codes", "costs", "losses",
    "rotated_losses", "relative_losses", "weight_decay", "many_pairs", "bounds", "attained_bounds",
    "claims", "proofs", "loss_proofs",
    "ledger", "derivations", "cost_derivations", "loss_derivations",
    "structure_derivations",
    "derivation_topics", "own_derivations", "code_files",
)  # fmt: skip
SOLVERS = (
    "files", "pictures", "progress", "checks", "parallel", "law_arrays", "symmetries", "samples", "cut_square", "regions",
    "weighted_regions", "relative_loss", "sae", "architectures", "objectives",
    "cells", "piecewise_loss", "expected_loss", "training_losses",
    "initialisation", "parameters", "hessian", "descent",
    "radial_bound", "frames", "quadrature", "weight_files",
    "saelens_files", "dictionary_learning_files", "other_files", "checkpoints",
    "sector_losses", "closed_paths", "b_dec_squares", "certificate",
    "minimize", "polish", "train", "study", "best_activations", "two_feature_phases", "best_known",
    "matching", "catalogue", "landscape",
    "journal", "held_codes", "phase_axis", "phase_family", "phase",
    "sampled_loss", "figures", "verdicts", "crosscheck", "record_figures",
    "route_tools", "routes", "loss_routes",
    "verify", "derivation_checks", "derivation_figures", "derivation_pages",
    "render_markdown", "page_style", "render_html", "render_latex", "derivation_documents",
    "documents", "report",
    "check_report", "check_page", "landscape_report", "landscape_figure",
    "phase_report", "phase_figure", "certificate_report", "commands",
    "landscape_commands", "cli",
)  # fmt: skip
THIRD_PARTY = {
    "theory": {"sympy"},
    "solvers": {"numpy", "scipy", "sympy", "safetensors", "torch", "matplotlib"},
}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
    return found


def modules(package: str) -> dict[str, set[str]]:
    paths = (ROOT / package).glob("*.py")
    return {path.stem: imports(path) for path in paths if path.stem != "__init__"}


@pytest.mark.parametrize(("package", "order"), [("theory", THEORY), ("solvers", SOLVERS)])
def test_imports_run_down_the_list(package: str, order: tuple[str, ...]) -> None:
    found = modules(package)
    assert set(found) == set(order), "this test's list names every module"
    for name, imported in found.items():
        inside = {i.split(".")[1] for i in imported if i.startswith(f"{package}.")}
        later = {i for i in inside if order.index(i) >= order.index(name)}
        assert not later, f"{package}.{name} imports {later}"


@pytest.mark.parametrize("package", ["theory", "solvers"])
def test_third_parties(package: str) -> None:
    for name, imported in modules(package).items():
        tops = {i.split(".")[0] for i in imported} - set(sys.stdlib_module_names)
        allowed = (
            THIRD_PARTY[package] | {"theory"} | ({package} if package == "solvers" else set())
        )
        assert tops <= allowed, f"{package}.{name} imports {tops - allowed}"


def test_only_figures_import_matplotlib() -> None:
    users = {name for name, i in modules("solvers").items() if any("matplotlib" in m for m in i)}
    assert users == {"figures"}


@pytest.mark.parametrize(
    "name",
    [
        "samples",
        "cut_square",
        "regions",
        "weighted_regions",
        "relative_loss",
        "expected_loss",
        "law_arrays",
    ],
)
def test_the_numeric_route_takes_nothing_from_theory_but_the_law(name: str) -> None:
    used = {i for i in modules("solvers")[name] if i.split(".")[0] == "theory"}
    assert used <= {"theory.laws", "theory.errors"}


@pytest.mark.parametrize("name", ["oracles.py", "oracle_laws.py", "oracle_two_features.py"])
def test_the_oracles_share_no_code(name: str) -> None:
    used = imports(ROOT / "tests" / name)
    assert not {module for module in used if module.split(".")[0] in ("theory", "solvers")}
    assert {module for module in used if module.startswith("tests")} <= {"tests.oracle_laws"}


def test_the_api_reference_names_every_module() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    named = re.findall(r"automodule:: (\w+\.\w+)", page)
    assert named == [f"theory.{name}" for name in THEORY] + [
        f"solvers.{name}" for name in SOLVERS if name != "cli"
    ]
