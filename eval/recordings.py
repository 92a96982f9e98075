"""A corpus's own recordings as clips to judge: the ceiling of what a model trained on them can be expected to sing.

Reads what `choirmaster recordings` writes, ``recordings.jsonl`` beside sound files, whatever made them: sung lines and
songs, and lines that are spoken, by which to know the judge.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from adapters.field_faults import say_first
from engine.errors import ChoirmasterError
from eval.clips import Clip, Kind

LIST = "recordings.jsonl"


class RecordingsError(ChoirmasterError):
    """A folder of recordings is not usable."""


class Recording(BaseModel):
    """One line of the list."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: str
    kind: Kind | Literal["speech"]
    genre: str
    lyrics: str


@dataclass(frozen=True)
class Sound:
    """Audio of a file, [channels, samples], with its rate in Hz."""

    audio: NDArray[np.float32]
    sampling_rate: int


def list_recordings(folder: Path) -> tuple[Recording, ...]:
    """All recordings of a folder, ``file`` being a name in it.

    Raises:
        RecordingsError: there is no list, it is empty, a line of it is malformed, or a file it names is missing.
    """
    path = folder / LIST
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise RecordingsError(
            f"{path} cannot be read ({error.strerror}): write it with `choirmaster recordings --out {folder}`"
        ) from error
    recordings = []
    for number, line in enumerate(lines, 1):
        try:
            found = Recording.model_validate(json.loads(line))
        except (json.JSONDecodeError, ValidationError) as error:
            raise RecordingsError(f"{path}:{number} is no recording: {say_first(error)}") from error
        if not (folder / Path(found.file).name).is_file():
            raise RecordingsError(f"{path}:{number} names {found.file!r}, which is not in {folder}")
        recordings.append(found.model_copy(update={"file": Path(found.file).name}))
    if not recordings:
        raise RecordingsError(f"{path} lists no recordings: write it with `choirmaster recordings --out {folder}`")
    return tuple(recordings)


def read_recordings(folder: Path) -> tuple[Clip, ...]:
    """The sung recordings of a folder as clips whose prompt is their file name; what is spoken is left out.

    Raises:
        RecordingsError: see :func:`list_recordings`.
    """
    return tuple(
        Clip(found.kind, found.file, found.genre, "", found.lyrics, 0)
        for found in list_recordings(folder)
        if found.kind != "speech"
    )


def read_sound(path: Path) -> Sound:
    """The sound of a file.

    Raises:
        RecordingsError: it is no sound file.
    """
    import soundfile

    try:
        audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.LibsndfileError) as error:
        raise RecordingsError(f"{path} cannot be read as sound: {error}") from error
    return Sound(np.ascontiguousarray(audio.T), int(rate))


class Player:
    """Takes the place of a singer: a clip is "sung" by reading its file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, clip: Clip) -> Sound:
        """Read one recording.

        Raises:
            RecordingsError: it is no sound file.
        """
        return read_sound(self.folder / clip.prompt)


def recordings_fingerprint(folder: Path, clips: Sequence[Clip]) -> str:
    """A short name of a folder of recordings by its list and the sizes of its files."""
    from eval.targets import run_name

    return run_name([(c.prompt, c.kind, c.lyrics, (folder / c.prompt).stat().st_size) for c in clips])
