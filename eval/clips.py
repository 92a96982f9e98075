"""Clips to sing and judge, and the log that lets a measurement go on where it stopped.

A clip is one song of one prompt, or one line of it. The log is a JSONL file, one finished clip a line; it holds the
transcript rather than its score, so that scoring can change without singing again. Knows neither the engine nor the
judge: a *run* is the name of everything that must agree for two clips to belong together, and is made elsewhere.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from engine.errors import ChoirmasterError
from eval.prompts import Prompt, across_genres

Kind = Literal["line", "song"]


class LogError(ChoirmasterError):
    """The log of a measurement cannot be read or written."""


@dataclass(frozen=True)
class Clip:
    """Something to sing and judge."""

    kind: Kind
    prompt: str
    genre: str
    caption: str
    lyrics: str
    seed: int


class SungClip(BaseModel):
    """A clip that was sung and judged: one line of the log."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str
    kind: Kind
    prompt: str
    genre: str
    seed: int
    lyrics: str
    heard: str
    audio_seconds: float
    sing_seconds: float
    judge_seconds: float


def clip_key(clip: Clip | SungClip) -> tuple[str, str, int]:
    """What tells clips of one run apart."""
    return clip.kind, clip.prompt, clip.seed


#: Seeds of a prompt's takes lie this far apart, further than there are prompts.
TAKE_STRIDE = 1000


def plan_clips(prompts: Sequence[Prompt], seed: int, limit: int | None = None, takes: int = 1) -> tuple[Clip, ...]:
    """One line and the whole song of each prompt, genres taken in turn; ``limit`` bounds the prompts.

    Each is sung ``takes`` times with other seeds.

    The line is the prompt's own number modulo its lines, so that first and last lines are sung alike often. Each prompt
    has a seed of its own, whatever the limit, shared by its line and its song.
    """
    number = {prompt.id: position for position, prompt in enumerate(prompts)}
    clips: list[Clip] = []
    for prompt in across_genres(prompts)[:limit]:
        position, lines = number[prompt.id], prompt.lines
        if not lines:
            continue
        one = lines[position % len(lines)]
        for own in (seed + position + take * TAKE_STRIDE for take in range(takes)):
            clips.append(Clip("line", prompt.id, prompt.genre, prompt.caption, one, own))
            clips.append(Clip("song", prompt.id, prompt.genre, prompt.caption, prompt.lyrics, own))
    return tuple(clips)


class ClipLog:
    """The finished clips of a folder, appended to one by one. A crash or Ctrl-C loses at most the clip being sung."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, run: str) -> tuple[SungClip, ...]:
        """The clips of ``run``; those of other runs stay in the file and are passed over.

        Raises:
            LogError: the file cannot be read, or a line other than a torn last one is no clip.
        """
        try:
            text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            raise LogError(
                f"the log {self.path} cannot be read: {error}; move it away or choose another --out"
            ) from error
        clips: list[SungClip] = []
        lines = text.split("\n")
        # What follows the last line end is empty, or was being written when the process died.
        for number, line in enumerate(lines[:-1], start=1):
            try:
                clip = SungClip.model_validate(json.loads(line))
            except (json.JSONDecodeError, ValidationError) as error:
                raise LogError(
                    f"{self.path}:{number} is no clip: {error}; delete that line or choose another --out"
                ) from error
            if clip.run == run:
                clips.append(clip)
        return tuple(clips)

    def append(self, clip: SungClip) -> None:
        """Add one clip, flushed to disk before this returns.

        Raises:
            LogError: the folder cannot be written or the disk is full.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as file:
                _cut_torn_line(file.fileno())
                file.write(clip.model_dump_json().encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise LogError(f"the log {self.path} cannot be written: {error}; choose another --out") from error


def _cut_torn_line(descriptor: int) -> None:
    size = os.fstat(descriptor).st_size
    if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n":
        return
    os.ftruncate(descriptor, os.pread(descriptor, size, 0).rfind(b"\n") + 1)
