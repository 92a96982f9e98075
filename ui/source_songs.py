"""A results table that can be shown, and the songs of one of its cells.

Knows the columns of a table and where its sounds and attention maps lie; not which tables there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from eval.results import Results
from ui.file_memory import find_plain


@dataclass(frozen=True)
class Source:
    """A results table that can be shown. ``file`` is in ``folder``, beside which sounds and attention maps may lie;
    ``about``: how it was made, see ``eval.table``. ``songs``: sung ones, whoever heard them.

    ``fault``: why it cannot be shown, where that is so; then nothing else is known of it. Compositions, genres and
    judges stand in the order of their first rows; ``prompts`` and ``seeds`` count different ones, the latter at most of
    one prompt.
    """

    id: str
    title: str
    folder: Path
    about: dict[str, Any]
    judges: tuple[str, ...]
    songs: int
    file: Path
    compositions: tuple[str, ...] = ()
    genres: tuple[str, ...] = ()
    prompts: int = 0
    seeds: int = 0
    fault: str | None = None


@dataclass(frozen=True)
class CellSong:
    """One song of a cell. ``sound`` and ``maps``: whether they were kept; ``request``: what to sing it again with, a
    body for ``POST /v1/songs`` with the same words, seed, steps and composition, and maps of every step.

    ``wer``, ``cer``: uncapped; ``failure``: its kind, see ``eval.failures``; ``lyric_mass`` and ``alignment_score`` of
    the heads that follow the words, None where no attention was captured.
    """

    prompt: str
    seed: int
    composition: str
    caption: str
    lyrics: str
    transcript: str
    wer: float
    failure: str
    sound: bool
    maps: bool
    request: dict[str, Any]
    genre: str = ""
    cer: float = 0.0
    seconds: float = 0.0
    lyric_mass: float | None = None
    alignment_score: float | None = None


def tell_song(source: Source, row: dict[Any, Any]) -> CellSong:
    key = row["prompt"], int(row["seed"]), row["composition"]
    results, steps = Results(source.folder), source.about.get("steps")
    request = {"caption": row["caption"], "lyrics": row["lyrics"], "composition": row["composition"], "seed": key[1]}
    if isinstance(steps, int) and steps > 0:
        request["steps"] = steps
    return CellSong(
        *key,
        caption=row["caption"],
        lyrics=row["lyrics"],
        transcript=row["transcript"],
        wer=float(row["wer"]),
        failure=row["failure"],
        sound=find_plain(results.audio_path(*key)) is not None,
        maps=find_plain(results.attention_path(*key)) is not None,
        request=request | {"attention": {"steps": "all"}},
        genre=row["genre"],
        cer=float(row["cer"]),
        seconds=float(row["audio_seconds"]),
        lyric_mass=_optional(row["lyric_mass"]),
        alignment_score=_optional(row["alignment_score"]),
    )


def _optional(value: Any) -> float | None:
    return None if pd.isna(value) else float(value)
