"""The files of one export: from a folder that was written to one file to fetch, and the exports kept on disk.

``<folder>/<id>/{export.json, the file}``: a folder appears in one step, whole, and goes in one.
"""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from adapters.files import flush_folder, write_text_atomically
from adapters.folders import MARKER
from api.export_records import EXPORT_ID, ExportShown
from engine.hidden_folders import claim_folder

RECORD = "export.json"
#: Begins the names of folders that are being written or removed.
HIDDEN = ".export-"
_CHUNK = 1 << 20


def pack(written: Path, into: Path, stem: str, advance: Callable[[int], None]) -> Path:
    """One file in ``into`` with all that is in the folder ``written``, which is used up.

    A file that needs no other stays as it is; the rest becomes a ZIP, a file at a time, so that the disk holds one of
    them twice and never all. ``advance`` gets the bytes of every piece and may raise.

    Raises:
        OSError: the disk is full.
    """
    paths = sorted(path for path in written.iterdir() if path.is_file())
    alone = [path for path in paths if path.name != MARKER]
    if len(alone) == 1:
        found = into / f"{stem}{alone[0].suffix}"
        os.replace(alone[0], found)
        return found
    found = into / f"{stem}.zip"
    with found.open("xb") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            for path in paths:
                entry = zipfile.ZipInfo.from_file(path, f"{stem}/{path.name}")
                with path.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                    while piece := source.read(_CHUNK):
                        target.write(piece)
                        advance(len(piece))
                path.unlink()
        file.flush()
        os.fsync(file.fileno())
    return found


def seal(built: Path, shown: ExportShown) -> None:
    """Put its record beside a packed file, and both onto the disk.

    Raises:
        OSError: the disk is full.
    """
    write_text_atomically(built / RECORD, shown.model_dump_json(indent=1) + "\n")
    flush_folder(built)


def kept_exports(folder: Path) -> list[ExportShown]:
    """The finished exports in ``folder`` that are whole; anything else there is left alone."""
    if not folder.is_dir():
        return []
    found = []
    for entry in folder.iterdir():
        if not re.fullmatch(EXPORT_ID, entry.name) or entry.is_symlink():
            continue
        try:
            shown = ExportShown.model_validate_json((entry / RECORD).read_bytes())
            whole = shown.id == entry.name and shown.file is not None and shown.file.name == Path(shown.file.name).name
            if whole and shown.file is not None and (entry / shown.file.name).stat().st_size == shown.file.size:
                found.append(shown)
        except (OSError, ValidationError):
            continue
    return sorted(found, key=lambda shown: shown.created)


def bury(folder: Path, name: str) -> Callable[[], None]:
    """Take a finished export out of sight, in one step; what is returned deletes it, which may take a while.

    Raises:
        OSError: it cannot be moved, and is there as before.
    """
    if not os.path.lexists(folder / name):
        return lambda: None
    grave, held = claim_folder(folder, HIDDEN)

    def delete() -> None:
        shutil.rmtree(grave, ignore_errors=True)
        os.close(held)

    try:
        with suppress(FileNotFoundError):
            os.rename(folder / name, grave / name)
    except OSError:
        delete()
        raise
    return delete
