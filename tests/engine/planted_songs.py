"""Songs that nobody sang, which have all a store looks at and need no song model: in memory, and thousands on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from engine.genres import CaptionReading
from engine.request import SongRequest

if TYPE_CHECKING:
    from engine.song import Song

RATE = 16000


@dataclass(frozen=True)
class PlantedMaps:
    """Stands for the attention maps of a song."""

    data: bytes = b"maps"

    def save_bytes(self) -> bytes:
        return self.data


class PlantedKaraoke(BaseModel):
    """Stands for the timings of a song."""

    lines: tuple[str, ...] = ("hello there",)


@dataclass(frozen=True)
class PlantedSampling:
    """Stands for how a song was sung."""

    steps: int = 1


@dataclass(frozen=True)
class PlantedSong:
    """Looks like ``engine.song.Song``."""

    request: SongRequest
    audio: NDArray[np.float32]
    sampling_rate: int = RATE
    plan: None = None
    reading: CaptionReading = field(default_factory=lambda: CaptionReading("folk", True, "low", None))
    sampling: PlantedSampling = PlantedSampling()
    spent: dict[str, float] = field(default_factory=lambda: {"denoise": 0.25})
    attention: PlantedMaps | None = None
    karaoke: PlantedKaraoke | None = None
    adapters: dict[str, str] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return float(self.audio.shape[1] / self.sampling_rate)


def planted_song(seed: int = 0, seconds: float = 0.1, **fields: Any) -> Song:
    """A song of noise, different for every seed."""
    audio = np.random.default_rng(seed).uniform(-0.5, 0.5, (2, round(seconds * RATE))).astype(np.float32)
    asked: dict[str, Any] = {"caption": "folk", "lyrics": "hello there", "seed": seed}
    asked |= {name: fields.pop(name) for name in ("caption", "lyrics", "composition") if name in fields}
    request = fields.pop("request", None) or SongRequest(**asked)
    return cast("Song", PlantedSong(request, audio, **fields))


def write_record(folder: Path, song_id: str, **fields: Any) -> Path:
    """Put a song's files on disk as some other program may have; returns the JSON's path."""
    request = {name: fields.pop(name, empty) for name, empty in (("caption", ""), ("lyrics", ""), ("composition", {}))}
    record = {
        "id": song_id,
        "created": "2026-01-01T00:00:00+00:00",
        "request": request,
        "reading": {"genre": "folk"},
        **fields,
    }
    (folder / song_id).mkdir(parents=True)
    (folder / song_id / "song.flac").write_bytes(b"fLaC")
    path = folder / song_id / "song.json"
    path.write_text(json.dumps(record))
    return path
