"""What the tests of attention maps plant, and how they read what was drawn."""

from __future__ import annotations

import base64
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.attention_maps import AttentionFrame, AttentionRecord
from engine.bank import Shelf
from engine.generation import Generation
from engine.lyric_map import map_embedded
from engine.request import AttentionWish, SongRequest
from engine.singer import Singer
from engine.song import Step
from engine.song_model import SongModel
from tests.ui.browser.site import PATIENCE, Site
from tests.waiting import until

LYRICS = "[verse]\nhello my old friend\nthe night is rather long"
ALL = AttentionWish(steps="all")
BINS = 120
SECONDS = 4.8
#: A page with the element's own files and nothing else, which is there at once.
BARE = """() => {
    document.documentElement.innerHTML = `<head><link rel="stylesheet" href="/page/base.css">
        <link rel="stylesheet" href="/page/attention.css"></head>
        <body class="gradio-container"><div id="desk"></div></body>`;
    return import("/page/attention.js").then(() => true);
}"""
#: Puts an element into a page, instead of the one before.
ADD = """html => {
    const place = document.querySelector('#probe') || document.createElement('div');
    place.id = 'probe';
    document.querySelector('#desk').before(place);
    place.innerHTML = html;
}"""
VALUES = """which => {
    const element = document.querySelector(which);
    const found = element.values();
    return {...found, data: [...found.data], discarded: [...found.discarded]};
}"""
PIXELS = """([which, ...given]) => {
    const {data, width, height} = document.querySelector(which).pixels(...given);
    let text = "";
    for (let at = 0; at < data.length; at += 8192) text += String.fromCharCode(...data.subarray(at, at + 8192));
    return {data: btoa(text), width, height};
}"""


class SteppingSinger(Singer):
    """Takes a step whenever it may."""

    def __init__(self, model: SongModel, shelf: Shelf | None = None) -> None:
        super().__init__(model, shelf)
        self.steps = threading.Semaphore(0)

    def step(self, generations: Sequence[Generation]) -> list[Step | Exception]:
        self.steps.acquire(timeout=60)
        return super().step(generations)


def sung(site: Site, lyrics: str = LYRICS, **fields: Any) -> str:
    job = site.songs.submit(SongRequest(caption="folk", lyrics=lyrics, seed=1, **{"steps": 2, **fields}))
    until(lambda: job.state == "done" and (found := site.songs.standing(job.id)) is not None and found.settled)
    return job.id


def plant(site: Site, song: str, record: AttentionRecord) -> str:
    path = site.songs.attention(song)
    assert path is not None
    path.write_bytes(record.save_bytes())
    return song


def diagonal(shift: int = 0, sink: int | None = None, heads: Mapping[tuple[int, int], float] | None = None,
             steps: int = 1, lyrics: str = LYRICS, bins: int = BINS) -> AttentionRecord:  # fmt: skip
    """Each word in turn gets 0.6 of the attention, structure tokens 0.2, every token 0.001; ``sink``: a word that takes
    0.7 of what the others would have; ``heads``: what each of them is multiplied by."""
    lyric_map = map_embedded(lyrics)
    words, of = len(lyric_map.words), lyric_map.word_of_tokens
    frames = []
    for step in range(1, steps + 1):
        maps = []
        for scale in (heads or {(0, 0): 1.0}).values():
            one = np.full((bins, len(of)), 0.001)
            one[:, of < 0] += 0.2 / np.count_nonzero(of < 0)
            for bin in range(bins):
                word = (bin * words // bins + shift) % words
                one[bin, of == word] += 0.6 / np.count_nonzero(of == word)
            if sink is not None:
                one[:, of >= 0] *= 0.3
                one[:, of == sink] += 0.42 / np.count_nonzero(of == sink)
            maps.append(one * scale * step / steps)
        kept = np.array(maps).astype(np.float16)
        masses = (kept[..., of >= 0].sum(-1), kept.sum(-1))
        frames.append(AttentionFrame(step, tuple(heads or {(0, 0): 1.0}), kept, *masses))
    return AttentionRecord(lyric_map, bins / SECONDS, bins, tuple(frames))


def open_bare(site: Site) -> Any:
    page = site.browser.new_page(viewport={"width": 900, "height": 900})
    page.set_default_timeout(PATIENCE)
    page.on("console", lambda m: site.note(m.text, m.type == "error"))
    page.on("pageerror", lambda e: site.note(str(e)))
    page.goto(f"{site.url}/page/attention.js")
    assert page.evaluate(BARE)
    return page


def show(page: Any, html: str, which: str = "attention-map") -> Any:
    page.evaluate(ADD, html)
    page.wait_for_function("which => document.querySelector(which)?.values(0)", arg=which)
    return page.locator(which)


def values(page: Any, which: str = "attention-map") -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate(VALUES, which)
    found["data"] = np.array(found["data"]).reshape(found["shape"])
    found["discarded"] = np.array(found["discarded"])
    return found


def pixels(page: Any, which: str = "attention-map", *given: int) -> NDArray[np.uint8]:
    found = page.evaluate(PIXELS, [which, *given])
    raw = np.frombuffer(base64.b64decode(found["data"]), np.uint8)
    return raw.reshape(found["height"], found["width"], 4)


def settled(page: Any, action: Any) -> None:
    """Do something and wait until the map is drawn anew."""
    page.evaluate(
        """() => {
            window.drawn = false;
            document.querySelector('#probe > *').addEventListener('attention-drawn', () => { window.drawn = true; });
        }"""
    )
    action()
    page.wait_for_function("window.drawn")
