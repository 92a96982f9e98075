"""The form of a comparison says what the API says, and beside which field."""

from __future__ import annotations

import json
from typing import Any

import pytest

from api.bodies import read_compared as read_body
from engine.errors import ChoirmasterError, RequestError, UnknownAdapter
from engine.request import SongRequest, read_request
from ui.compare_form import FIELDS, PROMPT, SLOTS, offer, read_compared, show_compositions, show_faults, show_request

OFFERED = offer(["folk", "rock"], routed=True)


def values(**fields: Any) -> tuple[Any, ...]:
    return tuple(fields.get(name, ["base"] if name == "compositions" else "") for name in FIELDS)


def told(fields: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(RequestError) as error:
        read_compared(values(**fields))
    found = dict(zip(SLOTS, show_faults(error.value, values(**fields)), strict=True))
    return {name: html for name, html in found.items() if 'role="alert"' in html}


def test_songs_differ_in_nothing_but_their_composition_and_keep_all_maps() -> None:
    given = values(
        caption="folk", lyrics="hello", seed=" 7 ", steps="2", compositions=["base", "folk", "routed"],
        blends="folk=0.5, rock=0.25\n\n rock=-1 \n",
    )  # fmt: skip
    requests, routed = read_compared(given)
    assert routed == 2
    assert [r.composition for r in requests] == [{}, {"folk": 1}, {}, {"folk": 0.5, "rock": 0.25}, {"rock": -1}]
    same = {r.model_copy(update={"composition": {}}).model_dump_json() for r in requests}
    assert len(same) == 1 and requests[0].seed == 7 and requests[0].steps == 2
    assert requests[0].attention is not None and requests[0].attention.steps == "all"
    assert len({r.seed for r in read_compared(values(compositions=["base", "folk", "rock"]))[0]}) == 1, "one is drawn"


@pytest.mark.parametrize(
    ("fields", "slot"),
    [
        ({"caption": "x" * 1001}, "caption"),
        ({"lyrics": "привет"}, "lyrics"),
        ({"seed": "1.5"}, "seed"),
        ({"steps": "-3"}, "steps"),
        ({"duration": "soon"}, "duration"),
        ({"tempo": "1"}, "tempo"),
        ({"melody_seed": "x"}, "melody_seed"),
        ({"guidance": "inf"}, "guidance"),
        ({"duration": "5", "tempo": "120"}, "duration"),
    ],
)
def test_what_is_wrong_with_the_prompt_is_said_as_by_the_api_beside_its_field(
    fields: dict[str, str], slot: str
) -> None:
    with pytest.raises(RequestError) as by_form:
        read_compared(values(**fields))
    with pytest.raises(RequestError) as by_song:
        read_request(fields)
    assert str(by_form.value) == str(by_song.value)
    assert list(told(fields)) == [slot]


@pytest.mark.parametrize(
    ("compositions", "blends", "slot"),
    [
        (["base"], ["lyrics=much"], "blends"),
        (["base"], ["folk=9"], "blends"),
        (["base"], ["../etc"], "blends"),
        (["base", "folk"], ["folk"], "blends"),
        (["base"], ["base"], "blends"),
        (["routed"], ["routed"], "blends"),
        (["base"], ["folk=0.5", "folk=.5"], "blends"),
        ([], [], "compositions"),
        (["base"], [f"folk=0.{n}" for n in range(1, 9)], "compositions"),
    ],
)
def test_what_the_api_refuses_to_compare_the_form_refuses_too(
    compositions: list[str], blends: list[str], slot: str
) -> None:
    with pytest.raises(RequestError) as by_api:
        read_body(json.dumps({"compositions": [*compositions, *blends]}).encode())
    found = told({"compositions": compositions, "blends": "\n".join(blends)})
    assert list(found) == [slot]
    if slot == "blends":  # the same sentence but for the field's name and the number in it
        said = str(by_api.value).removeprefix("compositions: ").partition(" (number")[0]
        assert said.replace("'", "&#x27;") in found[slot] and "blends:" not in found[slot]


def test_all_that_is_wrong_is_told_at_once_and_nothing_typed_becomes_markup() -> None:
    found = told({"seed": "<b>x</b>", "lyrics": "🎵", "blends": "<img src=x>"})
    assert list(found) == ["lyrics", "seed", "blends"]
    assert "<b>" not in "".join(found.values()) and "<img" not in "".join(found.values())
    assert all('role="alert"' in html for html in found.values())


def test_an_adapter_that_is_not_there_is_told_where_it_was_asked_for() -> None:
    error = UnknownAdapter("ghost", ["folk"])
    ticked = show_faults(error, values(compositions=["base", "ghost"]))
    typed = show_faults(error, values(blends="ghost=0.5"))
    assert "no adapter ghost" in ticked[SLOTS.index("compositions")] and "alert" not in ticked[SLOTS.index("blends")]
    assert "no adapter ghost" in typed[SLOTS.index("blends")] and "alert" not in typed[SLOTS.index("compositions")]
    other = show_faults(ChoirmasterError("the queue is full"))
    assert [name for name, html in zip(SLOTS, other, strict=True) if "alert" in html] == ["other"]


def test_a_stored_song_and_its_compositions_fill_the_form_that_asks_for_them_again() -> None:
    stored = SongRequest(caption="folk", lyrics="hello", seed=3, steps=2, tempo=90.0, guidance=2.0).as_json()
    asked = [{**stored, "composition": c} for c in ({}, {"rock": 1.0}, {"folk": 0.5}, {"ghost": 1.0}, {"rock": 1.0})]
    ticked, blends = show_compositions(asked, OFFERED)
    assert (ticked, blends) == (["base", "rock"], "folk=0.5\nghost=1")
    again, _ = read_compared((*show_request(stored), ticked, blends))
    assert [r.composition for r in again] == [{}, {"rock": 1}, {"folk": 0.5}, {"ghost": 1}]
    kept = again[0].as_json()
    assert {name: kept.get(name) for name in PROMPT} == {name: stored.get(name) for name in PROMPT}


def test_only_what_can_be_asked_for_is_offered() -> None:
    assert [name for _, name in offer([], routed=False)] == ["base"]
    assert [name for _, name in OFFERED] == ["base", "folk", "rock", "routed"]
