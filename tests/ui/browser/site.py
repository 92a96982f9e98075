"""A served page with all its services, a browser that looks at it, and what went wrong in that browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from adapters.store import AdapterStore
from api.export_jobs import ExportJobs
from engine.song_model import SongModel
from tests.router.planted_router import Words
from tests.shelf import make_shelf
from tests.ui.planted import FakeJudge, FakeRouter, make_songs, served
from tests.ui.planted_tables import plant_prompts, plant_results
from ui.evaluations import Evaluations
from ui.refits import Refits
from ui.songs import Songs
from ui.sources import Sources
from ui.voting import Voting

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]  # fmt: skip
#: Milliseconds.
PATIENCE = 60_000

#: Marks of every module that uses a site.
MARKS = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt-get install chromium"),
]

#: What reaches beyond the window, where the window can be moved to see it.
STICKING_OUT = """width => document.documentElement.scrollWidth <= width ? [] : [...document.querySelectorAll("*")]
    .filter((e) => e.getBoundingClientRect().right + window.scrollX > width)
    .map((e) => `${e.tagName} ${e.id} ${e.className}`)"""


@dataclass
class Site:
    """A served page, the services behind it, a browser, and what went wrong in it."""

    url: str
    songs: Songs
    shelf: AdapterStore
    judge: FakeJudge
    browser: Any
    sources: Sources
    evaluations: Evaluations
    refits: Refits
    troubles: list[str] = field(default_factory=list)

    def open(self, path: str = "/", **options: Any) -> Any:
        page = self.browser.new_page(**{"viewport": {"width": 1440, "height": 900}, **options})
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda m: self.note(m.text, m.type == "error"))
        page.on("pageerror", lambda e: self.note(str(e)))
        page.on("dialog", lambda d: self.note("a dialog"))
        page.on("request", lambda r: self.note(r.url, not r.url.startswith((self.url, "data:", "blob:"))))
        page.goto(self.url + path)
        page.locator("#planned p").wait_for(state="attached")  # the Sing tab, in sight or not, is ready
        return page

    def note(self, trouble: str, is_one: bool = True) -> None:
        if is_one:
            self.troubles.append(trouble)

    def close_pages(self) -> None:
        for page in [page for context in self.browser.contexts for page in context.pages]:
            page.close()


@contextmanager
def open_site(model: SongModel, folder: Path, heard: str = "hello cold friend") -> Iterator[Site]:
    """A site over a random model: a judge that hears ``heard`` in every song, a shelf with folk and rock, and a results
    table as the source ``eval``."""
    from playwright.sync_api import sync_playwright

    judge, shelf = FakeJudge(heard), make_shelf(folder / "shelf", model.transformer)
    songs = make_songs(model, folder / "songs", judge, shelf, router=FakeRouter())
    exports = ExportJobs(songs.store.folder / "exports", shelf, str(folder / "no-model"))
    voting = Voting(songs, shelf, lambda: "planted")
    plant_results(songs.store.folder / "eval")
    sources = Sources(songs, folder / "no-model")
    evaluations = Evaluations(songs, shelf, folder / "no-model")
    refits = Refits(songs, sources, shelf, folder / "no-model", Words)
    services: dict[str, Any] = {"shelf": shelf, "exports": exports, "voting": voting, "sources": sources}
    services |= {"evaluations": evaluations, "refits": refits}
    with pytest.MonkeyPatch.context() as patch, served(songs, **services) as url, sync_playwright() as playwright:
        patch.setattr("ui.evaluation_run.PROMPTS", plant_prompts(folder))
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield Site(url, songs, shelf, judge, browser, sources, evaluations, refits)
        browser.close()


def resize(page: Any) -> Iterator[int]:
    """The page in a wide and a narrow window, light and dark; the width in pixels each time."""
    for width in (1440, 375):
        page.set_viewport_size({"width": width, "height": 800})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_function("dark => document.body.classList.contains('dark') === dark", arg=scheme == "dark")
            yield width


def fill(page: Any, lyrics: str, caption: str = "folk", steps: str = "2") -> None:
    """Fill in the Sing tab."""
    # by id: other tabs ask for the like
    for name, text in (("caption", caption), ("lyrics", lyrics), ("steps", steps)):
        page.locator(f"#{name} :is(input, textarea)").fill(text)


def sing(page: Any) -> None:
    """Press Sing, the button and not the tab."""
    page.locator("#sing").click()
