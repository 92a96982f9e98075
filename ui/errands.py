"""Long work that a server does beside singing, one piece after the other: queued, watched, cancelled.

Knows nothing of what is done; how it is written down is said in ``ui.errand_records``.
"""

from __future__ import annotations

import logging
import math
import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

from engine.errors import ChoirmasterError

ErrandState = Literal["queued", "running", "done", "cancelled", "failed"]
#: How a piece of work may end.
Ending = Literal["done", "cancelled", "failed"]

#: What an id looks like.
ERRAND_ID = re.compile(r"[0-9a-f]{16}")
CLOSED = "the server was stopped before it was done"
#: Seconds that the end of a server waits for what is being done.
PATIENCE = 60.0

log = logging.getLogger(__name__)


class Refused(ChoirmasterError):
    """Long work is not taken; ``retry_after``: seconds after which to ask again, None where that does not help.
    ``closing``: since the server is about to end."""

    def __init__(self, reason: str, retry_after: float | None = None, closing: bool = False) -> None:
        super().__init__(reason)
        self.retry_after = None if retry_after is None else max(1, math.ceil(retry_after))
        self.closing = closing


@dataclass(eq=False)
class Errand:
    """A piece of work. ``stopped`` is set once nobody wants it any more; ``error``: why it ended without a result."""

    id: str
    state: ErrandState = "queued"
    error: str | None = None
    stopped: threading.Event = field(default_factory=threading.Event)

    @property
    def ended(self) -> bool:
        """Whether nothing more will be done of it."""
        return self.state in ("done", "cancelled", "failed")


_ERRAND = TypeVar("_ERRAND", bound=Errand)


class Errands(Generic[_ERRAND]):
    """Does one errand after another on a thread. Any thread may call.

    Args:
        called: what one is called, for messages and the thread.
        do: does one, and returns early where it is stopped.
        ended: told of each that has ended, once its state says how.
        limit: how many may wait.
    """

    def __init__(
        self, called: str, do: Callable[[_ERRAND], None], ended: Callable[[_ERRAND], None], limit: int
    ) -> None:
        self.called, self.limit = called, limit
        self._do, self._ended = do, ended
        self._waiting: deque[_ERRAND] = deque()
        self._running: _ERRAND | None = None
        self._changed = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None
        self._given_up = False

    def put(self, errand: _ERRAND) -> None:
        """Queue one.

        Raises:
            Refused: as many wait as may, or the server is about to end.
        """
        with self._changed:
            if self._closed:
                raise Refused(f"the server is shutting down and begins no more {self.called}s", closing=True)
            if len(self._waiting) >= self.limit:
                raise Refused(
                    f"{self.limit} {self.called}s are waiting, which is the limit: cancel one, or ask again when one "
                    "is done",
                    retry_after=60,
                )
            errand.state, errand.error = "queued", None
            errand.stopped.clear()
            self._waiting.append(errand)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=f"choirmaster-{self.called}s", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def place(self, errand: _ERRAND) -> int:
        """Its place among those that wait, from 1; 0 where it does not wait."""
        with self._changed:
            return self._waiting.index(errand) + 1 if errand in self._waiting else 0

    def stop(self, errand: _ERRAND) -> None:
        """End one: at once where it waits, else as soon as whatever does it looks; no effect on others."""
        with self._changed:
            if errand.ended:
                return
            errand.stopped.set()
            waited = errand in self._waiting
            if waited:
                self._waiting.remove(errand)
        if waited:
            self._end(errand, "cancelled", None)

    def refuse(self) -> None:
        """Begin no more and stop the one that is being done, without waiting for it; those that wait end at once."""
        with self._changed:
            self._closed = True
            left = list(self._waiting)
            self._waiting.clear()
            if self._running is not None:
                self._running.stopped.set()
            self._changed.notify_all()
        for errand in left:
            self._end(errand, "cancelled", CLOSED)

    def close(self, timeout: float = PATIENCE) -> None:
        """Do as :meth:`refuse` does, and wait for the one that is being done to end, ``timeout`` seconds at the most;
        where that was too short once, not again."""
        self.refuse()
        if self._thread is not None and not self._given_up:
            self._thread.join(timeout)
            self._given_up = self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                if self._closed:
                    return
                errand = self._running = self._waiting.popleft()
                errand.state = "running"
            state: Ending = "failed"
            reason: str | None = None
            try:
                self._do(errand)
            except ChoirmasterError as error:
                reason = str(error)
            except Exception as error:
                log.exception("the %s %s failed", self.called, errand.id)
                reason = f"the {self.called} failed ({type(error).__name__}): the server's log has the details"
            else:
                state = "cancelled" if errand.stopped.is_set() else "done"
            if self._closed and state != "done":  # the engine may have ended first
                state, reason = "cancelled", CLOSED
            with self._changed:
                self._running = None
            self._end(errand, state, reason)

    def _end(self, errand: _ERRAND, state: Ending, reason: str | None) -> None:
        errand.error, errand.state = reason, state
        try:
            self._ended(errand)
        except Exception:
            log.exception("how the %s %s ended was not written down", self.called, errand.id)
