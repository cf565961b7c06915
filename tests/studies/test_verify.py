"""The ledger: all claims pass, and a wrong formula, number or step is caught."""

import json
import math
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import sympy

from solvers.cli.main import main
from solvers.presentation.generated_pages import PAGES
from solvers.studies import verify as module
from solvers.studies.claims.evidence import Routes
from solvers.studies.verify import ROUTES, CheckedClaim, check, verified, verify
from theory.claims import cost_proofs as proofs
from theory.claims import data_proofs
from theory.claims.claim import Claim, Finding, ProofError, Quantity, Verdict, require
from theory.claims.ledger import LEDGER
from theory.exact.errors import InputError
from theory.laws.moments import PrincipalComponent

ROOT = Path(__file__).parents[2]

VERDICTS = {
    "two-dimensional": "holds",
    "axis-aligned-total": "holds under a named reading",
    "diagonal-total": "holds under a named reading",
    "ratio": "holds",
    "lower-loss-first": "holds",
    "principal-components-first": "fails as stated",
    "principal-components-second": "fails as stated",
    "lower-loss-second": "holds",
    "true-features": "fails as stated",
    "global-optimum": "holds",
    "weight-decay": "holds under a named reading",
    "onehot-three-quarters": "fails as stated",
    "relative-expectation": "fails as stated",
    "in-between": "fails as stated",
    "l0-optimum": "holds",
    "l0-rotations": "holds",
    "l0-persistence": "holds under a named reading",
    "topk-one": "holds",
    "topk-two": "fails as stated",
    "matryoshka-prefixes": "holds under a named reading",
}


@pytest.fixture(scope="module")
def ledger() -> tuple[CheckedClaim, ...]:
    return verify()


def test_every_claim_passes_with_its_verdict(ledger: tuple[CheckedClaim, ...]) -> None:
    assert {claim.id: claim.verdict for claim in ledger} == VERDICTS
    for claim in ledger:
        assert claim.passed, claim
        assert all(q.exact is not None and q.independent is not None for q in claim.quantities)
        assert any(q.optimised is not None for q in claim.quantities)
        assert claim.explanation or claim.verdict == "holds"


def test_values_by_hand(ledger: tuple[CheckedClaim, ...]) -> None:
    """Numbers worked out on paper, so that no route can drift together with the others."""
    values = {claim.id: [quantity.value for quantity in claim.quantities] for claim in ledger}
    assert values["axis-aligned-total"] == pytest.approx([3 / 0.64, 3 / 0.8])
    assert values["diagonal-total"] == pytest.approx([1.5 * 2**0.5 / 0.64, 1.5 * 2**0.5 / 0.8])
    assert values["ratio"] == pytest.approx([2**0.5] * 2)
    assert values["lower-loss-first"][0] == pytest.approx(1 - 0.5**0.5)
    assert values["principal-components-first"] == pytest.approx([1, 0.2, 0.2])
    assert values["principal-components-second"] == pytest.approx([1, 0.15, 1 / 15])
    assert values["lower-loss-second"][:2] == pytest.approx([2 * 2**0.5 / 3, 1])
    assert values["true-features"][:2] == pytest.approx([2 - 2**0.5, (10 - 6 * 2**0.5) / 7])
    assert values["global-optimum"][-1] == pytest.approx(2 / 3)
    assert values["l0-optimum"] == pytest.approx([0.01 - 2**0.5 / 3000, 1 - 2**0.5 / 3, 2 / 3])
    assert values["l0-rotations"][2] == pytest.approx(0.02 - 4 * 2**0.5 / 3000 + 5e-5)
    assert values["topk-one"][:4] == pytest.approx([1 / 12, 1 / 6, 0, 5 / 9])
    assert values["topk-two"] == [0, 0]
    assert values["matryoshka-prefixes"][1::3] == pytest.approx([8 - 16 * 2**0.5 / 3] * 2)


def test_the_ledger_and_the_routes_name_the_same_claims() -> None:
    assert [claim.id for claim in LEDGER] == list(VERDICTS)
    assert set(ROUTES) == set(VERDICTS)


def finding_of(quantity: Quantity) -> Claim:
    finding = Finding(Verdict.HOLDS, "", (quantity,))
    return Claim("planted", "statement", "place", lambda: finding)


def test_an_absolute_error_estimate_is_not_scaled_by_the_value() -> None:
    claim = finding_of(Quantity("thousand", sympy.Integer(1000)))
    passes = Routes(1000.0, 1000.0, 1000.0 + 5e-7, independent_error=6e-7)
    fails = Routes(1000.0, 1000.0, 1000.0 + 5e-6, independent_error=6e-7)
    assert check(claim, lambda: [passes]).passed
    assert not check(claim, lambda: [fails]).passed


def test_a_verdict_follows_from_the_principal_components(monkeypatch: pytest.MonkeyPatch) -> None:
    """Axes as principal components must not come out as "the diagonals: holds"."""
    e1, e2 = sympy.ImmutableMatrix([1, 0]), sympy.ImmutableMatrix([0, 1])
    components = (
        PrincipalComponent(sympy.Rational(1, 3), (e1,)),
        PrincipalComponent(sympy.Rational(1, 4), (e2,)),
    )
    monkeypatch.setattr(data_proofs, "principal_components", lambda _: components)
    with pytest.raises(ProofError, match="multiple of the identity"):
        data_proofs.principal_components_first()
    root = sympy.sqrt(2) / 2
    diagonals = (
        PrincipalComponent(sympy.Rational(1, 3), (sympy.ImmutableMatrix([root, root]),)),
        PrincipalComponent(sympy.Rational(1, 4), (sympy.ImmutableMatrix([root, -root]),)),
    )
    monkeypatch.setattr(data_proofs, "principal_components", lambda _: diagonals)
    assert data_proofs.principal_components_first().verdict == Verdict.HOLDS


@pytest.mark.parametrize(
    ("routes", "passes"),
    [
        (Routes(0.5, 0.5, 0.5), True),
        (Routes(0.5 + 1e-11, 0.5, 0.5), False),
        (Routes(0.5, 0.5 + 1e-8, 0.5), False),
        (Routes(0.5, 0.5, 0.5 + 1e-6, independent_error=1e-7), False),
        (Routes(0.5, 0.5, 0.5 + 5e-7, independent_error=8e-7), True),
        (Routes(math.nan, 0.5, 0.5), False),
        (Routes(0.5, math.inf, 0.5), False),
        (Routes(0.5, None, 0.5), True),
        (Routes(0.5, 0.5, 0.5 + 1e-3, independent_error=math.inf), False),
        (Routes(0.5, 0.5, 0.5 + 2e-6, independent_error=1e-3), False),
        (Routes(None, None, None), False),
        (Routes(0.5, 0.5, None), False),
    ],
)
def test_a_deviation_fails_on_either_side(routes: Routes, passes: bool) -> None:
    claim = finding_of(Quantity("half", sympy.Rational(1, 2)))
    assert check(claim, lambda: [routes]).passed is passes
    mirrored = [
        None if value is None else 1 - value
        for value in (routes.exact, routes.optimised, routes.independent)
    ]
    other_side = replace(routes, exact=mirrored[0], optimised=mirrored[1], independent=mirrored[2])
    assert check(claim, lambda: [other_side]).passed is passes


def test_a_proof_that_breaks_is_reported_with_its_step() -> None:
    def broken() -> Finding:
        require(False, "two and two are five")
        raise AssertionError("not reached")

    checked = check(Claim("planted", "s", "p", broken), list)
    assert (checked.verdict, checked.passed, checked.error) == ("proof failed", False, None)
    assert "two and two are five" in checked.explanation
    with pytest.raises(ProofError):
        require(sympy.Symbol("x") > 0, "undecided is not true")


def test_a_sign_error_in_a_formula_ends_with_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Turn one sign in the code that the second claim is proved with."""
    right = proofs.total_coefficient
    monkeypatch.setattr(
        proofs,
        "total_coefficient",
        lambda code, gain: right(code, gain) - 2 * proofs.AMPLITUDE,
    )
    assert main(["verify", "axis-aligned-total", "--json"]) == 1
    (claim,) = json.loads(capsys.readouterr().out)["claims"]
    assert claim["verdict"] == "fails as stated"
    assert not claim["passed"]
    assert main(["verify", "axis-aligned-total"]) == 1
    text = capsys.readouterr().out
    assert "FAILED" in text
    assert "0 of 1 claims passed" in text


def test_verify_json_and_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = verify(["ratio", "lower-loss-first"])
    monkeypatch.setattr("solvers.cli.verify.verify", lambda *_, **__: some)
    monkeypatch.setattr("solvers.cli.verify.verified", lambda *_, **__: iter(some))
    monkeypatch.setattr("solvers.cli.verify.chosen_ids", lambda *_: ("ratio",))
    assert main(["verify", "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    for claim in document["claims"]:
        assert {
            "id", "statement", "verdict", "symbolic", "exact", "optimised", "independent", "error",
        } <= set(claim)  # fmt: skip
        assert float(sympy.sympify(claim["symbolic"])) == pytest.approx(claim["exact"], abs=1e-12)
    assert main(["verify"]) == 0
    text = capsys.readouterr().out
    assert "2 of 2 claims passed" in text
    assert max(map(len, text.splitlines())) <= 100
    for claim in some:
        assert claim.verdict in text


def test_progress_and_selection() -> None:
    seen: list[tuple[int, int]] = []
    claims = verify(["ratio", "two-dimensional"], progress=lambda *at: seen.append(at))
    assert [claim.id for claim in claims] == ["two-dimensional", "ratio"]
    assert seen == [(1, 2), (2, 2)]
    assert module.TOLERANCES["exact"] == 1e-12


def test_an_executor_changes_neither_order_nor_claims() -> None:
    """The later claims are done first, and yet come in the ledger's order."""
    ids = ["two-dimensional", "axis-aligned-total", "ratio"]
    with ThreadPoolExecutor(2) as executor:
        assert tuple(verified(ids[::-1], executor)) == verify(ids)
        assert [claim.id for claim in verified(ids, executor)] == ids
        with pytest.raises(InputError, match="did you mean 'ratio'"):
            next(verified(["ratoi"], executor))


def test_a_claim_is_there_before_the_next_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    right = module.check

    def noted(claim: Claim, routes: Any) -> CheckedClaim:
        begun.append(claim.id)
        return right(claim, routes)

    monkeypatch.setattr(module, "check", noted)
    claims = verified(["ratio", "two-dimensional"])
    assert (next(claims).id, begun) == ("two-dimensional", ["two-dimensional"])
    assert (next(claims).id, begun) == ("ratio", ["two-dimensional", "ratio"])


def test_the_command_prints_a_claim_before_the_next_is_begun(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def claims(*_: Any) -> Iterator[CheckedClaim]:
        for name in ("two-dimensional", "ratio"):
            (claim,) = verify([name])
            yield claim
            assert f"{name}: " in capsys.readouterr().out

    monkeypatch.setattr("solvers.cli.verify.verified", claims)
    assert main(["verify", "ratio"]) == 0


def test_giving_up_early_cancels_what_has_not_begun() -> None:
    gate = Event()
    with ThreadPoolExecutor(1) as executor:
        executor.submit(gate.wait)
        claims = verified(["two-dimensional", "ratio"], executor)
        next(claims)
        claims.close()
        gate.set()
        # Nothing is left in the queue but this.
        assert executor.submit(int).result() == 0


@pytest.mark.parametrize(
    "page",
    [pytest.param(p, marks=pytest.mark.slow if p.stem == "claims" else ()) for p in PAGES],
)
def test_the_committed_pages_are_current(page: Path) -> None:
    assert (ROOT / page).read_text(encoding="utf-8") == PAGES[page]()


def test_every_source_key_is_in_the_bibliography() -> None:
    references = (ROOT / "docs" / "references.md").read_text(encoding="utf-8")
    known = set(re.findall(r"^\*\*\[(\w+)\]\*\*", references, flags=re.MULTILINE))
    used = set()
    for package in ("theory", "solvers", "docs"):
        for path in (ROOT / package).glob("*.*"):
            if path.suffix in (".py", ".md"):
                text = path.read_text(encoding="utf-8")
                used |= set(re.findall(r"\[([A-Z][A-Za-z]+\d{4}[a-z]?)[\],]", text))
    assert used <= known
