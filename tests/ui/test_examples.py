"""Thirty genres have an example that can be sung, none of it from the frozen files; tags are in words that are read."""

from __future__ import annotations

from typing import Any

import pytest

from engine.genres import GENRES, read_caption
from engine.planning import plan_song
from engine.request import read_request
from eval.prompts import EVERYDAY, TEST, read_prompts
from tests.ui.test_form import preview, values
from ui.examples import genre_examples
from ui.form import live_line, read_form
from ui.tags import add_tags, offered_tags


def test_every_genre_has_one() -> None:
    assert set(genre_examples()) == set(GENRES) and len(GENRES) == 30


@pytest.mark.parametrize("genre", GENRES)
def test_each_can_be_sung_as_it_is_and_with_its_tags(genre: str) -> None:
    example = genre_examples()[genre]
    plan, _ = plan_song(read_request({"caption": example.caption, "lyrics": example.lyrics, "seed": 1}))
    assert any(note.slot >= 0 for note in plan.notes)
    tagged = read_form(values(caption=example.caption, lyrics=example.lyrics, tags=list(example.tags), seed="1"))
    assert "planned" in live_line(preview, tagged)


def test_none_is_of_a_frozen_file() -> None:
    frozen = {line for path in (EVERYDAY, TEST) for prompt in read_prompts(path) for line in prompt.lines}
    shown = {line.strip() for example in genre_examples().values() for line in example.lyrics.splitlines()}
    assert not frozen & shown


def test_a_file_that_cannot_be_read_leaves_no_examples(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr("ui.examples.ROUTER", tmp_path / "none.jsonl")
    assert genre_examples.__wrapped__() == {}
    monkeypatch.setattr("ui.tags.ROUTER", tmp_path / "none.jsonl")
    assert {"folk", "happy"} <= set(offered_tags.__wrapped__())


def test_tags_are_words_that_are_read() -> None:
    tags = offered_tags()
    assert len(tags) == len(set(tags)) and set(GENRES) <= set(tags)
    assert {"slow", "fast", "male voice", "female voice", "piano"} <= set(tags)
    assert read_caption(add_tags("a song", ["slow", "female voice", "jazz"])) == read_caption(
        "a song, slow, female voice, jazz"
    )
    assert read_caption("a song, slow").tempo == "slow"


@pytest.mark.parametrize(
    ("caption", "tags", "whole"),
    [
        ("", [], ""),
        ("", ["slow"], "slow"),
        ("folk song", ["slow", "warm"], "folk song, slow, warm"),
        ("Slow folk-song", ["slow", "folk song"], "Slow folk-song"),
        ("slower folk", ["slow"], "slower folk, slow"),
        ("folk", ["r&b", "R&B", "  two   words "], "folk, r&b, two words"),
        ("folk", ["a, b", ",", ""], "folk, a b"),
        ("folk", ["🎵", "🎵"], "folk, 🎵"),
    ],
)
def test_tags_are_added_once(caption: str, tags: list[str], whole: str) -> None:
    assert add_tags(caption, tags) == whole
