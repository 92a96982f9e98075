"""A song in a real browser, while it is sung and after: maps that change, sound, words in time, files, cancelling."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import soundfile

from engine.generation import Generation
from engine.request import SongRequest
from engine.song import Step
from tests.held import HeldSinger
from tests.ui.browser.site import MARKS, Site, fill, sing
from tests.waiting import until

pytestmark = MARKS

_STEP = "(document.querySelector('#maps attention-map')?.values?.()?.step ?? -1)"
_DATA = "[...document.querySelector('#maps attention-map').values().data]"


class SteppedSinger(HeldSinger):
    """Takes a step whenever it is let, and no other."""

    def step(self, generations: Sequence[Generation]) -> list[Step | Exception]:
        taken = super().step(generations)
        self.go.clear()
        return taken


@contextmanager
def stepped(site: Site) -> Iterator[SteppedSinger]:
    """Such a singer in the engine of a site, for a while."""
    engine = site.songs.engine
    before, held = engine.singer, SteppedSinger(engine.model, engine.singer.shelf)
    engine.singer = held
    try:
        yield held
    finally:
        engine.singer = before
        held.go.set()


def sing_in_steps(page: Any, singer: SteppedSinger) -> list[Any]:
    """The values of the map after each of the first two steps of three."""
    sing(page)
    page.locator(".going", has_text="step 0 of 3").wait_for()
    page.evaluate("window.element = document.querySelector('#maps attention-map')")
    seen = []
    for step in (1, 2):
        singer.go.set()
        page.locator(".going", has_text=f"step {step} of 3").wait_for()
        page.wait_for_function(f"{_STEP} === {step}")
        seen.append(np.array(page.evaluate(_DATA)))
    singer.go.set()
    page.locator("#player audio").wait_for()
    return seen


def test_the_map_changes_between_steps_and_the_song_is_heard_and_kept(site: Site) -> None:
    page = site.open()
    fill(page, "hello old friend\nhello my love", steps="3")
    with stepped(site) as singer:
        seen = sing_in_steps(page, singer)
    assert seen[0].shape == seen[1].shape and seen[0].max() > 0
    assert np.abs(seen[0] - seen[1]).max() > 1e-4, "the map of another step is another one"
    page.wait_for_function("element.isConnected && element.dataset.live === '0'")
    address = re.search(r"song=([0-9a-f]{16})", page.url)
    assert address is not None
    # every file there is, and none that is not
    for link in page.locator("a.download").all():
        answer = page.request.get(site.url + link.get_attribute("href"))
        assert answer.status == 200, (link.inner_text(), answer.status)
        if link.inner_text() == "wav":
            sound, _ = soundfile.read(io.BytesIO(answer.body()))
            assert np.sqrt(np.mean(np.square(sound))) > 1e-3, "it is no silence"
    offered = page.locator("a.download").all_inner_texts()
    assert offered[:6] == ["flac", "wav", "mp3", "json", "npz", "png"]
    # a random model's attention follows no words; a planted record's does
    lines = [
        {"text": "hello old friend", "start": 0.1, "end": 0.9, "words": [
            {"text": "hello", "start": 0.1, "end": 0.4}, {"text": "old", "start": 0.4, "end": 0.6},
            {"text": "friend", "start": 0.6, "end": 0.9}]},
        {"text": "hello my love", "start": 1.0, "end": 1.5, "words": [
            {"text": "hello", "start": 1.0, "end": 1.2}, {"text": "my", "start": 1.2, "end": 1.3},
            {"text": "love", "start": 1.3, "end": 1.5}]},
    ]  # fmt: skip
    until(lambda: (standing := site.songs.standing(address[1])) is not None and standing.settled)
    site.songs.store.annotate(address[1], karaoke={"lines": lines, "score": 0.9, "null": 0.1, "lyric_mass": 0.5})
    page.reload()
    page.locator("karaoke-line").wait_for()
    page.locator("a.download", has_text="lrc").wait_for()
    for now, line, word in (
        (0.5, "hello old friend", "old"),
        (0.95, "hello old friend", ""),
        (1.25, "hello my love", "my"),
    ):
        page.locator("#player audio").evaluate("(audio, now) => { audio.currentTime = now; }", now)
        page.wait_for_function(
            "([line, word]) => ['.kl.on', '.kw.on'].map((one) => [...document.querySelectorAll(one)]"
            ".map((e) => e.innerText).join('|')).join('/') === `${line}/${word}`",
            arg=[line, word],
        )
    page.locator(".kw", has_text="love").click()
    page.wait_for_function("document.querySelector('#player audio').currentTime >= 1.3")
    assert page.locator(".figures", has_text="character error rate").count() == 1


def test_cancelling_is_said_at_once_and_ends_the_song_at_its_next_step(site: Site) -> None:
    page = site.open()
    fill(page, "hello old friend", steps="50")
    with stepped(site) as singer:
        sing(page)
        page.locator(".going", has_text="step 0 of 50").wait_for()
        singer.go.set()
        page.locator(".going", has_text="step 1 of 50").wait_for()
        said = page.evaluate(
            "document.querySelector('#cancel').click(), document.querySelector('#status .going p').textContent"
        )
        assert said == "Cancelling…", "before the server knows"
        page.locator("#cancel[disabled]").wait_for()
        assert "Cancelling…" in page.locator("#status").inner_text(), "and after it does"
        singer.go.set()
        page.locator("#status", has_text="Cancelled.").wait_for()
    assert page.locator("#maps attention-map").count() == 0
    assert page.locator("#lyrics textarea").input_value() == "hello old friend"


def test_a_song_is_opened_from_elsewhere_and_sung_again_and_one_that_is_gone_is_told(site: Site) -> None:
    job = site.songs.submit(SongRequest(caption="slow jazz", lyrics="sung elsewhere", steps=1, seed=5))
    until(lambda: job.ended)
    page = site.open("/?song=" + "0" * 16)
    page.locator("#status [role=alert]", has_text="no song").wait_for()
    page.evaluate("song => window.choirmaster.go('sing', { song })", job.id)
    page.locator("#player h2", has_text="slow jazz").wait_for()
    assert job.id in page.url and page.locator("#lyrics textarea").input_value() == ""
    page.evaluate("song => window.choirmaster.go('sing', { song, again: '1' })", job.id)
    page.wait_for_function("document.querySelector('#lyrics textarea').value === 'sung elsewhere'")
    assert page.locator("#seed input").input_value() == "5"
    assert page.locator("#player .button[data-go=compare]").get_attribute("data-song") == job.id
