"""Routers fitted anew in the server, one at a time: asked for, watched, cancelled, and put to use.

Each has a folder of its own with the router in it; the work is done elsewhere, see ``ui.refit_work``. Knows neither
HTTP nor HTML.
"""

from __future__ import annotations

import logging
import secrets
import threading
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from adapters.store import AdapterStore
from engine.errors import ChoirmasterError, Fault, RequestError
from engine.hidden_folders import clear_abandoned
from router.errors import RouterError
from router.feedback import FEEDBACK
from router.fit_table import FitOptions, pick_judge, read_fittable
from router.router import Router
from router.router_file import RouterFile, read_router_file
from ui.errands import CLOSED, ERRAND_ID, HIDDEN, Errand, Errands, delete_folder
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
from ui.sources import SourceError, Sources

__all__ = ["Interval", "RefitError", "RefitFindings", "RefitRequest", "RefitStanding", "Refits"]

#: Where refits lie in the songs' folder, and how many may wait for the one that runs.
REFITS, MOST_WAITING = "refits", 4

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
        self._errands: Errands[_Refit] = Errands("refit", self._do, self._write, MOST_WAITING)
        self._lock = threading.Lock()
        clear_abandoned(self.folder, HIDDEN)
        self._known = {found.id: found for found in self._read()}

    def start(self, request: RefitRequest) -> RefitStanding:
        """Begin a refit.

        Raises:
            RequestError: there is no such table or judge, or no router can be fitted to it; told of the field.
            Refused: too many wait, or the server is about to end.
        """
        self._check(request)
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
            RefitError: the server routes by it.
            OSError: its folder cannot be deleted.
        """
        with self._lock:
            found = self._known.get(refit)
            if found is None:
                return None
            if found.ended:
                if self.songs.routing.used == refit:
                    raise RefitError(f"the server routes by the refit {refit}: go back to its own router first")
                delete_folder(found.folder)
                del self._known[refit]
                return "removed"
        self._errands.stop(found)
        return "cancelled"

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
        found = self._find(refit)
        if found is None:
            return None
        file = self._router_file(found)
        try:
            self.songs.routing.use(Router(file, self.load()), refit, self.model, self.shelf)
        except RouterError as error:
            raise RefitError(str(error)) from error
        self.songs.count_change()
        return self._describe(found)

    def restore(self) -> None:
        """Route again by what the server was started with."""
        self.songs.routing.restore()
        self.songs.count_change()

    def refuse(self) -> None:
        """Begin no more and stop the one that runs, without waiting for it."""
        self._errands.refuse()

    def close(self) -> None:
        """Stop as :meth:`refuse` does, and wait for it."""
        self._errands.close()

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

    def _check(self, request: RefitRequest) -> None:
        """See that it can be fitted at all."""
        try:
            table = self.sources.table(request.source)
        except SourceError as error:
            raise RequestError.of([Fault("source", str(error))]) from error
        try:
            pick_judge(request.judge, table.judges)
        except RouterError as error:
            raise RequestError.of([Fault("judge", str(error))]) from error
        try:
            seeds = read_fittable(table, _options(request)).examples.lattice.seeds
        except ChoirmasterError as error:
            raise RequestError.of([Fault("source", str(error))]) from error
        if seeds < 2:
            said = (
                "every prompt of this table was sung from one seed, so that nothing parts luck from what a prompt "
                "needs: start an evaluation with 2 seeds or more"
            )
            raise RequestError.of([Fault("source", said)])

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
            _options(request),
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
        try:
            with self._lock:
                if self._known.get(refit.id) is refit:  # else it was removed meanwhile
                    write_record(refit.folder, self._describe(refit))
        except OSError as error:
            log.warning("the refit %s was not written down: %s", refit.id, error)

    def _read(self) -> list[_Refit]:
        """Refits of earlier runs of the server. What was under way then counts as cancelled."""
        found = []
        with suppress(OSError):
            for folder in self.folder.iterdir():
                told = None if folder.is_symlink() or not ERRAND_ID.fullmatch(folder.name) else read_record(folder)
                if told is not None and told.id == folder.name:
                    found.append(_recall(told, folder))
        return found


def _options(request: RefitRequest) -> FitOptions:
    return FitOptions(request.judge, None, request.feedback_weight, request.confidence)


def _recall(told: RefitStanding, folder: Path) -> _Refit:
    ended = told.state in ("done", "failed", "cancelled")
    return _Refit(
        id=told.id,
        state=told.state if ended else "cancelled",
        error=told.error if ended else CLOSED,
        request=told.request,
        created=told.created,
        folder=folder,
        step=Step("", told.done, told.total),
        findings=told.findings,
    )
