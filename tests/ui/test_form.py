"""The form says what the API says, and its line below the lyrics what the plan says."""

from __future__ import annotations

import re
from typing import Any

import pytest

from engine.errors import RequestError
from engine.planning import plan_song
from engine.request import SongRequest, read_request
from ui.examples import QUICK_PROMPTS
from ui.form import FIELDS, live_line, read_form, show_form, with_steady_seed

WATCHED = {"attention": {"steps": "all"}}


def preview(request: SongRequest) -> Any:
    plan, reading = plan_song(request)
    return plan, reading, plan.seconds


def values(**fields: Any) -> tuple[Any, ...]:
    return tuple(fields.get(name, [] if name == "tags" else "words" if name == "watch" else "") for name in FIELDS)


def line(**fields: Any) -> str:
    return live_line(preview, read_form(with_steady_seed(values(**fields))))


def text(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub('<span class="sr">[^<]*</span>|<[^>]+>', "", html))


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
    assert by_form.value.faults == by_api.value.faults and by_form.value.faults[0].field == next(iter(fields))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"lyrics": "la " * 97}, "lyrics"),
        ({"lyrics": "la " * 90, "caption": "ambient", "tempo": "75"}, "lyrics"),
        ({"lyrics": "la " * 40, "duration": "2"}, "duration"),
        ({"duration": "0.5", "lyrics": "hello old friend"}, "duration"),
        ({"duration": "599"}, "duration"),
    ],
)
def test_what_the_plan_refuses_names_a_field_too(fields: dict[str, str], field: str) -> None:
    with pytest.raises(RequestError) as refused:
        line(**fields)
    assert [fault.field for fault in refused.value.faults] == [field]
    assert refused.value.faults[0].message == str(refused.value)


def test_empty_fields_are_left_to_the_plan() -> None:
    request = read_form(values(caption="folk", lyrics="hello", seed=" 7 "))
    assert request == read_request({"caption": "folk", "lyrics": "hello", "seed": 7, **WATCHED})
    assert read_form((None,) * len(FIELDS)).lyrics == ""


def test_tags_are_added_to_the_style_and_what_is_watched_to_the_wish() -> None:
    request = read_form(values(caption="folk", tags=["slow", "folk"], watch="all"), [(0, 0), (0, 1)])
    assert request.caption == "folk, slow"
    assert request.attention is not None and request.attention.heads == ((0, 0), (0, 1))
    assert request.attention.steps == "all"
    assert read_form(values(watch="nothing")).attention is None
    plain = read_form(values(caption=" folk ", watch="words")).attention
    assert plain is not None and plain.heads is None and plain.steps == "all"


def test_the_line_tells_lines_syllables_seconds_and_genre() -> None:
    fields = {"caption": "gentle folk song", "lyrics": "the morning comes\nacross the hills today", "seed": "1"}
    plan, _ = plan_song(read_form(values(**fields)))
    shown = text(line(**fields))
    assert shown.startswith(f"2 lines, 10 syllables, about {plan.seconds:.1f} s planned")
    assert "read as folk" in shown and "4 · 6 by line" in shown
    alone = text(line(lyrics="a"))
    assert alone.startswith("1 line, 1 syllable,") and "by line" not in alone
    assert "1 · 1 … by line" in text(line(lyrics="la\n" * 20))


def test_the_line_does_not_flicker_without_a_seed() -> None:
    assert len({line(lyrics="hello there") for _ in range(5)}) == 1


@pytest.mark.parametrize(
    ("caption", "said"), [("", "no style given"), ("zzxq", "no genre recognised"), ("🎵", "no genre")]
)
def test_an_unknown_style_is_told(caption: str, said: str) -> None:
    shown = text(line(caption=caption, lyrics="hello"))
    assert said in shown and "planned as pop" in shown


def test_no_words_are_an_instrumental() -> None:
    assert text(line()).startswith("instrumental, about 8.0 s")


@pytest.mark.parametrize("prompt", QUICK_PROMPTS, ids=lambda p: p.name)
def test_every_prompt_can_be_sung_and_is_understood(prompt: Any) -> None:
    assert "read as" in line(caption=prompt.caption, lyrics=prompt.lyrics, seed="1482093311")


def test_a_stored_request_fills_the_form_it_came_from() -> None:
    fields = values(caption="folk", lyrics="hello\nthere", duration="5.5", seed="7", steps="4", guidance="2.5")
    stored = read_form(fields).as_json()
    assert show_form(stored) == list(fields)
    tagged = read_form(values(caption="folk", tags=["slow"], watch="nothing"))
    again = tuple(show_form(tagged.as_json()))
    assert again[FIELDS.index("caption")] == "folk, slow" and again[FIELDS.index("tags")] == []
    assert read_form(again) == tagged
    assert show_form(read_form(values(watch="all"), [(0, 0)]).as_json())[-1] == "all"
