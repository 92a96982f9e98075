"""Words in their times: all of them, as they were typed, or why there are none."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ui.karaoke_line import show_karaoke

EVIL = "<img src=x onerror=alert(1)>"


def word(text: str, start: float, end: float) -> dict[str, Any]:
    return {"text": text, "start": start, "end": end}


KARAOKE = {
    "lines": [
        {"text": "hello there", "start": 0.2, "end": 1.5, "words": [word("hello", 0.2, 0.9), word("there", 0.9, 1.5)]},
        {"text": EVIL, "start": 2.0, "end": 3.0, "words": [word(EVIL, 2.0, 3.0)]},
    ],
    "score": 0.75,
}


def test_every_word_has_its_time() -> None:
    shown = show_karaoke({"karaoke": KARAOKE}, "hello there")
    assert re.findall(r'class="kw" data-from="([\d.]+)" data-to="([\d.]+)">([^<]*)<', shown) == [
        ("0.200", "0.900", "hello"),
        ("0.900", "1.500", "there"),
        ("2.000", "3.000", "&lt;img src=x onerror=alert(1)&gt;"),
    ]
    assert shown.count('class="kl"') == 2 and "0.75" in shown and "<img" not in shown


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"karaoke": {"lines": [], "reason": f"too {EVIL} few"}}, "too &lt;img"),
        ({"karaoke": None, "attention": False}, "no attention was watched"),
        ({"karaoke": {"lines": 3}, "attention": True}, "no times are stored"),
        ({}, "no attention was watched"),
    ],
)
def test_where_there_are_none_it_says_why(record: dict[str, Any], said: str) -> None:
    shown = show_karaoke(record, "hello")
    assert said in shown and "<karaoke-line" not in shown and "<img" not in shown


def test_an_instrumental_has_no_words_to_tell_of() -> None:
    assert show_karaoke({}, "[verse]") == ""
