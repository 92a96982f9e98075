"""What is written down of every cell of a grid the moment it is done: that it was sung, and what a judge heard in it.

Holds transcripts rather than scores, so that scoring can change without singing again. A *run* is the name of all that
a song depends on; ``sound`` names the bytes on disk, so that no transcript is taken for that of another sound.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from eval.cells import CellKey
from eval.heads import HeadMeasures
from eval.heard import Segment
from eval.journal import Journal

SUNG, HEARD = "songs.jsonl", "heard.jsonl"


class _Entry(BaseModel):
    # a judge may not know how sure it was: NaN is a number here, and comes back as one
    model_config = ConfigDict(extra="forbid", frozen=True, ser_json_inf_nan="constants")

    run: str
    prompt: str
    seed: int
    composition: str
    sound: str

    @property
    def key(self) -> CellKey:
        """What tells the cell from others."""
        return self.prompt, self.seed, self.composition


class SungCell(_Entry):
    """A cell whose sound is on disk; ``lyric_mass`` and the alignment score are of the heads that follow words."""

    audio_seconds: float
    lyric_mass: float | None = None
    alignment_score: float | None = None
    alignment_null: float | None = None
    heads: tuple[HeadMeasures, ...] = ()


class HeardCell(_Entry):
    """What one judge heard in a cell; ``judging`` is the name of all its settings."""

    judge: str
    judging: str
    transcript: str
    judge_seconds: float
    segments: tuple[Segment, ...] = ()


def open_sung(folder: Path) -> Journal[SungCell]:
    """The journal of songs in the folder of a grid."""
    return Journal(folder / SUNG, SungCell, "sung song")


def open_heard(folder: Path) -> Journal[HeardCell]:
    """The journal of transcripts in the folder of a grid."""
    return Journal(folder / HEARD, HeardCell, "heard song")


def name_sound(content: bytes) -> str:
    """The name of a sound file by its bytes."""
    return hashlib.sha256(content).hexdigest()[:16]
