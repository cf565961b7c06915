"""Derivations: every check notices a changed sign, pages are made whole or not at all."""

import re
import shutil
import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sympy

from solvers.cli.main import main
from solvers.presentation.derivations.documents import pages_of, write_pages
from solvers.presentation.derivations.figures import FIGURES
from solvers.presentation.derivations.latex import latex
from solvers.presentation.derivations.markdown import markdown
from solvers.presentation.derivations.pages import FigureBlock, page_of
from solvers.studies.claims.derivation_evidence import ROUTES, SEED, compare, run_checks
from theory import InputError, law_from_dict, load_law, preset
from theory.claims.claim import ProofError
from theory.claims.ledger import LEDGER
from theory.codes.code_files import load_code
from theory.derivations import costs as cost_derivations
from theory.derivations import losses as loss_derivations
from theory.derivations import other_losses
from theory.derivations import own as own_derivations
from theory.derivations import structure as structure_derivations
from theory.derivations.derivation import Derivation, Numeric, Step, Symbolic
from theory.derivations.own import own_derivation
from theory.derivations.topics import FORMATS, TOPICS
from theory.exact.numbers import exact_number

#: Topics that are derived in a second or two; the others are tested with the marker slow.
FAST = ("weight-decay", "setting", "relative-loss", "many-pairs", "exact-loss")
#: Each takes a second; checked whole by default are these.
ALL = [
    topic if topic in FAST[1:] else pytest.param(topic, marks=pytest.mark.slow) for topic in TOPICS
]


@cache
def derivation(topic: str) -> Derivation:
    return TOPICS[topic]()


@pytest.mark.parametrize("topic", ALL)
def test_every_topic_is_whole_and_its_checks_hold(topic: str) -> None:
    this = derivation(topic)
    assert this.id == topic
    assert this.figure in FIGURES
    assert set(this.claims) <= {claim.id for claim in LEDGER}
    assert len(run_checks(this)) == len(this.steps)
    for step in this.steps:
        assert step.prose
        if isinstance(step.check, Numeric):
            assert step.check.route in ROUTES


@pytest.mark.parametrize("topic", ALL)
def test_a_changed_sign_is_noticed_at_its_step(topic: str) -> None:
    """Whatever formula a check is about, with its sign changed the check fails, and says where."""
    this = derivation(topic)
    noticed = 0
    for number, step in enumerate(this.steps, start=1):
        name = this.step_name(number)
        if isinstance(step.check, Numeric) and step.check.formula != 0:
            wrong = replace(step.check, formula=-step.check.formula)
            with pytest.raises(ProofError, match=f"^{name}: derived"):
                compare(wrong, name, SEED + number)
        elif isinstance(step.check, Symbolic) and step.check.left not in (0, sympy.oo):
            with pytest.raises(ProofError, match=f"^{name}: "):
                replace(step.check, left=-step.check.left).require(name)
        else:
            continue
        noticed += 1
    assert noticed >= 2


def negative(function: Any, field: str = "") -> Any:
    """Return the function with the sign of its result, or of one field of it, changed."""

    def changed(*arguments: Any, **settings: Any) -> Any:
        result = function(*arguments, **settings)
        return replace(result, **{field: -getattr(result, field)}) if field else -result

    return changed


@pytest.mark.parametrize(
    ("module", "name", "field", "topic"),
    [
        (cost_derivations, "gauge", "", "setting"),
        (cost_derivations, "activation_cost", "value", "activation-cost"),
        (structure_derivations, "composed_in_blocks", "shared", "many-pairs"),
        (structure_derivations, "composed_in_blocks", "independent", "many-pairs"),
        (loss_derivations, "soft_threshold", "loss_above", "radial-bound"),
        (loss_derivations, "radial_bound", "value", "radial-bound"),
        (other_losses, "norm_imbalance", "", "weight-decay"),
        (other_losses, "relative_optimum", "gain", "relative-loss"),
        (other_losses, "relative_optimum", "loss", "relative-loss"),
        (other_losses, "bias_slope_on_second", "", "relative-loss"),
    ],
)
def test_a_changed_sign_in_theory_stops_the_document(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    module: Any,
    name: str,
    field: str,
    topic: str,
) -> None:
    monkeypatch.setattr(module, name, negative(getattr(module, name), field))
    out = tmp_path / "out"
    assert main(["derive", topic, "--out", str(out)]) == 1
    said = capsys.readouterr().err
    assert re.search(rf"error: nothing was written: {topic}, step \d+: ", said)
    assert not out.exists()


def test_formats_and_bytes(tmp_path: Path) -> None:
    """Two topics in every format, twice: the same files with the same bytes."""
    contents = []
    for run in ("one", "two"):
        pages = pages_of(["exact-loss", "setting"])
        # Reading order, whatever order they were asked for in.
        assert [page.id for page in pages] == ["setting", "exact-loss"]
        for form in FORMATS:
            write_pages(pages, form, tmp_path / run / form)
        files = sorted(path for path in (tmp_path / run).rglob("*") if path.is_file())
        contents.append({str(p.relative_to(tmp_path / run)): p.read_bytes() for p in files})
    assert contents[0].keys() == contents[1].keys()
    for name, content in contents[0].items():
        assert content == contents[1][name], name
    assert {"md/index.md", "html/index.html", "tex/derivations.tex"} <= contents[0].keys()
    assert {"md/01-setting.md", "html/02-exact-loss.html"} <= contents[0].keys()
    assert {"md/figures/cut-square.svg", "tex/figures/cut-square.pdf"} <= contents[0].keys()
    html = contents[0]["html/02-exact-loss.html"].decode()
    assert html.count("<math") >= 4
    assert "\\frac" not in html
    assert "<script" not in html


def test_markdown_says_what_was_checked() -> None:
    page = page_of(derivation("weight-decay"))
    text = markdown(page, [page])
    assert "$$\nI = \\frac{\\lambda m}{2 \\mu}\n$$" in text
    assert "Checked: the norms at minima found by the exact minimiser gives the same" in text
    assert "**Verdict: holds under a named reading" in text
    assert "](figures/balance.svg)" in text
    assert "index.md" not in text
    starred = replace(page, title="q* and f*")
    assert markdown(starred, [starred]).startswith("# q\\* and f\\*")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs a TeX")
def test_latex_compiles_without_wide_boxes(tmp_path: Path) -> None:
    write_pages(pages_of(("setting", "relative-loss", "exact-loss")), "tex", tmp_path)
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "derivations.tex"],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    log = done.stdout.decode(errors="replace")
    assert done.returncode == 0, log[-2000:]
    wide = [float(size) for size in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert max(wide, default=0.0) <= 5


def test_latex_escapes_what_it_must() -> None:
    page = page_of(derivation("setting"))
    text = latex([replace(page, title="50 % of R^d & a_b_c #1 x̂ ≤ λ/2 {…}")])
    assert (
        r"\section{50 \% of \(R^{d}\) \& a\_b\_c \#1 \(\hat x\) \(\le\) \(\lambda\)/2 "
        r"\{\dots{}\}}" in text
    )


def test_a_law_and_a_code_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    law, code = tmp_path / "law.json", tmp_path / "code.json"
    law.write_text('{"sets": [2, 2], "onehot_probability": 0.5, "magnitude_correlation": 1}')
    code.write_text("[[1, 0], [-1, 0], [0, 1], [0, -1]]")
    arguments = ["derive", str(law), "--code", str(code), "--l1", "0.1", "--out", str(tmp_path)]
    assert main(arguments) == 0
    text = (tmp_path / "code-on-law.json.md").read_text(encoding="utf-8")
    # q/2 of each of four one-hot segments, cost 1/2 each; the rest cost 1.
    assert "It costs 3/4 ≈ 0.75; at λ = 1/10 its least loss with b_dec = 0 is" in text
    assert "The diagonal code of 4 atoms costs" in text
    assert "No SAE of any width" in text
    capsys.readouterr()


@pytest.mark.parametrize(
    "degrees", [pytest.param(d, marks=pytest.mark.slow) for d in ("0", "30", "45")]
)
def test_own_derivations_at_angles_with_roots(degrees: str) -> None:
    law = load_law("independent:onehot_probability=0.25")
    this = own_derivation(law, load_code(f"rotated:{degrees}", law), sympy.Rational(1, 10))
    assert len(run_checks(this)) == len(this.steps)


def test_atoms_of_a_file_are_brought_to_norm_one(tmp_path: Path) -> None:
    path = tmp_path / "long.json"
    path.write_text("[[2, 0], [-2, 0], [0, 3], [0, -3]]")
    law = preset("independent")
    assert load_code(str(path), law).atoms == load_code("axis-aligned", law).atoms


@pytest.mark.slow
def test_an_asymmetric_law_is_told_that_b_dec_may_do_better() -> None:
    law = load_law("shared")
    lopsided = law_from_dict({"sets": [2, 2], "probabilities": [["1/2", "1/6"], ["1/12", "1/4"]]})
    for data, caution in ((law, False), (lopsided, True)):
        this = own_derivation(data, load_code("axis-aligned", data), sympy.Rational(1, 10))
        assert any("another b_dec" in step.prose for step in this.steps) == caution
        assert len(run_checks(this)) == len(this.steps)


def test_a_code_that_cannot_is_passed_over_in_the_comparison() -> None:
    law = law_from_dict({"sets": [3, 2]})
    this = own_derivation(law, load_code("axis-aligned", law))
    assert any("diagonal code of 6 atoms does not reach" in step.prose for step in this.steps)
    assert this.figure == ""
    run_checks(this)


def test_an_own_derivation_without_a_frame_says_so() -> None:
    code = load_code("axis-aligned", preset("shared"))
    wide = type(code)("five", [*code.atoms, (1, 1)])
    this = own_derivation(preset("shared"), wide, sympy.Rational(1, 10))
    assert any("no orthogonal frame" in step.prose for step in this.steps)


@pytest.mark.parametrize(
    ("law", "code", "l1", "loss"),
    [
        # λ A - λ²/2 + λ³/(12 A), by hand.
        ("shared:amplitude=1/256", "axis-aligned", "1/1000", "41131/12000000000"),
        ("shared:amplitude=1e-6", "axis-aligned", "2e-7", "542/3e15"),
        ("shared:amplitude=1000000", "axis-aligned", "200000", "542e9/3"),
    ],
)
def test_own_derivations_in_any_unit(law: str, code: str, l1: str, loss: str) -> None:
    data, penalty = load_law(law), exact_number(l1, "l1")
    this = own_derivation(data, load_code(code, data), penalty)
    assert not any("no orthogonal frame" in step.prose for step in this.steps)
    assert len(run_checks(this)) == len(this.steps)
    (at_l1,) = [step.formula for step in this.steps if step.prose.startswith("At λ =")]
    assert at_l1 == exact_number(loss, "loss")


@pytest.mark.slow
def test_own_derivations_with_magnitudes_in_between() -> None:
    data = load_law("independent:amplitude=3,magnitude_correlation=0.5")
    this = own_derivation(data, load_code("diagonal", data), sympy.Rational(1, 10))
    assert len(run_checks(this)) == len(this.steps)


def test_only_the_reason_that_was_checked_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another error than the one that a sentence speaks of is no reason to write it."""

    def refuse(*_: Any) -> Any:
        raise InputError("law", "something else")

    data = preset("shared")
    for name in ("frame_loss_for_every_l1", "radial_bound", "activation_cost"):
        with monkeypatch.context() as patched:
            patched.setattr(own_derivations, name, refuse)
            with pytest.raises(InputError, match="something else"):
                own_derivation(data, load_code("diagonal", data), sympy.Rational(1, 10))


def test_a_check_is_about_the_formula_of_its_step_unless_it_brings_another() -> None:
    two, three = sympy.Integer(2), sympy.Integer(3)
    for given, meant in ((None, two), (three, three)):
        numeric = Step("", "n", two, "", Numeric("", "", formula=given)).check
        symbolic = Step("", "n", two, "", Symbolic("", two, left=given)).check
        assert isinstance(numeric, Numeric)
        assert isinstance(symbolic, Symbolic)
        assert (numeric.formula, symbolic.left) == (meant, meant)


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_a_tolerance_is_a_share_of_the_unit(unit: float) -> None:
    law = preset("shared", amplitude=exact_number(unit, "amplitude"))
    cost = sympy.Rational(unit)
    check = Numeric("", "cost by quadrature", (law, 0.0, unit), tolerance=1e-6, unit=unit)
    compare(replace(check, formula=cost), "step", 0)
    with pytest.raises(ProofError, match=r"^step: derived"):
        compare(replace(check, formula=cost * (1 + sympy.Rational(1, 10**5))), "step", 0)


BAD = [
    (["derive", "no-such-topic"], "topic: expected one of setting, activation"),
    (["derive", "setting", "--format", "pdf"], "--format: expected one of md, html, tex"),
    (["derive", "setting", "--l1", "0.1"], "--l1: expected beside --code only"),
    (["derive", "--code", "diagonal"], "--code: expected one LAW before it"),
    (["derive", "shared", "--code", "spiral"], "--code: expected one of axis-aligned"),
    (["derive", "shared", "--code", "rotated:x"], "--code: expected a number"),
    (["derive", "shared", "--code", "{dir}/none.json"], "none.json: no such file"),
    (["derive", "shared", "--code", "{dir}/half.json"], "expected atoms whose cone holds the law"),
    (["derive", "shared", "--code", "{dir}/three.json"], "expected atoms of dimension 2"),
    (
        ["derive", "shared", "--code", "{dir}/zero.json"],
        "atom 1: expected an atom that is not zero",
    ),
    (["derive", "shared", "--code", "{dir}/text.json"], "expected a list of atoms"),
    (["derive", "nolaw", "--code", "diagonal"], "law: expected a preset"),
    (["derive", "shared", "--code", "diagonal", "--l1", "-1"], "--l1: expected a number > 0"),
    (["derive", "weight-decay", "--out", "{dir}/text.json"], "expected a folder, this is a file"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD, ids=lambda value: str(value)[:40])
def test_bad_input_is_one_line_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    (tmp_path / "half.json").write_text("[[1, 0], [0, 1]]")
    (tmp_path / "three.json").write_text("[[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, -1, -1]]")
    (tmp_path / "zero.json").write_text("[[1, 0], [0, 0]]")
    (tmp_path / "text.json").write_text('"diagonal"')
    before = sorted(tmp_path.iterdir())
    status = main([argument.format(dir=tmp_path) for argument in [*arguments, "--quiet"]])
    said = capsys.readouterr()
    assert (status, said.out, said.err.count("\n")) == (2, "", 1)
    assert message in said.err
    assert sorted(tmp_path.iterdir()) == before


def test_figures_are_named_by_the_topics() -> None:
    named = {derivation(topic).figure for topic in FAST}
    assert len(named) == len(FAST)
    (block,) = [b for b in page_of(derivation("setting")).blocks if isinstance(b, FigureBlock)]
    assert block.name == derivation("setting").figure


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="format: expected one of md, html, tex, got 'doc'"):
        write_pages([], "doc", tmp_path)
