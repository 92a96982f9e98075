"""The Sing tab in a real browser: sung, judged, reloaded, mistyped, by keyboard, wide and narrow."""

from __future__ import annotations

import re

from tests.ui.browser.site import MARKS, Site, fill, resize, sing
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
    assert page.locator("#lyrics :is(input, textarea)").input_value() == LYRICS
    page.reload()
    page.locator(".verdict .wer").wait_for()
    assert page.locator("#lyrics :is(input, textarea)").input_value() == LYRICS
    other = site.open()
    other.locator(f"#recent [data-song='{address[1]}']").click()
    other.locator(".verdict .wer").wait_for()
    other.wait_for_url(f"**song={address[1]}*")  # written after the song is shown


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
    assert first.locator("#lyrics :is(input, textarea)").input_value() == "the first song"
    second.get_by_role("button", name="Cancel").click()
    second.locator("#status", has_text="Cancelled").wait_for()
    assert second.locator("#lyrics :is(input, textarea)").input_value() == "the second song"
    held.go.set()
    first.locator("#player audio").wait_for()
    assert second.locator("#player audio").count() == 0
    site.songs.engine.singer = singer


def test_the_keyboard_is_enough_and_focus_is_seen(site: Site) -> None:
    page = site.open()
    page.locator("#caption :is(input, textarea)").focus()
    page.keyboard.type("folk")
    page.keyboard.press("Tab")
    page.keyboard.type("slow")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.locator("#tags .token", has_text="slow").wait_for()
    reached = set()
    for _ in range(4):  # past what takes tags away again
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "TEXTAREA":
            break
    page.keyboard.type("hello old friend")
    for _ in range(60):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            "[document.activeElement.innerText, getComputedStyle(document.activeElement).outlineStyle]"
        )
        reached.add(name.strip())
        assert outline != "none", name
        if name.strip() == "Sing":
            break
    assert {"[verse]", "Folk morning", "Sing"} <= reached
    page.keyboard.press("Enter")
    page.locator("#player audio").wait_for()
    assert "folk, slow" in page.locator("#player h2").inner_text()


def test_nothing_sticks_out_at_any_width(site: Site) -> None:
    page = site.open()
    page.get_by_role("button", name="Folk morning").click()
    page.locator("#planned strong", has_text="4 lines").wait_for()
    sing(page)
    page.locator(".verdict .wer").wait_for()
    darkness = []
    for width in resize(page):
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        darkness.append(sum(map(int, re.findall(r"\d+", colour)[:3])) < 200)
    assert darkness == [False, True] * 2
