"""Compositions in one line of text: what is parted, what is joined, and what could be either."""

from __future__ import annotations

import pytest

from adapters.composition import format_composition
from adapters.errors import AdapterError
from eval.compositions import parse_compositions


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("base", [{}]),
        ("base,lyrics,nolyrics", [{}, {"lyrics": 1}, {"nolyrics": 1}]),
        (" lyrics , base ,", [{"lyrics": 1}, {}]),
        ("base,lyrics=0.6+nolyrics=0.4", [{}, {"lyrics": 0.6, "nolyrics": 0.4}]),
        ("lyrics+nolyrics,lyrics=0.5", [{"lyrics": 1, "nolyrics": 1}, {"lyrics": 0.5}]),
        ("nolyrics=0.4 + lyrics = 0.6", [{"lyrics": 0.6, "nolyrics": 0.4}]),
        ("base;lyrics=0.6,nolyrics=0.4", [{}, {"lyrics": 0.6, "nolyrics": 0.4}]),
        ("lyrics=0.6;nolyrics=0.4", [{"lyrics": 0.6}, {"nolyrics": 0.4}]),
        ("lyrics=0.6,nolyrics=0.4;", [{"lyrics": 0.6, "nolyrics": 0.4}]),
        ("base,lyrics=0.25,lyrics=0.5,lyrics", [{}, {"lyrics": 0.25}, {"lyrics": 0.5}, {"lyrics": 1}]),
        ("base,lyrics=-1", [{}, {"lyrics": -1}]),
    ],
)
def test_compositions_are_read(text: str, found: list[dict[str, float]]) -> None:
    assert [dict(c) for c in parse_compositions(text)] == found


def test_the_names_of_a_table_are_read_back() -> None:
    names = ["base", "lyrics=1", "lyrics=0.6,nolyrics=0.4", "lyrics-asr=-0.125,nolyrics=3"]
    assert [format_composition(c) for c in parse_compositions(";".join(names))] == names


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "names no composition"),
        (" , ;", "names no composition"),
        ("lyrics=0.6,nolyrics=0.4", r"write lyrics=0\.6\+nolyrics=0\.4 for the blend, lyrics=0\.6;nolyrics=0\.4"),
        ("base,lyrics,nolyrics=0.4", r"one blend or 2 compositions: write lyrics\+nolyrics=0\.4"),
        ("lyrics,base,lyrics", "lyrics=1 stands twice"),
        ("base,base", "base stands twice"),
        ("lyrics=0", "adapter lyrics has weight 0 in 'lyrics=0' .* leave it out, or write base"),
        ("base,lyrics=0", "adapter lyrics has weight 0"),
        ("lyrics=-0.0", "adapter lyrics has weight 0"),
        ("lyrics=0+nolyrics", "adapter lyrics has weight 0 in 'lyrics=0[+]nolyrics'"),
        ("base;lyrics=0.6,nolyrics=0", "adapter nolyrics has weight 0"),
        ("base+lyrics", "'base[+]lyrics' blends base, .*: write lyrics=1 for the blend"),
        ("base,lyrics=0.5 + base", "write lyrics=0.5 for the blend"),
        ("lyrics;base,lyrics=0.5", "'base,lyrics=0.5' blends base"),
        ("base+base", "name base once"),
        ("lyrics=0.6+nolyrics=0.4,nolyrics=0.4+lyrics=0.6", r"lyrics=0\.6,nolyrics=0\.4 stands twice"),
        ("base,lyrics+lyrics", "adapter lyrics stands twice"),
        ("base,Lyrics", "'Lyrics' is no adapter name"),
        ("base,lyrics=loud", "'lyrics=loud' is no weighted adapter"),
        ("base,lyrics=9", "weight 9"),
        ("base,lyrics=nan", "weight nan"),
    ],
)
def test_what_is_wrong_is_named(text: str, told: str) -> None:
    with pytest.raises(AdapterError, match=told):
        parse_compositions(text)
