"""A draft is read with no trust in it, for the page that it was typed on."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.ui.test_form import values
from ui.draft import read_draft
from ui.form import FIELDS

SONG = "a" * 16
TYPED = [*values(caption="folk", tags=["slow"], lyrics="hello"), "blend", "folk=0.5", "3", "0.2", "seeds", None]


def told(song: str = "", restarted: Any = False, typed: Any = TYPED) -> str:
    return json.dumps({"kept": json.dumps({"song": song, "values": typed}), "restarted": restarted})


def changed(place: int, value: Any) -> list[Any]:
    return [value if at == place else old for at, old in enumerate(TYPED)]


def test_it_is_for_the_page_as_it_was() -> None:
    assert read_draft(told(), "") == TYPED
    assert read_draft(told(SONG), SONG) == TYPED
    assert read_draft(told(), SONG) is None, "a song of the address goes first"
    assert read_draft(told(), SONG) is None and read_draft(told(SONG), "") is None
    assert read_draft(told("", restarted=True), SONG) == TYPED, "but not where the page loaded itself again"


@pytest.mark.parametrize(
    "text",
    [None, "", "{}", "[]", "x", '{"kept": null}', '{"kept": "x"}', '{"kept": "[]"}', '{"kept": "{}"}', "[" * 100_000]
    + [told(typed=typed) for typed in (3, [], TYPED[:-1], changed(10, "other"), changed(0, {}), changed(14, None))]
    + [told(typed=changed(FIELDS.index("watch"), "?"))],
)
def test_anything_else_is_none(text: str | None) -> None:
    assert read_draft(text, "") is None


def test_odd_values_become_what_a_field_can_hold() -> None:
    read = read_draft(told(typed=changed(FIELDS.index("tags"), [1, "x" * 1000])), "")
    assert read is not None and read[FIELDS.index("tags")] == ["1", "x" * 100]
    read = read_draft(told(typed=changed(1, "x" * 100_000)), "")
    assert read is not None and 5000 < len(read[1]) < 20_000
    read = read_draft(told(typed=changed(15, [])), "")
    assert read is not None and read[15] is None
