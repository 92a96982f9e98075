"""The plan a request stands for: its own, or one made of its words, caption and timing."""

from __future__ import annotations

import random

from engine.errors import Fault, RequestError
from engine.genres import GENRES, CaptionReading, read_caption
from engine.lyrics import parse_lyrics
from engine.plan import Plan, fit_plan, make_plan
from engine.request import SongRequest

#: Seconds of an instrumental when no duration is asked for.
INSTRUMENTAL_SECONDS = 8.0


def plan_song(request: SongRequest) -> tuple[Plan, CaptionReading]:
    """The plan of a request, without singing it: a pure function of the request.

    Raises:
        RequestError: the words cannot be laid out as asked.
    """
    lyrics, reading = parse_lyrics(request.lyrics), read_caption(request.caption)
    if request.plan is not None:
        sung = sum(n.slot >= 0 for n in request.plan.notes)
        if sung != lyrics.syllables:
            said = (
                f"the plan has {sung} sung notes and the lyrics {lyrics.syllables} syllables: give one note per "
                "syllable, or leave the plan out"
            )
            raise RequestError.of([Fault("plan", said)])
        return request.plan, reading
    seed = request.seed if request.melody_seed is None else request.melody_seed
    if request.duration is not None:
        return fit_plan(lyrics, reading.genre, reading.voice, request.duration, seed), reading
    low, high = GENRES[reading.genre].bpm
    third = {"slow": 0, "medium": 1, "fast": 2}.get(reading.tempo or "")
    span = (0.15, 0.7) if third is None else (third / 3, (third + 1) / 3)
    drawn = low + (high - low) * random.Random(f"tempo/{seed}").uniform(*span)
    plan = make_plan(
        lyrics,
        reading.genre,
        reading.voice,
        request.tempo or drawn,
        seed,
        durations=request.durations,
        instrumental_frames=round(INSTRUMENTAL_SECONDS * 25),
    )
    return plan, reading
