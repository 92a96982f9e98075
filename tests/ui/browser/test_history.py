"""The History tab in a real browser: songs found, filtered, played, sung again, deleted and brought back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from engine.errors import SongError
from engine.song_model import SongModel
from engine.trash import Trash
from tests.engine.planted_songs import planted_song, write_record
from tests.ui.browser.site import MARKS, STICKING_OUT, Site, fill, resize, sing
from tests.ui.planted import make_songs, served

pytestmark = MARKS

PLAYING = "a => !a.paused && a.currentTime > 0.05"


def plant(site: Site, number: int, **fields: Any) -> str:
    """A stored song; its id. Fields: caption, lyrics, composition, seconds, wer, comparison."""
    song_id, wer, group = f"{0xAB000000 + number:016x}", fields.pop("wer", None), fields.pop("comparison", None)
    song = planted_song(number, seconds=fields.pop("seconds", 0.2), **fields)
    site.songs.store.save(song_id, song, "tiny", {} if group is None else {"comparison": group})
    if wer is not None:
        judged = {"state": "judged", "judge": "planted", "transcript": "hello", "wer": wer, "hits": 1, "words": []}
        site.songs.store.annotate(song_id, judged=judged)
    site.songs.count_change()
    return song_id


@pytest.fixture(autouse=True)
def empty(site: Site) -> Iterator[None]:
    yield
    site.close_pages()
    for song_id in site.songs.store.ids():
        site.songs.remove(song_id, for_good=True)
    site.songs.store.trash.empty()


def titles(page: Any) -> list[str]:
    return [str(title) for title in page.locator(".past h3").all_inner_texts()]


def wait_count(page: Any, said: str) -> None:
    page.locator("past-songs .count", has_text=said).wait_for()


def test_without_songs_it_says_so_and_leads_to_the_first_one(site: Site) -> None:
    page = site.open("/?tab=history")
    page.locator("past-songs .empty", has_text="No songs yet").wait_for()
    page.get_by_role("link", name="Sing one").click()
    page.locator("#sing").wait_for()
    fill(page, "hello old friend", caption="slow jazz")
    sing(page)
    page.locator(".verdict .wer").wait_for()
    page.get_by_role("tab", name="History").click()
    page.locator(".past", has_text="slow jazz").wait_for()
    assert "tab=history" in page.url and page.locator("past-songs .empty").count() == 0
    facts = page.locator(".past .facts").inner_text()
    assert "WER 33.3 %" in facts.replace("\n", " ") and "base" in facts
    shown = page.locator(".past time").inner_text()
    said = "t => new Date(t).toISOString().replace('T', ' ').slice(0, 16) + ' UTC'"
    assert shown == page.evaluate(said, page.locator(".past time").get_attribute("datetime"))


def test_songs_of_an_earlier_server_are_there_and_are_sung_again(site: Site, random_model: SongModel) -> None:
    song_id = plant(site, 1, caption="from before", lyrics="hello old friend", wer=0.25)
    (site.songs.store.folder / "feedfeed").mkdir()
    songs = make_songs(random_model, site.songs.store.folder, None)
    with served(songs) as url:
        later = replace(site, url=url, songs=songs, troubles=[])
        page = later.open("/?tab=history")
        page.locator(".past", has_text="from before").wait_for()
        assert "WER 25.0 %" in page.locator(".past .facts").inner_text().replace("\n", " ")
        assert page.locator(".unreadable code").inner_text() == "feedfeed"
        page.evaluate(
            "window.told = []; for (const tab of ['sing', 'compare']) document.addEventListener("
            "`choirmaster:${tab}`, (event) => window.told.push([tab, event.detail]))"
        )
        page.get_by_role("link", name="Sing again: from before").click()
        page.wait_for_function("document.querySelector('#lyrics textarea').value === 'hello old friend'")
        assert page.get_by_label("Seed", exact=True).input_value() == "1"
        page.get_by_role("tab", name="History").click()
        page.get_by_role("link", name="Compare: from before").click()
        told = page.evaluate("window.told.map(([tab, detail]) => [tab, detail.song, detail.again || ''])")
        assert told == [["sing", song_id, "1"], ["compare", song_id, ""]] and "tab=compare" in page.url
        page.close()
        assert later.troubles == []


def test_filters_narrow_the_list_stay_in_the_address_and_say_what_is_wrong(site: Site) -> None:
    plant(site, 1, caption="slow folk", wer=0.1)
    plant(site, 2, caption="fast folk", wer=0.6, composition={"folk": 0.5})
    plant(site, 3, caption="jazz", comparison="c" * 16)
    page = site.open("/?tab=history")
    wait_count(page, "3 songs")
    assert titles(page) == ["jazz", "fast folk", "slow folk"]
    page.get_by_label("Words or style").fill("FOLK")
    wait_count(page, "2 of 3 songs fit")
    page.get_by_label("WER from, percent").fill("20")
    wait_count(page, "1 of 3 songs fits")
    assert titles(page) == ["fast folk"] and "text=FOLK" in page.url and "from_wer=20" in page.url
    page.reload()
    wait_count(page, "1 of 3 songs fits")
    assert page.get_by_label("Words or style").input_value() == "FOLK" and titles(page) == ["fast folk"]
    page.get_by_label("WER to, percent").fill("much")
    page.locator("#past-to_wer-fault", has_text="'much' is no word error rate").wait_for()
    assert titles(page) == ["fast folk"] and page.get_by_label("WER to, percent").input_value() == "much"
    page.get_by_role("button", name="Clear filters").first.click()
    wait_count(page, "3 songs")
    assert not page.locator("past-songs form .fault:visible").count() and "from_wer" not in page.url
    for label, value, shown in (
        ("Adapter", "folk", ["fast folk"]), ("Adapter", "base", ["jazz", "slow folk"]), ("Adapter", "", None),
        ("Judge", "no", ["jazz"]), ("Judge", "", None), ("Sung together", "yes", ["jazz"]), ("Sung together", "", None),
        ("State", "failed", []), ("State", "", None),
    ):  # fmt: skip
        page.get_by_label(label, exact=True).select_option(value)
        wanted = ["jazz", "fast folk", "slow folk"] if shown is None else shown
        page.wait_for_function(
            "wanted => JSON.stringify([...document.querySelectorAll('.past h3')].map((t) => t.innerText)) === wanted",
            arg=f"[{','.join(f'{chr(34)}{one}{chr(34)}' for one in wanted)}]",
        )
    page.get_by_label("First day").fill("2999-01-01")
    page.locator(".nothing", has_text="No song is like that").wait_for()
    page.locator(".nothing").get_by_role("button", name="Clear filters").click()
    wait_count(page, "3 songs")
    today = page.evaluate("new Date().toISOString().slice(0, 10)")
    page.get_by_label("Last day").fill(today)
    wait_count(page, "3 of 3 songs fit")


def test_a_song_goes_on_playing_while_others_come(site: Site) -> None:
    plant(site, 1, caption="long one", seconds=20)
    page = site.open("/?tab=history")
    audio = page.locator(".past audio").first
    audio.evaluate("a => { window.kept = a; a.muted = true; a.onpause = () => { window.stopped = true; }; a.play(); }")
    page.wait_for_function(f"({PLAYING})(window.kept)")
    plant(site, 2, caption="new one")
    page.locator(".past", has_text="new one").wait_for()
    assert titles(page) == ["new one", "long one"]
    site.songs.store.annotate(f"{0xAB000001:016x}", judged={"state": "judged", "wer": 0.5, "words": []})
    site.songs.count_change()
    page.locator(".past", has_text="long one").get_by_text("50.0 %").wait_for()
    assert page.evaluate("kept.isConnected && !window.stopped && !kept.paused")
    # one player at a time
    page.locator(".past audio").first.evaluate("a => { a.muted = true; return a.play().catch(() => null); }")
    page.wait_for_function("window.stopped")


def test_a_list_that_nobody_looks_at_asks_nothing(site: Site) -> None:
    plant(site, 1)
    page = site.open("/?tab=history")
    wait_count(page, "1 song")
    page.get_by_role("tab", name="Sing").click()
    page.wait_for_timeout(300)
    asked = page.evaluate("document.querySelector('past-songs').asked")
    plant(site, 2)
    page.wait_for_timeout(2500)
    assert page.evaluate("document.querySelector('past-songs').asked") == asked
    page.get_by_role("tab", name="History").click()
    wait_count(page, "2 songs")


def test_deleted_songs_are_brought_back_one_and_many(site: Site) -> None:
    ids = [plant(site, number, caption=f"song {number}", wer=0.25) for number in range(4)]
    page = site.open("/?tab=history")
    wait_count(page, "4 songs")
    page.get_by_role("button", name="Delete song 3").click()
    page.locator(".undo-bar", has_text="Deleted “song 3”").wait_for()
    wait_count(page, "3 songs")
    assert site.songs.standing(ids[3]) is None and titles(page) == ["song 2", "song 1", "song 0"]
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Undo: bring back “song 3”"
    # several at once, while the first may still be undone
    page.get_by_label("Select song 2").check()
    page.get_by_label("Select song 0").check()
    page.get_by_role("button", name="Delete 2 selected").click()
    page.locator(".undo-bar", has_text="Deleted 2 songs").wait_for()
    wait_count(page, "1 song")
    assert page.locator(".undo-bar").count() == 2
    store = site.songs.store  # a server that starts anew looks after what was deleted, and the bars are still there
    store.trash.leave()
    store.trash = Trash(store.folder)
    page.reload()
    page.get_by_role("button", name="Undo: bring back 2 songs").click()
    wait_count(page, "3 songs")
    page.wait_for_function("document.activeElement.closest('.past') !== null")
    page.get_by_role("button", name="Undo: bring back “song 3”").click()
    wait_count(page, "4 songs")
    assert titles(page) == ["song 3", "song 2", "song 1", "song 0"] and page.locator(".undo-bar").count() == 0
    assert all((found := site.songs.standing(song)) and found.record for song in ids)
    assert page.evaluate("document.activeElement.innerText") == "song 3"
    page.get_by_label("Select all on this page").check()
    page.get_by_role("button", name="Delete 4 selected").click()
    page.locator(".nothing", has_text="No songs yet").wait_for()
    page.get_by_role("button", name="Hide: Deleted 4 songs").click()
    assert page.locator(".undo-bar").count() == 0


def test_what_cannot_be_deleted_or_brought_back_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(song_id: str) -> bool:
        raise SongError(f"the song {song_id} cannot be removed: check the rights of the folder")

    song_id = plant(site, 1, caption="stays")
    page = site.open("/?tab=history")
    wait_count(page, "1 song")
    with monkeypatch.context() as patch:
        patch.setattr(site.songs.store, "put_aside", refuse)
        page.get_by_role("button", name="Delete stays").click()
        page.locator("past-songs [role=alert]", has_text="“stays” is still there").wait_for()
        assert "check the rights" in page.locator("past-songs [role=alert]").inner_text()
    assert titles(page) == ["stays"] and page.get_by_role("button", name="Delete stays").is_enabled()
    page.get_by_role("button", name="Delete stays").click()
    page.locator(".undo-bar", has_text="Deleted “stays”").wait_for()
    assert page.locator("past-songs [role=alert]").inner_text() == ""
    site.songs.remove(song_id, for_good=True)
    page.get_by_role("button", name="Undo: bring back “stays”").click()
    page.locator("past-songs [role=alert]", has_text="no deleted song").wait_for()
    assert page.locator(".undo-bar").count() == 0


def test_the_keyboard_is_enough(site: Site) -> None:
    plant(site, 1, caption="first song")
    page = site.open("/?tab=history")
    wait_count(page, "1 song")
    page.get_by_label("Words or style").focus()
    reached: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        name, outline = page.evaluate(
            "[document.activeElement.getAttribute('aria-label') || document.activeElement.labels?.[0]?.innerText || "
            "document.activeElement.innerText || '', getComputedStyle(document.activeElement).outlineStyle]"
        )
        reached.append(name.strip())
        assert outline != "none", name
        if name == "Delete first song":
            break
    for wanted in ("Adapter", "WER from, percent", "Judge", "State", "First day", "Clear filters", "Select first song",
                   "first song", "Open first song", "Sing again: first song", "Compare: first song",
                   "Download first song"):  # fmt: skip
        assert wanted in reached, (wanted, reached)
    page.keyboard.press("Enter")
    page.locator(".undo-bar").wait_for()
    page.keyboard.press("Enter")  # where the focus is: undo
    page.locator(".past", has_text="first song").wait_for()
    page.wait_for_function("document.activeElement.innerText === 'first song'")
    page.keyboard.press("Enter")
    page.locator("#player audio").wait_for()


def test_nothing_sticks_out_and_everything_can_be_pressed(site: Site) -> None:
    plant(site, 1, caption="a_very_long_caption_without_a_blank" * 5, lyrics="word " * 200, comparison="c" * 16)
    plant(site, 2, caption="x", composition={"a" * 60: 0.5, "b" * 60: 0.25}, wer=1.2)
    page = site.open("/?tab=history")
    wait_count(page, "2 songs")
    for summary in page.locator(".files summary").all():
        summary.click()
    page.get_by_label("WER to, percent").fill("much")
    page.locator("#past-to_wer-fault").wait_for()
    page.get_by_role("button", name="Delete x").click()
    page.locator(".undo-bar").wait_for()
    boxes = "all => all.filter((e) => e.checkVisibility()).map((e) => [e.innerText, e.getBoundingClientRect().height])"
    pressed = page.locator("past-songs :is(a, button, summary, select, input:not([type=checkbox]))")
    for width in resize(page):
        # not only what sticks out where the page was scrolled to
        assert page.evaluate("document.documentElement.scrollWidth") <= width, page.evaluate(STICKING_OUT, width)
        high = pressed.evaluate_all(boxes)
        assert len(high) > 15 and [one for one in high if one[1] < 32] == []
        assert page.locator(".past .about").bounding_box()["width"] > 200, "words have room"


def test_five_hundred_songs_are_listed_at_once_and_turned_page_by_page(site: Site) -> None:
    for number in range(500):
        write_record(site.songs.store.folder, f"{number:016x}", caption=f"song {number}", seconds=3.0,
                     created=f"2026-01-01T{number // 60:02}:{number % 60:02}:00+00:00")  # fmt: skip
    page = site.open()
    began = time.monotonic()
    page.get_by_role("tab", name="History").click()
    page.locator(".past", has_text="song 499").wait_for()
    took = time.monotonic() - began
    assert took < 5, f"{took:.1f} s; about one on a machine of its own"
    wait_count(page, "500 songs")
    assert page.locator(".past").count() == 20
    page.get_by_role("button", name="Older").click()
    page.locator(".past", has_text="song 479").wait_for()
    assert page.locator(".page").inner_text() == "Page 2 of 25" and "part=2" in page.url
    assert page.evaluate("document.activeElement.className") == "count"
    page.reload()
    page.locator(".past", has_text="song 479").wait_for()
    page.get_by_role("button", name="Newer").click()
    page.locator(".past", has_text="song 499").wait_for()
    assert page.get_by_role("button", name="Newer").is_disabled()
