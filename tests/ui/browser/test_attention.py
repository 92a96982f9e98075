"""Attention maps in a real browser: numbers against numpy, pixels against planted maps, live, by pointer and key."""

from __future__ import annotations

import base64

import matplotlib
import numpy as np
import pytest

from engine.attention_maps import load_record, merge_words
from engine.request import SongRequest
from eval.heads import lyric_only
from tests.ui.browser.planted_maps import (
    ADD,
    ALL,
    BARE,
    BINS,
    LYRICS,
    SECONDS,
    SteppingSinger,
    diagonal,
    open_bare,
    pixels,
    plant,
    settled,
    show,
    sung,
    values,
)
from tests.ui.browser.site import MARKS, Site
from tests.ui.planted import hold

pytestmark = MARKS


@pytest.fixture(scope="module")
def song(site: Site) -> str:
    return sung(site)


def test_every_float16_is_read_as_numpy_reads_it(site: Site) -> None:
    page = open_bare(site)
    bits = np.arange(65536, dtype="<u2")
    found = page.evaluate(
        """async text => {
            const { readFloats } = await import("/page/attention-data.js");
            const bytes = [...new Uint8Array(readFloats(text).buffer)];
            return btoa(bytes.map((byte) => String.fromCharCode(byte)).join(""));
        }""",
        base64.b64encode(bits.tobytes()).decode(),
    )
    read = np.frombuffer(base64.b64decode(found), "<f4")
    wanted = bits.view("<f2").astype(np.float32)
    assert np.isnan(wanted).sum() == 2046 and np.isinf(wanted).sum() == 2
    np.testing.assert_array_equal(read, wanted)  # NaN equals NaN here
    assert (np.signbit(read) == np.signbit(wanted))[~np.isnan(wanted)].all()


def test_a_planted_diagonal_is_drawn_renormalised_and_told(site: Site, song: str) -> None:
    record = diagonal()
    page = open_bare(site)
    element = show(page, f"<attention-map data-song='{plant(site, song, record)}'></attention-map>")
    words, discarded = lyric_only(record.recorded[0].maps, record.lyric_map)
    found = values(page)
    assert found["shape"] == [BINS, 9] and found["words"] == [*record.lyric_map.words] and found["step"] == 1
    np.testing.assert_allclose(found["data"], words[0], atol=1e-5)
    np.testing.assert_allclose(found["data"].sum(1), 1, atol=1e-5)
    np.testing.assert_allclose(found["discarded"], discarded[0], atol=1e-5)
    left = float(100 * discarded.mean())
    assert f"Left out: {left:.0f} % of all attention" in element.locator(".am-left").inner_text()
    # the brightest word of every column is the one that was planted, and its pixels have matplotlib's colour of it
    image = pixels(page).astype(int)
    width = image.shape[1]
    table = (matplotlib.colormaps["magma"](np.arange(256))[:, :3] * 255).round().astype(int)
    bright = image[..., :3].sum(-1) * (image[..., 3] == 255)  # between lines there is nothing
    filled = np.flatnonzero(image[:, 0, 3] == 255)
    bands = np.split(filled, np.flatnonzero(np.diff(filled) > 1) + 1)
    assert len(bands) == 2  # lines
    rows = [part for band, count in zip(bands, (4, 5), strict=True) for part in np.array_split(band, count)]
    most = words[0].max()
    for x in range(3, width, 7):
        bin = int((x + 0.5) * BINS / width)
        heights = [bright[rows_of[len(rows_of) // 2], x] for rows_of in rows]
        assert int(np.argmax(heights)) == bin * 9 // BINS
        for row, rows_of in enumerate(rows):
            index = min(255, int(256 * words[0, bin, row] / most + 1e-4))
            shown = image[rows_of[len(rows_of) // 2], x, :3]
            assert min(abs(shown - table[near]).max() for near in {index, max(0, index - 1)}) <= 1
    label = element.locator("canvas.am-map").get_attribute("aria-label")
    assert "9 words over 4.8 seconds" in label and "step 1 of 1" in label and f"{left:.0f} % of all attention" in label
    assert "Only the map of step 1 was kept" in element.locator(".am-said").inner_text()
    assert not element.locator(".am-steps").is_visible()
    element.locator(".am-words summary").click()
    times = element.locator(".am-words td:nth-child(2)").all_inner_texts()
    assert [float(text.split()[0]) for text in times] == sorted(float(text.split()[0]) for text in times)
    assert element.locator(".am-words tbody th").all_inner_texts() == [*record.lyric_map.words]


def test_the_switches_do_what_they_say_and_are_remembered(site: Site, song: str) -> None:
    record = diagonal(sink=2, heads={(0, 0): 1.0, (1, 1): 0.25})
    page = open_bare(site)
    element = show(page, f"<attention-map data-song='{plant(site, song, record)}'></attention-map>")
    maps = record.recorded[0].maps.astype(np.float32)
    merged = merge_words(maps.mean(0), record.lyric_map)
    others = [word for word in range(9) if word != 2]
    found = values(page)
    assert found["words"] == [record.lyric_map.words[word] for word in others]  # the sink is gone
    np.testing.assert_allclose(found["discarded"], 1 - merged[:, others].sum(-1), atol=1e-4)
    np.testing.assert_allclose(found["data"].sum(1), 1, atol=1e-5)
    assert "“old”" in element.locator(".am-left").inner_text()
    settled(page, lambda: element.get_by_role("checkbox", name="Renormalise to the lyrics").uncheck())
    np.testing.assert_allclose(values(page)["data"], merged[:, others], atol=1e-5)
    settled(page, lambda: element.get_by_role("checkbox", name="Hide sink tokens").uncheck())
    found = values(page)
    tokens = record.lyric_map.tokens
    structure = [at for at, token in enumerate(tokens) if token.word < 0]
    assert len(found["words"]) > 9 and any("[verse]" in word for word in found["words"])
    np.testing.assert_allclose(found["data"].sum(1), maps.mean(0).sum(-1), atol=1e-4)
    np.testing.assert_allclose(found["discarded"], 1 - maps.mean(0).sum(-1), atol=1e-4)
    there = [at for at, word in enumerate(found["words"]) if word not in record.lyric_map.words]
    np.testing.assert_allclose(found["data"][:, there].sum(1), maps.mean(0)[:, structure].sum(-1), atol=1e-4)
    # weak attention, black on a linear scale, is seen on a logarithmic one
    linear = pixels(page)
    settled(page, lambda: element.get_by_role("checkbox", name="Logarithmic colours").check())
    logarithmic = pixels(page)
    assert np.median(linear[..., :3].sum(-1)) + 40 < np.median(logarithmic[..., :3].sum(-1))
    assert "a thousandth" in element.locator(".am-bar").get_attribute("aria-label")
    settled(page, lambda: element.get_by_role("checkbox", name="Logarithmic colours").uncheck())
    # a weak head is dim on the scale of all, and as bright as any on its own
    settled(page, lambda: element.get_by_role("button", name="layer 1 head 1").click())
    np.testing.assert_allclose(values(page)["data"].sum(), maps[1].sum(), rtol=1e-3)
    dim = pixels(page)[..., :3].sum(-1).max()
    settled(page, lambda: element.get_by_role("checkbox", name="One colour scale for all").uncheck())
    assert dim < 350 < pixels(page)[..., :3].sum(-1).max()
    assert element.get_by_role("button", name="layer 1 head 1").get_attribute("aria-pressed") == "true"
    element.get_by_role("button", name="layer 1 head 1").focus()
    settled(page, lambda: page.keyboard.press("Enter"))
    np.testing.assert_allclose(values(page)["data"].sum(), maps.mean(0).sum(), rtol=1e-3)
    page.reload()
    page.evaluate(BARE)
    element = show(page, f"<attention-map data-song='{song}'></attention-map>")
    assert not element.get_by_role("checkbox", name="Hide sink tokens").is_checked()
    assert not element.get_by_role("checkbox", name="Renormalise to the lyrics").is_checked()
    assert not element.get_by_role("checkbox", name="One colour scale for all").is_checked()


def test_the_step_slider_goes_through_all_steps(site: Site, song: str) -> None:
    record = diagonal(steps=3)
    page = open_bare(site)
    element = show(page, f"<attention-map data-song='{plant(site, song, record)}'></attention-map>")
    settled(page, lambda: element.get_by_role("checkbox", name="Renormalise to the lyrics").uncheck())
    slider = element.get_by_role("slider")
    assert slider.get_attribute("aria-valuetext") == "step 3 of 3" and values(page)["step"] == 3
    slider.focus()
    for step in (2, 1):
        settled(page, lambda: page.keyboard.press("ArrowLeft"))
        found = values(page)
        assert found["step"] == step == page.evaluate("document.querySelector('attention-map').step")
        wanted = merge_words(record.recorded[step - 1].maps[0], record.lyric_map)
        np.testing.assert_allclose(found["data"], wanted, atol=1e-5)
    assert "step 1 of 3" in element.locator("h3").inner_text()


def test_the_map_and_the_sound_move_each_other(site: Site, song: str) -> None:
    record = diagonal()
    page = open_bare(site)
    element = show(page, f"<attention-map data-song='{plant(site, song, record)}' data-audio='#heard'></attention-map>")
    canvas = element.locator("canvas.am-map")
    canvas.click(position={"x": 300, "y": 30})  # without a player nothing happens
    page.evaluate(
        "song => document.querySelector('#desk').insertAdjacentHTML('beforebegin', "
        "`<audio id='heard' controls src='/v1/songs/${song}/audio'></audio>`)",
        song,
    )
    page.wait_for_function("document.querySelector('#heard').duration > 0")
    length = page.evaluate("document.querySelector('#heard').duration")
    now = "document.querySelector('#heard').currentTime"
    box, left = canvas.bounding_box(), page.evaluate("document.querySelector('attention-map').picture.left")
    x = left + (box["width"] - left) * 0.1
    canvas.click(position={"x": x, "y": 10})
    assert page.evaluate(now) == pytest.approx(0.1 * SECONDS, abs=0.03)
    head = element.locator(".am-playhead")
    head.wait_for()
    assert head.bounding_box()["x"] + 1 - box["x"] == pytest.approx(x, abs=1.5)
    element.locator("[role=status]", has_text="“hello” at 0.4").wait_for()
    # by keyboard, and what is there is told in words
    canvas.focus()
    before = page.evaluate(now)
    page.keyboard.press("ArrowRight")
    assert before < page.evaluate(now) <= before + 2 * SECONDS / BINS
    for _ in range(2):
        page.keyboard.press("ArrowDown")
    words, _ = lyric_only(record.recorded[0].maps, record.lyric_map)
    bin = round(page.evaluate(now) * BINS / SECONDS)
    element.locator("[role=status]", has_text=f"“old” at {bin * SECONDS / BINS:.2f} s").wait_for()
    said = element.locator(".am-told").inner_text()
    assert f"{100 * words[0, bin, 2]:.1f} %" in said and "left out there" in said
    page.keyboard.press("End")
    assert page.evaluate(now) == pytest.approx(min(length, SECONDS - SECONDS / BINS), abs=0.05)
    page.keyboard.press("Home")
    assert page.evaluate(now) == 0
    # it follows a song that plays
    page.evaluate("const a = document.querySelector('#heard'); a.muted = true; a.currentTime = 0.2; a.play()")
    first = head.bounding_box()["x"]
    page.wait_for_function("document.querySelector('#heard').currentTime > 0.5")
    assert head.bounding_box()["x"] > first + 10


def test_the_map_changes_while_a_song_is_sung(site: Site) -> None:
    singer = site.songs.engine.singer
    stepping = site.songs.engine.singer = SteppingSinger(singer.model, singer.shelf)
    page = open_bare(site)
    try:
        job = site.songs.submit(SongRequest(caption="folk", lyrics=LYRICS, seed=3, steps=4, attention=ALL))
        page.evaluate(ADD, f"<attention-map data-song='{job.id}' data-live='1'></attention-map>")
        element = page.locator("attention-map")
        element.locator(".am-said", has_text="Waiting for").wait_for()
        page.evaluate(
            """() => {
                window.seen = {};
                document.querySelector('attention-map').addEventListener('attention-drawn', (event) => {
                    const map = document.querySelector('attention-map');
                    seen[event.detail.step] = [map.querySelector('h3').innerText, [...map.pixels().data].join()];
                });
            }"""
        )
        for step in range(1, 5):
            stepping.steps.release()
            page.wait_for_function("step => step in window.seen", arg=step)
    finally:
        stepping.steps.release(100)
        site.songs.engine.singer = singer
    element.get_by_role("slider").wait_for()
    seen = page.evaluate("window.seen")
    assert all(f"step {step} of 4" in said for step, (said, _) in seen.items())
    assert len(seen) == 4 == len({drawn for _, drawn in seen.values()})
    assert element.get_by_role("slider").get_attribute("max") == "3"
    path = site.songs.attention(job.id)
    assert path is not None
    record = load_record(path.read_bytes())
    np.testing.assert_allclose(
        values(page)["data"],
        lyric_only(record.recorded[-1].maps.astype(np.float32).mean(0, keepdims=True), record.lyric_map)[0][0],
        atol=2e-3,
    )


def test_what_keeps_no_maps_is_said_plainly(site: Site) -> None:
    page = open_bare(site)
    said = page.locator("attention-map .am-said")
    page.evaluate(ADD, f"<attention-map data-song='{sung(site, attention=None)}'></attention-map>")
    said.get_by_text("keeps no attention maps").wait_for()
    singer = site.songs.engine.singer
    held = hold(site.songs)
    try:
        job = site.songs.submit(SongRequest(caption="folk", lyrics=LYRICS, seed=3, steps=4))
        page.evaluate(ADD, f"<attention-map data-song='{job.id}' data-live='1'></attention-map>")
        said.get_by_text("Waiting for the").wait_for()
        site.songs.cancel(job.id)
        held.go.set()
        said.get_by_text("The song was cancelled").wait_for()
    finally:
        held.go.set()
        site.songs.engine.singer = singer
    page.evaluate(ADD, f"<attention-map data-song='{sung(site, lyrics='[intro]', duration=1)}'></attention-map>")
    said.get_by_text("no words").wait_for()
