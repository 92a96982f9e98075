"""Jobs of this process that a list of songs may show: those that wait or are being made, and those that ended without
a song lately. Knows the engine, not what is on disk.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Iterable
from contextlib import suppress

from engine.engine import ENDED, Engine, Job
from ui.listing import Listing

#: Ended without a song, and listed as long as the engine remembers them.
REMEMBERED_FAILURES = 64


class LiveJobs:
    """The jobs of one engine, oldest first. Any thread may call."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._going: OrderedDict[str, Job] = OrderedDict()
        self._fallen: deque[str] = deque(maxlen=REMEMBERED_FAILURES)
        self._unwanted: set[str] = set()

    def add(self, jobs: Iterable[Job]) -> None:
        """Jobs that were just queued."""
        with self._lock:
            self._going.update((job.id, job) for job in jobs if job.state not in ENDED)

    def end(self, job: Job) -> bool:
        """A job has ended; whether its song was to be removed meanwhile."""
        with self._lock:
            self._going.pop(job.id, None)
            unwanted = job.id in self._unwanted
            self._unwanted.discard(job.id)
            if job.state != "done":
                self._fallen.append(job.id)
        return unwanted

    def mark(self, song_id: str, unwanted: bool) -> None:
        """Whether a song is to be removed as soon as it has ended."""
        with self._lock:
            (self._unwanted.add if unwanted else self._unwanted.discard)(song_id)

    def forget(self, song_id: str) -> None:
        """List one no more that ended without a song."""
        with self._lock, suppress(ValueError):
            self._fallen.remove(song_id)

    def all(self) -> list[Job]:
        """All of them."""
        with self._lock:
            return [*self._going.values(), *filter(None, map(self._engine.job, self._fallen))]

    def listed(self, listing: Listing) -> list[Job]:
        """Those of the state that a list asks for, newest first."""
        with self._lock:
            going, fallen = list(self._going.values()), list(self._fallen)
        if listing.state in ("failed", "cancelled"):
            going = [job for job in map(self._engine.job, fallen) if job is not None]
        else:
            going = [job for job in going if job.state not in ENDED]
        return [job for job in reversed(going) if listing.state in (None, job.state)]
