"""The form of the Sing tab: faults beside their fields, tags, sections, examples, drafts."""

from __future__ import annotations

from typing import Any

from tests.ui.browser.site import MARKS, Site, fill, sing

pytestmark = MARKS

#: Field, what is typed, and what is said of it right below.
WRONG = (
    ("lyrics", "la " * 34_000, "5,000"),
    ("lyrics", "🎵🎶", "no word"),
    ("lyrics", "la " * 97, "at most 96"),
    ("lyrics", "hello old friend", None),
    ("caption", "folk " * 300, "1,000"),
    ("caption", "folk", None),
    ("duration", "0", "0.5"),
    ("duration", "1e9", "600"),
    ("duration", "soon", "number"),
    ("duration", "0.5", "do not fit"),
    ("duration", "", None),
    ("steps", "1000", "200"),
    ("steps", "2", None),
    ("seed", "1.5", "whole number"),
)


def box(page: Any, name: str) -> Any:
    return page.locator(f"#{name} :is(input, textarea)")


def test_bad_input_is_told_beside_its_field_and_nothing_is_lost(site: Site) -> None:
    page = site.open()
    fill(page, "hello old friend")
    for name, value, said in WRONG:
        box(page, name).fill(value)
        fault = page.locator(f"#{name}-fault")
        if said is None:
            fault.wait_for(state="detached")
            page.wait_for_function(
                "name => !document.querySelector(`#${name} :is(input, textarea)`).hasAttribute('aria-invalid')",
                arg=name,
            )
            continue
        page.locator(f"#{name}-fault", has_text=said).wait_for()
        page.wait_for_function(
            "name => document.querySelector(`#${name} :is(input, textarea)`).getAttribute('aria-describedby') "
            "=== `${name}-fault`",
            arg=name,
        )
        under = box(page, name).bounding_box(), fault.bounding_box()
        assert 0 <= under[1]["y"] - (under[0]["y"] + under[0]["height"]) < 40, "right below it"
        assert page.locator("#asking [aria-invalid]").count() == 1 and page.locator("#asking .fault").count() == 1
        assert box(page, name).input_value() == value
    # what is folded away is unfolded, and the focus goes to what is wrong
    songs = page.locator("#recent li").count()
    box(page, "seed").fill("3")
    page.locator("#more button").first.click()
    box(page, "tempo").fill("20")
    page.locator("#more button").first.click()
    sing(page)
    page.locator("#tempo-fault", has_text="75").wait_for()
    page.wait_for_function("document.querySelector('#tempo input') === document.activeElement")
    box(page, "tempo").fill("")
    page.locator("#planned strong", has_text="1 line").wait_for()
    assert page.locator("#recent li").count() == songs and box(page, "caption").input_value() == "folk"


def test_tags_sections_and_examples_fill_the_form(site: Site) -> None:
    page = site.open()
    fill(page, "hello old friend\nhello my love")
    page.locator("#tags input").click()
    page.keyboard.type("female voi")
    page.locator("[role=option]", has_text="female voice").first.click()
    page.locator("#tags input").click()
    page.keyboard.type("folk")  # which the style says already
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.locator("#planned", has_text="high voice").wait_for()
    lyrics = box(page, "lyrics")
    lyrics.evaluate("e => e.setSelectionRange(17, 17)")
    page.get_by_role("button", name="[chorus]").click()
    assert lyrics.input_value() == "hello old friend\n[chorus]\nhello my love"
    lyrics.evaluate("e => e.setSelectionRange(0, 0)")
    page.get_by_role("button", name="[verse]").click()
    assert lyrics.input_value() == "[verse]\nhello old friend\n[chorus]\nhello my love"
    page.locator("#planned .by-line", has_text="4 · 4 by line").wait_for()
    sing(page)
    page.locator("#player h2", has_text="folk, female voice").wait_for()
    assert page.locator("#player h2").inner_text() == "folk, female voice"
    page.locator("#example input").click()
    assert page.locator("#example [role=option], .options [role=option]").count() == 30
    page.locator("[role=option]", has_text="bossa nova").click()
    page.locator("#planned .chip", has_text="bossa nova").wait_for()
    page.get_by_role("button", name="Put its words").click()
    page.wait_for_function("document.querySelector('#caption input').value === 'folk, female voice'")
    assert page.locator("#tags .token").count() == 0


def test_what_was_typed_survives_a_reload_and_a_restart_of_the_server(site: Site) -> None:
    page = site.open()
    fill(page, "hello old friend", caption="slow jazz")
    page.get_by_role("radio", name="Blend").check()
    page.locator("#composition input").fill("folk=0.5")
    page.locator("blend-sliders").wait_for()
    page.locator("#planned .chip", has_text="jazz").wait_for()
    page.reload()
    page.wait_for_function("document.querySelector('#lyrics textarea')?.value === 'hello old friend'")
    assert box(page, "caption").input_value() == "slow jazz" and box(page, "steps").input_value() == "2"
    page.locator("#composition input").wait_for()
    assert page.get_by_role("radio", name="Blend").is_checked()
    assert page.locator("#composition input").input_value() == "folk=0.5"
    page.wait_for_function("document.querySelector('blend-sliders [data-name=folk]').value === '0.5'")
    # a song of the address goes first, unless the page loads itself again
    song = site.songs.submit(forms_request("sung before")).id
    page.goto(f"{site.url}/?song={song}")
    page.wait_for_function("document.querySelector('#lyrics textarea')?.value === 'sung before'")
    page.locator("#player audio").wait_for()
    box(page, "lyrics").fill("typed since")
    page.locator("#planned strong", has_text="3 syllables").wait_for()
    # as connection.js leaves it when it loads the page anew; of an ordinary reload it takes the mark away
    page.evaluate("window.choirmaster.remember({ song: '' })")
    page.add_init_script("sessionStorage.setItem('choirmaster-restarted', '1')")
    page.reload()
    page.wait_for_function("document.querySelector('#lyrics textarea')?.value === 'typed since'")


def forms_request(lyrics: str) -> Any:
    from engine.request import SongRequest

    return SongRequest(caption="folk", lyrics=lyrics, steps=1, seed=1)


def test_a_seed_is_proposed_at_once_and_never_over_what_was_typed(site: Site) -> None:
    page = site.browser.new_page()
    held: list[Any] = []
    slow = [True]
    page.route("**/gradio_api/run/**", lambda route: held.append(route) if slow else route.continue_())
    page.goto(site.url)
    page.wait_for_function("document.querySelector('#seed :is(input, textarea)')?.value > 0")
    page.locator("#seed :is(input, textarea)").fill("5")
    slow.clear()
    assert held
    for route in held:
        route.continue_()
    page.locator("#planned p").wait_for(state="attached")
    assert page.locator("#seed :is(input, textarea)").input_value() == "5"
    page.get_by_role("tab", name="Compare").click()
    page.wait_for_function("document.querySelector('#compare-seed :is(input, textarea)')?.value > 0")


def test_the_prompts_the_dice_and_the_words_of_a_song(site: Site) -> None:
    page = site.open()
    seed = page.locator("#seed input")
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
    assert page.locator("#caption :is(input, textarea)").input_value() == "slow jazz"
