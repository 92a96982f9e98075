"""The engine: many songs at once with one song model.

Whoever wants a song submits a request and gets a job. Songs are prepared oldest first, join the denoising loop at its
next tick, step together, leave when done and are decoded beside it. An error, a cancellation or a time-out ends one job
alone. Knows nothing about HTTP, pages or judges.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from secrets import token_hex

from engine.bank import Shelf
from engine.errors import EngineClosed, QueueFull
from engine.finishing import Finisher
from engine.jobs import ENDED, Job, State
from engine.loop import DenoisingLoop
from engine.precedence import Line, find_joining, pick_sung
from engine.register import Register
from engine.request import SongRequest
from engine.settings import EngineSettings
from engine.singer import Singer
from engine.song import Step
from engine.song_model import SongModel
from engine.songs import SongStore
from engine.statistics import EngineStatistics
from engine.watchdog import Watchdog
from engine.workers import Workers

__all__ = ["ENDED", "Engine", "Job", "State"]


class Engine:
    """Sings jobs with one model; songs are stored where a store is given."""

    def __init__(
        self,
        model: SongModel,
        store: SongStore | None = None,
        shelf: Shelf | None = None,
        settings: EngineSettings | None = None,
    ) -> None:
        self.model, self.store = model, store
        self.settings = settings or EngineSettings()
        self.loop = DenoisingLoop(Singer(model, shelf, folded_bytes=self.settings.folded_bytes), self.settings)
        self._register = Register(stored=store is not None)
        self._queue = Line()  # to be prepared
        self._ready = Line()  # prepared
        self._running: list[Job] = []  # in the loop, oldest first
        self._sung = Line()  # to be decoded
        self._changed = threading.Condition()
        self._accepting, self._closing = True, False
        self._preparers = Workers("preparing", 1, self._take_queued, self._prepare)
        finisher = Finisher(self._register, store, model.name)
        decoders = self.settings.decoders or model.decoders
        self._decoders = Workers("decoding", decoders, self._take_sung, lambda job: finisher.finish(job, self.singer))
        self._singing = threading.Thread(target=self._sing, name="choirmaster-singing", daemon=True)
        self._watchdog = Watchdog(self._register, self.settings.song_timeout, [self._preparers, self._decoders])
        self._singing.start()

    @property
    def listeners(self) -> list[Callable[[Job], None]]:
        """Called with the job after every change, from the engine's threads; an error in one is logged and ignored."""
        return self._register.listeners

    @property
    def singer(self) -> Singer:
        """What sings; may be replaced while nothing is sung."""
        return self.loop.singer

    @singer.setter
    def singer(self, singer: Singer) -> None:
        self.loop.singer = singer

    def submit(self, request: SongRequest, *, comparison: str | None = None, background: bool = False) -> Job:
        """Queue a song; one of the background waits until nobody else's is there, and is not stored.

        Raises:
            QueueFull, EngineClosed: no more songs are taken, now or at all.
        """
        return self._submit([request], comparison, background)[0]

    def submit_together(self, requests: Sequence[SongRequest], *, comparison: str) -> list[Job]:
        """Queue songs to be compared, all of them or none; raises as :meth:`submit` does."""
        return self._submit(requests, comparison)

    def job(self, job_id: str) -> Job | None:
        """A job that waits, sings, or ended lately."""
        return self._register.job(job_id)

    def forget(self, job: Job) -> None:
        """Let go of a job that has ended, and of its song."""
        self._register.forget(job)

    def place(self, job: Job) -> int:
        """The job's place among those that wait, from 1; 0 where it does not wait any more."""
        waiting = self._register.waiting()
        return waiting.index(job) + 1 if job in waiting else 0

    def cancel(self, job: Job) -> None:
        """Stop a job: at once where it waits, else at its next step or before it is stored; none that has ended."""
        job._cancel.set()
        with self._changed:
            waiting = job.state == "queued"
            for line in (self._queue, self._ready):
                if job in line:
                    line.remove(job)
                    job.generation = None
            self._changed.notify_all()
        if waiting:
            self._register.end(job, "cancelled", "the song was cancelled before it was sung")

    @property
    def queued(self) -> int:
        """Songs that somebody waits for and that are not being sung yet."""
        return len(self._register.waiting())

    @property
    def running(self) -> int:
        """Songs in the denoising loop."""
        return len(self._running)

    @property
    def alive(self) -> bool:
        """Whether songs can still be sung."""
        threads = (self._preparers, self._decoders, self._watchdog)
        return not self._closing and self._singing.is_alive() and all(thread.alive for thread in threads)

    @property
    def accepting(self) -> bool:
        """Whether songs are still being taken."""
        return self._accepting and self.alive

    @property
    def statistics(self) -> EngineStatistics:
        """What has been done so far."""
        return self._register.counters.snapshot(self.queued, self.running, self._register.count("decoding"))

    def refuse(self) -> None:
        """Take no more songs; those accepted are finished."""
        with self._changed:  # nobody is half accepted afterwards
            self._accepting = False

    def drain(self, timeout: float) -> bool:
        """Take no more songs and wait until those accepted have ended; False where the time ran out."""
        deadline = time.monotonic() + timeout
        self.refuse()
        return all([job.wait(max(0.0, deadline - time.monotonic())) for job in self._register.live()])

    def close(self, timeout: float = 30.0) -> None:
        """Cancel what waits and what is being sung, and end all threads."""
        self._accepting = False
        with self._changed:
            self._closing = True
            jobs = self._register.live()
            self._changed.notify_all()
        for job in jobs:
            self.cancel(job)
        self._watchdog.close()
        self._singing.join(timeout)
        for workers in (self._preparers, self._decoders):
            workers.join(timeout)
        for job in jobs:
            self._register.end(job, "cancelled", "the server was shut down before the song was finished")

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _submit(self, requests: Sequence[SongRequest], comparison: str | None, background: bool = False) -> list[Job]:
        jobs = [
            Job(token_hex(8), r, self.singer.sampling(r).steps, comparison, at if comparison else None, background)
            for at, r in enumerate(requests)
        ]
        with self._changed:
            if not self._accepting or self._closing:
                raise EngineClosed()
            waiting = len(self._register.waiting())
            if not background and waiting + len(jobs) > self.settings.max_queue:
                raise QueueFull(self.settings.max_queue, min(600.0, max(1.0, self._register.pace * len(jobs))))
            for place, job in enumerate(jobs, waiting + 1):
                self._queue.append(job)
                self._register.add(job)
                job.events.append("queued", {"place": place})
            self._changed.notify_all()
        return jobs

    # --- preparing

    def _take_queued(self) -> Job | None:
        with self._changed:
            ahead = self.settings.prepared_ahead
            self._changed.wait_for(lambda: self._closing or self._queue.find_next(self._ready, ahead))
            return None if self._closing else self._queue.take()

    def _prepare(self, job: Job) -> None:
        if job.unwanted:
            return
        job.deadline = time.monotonic() + self.settings.song_timeout
        try:
            generation = self.singer.prepare(job.request)
        except Exception as error:
            self._register.fail(job, error)
            return
        with self._changed:
            mates = [mate.generation for mate in (*self._running, *self._ready) if mate.generation is not None]
        self.singer.anticipate([*mates, generation])
        with self._changed:
            if not job.unwanted:
                job.generation, job.deadline = generation, None
                self._ready.append(job)
            self._changed.notify_all()

    def _sing(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._running or self._next())
                if self._closing:
                    return
                joined = self._join()
            for job in joined:
                self._joined(job)
            for job in [job for job in self._running if job.unwanted]:
                self._leave(job)
                self._register.end(job, "cancelled", "the song was cancelled")
            if sung := pick_sung(self._running, self.settings.song_timeout):
                self.loop.tick(sung, self._stepped, self._register.counters.ticked)

    def _join(self) -> list[Job]:
        """Move what is ready into the loop; the condition is held."""
        joined = []
        while (job := self._next()) is not None:
            self._ready.remove(job)
            if job.unwanted or not self._register.move(job, "singing"):
                job.generation = None
            else:
                job.deadline = time.monotonic() + self.settings.song_timeout
                self._running.append(job)
                joined.append(job)
        self._changed.notify_all()
        return joined

    def _next(self) -> Job | None:
        """The song that may join now: there are not too many in the loop, and decoding keeps up."""
        return find_joining(self._queue, self._ready, self._running, self._sung, max(1, self.settings.max_songs))

    def _joined(self, job: Job) -> None:
        assert job.generation is not None
        patch_size = int(self.model.transformer.config.patch_size)
        job.events.append("singing", job.generation.describe(self.model.frame_rate, patch_size))
        self._register.tell(job)

    def _stepped(self, job: Job, outcome: Step | Exception) -> None:
        if isinstance(outcome, Exception):
            self._leave(job)
            self._register.fail(job, outcome)
            return
        if job.unwanted:  # the loop takes it out before its next tick
            return
        job.step = outcome.done
        told = None if job.generation is None else job.generation.tell(outcome.frame)
        job.events.append("step", {"step": job.step, "steps": outcome.of}, told)
        self._register.tell(job)
        if outcome.done >= outcome.of and not job.unwanted:
            self._leave(job, keep=True)
            if self._register.move(job, "decoding"):
                job.events.append("decoding")
                self._register.tell(job)
                with self._changed:
                    self._sung.append(job)
                    self._changed.notify_all()
            else:
                job.generation = None

    def _leave(self, job: Job, keep: bool = False) -> None:
        """Take a song out of the loop; ``keep`` what there is of it, to be decoded."""
        with self._changed:
            self._running[:] = [other for other in self._running if other is not job]
            idle = not self._running
        if idle or (job.generation is not None and job.generation.voices):
            self.singer.prune()
        if not keep:
            job.generation = None

    # --- decoding

    def _take_sung(self) -> Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._sung)
            if self._closing:
                return None
            job = self._sung.take()
            self._changed.notify_all()
            return job
