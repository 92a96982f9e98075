"""The benchmark of the page counts from the navigation and means what it says; how fast it is, is no test's matter."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bench.page import BARE, OURS, Painting, open_browser, visit_in_turns, wait_for
from engine.errors import ChoirmasterError
from tests.ui.browser.site import MARKS

#: Painted at once, a field after 0.6 s, and an answer that takes 0.3 s.
PAGE = b"""<!doctype html><p>words</p><script>
setTimeout(() => document.body.append(document.createElement("textarea")), 600);</script>"""


class _Slow(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        time.sleep(0.3)
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(PAGE)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def slow() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Slow) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_the_ratios_are_of_the_rounds() -> None:
    found = Painting(3, {OURS: [2.0, 9.0, 4.0], BARE: [1.0, 3.0, 4.0]}, {OURS: [4.0] * 3, BARE: [1.0, 2.0, 4.0]})
    assert found.median(OURS) == (4.0, 4.0) and found.ratios == (2.0, 2.0)


@pytest.mark.browser
@pytest.mark.skipif(MARKS[1].args[0], reason="there is no chromium: apt-get install chromium")
def test_paint_and_field_are_timed_from_the_navigation_on(slow: str) -> None:
    turns: list[int] = []
    with open_browser() as browser:
        found = visit_in_turns(browser, {OURS: slow, BARE: slow}, 2, lambda: turns.append(1))
    assert len(turns) == 3 and {len(each) for each in found.painted.values()} == {2}
    for name in (OURS, BARE):
        for painted, usable in zip(found.painted[name], found.usable[name], strict=True):
            assert 0.3 <= painted < usable and usable >= 0.9


def test_a_page_that_is_not_there_is_told() -> None:
    with pytest.raises(ChoirmasterError, match="did not answer within 0 s"):
        wait_for("http://127.0.0.1:9/", patience=0)
