"""All jobs of one engine: those that wait or are being sung, and those that ended lately; and how a job ends, once.

Any thread may use it. Knows nothing of how songs are sung.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from engine.errors import Cancelled, ChoirmasterError, TimedOut
from engine.events import Kind
from engine.failures import describe_failure
from engine.jobs import ENDED, Job, State
from engine.song import Song
from engine.statistics import Counters

#: Ended jobs are remembered; older ones are forgotten.
REMEMBERED_JOBS = 128
#: Bytes of sound and attention maps kept of ended jobs whose songs are stored.
REMEMBERED_BYTES = 64 << 20

_KINDS: dict[State, Kind] = {"done": "done", "failed": "failed", "cancelled": "cancelled"}

log = logging.getLogger(__name__)


class Register:
    """Jobs by id, in the order they were asked for. ``stored``: whether ended songs can be read from a store."""

    def __init__(self, stored: bool) -> None:
        self.listeners: list[Callable[[Job], None]] = []
        self.counters = Counters()
        self._stored = stored
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._lock = threading.RLock()
        self._pace, self._latest_end = 0.0, 0.0

    @property
    def pace(self) -> float:
        """Seconds between two songs that are done, lately; 0 before the second."""
        return self._pace

    def add(self, job: Job) -> None:
        """Remember a new job, and forget the oldest of those that have ended."""
        with self._lock:
            self._jobs[job.id] = job
            ended = [j for j in self._jobs.values() if j.state in ENDED]
            for old in ended[: max(0, len(ended) - REMEMBERED_JOBS)]:
                del self._jobs[old.id]
            kept = 0
            for old in reversed(ended):
                kept += (0 if old.song is None else old.song.nbytes) + old.events.nbytes
                if self._stored and not old.background and kept > REMEMBERED_BYTES:
                    old.song = None
                    old.events.drop_frames()

    def job(self, job_id: str) -> Job | None:
        """The job of an id, as long as it is remembered."""
        return self._jobs.get(job_id)

    def forget(self, job: Job) -> None:
        """Drop a job that has ended."""
        with self._lock:
            if job.ended:
                self._jobs.pop(job.id, None)

    def live(self) -> list[Job]:
        """Jobs that have not ended, oldest first."""
        with self._lock:
            return [job for job in self._jobs.values() if job.state not in ENDED]

    def count(self, state: State) -> int:
        """How many of the remembered jobs are in a state."""
        with self._lock:
            return sum(job.state == state for job in self._jobs.values())

    def waiting(self) -> list[Job]:
        """Jobs that somebody waits for and that are not being sung yet, oldest first; none of the background."""
        with self._lock:
            return [job for job in self._jobs.values() if job.state == "queued" and not job.background]

    def move(self, job: Job, state: State) -> bool:
        """Take a job into its next state; False where it has ended meanwhile."""
        with self._lock:
            if not job.ended:
                job.state = state
            return not job.ended

    def end(
        self, job: Job, state: State, error: str | None, song: Song | None = None, *, timed_out: bool = False
    ) -> bool:
        """End a job, once; False where it has ended already. A background song that was cancelled too late to stop it
        is dropped: it is stored nowhere, and whoever asked for it has left."""
        with self._lock:
            if job.ended:
                return False
            if song is not None and job.background and job.unwanted:
                state, error, song = "cancelled", "the song was cancelled", None
            job.timed_out, job.song, job.error, job.state = timed_out, song, error, state
            if state == "done":
                self._paced()
            self.counters.ended("timeout" if timed_out else state, list(job.request.composition))
        if song is None:  # nobody looks at maps of a song that never was
            job.events.drop_frames()
        about = {"error": error} if song is None else {"seconds": round(song.seconds, 3)}
        job.events.append(_KINDS[state], about)
        self.tell(job)
        job._ended.set()
        return True

    def fail(self, job: Job, error: Exception) -> None:
        """End a job that an error befell; a cancellation is told as one."""
        if isinstance(error, Cancelled):
            self.end(job, "cancelled", str(error))
            return
        if not isinstance(error, ChoirmasterError):  # one song's failure must not end the engine
            log.error("song %s failed", job.id, exc_info=error)
        self.end(job, "failed", describe_failure(error), timed_out=isinstance(error, TimedOut))

    def _paced(self) -> None:
        now = time.monotonic()
        if self._latest_end:
            between = min(60.0, now - self._latest_end)
            self._pace = 0.8 * self._pace + 0.2 * between if self._pace else between
        self._latest_end = now

    def tell(self, job: Job) -> None:
        """Tell the listeners that something about a job has changed."""
        for listener in list(self.listeners):
            try:
                listener(job)
            except Exception:
                log.exception("a listener failed on song %s", job.id)
