"""Elements that become another song's while they stand there: Gradio sets their attributes and takes away what it did
not make, as these tests do."""

from __future__ import annotations

import json

from tests.ui.browser.planted_maps import diagonal, open_bare, plant, show, sung
from tests.ui.browser.site import MARKS, Site

pytestmark = MARKS

PATCH = """([name, value]) => {
    const element = document.querySelector('#probe > *');
    element.setAttribute(name, value);
    element.replaceChildren();
}"""
DRAWN = """() => {
    const element = document.querySelector('#probe > *');
    const canvas = element.querySelector('canvas.am-map');
    return canvas?.offsetParent && element.values(0) && element.pixels(0)?.data.some((one) => one > 0);
}"""


def test_a_map_is_drawn_of_the_next_song(site: Site) -> None:
    one, other = plant(site, sung(site), diagonal()), plant(site, sung(site), diagonal(shift=1))
    page = open_bare(site)
    show(page, f"<attention-map data-song='{one}'></attention-map>")
    page.wait_for_function(DRAWN)
    page.evaluate(PATCH, ["data-song", other])
    page.wait_for_function(DRAWN)
    assert page.locator("#probe canvas.am-map").is_visible()


def test_maps_side_by_side_are_drawn_of_the_next_songs(site: Site) -> None:
    one, other = plant(site, sung(site), diagonal()), plant(site, sung(site), diagonal(shift=1))
    songs, swapped = (
        json.dumps([{"song": id, "title": f"T{id}"} for id in ids]) for ids in ((one, other), (other, one))
    )
    page = open_bare(site)
    show(page, f"<attention-compare data-songs='{songs}'></attention-compare>", "attention-compare")
    page.evaluate(PATCH, ["data-songs", swapped])
    page.wait_for_function(DRAWN)
    assert page.locator("#probe .am-panel h4").all_inner_texts() == [f"T{other}", f"T{one}"]


def test_words_of_the_next_song_are_marked(site: Site) -> None:
    page = site.open()
    page.evaluate("""() => {
        const word = (text, at) =>
            `<p class="kl" data-from="${at}" data-to="${at + 1}"><button class="kw" data-from="${at}"
            data-to="${at + 1}">${text}</button></p>`;
        document.body.insertAdjacentHTML('afterbegin',
            `<div id="probe"><karaoke-line data-audio="#none"><div>${word('one', 0)}</div></karaoke-line></div>`);
        const line = document.querySelector('#probe karaoke-line');
        line.firstChild.insertAdjacentHTML('beforeend', word('two', 1));
        line.mark(1.5);
    }""")
    assert page.locator("#probe .kw.on").all_inner_texts() == ["two"]


def test_what_was_sung_again_goes_with_its_song(site: Site) -> None:
    page = site.open()
    page.route("**/v1/songs", lambda route: route.fulfill(status=202, json={"id": "a" * 16}))
    page.route("**/v1/songs/*", lambda route: route.fulfill(json={"state": "running", "request": {}}))
    page.route("**/v1/songs/*/events*", lambda route: route.fulfill(
        content_type="text/event-stream", body='event: step\ndata: {"step": 1, "steps": 9}\n\n'))  # fmt: skip
    page.evaluate("""() => document.body.insertAdjacentHTML('afterbegin', `<div id="probe">
        <sing-again data-request='{"seed": 1}' data-measured="0.2"><button data-sing>Sing</button>
        <div class="sung-again"></div></sing-again></div>`)""")
    again, button = page.locator("#probe .sung-again"), page.locator("#probe button[data-sing]")
    button.click()
    again.locator("[role=status]", has_text="step 1 of 9").first.wait_for()
    page.evaluate("document.querySelector('#probe sing-again').setAttribute('data-request', '{\"seed\": 2}')")
    assert again.evaluate("place => place.childElementCount") == 0 and button.is_enabled()
    page.wait_for_timeout(300)
    assert again.evaluate("place => place.childElementCount") == 0
