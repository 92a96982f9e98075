"""Threads that do one kind of work, and whose place another takes when one of them gets stuck."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from engine.jobs import Job

#: Stuck threads of one kind that are replaced; a thread cannot be ended from outside.
MOST_STUCK = 4

log = logging.getLogger(__name__)


class Workers:
    """``count`` threads that each take a job and work on it, until there is none to be had.

    ``take`` blocks until there is a job and gives None at the end.
    """

    def __init__(self, name: str, count: int, take: Callable[[], Job | None], work: Callable[[Job], None]) -> None:
        self.name, self._take, self._work = name, take, work
        self._lock = threading.Lock()
        self._busy: dict[threading.Thread, Job] = {}
        self._stuck: set[threading.Thread] = set()
        self._threads: list[threading.Thread] = []
        for _ in range(count):
            self._start()

    @property
    def alive(self) -> bool:
        """Whether some thread is there to work."""
        return any(thread.is_alive() and thread not in self._stuck for thread in list(self._threads))

    def give_up(self, job: Job) -> None:
        """Put another thread in the place of the one that is stuck with a job; no effect where none works on it."""
        with self._lock:
            for thread, held in list(self._busy.items()):
                if held is job and thread not in self._stuck:
                    log.warning("a thread that was %s is stuck with song %s", self.name, job.id)
                    self._stuck.add(thread)
                    if len(self._stuck) <= MOST_STUCK:
                        self._start()

    def join(self, timeout: float) -> None:
        """Wait for the threads that are not stuck."""
        for thread in list(self._threads):
            if thread not in self._stuck:
                thread.join(timeout)

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name=f"choirmaster-{self.name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        me = threading.current_thread()
        while me not in self._stuck and (job := self._take()) is not None:
            self._busy[me] = job
            try:
                self._work(job)
            except Exception:  # of our own: whatever befalls a song is told by ``work`` itself
                log.exception("a thread that was %s failed on song %s", self.name, job.id)
            finally:
                with self._lock:
                    del self._busy[me]
        with self._lock:
            self._stuck.discard(me)
            self._threads.remove(me)
