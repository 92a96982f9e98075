"""Whether what came back is a song: sounds that can be decoded and are not silent, words in time, maps; and whether two
sounds are the same song."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from bench.load_ledger import Fault

#: Songs are delivered with their peak at -1 dBFS: one far below is silent, as is one that has nothing but a click.
SILENT_PEAK, SILENT_LEVEL = 1e-2, 1e-4
#: Two sounds are the same song when they differ by less, of full scale, or correlate by more.
MAX_DIFFERENCE, MIN_CORRELATION = 1e-2, 0.999
#: Seconds by which encoders may lengthen a song.
PADDING = 0.2

Sound = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Likeness:
    """How alike two sounds are: their largest difference, as a share of full scale, and their correlation."""

    difference: float
    correlation: float

    @property
    def same(self) -> bool:
        return self.difference < MAX_DIFFERENCE or self.correlation > MIN_CORRELATION


def read_sound(name: str, data: bytes, seconds: float | None = None) -> Sound:
    """The samples [time, channels] of a sound file that must be a song, of that length where it is known.

    Raises:
        Fault: it cannot be decoded, is silent, or has another length.
    """
    try:
        sound, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError) as error:
        raise Fault(f"{name} ({len(data):,} bytes) cannot be decoded: {error}") from None
    if not sound.size or not np.isfinite(sound).all():
        raise Fault(f"{name} has no samples, or some that are no numbers")
    peak, level = float(np.abs(sound).max()), float(np.sqrt(np.mean(np.square(sound, dtype=np.float64))))
    if peak < SILENT_PEAK or level < SILENT_LEVEL:
        raise Fault(f"{name} is silent: its peak is {peak:.2g}, its level {level:.2g}")
    if seconds is not None and abs(len(sound) / rate - seconds) > PADDING:
        raise Fault(f"{name} lasts {len(sound) / rate:.3f} s where its record says {seconds:g} s")
    found: Sound = sound
    return found


def compare_sounds(one: Sound, other: Sound) -> Likeness:
    """How alike two sounds are; of different shapes they are nothing alike."""
    if one.shape != other.shape:
        return Likeness(2.0, 0.0)
    difference = float(np.abs(one - other).max())
    lengths = float(np.linalg.norm(one)) * float(np.linalg.norm(other))
    return Likeness(difference, float(np.vdot(one, other)) / lengths if lengths else 0.0)


def check_karaoke(name: str, found: dict[str, Any], seconds: float) -> bool:
    """Whether there are words in time; they must follow each other within the song.

    Raises:
        Fault: they do not.
    """
    words = [word for line in found["lines"] for word in line["words"]]
    times = [time for word in words for time in (word["start"], word["end"])]
    if times != sorted(times) or any(not 0 <= time <= seconds + PADDING for time in times):
        raise Fault(f"the words of {name} are out of order or outside of its {seconds:g} s")
    return bool(words)


def check_frame(name: str, frame: dict[str, Any]) -> None:
    """Maps that come with a step must be as large as they say.

    Raises:
        Fault: they are not.
    """
    heads, bins, tokens = frame["shape"]
    if len(base64.b64decode(frame["data"])) != 2 * heads * bins * tokens or len(frame["heads"]) != heads:
        raise Fault(f"the maps of a step of {name} are not of the shape they say: {frame['shape']}")


def check_maps(name: str, data: bytes) -> None:
    """Attention maps must be arrays of finite numbers, without any pickle.

    Raises:
        Fault: they are not.
    """
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as held:
            arrays = [held[key] for key in held.files]
    except (ValueError, OSError, EOFError, KeyError) as error:
        raise Fault(f"the maps of {name} cannot be read: {error}") from None
    if not arrays or not all(np.isfinite(a).all() for a in arrays if np.issubdtype(a.dtype, np.floating)):
        raise Fault(f"the maps of {name} are empty or hold what is no number")
