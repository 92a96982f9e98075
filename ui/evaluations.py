"""Small evaluations that run in the server: asked for, watched, cancelled, and gone on with.

They sing through the server's one engine, and a copy of its judge listens, see ``ui.evaluation_run``. Each has a folder
of its own, and the same request goes on where it was, also after a restart. Knows neither HTTP nor HTML.
"""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from adapters.composition import parse_composition
from adapters.errors import AdapterError
from adapters.fingerprints import fingerprint_adapter, fingerprint_model
from adapters.store import AdapterStore
from engine.errors import ChoirmasterError, Fault, RequestError
from engine.hidden_folders import clear_abandoned
from eval.grid_log import open_heard, open_sung
from eval.targets import run_name
from ui.errands import CLOSED, ERRAND_ID, HIDDEN, PATIENCE, Errands, Refused, burial
from ui.evaluation_judges import CopyJudge, EvaluationJudge, copy_judge, name_listening
from ui.evaluation_records import (
    CellFailure,
    EvaluationRequest,
    EvaluationStanding,
    read_record,
    write_record,
)
from ui.evaluation_run import Evaluation, canonical, make_plan, run_evaluation
from ui.songs import Songs
from ui.sources import EVALUATIONS

__all__ = ["CellFailure", "EvaluationRequest", "EvaluationStanding", "Evaluations"]

#: Evaluations that may wait for the one that runs.
MOST_WAITING = 4
#: Seconds after which to ask again for one that is being stopped.
STOPPING = 2

log = logging.getLogger(__name__)


class Evaluations:
    """The evaluations of one server, one running at a time. Any thread may call.

    ``model``: the folder of its song model, or a hub id; ``copy``: makes their judge of the server's.
    """

    def __init__(self, songs: Songs, shelf: AdapterStore, model: Path, copy: CopyJudge = copy_judge) -> None:
        self.songs, self.shelf, self.model, self.copy = songs, shelf, model, copy
        self.folder = songs.store.folder / EVALUATIONS
        self._errands: Errands[Evaluation] = Errands("evaluation", self._do, self._write, MOST_WAITING)
        self._lock = threading.Lock()
        self._marking = threading.Lock()  # of its own: reading a whole model takes long
        self._model_mark: str | None = None
        clear_abandoned(self.folder, HIDDEN)
        self._known = {found.id: found for found in self._read()}

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

    def standing(self, evaluation: str) -> EvaluationStanding | None:
        """How one stands; None where there is none of that id."""
        with self._lock:
            found = self._known.get(evaluation)
        return None if found is None else self._describe(found)

    def listed(self) -> list[EvaluationStanding]:
        """All of them, those of earlier runs of the server included, the newest first."""
        with self._lock:
            found = sorted(self._known.values(), key=lambda one: one.created, reverse=True)
        return [self._describe(one) for one in found]

    def cancel(self, evaluation: str) -> bool:
        """Stop one that waits or runs; of what is done there will be a table. False where there is none of that id."""
        with self._lock:
            found = self._known.get(evaluation)
        if found is not None:
            self._errands.stop(found)
        return found is not None

    def remove(self, evaluation: str) -> Literal["cancelled", "removed"] | None:
        """Cancel one that waits or runs, delete one that has ended with its songs; None where there is none.

        Raises:
            OSError: its folder cannot be deleted.
        """
        with self._lock:
            found = self._known.get(evaluation)
        if found is None:
            return None
        if found.ended:
            with burial(found.folder) as bury, self._lock:  # nobody waits for the lock while files are deleted
                if self._known.get(evaluation) is not found:
                    return None
                if found.ended:  # else it was begun again meanwhile
                    bury()
                    del self._known[evaluation]
                    return "removed"
        self._errands.stop(found)
        return "cancelled"

    def refuse(self) -> None:
        """Begin no more and stop the one that runs, without waiting for it; the same request goes on with it later."""
        self._errands.refuse()

    def close(self, timeout: float = PATIENCE) -> None:
        """Stop as :meth:`refuse` does, and wait until what is done is a table, ``timeout`` seconds at the most."""
        self._errands.close(timeout)

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

    def _write(self, evaluation: Evaluation) -> None:
        """Write down how it stands; a full disk is told with the evaluation itself, once a song does not fit."""
        try:
            with self._lock:
                if self._known.get(evaluation.id) is evaluation:  # else it was removed meanwhile
                    write_record(evaluation.folder, evaluation.describe())
        except OSError as error:
            log.warning("the evaluation %s was not written down: %s", evaluation.id, error)

    def _read(self) -> list[Evaluation]:
        """Evaluations of earlier runs of the server. What was under way then counts as cancelled."""
        found = []
        with suppress(OSError):
            for folder in self.folder.iterdir():
                told = None if folder.is_symlink() or not ERRAND_ID.fullmatch(folder.name) else read_record(folder)
                if told is not None and told.id == folder.name:
                    found.append(_recall(told, folder))
        return found


def _recall(told: EvaluationStanding, folder: Path) -> Evaluation:
    evaluation = Evaluation(
        id=told.id,
        state=told.state,
        error=told.error,
        request=told.request,
        created=told.created,
        folder=folder,
        total=told.total,
        sung=told.sung,
        heard=told.heard,
        failed=told.failed,
        failures=told.failures,
    )
    if not evaluation.ended:  # the server was killed
        evaluation.state, evaluation.error = "cancelled", CLOSED
        with suppress(ChoirmasterError):
            evaluation.sung = min(told.total, len({entry.key for entry in open_sung(folder).read()}))
            evaluation.heard = min(told.total, len({entry.key for entry in open_heard(folder).read()}))
    return evaluation
