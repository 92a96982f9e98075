"""Clips to sing and judge, and the log that lets a measurement go on where it stopped.

A clip is one song of one prompt, or one line of it. The log is a JSONL file, one finished clip a line; it holds the
transcript rather than its score, so that scoring can change without singing again. Knows neither the engine nor the
judge: a *run* is the name of everything that must agree for two clips to belong together, and is made elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from eval.journal import Journal
from eval.prompts import Prompt, across_genres

Kind = Literal["line", "song"]


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
        self._journal = Journal(path, SungClip, "clip")

    def read(self, run: str) -> tuple[SungClip, ...]:
        """The clips of ``run``; those of other runs stay in the file and are passed over.

        Raises:
            LogError: the file cannot be read, or a line other than a torn last one is no clip.
        """
        return tuple(clip for clip in self._journal.read() if clip.run == run)

    def append(self, clip: SungClip) -> None:
        """Add one clip, flushed to disk before this returns.

        Raises:
            LogError: the folder cannot be written or the disk is full.
        """
        self._journal.append(clip)
