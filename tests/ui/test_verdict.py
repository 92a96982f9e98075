"""Word errors are shown on the words as they were typed, and nothing typed or heard becomes markup."""

from __future__ import annotations

import re

import pytest

from eval.judge import Heard
from ui.listening import verdict
from ui.verdict import show_verdict


def judged(lyrics: str, transcript: str) -> dict[str, object]:
    return verdict("planted", lyrics, Heard(transcript, (), 1.0, 2.0))


def marks(lyrics: str, transcript: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """(kind, word) as shown on the side to be sung, and on the side that was heard."""
    page = show_verdict(judged(lyrics, transcript), lyrics).partition('<div class="row head">')[2]
    sides: dict[str, list[tuple[str, str]]] = {"sung": [], "heard": []}
    for side, content in re.findall(r'<p class="(sung|heard)">(.*?)</p>', page):
        spans = re.findall(r'<span class="w (\w+)"[^>]*>(?:<i[^>]*>.</i>)?([^<]*)', content)
        sides[side] += spans
    return sides["sung"], sides["heard"]


def test_planted_errors_are_marked_on_both_sides() -> None:
    sung, heard = marks("The Morning comes,\nacross the hill", "the evening comes the hill oh yeah")
    assert sung == [
        ("equal", "The"), ("substitute", "Morning"), ("equal", "comes,"),
        ("delete", "across"), ("equal", "the"), ("equal", "hill"),
    ]  # fmt: skip
    assert heard == [
        ("equal", "the"), ("substitute", "evening"), ("equal", "comes"),
        ("equal", "the"), ("equal", "hill"), ("insert", "0"), ("insert", "yeah"),
    ]  # fmt: skip


def test_words_heard_before_the_first_are_not_lost() -> None:
    _, heard = marks("hello there", "well hello there")
    assert heard[0] == ("insert", "well")


def test_nothing_heard_and_nothing_but_noise() -> None:
    assert [kind for kind, _ in marks("hello there", "")[0]] == ["delete", "delete"]
    assert "100" in show_verdict(judged("hello there", ""), "hello there")
    assert "400" in show_verdict(judged("hello", "a b c d"), "hello")


@pytest.mark.parametrize("state", ["waiting", "wordless", "unavailable", "failed"])
def test_each_state_is_told_in_words(state: str) -> None:
    shown = show_verdict({"state": state, "reason": "<b>why</b>"}, "hello")
    assert re.sub("<[^>]+>", "", shown).strip()
    assert "<b>" not in shown


@pytest.mark.parametrize(
    "evil", ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", '"><svg onload=alert(1)>']
)
def test_nothing_typed_or_heard_becomes_markup(evil: str) -> None:
    for lyrics, transcript in ((evil, "hello"), ("hello", evil), (f"{evil} hello", f"hello {evil}")):
        found = judged(lyrics, transcript)
        found["words"] = [{"kind": "substitute", "reference": evil, "heard": evil}]
        shown = show_verdict(found, lyrics)
        assert not re.search(r"<(script|img|svg)", shown)
    assert "<img" not in show_verdict({"state": "failed", "reason": "<img src=x>"}, "")


def test_colour_is_not_the_only_cue() -> None:
    shown = show_verdict(judged("one red two", "one bed two four"), "one red two")
    for sign, word in (("≠", "another word"), ("−", "missing"), ("+", "extra")):
        assert sign in shown and word in shown
    assert "heard as bed" in shown and "instead of red" in shown
