"""One small evaluation being sung and judged: songs through the server's engine, and a table at the end.

Knows one evaluation at a time. Songs that people wait for go before its own, of which only a few are asked for at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adapters.composition import format_composition, parse_composition
from adapters.exporting import DTYPES
from adapters.store import AdapterStore
from engine.engine import Engine
from engine.errors import ChoirmasterError
from eval.cells import Cell
from eval.evaluation import Watcher, evaluate
from eval.grid import Grid, Plan
from eval.grid_table import write_results
from eval.ledger import Ledger, Listening, Todo
from eval.prompts import ROUTER, TEST, across_genres, read_prompts
from eval.provenance import describe_evaluation
from eval.stage import Manners
from ui.errand_keeper import KeptErrand
from ui.evaluation_judges import EvaluationJudge, name_listening
from ui.evaluation_records import MOST_TOLD, CellFailure, EvaluationRequest, EvaluationStanding

#: Songs asked of the engine at once: the compositions of one prompt and seed, within these bounds.
FEWEST_AHEAD, MOST_AHEAD = 2, 4
PROMPTS = {"test": TEST, "router": ROUTER}
#: What is said to whoever sits at a terminal, and what to whoever asks a server. The longer come first.
_SAID = {
    "another evaluation is writing into": "another process is writing into",
    "wait until it is done, or choose another --out": "wait until it is done, and make the same request again",
    "choose another --out": "mend the permissions of the songs' folder",
    "the same command": "the same request",
}


class EvaluationError(ChoirmasterError):
    """An evaluation came to nothing."""


@dataclass(eq=False, kw_only=True)
class Evaluation(KeptErrand):
    """An evaluation and how far it is. Any thread may read it; who does it writes."""

    request: EvaluationRequest
    total: int
    sung: int = 0
    heard: int = 0
    failed: int = 0
    failures: tuple[CellFailure, ...] = ()
    # of the run that is under way: seconds of time.monotonic() at which it began to sing, and songs heard since
    began: float | None = None
    fresh: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, todo: Todo, one: Listening) -> None:
        """What is left is known, and work on it begins."""
        with self.lock:
            self.sung, self.heard = self.total - len(todo.sing), self.total - len(todo.hear[one])
            self.failed, self.failures = 0, ()
            self.began, self.fresh = time.monotonic(), 0

    def count(self, sung: int = 0, heard: int = 0) -> None:
        """Songs were sung or heard."""
        with self.lock:
            self.sung, self.heard, self.fresh = self.sung + sung, self.heard + heard, self.fresh + heard

    def fail(self, cell: Cell, reason: str) -> None:
        """A song could not be sung or heard."""
        told = CellFailure(prompt=cell.prompt.id, seed=cell.seed, composition=cell.composition, reason=reason)
        with self.lock:
            self.failed, self.failures = self.failed + 1, (*self.failures, told)[:MOST_TOLD]

    def describe(self, place: int = 0) -> EvaluationStanding:
        """How it stands; ``place`` among those that wait."""
        with self.lock:
            left = None
            if self.state == "running" and self.began is not None and self.fresh:
                left = (self.total - self.heard - self.failed) * (time.monotonic() - self.began) / self.fresh
            return EvaluationStanding(
                id=self.id,
                state=self.state,
                request=self.request,
                created=self.created,
                sung=self.sung,
                heard=self.heard,
                total=self.total,
                error=self.error,
                seconds_left=None if left is None else round(left, 1),
                failed=self.failed,
                failures=self.failures,
                place=place,
            )


def make_plan(request: EvaluationRequest, model: Path, engine: Engine) -> Plan:
    """What a request comes to, with the preset's steps."""
    dtype = next((name for name, found in DTYPES.items() if found == engine.model.dtype), "fp32")
    prompts = across_genres(read_prompts(PROMPTS[request.prompts]))[: request.genres]
    compositions = tuple(parse_composition(text) for text in request.compositions)
    return Plan(str(model), prompts, compositions, request.seeds, dtype=dtype)


def run_evaluation(
    evaluation: Evaluation, engine: Engine, shelf: AdapterStore, model: Path, hire: Callable[[], EvaluationJudge]
) -> None:
    """Sing and judge what is left of an evaluation, and write the table of what there is, however this ends.

    Args:
        hire: the judge that is to listen, not loaded yet.

    Raises:
        EvaluationError: not one song could be sung and heard, or the disk does not take them.
        ChoirmasterError: the judge or an adapter cannot be had.
    """
    request = evaluation.request
    grid = Grid(make_plan(request, model, engine), evaluation.folder, shelf)
    judge = hire()
    one = name_listening(judge)
    try:
        with grid.claim():
            todo = Ledger(grid).todo([one])
            evaluation.begin(todo, one)
            left = bool(todo.sing or todo.hear[one])
            about = _describe(grid, judge, request, engine, left)
            try:
                if left:
                    _evaluate(evaluation, grid, todo, one, judge, engine)
            except BaseException:
                with suppress(ChoirmasterError):
                    _write(grid, one, about)
                raise
            _write(grid, one, about)
    except ChoirmasterError as error:
        raise EvaluationError(_reword(str(error))) from error
    if not evaluation.heard and not evaluation.stopped.is_set():
        why = evaluation.failures[0].reason if evaluation.failures else "nothing was to be sung"
        raise EvaluationError(f"not one song could be sung and heard: {why}")


def _evaluate(
    evaluation: Evaluation, grid: Grid, todo: Todo, one: Listening, judge: EvaluationJudge, engine: Engine
) -> None:
    first = {cell.prompt.id: cell.seed for cell in reversed(grid.cells)}
    ahead = min(MOST_AHEAD, max(FEWEST_AHEAD, len(grid.plan.compositions)))

    def keep_maps(cell: Cell) -> bool:
        return cell.seed == first[cell.prompt.id]

    judge.load()
    evaluate(
        grid,
        todo,
        engine,
        {one: [judge]},
        Watcher(lambda _: evaluation.count(sung=1), lambda _: evaluation.count(heard=1), evaluation.fail),
        keep_maps,
        Manners(ahead, background=True, stopped=evaluation.stopped.is_set),
    )


def _describe(
    grid: Grid, judge: EvaluationJudge, request: EvaluationRequest, engine: Engine, left: bool
) -> dict[str, Any]:
    asked = f"POST /v1/evaluations {request.model_dump_json()}"
    about = describe_evaluation(grid, [judge], PROMPTS[request.prompts], asked, datetime.now(UTC), left)
    places = [list(place) for place in engine.model.aligned_heads]
    return {**about, "preset": engine.model.preset.name, "alignment_heads": places}


def _write(grid: Grid, one: Listening, about: dict[str, Any]) -> None:
    """A table without rows is none."""
    if Ledger(grid).heard(one):
        write_results(grid, [one], about)


def _reword(reason: str) -> str:
    """What is said to whoever sits at a terminal, for whoever asks a server."""
    for said, instead in _SAID.items():
        reason = reason.replace(said, instead)
    return reason


def canonical(request: EvaluationRequest) -> EvaluationRequest:
    """The request with compositions in their one form, as tables name them; of two that ask for the same, equal."""
    names = tuple(format_composition(parse_composition(text)) for text in request.compositions)
    return request.model_copy(update={"compositions": names})
