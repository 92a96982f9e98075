"""Progress bars of long stages, and stopping between two steps."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.console import Console, Group
    from rich.progress import Progress


def _progress(title: str, console: Console) -> Progress:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console)


@contextmanager
def bar(title: str, total: int | None = None) -> Iterator[Callable[[int, int], None]]:
    """A bar on standard error; what it gives is told (done, in all)."""
    from rich.console import Console

    with _progress(title, Console(stderr=True)) as shown:
        task = shown.add_task(title, total=total)
        yield lambda done, of: shown.update(task, completed=done, total=of)


def show_stages(title: str, stages: Iterator[tuple[int, int]]) -> None:
    """Draw a bar for stages that yield (done, in all)."""
    with bar(title) as update:
        for done, total in stages:
            update(done, total)


class StateBar:
    """A bar of steps with a line below it that says how things stand; the line is never cut for the bar's sake."""

    def __init__(self, title: str, steps: int) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        self.console = Console(stderr=True)
        self._progress = _progress(title, self.console)
        self._task = self._progress.add_task(title, total=steps)
        self._state = Text()
        self._live = Live(get_renderable=self._lines, console=self.console)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, step: int, state: str) -> None:
        """``step`` steps are done, and this is the state after them."""
        self._state.plain = state
        self._progress.update(self._task, completed=step)

    def _lines(self) -> Group:
        from rich.console import Group

        return Group(self._progress, self._state)


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
