"""A journal: a JSONL file to which finished work is added line by line, and which a crash cannot harm.

A line that was being written when the process died has no end; it is passed over when reading and cut off before the
next one is added. Knows nothing of what the lines mean.
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import IO, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from adapters.field_faults import say_first
from adapters.files import is_full
from engine.errors import ChoirmasterError

Entry = TypeVar("Entry", bound=BaseModel)


class LogError(ChoirmasterError):
    """The journal of a measurement cannot be read or written."""


class Journal(Generic[Entry]):
    """Entries of one kind, in the order they were added; ``called`` is what an error calls one. Any thread may add."""

    def __init__(self, path: Path, kind: type[Entry], called: str) -> None:
        self.path, self.kind, self.called = path, kind, called
        self._lock = threading.Lock()

    def read(self) -> list[Entry]:
        """All entries.

        Raises:
            LogError: the file cannot be read, or a line other than a torn last one is no entry.
        """
        try:
            content = self.path.read_bytes() if self.path.exists() else b""
            # What follows the last line end is empty, or was being written when the process died.
            text = content[: content.rfind(b"\n") + 1].decode()
        except (OSError, UnicodeDecodeError) as error:
            raise LogError(
                f"the log {self.path} cannot be read: {error}; move it away or choose another --out"
            ) from error
        entries: list[Entry] = []
        for number, line in enumerate(text.split("\n")[:-1], start=1):
            try:
                entries.append(self.kind.model_validate(json.loads(line)))
            except (json.JSONDecodeError, ValidationError) as error:
                raise LogError(
                    f"{self.path}:{number} is no {self.called}: {say_first(error)}; delete that line or choose another "
                    "--out"
                ) from error
        return entries

    def append(self, entry: Entry) -> None:
        """Add one entry, flushed to disk before this returns.

        Raises:
            LogError: the folder cannot be written or the disk is full.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock, self.path.open("a+b") as file:
                _cut_torn_line(file)
                file.write(entry.model_dump_json().encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            remedy = "free some space, and the same command goes on" if is_full(error) else "choose another --out"
            raise LogError(f"the log {self.path} cannot be written: {error}; {remedy}") from error


def _cut_torn_line(file: IO[bytes]) -> None:
    size = file.seek(0, os.SEEK_END)
    if size == 0:
        return
    file.seek(size - 1)
    if file.read(1) != b"\n":
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.seek(0, os.SEEK_END)
