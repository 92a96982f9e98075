"""How loud songs are to the ear, and by how much each must be quieter so that several are equally loud.

Integrated loudness by ITU-R BS.1770-4, as pyloudnorm measures it. Knows sound files by the ids of their songs, and
neither compositions nor players.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from pyloudnorm import Meter

#: Seconds of one block of the measurement: what is shorter has no loudness.
BLOCK = 0.4
#: Channels that the measurement gives a weight to.
MAX_CHANNELS = 5
#: Songs whose loudness is kept in memory.
REMEMBERED = 1024


@dataclass(frozen=True)
class Level:
    """``loudness`` in LUFS; ``gain`` in dB, 0 or less, is what to play a song at beside the others. Both are None where
    it has no loudness: it is silent, shorter than a block, or not there."""

    loudness: float | None = None
    gain: float | None = None

    @property
    def volume(self) -> float:
        """The gain as the factor that a player is given, from 0 to 1."""
        return 1.0 if self.gain is None else 10 ** (self.gain / 20)


NO_LEVEL = Level()


def measure_loudness(audio: NDArray[np.floating[Any]], sampling_rate: int) -> float | None:
    """Integrated loudness in LUFS of audio [samples, channels]; None where it is silent (all of it below -70 LUFS) or
    shorter than 0.4 s. ITU-R BS.1770-4."""
    # The samples of a block, as the measurement counts them.
    if audio.shape[0] < BLOCK * sampling_rate or not np.isfinite(audio).all():
        return None
    heard = np.ascontiguousarray(audio[:, :MAX_CHANNELS], dtype=np.float64)
    loudness = float(Meter(sampling_rate, block_size=BLOCK).integrated_loudness(heard))
    return loudness if math.isfinite(loudness) else None


def level(loudness: Mapping[str, float | None]) -> dict[str, Level]:
    """What brings each of several to the quietest of them: a player can only be made quieter."""
    measured = [value for value in loudness.values() if value is not None]
    quietest = min(measured, default=0.0)
    return {
        name: NO_LEVEL if value is None else Level(value, min(0.0, quietest - value))
        for name, value in loudness.items()
    }


class Loudness:
    """The loudness of stored songs, each measured once. ``place`` tells where a song's sound lies, None where there is
    none. Any thread may call."""

    def __init__(self, place: Callable[[str], Path | None]) -> None:
        self._place = place
        self._lock = threading.Lock()
        self._known: OrderedDict[str, tuple[object, float | None]] = OrderedDict()

    def of(self, song_id: str) -> float | None:
        """Loudness of a song in LUFS; None where it has none, or cannot be read."""
        path = self._place(song_id)
        try:
            if path is None:
                return None
            found = path.stat()
            stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
            with self._lock:
                known = self._known.get(song_id)
            if known is not None and known[0] == stamp:
                return known[1]
            loudness = measure_loudness(*soundfile.read(path, dtype="float32", always_2d=True))
        except (OSError, soundfile.LibsndfileError):  # removed meanwhile, or damaged
            return None
        with self._lock:
            self._known[song_id] = (stamp, loudness)
            self._known.move_to_end(song_id)
            while len(self._known) > REMEMBERED:
                self._known.popitem(last=False)
        return loudness

    def levels(self, song_ids: Sequence[str]) -> dict[str, Level]:
        """Loudness and gain of songs that are heard beside each other."""
        return level({song_id: self.of(song_id) for song_id in song_ids})
