"""Songs in other sound formats, as files that stay for a while, so that parts of them can be asked for one by one.

The files lie in a temporary folder of this process, as many as fit. The same song comes out as the same bytes whenever
it is made, and with the time of its flac. Knows neither HTTP nor where songs are kept.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import struct
import tempfile
import threading
import time
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path

import soundfile

from engine.errors import SongError
from engine.hidden_folders import claim_folder, clear_abandoned

#: Formats a song can be had in, by file extension.
FORMS = ("flac", "wav", "mp3", "ogg")
#: Files kept, and bytes of them: ten minutes of wav take 115 MB.
MAX_FILES, MAX_BYTES = 32, 1 << 30
#: Seconds for which a file stays after it was asked for, so that whoever asked can open it.
GRACE = 60.0

_FOLDER = "choirmaster-sounds-"
_BLOCK = 1 << 16
#: Number of the only stream in an ogg file, where libsndfile would draw one by lot.
_SERIAL = 1
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass
class _File:
    path: Path | None = None
    size: int = 0
    users: int = 0
    used: float = 0.0
    making: threading.Lock = field(default_factory=threading.Lock)


class SoundCache:
    """Transcoded files, of which the least recently used go first. Any thread may call."""

    def __init__(self, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES, grace: float = GRACE) -> None:
        self.max_files, self.max_bytes, self.grace = max_files, max_bytes, grace
        self._files: OrderedDict[tuple[str, int, int, str], _File] = OrderedDict()
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._handle = -1  # its lock

    def get(self, flac: Path, form: str) -> Path:
        """A file with the song in that format, which can be opened for at least ``grace`` seconds.

        Raises:
            SongError: there is no such format or no such song, the song cannot be read, or the disk is full.
        """
        if form not in FORMS:
            raise SongError(f"{form[:20]!r} is no format songs can be had in: choose one of {', '.join(FORMS)}")
        try:
            found = flac.stat()
        except OSError as error:
            raise SongError(
                f"the sound of this song cannot be read ({error.strerror or error}): sing it again"
            ) from error
        if form == "flac":
            return flac
        key = (os.path.abspath(flac), found.st_ino, found.st_mtime_ns, form)
        with self._lock:
            file = self._files.setdefault(key, _File())
            file.users += 1
        try:
            with file.making:  # of several who ask for the same, one makes it and the others wait
                if file.path is None or not file.path.is_file():
                    file.path = self._make(flac, found.st_mtime_ns, key)
                    file.size = file.path.stat().st_size
            return file.path
        finally:
            with self._lock:
                file.users -= 1
                file.used = time.monotonic()
                if file.path is not None:
                    self._files.move_to_end(key)
                elif not file.users:
                    self._files.pop(key, None)
                self._shrink()

    def clear(self) -> None:
        """Delete all files."""
        with self._lock:
            self._files.clear()
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                os.close(self._handle)
                self._folder = None

    def _make(self, flac: Path, changed: int, key: tuple[str, int, int, str]) -> Path:
        form = key[-1]
        try:
            folder = self._own_folder()
            path = folder / f"{hashlib.sha256(repr(key).encode('utf-8', 'backslashreplace')).hexdigest()[:24]}.{form}"
            new = path.with_suffix(".new")
            try:
                _transcode(flac, new, form)
                # Whoever compares times then sees that a file made again is the same.
                os.utime(new, ns=(changed, changed))
                new.replace(path)
            finally:
                new.unlink(missing_ok=True)
        except (OSError, soundfile.LibsndfileError) as error:
            # Of neither the whole text, which names the file.
            why = error.strerror if isinstance(error, OSError) else error.error_string
            raise SongError(
                f"the song cannot be turned into {form} ({why or type(error).__name__}): free some space for temporary "
                "files, or ask for flac"
            ) from error
        return path

    def _own_folder(self) -> Path:
        with self._lock:
            if self._folder is None or not self._folder.is_dir():
                parent = Path(tempfile.gettempdir())
                clear_abandoned(parent, _FOLDER)
                self._folder, self._handle = claim_folder(parent, _FOLDER)
                atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
            return self._folder

    def _shrink(self) -> None:
        now, size = time.monotonic(), sum(file.size for file in self._files.values())
        for key, file in list(self._files.items()):
            if len(self._files) <= self.max_files and size <= self.max_bytes:
                return
            if file.users or now - file.used < self.grace:
                continue
            if file.path is not None:
                file.path.unlink(missing_ok=True)
            size -= file.size
            del self._files[key]


_CACHE = SoundCache()


def transcoded(flac: Path, form: str) -> Path:
    """A file with the song as wav, mp3 or ogg, made at most once at a time; flac gives the song's own file.

    Raises:
        SongError: there is no such format or no such song, the song cannot be read, or the disk is full.
    """
    return _CACHE.get(flac, form)


def _transcode(source: Path, out: Path, form: str) -> None:
    with soundfile.SoundFile(source) as sound:
        # In whole numbers wav comes out bit for bit, as floats are scaled by one factor when read and another when
        # written; mp3 comes out as noise from whole numbers (libsndfile 1.2.2).
        kind = "int16" if form == "wav" and sound.subtype == "PCM_16" else "float32"
        with soundfile.SoundFile(out, "w", sound.samplerate, sound.channels, format=form.upper()) as written:
            for block in sound.blocks(_BLOCK, dtype=kind, always_2d=True):
                written.write(block)
    if form == "ogg":
        out.write_bytes(number_stream(out.read_bytes()))


def number_stream(ogg: bytes) -> bytes:
    """The same ogg file (RFC 3533) with a fixed number for its stream, and the checksums that follow from it."""
    out, start = bytearray(ogg), 0
    while out[start : start + 4] == b"OggS":
        segments = out[start + 26]
        body = start + 27 + segments
        end = body + sum(out[start + 27 : body])
        struct.pack_into("<I", out, start + 14, _SERIAL)
        struct.pack_into("<I", out, start + 22, 0)
        struct.pack_into("<I", out, start + 22, checksum(bytes(out[start:end])))
        start = end
    return bytes(out)


def checksum(page: bytes) -> int:
    """Ogg's CRC-32: zlib's polynomial, yet with the bits in the other order, and neither end inverted."""
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
