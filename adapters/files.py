"""Writing files so that a crash at any moment leaves either the old file or the new one."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path


def write_bytes_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` to a temporary file beside ``path``, flush it to disk, and rename it over ``path``.

    Raises:
        OSError: the folder cannot be written or the disk is full; ``path`` is then untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def is_full(error: OSError) -> bool:
    """Whether a disk, or one's share of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)


def flush_folder(folder: Path) -> None:
    """Bring a folder's list of entries to the disk, as after a rename in it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text_atomically(path: Path, text: str) -> None:
    """Like :func:`write_bytes_atomically`, for UTF-8 text."""
    write_bytes_atomically(path, text.encode())
