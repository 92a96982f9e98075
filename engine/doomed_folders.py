"""Folders that are to be deleted: out of the way at once by another name, deleted later, when nobody waits for a lock.

Knows not what is in them, nor why they go.
"""

from __future__ import annotations

import shutil
import threading
from contextlib import suppress
from pathlib import Path

#: Begins the names of folders that are to be deleted, or were being deleted when a process was killed.
DOOMED = "gone-"


class DoomedFolders:
    """Folders that the next :meth:`delete` deletes. Any thread may call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folders: list[Path] = []

    def add(self, folder: Path, rename: bool = True) -> None:
        """Let one go, by default under a name that tells that nothing in it may be trusted any more.

        Where it takes no other name, as on a full disk, it goes under its own.
        """
        if rename:
            with suppress(OSError):
                folder = folder.rename(folder.with_name(f"{DOOMED}{folder.name}"))
        with self._lock:
            self._folders.append(folder)

    def delete(self) -> None:
        """Delete all that were added, as far as they can be."""
        with self._lock:
            doomed, self._folders = self._folders, []
        for folder in doomed:
            shutil.rmtree(folder, ignore_errors=True)
