"""What a song is sung with, in a real browser: adapters, blends, the router, cascades."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.ui.browser.site import MARKS, STICKING_OUT, Site, fill, resize, sing
from tests.ui.planted import hold
from tests.waiting import until

pytestmark = MARKS


def weights(page: Any) -> dict[str, list[str]]:
    """What slider and number of every adapter show."""
    found: dict[str, list[str]] = page.locator("blend-sliders").evaluate(
        "e => Object.fromEntries([...e.querySelectorAll('.weight')].map((row) => [row.querySelector('span').innerText, "
        "[...row.querySelectorAll('input')].map((input) => input.value)]))"
    )
    return found


def test_sliders_and_text_are_in_step_and_two_tabs_sing_with_their_own(site: Site) -> None:
    blended, single = site.open(), site.open()
    fill(blended, "hello old friend")
    blended.get_by_role("radio", name="Blend").check()
    text = blended.locator("#composition input")
    blended.get_by_label("folk, slider").fill("0.6")
    assert text.input_value() == "folk=0.6" and weights(blended) == {"folk": ["0.6", "0.6"], "rock": ["0", "0"]}
    blended.get_by_label("rock, weight").fill("-0.45")
    assert text.input_value() == "folk=0.6,rock=-0.45"
    assert weights(blended)["rock"] == ["-0.45", "-0.45"]
    text.fill("rock=2.5,ghost,folk=-1")
    until(lambda: weights(blended) == {"folk": ["-1", "-1"], "rock": ["1.5", "2.5"]})
    blended.locator("#composition-fault", has_text="no adapter ghost").wait_for()
    blended.get_by_label("folk, slider").press("ArrowRight")
    assert text.input_value() == "rock=2.5,ghost=1,folk=-0.95"
    text.fill("folk=0.5,rock=-0.25")
    until(lambda: weights(blended) == {"folk": ["0.5", "0.5"], "rock": ["-0.25", "-0.25"]})
    fill(single, "hello old friend")
    single.get_by_role("radio", name="Single adapter").check()
    single.locator("#single input").click()
    single.locator("[role=option]", has_text="rock").click()
    for page in (blended, single):
        sing(page)
    blended.locator("#player", has_text="sung with folk=0.5,rock=-0.25").wait_for()
    single.locator("#player", has_text="sung with rock=1").wait_for()
    sung = {str(site.songs.listed(2)[place].request["composition"]) for place in range(2)}
    assert sung == {"{'folk': 0.5, 'rock': -0.25}", "{'rock': 1.0}"}


def test_a_cascade_is_foreseen_sung_listed_and_found_again(site: Site) -> None:
    page = site.open()
    fill(page, "hello old friend")
    page.get_by_role("radio", name="Cascade").check()
    page.locator("#preview .decided", has_text="folk=0.5").wait_for()
    assert page.locator("#preview tbody tr").first.locator("th").inner_text().startswith("folk=0.5")
    assert page.locator("#preview i.range").count() == 3 and page.locator("#preview th > b").count() == 0
    page.locator("#budget :is(input, textarea)").fill("2")
    page.locator("#stop-wer :is(input, textarea)").fill("0")
    sing(page)
    page.locator("#takes .chip", has_text="best").wait_for()
    assert page.locator("#takes li").count() == 2 and page.locator("#takes audio").count() == 2
    assert "budget of 2 songs is spent" in page.locator("#takes [role=status]").inner_text()
    for width in resize(page):
        assert page.evaluate(STICKING_OUT, width) == []
    page.reload()
    page.locator("#takes .chip", has_text="best").wait_for()
    assert page.get_by_role("radio", name="Cascade").is_checked()
    assert page.locator("#budget :is(input, textarea)").input_value() == "2"
    second = page.locator("#takes li a").nth(1)
    song = second.get_attribute("data-song")
    second.click()
    page.locator(f"#player audio[src*='{song}']").wait_for()
    assert str(song) in page.url
    page.locator("#takes h3 a").click()  # and from the take to the whole again
    page.wait_for_function("song => !window.location.search.includes(song)", arg=song)
    labels = page.locator(".decided").evaluate_all("all => all.map((one) => one.getAttribute('aria-label'))")
    assert len(labels) == len(set(labels)) == 2


def test_a_cascade_is_cancelled_and_a_routed_song_says_why(site: Site) -> None:
    singer = site.songs.engine.singer
    held = hold(site.songs)
    page = site.open()
    fill(page, "hello old friend")
    page.get_by_role("radio", name="Cascade").check()
    sing(page)
    page.locator("#takes li", has_text="singing").wait_for()
    page.get_by_role("button", name="Cancel").click()
    held.go.set()
    page.locator("#takes [role=status], #takes [role=alert]", has_text="Cancelled").wait_for()
    assert page.locator("#takes li").count() == 1
    site.songs.engine.singer = singer
    page.get_by_role("radio", name="Blend").check()
    page.locator("#composition input").fill("ghost")
    sing(page)
    page.locator("#composition-fault", has_text="no adapter ghost").wait_for()
    page.get_by_role("radio", name="Routed").check()
    sing(page)
    page.locator("#decided .decided", has_text="a planted note").wait_for()
    page.locator("#player", has_text="sung with folk=0.5").wait_for()


def test_a_take_goes_on_playing_while_others_are_sung_and_its_cascade_is_cancelled_from_there(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = site.open()
    fill(page, "hello old friend")
    page.get_by_role("radio", name="Cascade").check()
    page.locator("#budget :is(input, textarea)").fill("4")
    page.locator("#stop-wer :is(input, textarea)").fill("0")
    listen, heard = site.judge.listen, threading.Semaphore(1)

    def listen_once(*given: Any) -> Any:
        heard.acquire(timeout=60)
        return listen(*given)

    monkeypatch.setattr(site.judge, "listen", listen_once)
    try:
        sing(page)
        page.locator("#takes li audio").first.wait_for()
        page.evaluate("window.kept = document.querySelector('#takes audio')")
        page.locator("#takes li", has_text="judging").wait_for()  # the second take
        page.evaluate(
            "kept.muted = true; kept.onpause = () => { window.stopped ||= !kept.ended; }; kept.play().then(() => null)"
        )
        same = "document.querySelector('#takes audio') === kept && kept.played.length > 0 && !window.stopped"
        page.locator("#takes li a").first.click()
        page.locator("#player audio").wait_for()
        heard.release()
        page.locator("#takes li").nth(2).get_by_text("judging").wait_for()
        assert page.evaluate(same) and page.locator("#takes audio").count() == 2
        page.get_by_role("button", name="Cancel").click()
        page.locator("#takes [role=status]", has_text="Cancelled").wait_for()
        assert page.evaluate(same) and page.locator("#takes audio").count() == 3
    finally:
        heard.release(100)


def test_a_page_opened_while_the_router_is_loaded_learns_when_it_is_there(site: Site) -> None:
    routing = site.songs.routing
    routing.state, routing.reason = "loading", "the router is being loaded"
    try:
        page = site.open()
        fill(page, "hello old friend")
        page.get_by_role("radio", name="Routed").check()
        page.locator("#preview", has_text="is being loaded").wait_for()
        assert page.locator("#router-knows a").count() == 0
    finally:
        routing.state, routing.reason = "ready", None
    page.locator("#preview .decided", has_text="folk=0.5").wait_for()
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="What the router knows").click()
    assert opened.value.url.endswith("/v1/router/report")
    opened.value.locator("h1").wait_for()
