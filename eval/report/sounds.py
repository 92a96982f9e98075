"""Songs to play in the page, as MP3, which every browser plays; a minute of stereo takes about a megabyte.

Knows FLAC files and a budget, not which songs are worth hearing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.errors import SongError
from engine.transcoding import transcoded
from eval.report.budget import Budget

FORM, KIND = "mp3", "audio/mpeg"


@dataclass(frozen=True)
class Sound:
    """A song as a data URI, or why there is none."""

    uri: str = ""
    missing: str = ""


def embed_sound(path: Path, budget: Budget) -> Sound:
    """The song in ``path``, a FLAC file. Never raises: what cannot be played is told."""
    if not path.is_file():
        return Sound(missing="The sound of this song was not kept.")
    try:
        content = transcoded(path, FORM).read_bytes()
    except (SongError, OSError) as error:
        return Sound(missing=f"The sound of this song cannot be played: {error}.")
    uri = budget.embed(content, KIND)
    return Sound(uri) if uri else Sound(missing=f"No room left in this page for its sound: play {path.name}.")
