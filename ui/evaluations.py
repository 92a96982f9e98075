"""Small evaluations that run in the server: asked for, watched, cancelled, and gone on with.

They sing through the server's one engine, and a copy of its judge listens, see ``ui.evaluation_run``. Each has a folder
of its own, and the same request goes on where it was, also after a restart. Knows neither HTTP nor HTML.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from adapters.composition import parse_composition
from adapters.errors import AdapterError
from adapters.fingerprints import fingerprint_adapter, fingerprint_model
from adapters.store import AdapterStore
from engine.errors import ChoirmasterError, Fault, RequestError
from eval.grid_log import open_heard, open_sung
from eval.targets import run_name
from ui.errand_keeper import ErrandKeeper
from ui.errands import Refused
from ui.evaluation_judges import CopyJudge, EvaluationJudge, copy_judge, name_listening
from ui.evaluation_records import RECORDS, CellFailure, EvaluationRequest, EvaluationStanding
from ui.evaluation_run import Evaluation, canonical, make_plan, run_evaluation
from ui.songs import Songs
from ui.sources import EVALUATIONS

__all__ = ["CellFailure", "EvaluationRequest", "EvaluationStanding", "Evaluations", "TableNeeded"]

#: Seconds after which to ask again for one that is being stopped.
STOPPING = 2


class TableNeeded(ChoirmasterError):
    """An evaluation is not removed, since somebody is working with its table."""


class Evaluations(ErrandKeeper[Evaluation, EvaluationStanding]):
    """The evaluations of one server, one running at a time. Any thread may call.

    Of one that is cancelled there is a table of what is done, and the same request goes on with it later.
    ``model``: the folder of its song model, or a hub id; ``copy``: makes their judge of the server's.
    """

    def __init__(self, songs: Songs, shelf: AdapterStore, model: Path, copy: CopyJudge = copy_judge) -> None:
        self.songs, self.shelf, self.model, self.copy = songs, shelf, model, copy
        #: Ids of those whose tables somebody is working with: they are not removed.
        self.needed: Callable[[], Collection[str]] = tuple
        self._marking = threading.Lock()  # of its own: reading a whole model takes long
        self._model_mark: str | None = None
        super().__init__(songs.store.folder / EVALUATIONS, RECORDS)

    @property
    def reason(self) -> str | None:
        """Why no evaluation can be begun now; None where one can."""
        listener = self.songs.listener
        if listener.judge is None or listener.state in ("off", "unavailable"):
            return f"an evaluation needs a judge, and there is none: {listener.reason}"
        return None

    def start(self, request: EvaluationRequest) -> EvaluationStanding:
        """Begin an evaluation, or go on with it where the same one was cancelled or failed; one that waits, runs or is
        done is left as it is.

        Raises:
            RequestError: a composition cannot be sung; told of the field ``compositions``.
            Refused: there is no judge, too many wait, the same one is being stopped, or the server is about to end.
            ChoirmasterError: the folder cannot be written.
        """
        request = canonical(self._check(request))
        if self.reason is not None:
            raise Refused(self.reason)
        name = self._name(request)
        with self._lock:
            known = self._known.get(name)
            if known is not None and known.stopped.is_set() and not known.ended:
                raise Refused(f"the evaluation {name} is being stopped: ask again in a moment", STOPPING)
            if known is not None and (not known.ended or (known.state == "done" and not known.failed)):
                return self._describe(known)
            evaluation = known or self._make(name, request)
            self._errands.put(evaluation)
            self._known[name] = evaluation
        self._write(evaluation)
        return self._describe(evaluation)

    def _describe(self, evaluation: Evaluation) -> EvaluationStanding:
        return evaluation.describe(self._errands.place(evaluation))

    def _check(self, request: EvaluationRequest) -> EvaluationRequest:
        faults, names = list[Fault](), set[object]()
        for text in request.compositions:
            try:
                weights = parse_composition(text)
                self.songs.engine.singer.bank.voices(weights)
            except (RequestError, AdapterError) as error:
                faults.append(Fault("compositions", str(error)))
                continue
            if (key := tuple(weights.items())) in names:
                faults.append(Fault("compositions", f"{text[:80]} is among them twice: name it once"))
            names.add(key)
        if faults:
            raise RequestError.of(faults)
        return request

    def _name(self, request: EvaluationRequest) -> str:
        """The same for the same request, as long as model, adapters and judge are the same."""
        with self._marking:
            self._model_mark = self._model_mark or fingerprint_model(self.model)
        adapters = sorted({name for text in request.compositions for name in parse_composition(text)})
        marks = {name: fingerprint_adapter(self.shelf.folder / name) for name in adapters}
        dtype = str(self.songs.engine.model.dtype)
        return run_name(request.model_dump(), self._model_mark, dtype, marks, name_listening(self._hire()).judging)

    def _make(self, name: str, request: EvaluationRequest) -> Evaluation:
        plan = make_plan(request, self.model, self.songs.engine)
        total = len(plan.prompts) * len(plan.compositions) * plan.takes
        now = datetime.now(UTC)
        return Evaluation(id=name, request=request, created=now, folder=self.folder / name, total=total)

    def _hire(self) -> EvaluationJudge:
        judge = self.songs.listener.judge
        if judge is None:
            raise Refused(str(self.reason))
        return self.copy(judge)

    def _do(self, evaluation: Evaluation) -> None:
        self._write(evaluation)
        run_evaluation(evaluation, self.songs.engine, self.shelf, self.model, self._hire)

    def _check_free(self, evaluation: Evaluation) -> None:
        if evaluation.id in self.needed():  # which takes the lock of refits; these never ask for the one that is held
            raise TableNeeded(
                f"a refit waits for the table of the evaluation {evaluation.id} or is being fitted to it: cancel that, "
                "or ask again once it is done"
            )

    def _recall(self, told: EvaluationStanding, folder: Path) -> Evaluation:
        evaluation = Evaluation(
            id=told.id,
            request=told.request,
            created=told.created,
            folder=folder,
            total=told.total,
            sung=told.sung,
            heard=told.heard,
            failed=told.failed,
            failures=told.failures,
        )
        if told.state in ("queued", "running"):  # the server was killed
            with suppress(ChoirmasterError):
                evaluation.sung = min(told.total, len({entry.key for entry in open_sung(folder).read()}))
                evaluation.heard = min(told.total, len({entry.key for entry in open_heard(folder).read()}))
        return evaluation
