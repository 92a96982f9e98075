"""The floor of a judge: its errors where the singing is not at fault, and the words it hears where there are none.

Three sources of sound: recordings whose words are known (sung by the corpus, or spoken), silence and noise, and songs
of a song model without lyrics. Knows the song model and the judges only as callables, so that both can be faked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.errors import ChoirmasterError
from eval.heard import Heard
from eval.recordings import list_recordings, read_sound
from eval.targets import Sung
from eval.text import heard_words
from eval.waves import AudioError
from eval.wer import Interval, WordErrors, bootstrap_interval, score

NOISE_SECONDS = 10.0
NOISE_RATE = 48_000
#: Root mean square, dB below full scale. At the lowest a judge is just asked at all.
NOISE_LEVELS = (-80, -60, -40, -20)
_RECORDED = {"line": "recorded lines", "song": "recorded songs", "speech": "speech"}
Sound = tuple[NDArray[np.float32], int]


class FloorError(ChoirmasterError):
    """A floor cannot be measured or written."""


class Listener(Protocol):
    """What is needed of a judge; ``eval.judge.Judge`` has it."""

    @property
    def title(self) -> str: ...

    def listen_many(self, sounds: Sequence[Sound]) -> list[Heard | AudioError]: ...


@dataclass(frozen=True)
class FloorClip:
    """Something to listen to; ``lyrics`` is None where nobody sings or speaks."""

    kind: str
    name: str
    lyrics: str | None
    load: Callable[[], Sound]


@dataclass(frozen=True)
class HeardClip:
    """A clip as one judge heard it."""

    kind: str
    name: str
    judge: str
    lyrics: str | None
    heard: str
    audio_seconds: float


@dataclass(frozen=True)
class FloorFailure:
    """A clip that could not be made or listened to; it is in no figure."""

    kind: str
    name: str
    reason: str


@dataclass(frozen=True)
class FloorRow:
    """One kind of clip as one judge heard it. Where there is a text ``wer``, elsewhere ``words_per_minute``."""

    kind: str
    judge: str
    clips: int
    minutes: float
    words: int  # to be heard; where there is no text, that were heard
    wer: Interval | None = None  # micro, resampled by text
    words_per_minute: float | None = None


def recorded_clips(folder: Path) -> tuple[FloorClip, ...]:
    """The recordings of a folder that `choirmaster recordings` wrote, by kind.

    Raises:
        RecordingsError: see :func:`eval.recordings.list_recordings`.
    """
    found = list_recordings(folder)

    def load(file: str) -> Callable[[], Sound]:
        def read() -> Sound:
            sound = read_sound(folder / file)
            return sound.audio, sound.sampling_rate

        return read

    return tuple(
        FloorClip(title, recording.file, recording.lyrics, load(recording.file))
        for kind, title in _RECORDED.items()
        for recording in found
        if recording.kind == kind
    )


def quiet_clips(takes: int, seed: int = 0) -> tuple[FloorClip, ...]:
    """``takes`` clips of 10 s of digital silence, and of white and of pink noise at each of :data:`NOISE_LEVELS`."""
    samples = round(NOISE_SECONDS * NOISE_RATE)

    def noise(colour: Literal["white", "pink"], level: int, take: int) -> Callable[[], Sound]:
        return lambda: (make_noise(colour, level, samples, NOISE_RATE, (seed, take)), NOISE_RATE)

    silence = [
        FloorClip("digital silence", f"silence-{n}", None, lambda: (np.zeros(samples, np.float32), NOISE_RATE))
        for n in range(takes)
    ]
    colours: tuple[Literal["white", "pink"], ...] = ("white", "pink")
    noises = [
        FloorClip(f"{colour} noise, {level} dB", f"{colour}{level}-{n}", None, noise(colour, level, n))
        for colour in colours
        for level in NOISE_LEVELS
        for n in range(takes)
    ]
    return (*silence, *noises)


def instrumental_clips(captions: Sequence[str], sing: Callable[[str, int], Sung]) -> tuple[FloorClip, ...]:
    """Songs without words, one of each caption; ``sing`` is given the caption and a number of its own, the seed."""

    def song(caption: str, seed: int) -> Callable[[], Sound]:
        def make() -> Sound:
            made = sing(caption, seed)
            return made.audio, made.sampling_rate

        return make

    return tuple(FloorClip("instrumentals", text, None, song(text, seed)) for seed, text in enumerate(captions))


def make_noise(
    colour: Literal["white", "pink"], level: float, samples: int, rate: int, seed: int | tuple[int, ...]
) -> NDArray[np.float32]:
    """Gaussian noise [samples] of ``level`` dB root mean square: an even spectrum, or one whose power falls with 1/f.

    Pink noise starts at 20 Hz; below, it would be power that nobody hears.
    """
    rng = np.random.default_rng(seed)
    spectrum = np.fft.rfft(rng.normal(size=samples))
    if colour == "pink":
        hertz = np.fft.rfftfreq(samples, 1 / rate)
        spectrum = np.where(hertz >= 20, spectrum / np.sqrt(np.maximum(hertz, 20)), 0)
    made = np.fft.irfft(spectrum, samples)
    loudness = float(np.sqrt(np.mean(made**2)))
    noise: NDArray[np.float32] = (made * 10 ** (level / 20) / loudness).astype(np.float32)
    return noise


def measure_floor(
    clips: Sequence[FloorClip], judges: Sequence[Listener], together: int = 1
) -> Iterator[tuple[int, list[HeardClip], list[FloorFailure]]]:
    """Make every clip once and have every judge hear it, ``together`` clips at a time.

    Yields after each time (clips done so far, what was heard this time, what failed).

    A clip that cannot be made or listened to is a failure; a judge that cannot be had ends it all.
    """
    for first in range(0, len(clips), together):
        sounds: list[tuple[FloorClip, Sound]] = []
        failures: list[FloorFailure] = []
        for clip in clips[first : first + together]:
            try:
                sounds.append((clip, clip.load()))
            except ChoirmasterError as error:
                failures.append(FloorFailure(clip.kind, clip.name, str(error)))
        found: list[HeardClip] = []
        for judge in judges:
            told = judge.listen_many([sound for _, sound in sounds])
            for (clip, _), heard in zip(sounds, told, strict=True):
                if isinstance(heard, Heard):
                    seconds = round(heard.audio_seconds, 3)
                    found.append(HeardClip(clip.kind, clip.name, judge.title, clip.lyrics, heard.text, seconds))
                else:
                    failures.append(FloorFailure(clip.kind, clip.name, f"{judge.title} could not listen: {heard}"))
        yield min(len(clips), first + together), found, failures


def summarise_floor(heard: Sequence[HeardClip]) -> tuple[FloorRow, ...]:
    """A row for every kind and judge, in order of first appearance."""
    rows: dict[tuple[str, str], list[HeardClip]] = {}
    for clip in heard:
        rows.setdefault((clip.kind, clip.judge), []).append(clip)
    kinds = list(dict.fromkeys(clip.kind for clip in heard))
    return tuple(_row(rows[kind, judge]) for kind, judge in sorted(rows, key=lambda key: kinds.index(key[0])))


def _row(clips: Sequence[HeardClip]) -> FloorRow:
    kind, judge = clips[0].kind, clips[0].judge
    minutes = sum(clip.audio_seconds for clip in clips) / 60
    scored: list[tuple[str, WordErrors]] = [
        (clip.lyrics, score(clip.lyrics, clip.heard)) for clip in clips if clip.lyrics is not None
    ]
    if scored:
        errors = [error for _, error in scored]
        wer = bootstrap_interval(errors, clusters=[text for text, _ in scored])
        return FloorRow(kind, judge, len(clips), minutes, sum(e.reference_words for e in errors), wer)
    words = sum(len(heard_words(clip.heard)) for clip in clips)
    return FloorRow(kind, judge, len(clips), minutes, words, words_per_minute=words / minutes if minutes else None)
