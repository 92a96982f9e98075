"""What happens to one song, told to any number of listeners, of whom none can hold up the singing.

A log keeps the latest events of one song and the latest attention maps among them. A listener holds only the number of
the last event it has seen: one that is slow misses the oldest steps, and never the end.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from engine.attention_maps import AttentionFrame

Kind = Literal["queued", "singing", "step", "decoding", "done", "judged", "failed", "cancelled"]

#: Events kept of one song: the most steps there can be, and some more.
EVENTS_KEPT = 256
#: Attention maps kept among them, and the bytes they may take; the latest is always kept.
FRAMES_KEPT, FRAME_BYTES_KEPT = 8, 16 << 20
#: After these nothing is sung any more.
_LAST: frozenset[Kind] = frozenset({"failed", "cancelled", "judged"})


@dataclass(frozen=True)
class SongEvent:
    """One thing that happened. ``id`` counts from 1 within a song; ``data`` can be written as JSON."""

    id: int
    kind: Kind
    data: dict[str, Any] = field(default_factory=dict)
    frame: AttentionFrame | None = None


class EventLog:
    """The events of one song. Any thread may append, read and listen."""

    def __init__(self) -> None:
        self._events: deque[SongEvent] = deque(maxlen=EVENTS_KEPT)
        self._listeners: list[Callable[[], None]] = []
        self._last = 0
        self._lock = threading.Lock()

    def append(self, kind: Kind, data: dict[str, Any] | None = None, frame: AttentionFrame | None = None) -> None:
        """Add an event and wake the listeners; no effect after the last event there can be."""
        with self._lock:
            if self._events and self._events[-1].kind in _LAST:
                return
            self._last += 1
            self._events.append(SongEvent(self._last, kind, data or {}, frame))
            listeners = list(self._listeners)
        if frame is not None:
            self.drop_frames(FRAMES_KEPT, FRAME_BYTES_KEPT)
        for listener in listeners:
            listener()

    def since(self, last_id: int = 0) -> list[SongEvent]:
        """Events after the one of this number, oldest first, as far as they are still kept."""
        with self._lock:
            return [event for event in self._events if event.id > last_id]

    def listen(self, told: Callable[[], None]) -> Callable[[], None]:
        """Call ``told``, which must be quick and raise nothing, after every event; returns what ends that."""
        with self._lock:
            self._listeners.append(told)

        def stop() -> None:
            with self._lock:
                if told in self._listeners:
                    self._listeners.remove(told)

        return stop

    @property
    def nbytes(self) -> int:
        """Bytes of the attention maps that are kept."""
        with self._lock:
            return sum(event.frame.nbytes for event in self._events if event.frame is not None)

    def drop_frames(self, most: int = 0, most_bytes: int = 0) -> None:
        """Drop all attention maps but the latest ``most``, of at most so many bytes together; the events stay."""
        with self._lock:
            kept = size = 0
            for place in range(len(self._events) - 1, -1, -1):
                event = self._events[place]
                if event.frame is None:
                    continue
                kept, size = kept + 1, size + event.frame.nbytes
                if kept > most or (kept > 1 and size > most_bytes):
                    self._events[place] = replace(event, frame=None)
