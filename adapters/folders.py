"""Folders that appear whole or not at all: built hidden beside their place, flushed to disk, then renamed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.errors import AdapterError
from adapters.files import flush_folder, is_full

#: What makes a folder one that an earlier export wrote, and so one that may be replaced.
MARKER = "composition.json"


@contextmanager
def new_folder(out: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A hidden empty folder beside ``out`` to write into, which takes its place when the block ends without an error.

    Whatever goes wrong, an interruption included, nothing is left behind and an earlier ``out`` stays as it was.

    Raises:
        AdapterError: ``out`` is taken, or holds something that no export wrote, or cannot be written.
    """
    check_free(out, overwrite=overwrite)
    with _hidden(out) as hidden:
        yield hidden
        _replace(hidden, out)


@contextmanager
def new_file(out: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Like :func:`new_folder`, yet only the file called as ``out`` in that folder takes its place.

    Raises:
        AdapterError: ``out`` is taken or cannot be written.
    """
    check_free(out, overwrite=overwrite, file=True)
    with _hidden(out) as hidden:
        yield hidden
        flush_folder(hidden / out.name)
        os.replace(hidden / out.name, out)
        flush_folder(out.parent)


@contextmanager
def _hidden(out: Path) -> Iterator[Path]:
    """A hidden folder beside ``out``, gone afterwards whatever happens."""
    hidden: Path | None = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        hidden = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        hidden.chmod(0o755)
        yield hidden
    except OSError as error:
        if is_full(error):
            raise AdapterError(
                f"no space is left for {out}; nothing was written: free some, or choose another --out"
            ) from error
        raise AdapterError(f"{out} cannot be written ({error.strerror or error}): choose another --out") from error
    finally:
        if hidden is not None:
            shutil.rmtree(hidden, ignore_errors=True)


def check_free(out: Path, *, overwrite: bool = False, file: bool = False) -> None:
    """Make sure that an export may be written to ``out``: nothing there, an empty folder, or an export to replace.

    Raises:
        AdapterError: says what is there and what to do.
    """
    if not os.path.lexists(out):
        return
    if out.is_symlink() or out.is_file() != file:
        raise AdapterError(f"{out} is there and no {'file' if file else 'folder'}: choose another --out")
    if not file and not any(out.iterdir()):
        return
    if not overwrite:
        raise AdapterError(f"{out} is there already: choose another --out, or give --overwrite to replace an export")
    if not file and not (out / MARKER).is_file():
        raise AdapterError(f"{out} holds no {MARKER}, so no export wrote it and none replaces it: choose another --out")


def _replace(hidden: Path, out: Path) -> None:
    for path in hidden.rglob("*"):
        flush_folder(path)
    flush_folder(hidden)
    if not out.exists() or not any(out.iterdir()):
        os.replace(hidden, out)  # an empty folder may be renamed over
    else:
        old = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        try:
            os.replace(out, old)
            try:
                os.replace(hidden, out)
            except BaseException:
                os.replace(old, out)
                raise
        finally:
            shutil.rmtree(old, ignore_errors=True)
    flush_folder(out.parent)
