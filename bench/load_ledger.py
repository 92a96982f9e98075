"""What a load run knows: every song that was asked for and what became of it, every answer, everything that was wrong.

Kept by one event loop alone. Knows no HTTP and judges nothing by itself.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

#: Faults that are told one by one; the others are counted.
MAX_FAULTS = 100

#: ``failed``: ended otherwise than it may have, which is a fault.
Fate = Literal["open", "done", "cancelled", "deleted", "failed"]


class Fault(Exception):
    """The server did something that it must not do; one sentence."""


@dataclass
class AskedSong:
    """A song the server has accepted. Times are those of ``time.monotonic()``; ``fields``: what was asked for.

    ``stepped`` and ``done`` are known of songs that were followed while they were made. ``unwanted``: the server was
    told to remove it. ``heard``: its sound was fetched and is one.
    """

    id: str
    fields: dict[str, Any]
    asked: float
    stepped: float | None = None
    done: float | None = None
    fate: Fate = "open"
    unwanted: bool = False
    heard: bool = False


@dataclass(frozen=True)
class Latency:
    """Seconds, of ``count`` songs; None where there was none."""

    count: int
    p50: float | None
    p95: float | None

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Latency:
        if len(seconds) < 2:
            only = seconds[0] if seconds else None
            return cls(len(seconds), only, only)
        points = statistics.quantiles(seconds, n=20, method="inclusive")
        return cls(len(seconds), statistics.median(seconds), points[18])


@dataclass
class Ledger:
    """Counts and songs. ``answers``: how often each route answered with each status; ``acts``: what clients did."""

    songs: dict[str, AskedSong] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    acts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    fault_count: int = 0
    waits: int = 0  # on a full queue, as long as it was asked for

    def accept(self, song_id: str, fields: dict[str, Any], asked: float) -> AskedSong:
        """Note a song that the server has accepted."""
        if song_id in self.songs:
            self.blame(f"the id {song_id} was given to two songs")
        song = self.songs[song_id] = AskedSong(song_id, fields, asked)
        return song

    def blame(self, fault: str) -> None:
        """Note something that was wrong."""
        self.fault_count += 1
        if len(self.faults) < MAX_FAULTS:
            self.faults.append(fault)

    def with_fate(self, fate: Fate) -> list[AskedSong]:
        """The songs of a fate, in the order they were asked for."""
        return [song for song in self.songs.values() if song.fate == fate]
