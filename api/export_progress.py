"""How far an export is, and the moments at which it can be stopped; knows no files and no thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from adapters.base import Base
from adapters.errors import AdapterError
from adapters.store import AdapterStore
from adapters.weights import LowRank
from api.export_records import ExportShown


class Stopped(Exception):
    """Whoever asked for it wants it no more."""


@dataclass
class ExportJob:
    """An export in this process, and how far it is. ``total`` counts what is written, and again what is packed."""

    shown: ExportShown
    deadline: float = float("inf")
    total: int = 0
    written: int = 0
    stopped: threading.Event = field(default_factory=threading.Event)

    def start(self, total: int) -> Callable[[int], None]:
        self.total = 2 * total
        self.check()
        return self.advance

    def advance(self, size: int) -> None:
        self.written += size
        self.check()

    def check(self) -> None:
        if self.stopped.is_set():
            raise Stopped
        if time.monotonic() > self.deadline:
            raise AdapterError("the export took longer than it may: ask for a smaller one, such as a LoRA of low rank")

    def now(self) -> ExportShown:
        if self.shown.state != "running":
            return self.shown
        done = min(1.0, self.written / self.total) if self.total else 0.0
        return self.shown.model_copy(update={"progress": done})


class WatchedShelf(AdapterStore):
    """The shelf, where loading is a moment to stop."""

    def __init__(self, shelf: AdapterStore, check: Callable[[], None]) -> None:
        super().__init__(shelf.folder)
        self._check = check

    def load(self, name: str, base: Base) -> dict[str, LowRank]:
        self._check()
        return super().load(name, base)
