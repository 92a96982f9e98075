"""The thirty genres: how each moves (tempo, scale, rhythm, rests), and which one a free caption means.

Only what the plan needs; what a genre *sounds* like is learnt by the song model from its corpus
(``training/styles.py``).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

Voice = Literal["low", "high"]

_MAJOR = (-5, -3, 0, 2, 4, 7)
_MINOR = (-5, -2, 0, 3, 5, 7)
_BLUES = (-5, -2, 0, 3, 5, 6)
_NARROW = (-1, 0, 2, 4)
_OPEN = (-5, 0, 2, 4, 7)
_DORIAN = (-3, -2, 0, 2, 3, 5)

_EVEN = (1.0,)
_LILT = (1.25, 0.75)
_SWING = (1.35, 0.65)
_WALTZ = (1.0, 1.0, 1.5)
_HELD = (1.0, 1.0, 1.0, 1.75)
_LEAD = (1.75, 1.0, 1.0)
_SYNCOPATED = (1.5, 0.75, 0.75, 1.0)
_PUSHED = (0.75, 1.0, 1.25)


@dataclass(frozen=True)
class Genre:
    """How a genre moves.

    ``bpm``: range of beats per minute, a plain syllable lasting half a beat. ``scale``: semitones around the centre.
    ``rhythms``: syllable lengths relative to half a beat, repeated over a line; one is drawn per song. ``rest``: latent
    frames (40 ms) between lines. ``centre``: semitones added to the voice's centre. ``voice``: when none is asked for.
    """

    name: str
    bpm: tuple[int, int]
    scale: tuple[int, ...]
    rhythms: tuple[tuple[float, ...], ...]
    rest: tuple[int, int] = (3, 6)
    centre: int = 0
    voice: Voice = "low"


GENRES: dict[str, Genre] = {
    g.name: g
    for g in (
        Genre("folk", (115, 140), _MAJOR, (_EVEN, _LILT, _WALTZ)),
        Genre("pop", (115, 145), _MAJOR, (_EVEN, _SYNCOPATED, _HELD), centre=1, voice="high"),
        Genre("rock", (130, 165), _MINOR, (_EVEN, _PUSHED, _SYNCOPATED), centre=3),
        Genre("jazz", (105, 135), _DORIAN, (_SWING, _EVEN, _SYNCOPATED), centre=-1),
        Genre("r&b", (100, 130), _MINOR, (_SYNCOPATED, _LILT, _EVEN), voice="high"),
        Genre("country", (115, 145), _MAJOR, (_EVEN, _LILT, _HELD), centre=1),
        Genre("edm", (150, 185), _OPEN, (_EVEN, _PUSHED, _SYNCOPATED), (4, 8), centre=2, voice="high"),
        Genre("choral", (100, 120), _NARROW, (_EVEN, _HELD, _WALTZ), (5, 8)),
        Genre("indie", (115, 145), _MAJOR, (_EVEN, _PUSHED, _HELD)),
        Genre("reggae", (110, 140), _OPEN, (_SYNCOPATED, _LILT, _EVEN)),
        Genre("blues", (100, 130), _BLUES, (_SWING, _LEAD, _EVEN), centre=-2),
        Genre("synthwave", (130, 165), _MINOR, (_EVEN, _SYNCOPATED, _PUSHED), centre=1),
        Genre("gospel", (105, 135), _MAJOR, (_LEAD, _EVEN, _HELD), centre=1, voice="high"),
        Genre("punk", (160, 190), _OPEN, (_EVEN, _PUSHED), (2, 4), centre=3),
        Genre("bossa nova", (115, 145), _DORIAN, (_SYNCOPATED, _LILT, _EVEN), centre=-1, voice="high"),
        Genre("hip-hop", (150, 185), (-2, 0, 1), (_EVEN, _PUSHED, _SYNCOPATED), (2, 4), centre=-2),
        Genre("lo-fi", (105, 130), _OPEN, (_EVEN, _LILT, _SYNCOPATED), centre=-2),
        Genre("power ballad", (100, 120), _MAJOR, (_HELD, _LEAD, _EVEN), (5, 8), centre=2, voice="high"),
        Genre("latin pop", (130, 160), _MINOR, (_SYNCOPATED, _PUSHED, _EVEN), centre=1, voice="high"),
        Genre("singer-songwriter", (110, 140), _MAJOR, (_EVEN, _LILT, _HELD)),
        Genre("funk", (125, 160), _BLUES, (_SYNCOPATED, _PUSHED, _EVEN), centre=1),
        Genre("lullaby", (100, 120), _OPEN, (_WALTZ, _EVEN, _LILT), (4, 8), voice="high"),
        Genre("alt-rock", (130, 160), _MINOR, (_EVEN, _HELD, _PUSHED), centre=2),
        Genre("soul", (105, 130), _MINOR, (_LEAD, _SYNCOPATED, _EVEN), voice="high"),
        Genre("celtic", (125, 155), _DORIAN, (_LILT, _WALTZ, _EVEN), centre=1, voice="high"),
        Genre("tropical house", (135, 165), _OPEN, (_EVEN, _SYNCOPATED), (4, 8), centre=1, voice="high"),
        Genre("grunge", (125, 155), _MINOR, (_EVEN, _LEAD, _HELD), centre=0),
        Genre("disco", (125, 155), _MAJOR, (_EVEN, _SYNCOPATED, _PUSHED), centre=1, voice="high"),
        Genre("ambient", (95, 112), _OPEN, (_HELD, _EVEN, _LEAD), (6, 10), centre=-1, voice="high"),
        Genre("new wave", (130, 160), _NARROW, (_EVEN, _PUSHED, _LILT), centre=0),
    )
}
DEFAULT_GENRE = "pop"


@dataclass(frozen=True)
class CaptionReading:
    """What a caption says about the plan. ``known`` is False where no genre was recognised and the default stands
    in."""

    genre: str
    known: bool
    voice: Voice
    tempo: Literal["slow", "medium", "fast"] | None


@lru_cache(maxsize=1)
def lexicon() -> dict[str, Any]:
    """Genre names and words, tempo, voice and mood words, caption templates (``engine/lexicon.json``)."""
    found: dict[str, Any] = json.loads((Path(__file__).parent / "lexicon.json").read_text(encoding="utf-8"))
    return found


def caption_words(text: str) -> list[str]:
    """Lower-case words of a caption; hyphens split, ``r&b`` kept."""
    return re.findall(r"[a-z0-9]+(?:[&'][a-z0-9]+)*", text.lower())


@lru_cache(maxsize=4096)
def read_caption(caption: str) -> CaptionReading:
    """The genre, voice and tempo a free caption asks for. Never raises.

    Known names and words are matched as phrases, longer ones counting more; a caption without any is compared by its
    letter n-grams with each genre's words, so that "folkish" or a misspelling still lands near its genre.
    """
    words = caption_words(caption)
    text = f" {' '.join(words)} "
    data = lexicon()
    scores = {
        genre: _matched(text, entry["names"]) * 3.0 + _matched(text, entry["words"])
        for genre, entry in data["genres"].items()
    }
    genre = max(scores, key=lambda g: scores[g])
    known = scores[genre] > 0
    if not known and words:
        genre, similarity = _nearest(" ".join(words))
        known = similarity >= 0.35
    if not known:
        genre = DEFAULT_GENRE
    tempo = _best(text, data["tempo"])
    voice = _best(text, data["voice"])
    return CaptionReading(genre, known, voice or GENRES[genre].voice, tempo)  # type: ignore[arg-type]


def _matched(text: str, phrases: list[str]) -> float:
    """Sum over the matched phrases of their squared length in words, each stretch of text counted once."""
    total = 0.0
    for phrase in sorted(phrases, key=len, reverse=True):
        words = caption_words(phrase)
        needle = f" {' '.join(words)} "
        if words and needle in text:
            total += len(words) ** 2
            text = text.replace(needle, " \0 ", 1)
    return total


def _best(text: str, groups: dict[str, list[str]]) -> str | None:
    scores = {name: _matched(text, phrases) for name, phrases in groups.items()}
    best = max(scores, key=lambda n: scores[n])
    return best if scores[best] > 0 else None


def _nearest(text: str) -> tuple[str, float]:
    vectoriser, matrix, names = _ngram_index()
    similarity = (vectoriser.transform([text]) @ matrix.T).toarray()[0]
    best = int(similarity.argmax())
    return names[best], float(similarity[best])


@lru_cache(maxsize=1)
def _ngram_index() -> tuple[Any, Any, list[str]]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    genres = lexicon()["genres"]
    documents = [(g, phrase) for g, e in genres.items() for phrase in (*e["names"], *e["words"])]
    vectoriser = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    matrix = vectoriser.fit_transform([phrase for _, phrase in documents])
    return vectoriser, matrix, [g for g, _ in documents]
