"""Deleted songs, kept for some minutes in a hidden folder beside the others, so that they can be brought back.

A song goes there and comes back by one rename each: whenever a process is killed, it is whole in one of the two places.
The folder belongs to one process. It goes with that process, and where it was killed with the next one that looks after
the same songs. Knows folders and their names, not what is in a song, and no index.
"""

from __future__ import annotations

import errno
import itertools
import logging
import os
import shutil
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from adapters.files import is_full
from engine.errors import SongError
from engine.hidden_folders import claim_folder, clear_abandoned

#: Seconds for which a deleted song can be brought back.
KEPT_FOR = 600.0
#: Deleted songs kept at once, and the bytes they may take together; the oldest go first.
MAX_SONGS, MAX_BYTES = 256, 4 << 30
_HIDDEN = ".trash-"

log = logging.getLogger(__name__)


class PlaceTaken(SongError):
    """A song cannot be brought back, since something stands where it stood."""


@dataclass(frozen=True)
class _Kept:
    folder: Path
    size: int
    until: float


class Trash:
    """The deleted songs of one process, beside the others in ``folder``. Any thread may call."""

    def __init__(
        self,
        folder: Path,
        kept_for: float = KEPT_FOR,
        max_songs: int = MAX_SONGS,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.kept_for, self.max_songs, self.max_bytes, self._clock = kept_for, max_songs, max_bytes, clock
        self._folder, self._lock, self._number = folder, threading.Lock(), itertools.count()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._place: Path | None = None
        self._close: Callable[[], object] = lambda: None
        self._timer: threading.Timer | None = None
        clear_abandoned(folder, _HIDDEN)

    def put(self, song_id: str) -> bool:
        """Take a song out of sight; False where it is not there, or a full disk has no room for another folder.

        One that is larger than all that may be kept is deleted at once.

        Raises:
            SongError: it cannot be moved; it stays where it is.
        """
        source = self._folder / song_id
        with self._lock:
            size = _measure(source)
            for _ in range(2):
                try:
                    place = self._claim()
                    grave = place / f"{song_id}.{next(self._number)}"
                    source.rename(grave)
                    break
                except FileNotFoundError:
                    if self._place is None or self._place.is_dir():  # it is the song that is gone
                        self._tidy()
                        return False
                    self._let_go()  # somebody cleared the trash away
                except OSError as error:
                    self._tidy()
                    if not is_full(error):
                        raise SongError(
                            f"the song {song_id} cannot be put aside in {self._folder} ({error.strerror or error}): "
                            "check the rights of that folder, or delete the song for good"
                        ) from error
                    log.warning("the song %s cannot be kept for a while: %s", song_id, error)
                    return False
            else:
                return False
            doomed = [] if (old := self._kept.pop(song_id, None)) is None else [old]
            kept = _Kept(grave, size, self._clock() + self.kept_for)
            if size > self.max_bytes:  # others would have to go for it, and it with them
                doomed.append(kept)
            else:
                self._kept[song_id] = kept
        self._sweep(doomed)
        return True

    def restore(self, song_id: str) -> bool:
        """Bring a song back to where it was; False where it is gone for good.

        Raises:
            PlaceTaken: something stands there now; the song is kept.
            SongError: the folder cannot be written; the song is kept.
        """
        target = self._folder / song_id
        with self._lock:
            kept = self._kept.get(song_id)
            if kept is None or kept.until <= self._clock():
                return False
            try:
                if os.path.lexists(target):
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
                kept.folder.rename(target)
            except FileNotFoundError:  # somebody cleared it away
                del self._kept[song_id]
                return False
            except OSError as error:
                if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                    raise PlaceTaken(
                        f"the song {song_id} cannot be brought back, since something stands in its place: remove or "
                        "rename that first"
                    ) from error
                raise SongError(
                    f"the song {song_id} cannot be brought back to {self._folder} ({error.strerror or error}): check "
                    "the rights of that folder"
                ) from error
            del self._kept[song_id]
            self._tidy()
        return True

    def drop(self, song_id: str) -> bool:
        """Delete one of these songs for good; False where it is none of them."""
        with self._lock:
            kept = self._kept.pop(song_id, None)
        self._sweep([] if kept is None else [kept])
        return kept is not None

    def empty(self) -> bool:
        """Delete all of them for good; False where there were none."""
        with self._lock:
            doomed = list(self._kept.values())
            self._kept.clear()
        self._sweep(doomed)
        return bool(doomed)

    def __contains__(self, song_id: str) -> bool:
        with self._lock:
            kept = self._kept.get(song_id)
            return kept is not None and kept.until > self._clock()

    def _claim(self) -> Path:
        if self._place is None:
            self._place, handle = claim_folder(self._folder, _HIDDEN)
            # Also where the process just ends.
            self._close = weakref.finalize(self, _discard, self._place, handle)
        return self._place

    def _let_go(self) -> None:
        self._close()
        self._place, self._close = None, lambda: None
        self._kept.clear()

    def _tidy(self) -> None:
        """Leave no empty folder, and wake up when the next song is due. The lock is held."""
        if not self._kept:
            self._let_go()
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        elif self._timer is None:
            wait = max(0.0, next(iter(self._kept.values())).until - self._clock())
            self._timer = threading.Timer(wait, _wake, [weakref.ref(self)])
            self._timer.daemon = True
            self._timer.start()

    def _sweep(self, doomed: list[_Kept]) -> None:
        """Delete these, what is overdue, and the oldest of what is too much."""
        with self._lock:
            now, size = self._clock(), sum(kept.size for kept in self._kept.values())
            for song_id, kept in list(self._kept.items()):
                if kept.until > now and len(self._kept) <= self.max_songs and size <= self.max_bytes:
                    break
                doomed.append(self._kept.pop(song_id))
                size -= kept.size
            self._tidy()
        for kept in doomed:
            shutil.rmtree(kept.folder, ignore_errors=True)


def _wake(trash: weakref.ref[Trash]) -> None:
    if (found := trash()) is not None:
        found._timer = None
        found._sweep([])


def _discard(folder: Path, handle: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):
        os.close(handle)


def _measure(folder: Path) -> int:
    """Bytes of the files of a song; 0 where they cannot be looked at."""
    try:
        with os.scandir(folder) as entries:
            return sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
    except OSError:
        return 0
