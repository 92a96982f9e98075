"""What a page says of heads: how many there are, and what is left out while a song is sung."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.live_maps import LiveView
from engine.request import AttentionWish, SongRequest
from tests.ui.browser.planted_maps import ADD, LYRICS, SteppingSinger, open_bare
from tests.ui.browser.site import MARKS, Site

pytestmark = MARKS


def test_a_limit_is_said_once_and_of_heads_as_many_as_there_are(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    singer = site.songs.engine.singer
    stepping = site.songs.engine.singer = SteppingSinger(singer.model, singer.shelf)
    view = LiveView((0, 1), 5, 16, 16, False)
    wish = AttentionWish(steps="all", heads=((0, 0), (0, 1), (2, 0)))  # the first two follow no words
    monkeypatch.setattr("engine.generation.choose_view", lambda heads, *_: replace(view, watched=len(heads)))
    page = open_bare(site)
    try:
        job = site.songs.submit(SongRequest(caption="folk", lyrics=LYRICS, seed=4, steps=4, attention=wish))
        page.evaluate(ADD, f"<attention-map data-song='{job.id}' data-live='1'></attention-map>")
        said = page.locator(".am-said")
        said.get_by_text("Waiting for").wait_for()
        page.evaluate(
            """() => {
                [window.told, window.drawn] = [[], []];
                const said = document.querySelector('.am-said');
                new MutationObserver(() => told.push(said.innerText)).observe(said, {childList: true});
                const map = document.querySelector('attention-map');
                map.addEventListener('attention-drawn', (event) => drawn.push(event.detail.step));
            }"""
        )
        for step in range(1, 4):
            stepping.steps.release()
            page.wait_for_function("step => drawn.includes(step)", arg=step)
        limits = [text for text in page.evaluate("told") if "too large to be sent" in text]
        assert len(limits) == 1 and "shown are 2 heads, of" in limits[0], "at the first step, and not at each"
        heads = page.locator(".am-heads summary").inner_text()
        assert heads.startswith("2 of the ") and heads.endswith(" heads that were watched")
    finally:
        stepping.steps.release(100)
        site.songs.engine.singer = singer
    page.get_by_role("slider").wait_for()
    assert "2 of" not in page.locator(".am-heads summary").inner_text(), "and all are there afterwards"


def test_heads_are_counted_as_one_says_it(site: Site) -> None:
    page = open_bare(site)
    found = page.evaluate(
        """async () => {
            const [{ Maps }, { Heads }] = await Promise.all(
                ["attention-data", "attention-heads"].map((name) => import(`/page/${name}.js`)));
            const look = (heads, aligned, more) => {
                const maps = new Maps({words: [], tokens: [], heads, aligned, edges: [0, 1], ...more});
                const shown = new Heads(() => {});
                maps.reduce = () => ({values: []});  // nothing is drawn
                shown.show({maps, choice: "aligned", rows: [], coloursFor: () => ({ramp: []})});
                return shown.summary.textContent;
            };
            const two = [[0, 0], [0, 1]];
            return [look([[0, 0]], [[0, 0]]), look(two, two), look(two, []), look([[0, 0]], []),
                look(two, [], {watched: 384}), look([[0, 0]], [[0, 0]], {watched: 384})];
        }"""
    )
    assert found == [
        "The head that follows the words",
        "The 2 heads that follow the words",
        "All 2 heads that were watched",
        "The head that was watched",
        "2 of the 384 heads that were watched",
        "The head that follows the words",
    ]
