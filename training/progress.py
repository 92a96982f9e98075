"""Progress bars of long stages, and stopping between two steps."""

from __future__ import annotations

import signal
from collections.abc import Iterator


def show_stages(title: str, stages: Iterator[tuple[int, int]]) -> None:
    """Draw a bar for stages that yield (done, in all)."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns) as bar:
        task = bar.add_task(title, total=None)
        for done, total in stages:
            bar.update(task, completed=done, total=total)


class StopRequest:
    """True once Ctrl-C or SIGTERM was sent; the step at hand is finished first, so that nothing is lost."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True

    def __call__(self) -> bool:
        return self.asked
