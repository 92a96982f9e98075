"""The plan of a clip nobody planned: from the times and notes of its words, for models that sing from plans."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from engine.lyrics import parse_lyrics
from engine.plan import FRAME_RATE, MAX_FRAMES, MAX_SYLLABLES, Note, Plan
from training.manifest import ClipEntry, TimedWord

#: Pitch of words whose notes nobody wrote down: between the two voices.
_UNKNOWN_PITCH = 52.0
#: The pitches a plan can hold.
_PITCHES = (30.0, 84.0)


def plan_of_clip(entry: ClipEntry, frames: int) -> Plan | None:
    """The clip's own plan, or one made from its words: a note per syllable, sharing out what is known of the word.

    None where neither plan nor words are known, or where the clip is longer than plans can be.
    """
    if entry.plan is not None:
        return entry.plan
    if entry.words is None or frames > MAX_FRAMES:
        return None
    notes: list[Note] = []
    slot = 0  # counts syllables too short for a note as well, since the lyrics' tokens do
    for number, word in enumerate(entry.words):
        count = parse_lyrics(word.text).syllables
        edges = _edges(word, count, frames)
        for (start, end), pitch in zip(pairwise(edges), _pitches(word, count), strict=True):
            if end > start and slot < MAX_SYLLABLES:
                notes.append(Note(start=start, frames=end - start, midi=pitch, slot=slot, line=0, word=number))
            slot += 1
    if not notes:
        return None
    return Plan(genre="", voice="low", bpm=120.0, frames=frames, notes=tuple(notes))


def _edges(word: TimedWord, count: int, frames: int) -> list[int]:
    """Frames at which the word's syllables begin, and its end."""
    if len(word.notes) == count and count:
        seconds: Sequence[float] = [*(note.start for note in word.notes), word.end]
    else:
        seconds = [float(s) for s in np.linspace(word.start, word.end, count + 1)]
    return [min(frames, max(0, round(s * FRAME_RATE))) for s in seconds]


def _pitches(word: TimedWord, count: int) -> list[float]:
    known = [note.midi for note in word.notes]
    drawn = [
        known[min(len(known) - 1, i * len(known) // max(1, count))] if known else _UNKNOWN_PITCH for i in range(count)
    ]
    return [min(_PITCHES[1], max(_PITCHES[0], pitch)) for pitch in drawn]
