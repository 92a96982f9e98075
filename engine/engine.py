"""The engine: a queue of songs in front of one song model.

Whoever wants a song submits a request and gets a job; a worker thread sings jobs oldest first. An error or a
cancellation ends that job alone. Knows nothing about HTTP, pages or judges.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from engine.errors import Cancelled, ChoirmasterError, SongError
from engine.folding import Shelf
from engine.request import SongRequest
from engine.singer import Singer, Song, Step
from engine.song_model import SongModel
from engine.songs import SongStore

State = Literal["queued", "singing", "done", "failed", "cancelled"]
ENDED: frozenset[State] = frozenset({"done", "failed", "cancelled"})

#: Ended jobs are remembered (their songs are on disk); older ones are forgotten.
REMEMBERED_JOBS = 32
MAX_QUEUE = 256

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Job:
    """One requested song and how far it is. Read it from any thread; only the engine writes it."""

    id: str
    request: SongRequest
    steps: int
    state: State = "queued"
    step: int = 0
    song: Song | None = None
    error: str | None = None
    _cancel: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the job has ended; False where the time ran out."""
        return self._ended.wait(timeout)

    def result(self, timeout: float | None = None) -> Song:
        """The song, once it is there.

        Raises:
            TimeoutError: it was not there in time.
            Cancelled, SongError: the job ended without one.
        """
        if not self.wait(timeout):
            raise TimeoutError(f"the song {self.id} was not finished within {timeout} s")
        if self.song is None:
            raise (Cancelled if self.state == "cancelled" else SongError)(self.error or "the song was not sung")
        return self.song


class Engine:
    """Sings jobs one after another with one model; songs are stored where a store is given.

    ``listeners`` are called from the worker thread with the job after every change; an error in one is logged and
    ignored.
    """

    def __init__(self, model: SongModel, store: SongStore | None = None, shelf: Shelf | None = None) -> None:
        self.model, self.store = model, store
        self.singer = Singer(model, shelf)
        self.listeners: list[Callable[[Job], None]] = []
        self._queue: deque[Job] = deque()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._changed = threading.Condition()
        self._closing = False
        self._worker = threading.Thread(target=self._work, name="choirmaster-engine", daemon=True)
        self._worker.start()

    def submit(self, request: SongRequest) -> Job:
        """Queue a song.

        Raises:
            SongError: the queue is full or the engine is closed.
        """
        job = Job(secrets.token_hex(8), request, self.singer.sampling(request).steps)
        with self._changed:
            if self._closing:
                raise SongError("the engine is shutting down: no more songs are taken")
            if len(self._queue) >= MAX_QUEUE:
                raise SongError(f"{MAX_QUEUE} songs are waiting, which is the limit: try again when some are done")
            self._queue.append(job)
            self._jobs[job.id] = job
            self._forget()
            self._changed.notify()
        return job

    def job(self, job_id: str) -> Job | None:
        """A job that waits, sings, or ended lately."""
        return self._jobs.get(job_id)

    def place(self, job: Job) -> int:
        """How many songs are sung before this one is done; 0 where it is being sung or has ended."""
        with self._changed:
            return self._queue.index(job) + 1 if job in self._queue else 0

    def cancel(self, job: Job) -> None:
        """Stop a job: at once where it waits, at its next step where it is being sung; no effect where it has ended."""
        job._cancel.set()
        with self._changed:
            waiting = job in self._queue
            if waiting:
                self._queue.remove(job)
        if waiting:
            self._end(job, "cancelled", "the song was cancelled before it was sung")

    @property
    def queued(self) -> int:
        return len(self._queue)

    @property
    def alive(self) -> bool:
        """Whether songs are still being taken and sung."""
        return self._worker.is_alive() and not self._closing

    def close(self, timeout: float = 30.0) -> None:
        """Cancel what waits and what is being sung, and end the worker."""
        with self._changed:
            self._closing = True
            waiting, current = list(self._queue), [j for j in self._jobs.values() if j.state == "singing"]
            self._changed.notify()
        for job in waiting + current:
            self.cancel(job)
        self._worker.join(timeout)

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._queue) or self._closing)
                if self._closing:
                    return
                job = self._queue.popleft()
            self._sing(job)

    def _sing(self, job: Job) -> None:
        job.state = "singing"
        self._tell(job)
        try:
            song = self.singer.sing(job.request, lambda step: self._stepped(job, step), job._cancel.is_set)
            if self.store is not None:
                self.store.save(job.id, song, self.model.name)
        except Cancelled as error:
            self._end(job, "cancelled", str(error))
        except ChoirmasterError as error:
            self._end(job, "failed", str(error))
        except MemoryError:
            self._end(job, "failed", "there was not enough memory for this song: ask for a shorter one")
        except Exception as error:  # one song's failure must not end the engine
            log.exception("song %s failed", job.id)
            self._end(job, "failed", f"the song failed ({type(error).__name__}: {error}); the log has the details")
        else:
            job.song = song
            self._end(job, "done", None)

    def _stepped(self, job: Job, step: Step) -> None:
        job.step = step.done
        self._tell(job)

    def _end(self, job: Job, state: State, error: str | None) -> None:
        job.error, job.state = error, state
        self._tell(job)
        job._ended.set()

    def _tell(self, job: Job) -> None:
        for listener in list(self.listeners):
            try:
                listener(job)
            except Exception:
                log.exception("a listener failed on song %s", job.id)

    def _forget(self) -> None:
        ended = [i for i, j in self._jobs.items() if j.state in ENDED]
        for job_id in ended[: max(0, len(ended) - REMEMBERED_JOBS)]:
            del self._jobs[job_id]
