"""Which word and line each token belongs to, for the embedded tokenizer and for one of the real kind."""

from __future__ import annotations

from typing import Any

import pytest

from engine.conditioning import TokenKind, lyric_kinds
from engine.lyric_map import LyricMap, map_lyrics
from engine.lyrics import parse_lyrics
from engine.song_model import SongModel
from tests.engine.real_tokenizer import real_pipeline

LYRICS = (
    "[verse - soft]\nHello, my friend!\nDon't go -- 'til nine\n\n[Chorus 2]\nOh (ooh yeah)\u2026 caf\u00e9\n[outro]"
)
ODD = [
    LYRICS,
    "",
    "[verse]",
    "...",
    "hello <|endoftext|> there # Lyric\nfriend\n",
    "[a [b] c",
    "夜の海\n静かに 光る",
    "हिन्दी गीत\r\nзимний вечер 42 🎵",
    "a\u0301 \u200b\nrock-n-roll\n(all of it) 42",
    "hello my friend\n" * 700,
]


@pytest.fixture(scope="module")
def pipeline() -> Any:
    return real_pipeline()


def written(found: LyricMap, word: int) -> str:
    """The letters of a word's tokens."""
    return "".join(c for token in found.tokens if token.word == word for c in token.text if c.isalnum())


def check(found: LyricMap) -> None:
    """What must hold for any lyrics."""
    owners = [token.word for token in found.tokens if token.word >= 0]
    assert owners == sorted(owners) and set(owners) == set(range(len(found.words)))
    assert [word for line in found.lines for word in line] == list(range(len(found.words)))
    assert all(found.lines) and len(found.tokens) <= 2048
    for token in found.tokens:
        assert (token.word >= 0) == (token.kind == TokenKind.WORD)
        assert token.word < 0 or token.word in found.lines[token.line]


@pytest.mark.parametrize("lyrics", ODD)
def test_any_lyrics_are_mapped_as_their_kinds_are_told(pipeline: Any, random_model: SongModel, lyrics: str) -> None:
    for reader in (pipeline, random_model.pipeline):
        found = map_lyrics(reader, lyrics)
        check(found)
        assert [token.kind for token in found.tokens] == lyric_kinds(reader, lyrics)[:2048]


def test_a_real_tokenizers_pieces_belong_to_the_word_they_lie_in(pipeline: Any) -> None:
    found = map_lyrics(pipeline, LYRICS)
    assert found.words == tuple("Hello my friend Don't go til nine Oh ooh yeah café".split())
    assert found.lines == ((0, 1, 2), (3, 4, 5, 6), (7, 8, 9, 10))
    assert [written(found, n) for n in range(len(found.words))] == [w.replace("'", "") for w in found.words]
    assert len([t for t in found.tokens if t.word == 10]) > 1, "the small vocabulary cuts words in pieces"
    tags = "".join(t.text for t in found.tokens if t.line < 0)
    assert "verse" in tags and "hello" not in tags.lower()
    marks = [t for t in found.tokens if t.word < 0 and t.line >= 0]
    assert marks and all(t.line == 0 for t in marks if "!" in t.text), "punctuation belongs to a line, not to a word"


def test_tokens_that_share_a_character_share_its_word(pipeline: Any) -> None:
    found = map_lyrics(pipeline, "夜の海\n静か")
    assert found.words == ("夜の海", "静か") and found.lines == ((0,), (1,))
    inside = [token for token in found.tokens if token.word == 0]
    assert len(inside) == 9 and "".join(token.text for token in inside) == "夜の海", "three bytes each"


def test_vowel_signs_stay_with_their_word(pipeline: Any) -> None:
    assert map_lyrics(pipeline, "«हिन्दी», गीता").words == ("हिन्दी", "गीता")


def test_what_the_pipeline_cuts_off_is_not_mapped(pipeline: Any) -> None:
    lyrics = "hello my friend\n" * 700
    found = map_lyrics(pipeline, lyrics)
    assert len(found.tokens) == 2048 and 0 < len(found.words) < 2100 and len(found.lines) < 700


def test_the_embedded_tokenizers_words_are_spelt_as_typed_where_they_can_be(random_model: SongModel) -> None:
    found = map_lyrics(random_model.pipeline, LYRICS)
    assert found.words == tuple("Hello my friend Don't go til nine Oh café".split()), "no ad-libs"
    assert found.lines == ((0, 1, 2), (3, 4, 5, 6), (7, 8))
    assert map_lyrics(random_model.pipeline, "(hey) Hey 42 Rock-n-Roll!").words == (
        "hey", "forty", "two", "rock", "n", "roll"
    )  # fmt: skip
    assert [t.text for t in found.tokens if t.word == 1] == ["<s2>", "M", "AY"]


@pytest.mark.parametrize("lyrics", ODD)
def test_the_embedded_map_counts_the_words_the_plan_counts(random_model: SongModel, lyrics: str) -> None:
    found, parsed = map_lyrics(random_model.pipeline, lyrics), parse_lyrics(lyrics)
    if len(found.tokens) < 2048:
        assert [len(line) for line in found.lines] == [len(line.words) for line in parsed.lines]
