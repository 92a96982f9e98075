"""The page in a real browser, from a file and offline: no error, no request, tables sort, sound plays."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]  # fmt: skip

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt-get install chromium"),
]


@pytest.fixture(scope="module")
def file(text: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(text, encoding="utf-8")
    return path


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


@pytest.mark.parametrize("width", [375, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_stands_alone_at_any_width(browser: Any, file: Path, width: int, scheme: str) -> None:
    troubles: list[str] = []
    page = open_page(browser, file, troubles, viewport={"width": width, "height": 900}, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.wait_for_function("[...document.querySelectorAll('audio')].every(a => a.duration > 1)")
    assert page.evaluate("[...document.images].every(i => i.naturalWidth > 0)")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (sum(paper[:3]) < 200) == (scheme == "dark")
    # the style got past the page's own policy, down to the colours of single cells
    assert page.evaluate("getComputedStyle(document.querySelector('.genres td')).backgroundColor") != "rgba(0, 0, 0, 0)"
    assert not troubles


def test_tables_sort_by_mouse_and_keyboard_and_intervals_unfold(browser: Any, wide_text: str, tmp_path: Path) -> None:
    troubles: list[str] = []
    file = tmp_path / "report.html"
    file.write_text(wide_text, encoding="utf-8")
    page = open_page(browser, file, troubles)
    rates = "[...document.querySelectorAll('.genres tbody tr')].map(r => Number(r.cells[1].dataset.value))"
    page.locator(".genres thead button").nth(1).focus()
    page.keyboard.press("Enter")
    assert page.evaluate(rates) == sorted(page.evaluate(rates))
    assert page.locator(".genres thead th").nth(1).get_attribute("aria-sort") == "ascending"
    page.locator(".genres thead button").nth(1).click()
    assert page.evaluate(rates) == sorted(page.evaluate(rates), reverse=True)
    small = page.locator(".genres tbody td small").first
    assert not small.is_visible()
    page.get_by_label("Show intervals").check()
    assert small.is_visible()
    page.get_by_role("link", name="Songs", exact=True).click()
    page.wait_for_function("Math.abs(document.querySelector('#songs').getBoundingClientRect().top) < 200")
    assert not troubles


def test_only_one_song_plays_at_a_time(browser: Any, file: Path) -> None:
    troubles: list[str] = []
    page = open_page(browser, file, troubles)
    playing = "[...document.querySelectorAll('audio')].map(a => !a.paused).slice(0, 2)"
    page.evaluate("document.querySelectorAll('audio').forEach(a => { a.loop = true; a.muted = true; })")
    for at, expected in ((0, [True, False]), (1, [False, True])):
        page.evaluate(f"document.querySelectorAll('audio')[{at}].play()")
        page.wait_for_function(f"JSON.stringify({playing}) === '{str(expected).lower().replace(' ', '')}'")
    assert not troubles
