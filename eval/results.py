"""What lies in the folder of an evaluation, beside its table: the sound and the attention maps of every song.

Knows file names, not how they came to be.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import quote

from engine.attention_maps import AttentionRecord, load_record
from engine.errors import ChoirmasterError
from eval.table import Table, read_table

AUDIO, ATTENTION = "audio", "attention"
_LONGEST = 120


class ResultsError(ChoirmasterError):
    """A song of an evaluation cannot be read."""


def cell_name(prompt: str, seed: int, composition: str) -> str:
    """The file name of a song without its ending: readable, safe on every file system, and different for every song."""
    name = f"{quote(prompt, safe=' ')}.{seed}.{quote(composition, safe='=,')}"
    if len(name) <= _LONGEST and name == name.lower() and not name.startswith("."):
        return name
    digest = hashlib.sha256(f"{prompt}\0{seed}\0{composition}".encode()).hexdigest()[:16]
    return f"{name[: _LONGEST - 20].lower().lstrip('.')}.{digest}"


class Results:
    """The folder of one evaluation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def table(self) -> Table:
        """The results table.

        Raises:
            TableError: there is none, or it is damaged.
        """
        return read_table(self.folder)

    def audio_path(self, prompt: str, seed: int, composition: str) -> Path:
        """Where the sound of a song lies, as FLAC, whether or not it was kept."""
        return self.folder / AUDIO / f"{cell_name(prompt, seed, composition)}.flac"

    def attention_path(self, prompt: str, seed: int, composition: str) -> Path:
        """Where the attention maps of a song lie, as NPZ, whether or not they were kept."""
        return self.folder / ATTENTION / f"{cell_name(prompt, seed, composition)}.npz"

    def attention(self, prompt: str, seed: int, composition: str) -> AttentionRecord | None:
        """The attention maps of a song, None where they were not kept.

        Raises:
            ResultsError, RecordError: they are damaged or cannot be read.
        """
        path = self.attention_path(prompt, seed, composition)
        try:
            return load_record(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ResultsError(f"{path} cannot be read ({error.strerror or error})") from error
