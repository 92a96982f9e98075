"""Verdicts on the way and arrived: asks the listener, writes down what it heard, tells whoever follows a song.

Knows songs by their ids. A song has one verdict in the end, whatever happens: where nobody listened, that is said.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakValueDictionary

from engine.errors import SongError
from engine.events import EventLog
from engine.songs import SongStore
from ui.listening import Hearing, Listener, Verdict
from ui.stored import DAMAGED, read_verdict

#: Verdicts kept in memory beside those on disk: of songs nobody listened to, and those a full disk did not take.
REMEMBERED = 256
WAITING: Verdict = {"state": "waiting", "reason": "the judge is listening"}
REMOVED: Verdict = {"state": "unavailable", "reason": "the song was removed"}
CLOSING: Verdict = {"state": "unavailable", "reason": "the server was stopped before the judge heard this song"}

log = logging.getLogger(__name__)


class Judging:
    """The verdicts of all songs of one store. ``changed`` is called after every change, from any thread."""

    def __init__(self, store: SongStore, listener: Listener, changed: Callable[[], None]) -> None:
        self.store, self.listener, self.changed = store, listener, changed
        self._lock = threading.Lock()
        self._verdicts: OrderedDict[str, Verdict] = OrderedDict()
        self._waiting: set[str] = set()
        self._writing: set[str] = set()  # heard, and on the way to the disk
        self._closed = False
        # Weak: a log that neither the engine nor a client holds has no one to tell.
        self._logs: WeakValueDictionary[str, EventLog] = WeakValueDictionary()

    def hear(self, song_id: str, lyrics: str, events: EventLog | None = None) -> None:
        """Have a stored song judged; its log, where there is one, is told the verdict."""
        with self._lock:
            self._waiting.add(song_id)
            self._verdicts.pop(song_id, None)
            if events is not None:
                self._logs[song_id] = events
            closed = self._closed
        self.changed()
        if closed:
            self._arrived(song_id, CLOSING)
            return
        try:
            sound = self.store.audio(song_id)
        except SongError as error:  # somebody put a link there
            self._arrived(song_id, {"state": "failed", "reason": str(error)})
            return
        self.listener.hear(Hearing(song_id, sound, lyrics, self._arrived))

    def hear_again(self, song_id: str, record: Mapping[str, Any], lyrics: str) -> None:
        """Have a stored song judged that nobody listened to yet, or whose verdict cannot be read."""
        unheard = "judged" not in record or read_verdict(record["judged"]) is DAMAGED
        with self._lock:
            known = self._verdicts.get(song_id, {}).get("state")
            wanted = unheard and song_id not in self._waiting | self._writing and known != "failed"
        if wanted and self.listener.state == "ready":
            self.hear(song_id, lyrics)

    def verdict(self, song_id: str, record: Mapping[str, Any]) -> Verdict:
        """What became, or becomes, of the judgement of a stored song."""
        with self._lock:
            if song_id in self._waiting or song_id in self._writing:
                return WAITING
            found = self._verdicts.get(song_id) or record.get("judged")
        if found is not None:
            return read_verdict(found)
        return {"state": "unavailable", "reason": self.listener.reason or "the judge has not heard this song"}

    def log(self, song_id: str) -> EventLog | None:
        """The events of a song sung lately, as long as anybody holds them."""
        return self._logs.get(song_id)

    def remove(self, song_id: str, for_good: bool = True) -> bool:
        """Delete a stored song with its verdict, or only put it aside; False where there was none.

        Raises:
            SongError: it cannot be deleted, and is there with its verdict as before.
        """
        gone = self.store.delete(song_id) if for_good else self.store.put_aside(song_id)
        with self._lock:
            heard = song_id not in self._waiting and song_id not in self._writing
            self._waiting.discard(song_id)
            self._writing.discard(song_id)
            if for_good:
                self._verdicts.pop(song_id, None)
            events = self._logs.pop(song_id, None)
        if events is not None and not heard:
            events.append("judged", REMOVED)
        self.changed()
        return gone

    def restore(self, song_id: str) -> bool:
        """Bring back a song that was put aside, with what was heard in it; False where it is gone for good.

        Raises:
            engine.trash.PlaceTaken: something stands in its place.
            SongError: it cannot be brought back.
        """
        back = self.store.restore(song_id)
        if back:
            self.changed()
        return back

    def wait(self, ends: float) -> bool:
        """Wait until every verdict has arrived, or until ``time.monotonic()`` is past ``ends``."""
        while (self._waiting or self._writing) and time.monotonic() < ends:
            time.sleep(0.05)
        return not (self._waiting or self._writing)

    def close(self) -> None:
        """End the listening; songs not yet heard are told so."""
        self.listener.close()
        with self._lock:
            self._closed = True
            unheard = list(self._waiting)
        for song_id in unheard:
            self._arrived(song_id, CLOSING)

    def _arrived(self, song_id: str, verdict: Verdict) -> None:
        with self._lock:
            if song_id not in self._waiting:  # removed meanwhile
                return
            self._waiting.discard(song_id)
            self._writing.add(song_id)
        # Without the lock, for which every look at a song would wait. A song deleted meanwhile stays deleted.
        if verdict["state"] in ("judged", "wordless"):
            try:
                self.store.annotate(song_id, judged=verdict)
            except Exception as error:  # a full disk: the verdict lives as long as the server
                log.warning("what the judge heard in %s was not written down: %s", song_id, error)
        with self._lock:
            if song_id not in self._writing:  # removed meanwhile, and that was told
                return
            self._writing.discard(song_id)
            self._verdicts[song_id] = verdict
            while len(self._verdicts) > REMEMBERED:
                self._verdicts.popitem(last=False)
            events = self._logs.get(song_id)
        if events is not None:
            events.append("judged", verdict)
        self.changed()
