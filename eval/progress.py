"""The bars of an evaluation: songs sung and songs heard, how many a minute, and the time that is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from rich.console import Console

    from eval.cells import Cell


class Bars:
    """Two bars on ``console``; entering gives what is told of a song sung, and of one heard, from any thread."""

    def __init__(self, console: Console, songs: int, hearings: int) -> None:
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[pace]}"), TimeRemainingColumn())
        self._bars = Progress(TextColumn("{task.description}"), *columns, console=console, speed_estimate_period=120)
        self._tasks = [
            self._bars.add_task(name, total=total, pace="", visible=total > 0)
            for name, total in (("sung", songs), ("heard", hearings))
        ]

    def __enter__(self) -> tuple[Callable[[Cell], None], Callable[[Cell], None]]:
        self._bars.start()
        return lambda cell: self._advance(0), lambda cell: self._advance(1)

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def _advance(self, bar: int) -> None:
        task = self._tasks[bar]
        self._bars.advance(task)
        speed = self._bars.tasks[bar].speed
        self._bars.update(task, pace=f"{60 * speed:.0f} a minute" if speed else "")
