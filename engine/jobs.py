"""One song asked of an engine, and how far it is."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from engine.errors import Cancelled, SongError, TimedOut
from engine.events import EventLog
from engine.request import SongRequest

if TYPE_CHECKING:
    from engine.generation import Generation
    from engine.song import Song

State = Literal["queued", "singing", "decoding", "done", "failed", "cancelled"]
ENDED: frozenset[State] = frozenset({"done", "failed", "cancelled"})


@dataclass(eq=False)
class Job:
    """One requested song. Read it from any thread; only the engine writes it.

    ``created`` is seconds since 1970; ``comparison`` the id of the comparison it is part of, ``place_in_comparison``
    its place there, from 0. ``background``: sung only while nobody else's songs wait or are sung, and not stored.
    """

    id: str
    request: SongRequest
    steps: int
    comparison: str | None = None
    place_in_comparison: int | None = None
    background: bool = False
    state: State = "queued"
    step: int = 0
    song: Song | None = None
    error: str | None = None
    timed_out: bool = False
    created: float = field(default_factory=time.time)
    events: EventLog = field(default_factory=EventLog)
    # the engine's own
    generation: Generation | None = None
    deadline: float | None = None  # of time.monotonic()
    turn: int = -1  # of the latest step
    _cancel: threading.Event = field(default_factory=threading.Event)
    _ended: threading.Event = field(default_factory=threading.Event)

    @property
    def ended(self) -> bool:
        """Whether nothing more will be sung of it."""
        return self.state in ENDED

    @property
    def unwanted(self) -> bool:
        """Whether nobody waits for it any more: cancelled, timed out or ended."""
        return self._cancel.is_set() or self.ended

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the job has ended; False where the time ran out."""
        return self._ended.wait(timeout)

    def result(self, timeout: float | None = None) -> Song:
        """The song, once it is there.

        Raises:
            TimeoutError: it was not there in time.
            Cancelled, TimedOut, SongError: the job ended without one.
        """
        if not self.wait(timeout):
            raise TimeoutError(f"the song {self.id} was not finished within {timeout} s")
        if self.song is None:
            kind = TimedOut if self.timed_out else Cancelled if self.state == "cancelled" else SongError
            raise kind(self.error or f"the song {self.id} is no longer in memory: read it from where songs are stored")
        return self.song
