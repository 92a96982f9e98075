"""Hidden folders of a process, which another process can tell from those that a killed one left behind.

Each is locked by the process that made it, and the kernel takes the lock away when that process dies, however it dies.
Where the file system has no locks, a folder counts as left behind once it is old. Knows not what is put into them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: Seconds after which a folder that cannot be locked is thought to belong to no living process.
STALE = 3600.0

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def claim_folder(parent: Path, prefix: str) -> tuple[Path, int]:
    """A new folder in ``parent``, and the file handle that holds its lock: close it to let go.

    Raises:
        OSError: ``parent`` cannot be written, or the disk is full.
    """
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        try:
            handle = os.open(folder, _DIRECTORY)
        except FileNotFoundError:  # cleared away by another process before it could be locked
            continue
        except OSError:
            folder.rmdir()
            raise
        if _lock(handle) is not False and folder.is_dir():
            return folder, handle
        os.close(handle)


@contextmanager
def hidden_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder in ``parent`` for the length of a block, unless the block gives it another name.

    Raises:
        OSError: ``parent`` cannot be written, or the disk is full.
    """
    folder, handle = claim_folder(parent, prefix)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def clear_abandoned(parent: Path, prefix: str) -> None:
    """Delete the folders in ``parent`` that dead processes left behind; those of living ones stay."""
    for folder in abandoned_folders(parent, prefix):
        shutil.rmtree(folder, ignore_errors=True)


def abandoned_folders(parent: Path, prefix: str) -> Iterator[Path]:
    """The folders in ``parent`` that dead processes left behind, each locked as long as it is looked at."""
    with suppress(OSError):
        for folder in sorted(parent.glob(f"{prefix}*")):
            try:
                handle = os.open(folder, _DIRECTORY)  # fails on a link and on a file
            except OSError:
                continue
            try:
                locked = _lock(handle)
                if locked or (locked is None and time.time() - os.fstat(handle).st_mtime > STALE):
                    yield folder
            finally:
                os.close(handle)


def _lock(handle: int) -> bool | None:
    """Whether the lock could be had; None where this file system has none."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
