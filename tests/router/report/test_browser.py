"""The page in a real browser, from a file and offline: no error, no request, nothing wider than the screen."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from router.report.page import render_report
from tests.router.report.planted import make_bare, make_long

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def files(text: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("page")
    pages = {"both": text, "bare": render_report([make_bare()]), "long": render_report([make_long()])}
    for name, written in pages.items():
        (folder / f"{name}.html").write_text(written, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in pages}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


def open_page(browser: Any, file: Path, troubles: list[str], **options: Any) -> Any:
    page = browser.new_context(offline=True, **options).new_page()
    page.on("console", lambda m: troubles.append(m.text))
    page.on("pageerror", lambda e: troubles.append(str(e)))
    page.on("request", lambda r: troubles.append(r.url) if not r.url.startswith((file.as_uri(), "data:")) else None)
    page.goto(file.as_uri())
    return page


@pytest.mark.parametrize(("width", "scheme"), [(375, "dark"), (1440, "light")])
@pytest.mark.parametrize("name", ["both", "bare", "long"])
def test_it_stands_alone_at_any_width(browser: Any, files: dict[str, Path], name: str, width: int, scheme: str) -> None:
    troubles: list[str] = []
    page = open_page(browser, files[name], troubles, viewport={"width": width, "height": 900}, color_scheme=scheme)
    for closed in page.locator("details").all():
        closed.evaluate("e => { e.open = true; }")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (sum(paper[:3]) < 200) == (scheme == "dark")
    # a mark's colour is the scheme's, and lies within its field
    inside = """[...document.querySelectorAll('.field .at path')].every(m => {
        const a = m.getBoundingClientRect(), b = m.closest('.field').getBoundingClientRect();
        return a.left > b.left - 8 && a.right < b.right + 8 && a.top > b.top - 8 && a.bottom < b.bottom + 8; })"""
    assert page.evaluate(inside)
    assert not troubles
    page.context.close()


def test_scores_fit_a_desk_and_sort_by_keyboard(browser: Any, files: dict[str, Path]) -> None:
    troubles: list[str] = []
    page = open_page(browser, files["both"], troubles, viewport={"width": 1440, "height": 900})
    assert page.evaluate("[...document.querySelectorAll('.scores')].every(e => e.scrollWidth <= e.clientWidth)")
    page.locator(".scores thead button").nth(1).focus()
    page.keyboard.press("Enter")
    rates = page.evaluate(
        "[...document.querySelector('.scores').querySelectorAll('tbody tr')].map(r => +r.cells[1].dataset.value)"
    )
    assert rates == sorted(rates) and len(rates) > 10
    page.get_by_role("link", name="Map", exact=True).click()
    page.wait_for_function("Math.abs(document.querySelector('#map').getBoundingClientRect().top) < 200")
    assert not troubles
    page.context.close()
