"""Free captions in ordinary words, so that the text encoder meets many ways of asking for the same genre."""

from __future__ import annotations

import random
import re

from engine.genres import GENRES, Voice, lexicon

Tempo = str


def tempo_word(genre: str, bpm: float) -> Tempo:
    """``slow``, ``medium`` or ``fast``: the third of the genre's own range that the tempo falls into."""
    low, high = GENRES[genre].bpm
    third = (bpm - low) / max(1, high - low) * 3
    return "slow" if third < 1 else "medium" if third < 2 else "fast"


def bpm_of(genre: str, tempo: Tempo | None, rng: random.Random) -> float:
    """A tempo within the genre's range, within the named third of it where one is named."""
    low, high = GENRES[genre].bpm
    third = (high - low) / 3
    at = {"slow": 0, "medium": 1, "fast": 2}.get(tempo or "", -1)
    if at >= 0:
        low, high = low + at * third, low + (at + 1) * third  # type: ignore[assignment]
    return rng.uniform(low, high)


def make_caption(genre: str, voice: Voice, bpm: float, rng: random.Random) -> str:
    """A caption that truly describes the song; the voice is left out only where it is the genre's own."""
    data = lexicon()
    entry = data["genres"][genre]
    needs_voice = voice != GENRES[genre].voice
    templates = [t for t in data["templates"] if "{voice}" in t or not needs_voice]
    words = rng.sample(entry["words"], 2)
    caption = str(rng.choice(templates)).format(
        genre=rng.choice(entry["names"][:2]) if rng.random() < 0.6 else rng.choice(entry["names"]),
        word=words[0],
        word2=words[1],
        mood=rng.choice(data["mood"]),
        tempo=rng.choice(data["tempo"][tempo_word(genre, bpm)]),
        voice=rng.choice(data["voice"][voice]),
    )
    if rng.random() < 0.03:  # a slip of the keyboard, so that letter tokens are learnt
        at = rng.randrange(len(caption))
        caption = caption[:at] + rng.choice("abcdefghijklmnopqrstuvwxyz") + caption[at + rng.randrange(2) :]
    return re.sub(r"\ba (?=[aeiou])", "an ", caption)
