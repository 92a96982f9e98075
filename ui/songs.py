"""All songs of one server: those that wait, those being sung, and those on disk, with what the judge heard in them.

Ties engine, store and judge together for the HTTP API and the pages alike. Knows neither HTTP nor HTML.
"""

from __future__ import annotations

import logging
import re
import threading
from collections import OrderedDict
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from engine.engine import ENDED, Engine, Job, State
from engine.genres import CaptionReading
from engine.plan import Plan
from engine.request import SongRequest
from engine.songs import SongStore
from ui.listening import Hearing, Listener, Verdict

#: Verdicts kept in memory: those on the way, and those a full disk did not take.
REMEMBERED_VERDICTS = 256
#: Seconds a deletion waits for the song being sung to reach its next step.
CANCEL_PATIENCE = 2.0

_ID = re.compile(r"[0-9a-f]{8,32}")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Standing:
    """How one song stands. ``place``: songs sung before this one is done, 0 where it is not waiting."""

    id: str
    state: State
    request: dict[str, Any]
    step: int = 0
    steps: int = 0
    place: int = 0
    error: str | None = None
    judged: Verdict | None = None
    record: dict[str, Any] | None = None

    @property
    def settled(self) -> bool:
        """Whether nothing more will happen: sung and judged, or ended otherwise."""
        return self.state in ENDED and (self.judged or {}).get("state") not in ("waiting",)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "links": links(self.id)}


def links(song_id: str) -> dict[str, str]:
    """Where a song is found over HTTP."""
    return {"self": f"/v1/songs/{song_id}", "audio": f"/v1/songs/{song_id}/audio"}


class Songs:
    """The service behind the API and the pages. Every method may be called from any thread."""

    def __init__(self, engine: Engine, store: SongStore, listener: Listener) -> None:
        self.engine, self.store, self.listener = engine, store, listener
        #: Grows with every change but steps, so that a page can tell cheaply that there is nothing new.
        self.changes = 0
        self._lock = threading.Lock()
        self._live: OrderedDict[str, Job] = OrderedDict()
        self._unwanted: set[str] = set()
        self._verdicts: OrderedDict[str, Verdict] = OrderedDict()
        engine.listeners.append(self._changed)

    def preview(self, request: SongRequest) -> tuple[Plan | None, CaptionReading, float]:
        """Plan, reading and seconds of a request.

        Raises:
            RequestError: this model cannot sing it.
        """
        return self.engine.singer.preview(request)

    def submit(self, request: SongRequest) -> Job:
        """Queue a song.

        Raises:
            RequestError: this model cannot sing it.
            SongError: the queue is full or the engine is closed.
        """
        self.preview(request)
        job = self.engine.submit(request)
        with self._lock:
            self.changes += 1
            if job.state not in ENDED:
                self._live[job.id] = job
        return job

    def standing(self, song_id: str) -> Standing | None:
        """How a song stands, or None where there is none of that id."""
        if not _ID.fullmatch(song_id):
            return None
        job = self.engine.job(song_id)
        if job is not None and job.state != "done":
            return self._of_job(job)
        record = self.store.record(song_id)
        return None if record is None else self._of_record(record)

    def listed(self, limit: int, offset: int = 0) -> list[Standing]:
        """Songs, newest first, those that wait or are being sung before all others."""
        with self._lock:
            live = [job for job in reversed(self._live.values()) if job.state not in ENDED]
        known = {job.id for job in live}
        stored = (self._of_record(r) for r in self.store if r.get("id") not in known)
        return list(islice(chain((self._of_job(job) for job in live), stored), offset, offset + limit))

    def sound(self, song_id: str) -> Path | None:
        """The song's flac, or None where there is none."""
        if not _ID.fullmatch(song_id):
            return None
        path = self.store.audio(song_id)
        return path if path.is_file() else None

    def cancel(self, song_id: str) -> None:
        """Stop a song that waits or is being sung; no effect on others."""
        job = self.engine.job(song_id)
        if job is not None and job.state not in ENDED:
            self.engine.cancel(job)

    def remove(self, song_id: str) -> str | None:
        """Cancel a song that waits or is being sung, delete one that is stored.

        Returns "cancelled", "cancelling" (it ends with its next step) or "deleted"; None where there is none of that
        id.
        """
        if not _ID.fullmatch(song_id):
            return None
        job = self.engine.job(song_id)
        if job is not None and job.state not in ENDED:
            with self._lock:
                self._unwanted.add(song_id)
            self.engine.cancel(job)
            if not job.wait(CANCEL_PATIENCE):
                return "cancelling"
            if job.state != "done":
                return "cancelled"
        with self._lock:  # so that a verdict does not write into a folder that is going
            self._unwanted.discard(song_id)
            self._verdicts.pop(song_id, None)
            self.changes += 1
            return "deleted" if self.store.delete(song_id) else None

    def judge_again(self, song_id: str) -> None:
        """Let the judge hear a stored song that it has not judged yet."""
        standing = self.standing(song_id)
        if standing is not None and standing.state == "done" and self.listener.state == "ready":
            with self._lock:
                known = self._verdicts.get(song_id, {}).get("state")
            if "judged" not in (standing.record or {}) and known not in ("waiting", "failed"):
                self._ask_judge(song_id, str(standing.request.get("lyrics", "")))

    def close(self) -> None:
        """Cancel what waits, end engine and judge."""
        self.engine.close()
        self.listener.close()

    def _of_job(self, job: Job) -> Standing:
        asked = job.request.model_dump(mode="json", exclude_none=True)
        return Standing(job.id, job.state, asked, job.step, job.steps, self.engine.place(job), job.error)

    def _of_record(self, record: dict[str, Any]) -> Standing:
        song_id, steps = str(record.get("id")), int(record.get("sampling", {}).get("steps", 0))
        with self._lock:
            judged = self._verdicts.get(song_id) or record.get("judged")
        if judged is None:
            judged = {"state": "unavailable", "reason": self.listener.reason or "the judge has not heard this song"}
        return Standing(song_id, "done", record.get("request", {}), steps, steps, judged=judged, record=record)

    def _changed(self, job: Job) -> None:
        """Told by the engine, from its worker thread."""
        self.changes += job.step == 0 or job.state in ENDED
        if job.state not in ENDED:
            return
        with self._lock:
            self._live.pop(job.id, None)
            unwanted = job.id in self._unwanted
            self._unwanted.discard(job.id)
        if job.state == "done" and unwanted:  # the cancellation came after the last step
            self.store.delete(job.id)
        elif job.state == "done":
            self._ask_judge(job.id, job.request.lyrics)

    def _ask_judge(self, song_id: str, lyrics: str) -> None:
        self._remember(song_id, {"state": "waiting", "reason": "the judge is listening"})
        self.listener.hear(Hearing(song_id, self.store.audio(song_id), lyrics, self._judged))

    def _judged(self, song_id: str, verdict: Verdict) -> None:
        with self._lock:
            if song_id not in self._verdicts:  # deleted meanwhile
                return
            self._verdicts[song_id] = verdict
            self.changes += 1
            if verdict["state"] in ("judged", "wordless"):
                try:
                    self.store.annotate(song_id, judged=verdict)
                except OSError as error:  # a full disk: the verdict lives as long as the server
                    log.warning("what the judge heard in %s was not written down: %s", song_id, error)

    def _remember(self, song_id: str, verdict: Verdict) -> None:
        with self._lock:
            self._verdicts[song_id] = verdict
            self.changes += 1
            while len(self._verdicts) > REMEMBERED_VERDICTS:
                self._verdicts.popitem(last=False)
