"""Plans made from timed words: every syllable where it sounded, numbered as the lyrics' tokens number it."""

from __future__ import annotations

from typing import Any

import pytest

from engine.lyrics import parse_lyrics
from engine.plan import MAX_SYLLABLES, make_plan
from engine.tokenizer import SongTokenizer
from training.clip_plan import plan_of_clip
from training.manifest import ClipEntry


def entry(words: list[dict[str, Any]] | None, **fields: Any) -> ClipEntry:
    lyrics = " ".join(word["text"] for word in words or [])
    return ClipEntry.model_validate(
        {"audio": "audio/a.flac", "sha256": "0" * 64, "seconds": 4.0, "lyrics": lyrics, "words": words, **fields}
    )


def word(text: str, start: float, end: float, *notes: tuple[float, float, float]) -> dict[str, Any]:
    return {"text": text, "start": start, "end": end, "notes": [{"start": s, "end": e, "midi": m} for s, e, m in notes]}


def test_a_plan_comes_back_from_the_words_it_was_sung_with() -> None:
    """A planted plan, told as words with notes, is found again but for what words do not tell."""
    lyrics = parse_lyrics("the evening is golden\nhello my old friend")
    planned = make_plan(lyrics, "folk", "low", 120, 5)
    words = []
    for number, start, end in planned.word_times():
        own = [n for n in planned.notes if n.word == number]
        notes = ((n.start / 25, (n.start + n.frames) / 25, n.midi) for n in own)
        words.append(word(lyrics.words[number].text, start, end, *notes))
    found = plan_of_clip(entry(words), planned.frames)
    assert found is not None and found.frames == planned.frames
    for a, b in zip(found.notes, planned.notes, strict=True):
        assert (a.start, a.frames, a.midi, a.slot, a.word) == (b.start, b.frames, b.midi, b.slot, b.word)


def test_the_clips_own_plan_goes_first() -> None:
    plan = make_plan(parse_lyrics("hello"), "folk", "low", 120, 5)
    assert plan_of_clip(entry([word("goodbye", 0, 1)], plan=plan.model_dump()), 100) == plan


@pytest.mark.parametrize("given", [entry(None), entry([]), entry([word("♪", 0, 1)]), entry([word("hello", 5, 6)])])
def test_without_words_that_sound_in_the_clip_there_is_no_plan(given: ClipEntry) -> None:
    assert plan_of_clip(given, 100) is None


def test_a_clip_longer_than_plans_can_be_has_none() -> None:
    assert plan_of_clip(entry([word("hello", 0, 1)]), 601) is None
    assert plan_of_clip(entry([word("hello", 0, 1)]), 600) is not None


def test_syllables_share_a_word_whose_notes_are_not_theirs() -> None:
    plain = plan_of_clip(entry([word("melody", 1.0, 2.2)]), 100)
    assert plain is not None
    assert [(n.start, n.frames, n.midi, n.slot, n.word) for n in plain.notes] == [
        (25, 10, 52.0, 0, 0),
        (35, 10, 52.0, 1, 0),
        (45, 10, 52.0, 2, 0),
    ]
    held = plan_of_clip(entry([word("melody", 1.0, 2.2, (1.0, 1.4, 50), (1.4, 2.2, 55))]), 100)
    assert held is not None and [n.midi for n in held.notes] == [50, 50, 55]
    melisma = plan_of_clip(entry([word("sky", 0.0, 1.2, (0, 0.4, 60), (0.4, 0.8, 62), (0.8, 1.2, 64))]), 100)
    assert melisma is not None and [(n.start, n.frames, n.midi) for n in melisma.notes] == [(0, 30, 60)]


def test_notes_of_their_own_time_each_syllable() -> None:
    found = plan_of_clip(entry([word("hello", 0.4, 1.6, (0.4, 0.6, 57), (0.6, 1.6, 59))]), 100)
    assert found is not None
    assert [(n.start, n.frames, n.midi) for n in found.notes] == [(10, 5, 57), (15, 25, 59)]


def test_syllables_too_short_for_a_note_keep_their_number() -> None:
    """The lyrics' tokens number every syllable; what follows a swallowed one must not move up."""
    words = [word("hello", 0.0, 0.4), word("my", 0.4, 0.41), word("golden", 0.5, 1.3), word("friend", 1.3, 2.0)]
    given = entry(words)
    found = plan_of_clip(given, 100)
    assert found is not None
    assert [(n.slot, n.word) for n in found.notes] == [(0, 0), (1, 0), (3, 2), (4, 2), (5, 3)]
    tokens = SongTokenizer().tokenize(f"# Lyric\n{given.lyrics}")
    assert sum(token.startswith("<s") for token in tokens) == 6


@pytest.mark.parametrize(
    "text", ["1999", "rock'n'roll", "well-known", "(ooh)", "[breath]", "café,", "♪", "7up", "AT&T"]
)
def test_odd_words_count_as_many_syllables_as_their_tokens(text: str) -> None:
    words = [word("hello", 0, 1), word(text, 1, 2), word("friend", 2, 3)]
    given = entry(words)
    found = plan_of_clip(given, 100)
    tokens = SongTokenizer().tokenize(f"# Lyric\n{given.lyrics}")
    assert found is not None
    assert [f"<s{n.slot}>" for n in found.notes] == [t for t in tokens if t.startswith("<s")]
    assert found.notes[-1].word == 2 and (found.notes[-1].start, found.notes[-1].frames) == (50, 25)


def test_what_lies_outside_the_clip_or_the_voice_is_drawn_in() -> None:
    found = plan_of_clip(entry([word("sky", 3.0, 9.0, (3.0, 9.0, 120)), word("low", 1.0, 2.0, (1.0, 2.0, 5))]), 100)
    assert found is not None
    assert [(n.start, n.frames, n.midi) for n in found.notes] == [(75, 25, 84.0), (25, 25, 30.0)]


def test_more_syllables_than_a_song_may_have_are_left_out() -> None:
    words = [word("la", n * 0.12, n * 0.12 + 0.12) for n in range(120)]
    found = plan_of_clip(entry(words), 400)
    assert found is not None and len(found.notes) == MAX_SYLLABLES
    assert found.notes[-1].slot == MAX_SYLLABLES - 1


def test_a_word_that_ends_before_it_begins_is_passed_over() -> None:
    found = plan_of_clip(entry([word("sky", 2.0, 1.0), word("low", 2.0, 3.0)]), 100)
    assert found is not None and [(n.slot, n.start, n.frames) for n in found.notes] == [(1, 50, 25)]
