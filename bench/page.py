"""How soon the page is painted and can be typed into in a real browser, beside a bare page of Gradio.

Every visit is the first of a browser that keeps nothing: all files are fetched. Knows pages by their addresses alone.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from bench.serving import ROOT, running_server
from bench.taking_turns import ratio
from engine.errors import ChoirmasterError

OURS, BARE = "our page", "a bare page of Gradio with one text field"
#: Seconds from the navigation to the first paint that a visitor of a server that is ready may wait.
TARGET = 3.0
#: Milliseconds.
_PATIENCE = 60_000
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking")
#: Notes, in the page's own clock, when a text field is there that can be seen and typed into.
_WATCH = """(() => {
  const look = () => {
    const field = [...document.querySelectorAll("textarea")].find((f) => f.offsetParent && !f.disabled && !f.readOnly);
    if (field) window.usableAt = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})()"""
_READ = """() => [performance.getEntriesByName("first-contentful-paint")[0].startTime, window.usableAt]"""

_DIRECT = build_opener(ProxyHandler({}))


@dataclass(frozen=True)
class Painting:
    """Seconds from navigation to the first contentful paint, and to a field that can be typed into, by page."""

    rounds: int
    painted: dict[str, list[float]]
    usable: dict[str, list[float]]

    def median(self, page: str) -> tuple[float, float]:
        """Seconds to the first paint, and to a field."""
        return statistics.median(self.painted[page]), statistics.median(self.usable[page])

    @property
    def ratios(self) -> tuple[float, float]:
        """Of our page to the bare one: to the first paint, and to a field; medians over rounds."""
        return ratio(self.painted, OURS, BARE), ratio(self.usable, OURS, BARE)


def time_page(rounds: int, model: str | None = None, told: Callable[[], None] = lambda: None) -> Painting:
    """Serve both pages and visit them in turn, after one visit of each that is not counted.

    Raises:
        ChoirmasterError: there is no browser, or no Playwright; or a server does not come up.
    """
    options = ["--judge", "none", *(["--model", model] if model else [])]
    with (
        tempfile.TemporaryDirectory() as outputs,
        open_browser() as browser,
        running_server(Path(outputs), *options) as ours,
        bare_server() as bare,
    ):
        wait_for(f"{ours.address}/readyz")
        return visit_in_turns(browser, {OURS: ours.address, BARE: bare}, rounds, told)


def visit_in_turns(
    browser: Any, addresses: dict[str, str], rounds: int, told: Callable[[], None] = lambda: None
) -> Painting:
    """Visit pages in an order drawn anew each round."""
    painted: dict[str, list[float]] = {name: [] for name in addresses}
    usable: dict[str, list[float]] = {name: [] for name in addresses}
    shuffled = random.Random(0)
    for number in range(rounds + 1):
        for name in shuffled.sample(list(addresses), len(addresses)):
            paint, field = visit(browser, addresses[name])
            if number:
                painted[name].append(paint)
                usable[name].append(field)
        told()
    return Painting(rounds, painted, usable)


def visit(browser: Any, address: str) -> tuple[float, float]:
    """Seconds from the navigation to the first contentful paint, and to a text field."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    try:
        page = context.new_page()
        page.add_init_script(_WATCH)
        page.goto(address)
        page.wait_for_function("window.usableAt !== undefined", timeout=_PATIENCE)
        paint, field = page.evaluate(_READ)
    finally:
        context.close()
    return paint / 1000, field / 1000


@contextmanager
def open_browser() -> Iterator[Any]:
    """A headless Chromium.

    Raises:
        ChoirmasterError: there is none, or no Playwright.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise ChoirmasterError("playwright is missing, which drives the browser: pip install playwright") from None
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        raise ChoirmasterError(f"there is no {' nor '.join(_BROWSERS)}: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def bare_server() -> Iterator[str]:
    """The address of a bare page, served by a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.bare_page", str(port)], stdout=subprocess.DEVNULL, cwd=ROOT, env=dict(os.environ)
    )
    try:
        wait_for(f"http://127.0.0.1:{port}/")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def wait_for(address: str, patience: float = 180.0) -> None:
    """Wait until there is an answer that is no error.

    Raises:
        ChoirmasterError: none came within ``patience`` seconds.
    """
    ends = time.monotonic() + patience
    while True:
        try:
            with _DIRECT.open(address, timeout=30):
                return
        except (URLError, OSError) as error:
            if time.monotonic() > ends:
                said = f"{address} did not answer within {patience:g} s: serve it by hand to see why"
                raise ChoirmasterError(said) from error
        time.sleep(0.1)
