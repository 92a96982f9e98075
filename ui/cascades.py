"""Cascades of one server: songs of one prompt sung and judged until the words come through, each an ordinary song.

The order and the end of a cascade are ``router``'s; here its takes are queued, listened to, told to whoever looks, and
found again after a restart by what is stored with them. Knows the service of songs, neither HTTP nor HTML.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from engine.engine import ENDED, Job
from engine.errors import Cancelled, ChoirmasterError, EngineClosed, QueueFull, SongError
from engine.request import SongRequest
from engine.songs import SONG_ID
from router.cascade import Cascade, JudgeGone, SongGone, Take, Wish, run_cascade
from router.decision import Decision
from ui.choices import Choice, TakeOf
from ui.judging import CLOSING, REMOVED
from ui.routing import prompt_of
from ui.stored import number, read_verdict
from ui.takes import CascadeOptions, CascadeStanding, CascadeState, TakeStanding, plan_takes, read_past

if TYPE_CHECKING:
    from ui.songs import Songs

#: Cascades that may be going at once, and those remembered beside them; of others, what is stored is told.
MAX_GOING, REMEMBERED = 16, 64
#: Seconds between two looks at whether a cascade is still wanted, or a place in the queue is free.
LOOK_EVERY = 0.25
#: Seconds that the first take waits for a judge that is being loaded.
JUDGE_PATIENCE = 30.0


log = logging.getLogger(__name__)


class CascadesFull(QueueFull):
    """No more cascades may be going."""

    def __init__(self) -> None:
        SongError.__init__(self, f"{MAX_GOING} cascades are going, which is the limit: try again when one has ended")
        self.retry_after = 10.0


class _Going:
    """A cascade of this process. Its own thread writes it."""

    def __init__(self, request: SongRequest, options: CascadeOptions, decision: Decision) -> None:
        self.id, self.created = secrets.token_hex(8), datetime.now(UTC).isoformat(timespec="seconds")
        self.request, self.options, self.decision = request, options, decision
        self.wishes = plan_takes(decision, request.seed, options)
        self.jobs: dict[int, Job | Exception] = {}  # by place
        self.takes: dict[int, Take] = {}
        self.outcome: Cascade | None = None
        self.fault: str | None = None
        self.unwanted = threading.Event()

    @property
    def ended(self) -> bool:
        return self.outcome is not None or self.fault is not None


class Cascades:
    """The cascades of a service of songs. Any thread may call."""

    def __init__(self, songs: Songs) -> None:
        self._songs = songs
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Going] = OrderedDict()

    def start(self, request: SongRequest, options: CascadeOptions | None = None) -> CascadeStanding:
        """Begin a cascade; the request's composition is not looked at.

        Raises:
            RequestError: this model cannot sing it.
            NoRouter: nobody says what to try.
            QueueFull, EngineClosed: no more songs are taken, now or at all.
        """
        songs = self._songs
        songs.preview(request.model_copy(update={"composition": {}}))
        going = _Going(request, options or CascadeOptions(), songs.decide(request))
        if not songs.engine.accepting:
            raise EngineClosed()
        if songs.engine.queued >= (most := songs.engine.settings.max_queue):
            raise QueueFull(most, 5.0)
        with self._lock:
            if sum(not other.ended for other in self._known.values()) >= MAX_GOING:
                raise CascadesFull()
            self._known[going.id] = going
            for old in [old for old in self._known.values() if old.ended][:-REMEMBERED]:
                del self._known[old.id]
        threading.Thread(target=self._run, args=(going,), name="choirmaster-cascade", daemon=True).start()
        songs.count_change()
        return self._standing_of(going)

    def standing(self, cascade: str) -> CascadeStanding | None:
        """How a cascade stands, or None where there is none of that id."""
        if not SONG_ID.fullmatch(cascade):
            return None
        with self._lock:
            going = self._known.get(cascade)
        return self._standing_of(going) if going is not None else read_past(self._songs.store, cascade)

    def cancel(self, cascade: str) -> CascadeStanding | None:
        """Sing no more takes of a cascade, and stop those being sung; takes that are done stay. How it stands then."""
        with self._lock:
            going = self._known.get(cascade)
        if going is not None and not going.ended:
            going.unwanted.set()
            for job in list(going.jobs.values()):  # to which its thread adds
                if isinstance(job, Job) and job.state not in ENDED:
                    self._songs.engine.cancel(job)
            self._songs.count_change()
        return self.standing(cascade)

    def job(self, cascade: str) -> Job | None:
        """The latest take of a cascade of this process."""
        with self._lock:
            going = self._known.get(cascade)
        jobs = [] if going is None else [job for job in dict(going.jobs).values() if isinstance(job, Job)]
        return jobs[-1] if jobs else None

    def close(self) -> None:
        """Cancel all."""
        with self._lock:
            going = list(self._known)
        for cascade in going:
            try:
                self.cancel(cascade)
            except Exception:  # the others, and all else that is closed after them, must end too
                log.exception("the cascade %s was not cancelled", cascade)

    # --- of one cascade, in its thread

    def _run(self, going: _Going) -> None:
        listener, options = self._songs.listener, going.options
        ends = time.monotonic() + JUDGE_PATIENCE
        wordless = prompt_of(going.request).instrumental
        # Whether there is a judge decides how many songs are sung, where there is something to judge.
        while not wordless and listener.state == "loading" and time.monotonic() < ends and not going.unwanted.is_set():
            going.unwanted.wait(LOOK_EVERY)
        deaf = listener.state in ("off", "unavailable")
        try:
            going.outcome = run_cascade(
                going.wishes,
                lambda wishes: self._sing(going, wishes),
                None if deaf else lambda job: self._hear(going, job),
                budget=options.budget,
                stop_wer=options.stop_wer,
                together=min(options.together, self._songs.engine.settings.max_queue),
                wordless=wordless,
                told=lambda take: self._take(going, take),
                cancelled=going.unwanted.is_set,
                # A server that ends sings nothing more, and hears what it has sung.
                closing=lambda: not self._songs.engine.accepting,
            )
        except Exception as error:
            if not isinstance(error, ChoirmasterError):
                log.exception("the cascade %s failed", going.id)
            going.fault = str(error) if isinstance(error, ChoirmasterError) else "the server's log has the details"
        self._songs.count_change()

    def _take(self, going: _Going, take: Take) -> None:
        going.takes[len(going.takes)] = take
        self._songs.count_change()

    def _sing(self, going: _Going, wishes: Sequence[Wish]) -> list[Job | Exception]:
        first = len(going.takes)
        for place, wish in enumerate(wishes, first):
            try:
                going.jobs[place] = self._queue(going, wish, place)
            except ChoirmasterError as error:  # such as an adapter that is gone
                going.jobs[place] = error
            self._songs.count_change()
        sung = [going.jobs[place] for place in range(first, first + len(wishes))]
        for job in sung:
            if isinstance(job, Job):
                job.wait()
        return [
            SongError(job.error or job.state) if isinstance(job, Job) and job.state != "done" else job for job in sung
        ]

    def _queue(self, going: _Going, wish: Wish, place: int) -> Job:
        options, engine = going.options, self._songs.engine
        mark = TakeOf(going.id, place, wish.name, options.budget, options.stop_wer, options.retry)
        request, choices = going.request.sung_by(wish.composition, wish.seed), {0: Choice(going.decision, mark)}
        while True:
            # To ask means to plan the song, which is not for every look.
            while engine.queued >= engine.settings.max_queue and not going.unwanted.is_set():
                going.unwanted.wait(LOOK_EVERY)
            if going.unwanted.is_set():
                raise Cancelled("the cascade was cancelled")
            try:
                job = self._songs.compare([request], choices, going.id)[1][0]
            except QueueFull:  # somebody was faster
                continue
            else:
                if going.unwanted.is_set():  # while it was being queued
                    engine.cancel(job)
                return job

    def _hear(self, going: _Going, job: Job) -> float | None:
        woken = threading.Event()
        stop = job.events.listen(woken.set)
        try:
            while not (found := [event.data for event in job.events.since() if event.kind == "judged"]):
                if going.unwanted.is_set():
                    raise Cancelled("the cascade was cancelled before the judge had listened")
                woken.wait(LOOK_EVERY)
                woken.clear()
        finally:
            stop()
        verdict = read_verdict(found[0])
        if verdict == REMOVED or self._songs.store.stamp(job.id) is None:  # gone before or while it was heard
            raise SongGone(str(REMOVED["reason"]))
        if verdict["state"] == "unavailable" and verdict != CLOSING:
            raise JudgeGone(str(verdict.get("reason") or "nobody listens any more"))
        if verdict["state"] not in ("judged", "wordless"):
            raise SongError(str(verdict.get("reason") or "the judge did not listen"))
        return number(verdict["wer"]) if verdict["state"] == "judged" else None

    # --- how it stands

    def _standing_of(self, going: _Going) -> CascadeStanding:
        outcome = going.outcome
        takes = tuple(self._take_standing(going, place, job) for place, job in dict(going.jobs).items())
        best = None
        if outcome is not None and outcome.best is not None:
            best = next((t.song for t in takes if outcome.takes[t.place] is outcome.best), None)
        state: CascadeState = "going"
        if going.fault is not None or (outcome is not None and outcome.best is None):
            state = "failed"
        if outcome is not None and outcome.stopped == "cancelled":
            state = "cancelled"
        elif state == "going" and outcome is not None:
            state = "done"
        return CascadeStanding(
            going.id,
            state,
            going.created,
            going.request.as_json(),
            going.options.model_dump(),
            going.decision,
            takes,
            best,
            None if outcome is None else outcome.stopped,
            going.fault if outcome is None else outcome.reason,
        )

    def _take_standing(self, going: _Going, place: int, job: Job | Exception) -> TakeStanding:
        wish, take = going.wishes[place], going.takes.get(place)
        if not isinstance(job, Job):
            return TakeStanding(place, None, wish.name, wish.seed, "failed", None, str(job))
        wer = None if take is None else take.wer
        if job.state == "done" and self._songs.store.stamp(job.id) is None:
            return TakeStanding(place, None, wish.name, wish.seed, "removed", wer, str(REMOVED["reason"]))
        error = (take.error if take is not None else "") or job.error
        state = "judging" if take is None and job.state == "done" else job.state
        return TakeStanding(place, job.id, wish.name, wish.seed, state, wer, error or None)
