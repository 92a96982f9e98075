"""An index of stored songs in SQLite, so that finding some of thousands opens none of their files.

It is a cache and never the truth: lost, damaged, of another version or locked by somebody, it is made anew from the
disk, in memory where no file can be had. No fault of it reaches a caller. Several processes may share one; each looks
again at the folder when that has changed. Knows of a song what ``engine.song_query`` summarises.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

from engine.song_query import SongQuery, fold, summarise

__all__ = ["FILE", "SongIndex", "SongQuery"]

FILE = "index.sqlite"
#: Changes with the columns, and with what is written into them.
SCHEMA = 1
#: Seconds to wait for another process that writes.
PATIENCE = 1.0
#: Seconds for which an index in memory stands in, before the file is tried again.
STAND_IN = 15.0
#: Nanoseconds within which two changes of a folder may carry the same time.
_BLUR = 100_000_000
#: The largest whole number SQLite takes.
_HUGE = (1 << 63) - 1

_COLUMNS = {
    "id": "TEXT PRIMARY KEY",
    "stamp": "TEXT NOT NULL",
    "created": "REAL NOT NULL",
    "caption": "TEXT NOT NULL",  # folded, as the lyrics
    "lyrics": "TEXT NOT NULL",
    "seconds": "REAL",
    "genre": "TEXT",
    "composition": "TEXT",
    "adapters": "TEXT NOT NULL",
    "comparison": "TEXT",
    "wer": "REAL",
}
_PUT = f"INSERT OR REPLACE INTO songs ({', '.join(_COLUMNS)}) VALUES ({', '.join(f':{name}' for name in _COLUMNS)})"

#: What passes by itself, or would befall a new file just as well; of all else a new file is the cure.
_NO_FAULT_OF_THE_FILE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_NOMEM,
}

T = TypeVar("T")
log = logging.getLogger(__name__)


class Disk(Protocol):
    """The songs as they lie on the disk; ``engine.songs.SongStore`` is one."""

    def ids(self) -> set[str]: ...

    def stamp(self, song_id: str) -> str | None: ...

    def record(self, song_id: str) -> dict[str, Any] | None: ...


class SongIndex:
    """The songs of ``folder``. Any thread may call; what is not yet there comes into being with the first call."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self.path = folder / FILE
        self._disk = weakref.proxy(disk)  # which owns this
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._close: Callable[[], object] = lambda: None
        self._inode: int | None = None  # of the open file; None in memory
        self._stand_in_until = 0.0
        self._seen: int | None = None  # when the folder had last changed as it was last looked through
        self._checked = False  # whether every row was compared with its file since the index was opened

    def find(self, query: SongQuery, limit: int = -1, offset: int = 0) -> list[str]:
        """Ids of songs, newest first; a limit of -1 is none."""
        where, values = _conditions(query)
        order = "ORDER BY created DESC, id DESC LIMIT :limit OFFSET :offset"
        values |= {"limit": min(limit, _HUGE), "offset": min(offset, _HUGE)}
        return self._ask(lambda db: [r[0] for r in db.execute(f"SELECT id FROM songs {where} {order}", values)])

    def count(self, query: SongQuery) -> int:
        """How many songs there are."""
        where, values = _conditions(query)
        return self._ask(lambda db: int(db.execute(f"SELECT count(*) FROM songs {where}", values).fetchone()[0]))

    def adapters(self) -> list[str]:
        """Names of the adapters that sing in any of the songs."""
        lists = self._ask(lambda db: [r[0] for r in db.execute("SELECT DISTINCT adapters FROM songs")])
        return sorted({name for names in lists for name in names.split(",") if name})

    def put(self, song_id: str, record: dict[str, Any]) -> None:
        """Take in a song that was written or changed."""
        if (stamp := self._disk.stamp(song_id)) is not None:
            self._tell(lambda db: db.execute(_PUT, _row(song_id, stamp, record)))

    def forget(self, ids: Iterable[str]) -> None:
        """Drop songs that are gone."""
        gone = [(song_id,) for song_id in ids]
        self._tell(lambda db: db.executemany("DELETE FROM songs WHERE id = ?", gone))

    def rebuild(self) -> None:
        """Read every song again."""

        def empty(db: sqlite3.Connection) -> None:
            db.execute("DELETE FROM songs")
            self._checked, self._seen = False, None

        with self._lock:
            self._ask(empty)
            self._ask(lambda db: None)

    def close(self) -> None:
        """Close the file; the next call opens it again."""
        with self._lock:
            self._close()
            self._connection, self._inode, self._seen, self._checked = None, None, None, False

    def _ask(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The answer, from the file if that can be had within reason, else from an index in memory."""
        with self._lock:
            in_memory = time.monotonic() < self._stand_in_until or not self.path.parent.is_dir()
            renewed = False
            while True:
                try:
                    connection = self._open(in_memory)
                    self._catch_up(connection)
                    return work(connection)
                except (sqlite3.Error, OSError) as error:
                    log.warning("the index of songs %s failed, which loses nothing: %s", self.path, error)
                    self.close()
                    if in_memory:
                        raise
                    in_memory = renewed or _code(error) in _NO_FAULT_OF_THE_FILE or not self._remove()
                    renewed = True
                    if in_memory:
                        self._stand_in_until = time.monotonic() + STAND_IN

    def _tell(self, work: Callable[[sqlite3.Connection], object]) -> None:
        """Write something, unless that fails: then what is opened next is compared with the disk, and takes it in."""
        with self._lock:
            try:
                work(self._open(time.monotonic() < self._stand_in_until))
            except (sqlite3.Error, OSError) as error:
                log.warning("the index of songs %s missed a change, and is compared next time: %s", self.path, error)
                self.close()

    def _open(self, in_memory: bool) -> sqlite3.Connection:
        if self._connection is not None and in_memory == (self._inode is None) and not self._moved():
            return self._connection
        self.close()
        place = ":memory:" if in_memory else self.path
        connection = sqlite3.connect(place, PATIENCE, isolation_level=None, check_same_thread=False)
        self._connection, self._close = connection, weakref.finalize(self, connection.close)
        with suppress(sqlite3.OperationalError):  # another process is just doing it; nothing hangs on it
            connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        if tables and version != SCHEMA:
            raise sqlite3.DatabaseError(f"it is of version {version}, not {SCHEMA}")
        if tables and (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(found)
        if not tables:
            with _transaction(connection):
                columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
                connection.execute(f"CREATE TABLE IF NOT EXISTS songs ({columns})")
                connection.execute("CREATE INDEX IF NOT EXISTS newest ON songs (created DESC, id DESC)")
                connection.execute(f"PRAGMA user_version = {SCHEMA}")
        self._inode = None if in_memory else self.path.stat().st_ino
        return connection

    def _moved(self) -> bool:
        """Whether the open file is no longer the one under its name."""
        try:
            return self._inode is not None and self.path.stat().st_ino != self._inode
        except OSError:
            return True

    def _remove(self) -> bool:
        """Delete the file; False where that cannot be done."""
        try:
            for suffix in ("-wal", "-shm", ""):
                self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        except OSError as error:
            log.warning("the index of songs %s cannot be replaced: %s", self.path, error)
            return False
        return True

    def _catch_up(self, connection: sqlite3.Connection) -> None:
        """Bring the rows to what the folder holds, if it has changed since this was last done."""
        changed = _changed(self.path.parent)
        if self._checked and changed == self._seen:
            return
        # Rows before folders: a song that another process adds in between is then found on the disk.
        rows = dict(connection.execute("SELECT id, stamp FROM songs"))
        ids = self._disk.ids()
        doubtful = ids if not self._checked else ids - rows.keys()
        fresh, unread = [], set()
        for song_id in doubtful:
            stamp = self._disk.stamp(song_id)
            if stamp is not None and rows.get(song_id) == stamp:
                continue
            record = self._disk.record(song_id)  # after the stamp: a change in between shows as another stamp
            if record is None or stamp is None:
                unread.add(song_id)
            else:
                fresh.append(_row(song_id, stamp, record))
        gone = [(song_id,) for song_id in rows.keys() & (unread | (rows.keys() - ids))]
        if gone or fresh:
            with _transaction(connection):
                connection.executemany("DELETE FROM songs WHERE id = ?", gone)
                connection.executemany(_PUT, fresh)
        settled = changed is not None and time.time_ns() - changed > _BLUR and not unread
        self._seen, self._checked = (changed if settled else None), True


def _changed(folder: Path) -> int | None:
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return None


def _row(song_id: str, stamp: str, record: dict[str, Any]) -> dict[str, Any]:
    return {**summarise(song_id, record), "stamp": stamp}


def _conditions(query: SongQuery) -> tuple[str, dict[str, Any]]:
    """The WHERE clause of a query and its values. ``instr`` knows no wildcards, so nothing needs to be escaped."""
    given: list[tuple[str, str, Any]] = []
    if query.text:
        given.append(("instr(caption, :text) OR instr(lyrics, :text)", "text", fold(query.text)))
    if query.adapter == "base":
        given.append(("adapters = :none", "none", ","))
    elif query.adapter is not None:
        given.append(("instr(adapters, :adapter)", "adapter", f",{query.adapter},"))
    if query.comparison is not None:
        given.append(("comparison = :comparison", "comparison", query.comparison))
    if query.compared is not None:
        given.append(("(comparison IS NOT NULL) = :compared", "compared", query.compared))
    if query.judged is not None:
        given.append(("(wer IS NOT NULL) = :judged", "judged", query.judged))
    if query.max_wer is not None:
        given.append(("wer <= :max_wer", "max_wer", query.max_wer))
    if query.min_wer is not None:
        given.append(("wer >= :min_wer", "min_wer", query.min_wer))
    if query.since is not None:
        given.append(("created >= :since", "since", query.since.timestamp()))
    if query.until is not None:
        given.append(("created < :until", "until", query.until.timestamp()))
    where = " AND ".join(f"({condition})" for condition, _, _ in given)
    return (f"WHERE {where}" if where else ""), {name: value for _, name, value in given}


def _code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
