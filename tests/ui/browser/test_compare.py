"""The Compare tab in a real browser: compared, levelled, switched by keys, picked blind, mistyped, cancelled."""

from __future__ import annotations

import re
import shutil
from typing import Any

import numpy as np
import soundfile

from engine.request import SongRequest
from router.feedback import FEEDBACK, FeedbackLog
from tests.ui.browser.site import MARKS, STICKING_OUT, Site, resize
from tests.ui.planted import hold
from tests.waiting import until
from ui.loudness import measure_loudness
from ui.standings import Standing

pytestmark = MARKS

BLEND = "folk=0.25,rock=0.75"
#: All of the tab but its form, which names what can be asked for: the markup, and what its elements hold beside it.
RESULTS = """() => [...document.querySelectorAll("#compared, #compared-latest")].map((part) => part.outerHTML
    + [...part.querySelectorAll("*")].map((e) => `${e.value ?? ""} ${e.title ?? ""}`).join(" ")).join(" ")"""
TIME = "n => document.querySelectorAll('#compared audio')[n].currentTime"


def open_compare(site: Site, **options: Any) -> Any:
    page = site.open("/?tab=compare", **options)
    page.get_by_role("checkbox", name="rock", exact=True).wait_for()
    return page


def field(page: Any, name: str) -> Any:
    """What is typed into of one field of the form."""
    return page.locator(f"#compare-{name} input, #compare-{name} textarea")


def ask(
    page: Any, names: tuple[str, ...], blends: str = "", lyrics: str = "hello old friend", blind: bool = False
) -> None:
    """Fill in the form and press Sing all. ``names`` as they are shown."""
    form = page.locator("#compare-form")
    for name, value in (("caption", "slow folk"), ("lyrics", lyrics), ("steps", "2")):
        field(page, name).fill(value)
    for box in form.locator("#compare-compositions input").all():
        box.uncheck()
    for name in names:
        form.get_by_role("checkbox", name=name, exact=True).check()
    form.get_by_label("Blends").fill(blends)
    form.get_by_role("checkbox", name="Listen blind").set_checked(blind)
    page.get_by_role("button", name="Sing all").click()


def opened(page: Any) -> str:
    """The comparison in the address."""
    page.wait_for_function("/comparison=[0-9a-f]{16}/.test(window.location.search)")
    found = re.search(r"comparison=([0-9a-f]{16})", page.url)
    assert found is not None
    return found[1]


def settled(site: Site, comparison: str) -> list[Standing]:
    """Its songs, sung and judged."""

    def look() -> list[Standing]:
        found = site.songs.comparison(comparison)
        return found if found and all((song.judged or {}).get("state") == "judged" for song in found) else []

    return until(look)


def test_songs_are_sung_levelled_switched_and_picked(site: Site) -> None:
    page = open_compare(site)
    ask(page, ("Base model", "folk"), BLEND, lyrics="hello old friend\nhello <img src=x onerror=alert(1)>")
    page.locator("#compared .verdict .wer").nth(2).wait_for()
    titles = [title.strip() for title in page.locator(".song-title").all_inner_texts()]
    assert titles == ["base", "folk=1", BLEND]
    assert page.locator("#compared img").count() == 0
    comparison = opened(page)
    songs = settled(site, comparison)
    assert [song.request["composition"] for song in songs] == [{}, {"folk": 1}, {"folk": 0.25, "rock": 0.75}]
    assert len({song.request["seed"] for song in songs}) == 1
    assert songs[0].request["attention"]["steps"] == "all"

    # each player is set so that what it plays is as loud as the quietest of them
    played = list[float]()
    page.wait_for_function("document.querySelectorAll('#compared song-level').length === 3")
    for number, song in enumerate(songs):
        volume = page.locator("#compared audio").nth(number).evaluate("audio => audio.volume")
        sound, rate = soundfile.read(site.songs.sound(song.id), always_2d=True)
        loudness = measure_loudness(sound * volume, rate)
        assert loudness is not None
        played.append(loudness)
    assert max(played) - min(played) < 0.05, played

    # one at a time, and from one to the next at the same moment
    page.evaluate("for (const a of document.querySelectorAll('#compared audio')) a.loop = true")
    page.locator("#compared audio").first.evaluate("a => { a.currentTime = 0.3; return a.play(); }")
    page.locator("#compared [data-switch]").nth(1).click()
    playing = "n => [...document.querySelectorAll('#compared audio')].map(a => !a.paused).join() === n"
    page.wait_for_function(playing, arg="false,true,false")
    page.locator("#compared [data-switch]").nth(1).evaluate(
        "b => document.querySelectorAll('#compared audio')[1].pause()"
    )
    page.locator("#compared audio").nth(1).evaluate("a => { a.currentTime = 0.4; }")
    page.keyboard.press("3")  # the focus is on the button that was pressed
    page.wait_for_function(playing, arg="false,false,true")
    assert page.evaluate(TIME, 2) >= 0.4
    field(page, "caption").focus()
    page.keyboard.press("1")
    assert field(page, "caption").input_value().startswith("slow folk")
    assert page.evaluate(playing, "false,false,true"), "a number typed elsewhere is a number"

    page.get_by_role("button", name="I like folk=1 best").click()
    page.locator("#compared .told", has_text="folk=1").wait_for()
    page.locator(".song-title", has_text="picked").wait_for()
    vote = FeedbackLog(site.songs.store.folder / FEEDBACK).read().votes[-1]
    assert (vote.comparison, vote.winner, vote.blind) == (comparison, {"folk": 1.0}, False)
    # of an earlier visit it is told too, and the form is filled with what was asked for
    page.reload()
    page.locator("#compared .picks", has_text="folk=1").wait_for()
    assert field(page, "blends").input_value() == BLEND
    assert page.get_by_role("checkbox", name="folk", exact=True).is_checked()


def test_blind_nothing_names_what_sings_until_the_pick(site: Site) -> None:
    page = open_compare(site)
    singer, held = site.songs.engine.singer, hold(site.songs)
    ask(page, ("Base model", "rock"), BLEND, blind=True)
    page.locator("#compared .going", has_text="0 of 3 songs done").wait_for()
    assert page.locator("#compared audio").count() == 0
    held.go.set()
    page.locator("#compared [data-compare=pick]").nth(2).wait_for()
    comparison = opened(page)
    songs = settled(site, comparison)
    assert "blind=1" in page.url
    site.songs.engine.singer = singer

    def check() -> None:
        page.locator("#compared [data-compare=pick]").nth(2).wait_for()
        html = page.evaluate(RESULTS)
        for secret in ("rock", "folk=", "0.25", "base", BLEND, "cold", "verdict", 'data-go="sing"'):
            assert secret not in html, secret
        assert [title.split() for title in page.locator(".song-title").all_inner_texts()] == [
            ["Song", letter] for letter in "ABC"
        ]

    check()
    heard = page.locator("#compared audio").evaluate_all("all => all.map((a) => a.src)")
    page.reload()
    check()
    assert page.locator("#compared audio").evaluate_all("all => all.map((a) => a.src)") == heard, "the same letters"
    assert field(page, "blends").input_value() == ""

    page.evaluate("window.kept = document.querySelectorAll('#compared audio')[1]")
    page.get_by_role("button", name="I like B best").click()
    page.locator("#compared .told", has_text="blind").wait_for()
    page.locator("#compared .verdict .wer").nth(2).wait_for()
    second = next(song for song in songs if song.id in heard[1])
    votes = FeedbackLog(site.songs.store.folder / FEEDBACK).read().votes
    assert votes[-1].winner == second.request["composition"] and votes[-1].blind
    assert votes[-1].comparison == comparison
    assert page.evaluate("document.querySelectorAll('#compared audio')[1] === kept"), "telling names stops no song"
    assert "blind" not in page.url
    # whoever saw the names cannot pick blind any more
    page.get_by_role("button", name="Listen blind", exact=True).first.click()
    page.get_by_role("button", name="I like A best").click()
    page.locator("#compared .told").wait_for()
    until(lambda: len(FeedbackLog(site.songs.store.folder / FEEDBACK).read().votes) == len(votes) + 1)
    assert not FeedbackLog(site.songs.store.folder / FEEDBACK).read().votes[-1].blind


def test_what_is_wrong_is_told_beside_its_field_and_nothing_is_lost(site: Site) -> None:
    page = open_compare(site)
    field(page, "duration").fill("soon")
    ask(page, (), "folk=much", lyrics="привет")
    for name in ("duration", "lyrics", "blends"):
        page.locator(f"#compare-{name}-slot [role=alert]").wait_for()
    assert page.locator("#compare-form [role=alert]").count() == 3
    page.wait_for_function("document.activeElement.closest('#compare-lyrics') !== null")  # the first that is wrong
    assert field(page, "duration").get_attribute("aria-describedby") == "compare-duration-fault"
    assert field(page, "blends").input_value() == "folk=much"
    field(page, "blends").fill("ghost=0.5")
    page.locator("#compare-blends-slot [role=alert]").wait_for(state="detached")
    field(page, "lyrics").fill("hello")
    field(page, "duration").fill("")
    page.get_by_role("button", name="Sing all").click()
    page.locator("#compare-blends-slot [role=alert]", has_text="no adapter ghost").wait_for()
    field(page, "blends").fill("\n".join(f"folk=0.{n}" for n in range(1, 10)))
    page.get_by_role("button", name="Sing all").click()
    page.locator("#compare-compositions-slot [role=alert]", has_text="at most 8").wait_for()
    field(page, "blends").fill("")
    page.get_by_role("button", name="Sing all").click()
    page.locator("#compare-compositions-slot [role=alert]", has_text="nothing sings").wait_for()


def test_routed_is_one_of_them_and_stands_for_its_twin(site: Site) -> None:
    until(lambda: site.songs.routing.state == "ready")
    page = open_compare(site)
    ask(page, ("Base model", "Routed"), "folk=0.5")  # which the planted router chooses
    page.locator("#compared .verdict .wer").nth(1).wait_for()
    assert [t.split() for t in page.locator(".song-title").all_inner_texts()] == [["base"], ["folk=0.5", "routed"]]


def test_all_are_cancelled_and_a_deleted_song_is_told(site: Site) -> None:
    singer, held = site.songs.engine.singer, hold(site.songs)
    page = open_compare(site)
    ask(page, ("Base model", "folk", "rock"))
    page.locator("#compared .going").first.wait_for()
    page.locator("#compare-cancel").click()
    held.go.set()
    comparison = opened(page)
    page.wait_for_function("document.querySelectorAll('#compared .song-state').length === 3 && "
                           "![...document.querySelectorAll('#compared .going')].length")  # fmt: skip
    assert {song.state for song in site.songs.comparison(comparison)} == {"cancelled"}
    assert field(page, "lyrics").input_value() == "hello old friend"
    site.songs.engine.singer = singer

    ask(page, ("Base model", "folk", "rock"))
    page.locator("#compared .verdict .wer").nth(2).wait_for()
    again = opened(page)
    assert again != comparison
    gone = settled(site, again)[1].id
    page.close()  # it may still be loading what is about to be removed
    shutil.rmtree(site.songs.store.folder / gone)
    page = site.open(f"/?tab=compare&comparison={again}")
    page.locator("#compared .note-box", has_text="1 song of this comparison is not there any more").wait_for()
    assert page.locator("#compared audio").count() == 2
    page.goto(f"{site.url}/?tab=compare&comparison=0123456789abcdef")
    page.locator("#compared [role=alert]", has_text="there is no comparison").wait_for()
    page.locator(f"#compared-latest a[data-comparison='{again}']").first.click()
    page.locator("#compared audio").nth(1).wait_for()
    assert opened(page) == again


def test_a_song_is_sent_here_and_fills_the_form(site: Site) -> None:
    job = site.songs.submit(SongRequest(caption="a rock", lyrics="hello", seed=77, steps=3, composition={"rock": 0.5}))
    assert job.wait(60)
    page = open_compare(site)
    page.evaluate("id => window.choirmaster.go('compare', { song: id })", job.id)
    page.wait_for_function("document.querySelector('#compare-blends textarea').value === 'rock=0.5'")
    assert field(page, "seed").input_value() == "77"
    assert field(page, "caption").input_value() == "a rock"
    assert page.get_by_role("checkbox", name="Base model").is_checked()


def test_cards_are_stacked_on_a_phone_and_beside_each_other_on_a_screen(site: Site) -> None:
    page = open_compare(site)
    ask(page, ("Base model", "folk", "rock"), lyrics="hello old friend " * 8)
    page.locator("#compared .verdict .wer").nth(2).wait_for()
    cards = page.locator(".compared-card:visible")
    for width in resize(page):
        assert page.evaluate(STICKING_OUT, width) == []
        lefts = cards.evaluate_all("all => all.map((c) => c.getBoundingClientRect().left)")
        assert len({round(left) for left in lefts}) == (1 if width < 500 else 3)
        low = page.locator("#compared button.button, #compared a.button").evaluate_all(
            "all => all.map((b) => b.getBoundingClientRect().height).filter((high) => high < 32)"
        )
        assert low == []


def test_the_loudness_of_silence_is_not_a_level(site: Site) -> None:
    page = open_compare(site)
    ask(page, ("Base model", "folk"))
    page.locator("#compared .verdict .wer").nth(1).wait_for()
    songs = settled(site, opened(page))
    path = site.songs.store.audio(songs[0].id)
    soundfile.write(path, np.zeros(48_000), 48_000, format="flac")
    page.reload()
    page.locator("#compared .level", has_text="No loudness").wait_for()
    assert page.locator("#compared .level", has_text="levelled by 0.0 dB").count() == 1
