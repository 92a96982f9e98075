import json
from pathlib import Path

import pytest

from engine.genres import DEFAULT_GENRE, GENRES, lexicon, read_caption

PROMPTS = Path(__file__).parents[2] / "eval" / "prompts" / "everyday.jsonl"


def test_thirty_genres_with_words_for_each() -> None:
    assert len(GENRES) == 30 and set(lexicon()["genres"]) == set(GENRES)


def test_most_free_captions_name_their_genre() -> None:
    rows = [json.loads(line) for line in PROMPTS.read_text(encoding="utf-8").splitlines()]
    right = [read_caption(row["caption"]).genre == row["genre"] for row in rows]
    assert sum(right) / len(right) > 0.95


@pytest.mark.parametrize(
    ("caption", "genre"),
    [
        ("upbeat latin pop", "latin pop"),
        ("R&B groove", "r&b"),
        ("folkish tune", "folk"),
        ("a grungey thing", "grunge"),
        ("tropical house with female vocals", "tropical house"),
    ],
)
def test_reads_genre(caption: str, genre: str) -> None:
    found = read_caption(caption)
    assert (found.genre, found.known) == (genre, True)


@pytest.mark.parametrize("caption", ["", "   ", "qqq", "😀", "\x00"])
def test_unknown_captions_take_the_default_and_say_so(caption: str) -> None:
    found = read_caption(caption)
    assert (found.genre, found.known) == (DEFAULT_GENRE, False)


def test_reads_voice_and_tempo() -> None:
    found = read_caption("a slow folk song, female voice")
    assert (found.voice, found.tempo) == ("high", "slow")
    assert read_caption("folk").voice == GENRES["folk"].voice and read_caption("folk").tempo is None
