"""The everyday prompts are frozen; other files are read strictly."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import pytest

from engine.genres import GENRES
from eval.prompts import EVERYDAY, PromptError, across_genres, read_prompts

GOOD = '{"id": "a", "genre": "folk", "caption": "c", "tags": [], "lyrics": "la"}\n'


def test_everyday_is_frozen() -> None:
    # A test set that moves measures nothing. To change it, start a new file.
    digest = hashlib.sha256(EVERYDAY.read_bytes()).hexdigest()
    assert digest == "e10e75f3105ef5e5092828b48e36c2109f175e299a24788bebea3da512713c2f"


def test_everyday_is_thirty_genres_by_four_songs_of_four_lines() -> None:
    prompts = read_prompts()
    assert Counter(p.genre for p in prompts) == dict.fromkeys(GENRES, 4)
    assert all(len(p.lines) == 4 for p in prompts)
    lines = [line.lower() for p in prompts for line in p.lines]
    assert len(set(lines)) == len(lines)


def test_any_beginning_has_all_genres() -> None:
    ordered = across_genres(read_prompts())
    assert len(ordered) == 120
    assert len({p.genre for p in ordered[:30]}) == 30
    assert {p.id.rsplit("-", 1)[1] for p in ordered[:30]} == {"1"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + '{"id": "b"}\n', r":2 is not a prompt"),
        (GOOD + "nonsense\n", r":2 is not a prompt"),
        (GOOD.replace('"tags"', '"style": 1, "tags"'), r":1 is not a prompt"),
        (GOOD + GOOD, r":2: the id 'a' was used before"),
        ("\n", "holds no prompts"),
    ],
)
def test_bad_files(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(text)
    with pytest.raises(PromptError, match=message):
        read_prompts(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(PromptError, match="cannot be read"):
        read_prompts(tmp_path / "none.jsonl")
