"""A corpus on disk: sound files, ``manifest.jsonl`` with a line per clip, ``corpus.json`` with what holds for all.

The same format whoever made the corpus. The fingerprint covers words, captions and, by their hashes, sounds.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from adapters.errors import ChoirmasterError
from adapters.field_faults import say_first
from adapters.files import write_bytes_atomically, write_text_atomically
from engine.plan import Plan
from engine.songs import audio_bytes

MANIFEST, ABOUT, AUDIO = "manifest.jsonl", "corpus.json", "audio"


class CorpusError(ChoirmasterError):
    """A corpus cannot be read, made or trained on."""


class SungNote(BaseModel):
    """One note of a word: seconds from the start of the clip, and its MIDI pitch."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    start: float = Field(ge=0)
    end: float = Field(ge=0)
    midi: float = Field(ge=0, le=127)


class TimedWord(BaseModel):
    """One sung word: seconds from the start of the clip, and its notes where they are known."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    text: str = Field(min_length=1, max_length=100)
    start: float = Field(ge=0)
    end: float = Field(ge=0)
    notes: tuple[SungNote, ...] = ()


class ClipEntry(BaseModel):
    """One line of the manifest.

    ``audio``: sound file relative to the corpus; ``lyrics``: the words sung, lines parted by newlines, with section
    ``[tags]`` where there are any; ``words``: their times, None where nobody knows them; ``plan``: the plan it was sung
    from, where there was one; ``source``: where the clip came from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    # sound
    audio: str = Field(min_length=1, max_length=300)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    seconds: float = Field(gt=0)
    # words
    lyrics: str = ""
    words: tuple[TimedWord, ...] | None = None
    plan: Plan | None = None
    # description
    caption: str = ""
    tags: tuple[str, ...] = ()
    singer: str = ""
    style: str = ""
    # origin
    source: str = ""
    licence: str = ""

    @field_validator("audio")
    @classmethod
    def _stays_inside(cls, value: str) -> str:
        if value.startswith(("/", "\\")) or ".." in Path(value).parts or "\0" in value:
            raise ValueError(f"{value!r} leads out of the corpus folder: give a file inside it")
        return value


class AboutCorpus(BaseModel):
    """``corpus.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(min_length=1, max_length=200)
    description: str = ""
    licence: str = ""


@dataclass(frozen=True)
class Corpus:
    """A corpus as read from disk; ``fingerprint`` is 16 hex digits."""

    folder: Path
    about: AboutCorpus
    clips: tuple[ClipEntry, ...]
    fingerprint: str

    @property
    def hours(self) -> float:
        return sum(clip.seconds for clip in self.clips) / 3600


@dataclass(frozen=True)
class NewClip:
    """A clip to be written: its manifest fields besides those of the sound, and ``audio`` [channels, samples]."""

    name: str
    fields: dict[str, object]
    audio: npt.NDArray[np.floating]
    sampling_rate: int


def write_corpus(folder: Path, about: AboutCorpus, clips: Iterable[NewClip]) -> Iterator[ClipEntry]:
    """Write clips as flac and, once all are there, the manifest; yields each entry as it is written.

    A corpus that was there before is replaced when the manifest is, at the very end.

    Raises:
        CorpusError: there was no clip at all, one has fields that may not be, or two have the same name.
        OSError: the folder cannot be written or the disk is full.
    """
    lines, names = list[str](), set[str]()
    for clip in clips:
        if clip.name in names:
            raise CorpusError(f"two clips are named {clip.name!r}: give each a name of its own")
        names.add(clip.name)
        sound = audio_bytes(np.asarray(clip.audio, np.float32), clip.sampling_rate, "flac")
        path = f"{AUDIO}/{clip.name}.flac"
        measured = {
            "audio": path,
            "sha256": hashlib.sha256(sound).hexdigest(),
            "seconds": round(clip.audio.shape[1] / clip.sampling_rate, 4),
        }
        try:
            entry = ClipEntry.model_validate({**clip.fields, **measured})
        except ValidationError as error:
            raise CorpusError(f"clip {clip.name!r}: {_first(error)}") from error
        write_bytes_atomically(folder / path, sound)
        lines.append(entry.model_dump_json(exclude_defaults=True))
        yield entry
    if not lines:
        raise CorpusError(f"there is no clip to write into {folder}: see what the source folder holds")
    write_text_atomically(folder / ABOUT, about.model_dump_json(indent=1) + "\n")
    write_text_atomically(folder / MANIFEST, "\n".join(lines) + "\n")


def read_corpus(folder: Path) -> Corpus:
    """Read a corpus; sounds are not opened.

    Raises:
        CorpusError: there is no corpus, or a line of it is wrong; the text names file and line.
    """
    path = folder / MANIFEST
    try:
        text = path.read_text(encoding="utf-8")
        about = AboutCorpus.model_validate_json((folder / ABOUT).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusError(
            f"{folder} holds no corpus ({MANIFEST} or {ABOUT} cannot be read: {error}): make one with "
            "`choirmaster corpus`"
        ) from error
    except ValidationError as error:
        raise CorpusError(f"{folder / ABOUT}: {_first(error)}") from error
    clips = []
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):  # words may hold other line separators
        try:
            clips.append(ClipEntry.model_validate_json(line))
        except ValidationError as error:
            raise CorpusError(f"{path}, line {number}: {_first(error)}") from error
    if not clips:
        raise CorpusError(f"{path} lists no clip: make the corpus anew")
    digest = hashlib.sha256(json.dumps([c.model_dump(mode="json") for c in clips], sort_keys=True).encode())
    return Corpus(folder, about, tuple(clips), digest.hexdigest()[:16])


def _first(error: ValidationError) -> str:
    return say_first(error, "the line")
