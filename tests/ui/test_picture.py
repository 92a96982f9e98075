"""The picture of a plan holds every note at its time, every word above its first syllable, and no markup of others."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from engine.lyrics import parse_lyrics
from engine.plan import FRAME_RATE, Note, Plan
from engine.planning import plan_song
from engine.request import SongRequest
from ui.picture import LONGEST_STRIP, break_into_strips, draw_plan

LYRICS = "[verse]\nthe morning comes\nacross the hill"


def plan_of(lyrics: str, **fields: float) -> Plan:
    return plan_song(SongRequest(caption="folk", lyrics=lyrics, seed=1, **fields))[0]  # type: ignore[arg-type]


def test_planted_notes_are_drawn_where_they_sound() -> None:
    notes = (Note(start=25, frames=25, midi=50, slot=0, line=0, word=0),
             Note(start=50, frames=50, midi=62, slot=1, line=0, word=1))  # fmt: skip
    shown = draw_plan(Plan(genre="folk", voice="low", bpm=120, frames=110, notes=notes), "low high")
    rects = re.findall(r'<rect class="note" data-from="([\d.]+)" data-to="([\d.]+)" x="([\d.]+)%" y="([\d.]+)"', shown)
    assert [(float(a), float(b)) for a, b, _, _ in rects] == [(1, 2), (2, 4)]
    assert [float(x) for _, _, x, _ in rects] == pytest.approx([0, 100 / 3], abs=0.01)
    assert float(rects[0][3]) > float(rects[1][3]), "higher notes stand higher"
    assert re.findall(r"<text[^>]*>([^<]*)", shown) == ["low", "high"]


def test_one_strip_per_line_and_every_word_once() -> None:
    shown = draw_plan(plan_of(LYRICS), LYRICS)
    assert shown.count("<svg") == 2
    assert shown.count('class="note"') == parse_lyrics(LYRICS).syllables
    assert re.findall(r"<text[^>]*>([^<]*)", shown) == ["the", "morning", "comes", "across", "the", "hill"]


@pytest.mark.parametrize(
    "lyrics", ["", "the long and winding river runs along the valley to the open sea below the hill"]
)
def test_long_lines_and_instrumentals_are_broken_between_words(lyrics: str) -> None:
    plan = plan_of(lyrics, duration=14)
    strips = break_into_strips(plan.notes)
    assert len(strips) > 2
    assert [note for strip in strips for note in strip] == list(plan.notes)
    for before, after in pairwise(strips):
        assert before[-1].word != after[0].word or before[-1].word == -1
    assert max(s[-1].start + s[-1].frames - s[0].start for s in strips) <= LONGEST_STRIP + 2 * FRAME_RATE


def test_one_note_alone_and_a_flat_melody() -> None:
    flat = tuple(Note(start=10 * i, frames=10, midi=50, slot=i, line=0, word=i) for i in range(3))
    assert (
        draw_plan(Plan(genre="folk", voice="low", bpm=120, frames=40, notes=flat), "a b c").count('class="note"') == 3
    )
    assert draw_plan(Plan(genre="folk", voice="low", bpm=120, frames=40, notes=()), "") == ""


def test_lyrics_become_no_markup() -> None:
    evil = '<script>alert(1)</script> & "hello"'
    shown = draw_plan(plan_of(evil), evil)
    assert set(re.findall(r"<(\w+)", shown)) <= {"section", "div", "h3", "small", "svg", "rect", "text", "line", "span"}
