"""The Sing tab in a real browser: sung, judged, reloaded, mistyped, by keyboard, wide and narrow."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.ui.browser.site import MARKS, STICKING_OUT, Site, fill, sing
from tests.ui.planted import hold

LYRICS = "hello old friend\nhello <img src=x onerror=alert(1)> ${alert(1)} {{value}}"

pytestmark = MARKS


def test_words_are_typed_sung_judged_and_reopened(site: Site) -> None:
    page = site.open()
    fill(page, LYRICS)
    page.locator("#planned strong", has_text="2 lines").wait_for()
    sing(page)
    page.locator(".verdict .wer").wait_for()
    assert page.locator("#player audio").evaluate("a => new Promise(ok => { const f = () => a.duration > 0 ? ok(true) "
                                                  ": setTimeout(f, 20); f(); })")  # fmt: skip
    # the cursor in the plan goes where the player goes, and the player where the plan is pressed
    page.locator("#player audio").evaluate("a => { a.currentTime = 0.5; }")
    page.locator(".cursor.on").wait_for(state="attached")  # a line has no width to be seen by
    page.locator(".strip").last.click(position={"x": 5, "y": 40})
    starts = float(page.locator(".strip").last.get_attribute("data-from"))
    page.wait_for_function("s => Math.abs(document.querySelector('#player audio').currentTime - s) < 0.2", arg=starts)
    assert page.locator(".strip text").first.text_content() == "hello"
    assert "old" in page.locator(".sung .substitute").first.text_content()
    assert "cold" in page.locator(".heard .substitute").first.text_content()
    assert page.locator("#song img").count() == 0
    address = re.search(r"song=([0-9a-f]{16})", page.url)
    assert address is not None
    # the form still holds everything; a reload finds the song and its request again
    assert page.get_by_label("Lyrics").input_value() == LYRICS
    page.reload()
    page.locator(".verdict .wer").wait_for()
    assert page.get_by_label("Lyrics").input_value() == LYRICS
    other = site.open()
    other.locator(f"#recent [data-song='{address[1]}']").click()
    other.locator(".verdict .wer").wait_for()
    assert address[1] in other.url


def test_a_reload_finds_the_song_that_is_being_sung_and_tabs_are_apart(site: Site) -> None:
    singer = site.songs.engine.singer
    held = hold(site.songs)
    first, second = site.open(), site.open()
    for page, lyrics in ((first, "the first song"), (second, "the second song")):
        fill(page, lyrics)
        sing(page)
        page.locator(".going").wait_for()
    first.locator(".going", has_text="step 0 of 2").wait_for()
    second.locator(".going", has_text="next to be sung").wait_for()
    first.reload()
    first.locator(".going", has_text="step 0 of 2").wait_for()
    assert first.get_by_label("Lyrics").input_value() == "the first song"
    second.get_by_role("button", name="Cancel").click()
    second.locator("#status", has_text="Cancelled").wait_for()
    assert second.get_by_label("Lyrics").input_value() == "the second song"
    held.go.set()
    first.locator("#player audio").wait_for()
    assert second.locator("#player audio").count() == 0
    site.songs.engine.singer = singer


@pytest.mark.parametrize(
    ("label", "value", "said"),
    [
        ("Lyrics", "la " * 34_000, "5,000"),
        ("Lyrics", "🎵🎶", "no word"),
        ("Lyrics", "привет мир", "no word"),
        ("Seconds", "0", "0.5"),
        ("Seconds", "1e9", "600"),
        ("Seconds", "soon", "number"),
    ],
)
def test_bad_input_is_told_and_nothing_is_lost(site: Site, label: str, value: str, said: str) -> None:
    page = site.open()
    fill(page, "hello old friend")
    page.get_by_label(label, exact=label != "Lyrics").fill(value)
    page.locator("#planned [role=alert]", has_text=said).wait_for()
    sing(page)
    page.locator("#trouble [role=alert]", has_text=said).wait_for()
    assert page.get_by_label(label, exact=label != "Lyrics").input_value() == value
    assert page.get_by_label("Style").input_value() == "folk"


def test_the_keyboard_is_enough_and_focus_is_seen(site: Site) -> None:
    page = site.open()
    page.get_by_label("Style").focus()
    page.keyboard.type("folk")
    page.keyboard.press("Tab")
    page.keyboard.type("hello old friend")
    reached = set()
    for _ in range(20):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            "[document.activeElement.innerText, getComputedStyle(document.activeElement).outlineStyle]"
        )
        reached.add(name.strip())
        assert outline != "none", name
        if name.strip() == "Sing":
            break
    assert {"Folk morning", "Sing"} <= reached
    page.keyboard.press("Enter")
    page.locator("#player audio").wait_for()


@pytest.mark.parametrize("width", [375, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_sticks_out_at_any_width(site: Site, tmp_path: Path, width: int, scheme: str) -> None:
    page = site.open(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.get_by_role("button", name="Folk morning").click()
    page.locator("#planned strong", has_text="4 lines").wait_for()
    sing(page)
    page.locator(".verdict .wer").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (sum(map(int, re.findall(r"\d+", dark)[:3])) < 200) == (scheme == "dark")


def test_the_prompts_the_dice_and_the_words_of_a_song(site: Site) -> None:
    page = site.open()
    seed = page.get_by_label("Seed", exact=True)
    before = seed.input_value()
    page.get_by_role("button", name="New seed").click()
    page.wait_for_function(
        "before => document.querySelector('#seed input, #seed textarea').value !== before", arg=before
    )
    fill(page, "hello old friend", caption="slow jazz")
    sing(page)
    page.locator("#player audio").wait_for()
    page.get_by_role("button", name="Blues, no words").click()
    page.wait_for_function("document.querySelector('#lyrics textarea').value === ''")
    page.get_by_role("button", name="Put its words").click()
    page.wait_for_function("document.querySelector('#lyrics textarea').value === 'hello old friend'")
    assert page.get_by_label("Style").input_value() == "slow jazz"


@pytest.mark.parametrize("width", [375, 1440])
def test_a_cascade_is_foreseen_sung_listed_and_found_again(site: Site, width: int) -> None:
    page = site.open(viewport={"width": width, "height": 800})
    fill(page, "hello old friend")
    page.get_by_role("radio", name="Cascade").check()
    page.locator("#preview .decided", has_text="folk=0.5").wait_for()
    assert page.locator("#preview tbody tr").first.locator("th").inner_text().startswith("folk=0.5")
    assert page.locator("#preview i.range").count() == 3 and page.locator("#preview th > b").count() == 0
    page.get_by_label("Songs at most").fill("2")
    page.get_by_label("Enough at WER").fill("0")
    sing(page)
    page.locator("#takes .chip", has_text="best").wait_for()
    assert page.locator("#takes li").count() == 2 and page.locator("#takes audio").count() == 2
    assert "budget of 2 songs is spent" in page.locator("#takes [role=status]").inner_text()
    assert page.evaluate(STICKING_OUT, width) == []
    page.reload()
    page.locator("#takes .chip", has_text="best").wait_for()
    assert page.get_by_role("radio", name="Cascade").is_checked()
    assert page.get_by_label("Songs at most").input_value() == "2"
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
    page.get_by_role("radio", name="Adapters").check()
    page.get_by_role("textbox", name="Adapters").fill("ghost")
    sing(page)
    page.locator("#trouble [role=alert]", has_text="no adapter ghost").wait_for()
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
    page.get_by_label("Songs at most").fill("4")
    page.get_by_label("Enough at WER").fill("0")
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
