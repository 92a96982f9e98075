"""The figures at the top of the README: how well a song model's words come through, and how long a song takes.

Two measurements over the everyday prompts, each clip sung once without an adapter: one line of every song, and every
song whole. Knows the engine and the judge only as two callables, so that both can be faked; ``eval.cli`` brings the
real ones.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.errors import ChoirmasterError, RequestError, SongError
from eval.clips import Clip, ClipLog, Kind, SungClip, clip_key
from eval.judge import AudioError, Heard
from eval.wer import Interval, WordErrors, bootstrap_interval, macro_wer, micro_cer, micro_wer, score


class Sung(Protocol):
    """What the engine returns, as far as measuring needs it."""

    @property
    def audio(self) -> NDArray[np.float32]: ...  # [channels, samples]

    @property
    def sampling_rate(self) -> int: ...


Sing = Callable[[Clip], Sung]
Listen = Callable[[NDArray[np.float32], int], Heard]


class CoverageError(ChoirmasterError):
    """A model folder's coverage.json is not usable."""


@dataclass(frozen=True)
class Figure:
    """One row of the target table."""

    label: str
    clips: int
    words: int
    wer: Interval  # micro
    macro_wer: float
    cer: float  # micro


@dataclass(frozen=True)
class GenreFigure:
    """One row of the per-genre table; None where nothing was sung."""

    genre: str
    well_covered: bool
    line_wer: float | None
    song_wer: float | None
    songs: int
    line_ceiling: float | None = None  # of the corpus's own recordings
    song_ceiling: float | None = None


@dataclass(frozen=True)
class Speed:
    """Wall-clock seconds per whole song, decoding included, judging not."""

    songs: int
    median: float
    mean: float
    audio_mean: float


@dataclass(frozen=True)
class Failure:
    """A clip that could not be sung or listened to; it is in no figure and will be tried again next time."""

    prompt: str
    kind: Kind
    reason: str


@dataclass(frozen=True)
class Report:
    """Everything a measurement found."""

    figures: tuple[Figure, ...]
    genres: tuple[GenreFigure, ...]
    speed: Speed | None
    planned: int
    measured: int
    failures: tuple[Failure, ...]


def run_name(*parts: object) -> str:
    """A short name of everything that must agree for clips to be pooled: same parts, same name."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def read_coverage(folder: Path, genres: Iterable[str]) -> tuple[str, ...] | None:
    """The genres a model's corpus covers well, by its coverage.json; None where it has none.

    Raises:
        CoverageError: the file is malformed, or names a genre no prompt has (it would silently never match).
    """
    path = folder / "coverage.json"
    if not path.is_file():
        return None
    try:
        found: Any = json.loads(path.read_text(encoding="utf-8"))
        covered = found["well_covered"]
        if not isinstance(covered, list) or not all(isinstance(g, str) for g in covered):
            raise TypeError(f"well_covered is {covered!r}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CoverageError(f'{path} must hold {{"well_covered": [genres]}}: {error!r}') from error
    known = set(genres)
    if unknown := sorted(set(covered) - known):
        raise CoverageError(f"{path} names genres that no prompt has: {unknown}; the prompts have {sorted(known)}")
    return tuple(covered)


def measure_clips(
    clips: Sequence[Clip],
    sing: Sing,
    listen: Listen,
    log: ClipLog,
    run: str,
    on_clip: Callable[[Clip], None] = lambda clip: None,
) -> tuple[Failure, ...]:
    """Sing and judge what the log does not have yet; ``on_clip`` is called after each clip, old ones included.

    A clip that fails is passed over and reported; Ctrl-C and full disks stop at once, with all earlier clips logged.
    """
    done = {clip_key(c) for c in log.read(run)}
    failures: list[Failure] = []
    for clip in clips:
        if clip_key(clip) not in done:
            start = time.perf_counter()
            try:
                song = sing(clip)
                sing_seconds = time.perf_counter() - start
                heard = listen(song.audio, song.sampling_rate)
            except (RequestError, SongError, AudioError) as error:
                failures.append(Failure(clip.prompt, clip.kind, str(error)))
            else:
                log.append(_sung(clip, run, heard, sing_seconds))
        on_clip(clip)
    return tuple(failures)


def summarise(
    clips: Sequence[Clip],
    sung: Sequence[SungClip],
    covered: Sequence[str] | None,
    failures: Sequence[Failure] = (),
    recordings: Sequence[SungClip] = (),
) -> Report:
    """Figures over those of ``clips`` that were sung; rows without a clip are left out.

    ``recordings`` are judged clips of the corpus itself; they get rows and columns of their own.
    """
    planned = {clip_key(c) for c in clips}
    chosen = list({k: c for c in sung if (k := clip_key(c)) in planned}.values())
    scored = [(c, score(c.lyrics, c.heard)) for c in chosen]
    ceiling = [(c, score(c.lyrics, c.heard)) for c in recordings]
    return Report(
        figures=(*_figures(scored, covered), *_figures(ceiling, covered, "corpus recordings, ")),
        genres=tuple(_genre(g, scored, ceiling, covered or ()) for g in dict.fromkeys(c.genre for c in chosen)),
        speed=_speed([c for c in chosen if c.kind == "song"]),
        planned=len(clips),
        measured=len(chosen),
        failures=tuple(failures),
    )


def _sung(clip: Clip, run: str, heard: Heard, sing_seconds: float) -> SungClip:
    return SungClip(
        run=run,
        kind=clip.kind,
        prompt=clip.prompt,
        genre=clip.genre,
        seed=clip.seed,
        lyrics=clip.lyrics,
        heard=heard.text,
        audio_seconds=round(heard.audio_seconds, 3),
        sing_seconds=round(sing_seconds, 3),
        judge_seconds=round(heard.seconds, 3),
    )


def _figures(
    scored: Sequence[tuple[SungClip, WordErrors]], covered: Sequence[str] | None, prefix: str = ""
) -> list[Figure]:
    figures: list[Figure] = []
    for kind, label in (("line", "single lines"), ("song", "four-line songs")):
        pairs = [(c, e) for c, e in scored if c.kind == kind]
        figures += _figure(f"{prefix}{label}, all genres", pairs)
        if covered is not None:
            inside = [(c, e) for c, e in pairs if c.genre in covered]
            figures += _figure(f"{prefix}{label}, well-covered genres", inside)
    return figures


def _figure(label: str, pairs: Sequence[tuple[SungClip, WordErrors]]) -> list[Figure]:
    if not pairs:
        return []
    errors = [e for _, e in pairs]
    interval = bootstrap_interval(errors, clusters=[c.prompt for c, _ in pairs])
    words = sum(e.reference_words for e in errors)
    return [Figure(label, len(errors), words, interval, macro_wer(errors), micro_cer(errors))]


def _genre(
    genre: str,
    scored: Sequence[tuple[SungClip, WordErrors]],
    ceiling: Sequence[tuple[SungClip, WordErrors]],
    covered: Sequence[str],
) -> GenreFigure:
    def wer(pairs: Sequence[tuple[SungClip, WordErrors]], kind: Kind) -> float | None:
        found = [e for c, e in pairs if c.genre == genre and c.kind == kind]
        return micro_wer(found) if found else None

    return GenreFigure(
        genre=genre,
        well_covered=genre in covered,
        line_wer=wer(scored, "line"),
        song_wer=wer(scored, "song"),
        songs=sum(c.genre == genre and c.kind == "song" for c, _ in scored),
        line_ceiling=wer(ceiling, "line"),
        song_ceiling=wer(ceiling, "song"),
    )


def _speed(songs: Sequence[SungClip]) -> Speed | None:
    if not songs:
        return None
    seconds = [c.sing_seconds for c in songs]
    audio = statistics.fmean(c.audio_seconds for c in songs)
    return Speed(len(songs), statistics.median(seconds), statistics.fmean(seconds), audio)
