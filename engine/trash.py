"""Deleted songs, kept for some minutes in a hidden folder beside the others, so that they can be brought back.

A song goes there and comes back by one rename each: whenever a process is killed, it is whole in one of the two places.
The folder belongs to one process. What is in it when that ends, however it ends, is taken over by the next one that
looks after the same songs (on a file system without locks only once it is too old to be brought back): a folder's name
says when its song was deleted. Knows folders and their names, not what is in a song, and no index.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from adapters.files import is_full
from engine.doomed_folders import DoomedFolders
from engine.errors import SongError
from engine.hidden_folders import abandoned_folders, claim_folder

#: Seconds for which a deleted song can be brought back.
KEPT_FOR = 600.0
#: Deleted songs kept at once, and the bytes they may take together; the oldest go first.
MAX_SONGS, MAX_BYTES = 256, 4 << 30
_HIDDEN = ".trash-"
#: A deleted song's id, and the nanoseconds since 1970 at which it was deleted.
_GRAVE = re.compile(r"([0-9a-f]{8,32})\.([0-9]{1,20})")

log = logging.getLogger(__name__)


class PlaceTaken(SongError):
    """A song cannot be brought back, since something stands where it stood."""


@dataclass(frozen=True)
class _Kept:
    folder: Path
    size: int
    until: float


class Trash:
    """The deleted songs of one process, beside the others in ``folder``. Any thread may call.

    What is given up only gets another name, until whoever holds no lock any more calls :meth:`clear`.
    ``clock`` counts while the process lives, whatever is done to the clock on the wall. ``wall`` tells the next process
    how old a song is: one deleted in what is the future by then, for the clock was set back, counts as just deleted.
    """

    def __init__(
        self,
        folder: Path,
        kept_for: float = KEPT_FOR,
        max_songs: int = MAX_SONGS,
        max_bytes: int = MAX_BYTES,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        self.kept_for, self.max_songs, self.max_bytes, self._clock = kept_for, max_songs, max_bytes, clock
        self._folder, self._lock, self._wall, self._latest = folder, threading.Lock(), wall, 0
        self._kept = OrderedDict[str, _Kept]()
        self._doomed = DoomedFolders()
        self._place: Path | None = None
        self._handle = -1
        self._timer: threading.Timer | None = None
        self._take_over()
        self.clear()

    def put(self, song_id: str) -> bool:
        """Take a song out of sight; False where it is not there, or a full disk has no room for another folder.

        One that is larger than all that may be kept goes with the next :meth:`clear`.

        Raises:
            SongError: it cannot be moved; it stays where it is.
        """
        source = self._folder / song_id
        with self._lock:
            size = _measure(source)
            for _ in range(2):
                try:
                    place = self._claim()
                    grave = place / f"{song_id}.{self._now()}"
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
            if (old := self._kept.pop(song_id, None)) is not None:
                self._doomed.add(old.folder)
            if size > self.max_bytes:  # others would have to go for it, and it with them
                self._doomed.add(grave)
            else:
                self._kept[song_id] = _Kept(grave, size, self._clock() + self.kept_for)
            self._sweep()
        return True

    def restore(self, song_id: str) -> bool:
        """Bring a song back to where it was; False where it is gone for good.

        Raises:
            PlaceTaken: something stands there now; the song is kept.
            SongError: the folder cannot be written; the song is kept.
        """
        target = self._folder / song_id
        if song_id not in self:
            self._take_over()  # of a process that has ended since this one began
        with self._lock:
            if (kept := self._kept.get(song_id)) is None or kept.until <= self._clock():
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
        """Give up one of these songs; False where it is none of them."""
        with self._lock:
            if (kept := self._kept.pop(song_id, None)) is not None:
                self._doomed.add(kept.folder)
        return kept is not None

    def empty(self) -> bool:
        """Delete all of them for good; False where there were none."""
        with self._lock:
            found = bool(self._kept)
            while self._kept:
                self._doomed.add(self._kept.popitem()[1].folder)
        self.clear()
        return found

    def clear(self) -> None:
        """Delete for good what was given up."""
        self._doomed.delete()
        with self._lock:
            self._tidy()

    @contextmanager
    def clearing(self) -> Iterator[None]:
        """Does :meth:`clear` at the end of a block."""
        try:
            yield
        finally:
            self.clear()

    def leave(self) -> None:
        """Look after them no more: the next who looks after the same songs may bring them back."""
        with self._lock:
            if self._place is not None:
                self._leaving()
                self._place = None
            self._kept.clear()
            self._tidy()

    def __contains__(self, song_id: str) -> bool:
        with self._lock:
            return (kept := self._kept.get(song_id)) is not None and kept.until > self._clock()

    def _now(self) -> int:
        """Nanoseconds since 1970, and never the same twice. The lock is held."""
        self._latest = max(self._wall(), self._latest + 1)
        return self._latest

    def _claim(self) -> Path:
        if self._place is None:
            self._place, self._handle = claim_folder(self._folder, _HIDDEN)
            self._leaving = weakref.finalize(self, _leave, self._place, self._handle)
        return self._place

    def _let_go(self) -> None:
        """Give the folder up, unless what is to be deleted is still in it. The lock is held."""
        if self._place is not None:
            try:
                self._place.rmdir()
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    return
            if self._leaving.detach():
                os.close(self._handle)
        self._place = None
        self._kept.clear()

    def _take_over(self) -> None:
        """Look after what processes that have ended left behind."""
        with self._lock:
            for left in abandoned_folders(self._folder, _HIDDEN):
                try:
                    self._move_in(left)
                    self._doomed.add(left, rename=False)
                except OSError as error:  # a full disk: the next one to look may have more luck
                    log.warning("deleted songs in %s are left for later: %s", left, error)
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
            self._kept = OrderedDict(sorted(self._kept.items(), key=lambda item: item[1].until))
            self._sweep()

    def _move_in(self, left: Path) -> None:
        for folder in sorted(left.iterdir()):
            name = _GRAVE.fullmatch(folder.name)
            if name is None or folder.is_symlink() or not folder.is_dir():
                continue
            rest = self.kept_for - max(0, self._wall() - int(name[2])) / 1e9
            if rest <= 0:
                self._doomed.add(folder)
                continue
            grave = self._claim() / folder.name
            folder.rename(grave)
            found = _Kept(grave, _measure(grave), self._clock() + rest)
            if (known := self._kept.get(name[1])) is not None:  # it was deleted twice
                found, older = (found, known) if known.until < found.until else (known, found)
                self._doomed.add(older.folder)
            self._kept[name[1]] = found

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

    def _sweep(self) -> None:
        """Give up what is overdue, and the oldest of what is too much. The lock is held."""
        now, size = self._clock(), sum(kept.size for kept in self._kept.values())
        for song_id, kept in list(self._kept.items()):
            if kept.until > now and len(self._kept) <= self.max_songs and size <= self.max_bytes:
                break
            self._doomed.add(self._kept.pop(song_id).folder)
            size -= kept.size
        self._tidy()


def _wake(trash: weakref.ref[Trash]) -> None:
    if (found := trash()) is not None:
        with found._lock:
            found._timer = None
            found._sweep()
        found.clear()


def _leave(folder: Path, handle: int) -> None:
    """The process ends, or nobody looks after these songs any more: an empty folder goes, all else stays."""
    with suppress(OSError):
        folder.rmdir()
    with suppress(OSError):
        os.close(handle)


def _measure(folder: Path) -> int:
    """Bytes of the files of a song; 0 where they cannot be looked at."""
    try:
        with os.scandir(folder) as entries:
            return sum(entry.stat(follow_symlinks=False).st_size for entry in entries)
    except OSError:
        return 0
