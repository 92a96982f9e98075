"""Attention maps side by side in a real browser: their difference, their one scale, and what fits any width."""

from __future__ import annotations

import json

import numpy as np
import pytest

from engine.lyric_map import map_embedded
from eval.heads import lyric_only
from tests.ui.browser.planted_maps import (
    LYRICS,
    diagonal,
    open_bare,
    pixels,
    plant,
    show,
    sung,
)
from tests.ui.browser.site import MARKS, STICKING_OUT, Site, resize

pytestmark = MARKS


@pytest.fixture(scope="module")
def song(site: Site) -> str:
    return sung(site)


def test_a_difference_is_signed_and_says_what_cannot_be_compared(site: Site, song: str) -> None:
    one, other = plant(site, song, diagonal()), plant(site, sung(site), diagonal(shift=1))
    third = plant(site, sung(site, lyrics="quite other words are here"), diagonal(lyrics="quite other words are here"))
    shorter = plant(site, sung(site), diagonal(bins=60))
    titles = ["A", "B", "other", "<i>short"]
    songs = [{"song": id, "title": title} for id, title in zip((one, other, third, shorter), titles, strict=True)]
    page = open_bare(site)
    element = show(
        page, f"<attention-compare data-songs='{json.dumps(songs)}'></attention-compare>", "attention-compare"
    )
    page.wait_for_function("[0, 1, 2, 3].every((at) => document.querySelector('attention-compare').values(at))")
    assert element.locator(".am-panel h4").all_inner_texts() == titles
    first, second = (lyric_only(diagonal(shift).recorded[0].maps, map_embedded(LYRICS))[0][0] for shift in (0, 1))
    found = page.evaluate(
        "(({data, shape}) => ({data: [...data], shape}))(document.querySelector('attention-compare').difference())"
    )
    difference = np.array(found["data"]).reshape(found["shape"])
    np.testing.assert_allclose(difference, first - second, atol=1e-5)
    image = pixels(page, "attention-compare").astype(int)
    width = image.shape[1]
    # in the first ninth A looks at the first word, which is red, and B at the second, which is blue
    red, blue = image[5, width // 30], image[28, width // 30]
    assert red[0] > red[2] + 50 and blue[2] > blue[0] + 50
    assert "A minus B" in element.locator(".am-apart .am-left").inner_text()
    swap = element.locator(".am-pair select")
    swap.nth(0).select_option("1")
    swap.nth(1).select_option("0")
    page.wait_for_function("document.querySelector('attention-compare .am-apart').innerText.includes('B minus A')")
    swapped = pixels(page, "attention-compare").astype(int)[5, width // 30]
    assert swapped[2] > swapped[0] + 50
    for at, why in ((2, "other cannot be subtracted: their words differ"), (3, "lasts")):
        swap.nth(1).select_option(str(at))
        element.locator(".am-apart .am-left", has_text=why).wait_for()
        assert page.evaluate("document.querySelector('attention-compare').difference()") is None
    # one scale: the same value has the same colour in every panel
    assert (pixels(page, "attention-compare", 0)[5, 5] == pixels(page, "attention-compare", 3)[5, 5]).all()


def test_maps_fit_any_width(site: Site, song: str) -> None:
    record = diagonal(heads={(layer, head): 1.0 for layer in range(6) for head in range(4)}, steps=2)
    page = site.open()
    plant(site, song, record)
    show(page, f"<attention-map data-song='{song}'></attention-map>")
    for width in resize(page):
        assert page.evaluate(STICKING_OUT, width) == []
        small = page.evaluate(
            "[...document.querySelectorAll('#probe :is(button, select, summary, input[type=range], label)')]"
            ".filter((e) => e.getBoundingClientRect().height < 32).map((e) => e.outerHTML.slice(0, 80))"
        )
        assert small == []
    songs = json.dumps([{"song": song, "title": "a title that is rather long " * 4}, {"song": song, "title": "B"}])
    show(page, f"<attention-compare data-songs='{songs}'></attention-compare>", "attention-compare")
    for width in resize(page):
        assert page.evaluate(STICKING_OUT, width) == []
