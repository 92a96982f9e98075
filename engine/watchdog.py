"""Looks at the clocks of songs, ends those that take too long, and has threads replaced that are stuck with them.

Also gives memory back to the system now and then.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from engine.errors import TimedOut
from engine.memory import release_memory
from engine.register import Register
from engine.workers import Workers

#: Seconds between two looks, and between two times that memory is given back.
EVERY, RELEASE_EVERY = 0.2, 10.0


class Watchdog:
    """Ends every job whose deadline has passed; ``limit``: the seconds a song may take, for the message."""

    def __init__(self, register: Register, limit: float, workers: Sequence[Workers]) -> None:
        self._register, self._limit, self._workers = register, limit, workers
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="choirmaster-watching", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it still watches."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop watching."""
        self._closing.set()
        self._thread.join()

    def _watch(self) -> None:
        released, jobs = time.monotonic(), 0
        while not self._closing.wait(EVERY):
            now = time.monotonic()
            if now - released > RELEASE_EVERY:
                released, before, jobs = now, jobs, self._register.counters.songs
                if jobs != before:
                    release_memory()
            for job in self._register.live():
                if job.deadline is not None and job.deadline < now:
                    limit = f"{self._limit:g} s, which is the limit"
                    self._register.fail(job, TimedOut(f"the song took longer than {limit}: ask for a shorter one"))
                    for workers in self._workers:
                        workers.give_up(job)
