"""The form says what the API says, and its line below the lyrics what the plan says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from engine.errors import RequestError
from engine.planning import plan_song
from engine.request import SongRequest, read_request
from ui.form import FIELDS, PROMPTS, live_line, new_seed, read_form, show_form


def preview(request: SongRequest) -> Any:
    plan, reading = plan_song(request)
    return plan, reading, plan.seconds


def values(**fields: Any) -> tuple[Any, ...]:
    return tuple(fields.get(name, "") for name in FIELDS)


def text(html: str) -> str:
    return re.sub("<[^>]+>", "", html)


@pytest.mark.parametrize(
    "fields",
    [
        {"lyrics": "la " * 34_000},
        {"lyrics": "🎵🎶"},
        {"lyrics": "привет"},
        {"duration": "0"},
        {"duration": "1e9"},
        {"duration": "soon"},
        {"duration": "5", "tempo": "120"},
        {"seed": "1.5"},
        {"steps": "-3"},
        {"guidance": "inf"},
        {"melody_seed": "x"},
    ],
)
def test_what_is_wrong_is_said_as_by_the_api(fields: dict[str, str]) -> None:
    with pytest.raises(RequestError) as by_form:
        read_form(values(**fields))
    with pytest.raises(RequestError) as by_api:
        read_request(fields)
    assert str(by_form.value) == str(by_api.value)
    shown = live_line(preview, values(**fields))
    assert 'role="alert"' in shown and len(shown) < 3000


def test_empty_fields_are_left_to_the_plan() -> None:
    request = read_form(values(caption="folk", lyrics="hello", seed=" 7 "))
    assert request == SongRequest(caption="folk", lyrics="hello", seed=7)
    assert read_form((None,) * len(FIELDS)).lyrics == ""


def test_the_line_tells_lines_syllables_seconds_and_genre() -> None:
    fields = values(caption="gentle folk song", lyrics="the morning comes\nacross the hill", seed="1")
    plan, _ = plan_song(read_form(fields))
    shown = text(live_line(preview, fields))
    assert shown.startswith(f"2 lines, 8 syllables, about {plan.seconds:.1f} s planned")
    assert "read as folk" in shown
    assert text(live_line(preview, values(lyrics="a"))).startswith("1 line, 1 syllable,")


def test_the_line_does_not_flicker_without_a_seed() -> None:
    assert len({live_line(preview, values(lyrics="hello there")) for _ in range(5)}) == 1


@pytest.mark.parametrize(
    ("caption", "said"), [("", "no style given"), ("zzxq", "no genre recognised"), ("🎵", "no genre")]
)
def test_an_unknown_style_is_told(caption: str, said: str) -> None:
    shown = text(live_line(preview, values(caption=caption, lyrics="hello")))
    assert said in shown and "planned as pop" in shown


def test_no_words_are_an_instrumental() -> None:
    assert text(live_line(preview, values())).startswith("instrumental, about 8.0 s")


@pytest.mark.parametrize("name", FIELDS)
def test_nothing_typed_becomes_markup(name: str) -> None:
    shown = live_line(preview, values(**{name: "<img src=x onerror=alert(1)>\0\ud800"}))
    assert "<img" not in shown
    shown.encode()


@pytest.mark.parametrize("prompt", PROMPTS, ids=lambda p: p.name)
def test_every_prompt_can_be_sung_and_is_understood(prompt: Any) -> None:
    shown = live_line(preview, values(caption=prompt.caption, lyrics=prompt.lyrics, seed=new_seed()))
    assert "read as" in shown


def test_a_stored_request_fills_the_form_it_came_from() -> None:
    fields = values(caption="folk", lyrics="hello\nthere", duration="5.5", seed="7", steps="4", guidance="2.5")
    stored = read_form(fields).model_dump(mode="json", exclude_none=True)
    assert show_form(stored) == list(fields)
