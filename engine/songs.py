"""Songs on disk: ``<folder>/<id>/{song.flac, attention.npz, song.json}``; the JSON tells all needed to sing it again.

A song appears, changes and goes in one step of the file system each, so that a crash, a full disk or a second process
never leaves half of one. Links are not followed. Finding songs among many is the business of ``engine.song_index``.
"""

from __future__ import annotations

import io
import json
import logging
import os
import re
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import soundfile

from adapters.files import flush_folder, is_full, write_bytes_atomically, write_text_atomically
from engine.errors import SongError
from engine.hidden_folders import clear_abandoned, hidden_folder
from engine.song_index import SongIndex
from engine.song_query import SongQuery
from engine.song_record import as_text, describe_song
from engine.trash import Trash

if TYPE_CHECKING:
    from engine.song import Song

__all__ = ["SongQuery", "SongStore", "audio_bytes"]

AUDIO, ATTENTION, RECORD = "song.flac", "attention.npz", "song.json"
#: Bytes of a song's JSON; that of the longest song with words and timings stays far below.
MAX_RECORD = 32 << 20

#: Ids of songs, and of groups of them.
SONG_ID = re.compile(r"[0-9a-f]{8,32}")
#: Begins the names of folders that are being written or removed.
_HIDDEN = ".song-"
_EVERY = SongQuery()

log = logging.getLogger(__name__)


class SongStore:
    """The songs in ``folder``, which comes into being with the first one. Any thread may call."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # Held where files and index change together, so that the index does not keep a song that is gone.
        self._lock = threading.Lock()
        self._index = SongIndex(folder, self)
        clear_abandoned(folder, _HIDDEN)
        #: Songs that were put aside and can be brought back.
        self.trash = Trash(folder)

    def save(self, song_id: str, song: Song, model: str, extra: dict[str, Any] | None = None) -> Path:
        """Write a song; returns its folder. ``extra`` are further fields of its JSON. Where the disk is full, songs
        that could still be brought back make room.

        Raises:
            SongError: the disk is full, the folder cannot be written, or there is a song of that id; nothing is then
                left behind.
        """
        folder = self._path(song_id)
        record = {**describe_song(song_id, song, model), **(extra or {})}
        try:
            try:
                self._write(folder, song, record)
            except OSError as error:
                if not is_full(error) or not self.trash.empty():
                    raise
                self._write(folder, song, record)
        except OSError as error:
            raise SongError(
                f"the song cannot be written to {folder} ({error.strerror or error}): free some space, or choose "
                "another folder for the songs"
            ) from error
        self._flush()
        return folder

    def annotate(self, song_id: str, **extra: Any) -> None:
        """Add fields to a song's JSON (for example what a judge heard); no effect where there is no such song.

        Raises:
            OSError: the disk is full; the JSON is then as it was.
        """
        with self._lock:
            record = self.record(song_id)
            if record is None:
                return
            record = {**record, **extra}
            # Written beside the song: a file killed half-way is cleared away there, and a song deleted by another
            # process meanwhile has no folder any more into which this could be moved.
            with hidden_folder(self.folder, _HIDDEN) as new:
                write_text_atomically(new / RECORD, as_text(record))
                try:
                    os.replace(new / RECORD, self._path(song_id) / RECORD)
                except (FileNotFoundError, NotADirectoryError):
                    return
            self._index.put(song_id, record)
        with suppress(OSError):
            flush_folder(self._path(song_id))

    def record(self, song_id: str) -> dict[str, Any] | None:
        """A song's JSON, or None where there is no such song or it cannot be read."""
        folder = self._path(song_id)
        try:
            if folder.is_symlink() or not _is_file(folder / RECORD) or not _is_file(folder / AUDIO):
                return None
            if (folder / RECORD).stat().st_size > MAX_RECORD:
                return None
            found = json.loads((folder / RECORD).read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        # The folder's name is the truth: a folder copied by hand keeps the old id in its JSON.
        return {**found, "id": song_id} if isinstance(found, dict) else None

    def audio(self, song_id: str) -> Path:
        """Path of the song's flac, whether or not it exists.

        Raises:
            SongError: that is no id, or a link stands there.
        """
        return self._file(song_id, AUDIO)

    def attention(self, song_id: str) -> Path:
        """Path of the song's attention maps, whether or not they exist.

        Raises:
            SongError: that is no id, or a link stands there.
        """
        return self._file(song_id, ATTENTION)

    def delete(self, song_id: str) -> bool:
        """Remove a song for good, also one that was put aside; False where there was none.

        Raises:
            SongError: it cannot be removed.
        """
        folder, grave = self._path(song_id), self.folder / f"{_HIDDEN}{secrets.token_hex(8)}"
        with self.trash.clearing(), self._lock:
            if folder.is_symlink() or not folder.is_dir():
                return self.trash.drop(song_id)
            try:
                # First out of sight in one step: what is left of it after a crash is cleared away later.
                folder.rename(grave)
            except FileNotFoundError:
                return False
            except OSError as error:
                raise SongError(
                    f"the song {song_id} cannot be removed from {self.folder} ({error.strerror or error}): check the "
                    "rights of that folder"
                ) from error
            self._index.forget([song_id])
        self._flush()
        shutil.rmtree(grave, ignore_errors=True)
        return True

    def put_aside(self, song_id: str) -> bool:
        """Remove a song so that :meth:`restore` can bring it back for a while; False where there was none.

        Where the disk is too full for that it is removed for good.

        Raises:
            SongError: it can be neither put aside nor, on a full disk, removed; it stays.
        """
        folder = self._path(song_id)
        with self.trash.clearing(), self._lock:
            if folder.is_symlink() or not folder.is_dir():
                return False
            gone = self.trash.put(song_id)
            if gone:
                self._index.forget([song_id])
        if not gone:
            return self.delete(song_id)
        self._flush()
        return True

    def restore(self, song_id: str) -> bool:
        """Bring back a song that was put aside; False where it is gone for good.

        Raises:
            engine.trash.PlaceTaken: something stands in its place.
            SongError: it cannot be brought back.
        """
        self._path(song_id)
        with self.trash.clearing(), self._lock:
            if not self.trash.restore(song_id):
                return False
            if (record := self.record(song_id)) is not None:
                self._index.put(song_id, record)
        self._flush()
        return True

    def browse(self, query: SongQuery = _EVERY, limit: int = 20, offset: int = 0) -> list[dict[str, Any]]:
        """The JSON of some songs, newest first. Only the files of these are opened."""
        records: dict[str, dict[str, Any] | None] = {}
        for _ in range(3):
            records = {song_id: self.record(song_id) for song_id in self._index.find(query, limit, offset)}
            # Removed by another process since the index looked at the folder.
            gone = [song_id for song_id, record in records.items() if record is None and not self._is_there(song_id)]
            if not gone:
                break
            self._index.forget(gone)
        return [record for record in records.values() if record is not None]

    def count(self, query: SongQuery = _EVERY) -> int:
        """How many songs there are."""
        return self._index.count(query)

    def adapters(self) -> list[str]:
        """Names of the adapters that sing in any of them."""
        return self._index.adapters()

    def unreadable(self) -> list[str]:
        """Ids of folders among the songs that hold none that can be read."""
        return sorted(self.ids() - set(self._index.find(_EVERY)))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The JSON of all complete songs, newest first, each read when it is asked for."""
        records = (self.record(song_id) for song_id in self._index.find(_EVERY))
        return (record for record in records if record is not None)

    def rebuild(self) -> None:
        """Make the index of songs anew, for example after files were changed by hand."""
        self._index.rebuild()

    def ids(self) -> set[str]:
        """Every song on the disk, broken ones too."""
        try:
            with os.scandir(self.folder) as entries:
                return {e.name for e in entries if SONG_ID.fullmatch(e.name) and e.is_dir(follow_symlinks=False)}
        except OSError:
            return set()

    def stamp(self, song_id: str) -> str | None:
        """Something that is another once the song's JSON has changed; None where it has none."""
        try:
            found = (self._path(song_id) / RECORD).lstat()
        except OSError:
            return None
        return f"{found.st_ino}/{found.st_size}/{found.st_mtime_ns}"

    def _write(self, folder: Path, song: Song, record: dict[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with hidden_folder(self.folder, _HIDDEN) as new:
            write_bytes_atomically(new / AUDIO, audio_bytes(song.audio, song.sampling_rate, "flac"))
            if song.attention is not None:
                write_bytes_atomically(new / ATTENTION, song.attention.save_bytes())
            write_text_atomically(new / RECORD, as_text(record))
            new.chmod(0o755)
            flush_folder(new)
            with self._lock:
                if os.path.lexists(folder):
                    raise SongError(f"there is a song {folder.name} already: store it under another id")
                new.rename(folder)
                self._index.put(folder.name, record)

    def _path(self, song_id: str) -> Path:
        if not SONG_ID.fullmatch(song_id):
            raise SongError(f"{song_id[:40]!r} is no song id: ids are 8 to 32 hexadecimal digits in lower case")
        return self.folder / song_id

    def _file(self, song_id: str, name: str) -> Path:
        folder = self._path(song_id)
        for path in (folder, folder / name):
            if path.is_symlink():
                raise SongError(f"{path} is a link, and links are not followed here: put the song itself in its place")
        return folder / name

    def _is_there(self, song_id: str) -> bool:
        return _is_file(self._path(song_id) / RECORD)

    def _flush(self) -> None:
        try:
            flush_folder(self.folder)
        except OSError as error:  # the change is made; only a power cut within seconds could undo it
            log.warning("the folder %s was not flushed to disk: %s", self.folder, error)


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def audio_bytes(audio: Any, sampling_rate: int, form: str) -> bytes:
    """Audio [channels, samples] as the bytes of a sound file; ``form`` as soundfile names it (flac, wav, ogg, mp3)."""
    buffer = io.BytesIO()
    soundfile.write(buffer, audio.T, sampling_rate, format=form.upper())
    return buffer.getvalue()
