"""One evaluation: what a grid lacks is sung and heard, both at once, so that the slower of the two sets the pace.

Knows the engine and the judges as what ``eval.stage`` and ``eval.ears`` make of them, and prints nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from engine.engine import Engine
from eval.cells import Cell
from eval.ears import Ears, Listener
from eval.grid import Grid
from eval.ledger import Listening, Todo
from eval.stage import Manners, Stage


@dataclass(frozen=True)
class Failure:
    """A cell that could not be sung or heard. It is in no table, and the next run tries it again."""

    cell: Cell
    reason: str


@dataclass(frozen=True)
class Watcher:
    """Told of progress, from any thread: of songs sung, of songs heard by one judge, and of those that failed, why."""

    sung: Callable[[Cell], None] = lambda cell: None
    heard: Callable[[Cell], None] = lambda cell: None
    failed: Callable[[Cell, str], None] = lambda cell, reason: None


def evaluate(
    grid: Grid,
    todo: Todo,
    engine: Engine | None,
    listeners: Mapping[Listening, Sequence[Listener]],
    watcher: Watcher | None = None,
    keep_maps: Callable[[Cell], bool] = lambda cell: True,
    manners: Manners | None = None,
) -> tuple[Failure, ...]:
    """Sing and hear all of ``todo``; ``engine`` may be None where nothing is to be sung.

    Ends early, with what is at hand finished or given up, once ``manners`` say that it is stopped.

    Raises:
        GridError, LogError: the disk is full or the folder cannot be written; whatever was finished is safe.
        KeyboardInterrupt: passed on once what was at hand is finished.
    """
    watcher, manners = watcher or Watcher(), manners or Manners()
    stopped = manners.stopped
    failures: list[Failure] = []
    lock = threading.Lock()

    def failed(cell: Cell, reason: str) -> None:
        with lock:
            failures.append(Failure(cell, reason))
        watcher.failed(cell, reason)

    ears = Ears(grid, listeners, lambda cell, _: watcher.heard(cell), failed)
    wanted = {one: {cell.key for cell in cells} for one, cells in todo.hear.items()}
    for one in todo.hear:
        for cell in todo.ready(one):
            ears.hear(cell, one)
    ears.start()

    def sung(cell: Cell) -> None:
        watcher.sung(cell)
        for one, keys in wanted.items():
            if cell.key in keys:
                ears.hear(cell, one)

    try:
        if todo.sing:
            if engine is None:
                raise ValueError(f"{len(todo.sing)} songs are to be sung and there is no engine")
            ended = replace(manners, stopped=lambda: ears.fault is not None or stopped())
            Stage(engine, grid, keep_maps, ended).sing(todo.sing, sung, failed)
        ears.finish(stopped)
    except BaseException:
        ears.stop()
        raise
    return tuple(failures)
