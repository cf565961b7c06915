"""Pages in a real browser: nothing logged, nothing fetched, readable when narrow.

Runs where Chromium and the extra `browser` are installed; with SAE_THEORY_BROWSER set, as in
CI, their absence is a failure.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from solvers import Objective, Search, cross_check
from solvers.autoencoders.frames import frame_sae
from solvers.presentation.check_page import check_page, comparison_page
from solvers.presentation.comparison import Comparison
from solvers.presentation.derivations.documents import pages_of, write_pages
from theory import preset

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
PATH = os.environ.get("SAE_THEORY_BROWSER") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="module")
def pages(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return pages of checks; made only where there is a browser to open them."""
    del browser
    folder = tmp_path_factory.mktemp("pages")
    law, objective = preset("independent"), Objective(l1=0.1)
    checks = [
        (f"a folder with a long name/and a file with another {angle:.1f}.npz",
         cross_check(law, frame_sae(angle, 0.05), objective, Search(starts=2)))
        for angle in (0.0, 0.3, np.pi / 4)
    ]  # fmt: skip
    texts = {
        "one": check_page(checks[1][1], checks[1][0], "sae-theory check independent <b>.npz"),
        "several": comparison_page(
            law,
            Comparison.by_excess(
                checks, [("a folder with a long name/bad.npz", "it is <b>damaged")]
            ),
            "sae-theory check independent *.npz",
        ),
    }
    for name, text in texts.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in texts}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415
    except ImportError:
        sync_playwright = None
    if sync_playwright is None or PATH is None:
        if os.environ.get("SAE_THEORY_BROWSER"):
            pytest.fail("SAE_THEORY_BROWSER is set, but the browser or playwright is missing")
        pytest.skip("needs Chromium and the extra `browser`")
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        running = playwright.chromium.launch(executable_path=PATH, args=arguments)
        yield running
        running.close()


def opened(browser: Any, path: Path, width: int, scheme: str) -> Any:
    """Return a page that says nothing, fetches nothing and does not scroll sideways."""
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in asked if url.startswith("file:")]) == 1
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    return page


@pytest.fixture(scope="module")
def derivations(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of pages; all topics in CI, which has made them anyway, else three."""
    del browser
    made = os.environ.get("SAE_THEORY_DERIVATIONS")
    if made:
        return Path(made)
    folder = tmp_path_factory.mktemp("derivations")
    write_pages(pages_of(("setting", "weight-decay", "exact-loss")), "html", folder)
    return folder


def test_derivations(derivations: Path, browser: Any) -> None:
    paths = sorted(derivations.glob("*.html"))
    assert len(paths) >= 4
    for path in paths:
        for width in (360, 1280):
            page = opened(browser, path, width, "light")
            text = page.inner_text("body")
            for raw in ("\\frac", "\\sqrt", "$", "\\lambda", "sqrt("):
                assert raw not in text, (path.name, raw)
            if path.name != "index.html":
                formulas = page.query_selector_all("math")
                assert len(formulas) >= 3
                heights = [formula.bounding_box()["height"] for formula in formulas]
                # A formula with a fraction is taller than a line of text.
                assert max(heights) > 25
                assert page.query_selector("figure svg") is not None
                assert page.query_selector("nav a") is not None
            page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", ["one", "several"])
def test_page(pages: dict[str, Path], browser: Any, name: str, width: int, scheme: str) -> None:
    page = opened(browser, pages[name], width, scheme)
    for picture in page.query_selector_all("figure svg"):
        box = picture.bounding_box()
        assert box is not None
        assert box["width"] > 200
        assert box["height"] > 80
    assert len(page.query_selector_all("figure svg")) == (2 if name == "one" else 1)
    text = page.inner_text("body")
    assert "Made by sae-theory check independent" in text
    if name == "one":
        assert "<b>.npz" in text, "what is no markup stays as it was typed"
        size = page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)")
        assert size >= 14
    ink, paper = (
        page.evaluate(f"getComputedStyle(document.body).{style}")
        for style in ("color", "backgroundColor")
    )
    contrast = brightness(paper) - brightness(ink)
    assert (contrast if scheme == "light" else -contrast) > 150
    page.context.close()


def brightness(color: str) -> float:
    """Return the mean of the three channels of rgb(r, g, b)."""
    channels = color[color.index("(") + 1 : color.index(")")].split(",")[:3]
    return sum(float(channel) for channel in channels) / 3


SITE = os.environ.get("SAE_THEORY_SITE")


@pytest.mark.skipif(SITE is None, reason="needs SAE_THEORY_SITE, a folder made by sphinx-build")
def test_site(browser: Any) -> None:
    """Every page of the site, on a phone: no request leaves it, formulas are no raw TeX."""
    site = Path(str(SITE)).resolve()
    paths = [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]
    assert len(paths) > 20
    context = browser.new_context(viewport={"width": 360, "height": 800})
    for path in paths:
        page = context.new_page()
        said: list[str] = []
        asked: list[str] = []
        page.on("console", lambda message, said=said: said.append(message.text))
        page.on("pageerror", lambda error, said=said: said.append(str(error)))
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.goto(path.as_uri())
        name = path.relative_to(site)
        assert said == [], name
        assert [url for url in asked if not url.startswith(("file:", "data:"))] == [], name
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, name
        text = page.inner_text("article" if page.query_selector("article") else "body")
        if path.parent.name == "derivations":
            for raw in ("\\frac", "\\sqrt", "$$", "\\lambda"):
                assert raw not in text, (name, raw)
            assert path.stem == "index" or len(page.query_selector_all("math")) >= 3, name
        page.close()
    context.close()
