"""Progress bars of long stages, and stopping between two steps."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def bar(title: str, total: int | None = None) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error; what it gives is told (done, in all)."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as shown:
        task = shown.add_task(title, total=total)
        yield lambda done, of: shown.update(task, completed=done, total=of)


def show_stages(title: str, stages: Iterator[tuple[int, int]]) -> None:
    """Draw a bar for stages that yield (done, in all)."""
    with bar(title) as update:
        for done, total in stages:
            update(done, total)


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
