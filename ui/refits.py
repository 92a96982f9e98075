"""Routers fitted anew in the server, one at a time: asked for, watched, cancelled, and put to use.

Each has a folder of its own with the router in it; the work is done elsewhere, see ``ui.refit_work``. Knows neither
HTTP nor HTML.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from adapters.store import AdapterStore
from engine.hidden_folders import clear_abandoned
from router.errors import RouterError
from router.feedback import FEEDBACK
from router.router import Router
from router.router_file import RouterFile, read_router_file
from ui.errands import CLOSED, ERRAND_ID, HIDDEN, PATIENCE, Errand, Errands, burial
from ui.refit_checks import check_refit, fit_options
from ui.refit_records import (
    ROUTER,
    Interval,
    RefitFindings,
    RefitRequest,
    RefitStanding,
    read_record,
    summarise_router,
    write_record,
)
from ui.refit_work import (
    LoadSentences,
    Noted,
    RefitError,
    RefitWork,
    Step,
    Told,
    fit_elsewhere,
    load_usual_sentences,
)
from ui.songs import Songs
from ui.sources import Sources

__all__ = ["Interval", "RefitError", "RefitFindings", "RefitRequest", "RefitStanding", "Refits"]

#: Where refits lie in the songs' folder, and how many may wait for the one that runs.
REFITS, MOST_WAITING = "refits", 4
#: Refits that are kept once they have ended: the newest, and the one that the server routes by.
MOST_KEPT = 32

log = logging.getLogger(__name__)


@dataclass(eq=False, kw_only=True)
class _Refit(Errand):
    request: RefitRequest
    created: datetime
    folder: Path
    step: Step = field(default_factory=lambda: Step(""))
    findings: RefitFindings | None = None


class Refits:
    """The refits of one server. Any thread may call.

    ``model``: the folder of its song model; ``load``: brings the sentence model, here and in another process.
    """

    def __init__(
        self,
        songs: Songs,
        sources: Sources,
        shelf: AdapterStore,
        model: Path,
        load: LoadSentences = load_usual_sentences,
    ) -> None:
        self.songs, self.sources, self.shelf, self.model, self.load = songs, sources, shelf, model, load
        self.folder = songs.store.folder / REFITS
        self._errands: Errands[_Refit] = Errands("refit", self._do, self._settle, MOST_WAITING)
        self._lock = threading.Lock()
        self._putting = Counter[str]()  # ids of those whose routers are being loaded to be put to use
        clear_abandoned(self.folder, HIDDEN)
        self._known = {found.id: found for found in self._read()}

    def start(self, request: RefitRequest) -> RefitStanding:
        """Begin a refit.

        Raises:
            RequestError: there is no such table or judge, or no router can be fitted to it; told of the field.
            Refused: too many wait, or the server is about to end.
        """
        check_refit(request, self.sources)
        name = secrets.token_hex(8)
        refit = _Refit(id=name, request=request, created=datetime.now(UTC), folder=self.folder / name)
        with self._lock:
            self._errands.put(refit)
            self._known[name] = refit
        self._write(refit)
        return self._describe(refit)

    def standing(self, refit: str) -> RefitStanding | None:
        """How one stands; None where there is none of that id."""
        found = self._find(refit)
        return None if found is None else self._describe(found)

    def listed(self) -> list[RefitStanding]:
        """All of them, those of earlier runs of the server included, the newest first."""
        with self._lock:
            found = sorted(self._known.values(), key=lambda one: one.created, reverse=True)
        return [self._describe(one) for one in found]

    def cancel(self, refit: str) -> bool:
        """Stop one that waits or runs, of which nothing is left; False where there is none of that id."""
        found = self._find(refit)
        if found is not None:
            self._errands.stop(found)
        return found is not None

    def remove(self, refit: str) -> Literal["cancelled", "removed"] | None:
        """Cancel one that waits or runs, delete one that has ended; None where there is none.

        Raises:
            RefitError: the server routes by it, or is about to.
            OSError: its folder cannot be deleted.
        """
        with self._lock:
            found = self._known.get(refit)
        if found is None:
            return None
        if not found.ended:
            self._errands.stop(found)
            return "cancelled"
        with burial(found.folder) as bury, self._lock:  # nobody waits for the lock while files are deleted
            if self._known.get(refit) is not found:
                return None
            if self._putting[refit]:
                raise RefitError(f"the refit {refit} is being put to use: ask again once it routes")
            if self.songs.routing.used == refit:
                raise RefitError(f"the server routes by the refit {refit}: go back to its own router first")
            bury()
            del self._known[refit]
        return "removed"

    def report(self, refit: str) -> str | None:
        """What one found, as a page of HTML; None where there is none of that id.

        Raises:
            RefitError: it is not done, or its router cannot be read any more.
        """
        found = self._find(refit)
        if found is None:
            return None
        from router.report.page import render_report

        return render_report([self._router_file(found).findings])

    def use(self, refit: str) -> RefitStanding | None:
        """Route by one from now on, until another is used, :meth:`restore` or the server's end; None where there is
        none of that id.

        Raises:
            RefitError: it is not done, its router cannot be read any more, or the song model is another one by now.
        """
        with self._lock:
            found = self._known.get(refit)
            if found is None:
                return None
            self._putting[refit] += 1  # it is not removed while it is being loaded
        try:
            file = self._router_file(found)
            self.songs.routing.use(Router(file, self.load()), refit, self.model, self.shelf)
        except RouterError as error:
            raise RefitError(str(error)) from error
        finally:
            with self._lock:
                self._putting[refit] -= 1
                self._putting += Counter()  # leaves out those at 0
        self.songs.count_change()
        return self._describe(found)

    def restore(self) -> None:
        """Route again by what the server was started with."""
        self.songs.routing.restore()
        self.songs.count_change()

    def refuse(self) -> None:
        """Begin no more and stop the one that runs, without waiting for it."""
        self._errands.refuse()

    def close(self, timeout: float = PATIENCE) -> None:
        """Stop as :meth:`refuse` does, and wait for it, ``timeout`` seconds at the most."""
        self._errands.close(timeout)

    def _find(self, refit: str) -> _Refit | None:
        with self._lock:
            return self._known.get(refit)

    def _describe(self, refit: _Refit) -> RefitStanding:
        done = refit.state == "done"
        return RefitStanding(
            id=refit.id,
            state=refit.state,
            request=refit.request,
            created=refit.created,
            stage=refit.step.stage,
            done=refit.step.done,
            total=refit.step.total,
            error=refit.error,
            findings=refit.findings,
            report=f"/v1/refits/{refit.id}/report" if done else None,
            used=done and self.songs.routing.used == refit.id,
            place=self._errands.place(refit),
        )

    def _do(self, refit: _Refit) -> None:
        notes = list[str]()

        def hear(told: Told) -> None:
            if isinstance(told, Noted):
                notes.append(told.sentence)
            else:
                refit.step = told if told.total else replace(refit.step, stage=told.stage)

        request = refit.request
        log_of_picks = self.songs.store.folder / FEEDBACK
        work = RefitWork(
            self.sources.source(request.source).file,
            refit.folder / ROUTER,
            fit_options(request),
            log_of_picks if request.feedback_weight and log_of_picks.is_file() else None,
            f"POST /v1/refits {request.model_dump_json()}",
        )
        refit.step = Step("starting")
        seconds = fit_elsewhere(work, self.load, refit.stopped, hear)
        if not refit.stopped.is_set():
            refit.findings = summarise_router(read_router_file(work.out), notes, seconds)
            refit.step = Step("", refit.step.done, refit.step.total)

    def _router_file(self, refit: _Refit) -> RouterFile:
        if refit.state != "done":
            raise RefitError(f"the refit {refit.id} is {refit.state} and has no router: {refit.error or 'wait for it'}")
        try:
            return read_router_file(refit.folder / ROUTER)
        except RouterError as error:
            raise RefitError(str(error)) from error

    def _write(self, refit: _Refit) -> None:
        """Write down how it stands; of one that somebody cancelled nothing is left."""
        try:
            with self._lock:
                if self._known.get(refit.id) is not refit:  # it was removed meanwhile
                    return
                if refit.state != "cancelled" or refit.error is not None:
                    write_record(refit.folder, self._describe(refit))
                    return
            if refit.folder.is_dir():
                with burial(refit.folder) as bury:
                    bury()
        except OSError as error:
            log.warning("the refit %s was not written down: %s", refit.id, error)

    def _settle(self, refit: _Refit) -> None:
        """One has ended: only what was fitted to the end has a router, and the oldest of too many go."""
        if refit.state != "done":
            with suppress(OSError):
                (refit.folder / ROUTER).unlink(missing_ok=True)
        self._write(refit)
        with self._lock:
            ended = sorted((one for one in self._known.values() if one.ended), key=lambda one: one.created)
        for old in ended[:-MOST_KEPT]:
            try:
                self.remove(old.id)
            except RefitError:
                continue  # the server routes by it
            except OSError as error:
                log.warning("the refit %s was not deleted: %s", old.id, error)

    def _read(self) -> list[_Refit]:
        """Refits of earlier runs of the server; what was under way then counts as cancelled."""
        found = []
        with suppress(OSError):
            for folder in self.folder.iterdir():
                told = None if folder.is_symlink() or not ERRAND_ID.fullmatch(folder.name) else read_record(folder)
                if told is not None and told.id == folder.name:
                    found.append(_recall(told, folder))
        return found


def _recall(told: RefitStanding, folder: Path) -> _Refit:
    known = _Refit(id=told.id, request=told.request, created=told.created, folder=folder)
    ended = told.state in ("done", "failed", "cancelled")
    known.state, known.error = (told.state, told.error) if ended else ("cancelled", CLOSED)
    known.findings, known.step = told.findings, Step("", told.done, told.total)
    return known
