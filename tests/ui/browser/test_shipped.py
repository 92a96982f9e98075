"""The model that ships, its adapters, the real judge and the real page, as somebody uses them for the first time.

Takes the pictures of the README: ``CHOIRMASTER_PICTURES=docs make test ARGS=tests/ui/browser/test_shipped.py``.
"""

from __future__ import annotations

import io
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
import soundfile

from adapters.places import TINY_MODEL
from tests.ui.browser.site import CHROMIUM, FLAGS, MARKS
from tests.waiting import until

pytestmark = [*MARKS, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[3]
PATIENCE = 180_000
#: What every drawing of the map showed: its step, its discarded mass, and the strongest word of every time bin.
WATCH = """window.drawn = [];
document.addEventListener("attention-drawn", (event) => {
  const found = event.target.values && event.target.closest("#maps") && event.target.values();
  if (!found) return;
  const [bins, rows] = found.shape;
  const strongest = [...Array(bins).keys()].map((bin) => {
    const column = found.data.subarray(bin * rows, (bin + 1) * rows);
    return column.indexOf(Math.max(...column));
  });
  const shown = event.target.querySelector("select").value;
  window.drawn.push({ step: event.detail.step, shown, sum: found.data.reduce((a, b) => a + b, 0), strongest });
}, true);"""


@pytest.fixture(autouse=True)
def nothing_goes_wrong() -> None:
    """In place of the other modules' site, which is not used here."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    songs = tmp_path_factory.mktemp("songs")
    command = [sys.executable, str(ROOT / "server.py"), "--port", str(port), "--outputs", str(songs)]
    server = subprocess.Popen(command, cwd=songs, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        assert server.poll() is None, "the server has ended"
        try:
            told = httpx.get(f"{address}/healthz", timeout=10).json()
        except httpx.TransportError:
            return False
        return bool(told["judge"]["state"] == "ready" and told["router"]["state"] == "ready")

    try:
        until(ready, 180)
        yield address
    finally:
        server.terminate()
        server.wait(60)


@pytest.fixture
def page(url: str) -> Iterator[Any]:
    """A page in which nothing goes wrong."""
    from playwright.sync_api import sync_playwright

    troubles: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        opened = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
        opened.set_default_timeout(PATIENCE)
        opened.on("console", lambda m: troubles.append(m.text) if m.type == "error" else None)
        opened.on("pageerror", lambda e: troubles.append(str(e)))
        opened.on("request", lambda r: None if r.url.startswith((url, "data:", "blob:")) else troubles.append(r.url))
        yield opened
        browser.close()
    assert not troubles


def photograph(page: Any, name: str, height: int, folder: Path) -> None:
    """A picture of the page from its top, into ``CHOIRMASTER_PICTURES`` where that is set."""
    chosen = os.environ.get("CHOIRMASTER_PICTURES")
    path = (ROOT / chosen if chosen else folder) / name
    page.set_viewport_size({"width": 1280, "height": height})
    page.evaluate("window.scrollTo(0, 0); document.activeElement.blur()")
    page.wait_for_timeout(500)
    page.screenshot(path=path, animations="disabled")
    assert path.stat().st_size > 20_000


def test_a_first_song_from_zero(page: Any, url: str, tmp_path: Path) -> None:
    page.add_init_script(WATCH)
    page.goto(url)
    page.get_by_role("button", name="Slow lullaby").click()
    page.locator("#seed :is(input, textarea)").fill("5")
    page.locator("#planned strong", has_text="4 lines").wait_for()
    page.locator("#sing").click()
    page.locator("#song .verdict .wer").wait_for()

    # the map was there while it was sung, and changed with every step that was seen
    live = {one["step"]: one for one in page.evaluate("window.drawn")}
    assert len(live) >= 3 and max(live) == 12
    assert len({round(one["sum"], 3) for one in live.values()} | {str(one["strongest"]) for one in live.values()}) >= 3
    assert {one["shown"] for one in live.values()} == {"aligned"}, "heads that follow the words, from the first step on"
    strongest = live[12]["strongest"]
    assert pd.Series(strongest).corr(pd.Series(range(len(strongest))), method="spearman") > 0.7, "it follows the words"

    song = re.search(r"song=([0-9a-f]+)", page.url)
    assert song is not None
    sound = httpx.get(f"{url}/v1/songs/{song[1]}/audio?format=wav").content
    audio, rate = soundfile.read(io.BytesIO(sound), always_2d=True)
    assert 8 < len(audio) / rate < 14 and np.sqrt(np.mean(audio**2)) > 0.01, "sound is not silence"
    judged = httpx.get(f"{url}/v1/songs/{song[1]}").json()["judged"]
    assert httpx.get(f"{url}/v1/songs/{song[1]}").json()["request"]["seed"] == 5
    assert judged["wer"] <= 0.5 and f"{100 * judged['wer']:.1f}" in page.locator("#song .wer strong").inner_text()
    # pressing a word plays it, the karaoke line and the map go along
    page.locator("karaoke-line .kw", has_text="morning").click()
    heard = page.locator("#player audio").evaluate("(audio) => audio.currentTime")
    assert 1 < heard < 8
    photograph(page, "page.png", 1650, tmp_path)


def test_compositions_are_compared_and_one_is_picked(page: Any, url: str, tmp_path: Path) -> None:
    page.goto(f"{url}/?tab=compare")
    form = page.locator("#compare-form")
    form.get_by_role("checkbox", name="nolyrics", exact=True).wait_for()
    form.get_by_label("Style").fill("fast hip-hop, low voice")
    page.locator("#compare-lyrics textarea").fill("Count the corners, keep the change\nEvery window knows my name")
    page.locator("#compare-seed :is(input, textarea)").fill("7")
    for box in form.locator("#compare-compositions input").all():
        box.uncheck()
    for name in ("Base model", "nolyrics"):
        form.get_by_role("checkbox", name=name, exact=True).check()
    page.locator("#compare-blends textarea").fill("lyrics=0.6,nolyrics=0.4")
    page.get_by_role("button", name="Sing all").click()
    page.locator("#compared .verdict .wer").nth(2).wait_for()
    page.locator("attention-compare canvas").nth(3).wait_for()
    photograph(page, "compare.png", 2300, tmp_path)
    page.get_by_role("button", name="I like base best").click()
    picked = until(lambda: httpx.get(f"{url}/v1/votes").json()["votes"])[0]
    assert picked["winner"] == {} and len(picked["losers"]) == 2 and not picked["blind"]


def test_what_was_measured_is_what_the_table_says(page: Any, url: str, tmp_path: Path) -> None:
    page.goto(f"{url}/?tab=evidence")
    page.locator("#evidence-heat .cell").first.wait_for()
    songs = pd.read_parquet(TINY_MODEL / "table.parquet")
    songs = songs[songs["judge"] == songs["judge"].iloc[0]]
    errors = songs[["substitutions", "deletions", "insertions"]].sum(axis=1)
    rates = errors.groupby([songs["genre"], songs["composition"]]).sum() / songs.groupby(["genre", "composition"])[
        "reference_words"
    ].sum()  # fmt: skip
    for genre, name in (("blues", "nolyrics=1"), ("folk", "base"), ("hip-hop", "lyrics=1")):
        cell = page.locator(f".cell[data-genre='{genre}'][data-composition='{name}'] b")
        assert cell.inner_text().removeprefix("★").strip() == f"{100 * rates[genre, name]:.1f}"
    photograph(page, "evidence.png", 2100, tmp_path)
