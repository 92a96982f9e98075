"""A page whose server goes away and comes back, in a real browser: what is told, and that what was typed is kept."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from adapters.store import AdapterStore
from api.app import build_app
from api.guard import Access
from engine.song_model import SongModel
from server import open_port
from tests.shelf import make_shelf
from tests.ui.browser.site import CHROMIUM, FLAGS, MARKS, Site, sing
from tests.ui.planted import FakeJudge, FakeRouter, make_songs
from tests.waiting import until
from ui.songs import Songs

pytestmark = MARKS

AWAY = "The server does not answer. What you typed is kept; trying again…"
ANEW = "The server was restarted; the page was loaded anew."
#: What a browser says of requests that nobody answers, and that cannot be kept from being said.
UNAVOIDABLE = re.compile(r"Failed to load resource: net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|INCOMPLETE_CHUNKED|"
                         r"EMPTY_RESPONSE|NETWORK_CHANGED|FAILED|ABORTED)")  # fmt: skip


class Server:
    """Servers of one folder, one after the other on one port."""

    def __init__(self, model: SongModel, folder: Path) -> None:
        self.model, self.folder, self.port, self.runs = model, folder, 0, ExitStack()
        self.judge = FakeJudge("hello cold friend")
        self.shelf: AdapterStore = make_shelf(folder / "shelf", model.transformer)
        self.songs: Songs

    def start(self, key: str | None = None) -> None:
        self.songs = make_songs(self.model, self.folder / "songs", self.judge, self.shelf, router=FakeRouter())
        app = build_app(self.songs, access=Access(key=key), shelf=self.shelf)
        self.runs.enter_context(self._run(app))

    def stop(self) -> None:
        self.runs.close()

    @contextmanager
    def _run(self, app: Any) -> Iterator[None]:
        with open_port("127.0.0.1", self.port) as opened:
            self.port = opened.getsockname()[1]
            server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
            thread = threading.Thread(target=server.run, args=([opened],), daemon=True)
            thread.start()
            until(lambda: server.started)
            try:
                yield
            finally:
                server.should_exit = True
                thread.join(60)


@pytest.fixture(autouse=True)
def nothing_goes_wrong() -> None:
    """Of the shared site, which these tests have nothing to do with."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def server(random_model: SongModel, tmp_path: Path) -> Iterator[Server]:
    made = Server(random_model, tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def site(server: Server, browser: Any) -> Iterator[Site]:
    """The site of the server, whose troubles are those that could have been avoided."""
    none: Any = None
    address = f"http://127.0.0.1:{server.port}"
    made = Site(address, server.songs, server.shelf, server.judge, browser, sources=none, evaluations=none, refits=none)
    yield made
    made.close_pages()
    assert [trouble for trouble in made.troubles if not UNAVOIDABLE.search(trouble)] == []


def begin(page: Any) -> Any:
    """Type something; the field of the words."""
    page.get_by_label("Style").first.fill("folk")
    page.get_by_label("Steps", exact=True).first.fill("2")
    words = page.locator("#lyrics textarea")
    words.fill("hello old friend")
    page.locator("#planned strong", has_text="1 line").wait_for()
    return words


def test_a_page_says_that_its_server_is_away_and_goes_on_once_another_is_there(server: Server, site: Site) -> None:
    page = site.open()
    words = begin(page)
    server.stop()
    banner = page.locator("#connection [role=alert]", has_text=AWAY)
    banner.wait_for()
    words.fill("hello old friend of mine")
    assert page.locator(".toast-wrap").count() == 0 or not page.locator(".toast-wrap").is_visible()
    page.locator("body.server-away").wait_for()
    box = banner.bounding_box()
    assert box is not None and box["y"] >= 0 and box["y"] < 200, "it can be seen"
    server.start()
    page.locator("#connection [role=status]", has_text=ANEW).wait_for()
    page.wait_for_function("document.querySelector('#lyrics textarea').value !== ''")
    assert words.input_value() == "hello old friend of mine"
    assert page.get_by_label("Style").first.input_value() == "folk"
    sing(page)
    page.locator("#player audio").wait_for()
    page.locator("#connection [role=status]").wait_for(state="hidden")  # it was told, and goes
    page.reload()  # as anybody would, which is no restart
    page.locator("#planned p").wait_for(state="attached")
    page.wait_for_timeout(1500)
    assert page.locator("#connection .connection").count() == 0


def test_a_moment_without_an_answer_passes(server: Server, site: Site) -> None:
    page = site.open()
    page.wait_for_function("sessionStorage.getItem('choirmaster-instance') !== null")
    page.evaluate("window.sameAsBefore = true")
    page.route("**/healthz", lambda route: route.abort("connectionrefused"))
    page.locator("#connection [role=alert]", has_text=AWAY).wait_for()
    page.unroute("**/healthz")
    page.locator("#connection [role=status]", has_text="The server answers again.").wait_for()
    assert page.evaluate("window.sameAsBefore") is True, "nothing was loaded anew"
    assert "server-away" not in (page.locator("body").get_attribute("class") or "")


def test_what_the_server_says_is_wrong_with_it_is_told(server: Server, site: Site) -> None:
    page = site.open()
    problem = {"detail": "the <b>engine</b> has ended"}
    page.route("**/healthz", lambda route: route.fulfill(status=503, json=problem))
    told = page.locator("#connection [role=alert]")
    told.filter(has_text="The server is in trouble: the <b>engine</b> has ended.").wait_for()
    assert told.locator("b").count() == 0
    site.troubles[:] = [trouble for trouble in site.troubles if "503" not in trouble]


def test_a_server_that_wants_a_key_by_now_is_told(server: Server, site: Site) -> None:
    page = site.open()
    begin(page)
    server.stop()
    page.locator("#connection [role=alert]", has_text=AWAY).wait_for()
    server.start(key="a-key-of-the-tests")
    # Gradio may load the page anew before anything is told; then the server itself says what it wants.
    page.get_by_text(re.compile(r"\?key=KEY")).wait_for()
    page.goto(f"{site.url}/?key=a-key-of-the-tests")
    page.wait_for_function("(document.querySelector('#lyrics textarea') || {}).value === 'hello old friend'")
    site.troubles[:] = [trouble for trouble in site.troubles if "401" not in trouble]


def test_a_page_in_the_background_does_not_ask_and_looks_at_once_when_it_is_seen(server: Server, site: Site) -> None:
    page = site.open()
    page.wait_for_function("sessionStorage.getItem('choirmaster-instance') !== null")
    page.evaluate("""() => {
      window.hidden = true;
      Object.defineProperty(document, "visibilityState", { get: () => (window.hidden ? "hidden" : "visible") });
    }""")
    page.wait_for_timeout(3500)  # the look that was due already
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/healthz") else None)
    page.wait_for_timeout(4000)
    assert asked == []
    page.evaluate("() => { window.hidden = false; document.dispatchEvent(new Event('visibilitychange')); }")
    page.wait_for_timeout(500)
    assert len(asked) == 1
