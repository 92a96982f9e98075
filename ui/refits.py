"""Routers fitted anew in the server, one at a time: asked for, watched, cancelled, and put to use.

Each has a folder of its own with the router in it; the work is done elsewhere, see ``ui.refit_work``. Knows neither
HTTP nor HTML.
"""

from __future__ import annotations

import secrets
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from adapters.store import AdapterStore
from router.errors import RouterError
from router.feedback import FEEDBACK
from router.router import Router
from router.router_file import RouterFile, read_router_file
from ui.errand_keeper import ErrandKeeper, KeptErrand
from ui.refit_checks import check_refit, fit_options
from ui.refit_records import (
    RECORDS,
    ROUTER,
    Interval,
    RefitFindings,
    RefitRequest,
    RefitStanding,
    summarise_router,
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

#: Where refits lie in the songs' folder.
REFITS = "refits"


@dataclass(eq=False, kw_only=True)
class Refit(KeptErrand):
    """A refit and how far it is."""

    request: RefitRequest
    step: Step = field(default_factory=lambda: Step(""))
    findings: RefitFindings | None = None


class Refits(ErrandKeeper[Refit, RefitStanding]):
    """The refits of one server. Any thread may call.

    Of one that is cancelled nothing is left, and one that the server routes by stays.
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
        self._putting = Counter[str]()  # ids of those whose routers are being loaded to be put to use
        super().__init__(songs.store.folder / REFITS, RECORDS)

    def start(self, request: RefitRequest) -> RefitStanding:
        """Begin a refit.

        Raises:
            RequestError: there is no such table or judge, or no router can be fitted to it; told of the field.
            Refused: too many wait, or the server is about to end.
        """
        check_refit(request, self.sources)
        name = secrets.token_hex(8)
        refit = Refit(id=name, request=request, created=datetime.now(UTC), folder=self.folder / name)
        with self._lock:
            self._errands.put(refit)
            self._known[name] = refit
        self._write(refit)
        return self._describe(refit)

    def tables(self) -> set[str]:
        """Ids of the tables that refits which wait or run are fitted to."""
        with self._lock:
            return {one.request.source for one in self._known.values() if not one.ended}

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

    def _describe(self, refit: Refit) -> RefitStanding:
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

    def _do(self, refit: Refit) -> None:
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

    def _router_file(self, refit: Refit) -> RouterFile:
        if refit.state != "done":
            raise RefitError(f"the refit {refit.id} is {refit.state} and has no router: {refit.error or 'wait for it'}")
        try:
            return read_router_file(refit.folder / ROUTER)
        except RouterError as error:
            raise RefitError(str(error)) from error

    def _check_free(self, refit: Refit) -> None:
        if self._putting[refit.id]:
            raise RefitError(f"the refit {refit.id} is being put to use: ask again once it routes")
        if self.songs.routing.used == refit.id:
            raise RefitError(f"the server routes by the refit {refit.id}: go back to its own router first")

    def _leaves_nothing(self, refit: Refit) -> bool:
        return refit.state == "cancelled" and refit.error is None  # somebody cancelled it, and not the server's end

    def _settle(self, refit: Refit) -> None:
        if refit.state != "done":  # only what was fitted to the end has a router
            with suppress(OSError):
                (refit.folder / ROUTER).unlink(missing_ok=True)
        super()._settle(refit)

    def _recall(self, told: RefitStanding, folder: Path) -> Refit:
        step = Step("", told.done, told.total)
        return Refit(
            id=told.id, request=told.request, created=told.created, folder=folder, step=step, findings=told.findings
        )
