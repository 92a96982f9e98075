"""All songs of one server: those that wait, those being sung, and those on disk, with what the judge heard in them.

Ties engine, store, judge and router together for the HTTP API and the pages alike. Knows neither HTTP nor HTML.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.engine import ENDED, Engine, Job
from engine.errors import RequestError, SongError
from engine.events import EventLog
from engine.genres import CaptionReading
from engine.plan import Plan
from engine.request import SongRequest
from engine.song_query import SongQuery
from engine.songs import SONG_ID, SongStore
from router.decision import Decision
from ui.cascades import Cascades
from ui.choices import NOTHING, Choice, Choices
from ui.judging import REMOVED, Judging
from ui.listening import Listener
from ui.listing import Listing, is_asked_for
from ui.live import LiveJobs
from ui.removal import Removal
from ui.routing import Routing, prompt_of
from ui.standings import Standing, of_job, of_record

#: Songs of one comparison.
MAX_COMPARED = 8


class Songs:
    """The service behind the API and the pages. Every method may be called from any thread."""

    def __init__(self, engine: Engine, store: SongStore, listener: Listener, routing: Routing | None = None) -> None:
        self.engine, self.store, self.listener = engine, store, listener
        self.routing = routing or Routing()
        #: Grows with every change but steps, so that a page can tell cheaply that there is nothing new.
        self.changes = 0
        self.judging = Judging(store, listener, self.count_change)
        self.choices = Choices(store, self._has_ended)
        self.cascades = Cascades(self)
        self._live = LiveJobs(engine)
        self._removal = Removal(engine, self.judging, self._live, self.count_change)
        engine.listeners.append(self._changed)

    def preview(self, request: SongRequest) -> tuple[Plan | None, CaptionReading, float]:
        """Plan, reading and seconds of a request.

        Raises:
            RequestError: this model cannot sing it; UnknownAdapter where it names one that is not there.
        """
        return self.engine.singer.preview(request)

    def decide(self, request: SongRequest) -> Decision:
        """What the router would sing a request with.

        Raises:
            NoRouter: there is none, or it is still being loaded.
        """
        return self.routing.decide(prompt_of(request))

    def submit(self, request: SongRequest, choice: Choice = NOTHING) -> Job:
        """Queue a song; ``choice`` is kept with it.

        Raises:
            RequestError: this model cannot sing it.
            QueueFull, EngineClosed: no more songs are taken, now or at all.
        """
        self.preview(request)
        return self._entered([self.engine.submit(request)], {0: choice})[0]

    def submit_routed(self, request: SongRequest) -> Job:
        """Queue a song by what the router chooses, whatever its composition; raises as :meth:`decide` and
        :meth:`submit` do."""
        decision = self.decide(request)
        return self.submit(request.sung_by(decision.composition), Choice(decision))

    def compare(
        self, requests: Sequence[SongRequest], choices: Mapping[int, Choice] | None = None, group: str | None = None
    ) -> tuple[str, list[Job]]:
        """Queue songs that belong together, all or none; the id they share, and their jobs in the same order.

        ``choices``: what is to be kept with some of them, by place; ``group``: an id that is theirs already.

        Raises:
            RequestError: this model cannot sing one of them, or there are more than may ever wait.
            QueueFull, EngineClosed: no more songs are taken, now or at all.
        """
        most = self.engine.settings.max_queue
        if len(requests) > most:
            raise RequestError(
                f"{len(requests)} songs are to be compared and at most {most} may wait here: compare fewer at once, or "
                "start the server with a larger --max-queue"
            )
        for request in requests:
            self.preview(request)
        group = group or secrets.token_hex(8)
        return group, self._entered(self.engine.submit_together(requests, comparison=group), choices or {})

    def comparison(self, comparison: str) -> list[Standing]:
        """The songs of a comparison, or takes of a cascade, that are still known, in the order they were asked for."""
        if not SONG_ID.fullmatch(comparison):
            return []
        found = [self.standing_of(job) for job in self._live.all() if job.comparison == comparison]
        there = {standing.id for standing in found if standing is not None}
        stored = self.store.browse(SongQuery(comparison=comparison), 2 * MAX_COMPARED, 0)
        found += [self._of_record(record) for record in stored if record.get("id") not in there]
        last = MAX_COMPARED  # of songs that do not tell their place
        places = {s.id: last if s.comparison_place is None else s.comparison_place for s in found if s is not None}
        return sorted(filter(None, found), key=lambda s: (places[s.id], s.created or "", s.id))

    def standing(self, song_id: str) -> Standing | None:
        """How a song stands, or None where there is none of that id."""
        if not SONG_ID.fullmatch(song_id):
            return None
        job = self.engine.job(song_id)
        if job is not None and job.state != "done":
            return self._of_job(job)
        return None if (record := self.store.record(song_id)) is None else self._of_record(record)

    def standing_of(self, job: Job) -> Standing | None:
        """How a job stands, also once the engine has forgotten it; None where its song was removed."""
        return self._of_job(job) if job.state != "done" else self.standing(job.id)

    def listed(self, limit: int, offset: int = 0, listing: Listing | None = None) -> list[Standing]:
        """Songs, newest first, those that wait or are being made before all others."""
        return self.page(limit, offset, listing)[0]

    def page(self, limit: int, offset: int = 0, listing: Listing | None = None) -> tuple[list[Standing], int]:
        """A part of the list, and how many songs the whole has."""
        listing = listing or Listing()
        going = self._going(listing)
        shown = [self._of_job(job) for job in going[offset : offset + limit]]
        if listing.state not in (None, "done"):
            return shown, len(going)
        total = len(going) + self.store.count(listing.query)
        if len(shown) < limit:
            records = self.store.browse(listing.query, limit - len(shown), max(0, offset - len(going)))
            shown += [self._of_record(record) for record in records]
        return shown, total

    def events(self, song_id: str) -> EventLog | None:
        """What happens to a song of this process; None for those that are only on disk."""
        job = self.engine.job(song_id)
        return self.judging.log(song_id) if job is None else job.events

    def sound(self, song_id: str) -> Path | None:
        """The song's flac, or None where there is none."""
        return self._file(song_id, self.store.audio)

    def attention(self, song_id: str) -> Path | None:
        """The song's attention maps, or None where there are none."""
        return self._file(song_id, self.store.attention)

    def cancel(self, song_id: str) -> None:
        """Stop a song that waits or is being made; no effect on others."""
        job = self.engine.job(song_id)
        if job is not None and job.state not in ENDED:
            self.engine.cancel(job)

    def remove(self, song_id: str, for_good: bool = False) -> str | None:
        """Cancel a song that waits or is being made, delete one that is stored, list one no more that ended otherwise.

        Returns "cancelled", "cancelling" (it ends with its next step), "failed" or "deleted"; None where there is none.
        One that is deleted can be brought back for a while unless it is to go ``for_good``; see :meth:`kept_for`.

        Raises:
            SongError: it is stored and cannot be deleted.
        """
        return self._removal.remove(song_id, for_good)

    def restore(self, song_id: str) -> bool:
        """Bring back a song that was deleted lately, all that belongs to it included; False where it is gone for good.

        Raises:
            engine.trash.PlaceTaken: something stands in its place.
            SongError: it cannot be brought back.
        """
        back = self._removal.restore(song_id)
        if back:
            self.judge_again(song_id)  # where it went before the judge had heard it
        return back

    def kept_for(self, song_id: str) -> float:
        """Seconds for which a song that was just deleted can be brought back; 0 where it is gone for good."""
        return self.store.trash.kept_for if song_id in self.store.trash else 0.0

    def judge_again(self, song_id: str) -> None:
        """Let the judge hear a stored song that it has not judged yet."""
        standing = self.standing(song_id)
        if standing is not None and standing.record is not None:
            self.judging.hear_again(song_id, standing.record, str(standing.request.get("lyrics", "")))

    def refuse(self) -> None:
        """Take no more songs; those accepted are finished."""
        self.engine.refuse()

    def drain(self, seconds: float) -> bool:
        """Take no more songs, finish those accepted and let the judge hear them; True when all was done in time."""
        ends = time.monotonic() + seconds
        return self.engine.drain(seconds) and self.judging.wait(ends)

    def close(self) -> None:
        """Cancel what waits and what is being made, end engine, judge and router."""
        self.cascades.close()
        self.engine.close()
        self.judging.close()
        self.routing.close()
        self.store.trash.leave()

    def _going(self, listing: Listing) -> list[Job]:
        """Jobs of the list, newest first, that are not (also) on disk."""
        return [
            job
            for job in self._live.listed(listing)
            if is_asked_for(listing.query, job) and (job.state != "decoding" or self.store.record(job.id) is None)
        ]

    def count_change(self) -> None:
        """Let the pages know that there is something new."""
        self.changes += 1

    def _file(self, song_id: str, place: Callable[[str], Path]) -> Path | None:
        if not SONG_ID.fullmatch(song_id):
            return None
        try:
            path = place(song_id)
        except SongError:  # a link stands there, and none is followed
            return None
        return path if path.is_file() else None

    def _of_job(self, job: Job) -> Standing:
        return of_job(job, self.engine.place(job), self.choices.of(job.id))

    def _of_record(self, record: dict[str, Any]) -> Standing:
        song_id = str(record.get("id"))
        return of_record(record, self.judging.verdict(song_id, record), self.choices.of(song_id, record))

    def _entered(self, jobs: list[Job], choices: Mapping[int, Choice]) -> list[Job]:
        for place, choice in choices.items():
            self.choices.keep(jobs[place].id, choice)
            if jobs[place].state == "done":
                self.choices.write(jobs[place].id)
        self._live.add(jobs)
        self.count_change()
        return jobs

    def _has_ended(self, song_id: str) -> bool:
        job = self.engine.job(song_id)
        return job is None or job.state in ENDED

    def _changed(self, job: Job) -> None:
        """Told by the engine, from its threads."""
        if job.background:  # of an evaluation, which is nobody's song
            return
        self.changes += job.step == 0 or job.state in ENDED or job.state == "decoding"
        if job.state not in ENDED:
            return
        unwanted = self._live.end(job)
        if job.state != "done":
            return
        self.choices.write(job.id)
        if unwanted and self._removal.delete_unwanted(job.id):  # the cancellation came after the last step
            job.events.append("judged", REMOVED)
        else:
            self.judging.hear(job.id, job.request.lyrics, job.events)
